"""One request on its way through the router."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from deployments.contract.forwarded import trace_id_in
from deployments.router.attempt.tries import Attempt, Tries
from deployments.router.choice.candidates import Demand
from deployments.router.choice.policy import Candidate, Decision
from deployments.router.http.request import RoutedRequest
from deployments.router.text.features import Features


class DeliveryMode(StrEnum):
    """How an answer goes to the client: as one body, as a stream once it is verified, as a stream while it is made."""

    WHOLE = "whole"
    HELD = "held"
    STREAMED = "streamed"


class Trace(Protocol):
    """Is told what becomes of one request, and writes it down for OpenTelemetry."""

    @property
    def trace_id(self) -> str: ...

    def decided(self, decision: Decision | None, seconds: float) -> None: ...

    def attempt_began(self, chosen: Candidate) -> Mapping[str, str]:
        """The headers with which the attempt is to be sent."""
        ...

    def attempt_ended(self, attempt: Attempt) -> None: ...

    def checked(self, model: str, check: str, verdict: str, seconds: float) -> None: ...

    def ended(self, served: "ServedRequest", status: int, code: str) -> None: ...


@dataclass(slots=True, kw_only=True)
class ServedRequest:
    """A request, what is known of it, and what was tried; `bucket_label` and `promised` are those of the first choice.

    `told_id` is its id as the client is told it, with what was tried so far, and `tried` are the models that have
    answered. `forwarded` is the trace context that its client sent, `trace` is there where the router traces.
    """

    request_id: str
    request: RoutedRequest
    features: Features
    demand: Demand
    log: Tries
    turn: int
    arrived_s: float
    bucket_label: str = "unknown"
    promised: float | None = None
    told_id: str = ""
    tried: tuple[str, ...] = ()
    forwarded: Mapping[str, str] = field(default_factory=dict)
    trace: Trace | None = None

    def __post_init__(self) -> None:
        self.told_id = self.told_id or self.request_id

    @property
    def first_s(self) -> float:
        """When the client first asked; a retry goes on with the time of the first request."""
        return self.arrived_s - self.log.earlier.since_s

    @property
    def trace_id(self) -> str | None:
        """Of the trace that it is part of, its client's or the router's own."""
        return trace_id_in(self.forwarded) if self.trace is None else self.trace.trace_id

    @property
    def check_type(self) -> str:
        """The `type` of the check that the request is verified by; each check has that field, with its own word."""
        return str(vars(self.request.verify)["type"])

    @property
    def delivery_mode(self) -> DeliveryMode:
        if not self.request.stream:
            return DeliveryMode.WHOLE
        return DeliveryMode.HELD if self.request.wants_verification else DeliveryMode.STREAMED

    @property
    def api_key_hash(self) -> str:
        """What stands for its tenant in the log."""
        return self.request.tenant.id

    def with_attempt(self, attempt: Attempt) -> "ServedRequest":
        """The same request as it will stand once `attempt` is logged."""
        return replace(self, log=replace(self.log, attempts=[*self.log.attempts, attempt]))
