"""When the next model starts beside those that run, against a computation on drawn latencies."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import inf

import numpy as np
import pytest
from scipy.special import ndtri

from deployments.router.choice.overlap import IDLE_PRICE, TimedAttempt, costs_by_moment, look_after_s, start_after_s
from deployments.router.choice.policy import Candidate

SLOW = TimedAttempt(median_s=4.0, spread=0.8, probability=0.5)
QUICK = TimedAttempt(median_s=0.5, spread=0.3, probability=0.9)
# every so many quantiles of a latency stand for all
GRID = (np.arange(60) + 0.5) / 60


def latencies_s(attempt: TimedAttempt) -> list[float]:
    """Equally likely seconds left, given how long it has run."""
    below = share_below(attempt) if attempt.elapsed_s else 0.0
    at = below + (1 - below) * GRID
    times_s = attempt.median_s * np.exp(attempt.spread * ndtri(at)) - attempt.elapsed_s
    return [float(time_s) for time_s in times_s]


def share_below(attempt: TimedAttempt) -> float:
    fresh = TimedAttempt(median_s=attempt.median_s, spread=attempt.spread, probability=attempt.probability)
    return float(fresh.done(np.array(attempt.elapsed_s)))


def at(price: float, *attempts: TimedAttempt) -> list[TimedAttempt]:
    return [replace(attempt, price=price) for attempt in attempts]


def cost_by_enumeration(running: Sequence[TimedAttempt], following: TimedAttempt, start_s: float) -> float:
    """Every combination of latencies and of right and wrong, played out."""
    total = 0.0
    attempts = [*running, following]
    for times_s in product(*(latencies_s(attempt) for attempt in attempts)):
        for is_right in product((True, False), repeat=len(attempts)):
            weight = 1.0
            for attempt, right in zip(attempts, is_right, strict=True):
                weight *= attempt.probability if right else 1 - attempt.probability
            total += weight * played(times_s, is_right, start_s, [attempt.price for attempt in attempts])
    return total / float(len(GRID) ** len(attempts))


def played(times_s: tuple[float, ...], is_right: tuple[bool, ...], start_s: float, prices: Sequence[float]) -> float:
    *running_s, following_s = times_s
    rights = [time for time, right in zip(running_s, is_right[:-1], strict=True) if right]
    begins_s = min(start_s, inf if rights else max(running_s))
    end_s = begins_s + following_s
    solved_s = min([*rights, end_s] if is_right[-1] else rights, default=max([*running_s, end_s]))
    work_s = [*(min(time, solved_s) for time in running_s), max(0.0, min(end_s, solved_s) - begins_s)]
    return solved_s + sum(price * seconds for price, seconds in zip(prices, work_s, strict=True))


@pytest.mark.parametrize(
    ("running", "following"),
    [
        pytest.param(at(0.5, SLOW), at(0.5, QUICK), id="a quick one after a slow one"),
        pytest.param(at(0.5, QUICK), at(0.5, SLOW), id="a slow one after a quick one"),
        pytest.param(at(0.5, SLOW), at(2.0, QUICK), id="a dear one after a cheap one"),
        pytest.param(
            [TimedAttempt(median_s=1, spread=0.5, probability=0.7, elapsed_s=2.5, price=0.2)],
            at(0.2, SLOW),
            id="a late one",
        ),
    ],
)
def test_costs_are_those_of_all_outcomes_played_out(running: list[TimedAttempt], following: list[TimedAttempt]) -> None:
    moments, costs = costs_by_moment(running, following[0])
    for index in (0, 9, 16):
        expected = cost_by_enumeration(running, following[0], float(moments[index]))
        assert costs[index] == pytest.approx(expected, rel=0.03)


def test_costs_with_two_at_work_are_those_of_all_outcomes_played_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.deployments.router.choice.test_overlap.GRID", (np.arange(16) + 0.5) / 16)
    running = [SLOW, TimedAttempt(median_s=1.0, spread=0.4, probability=0.6, elapsed_s=0.5, price=1.5)]
    moments, costs = costs_by_moment(running, QUICK)
    expected = [cost_by_enumeration(running, QUICK, float(moments[i])) for i in (0, 14)]
    assert [costs[0], costs[14]] == pytest.approx(expected, rel=0.05)


def test_free_engines_start_everything_at_once() -> None:
    assert start_after_s(at(0.0, QUICK), *at(0.0, SLOW)) == 0.0


def test_dear_engines_wait_until_all_have_failed() -> None:
    assert start_after_s(at(100.0, QUICK), *at(100.0, SLOW)) == inf


def test_only_an_engine_that_others_wait_for_is_dear() -> None:
    def candidate(external_s: float) -> Candidate:
        return Candidate("m", 0.9, 1.0 + external_s, 1.0, 10, 0, 1, external_s=external_s)

    idle, busy = [TimedAttempt.of(candidate(external_s), spread=0.3) for external_s in (0.0, 3.0)]
    assert (idle.price, busy.price) == (IDLE_PRICE, IDLE_PRICE + 3.0)
    assert idle.mean_s == pytest.approx(1.0)
    running = [TimedAttempt(median_s=2.0, spread=0.3, probability=0.6)]
    assert start_after_s(running, idle) < start_after_s(running, busy)


def test_the_dearer_the_engine_the_later_the_next_starts() -> None:
    running = TimedAttempt(median_s=1.0, spread=0.6, probability=0.8)
    following = TimedAttempt(median_s=1.0, spread=0.4, probability=0.8)
    starts_s = [start_after_s(at(price, running), *at(price, following)) for price in (0.3, 0.6, 1.0, 2.0)]
    assert starts_s == sorted(starts_s)
    assert starts_s[0] < starts_s[-1]


def test_the_longer_an_attempt_has_run_the_sooner_the_next_starts() -> None:
    fresh = TimedAttempt(median_s=1.0, spread=0.6, probability=0.8)
    late = [TimedAttempt(median_s=1.0, spread=0.6, probability=0.8, elapsed_s=s) for s in (0.5, 1.0, 2.0, 3.0, 4.0)]
    waits_s = [start_after_s(at(1.5, running), *at(1.5, fresh)) for running in late]
    assert waits_s == sorted(waits_s, reverse=True)
    assert waits_s[0] > 2.0
    assert waits_s[-1] == 0.0


def test_an_attempt_beyond_all_that_was_expected_still_has_a_moment() -> None:
    stuck = TimedAttempt(median_s=0.5, spread=0.2, probability=0.9, elapsed_s=500.0)
    assert start_after_s([stuck], QUICK) == 0.0


def test_an_attempt_that_may_hang_is_taken_to_hang_once_it_is_late() -> None:
    late = TimedAttempt(median_s=2.0, spread=0.3, probability=0.999, elapsed_s=6.0)
    following = TimedAttempt(median_s=1.0, spread=0.3, probability=0.95)
    assert start_after_s([late], following) == inf
    assert start_after_s([replace(late, hang_share=0.01)], following) == 0.0


def test_what_should_wait_for_the_others_is_looked_at_again_when_they_should_have_ended() -> None:
    sure = TimedAttempt(median_s=1.0, spread=0.3, probability=0.999)
    assert start_after_s([sure], SLOW) == inf
    assert look_after_s([sure], SLOW) == sure.horizon_s


def test_without_an_attempt_under_way_there_is_nothing_to_overlap() -> None:
    with pytest.raises(ValueError, match="running: none"):
        start_after_s([], QUICK)
