"""One request on its way through the router."""

from dataclasses import dataclass, replace
from enum import StrEnum

from deployments.router.attempt.tries import Attempt, AttemptLog
from deployments.router.http.request import RoutedRequest
from deployments.router.text.features import Features


class Way(StrEnum):
    """How an answer goes to the client: as one body, as a stream once it is verified, as a stream while it is made."""

    WHOLE = "whole"
    HELD = "held"
    STREAMED = "streamed"


@dataclass(slots=True, kw_only=True)
class Job:
    """A request, what is known of it, and what was tried; `bucket_label` is that of the first choice.

    `api_key_hash` is of the key that it came with, empty where none is asked for.
    """

    request_id: str
    request: RoutedRequest
    features: Features
    log: AttemptLog
    turn: int
    arrived_s: float
    bucket_label: str = "unknown"
    api_key_hash: str = ""

    @property
    def way(self) -> Way:
        if not self.request.stream:
            return Way.WHOLE
        return Way.HELD if self.request.wants_verification else Way.STREAMED

    def with_attempt(self, attempt: Attempt) -> "Job":
        """The same job as it will stand once `attempt` is logged."""
        return replace(self, log=replace(self.log, attempts=[*self.log.attempts, attempt]))
