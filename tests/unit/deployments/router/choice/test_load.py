from deployments.router.attempt.breaker import COOLDOWN_S, FAILURES_TO_OPEN
from deployments.router.choice.load import LoadTracker


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
