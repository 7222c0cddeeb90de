"""Every metric, by its name, its labels and what an event adds to it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from ray.util.metrics import Counter, Gauge, Histogram

from deployments.budgets.arrivals import Arrivals
from deployments.budgets.controller import ModelPlan, PlanStatus
from deployments.contract.reply import Reply
from deployments.router.attempt.breaker import BreakerState
from deployments.router.attempt.served_request import ServedRequest
from deployments.router.attempt.tries import Attempt, Spared, Status, Tries
from deployments.router.choice.candidates import Demand
from deployments.router.http.request import Endpoint, parse_request
from deployments.router.page.recent import RecentWindow
from deployments.router.settings import Limits
from deployments.router.text.features import Features
from deployments.router.upkeep import metrics as metrics_module
from deployments.router.upkeep.metrics import RouterMetrics
from profiles.measures.goodput import Meter, Reader
from tests.unit.deployments.budgets.test_controller import Bench, curve

NO_DEMAND = Demand(
    task="t",
    language="en",
    prompt_tokens=np.zeros(0),
    buckets=np.zeros(0, np.intp),
    output_tokens=np.zeros(0),
    idle_s=np.zeros(0),
)
READER = Reader(pace_s=0.5, alpha=1.0, bound_s=10.0)
# kind, labels and value of one call; the name is the key it stands under
Point = tuple[str, Mapping[str, str], float]


@dataclass
class Exported:
    """What was declared, and the points of each metric; Ray's own classes check names, values and labels."""

    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    points: dict[str, list[Point]] = field(default_factory=dict)

    def declare(self, name: str, labels: tuple[str, ...]) -> None:
        assert name not in self.labels
        self.labels[name], self.points[name] = labels, []

    def note(self, name: str, kind: str, value: float, labels: Mapping[str, str] | None) -> None:
        assert set(labels or {}) == set(self.labels[name])
        self.points[name].append((kind, dict(labels or {}), round(value, 9)))


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Exported:
    found = Exported()

    def noting(base: type[Any], method: str) -> type[Any]:
        def init(self: Any, name: str, **options: Any) -> None:
            base.__init__(self, name, **options)
            found.declare(name, options.get("tag_keys", ()))

        def note(self: Any, value: float = 1.0, tags: Mapping[str, str] | None = None) -> None:
            getattr(base, method)(self, value, tags=tags)
            found.note(self.info["name"], method, value, tags)

        return type(base.__name__, (base,), {"__init__": init, method: note})

    for base, method in ((Counter, "inc"), (Gauge, "set"), (Histogram, "observe")):
        monkeypatch.setattr(metrics_module, base.__name__, noting(base, method))
    return found


def attempt(status: Status, model: str = "small") -> Attempt:
    return Attempt(model=model, status=status, reason="matched", latency_s=1.5, probability=0.5)


def served(*statuses: Status, stream: bool = False, verify: bool = True) -> ServedRequest:
    body: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "2+2"}], "stream": stream}
    if verify:
        body["laar"] = {"verify": {"type": "exact", "value": "4"}}
    tries = Tries(max_attempts=9, deadline_at_s=60.0, is_repeatable=True, attempts=[attempt(s) for s in statuses])
    return ServedRequest(
        request_id="r",
        request=parse_request(json.dumps(body).encode(), endpoint=Endpoint.CHAT, limits=Limits(max_body_bytes=10_000)),
        features=Features(language="en", language_confidence=1.0, num_chars=9, symbol_share=0.0, task="t"),
        demand=NO_DEMAND,
        log=tries,
        turn=0,
        arrived_s=0.0,
    )


def meter(*times_s: float) -> Meter:
    found = Meter(READER.pace_s, is_complete=True)
    for at_s in times_s:
        found.add(at_s)
    return found


def planned(metrics: RouterMetrics) -> None:
    controller = Bench(curve("sums"), curve("sums", language="de", bucket=1)).controller
    arrivals = Arrivals(per_s=2.0, shares=(0.5, 0.5))
    controller.adopt({"m": ModelPlan(budgets=(20, 100), arrivals=arrivals, outcome=PlanStatus.TAKEN)})
    metrics.planned(controller, 0.02)


def ended(metrics: RouterMetrics) -> None:
    """One request of each kind; a quick stream, one held back until it was verified, one in whole, and one refused."""
    metrics.request_ended(served(Status.UNVERIFIED, stream=True, verify=False), 200, 3.0, meter(1.0, 1.5, 3.0))
    metrics.request_ended(served(Status.WRONG, Status.CORRECT, stream=True), 200, 4.0, meter(4.0, 4.0, 4.0, 4.0))
    metrics.request_ended(served(Status.WRONG), 200, 5.0, meter(5.0))
    metrics.request_ended(None, 429, 0.1, meter(), "rate_limit_exceeded")


def refuted(metrics: RouterMetrics) -> None:
    """One that spared something, and one that came later than the whole answer was expected."""
    for spared in (Spared(seconds=2.5, tokens=40.0), Spared(seconds=0.0, tokens=0.0)):
        metrics.attempt_ended(served(), replace(attempt(Status.WRONG, "small"), spared=spared))


def read(metrics: RouterMetrics) -> None:
    for is_taken in (True, False):
        metrics.file_read("keys", is_taken=is_taken)


def judged(metrics: RouterMetrics) -> None:
    """A correct and an unknown answer, and an attempt without one."""
    reply = Reply(200, b"{}", prompt_tokens=30, output_tokens=5)
    for status in (Status.CORRECT, Status.UNKNOWN, Status.TIMEOUT):
        answered = reply if status is not Status.TIMEOUT else None
        metrics.attempt_ended(served(), replace(attempt(status, "large"), reason="matched", reply=answered))


def looked(metrics: RouterMetrics) -> None:
    metrics.rests_on({"version": "0.1.0", "profile": "0", "limits": "3c"}, ["small"])
    metrics.rests_on({"version": "0.1.0", "profile": "1a2b", "limits": "3c"}, ["small"])
    metrics.under_way(3)
    metrics.seen({}, (), 5)


def profiled(metrics: RouterMetrics) -> None:
    metrics.rests_on({"version": "0.1.0", "profile": "1a2b", "limits": "3c"}, ["small"])
    metrics.seen({"small": 1, "large": 2}, (), 0)


# by metric: what happens, and the kind, labels and value of each call that follows
EVENTS: dict[str, tuple[Callable[[RouterMetrics], None], list[Point]]] = {
    "laar_requests_total": (
        ended,
        [
            ("inc", {"status": "200", "verified": "false", "code": ""}, 1.0),
            ("inc", {"status": "200", "verified": "true", "code": ""}, 1.0),
            ("inc", {"status": "200", "verified": "false", "code": ""}, 1.0),
            ("inc", {"status": "429", "verified": "false", "code": "rate_limit_exceeded"}, 1.0),
        ],
    ),
    "laar_ttca_seconds": (ended, [("observe", {}, 4.0)]),
    "laar_ttft_seconds": (
        ended,
        [
            ("observe", {"way": "streamed"}, 1.0),
            ("observe", {"way": "held"}, 4.0),
            ("observe", {"way": "whole"}, 5.0),
        ],
    ),
    "laar_tpot_seconds": (ended, [("observe", {"way": "streamed"}, 1.0), ("observe", {"way": "held"}, 0.0)]),
    # of tokens due at 0.5, 1, 1.5 and 2 s: three of which the last came 1.5 s late, four of which the first came 3.5 s
    # late; and one that came 4.5 s late is worth nothing
    "laar_smooth_goodput_tokens_total": (
        ended,
        [
            ("inc", {"way": "streamed", "verified": "false"}, 1.5),
            ("inc", {"way": "held", "verified": "true"}, 0.5),
        ],
    ),
    "laar_attempts_total": (
        lambda m: m.attempt_ended(served(), attempt(Status.TIMEOUT, "large")),
        [("inc", {"model": "large", "status": "timeout"}, 1.0)],
    ),
    "laar_attempt_seconds": (
        lambda m: m.attempt_ended(served(), attempt(Status.CORRECT, "large")),
        [("observe", {"model": "large"}, 1.5)],
    ),
    "laar_request_attempts": (ended, [("observe", {}, 1.0), ("observe", {}, 2.0), ("observe", {}, 1.0)]),
    "laar_in_flight_requests": (looked, [("set", {}, 3.0)]),
    "laar_router_tasks": (looked, [("set", {}, 5.0)]),
    "laar_verdicts_total": (
        judged,
        [
            ("inc", {"model": "large", "check": "exact", "verdict": "correct", "reason": "matched"}, 1.0),
            ("inc", {"model": "large", "check": "exact", "verdict": "unknown", "reason": "matched"}, 1.0),
        ],
    ),
    "laar_chance": (judged, [("observe", {"model": "large", "verdict": "correct"}, 0.5)]),
    "laar_tokens_total": (
        judged,
        [
            ("inc", {"model": "large", "kind": "prompt"}, 30.0),
            ("inc", {"model": "large", "kind": "output"}, 5.0),
        ]
        * 2,
    ),
    "laar_decision_seconds": (lambda m: m.decided(0.001), [("observe", {}, 0.001)]),
    "laar_check_seconds": (lambda m: m.checked("exact", 0.25), [("observe", {"check": "exact"}, 0.25)]),
    "laar_model_replicas": (
        lambda m: m.seen({"small": 0, "large": 2}, {"small"}, 0),
        [("set", {"model": "small"}, 0.0), ("set", {"model": "large"}, 2.0)],
    ),
    "laar_model_available": (
        lambda m: m.seen({"small": 0, "large": 2}, {"small"}, 0),
        [("set", {"model": "small"}, 0.0), ("set", {"model": "large"}, 1.0)],
    ),
    "laar_info": (
        looked,
        [
            ("set", {"version": "0.1.0", "profile": profile, "limits": "3c"}, value)
            for profile, value in (("0", 1.0), ("0", 0.0), ("1a2b", 1.0), ("1a2b", 1.0))
        ],
    ),
    "laar_model_profiled": (
        profiled,
        [("set", {"model": "small"}, 1.0), ("set", {"model": "large"}, 0.0)],
    ),
    "laar_refuted_early_total": (refuted, [("inc", {"model": "small"}, 1.0)] * 2),
    "laar_refuted_early_seconds_total": (refuted, [("inc", {"model": "small"}, 2.5)]),
    "laar_refuted_early_tokens_total": (refuted, [("inc", {"model": "small"}, 40.0)]),
    "laar_model_drift": (
        lambda m: m.drifting(["small", "large"], {"large"}),
        [("set", {"model": "small"}, 0.0), ("set", {"model": "large"}, 1.0)],
    ),
    "laar_breaker_state": (
        lambda m: m.breakers({"a": BreakerState.CLOSED, "b": BreakerState.HALF_OPEN, "c": BreakerState.OPEN}),
        [("set", {"model": "a"}, 0.0), ("set", {"model": "b"}, 0.5), ("set", {"model": "c"}, 1.0)],
    ),
    "laar_latency_ratio": (
        lambda m: m.latency_ratios({"small": 1.25, "large": None}),
        [("set", {"model": "small"}, 1.25)],
    ),
    "laar_log_written_total": (lambda m: m.log_written(3), [("inc", {}, 3.0)]),
    "laar_log_dropped_total": (lambda m: m.log_dropped(2, "full"), [("inc", {"reason": "full"}, 2.0)]),
    "laar_log_spool_bytes": (lambda m: m.log_waits(512, 1.5), [("set", {}, 512.0)]),
    "laar_file_reads_total": (
        read,
        [
            ("inc", {"file": "keys", "outcome": "taken"}, 1.0),
            ("inc", {"file": "keys", "outcome": "refused"}, 1.0),
        ],
    ),
    "laar_log_lag_seconds": (lambda m: m.log_waits(512, 1.5), [("set", {}, 1.5)]),
    "laar_thinking_budget_tokens": (
        planned,
        [
            ("set", {"model": "m", "task": "sums", "language": "all", "bucket": "all"}, 20.0),
            ("set", {"model": "m", "task": "sums", "language": "de", "bucket": "1"}, 100.0),
        ],
    ),
    "laar_thinking_arrivals_per_second": (planned, [("set", {"model": "m"}, 2.0)]),
    "laar_thinking_plans_total": (planned, [("inc", {"model": "m", "outcome": "taken"}, 1.0)]),
    "laar_thinking_plan_seconds": (planned, [("observe", {}, 0.02)]),
}


@pytest.mark.parametrize("name", EVENTS)
def test_metric_shows_what_happened(exported: Exported, name: str) -> None:
    happens, expected = EVENTS[name]
    happens(RouterMetrics(READER, RecentWindow(["small", "large"])))
    assert exported.points[name] == expected


def test_no_metric_is_exported_that_is_not_tested_here(exported: Exported) -> None:
    RouterMetrics(READER, RecentWindow(["small"]))
    assert exported.labels.keys() == EVENTS.keys()


@pytest.mark.usefixtures("exported")
def test_attempts_and_routed_requests_are_also_in_the_recent_window() -> None:
    recent = RecentWindow(["small"])
    metrics = RouterMetrics(READER, recent)
    metrics.attempt_ended(served(), attempt(Status.CORRECT))
    metrics.request_ended(served(), 200, 1.0, Meter(0.5))
    metrics.request_ended(None, 401, 1.0, Meter(0.5))
    assert (recent.attempts("small")["attempts"], recent.requests()["ended"]) == (1, 1)


def test_every_metric_stands_on_the_page_of_the_configuration() -> None:
    page = (Path(__file__).parents[5] / "docs" / "configuration.md").read_text()
    assert [name for name in EVENTS if f"`{name}`" not in page and f"`ray_{name}`" not in page] == []
