import json
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent
from threading import Thread
from typing import Any

import httpx
import pytest
import ray
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from ray import serve

from serve_app.app import build_app
from tests.prometheus import Prometheus, needs_prometheus, promtool, queries, rules, running
from tests.serve.conftest import AT_HOME, KEY, chat
from tests.served import assumed_profile

pytestmark = pytest.mark.serve
PATH = "/v1/chat/completions"
ROOT = Path(__file__).parents[2]
# Ray collects once in 10 s by default
PATIENCE_S = 120.0


def scraped(name: str) -> dict[str, float]:
    """The present sums of a metric over all routers, by the way that answers went to their clients."""
    (node,) = ray.nodes()
    text = httpx.get(f"http://127.0.0.1:{node['MetricsExportPort']}/metrics", timeout=10).text
    sums: Counter[str] = Counter()
    for way, value in re.findall(rf'^ray_{name}{{.*way="(\w+)".*}} (\S+)$', text, re.MULTILINE):
        sums[way] += float(value)
    return dict(sums)


def test_ways_of_delivery_are_metered_apart(client: httpx.Client) -> None:
    slow = chat(model="simulated-slow", stream=True)
    for body in (chat(), chat(stream=True, laar=AT_HOME), slow):
        client.post(PATH, json=body).raise_for_status()
    due_s = time.monotonic() + PATIENCE_S
    # twenty words at 0.2 s each
    while scraped("laar_tpot_seconds_sum").get("streamed", 0.0) < 0.15:
        assert time.monotonic() < due_s, scraped("laar_tpot_seconds_sum")
        time.sleep(1)
    assert scraped("laar_ttft_seconds_count").keys() == {"whole", "held", "streamed"}
    assert scraped("laar_tpot_seconds_sum").keys() == {"held", "streamed"}
    # held back and then sent in one burst
    assert scraped("laar_tpot_seconds_sum")["held"] < 0.15
    assert scraped("laar_smooth_goodput_tokens_total")["streamed"] > 10


def test_a_router_whose_models_run_is_healthy_and_ready(client: httpx.Client) -> None:
    assert [client.get(path).status_code for path in ("/health", "/ready")] == [200, 200]


# has no series before something goes wrong, and none of it does here
NEEDS_FAULT = {
    "LaarFull",
    "LaarVerifierFails",
    "LaarLogLost",
    "LaarFileRefused",
    "Unknown verdicts a second, by check and reason A",
}
SHORTENED = {"LaarLogBehind": ("> 60", "> 3")}


@pytest.fixture(scope="module")
def prometheus(app_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Has the shipped alerts, which fire at once, and some of them sooner."""
    found = [
        rule | {"for": "0s", "expr": rule["expr"].replace(*SHORTENED.get(rule["alert"], ("", "")))} for rule in rules()
    ]
    targets = [f"127.0.0.1:{node['MetricsExportPort']}" for node in ray.nodes()]
    with running(tmp_path_factory.mktemp("prometheus"), targets=targets, rules=found, port=9292) as started:
        yield started


def until(holds: Callable[[], Any], told: Callable[[], Any] = lambda: None) -> None:
    due_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < due_s, told()
        time.sleep(1)


@needs_prometheus
def test_every_query_of_alerts_and_dashboard_returns_series(client: httpx.Client, prometheus: Prometheus) -> None:
    for body in (chat(), chat(stream=True, laar=AT_HOME), chat(model="simulated-broken")):
        client.post(PATH, json=body)
    # without what an alert compares with, which holds only when it fires
    asked = {name: re.sub(r" [<>=]=? [0-9.]+$", "", query) for name, query in queries().items()}

    def silent() -> set[str]:
        return {name for name, query in asked.items() if not prometheus.ask(query)} - NEEDS_FAULT

    until(lambda: not silent(), silent)


@needs_prometheus
def test_what_is_exported_is_as_prometheus_wants_it(client: httpx.Client, tmp_path: Path) -> None:
    client.post(PATH, json=chat(stream=True, laar=AT_HOME)).raise_for_status()
    (node,) = ray.nodes()
    until(lambda: scraped("laar_tpot_seconds_sum"))
    exported = httpx.get(f"http://127.0.0.1:{node['MetricsExportPort']}/metrics", timeout=10).text
    own = client.get("/metrics").raise_for_status().text
    families = [set(re.findall(r"^# TYPE (ray_laar_\w+)", text, re.MULTILINE)) for text in (own, exported)]
    assert families[0] == families[1]
    assert 'laar_exporters{read="true"} 1' in own
    assert own.count("# TYPE") > 15
    # Ray's own labels, such as WorkerId, are not as Prometheus wants them
    promtool("check", "metrics", cwd=tmp_path, text=re.sub(r'\b[A-Z]\w+="[^"]*",?', "", own))


@needs_prometheus
def test_a_log_that_waits_for_its_database_fires_and_resolves(
    client: httpx.Client, prometheus: Prometheus, log_folder: Path
) -> None:
    with closing(sqlite3.connect(log_folder / "attempts.sqlite", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        client.post(PATH, json=chat(laar=AT_HOME)).raise_for_status()
        until(lambda: prometheus.is_firing("LaarLogBehind"))
        connection.execute("ROLLBACK")
    until(lambda: not prometheus.is_firing("LaarLogBehind"))


@needs_prometheus
def test_a_model_that_goes_away_fires_and_resolves(app_url: str, prometheus: Prometheus) -> None:
    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    model = {
        "engine": "remote",
        "remote": {"model_id": "away", "urls": ["http://127.0.0.1:8237/v1"], "max_model_len": 64},
    }
    router = {"num_cpus": 0.1, "status_period_s": 0.5}
    args = {"models": [model], "router": router, "log": {"enabled": False}, "verifier": {"num_cpus": 0.1}}
    serve.run(build_app(args), name="away", route_prefix="/away")
    try:
        answer = httpx.post(f"{app_url}/away{PATH}", json=chat(), timeout=10)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        until(lambda: prometheus.is_firing("LaarModelDown", model="away"))
        assert prometheus.is_firing("LaarModelUnprofiled", model="away")
        with ThreadingHTTPServer(("127.0.0.1", 8237), Server) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            until(lambda: not prometheus.is_firing("LaarModelDown", model="away"))
            server.shutdown()
    finally:
        serve.delete("away", _blocking=False)


class Collector(ThreadingHTTPServer):
    """Takes spans as OpenTelemetry's own collector does, by OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        super().__init__(("127.0.0.1", 0), self._handler())
        Thread(target=self.serve_forever, daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
                spans.extend(span for one in sent.resource_spans for scope in one.scope_spans for span in scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        return Handler


def tree(spans: list[Any], parent: bytes = b"", indent: str = "") -> Iterator[str]:
    """A trace as text, a span a line, in the order in which they began."""
    children = sorted((one for one in spans if one.parent_span_id == parent), key=lambda one: one.start_time_unix_nano)
    for child in children:
        is_last = child is children[-1]
        branch, below = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        ms = (child.end_time_unix_nano - child.start_time_unix_nano) / 1e6
        told = " ".join(f"{one.key}={value_of(one.value)}" for one in child.attributes if one.key in SHOWN)
        yield f"{indent}{branch if parent else ''}{child.name}  {ms:.1f} ms  {told}"
        yield from tree(spans, child.span_id, indent + below if parent else "")


SHOWN = {
    *("laar.chosen", "laar.reason", "laar.chance", "laar.expected_s", "laar.status", "laar.verified", "laar.attempts"),
    *("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.evaluation.score.label"),
}


def value_of(value: Any) -> str:
    found = getattr(value, value.WhichOneof("value"))
    return f"{found:.3g}" if isinstance(found, float) else str(found)


def test_the_trace_of_a_retried_request_is_as_the_page_shows_it(
    app_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAAR_TEST_REMOTE_KEY", KEY)
    correct = {"simulated-wrong": 90, "simulated-right": 50}
    cells = {name: [{"language": "en", "bucket": 0, "correct": of, "tried": 100}] for name, of in correct.items()}
    (tmp_path / "profile.json").write_text(json.dumps(assumed_profile({n: {"cells": c} for n, c in cells.items()})))
    served = {"urls": [f"{app_url}/v1"], "api_key_env": "LAAR_TEST_REMOTE_KEY", "max_model_len": 8192}
    collector = Collector()
    tracing = {"endpoint": f"http://127.0.0.1:{collector.server_port}/v1/traces"}
    args = {
        "models": [{"engine": "remote", "remote": served | {"model_id": name}} for name in correct],
        "profile": str(tmp_path / "profile.json"),
        "router": {"num_cpus": 0.1, "tracing": tracing},
        "log": {"enabled": False},
        "verifier": {"num_cpus": 0.1},
    }
    serve.run(build_app(args), name="traced", route_prefix="/traced")
    try:
        answer = httpx.post(f"{app_url}/traced{PATH}", json=chat(laar=AT_HOME), timeout=60).json()
        assert [attempt["verdict"] for attempt in answer["laar"]["attempts"]] == ["wrong", "correct"]
        # the request's own span is the last to end
        until(lambda: any(not span.parent_span_id for span in collector.spans))
    finally:
        serve.delete("traced", _blocking=False)
        collector.shutdown()
        collector.server_close()
    assert len({span.trace_id for span in collector.spans}) == 1
    text = list(tree(collector.spans))
    print("\n".join(text))
    shown = re.search(r"```txt\n( *POST .*?)```", (ROOT / "docs/howto/traces.md").read_text(), re.DOTALL)
    assert shown is not None
    assert without_figures(text) == without_figures(dedent(shown[1]).rstrip().splitlines())


def without_figures(lines: list[str]) -> list[str]:
    return [re.sub(r"[\d.]+ ms|=\S+", "", line) for line in lines]
