"""Traces for OpenTelemetry: request, decision, attempt and check, by the names of its GenAI conventions.

What these have no name for begins with `laar.`. No span holds a prompt or an answer.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from opentelemetry import trace as otel
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from deployments.router.attempt.served_request import ServedRequest
from deployments.router.attempt.tries import FAULTS, Attempt
from deployments.router.choice.policy import Candidate, Decision
from deployments.router.http.request import Endpoint
from deployments.router.settings import TracingSettings

OPERATIONS = {Endpoint.CHAT: "chat", Endpoint.COMPLETIONS: "text_completion"}
NS_PER_S = 1e9
_PROPAGATOR = TraceContextTextMapPropagator()


class Tracer:
    """Begins the traces of requests; spans go out in batches, from a thread."""

    def __init__(self, settings: TracingSettings, *, replica: str) -> None:
        described = {"service.name": "laar", "service.version": version("laar"), "service.instance.id": replica}
        self._provider = TracerProvider(
            resource=Resource.create(described), sampler=ParentBased(TraceIdRatioBased(settings.sample_share))
        )
        self._open = ExitStack()
        self._provider.add_span_processor(BatchSpanProcessor(self._open.enter_context(_exporter(settings))))
        self._tracer = self._provider.get_tracer("laar")

    def begin(self, served: ServedRequest, route: str) -> "RequestTrace":
        return RequestTrace(self._tracer, served, route)

    def close(self) -> None:
        """Send what is left; waits some seconds for a collector that does not answer."""
        with self._open:
            self._provider.shutdown()


@contextmanager
def _exporter(settings: TracingSettings) -> Iterator[SpanExporter]:
    """Where spans go; a file stays open until the end."""
    if settings.file is not None:
        with Path(settings.file).open("a", encoding="utf-8") as file:
            yield ConsoleSpanExporter(out=file, formatter=_as_line)
    else:
        # a remote-only installation may lack it
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        yield OTLPSpanExporter(endpoint=settings.endpoint)


def _as_line(span: ReadableSpan) -> str:
    return json.dumps(json.loads(span.to_json())) + "\n"


class RequestTrace:
    """The spans of one request. A decision and a check are written when they have ended, an attempt when it begins."""

    def __init__(self, tracer: otel.Tracer, served: ServedRequest, route: str) -> None:
        request, self._tracer = served.request, tracer
        self._operation = OPERATIONS[request.endpoint]
        attributes: dict[str, Any] = {
            "http.request.method": "POST",
            "http.route": route,
            "gen_ai.operation.name": self._operation,
            "gen_ai.request.model": request.model,
            "laar.request_id": served.request_id,
            "laar.task": served.features.task,
            "laar.language": served.features.language,
            "laar.check": served.check_type,
        }
        parent = _PROPAGATOR.extract(served.forwarded)
        self._root = tracer.start_span(f"POST {route}", parent, SpanKind.SERVER, attributes)
        self._within = otel.set_span_in_context(self._root)
        # those under way, by model
        self._attempts: dict[str, Span] = {}

    @property
    def trace_id(self) -> str:
        return otel.format_trace_id(self._root.get_span_context().trace_id)

    def decided(self, decision: Decision | None, seconds: float) -> None:
        attributes: dict[str, Any] = {}
        if decision is not None:
            chosen = decision.chosen
            attributes = {
                "laar.chosen": chosen.model,
                "laar.reason": decision.reason.value,
                "laar.chance": chosen.probability,
                "laar.expected_s": chosen.latency_s,
            }
        self._past("laar.decide", seconds, attributes)

    def attempt_began(self, chosen: Candidate) -> Mapping[str, str]:
        """The headers by which the engine's own spans become part of the trace."""
        attributes = {
            "gen_ai.operation.name": self._operation,
            "gen_ai.provider.name": "laar",
            "gen_ai.request.model": chosen.model,
        }
        name = f"{self._operation} {chosen.model}"
        span = self._attempts[chosen.model] = self._tracer.start_span(name, self._within, SpanKind.CLIENT, attributes)
        headers: dict[str, str] = {}
        _PROPAGATOR.inject(headers, otel.set_span_in_context(span))
        return headers

    def attempt_ended(self, attempt: Attempt) -> None:
        if (span := self._attempts.pop(attempt.model, None)) is None:
            return
        span.set_attributes({"laar.status": attempt.status.value, "laar.reason": attempt.reason})
        if (reply := attempt.reply) is not None:
            span.set_attributes(
                {"gen_ai.usage.input_tokens": reply.prompt_tokens, "gen_ai.usage.output_tokens": reply.output_tokens}
            )
            if reply.finish_reason is not None:
                span.set_attribute("gen_ai.response.finish_reasons", [reply.finish_reason])
        if attempt.status in FAULTS:
            span.set_attribute("error.type", attempt.reason)
            span.set_status(StatusCode.ERROR)
        span.end()

    def checked(self, model: str, check: str, verdict: str, seconds: float) -> None:
        attributes = {"gen_ai.evaluation.name": check, "gen_ai.evaluation.score.label": verdict}
        span = self._attempts.get(model)
        within = self._within if span is None else otel.set_span_in_context(span)
        self._past(f"laar.check {check}", seconds, attributes, within)

    def ended(self, served: ServedRequest, status: int, code: str) -> None:
        log = served.log
        self._root.set_attributes(
            {
                "http.response.status_code": status,
                "laar.verified": log.is_verified,
                "laar.attempts": len(log.attempts),
            }
        )
        if status >= 500:
            self._root.set_attribute("error.type", code or str(status))
            self._root.set_status(StatusCode.ERROR)
        self._root.end()

    def _past(self, name: str, seconds: float, attributes: Mapping[str, Any], within: Any = None) -> None:
        now_ns = time.time_ns()
        span = self._tracer.start_span(
            name, within or self._within, attributes=attributes, start_time=now_ns - int(seconds * NS_PER_S)
        )
        span.end(now_ns)
