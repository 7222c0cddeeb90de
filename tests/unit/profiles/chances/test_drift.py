import numpy as np
import pytest

from profiles.chances.drift import Alarm, Cause, Direction, Drift
from profiles.chances.trust import EXACT


def observe(drift: Drift, low: float, high: float, *, correct: bool, task: str = "t") -> list[Alarm]:
    middle = (low + high) / 2
    return drift.observe(model="m", task=task, probability=middle, low=low, high=high, likelihood=EXACT.of[correct])


WORSE = Alarm(model="m", task=None, direction=Direction.WORSE)


def verdicts_until_alarm(drift: Drift, *, low: float, high: float, chance: float, seed: int, most: int) -> int | None:
    rng = np.random.default_rng(seed)
    for index in range(most):
        if observe(drift, low, high, task="t", correct=bool(rng.random() < chance)):
            return index + 1
    return None


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    ("low", "high", "chance"),
    [pytest.param(0.8, 0.95, 0.3, id="good-turns-bad"), pytest.param(0.2, 0.4, 0.9, id="bad-turns-good")],
)
def test_swapped_ability_is_alarmed_within_a_hundred_verdicts(
    low: float, high: float, chance: float, seed: int
) -> None:
    found = verdicts_until_alarm(Drift(), low=low, high=high, chance=chance, seed=seed, most=100)
    assert found is not None


def test_alarm_names_the_direction_and_starts_once() -> None:
    drift = Drift()
    started = [observe(drift, 0.8, 0.9, task="t", correct=False) for _ in range(40)]
    assert [alarm for alarms in started for alarm in alarms] == [
        WORSE,
        Alarm(model="m", task="t", direction=Direction.WORSE),
    ]
    assert WORSE in drift.alarms


def test_alarm_ends_when_the_model_is_as_profiled_again() -> None:
    drift = Drift()
    for _ in range(40):
        observe(drift, 0.8, 0.9, task="t", correct=False)
    for _ in range(100):
        observe(drift, 0.8, 0.9, task="t", correct=True)
    assert WORSE not in drift.alarms


def test_drift_on_one_task_is_told_apart_from_others() -> None:
    drift = Drift()
    for _ in range(60):
        observe(drift, 0.8, 0.9, task="sums", correct=False)
        for _ in range(4):
            observe(drift, 0.8, 0.95, task="lookup", correct=True)
    assert drift.alarms == [Alarm(model="m", task="sums", direction=Direction.WORSE)]


def test_interval_that_says_nothing_raises_no_alarm() -> None:
    drift = Drift()
    for _ in range(500):
        observe(drift, 0.001, 0.999, task="t", correct=False)
    assert drift.alarms == []


def test_long_record_of_right_answers_delays_no_alarm() -> None:
    drift = Drift()
    for _ in range(1000):
        observe(drift, 0.8, 0.95, correct=True)
    for _ in range(40):
        observe(drift, 0.8, 0.95, correct=False)
    assert WORSE in drift.alarms


def test_long_alarm_ends_as_soon_as_a_short_one() -> None:
    drift = Drift()
    for _ in range(1000):
        observe(drift, 0.8, 0.9, correct=False)
    for _ in range(100):
        observe(drift, 0.8, 0.9, correct=True)
    assert WORSE not in drift.alarms


@pytest.mark.parametrize(
    ("others", "cause"),
    [
        pytest.param(False, Cause.TRAFFIC, id="all-become-worse"),
        pytest.param(True, Cause.MODEL, id="the-others-stay-as-they-were"),
    ],
)
def test_alarm_says_whether_the_model_changed_or_the_traffic(others: bool, cause: Cause) -> None:
    drift = Drift()
    for _ in range(40):
        for model, correct in (("n", others), ("m", False)):
            drift.observe(model=model, task="t", probability=0.85, low=0.8, high=0.9, likelihood=EXACT.of[correct])
    assert {alarm.cause for alarm in drift.alarms if alarm.model == "m"} == {cause}


def test_doubt_comes_before_the_alarm() -> None:
    drift = Drift()
    stages = []
    for _ in range(40):
        observe(drift, 0.8, 0.9, correct=False)
        stages.append((drift.is_doubtful("m", "t"), WORSE in drift.alarms))
    assert list(dict.fromkeys(stages)) == [(False, False), (True, False), (True, True)]
