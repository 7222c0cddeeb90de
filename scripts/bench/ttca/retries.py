"""`laar bench retries`: a client that verifies for itself and sends `retry_of`, beside verification in the router.

It starts the embedded models with two router replicas. Both ways get the same prompts, one after another, in
alternating order; the requests of the client go to the two router replicas in turn.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

import serve_app
from profiles.workloads import Prompt
from scripts.bench.ttca.clients import is_correct
from scripts.bench.ttca.plan import Part, TtcaPlan, prompts_of
from scripts.report import Bar, Report

PORT = 8127
ROUTER_PORTS = {"MIN": 33000, "MAX": 33699}
APP = "laar-retries"
MAX_ATTEMPTS = 6
TIMEOUT_S = 300.0
PATH = "/v1/chat/completions"
NUM_ROUTERS = 2
# about half of each kind is beyond the model that is asked first
LANGUAGES = ("en", "de", "es")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriedPrompt:
    """One prompt in one way: the models that answered it in order, and the seconds until a right answer, if any."""

    models: tuple[str, ...]
    solved_s: float | None

    @property
    def num_repeats(self) -> int:
        return len(self.models) - len(set(self.models))


def run(*, prompts: int, seed: int) -> Report:
    """Start the application, ask, and compare the mean times over the prompts that both ways have solved."""
    chosen = prompts_of(_plan(prompts, seed))
    with application() as urls, ExitStack() as stack:
        routers = [stack.enter_context(httpx.Client(base_url=url, timeout=TIMEOUT_S)) for url in urls]
        pairs = _serve(chosen, routers)
    figures = figures_of(pairs)
    bars = [
        Bar(name="ttca_ratio", value=figures["ttca_ratio"], limit=1.1, kind="max"),
        Bar(name="repeats", value=figures["client"]["repeats"], limit=0, kind="max"),
        Bar(name="solved_ratio", value=figures["solved_ratio"], limit=1.0, kind="min"),
    ]
    parameters = {"prompts": len(chosen), "seed": seed, "router_replicas": len(urls), "temperature": 0}
    return Report(bench="retries", parameters=parameters, figures=figures, bars=bars)


def _plan(prompts: int, seed: int) -> TtcaPlan:
    each = max(1, prompts // (2 * len(LANGUAGES)))
    return TtcaPlan(
        parts=(
            Part(workload="instruct", languages=("en",), prompts=each * len(LANGUAGES)),
            Part(workload="lookup", languages=LANGUAGES, tokens=(256,), prompts=each),
        ),
        seed=seed,
        policies=("laar",),
    )


def figures_of(pairs: Sequence[tuple[RetriedPrompt, RetriedPrompt]]) -> dict[str, Any]:
    """What the client did for each prompt, beside what the router did for it."""
    both = [(c.solved_s, r.solved_s) for c, r in pairs if c.solved_s is not None and r.solved_s is not None]
    client_s, router_s = [statistics.fmean(times) for times in zip(*both, strict=True)] if both else (0.0, float("nan"))
    client, router = [_side(side) for side in zip(*pairs, strict=True)]
    return {
        "ttca_ratio": client_s / router_s,
        "solved_ratio": client["solved"] / router["solved"] if router["solved"] else float("nan"),
        "solved_by_both": len(both),
        "client": client | {"mean_ttca_s": client_s},
        "router": router | {"mean_ttca_s": router_s},
    }


def _side(side: Sequence[RetriedPrompt]) -> dict[str, Any]:
    return {
        "solved": sum(one.solved_s is not None for one in side),
        "attempts": sum(len(one.models) for one in side),
        "repeats": sum(one.num_repeats for one in side),
        "retried": sum(len(one.models) > 1 for one in side),
    }


def _serve(prompts: Sequence[Prompt], routers: Sequence[httpx.Client]) -> list[tuple[RetriedPrompt, RetriedPrompt]]:
    turns, pairs = count(), []
    for number, prompt in enumerate(prompts):
        ways = [_by_client, _by_router]
        found = {
            way: way(prompt, f"{seed_of(number)}-{way.__name__}", lambda: routers[next(turns) % len(routers)])
            for way in (ways if number % 2 == 0 else ways[::-1])
        }
        pairs.append((found[_by_client], found[_by_router]))
    return pairs


def seed_of(number: int) -> str:
    """A prefix of the engines' caches that no other prompt, and no earlier run, has used."""
    return f"{time.time_ns()}-{number}"


def _by_client(prompt: Prompt, salt: str, router: Callable[[], httpx.Client]) -> RetriedPrompt:
    """Ask, check the answer here, and send its id back until an answer is right or laar has no other."""
    laar: dict[str, Any] = {"client_retries": True, "notice_s": 0.0, "task": prompt.task}
    models: list[str] = []
    begun_s = time.perf_counter()
    for _ in range(MAX_ATTEMPTS):
        answer = _post(router(), prompt, salt, laar)
        if answer is None:
            break
        models.append(answer["laar"]["attempts"][-1]["model"])
        if is_correct(prompt, answer):
            return RetriedPrompt(models=tuple(models), solved_s=time.perf_counter() - begun_s)
        laar["retry_of"] = answer["id"]
    return RetriedPrompt(models=tuple(models), solved_s=None)


def _by_router(prompt: Prompt, salt: str, router: Callable[[], httpx.Client]) -> RetriedPrompt:
    laar = {"verify": dict(prompt.verify), "max_attempts": MAX_ATTEMPTS, "task": prompt.task}
    begun_s = time.perf_counter()
    answer = _post(router(), prompt, salt, laar)
    took_s = time.perf_counter() - begun_s
    attempts = answer["laar"]["attempts"] if answer is not None else []
    is_solved = answer is not None and answer["laar"]["verified"]
    return RetriedPrompt(models=tuple(a["model"] for a in attempts), solved_s=took_s if is_solved else None)


def _post(http: httpx.Client, prompt: Prompt, salt: str, laar: Mapping[str, Any]) -> dict[str, Any] | None:
    """The answer, or None where nothing new can be tried."""
    body = {
        "model": "auto",
        "messages": [{"role": "user", "content": prompt.text}],
        "temperature": 0,
        "max_tokens": prompt.max_tokens,
        "cache_salt": salt,
        "laar": laar,
    }
    response = http.post(PATH, json=body)
    if response.status_code == 422 and response.json()["error"]["code"] == "nothing_new":
        return None
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer


@contextmanager
def application() -> Iterator[list[str]]:
    """The embedded models behind NUM_ROUTERS routers until the block ends; yields where each router listens."""
    os.environ.update({f"RAY_SERVE_DIRECT_INGRESS_{end}_HTTP_PORT": str(port) for end, port in ROUTER_PORTS.items()})
    import ray
    from ray import serve

    from serve_app.app import build_app

    (described,) = yaml.safe_load((Path(serve_app.__path__[0]) / "embedded.yaml").read_text())["applications"]
    args = described["args"]
    args["router"] |= {"num_replicas": NUM_ROUTERS}
    args["log"] = {"enabled": False}
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": PORT})
        serve.run(build_app(args), name=APP, route_prefix=f"/{APP}")
        yield [f"http://127.0.0.1:{port}/{APP}" for port in _router_ports()]
    finally:
        serve.shutdown()
        ray.shutdown()


def _router_ports() -> list[int]:
    """Where each router replica listens by itself, behind HAProxy."""
    found = []
    for process in psutil.process_iter():
        if f"ServeReplica:{APP}:Router" in " ".join(_command_of(process)):
            listening = {c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
            found += [port for port in listening if ROUTER_PORTS["MIN"] <= port <= ROUTER_PORTS["MAX"]]
    return sorted(found)


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []
