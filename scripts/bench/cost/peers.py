"""`laar bench peers`: laar beside LiteLLM's proxy, vLLM's router and Ray's ingress, on backends that answer at once.

All are up together and take turns in alternating order. Proxies, and laar as one of them (`laar_remote`), stand before
the same two instant HTTP backends, and what they add is their latency less that of the backend asked directly in the
same round. `laar` and Ray's ingress hold their engines themselves, so that all of their latency counts as added:
parsing, engine and answer too.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any

import msgspec

from scripts.bench.cost import overhead
from scripts.bench.cost.closed_loop import LoadTarget, load
from scripts.bench.cost.instant_backend import MODEL
from scripts.bench.cost.peer_processes import (
    GROUP,
    LITELLM_ENVIRONMENT,
    installed_versions,
    instant_backends,
    litellm,
    litellm_config,
    vllm_router,
)
from scripts.bench.cost.where_time_goes import MODEL as MODEL_REPLICA
from scripts.bench.cost.where_time_goes import ROUTER, where_time_goes
from scripts.report import Bar, Report, median_and_spread

CONCURRENCIES = (1, 16, 64)
# laar on the backends of the other proxies has its bars at both, with engines of its own where many ask
BARRED = {"laar_remote": (1, 16), "laar": (16,)}
LAAR_MODELS = (MODEL, "simulated-small")
BACKEND_PORTS, LITELLM_PORT, ROUTER_PORT = (8131, 8132), 8133, 8134
# so that each turn takes long enough to be measured
QUICK, QUICK_FACTOR = frozenset({"direct", "vllm_router"}), 10
PROXIES = frozenset({"litellm", "vllm_router", "laar_remote"})
# ours, each with the application's name and its replicas that are worth a look
APPS = {"laar_remote": ("laar-remote", (ROUTER,)), "laar": ("laar", (ROUTER, MODEL_REPLICA))}
Run = Mapping[str, float]


def run(*, rounds: int, requests: int, profile: bool) -> Report:
    """Start everything, load one after the other, and compare; PeersMissingError before anything is started."""
    settings = _settings()
    with _targets() as targets:
        measured = {c: _measure(targets, c, rounds, requests) for c in CONCURRENCIES}
        where = {t.name: where_time_goes(t, *APPS[t.name]) for t in targets if t.name in APPS} if profile else None
    figures: dict[str, Any] = {f"concurrency_{c}": compare(runs) for c, runs in measured.items()}
    bars = [bar for mine in APPS for c in BARRED[mine] for bar in bars_of(figures[f"concurrency_{c}"], mine, c)]
    parameters = {"rounds": rounds, "requests": requests, "concurrencies": CONCURRENCIES, "settings": settings}
    return Report(
        bench="peers", parameters=parameters, figures=figures | ({"where": where} if where else {}), bars=bars
    )


def _measure(targets: Sequence[LoadTarget], concurrency: int, rounds: int, requests: int) -> dict[str, list[Run]]:
    results: dict[str, list[Run]] = {target.name: [] for target in targets}
    for target in targets:
        load(target, concurrency=concurrency, count=100)
    for number in range(rounds):
        for target in targets if number % 2 == 0 else reversed(targets):
            count = requests * (QUICK_FACTOR if target.name in QUICK else 1)
            results[target.name].append(load(target, concurrency=concurrency, count=count))
    return results


def compare(by_target: Mapping[str, Sequence[Run]]) -> dict[str, Any]:
    """Medians with their spread, and laar's ratios, both ways of it, to each of the others round by round."""
    runs = {target: with_added(target, found, by_target["direct"]) for target, found in by_target.items()}
    summary: dict[str, Any] = {
        target: {name: median_and_spread([run[name] for run in found]) for name in found[0]}
        for target, found in runs.items()
    }
    for mine, other in product(APPS, sorted(runs.keys() - {*APPS, "direct"})):
        pairs = list(zip(runs[mine], runs[other], strict=True))
        summary[f"{mine}_to_{other}"] = {
            name: median_and_spread([ours[name] / theirs[name] for ours, theirs in pairs])
            for name in ("requests_per_s", "added_p50_ms", "added_p99_ms")
        }
    return summary


def with_added(target: str, runs: Sequence[Run], direct: Sequence[Run]) -> list[dict[str, float]]:
    """The runs with what the target adds to the backend's latency: all of it where the engine is inside."""
    if target == "direct":
        return [dict(run) for run in runs]
    is_proxy = target in PROXIES
    return [
        {**run, **{f"added_{name}": run[name] - (base[name] if is_proxy else 0.0) for name in ("p50_ms", "p99_ms")}}
        for run, base in zip(runs, direct, strict=True)
    ]


def bars_of(figures: Mapping[str, Any], mine: str, concurrency: int) -> Iterator[Bar]:
    ratios = figures[f"{mine}_to_litellm"]
    throughput, added = ratios["requests_per_s"]["median"], ratios["added_p50_ms"]["median"]
    yield Bar(name=f"{mine}_throughput_to_litellm_c{concurrency}", value=throughput, limit=4.0, kind="min")
    yield Bar(name=f"{mine}_added_p50_to_litellm_c{concurrency}", value=added, limit=0.25, kind="max")


@contextmanager
def _targets() -> Iterator[list[LoadTarget]]:
    with (
        instant_backends(BACKEND_PORTS) as urls,
        litellm(_litellm_config(urls), LITELLM_PORT) as litellm_url,
        vllm_router(urls, ROUTER_PORT) as router_url,
        overhead.applications(LAAR_MODELS, urls),
    ):
        serve_url = f"http://127.0.0.1:{overhead.PORT}"
        yield [
            _target("direct", urls[0], MODEL),
            _target("vllm_router", router_url, MODEL),
            _target("laar_remote", f"{serve_url}/laar-remote", "auto"),
            _target("laar", f"{serve_url}/laar", "auto"),
            _target("ray", f"{serve_url}/ray", MODEL),
            _target("litellm", litellm_url, GROUP),
        ]


def _target(name: str, url: str, model: str) -> LoadTarget:
    question = {"role": "user", "content": overhead.QUESTION}
    body = msgspec.json.encode({"model": model, "messages": [question], "max_tokens": 16, "temperature": 0})
    return LoadTarget(name=name, url=f"{url}/v1/chat/completions", body=body)


def _litellm_config(urls: Sequence[str]) -> dict[str, Any]:
    return litellm_config([(url, MODEL) for url in urls])


def _settings() -> dict[str, Any]:
    """What a reader needs to judge whether the peers were treated fairly."""
    return {
        "versions": installed_versions(("litellm", "vllm-router", "uvicorn", "uvloop")),
        "litellm": {
            "workers": 1,
            "config": _litellm_config([f"http://127.0.0.1:{port}" for port in BACKEND_PORTS]),
            "environment": LITELLM_ENVIRONMENT,
        },
        "vllm_router": {"policy": "cache_aware, its default", "threads": "its default"},
        "laar": {"router_replicas": 1, "models": LAAR_MODELS, "attempt_log": "SQLite", "haproxy": True},
        "laar_remote": "as laar, but each of its models served by both backends of the proxies",
        "ray": {"ingress_replicas": 1, "models": (MODEL,), "haproxy": True},
        **overhead.share_cores(),
        "backends": f"{len(BACKEND_PORTS)} for all proxies: uvicorn, one process each",
        "added": "less the latency of a backend asked directly; laar and ray with all of it, their engine included",
        "keys": "none is asked for",
        "requests": f"of each turn; {QUICK_FACTOR} times as many for {', '.join(sorted(QUICK))}",
    }
