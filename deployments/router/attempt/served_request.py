"""One request on its way through the router."""

from dataclasses import dataclass, replace
from enum import StrEnum

from deployments.router.attempt.tries import Attempt, Tries
from deployments.router.choice.candidates import Demand
from deployments.router.http.request import RoutedRequest
from deployments.router.text.features import Features


class DeliveryMode(StrEnum):
    """How an answer goes to the client: as one body, as a stream once it is verified, as a stream while it is made."""

    WHOLE = "whole"
    HELD = "held"
    STREAMED = "streamed"


@dataclass(slots=True, kw_only=True)
class ServedRequest:
    """A request, what is known of it, and what was tried; `bucket_label` is that of the first choice.

    `told_id` is its id as the client is told it, with what was tried so far, and `tried` are the models that have
    answered.
    """

    request_id: str
    request: RoutedRequest
    features: Features
    demand: Demand
    log: Tries
    turn: int
    arrived_s: float
    bucket_label: str = "unknown"
    told_id: str = ""
    tried: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.told_id = self.told_id or self.request_id

    @property
    def first_s(self) -> float:
        """When the client first asked; a retry goes on with the time of the first request."""
        return self.arrived_s - self.log.earlier.since_s

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
