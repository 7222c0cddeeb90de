"""One request on its way through the router."""

from dataclasses import dataclass, replace

from deployments.router.attempts import Attempt, AttemptLog
from deployments.router.features import Features
from deployments.router.request import RoutedRequest


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

    def with_attempt(self, attempt: Attempt) -> "Job":
        """The same job as it will stand once `attempt` is logged."""
        return replace(self, log=replace(self.log, attempts=[*self.log.attempts, attempt]))
