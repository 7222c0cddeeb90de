"""Traces as OpenTelemetry gets them, of requests that go through the API's door."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from deployments.contract.forwarded import FORWARDED
from deployments.router.settings import TracingSettings
from deployments.router.upkeep.tracing import Tracer
from tests.unit.deployments.router.attempt.test_runner import breaks, says
from tests.unit.deployments.router.http.test_endpoints import Service

Span = dict[str, Any]
RIGHT = {"verify": {"type": "contains", "value": "right"}}
PARENT = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}


def written(file: Path) -> list[Span]:
    return [json.loads(line) for line in file.read_text().splitlines()]


async def traced(
    file: Path, service: Service, headers: Mapping[str, str] = PARENT, sample_share: float = 1.0, **body: Any
) -> tuple[Any, list[Span]]:
    tracer = Tracer(TracingSettings(file=str(file), sample_share=sample_share), replica="r1")
    service.endpoints._tracer = tracer
    answer = await service.ask(headers=headers, **body)
    await asyncio.to_thread(tracer.close)
    return answer, written(file)


async def test_a_retried_request_is_one_trace_of_decisions_attempts_and_checks(tmp_path: Path) -> None:
    service = Service(a=says("no"), b=says("right"))
    answer, spans = await traced(tmp_path / "spans", service, laar=RIGHT, temperature=0)
    assert answer.status_code == 200
    by_id = {span["context"]["span_id"]: span["name"] for span in spans}
    assert [
        (span["name"], by_id.get(span["parent_id"])) for span in sorted(spans, key=lambda span: span["start_time"])
    ] == [
        ("POST /v1/chat/completions", None),
        ("laar.decide", "POST /v1/chat/completions"),
        ("chat a", "POST /v1/chat/completions"),
        ("laar.check contains", "chat a"),
        ("laar.decide", "POST /v1/chat/completions"),
        ("chat b", "POST /v1/chat/completions"),
        ("laar.check contains", "chat b"),
    ]
    assert {span["context"]["trace_id"] for span in spans} == {f"0x{'a' * 32}"}
    root = next(span for span in spans if span["name"].startswith("POST"))
    assert root["parent_id"] == f"0x{'b' * 16}"
    told = root["attributes"]
    assert (told["http.response.status_code"], told["laar.verified"], told["laar.attempts"]) == (200, True, 2)
    assert told["laar.request_id"] == answer.headers["x-laar-request-id"].partition(".")[0]
    checks = [
        span["attributes"]["gen_ai.evaluation.score.label"] for span in spans if span["name"].startswith("laar.check")
    ]
    assert checks == ["wrong", "correct"]
    assert "right" not in (tmp_path / "spans").read_text()


async def test_a_failed_request_is_marked(tmp_path: Path) -> None:
    answer, spans = await traced(tmp_path / "spans", Service(a=breaks))
    assert answer.status_code == 503
    marked = {
        span["name"]: span["attributes"].get("error.type") for span in spans if span["status"]["status_code"] == "ERROR"
    }
    assert marked == {"chat a": "replica_failed", "POST /v1/chat/completions": "models_unavailable"}


async def test_only_a_share_is_traced_where_the_client_does_not_say(tmp_path: Path) -> None:
    _, spans = await traced(tmp_path / "spans", Service(a=says("right")), headers={}, sample_share=1e-9)
    assert spans == []


@pytest.mark.parametrize(
    ("parent", "forwarded"),
    [
        pytest.param(PARENT["traceparent"], PARENT["traceparent"], id="trace"),
        pytest.param("00-abc", None, id="malformed"),
        pytest.param(None, None, id="none"),
    ],
)
async def test_engines_get_the_id_of_the_attempt_and_the_clients_trace(
    parent: str | None, forwarded: str | None
) -> None:
    seen: list[Mapping[str, str]] = []

    def noted(text: str) -> Any:
        def answer() -> Any:
            seen.append(FORWARDED.get())
            return says(text)()

        return answer

    service = Service(a=noted("no"), b=noted("right"))
    answer = await service.ask(headers={} if parent is None else {"traceparent": parent}, laar=RIGHT, temperature=0)
    request_id = answer.headers["x-laar-request-id"].partition(".")[0]
    assert [headers["x-request-id"] for headers in seen] == [f"{request_id}-0", f"{request_id}-1"]
    assert [headers.get("traceparent") for headers in seen] == [forwarded] * 2


async def test_each_attempt_of_a_traced_request_is_the_parent_of_its_engines_spans(tmp_path: Path) -> None:
    seen: list[str] = []

    def noted() -> Any:
        seen.append(FORWARDED.get()["traceparent"])
        return says("right")()

    _, spans = await traced(tmp_path / "spans", Service(a=noted))
    (attempt,) = [span for span in spans if span["name"] == "chat a"]
    assert seen == [f"00-{'a' * 32}-{attempt['context']['span_id'][2:]}-01"]


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    got: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", got
        server.shutdown()


async def test_spans_go_to_a_collector_by_otlp() -> None:
    with collector() as (endpoint, got):
        tracer = Tracer(TracingSettings(endpoint=endpoint), replica="r1")
        service = Service(a=says("right"))
        service.endpoints._tracer = tracer
        await service.ask()
        await asyncio.to_thread(tracer.close)
    (resource,) = ExportTraceServiceRequest.FromString(got[0]).resource_spans
    assert {span.name for scope in resource.scope_spans for span in scope.spans} == {
        "POST /v1/chat/completions",
        "laar.decide",
        "chat a",
    }


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        pytest.param({}, "either endpoint or file", id="nowhere"),
        pytest.param({"endpoint": "http://c:4318", "file": "f"}, "either endpoint or file", id="two-places"),
        pytest.param({"endpoint": "c:4318"}, "pattern", id="no-url"),
        pytest.param({"file": "f", "sample_share": 0}, "greater than 0", id="no-share"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        TracingSettings(**settings)
