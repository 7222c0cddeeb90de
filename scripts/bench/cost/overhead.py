"""`laar bench overhead`: the same simulated model behind laar and behind Ray's own OpenAiIngress, side by side.

Both run in one Ray cluster in Ray's fastest configuration, take turns in alternating order, and are
compared round by round, so that a machine that slows down slows both.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import msgspec

from scripts.bench.cost.closed_loop import LoadTarget, load
from scripts.report import Bar, Report, median_and_spread

MODEL = "simulated-instant"
CONCURRENCIES = (1, 16, 64)
PORT = 8123
NICENESS = "RAY_worker_niceness"
QUESTION = "What does the harbour master write down when a ferry leaves? " * 4


def run(*, rounds: int, requests: int) -> Report:
    """Start both applications, load them in turn, and compare."""
    with applications():
        figures = _measure(rounds, requests)
    bars = [bar for concurrency in CONCURRENCIES for bar in _bars(figures, concurrency)]
    parameters = {"rounds": rounds, "requests": requests, "concurrencies": CONCURRENCIES, "model": MODEL}
    parameters |= share_cores()
    return Report(bench="overhead", parameters=parameters, figures=figures, bars=bars)


def _bars(figures: dict[str, Any], concurrency: int) -> Iterator[Bar]:
    ratios = figures[f"concurrency_{concurrency}"]["laar_to_ray"]
    throughput, p50 = ratios["requests_per_s"]["median"], ratios["p50_ms"]["median"]
    yield Bar(name=f"throughput_ratio_c{concurrency}", value=throughput, limit=1.0, kind="min")
    yield Bar(name=f"p50_ratio_c{concurrency}", value=p50, limit=1.1, kind="max")
    verified = figures[f"concurrency_{concurrency}"]["laar_verified_to_laar"]["requests_per_s"]["median"]
    yield Bar(name=f"verified_throughput_ratio_c{concurrency}", value=verified, limit=0.95, kind="min")


def _measure(rounds: int, requests: int) -> dict[str, Any]:
    targets = list(_targets())
    results: dict[tuple[int, str], list[dict[str, float]]] = {}
    for concurrency in CONCURRENCIES:
        for target in targets:
            load(target, concurrency=concurrency, count=min(requests, 100))
        count = requests if concurrency > 1 else max(100, requests // 4)
        for number in range(rounds):
            for target in targets if number % 2 == 0 else reversed(targets):
                result = load(target, concurrency=concurrency, count=count)
                results.setdefault((concurrency, target.name), []).append(result)
    return {f"concurrency_{c}": _compare({t.name: results[c, t.name] for t in targets}) for c in CONCURRENCIES}


def _compare(by_target: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    names = ("requests_per_s", "p50_ms", "p99_ms")
    summary: dict[str, Any] = {
        target: {name: median_and_spread([r[name] for r in runs]) for name in names}
        for target, runs in by_target.items()
    }
    for target, other in (("laar", "ray"), ("laar_verified", "ray"), ("laar_verified", "laar")):
        pairs = list(zip(by_target[target], by_target[other], strict=True))
        summary[f"{target}_to_{other}"] = {
            name: median_and_spread([mine[name] / theirs[name] for mine, theirs in pairs]) for name in names
        }
    return summary


def _targets() -> Iterator[LoadTarget]:
    plain: dict[str, Any] = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 16, "temperature": 0}
    verified = plain | {"laar": {"verify": {"type": "contains", "value": "answer"}}}
    yield _target("ray", "/ray", plain | {"model": MODEL})
    yield _target("laar", "/laar", plain | {"model": "auto"})
    yield _target("laar_verified", "/laar", verified | {"model": "auto"})


def _target(name: str, route: str, body: dict[str, Any]) -> LoadTarget:
    return LoadTarget(
        name=name, url=f"http://127.0.0.1:{PORT}{route}/v1/chat/completions", body=msgspec.json.encode(body)
    )


def share_cores() -> dict[str, str]:
    """Give Ray's workers the priority of the client and other proxies on their cores; what it is, to report it.

    By default Ray lets everything else go before them. Read when Ray starts; the caller's own choice stays.
    """
    return {NICENESS: os.environ.setdefault(NICENESS, "0")}


@contextmanager
def applications(laar_models: Sequence[str] = (MODEL,), remote_urls: Sequence[str] = ()) -> Iterator[None]:
    """laar with these models at /laar, and Ray's own ingress with one at /ray, until the block ends.

    With URLs there is another laar at /laar-remote, whose models are the same and served there.
    """
    import ray
    from ray import serve

    from serve_app.app import build_app

    share_cores()
    ray.init(num_cpus=8, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": PORT})
        serve.run(_ray_app(), name="ray", route_prefix="/ray")
        with tempfile.TemporaryDirectory(prefix="laar-bench-") as folder:
            serve.run(build_app(_laar_args(folder, _engines(laar_models))), name="laar", route_prefix="/laar")
            if remote_urls:
                args = _laar_args(f"{folder}/remote", _remote(laar_models, remote_urls))
                serve.run(build_app(args), name="laar-remote", route_prefix="/laar-remote")
            yield
    finally:
        serve.shutdown()
        ray.shutdown()


def _llm_config(model: str) -> dict[str, Any]:
    return {
        "model_loading_config": {"model_id": model},
        "accelerator_config": {"kind": "cpu"},
        "engine_kwargs": {"max_model_len": 131072},
        "deployment_config": {"num_replicas": 1, "ray_actor_options": {"num_cpus": 0.5}},
        "placement_group_config": {"bundles": [{"CPU": 0.5}]},
        "log_engine_metrics": False,
    }


def _engines(models: Sequence[str]) -> list[dict[str, Any]]:
    return [{"engine": "simulated", "simulated": {}, "llm_config": _llm_config(model)} for model in models]


def _remote(models: Sequence[str], urls: Sequence[str]) -> list[dict[str, Any]]:
    """The same models, each served at all the URLs."""
    places = [f"{url}/v1" for url in urls]
    return [
        {"engine": "remote", "remote": {"model_id": model, "urls": places, "max_model_len": 131072}} for model in models
    ]


def _laar_args(log_folder: str, models: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """With the attempt log on, as it is by default, but in a folder of its own."""
    return {
        "log": {"url": f"sqlite:///{log_folder}/attempts.sqlite", "spool_dir": f"{log_folder}/spool"},
        "profile": "simulated",
        "models": models,
    }


def _ray_app() -> Any:
    """What `ray.serve.llm.build_openai_app` builds, with the simulated engine in the place of vLLM."""
    from ray import serve
    from ray.serve.llm import LLMConfig, build_llm_deployment
    from ray.serve.llm.ingress import OpenAiIngress, make_fastapi_ingress

    from deployments.engines.engine_configs import SimulatedSettings
    from deployments.engines.simulated import simulated_engine
    from deployments.router.text.language import language_of

    model = build_llm_deployment(
        LLMConfig(**_llm_config(MODEL)),
        bind_kwargs={"engine_cls": simulated_engine(SimulatedSettings(), language_of=language_of)},
    )
    ingress = serve.deployment(make_fastapi_ingress(OpenAiIngress), max_ongoing_requests=2000)
    return ingress.bind(llm_deployments={MODEL: model}, model_cards={MODEL: SimpleNamespace(id=MODEL)})
