import pytest

from deployments.router.attempt.breaker import COOLDOWN_S, FAILURES_TO_OPEN
from deployments.router.latency.load import LoadTracker


def failed(times: int, *, now_s: float = 0.0) -> LoadTracker:
    tracker = LoadTracker(["m"])
    for _ in range(times):
        tracker.failed("m", now_s)
    return tracker


def test_what_is_started_and_finished_leaves_nothing_behind() -> None:
    tracker = LoadTracker(["m"])
    tracker.start("m", 10)
    tracker.start("m", 20)
    assert (tracker.load.in_flight.tolist(), tracker.load.prompt_tokens.tolist()) == ([2], [30])
    tracker.finish("m", 10)
    tracker.finish("m", 20)
    assert (tracker.load.in_flight.tolist(), tracker.load.prompt_tokens.tolist()) == ([0], [0])


def test_model_stays_healthy_until_failures_come_in_a_row() -> None:
    assert not failed(FAILURES_TO_OPEN - 1).unhealthy(0.0)
    assert failed(FAILURES_TO_OPEN).unhealthy(0.0)


def test_model_is_tried_again_after_the_cooldown() -> None:
    tracker = failed(FAILURES_TO_OPEN)
    assert tracker.unhealthy(COOLDOWN_S - 0.1)
    assert not tracker.unhealthy(COOLDOWN_S)


def test_one_success_closes_the_account() -> None:
    tracker = failed(FAILURES_TO_OPEN)
    tracker.succeeded("m")
    assert not tracker.unhealthy(0.0)
    tracker.failed("m", 0.0)
    assert not tracker.unhealthy(0.0)


def test_model_without_running_replica_is_not_healthy() -> None:
    tracker = LoadTracker(["m"])
    tracker.set_replicas("m", 0)
    assert tracker.unhealthy(0.0)
    tracker.set_replicas("m", 2)
    assert not tracker.unhealthy(0.0)
    assert tracker.load.replicas.tolist() == [2]


def test_engine_tells_of_requests_that_others_sent() -> None:
    tracker = LoadTracker(["m"])
    tracker.set_replicas("m", 2)
    tracker.start("m", 100)
    tracker.report("m", 4.0)
    # eight on two replicas, of which one is the router's own; the others' prompts are taken to be as long
    assert (tracker.load.in_flight.tolist(), tracker.load.prompt_tokens.tolist()) == ([8.0], [800.0])
    tracker.finish("m", 100)
    assert tracker.load.in_flight.tolist() == [7.0]
    tracker.report("m", None)
    assert tracker.load.in_flight.tolist() == [0.0]


def test_other_routers_are_taken_to_send_as_much_and_reports_move_that_slowly() -> None:
    tracker = LoadTracker(["m"], num_routers=4)
    tracker.start("m", 100)
    assert tracker.load.in_flight.tolist() == [4.0]
    tracker.report("m", 8.0)
    assert tracker.load.in_flight.tolist() == [5.0]
    for _ in range(50):
        tracker.report("m", 8.0)
    assert tracker.load.in_flight.tolist() == pytest.approx([8.0])


def test_own_requests_count_whatever_a_late_report_says() -> None:
    tracker = LoadTracker(["m"])
    tracker.start("m", 10)
    tracker.start("m", 10)
    tracker.report("m", 0.0)
    assert tracker.load.in_flight.tolist() == [2.0]


def test_cold_model_may_be_asked_and_takes_its_start() -> None:
    tracker = LoadTracker(["cold", "gone"], cold_start_s={"cold": 90.0})
    for model in ("cold", "gone"):
        tracker.set_replicas(model, 0)
    assert (tracker.unhealthy(0.0), tracker.load.starting_s.tolist()) == ({1}, [90.0, 0.0])
    tracker.set_replicas("cold", 1)
    assert tracker.load.starting_s.tolist() == [0.0, 0.0]


def test_adapters_share_the_load_of_their_engine_and_nothing_else() -> None:
    tracker = LoadTracker(["base", "other", "adapter"], bases={"adapter": "base"})
    tracker.set_replicas("base", 2)
    tracker.set_replicas("adapter", 2)
    tracker.start("adapter", 100)
    tracker.start("base", 20)
    assert tracker.load.in_flight.tolist() == [2, 0, 2]
    assert tracker.load.prompt_tokens.tolist() == [120, 0, 120]
    # the engine counts all of them, whoever was asked
    tracker.report("adapter", 3.0)
    assert tracker.load.in_flight.tolist() == [6, 0, 6]
    tracker.report("base", 1.0)
    tracker.finish("adapter", 100)
    tracker.finish("base", 20)
    assert tracker.load.in_flight.tolist() == [0, 0, 0]
    for _ in range(FAILURES_TO_OPEN):
        tracker.failed("adapter", 0.0)
    assert tracker.unhealthy(0.0) == {2}
    assert tracker.engines == ["base", "other"]
