from typing import Any

import pytest

from deployments.router.attempt.served_request import ServedRequest
from deployments.router.attempt.tries import Attempt, Status
from deployments.router.page.recent import NUM_ATTEMPTS, RecentWindow
from tests.unit.deployments.router.attempt.test_runner import RIGHT, Bench, says


def attempt(status: Status, latency_s: float = 1.0) -> Attempt:
    return Attempt(model="a", status=status, reason="", latency_s=latency_s, probability=0.5)


def served(*statuses: Status) -> ServedRequest:
    found = Bench(a=says("right")).served(RIGHT)
    for status in statuses:
        found.log.add(attempt(status))
    return found


def window() -> RecentWindow:
    return RecentWindow(("a", "b"))


def end(recent: RecentWindow, found: ServedRequest, *, status: int = 200, duration_s: float = 1.0) -> None:
    recent.request_ended(found, status, duration_s)


async def test_ttca_is_that_of_verified_requests() -> None:
    recent = window()
    for duration_s in (1.0, 2.0, 3.0):
        end(recent, served(Status.WRONG, Status.CORRECT), duration_s=duration_s)
    end(recent, served(Status.WRONG), status=200, duration_s=100)
    end(recent, served(), status=504, duration_s=100)
    found = recent.requests()
    assert (found["ended"], found["failed"], found["with_check"], found["verified"]) == (5, 1, 5, 3)
    assert (found["ttca_p50_s"], found["ttca_p95_s"]) == (2.0, pytest.approx(2.9))


async def test_nothing_is_known_before_the_first_request() -> None:
    found: dict[str, Any] = window().requests()
    assert (found["ttca_p50_s"], window().attempts("a")["mean_latency_s"]) == (None, None)


async def test_attempts_are_counted_by_model_and_only_the_latest() -> None:
    recent = window()
    for _ in range(NUM_ATTEMPTS):
        recent.attempt_ended(attempt(Status.WRONG))
    recent.attempt_ended(attempt(Status.CORRECT))
    recent.attempt_ended(attempt(Status.TIMEOUT, latency_s=201.0))
    found = recent.attempts("a")
    assert (found["attempts"], found["wrong"], found["correct"], found["failed"]) == (200, 198, 1, 1)
    assert found["mean_latency_s"] == 2.0
    assert recent.attempts("b")["attempts"] == 0
