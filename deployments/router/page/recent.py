"""What one router replica has seen lately, counted for the page: the latest requests and the latest attempts."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from deployments.router.attempt.served_request import ServedRequest
from deployments.router.attempt.tries import FAULTS, Attempt, Status

NUM_REQUESTS = 1000
NUM_ATTEMPTS = 200


class _Request(msgspec.Struct, frozen=True, gc=False):
    status: int
    is_verified: bool | None
    duration_s: float


class _Attempt(msgspec.Struct, frozen=True, gc=False):
    status: Status
    latency_s: float


class RecentWindow:
    """The latest requests, and the latest attempts of each model."""

    def __init__(self, models: Sequence[str]) -> None:
        self._requests: deque[_Request] = deque(maxlen=NUM_REQUESTS)
        self._attempts: dict[str, deque[_Attempt]] = {model: deque(maxlen=NUM_ATTEMPTS) for model in models}

    def attempt_ended(self, attempt: Attempt) -> None:
        self._attempts[attempt.model].append(_Attempt(attempt.status, attempt.latency_s))

    def request_ended(self, served: ServedRequest, status: int, duration_s: float) -> None:
        verified = served.log.is_verified if served.request.wants_verification else None
        self._requests.append(_Request(status, verified, duration_s))

    def requests(self) -> dict[str, Any]:
        """Counts of the latest requests, and the TTCA of the verified ones; null where there is none."""
        times_s = [request.duration_s for request in self._requests if request.is_verified]
        p50_s, p95_s = np.quantile(times_s, [0.5, 0.95]).round(4).tolist() if times_s else (None, None)
        return {
            "window": NUM_REQUESTS,
            "ended": len(self._requests),
            "failed": sum(request.status >= 400 for request in self._requests),
            "with_check": sum(request.is_verified is not None for request in self._requests),
            "verified": len(times_s),
            "ttca_p50_s": p50_s,
            "ttca_p95_s": p95_s,
        }

    def attempts(self, model: str) -> dict[str, Any]:
        """Counts of one model's latest attempts by how they ended, and their mean latency."""
        found = self._attempts[model]
        statuses = [attempt.status for attempt in found]
        return {
            "window": NUM_ATTEMPTS,
            "attempts": len(found),
            "correct": statuses.count(Status.CORRECT),
            "wrong": statuses.count(Status.WRONG),
            "unknown": statuses.count(Status.UNKNOWN),
            "failed": sum(status in FAULTS for status in statuses),
            "mean_latency_s": round(sum(a.latency_s for a in found) / len(found), 4) if found else None,
        }
