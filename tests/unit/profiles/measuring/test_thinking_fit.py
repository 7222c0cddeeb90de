import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from profiles.cell import Buckets
from profiles.measuring.measurement import Record
from profiles.measuring.thinking_fit import (
    LEAST_TOKEN_S,
    AccuracyFit,
    fit_accuracy,
    fit_thinking,
    fit_time,
    is_s_shaped,
)
from tests.unit.profiles.measuring.test_fitting import record as fitting_record

BUDGETS = (0, 64, 128, 256, 512)


def record(thinking_tokens: int | None, **other: Any) -> Record:
    return fitting_record(**{"task": "maths", "thinking_tokens": thinking_tokens} | other)


def drawn(seed: int, *, floor: float, gain: float, rate: float, tried: int) -> AccuracyFit:
    chances = [floor + gain * (1 - math.exp(-rate * budget)) for budget in BUDGETS]
    correct = np.random.default_rng(seed).binomial(tried, chances)
    return fit_accuracy(BUDGETS, correct.tolist(), [tried] * len(BUDGETS))


def counted(correct: Sequence[int]) -> AccuracyFit:
    return fit_accuracy((0, 64, 256), correct, (50, 50, 50))


def test_parameters_are_found_again() -> None:
    found = drawn(1, floor=0.3, gain=0.5, rate=0.01, tried=20_000)
    assert (found.floor, found.gain) == pytest.approx((0.3, 0.5), abs=0.01)
    assert found.rate == pytest.approx(0.01, rel=0.05)


def test_interval_is_that_of_the_profile_likelihood_by_another_search() -> None:
    found = fit_accuracy(BUDGETS, (1200, 2145, 2644, 3045, 3188), [4000] * 5)
    # Nelder-Mead over floor and rate for a fixed gain, and Brent's method for where the likelihood falls by 1.9207
    assert found.intervals["gain"] == pytest.approx((0.48261, 0.51716), abs=1e-3)
    assert (found.floor, found.gain, found.rate) == pytest.approx((0.29999, 0.49998, 0.0099979), rel=1e-3)


@pytest.mark.parametrize(
    ("correct", "floor", "gain"),
    [
        pytest.param((0, 0, 0), 0.0, 0.0, id="none"),
        pytest.param((50, 50, 50), 1.0, 0.0, id="all"),
        pytest.param((20, 20, 20), 0.4, 0.0, id="flat"),
        pytest.param((45, 30, 15), 0.6, 0.0, id="falling"),
        pytest.param((0, 0, 50), 0.0, 1.0, id="none to all"),
    ],
)
def test_degenerate_counts_give_parameters_within_bounds(correct: Sequence[int], floor: float, gain: float) -> None:
    found = counted(correct)
    assert (found.floor, found.gain) == pytest.approx((floor, gain), abs=2e-3)
    assert found.floor + found.gain <= 1
    assert found.rate > 0
    for name, (low, high) in found.intervals.items():
        assert low <= getattr(found, name) <= high


def test_rate_that_the_data_cannot_tell_has_all_of_its_range_as_interval() -> None:
    # a tenth of the inverse of the largest budget, ten times that of the smallest
    assert counted((20, 20, 20)).intervals["rate"] == pytest.approx((0.1 / 256, 10 / 64))


def test_time_is_a_line_in_the_budget() -> None:
    budgets = [0, 0, 100, 100, 400, 400]
    found = fit_time(budgets, [0.9, 1.1, 1.9, 2.1, 4.9, 5.1])
    intervals = found.intervals
    assert (found.base_s, found.token_s) == pytest.approx((1.0, 0.01), rel=1e-3)
    assert intervals["base_s"][0] < 1.0 < intervals["base_s"][1]
    assert intervals["token_s"][0] < 0.01 < intervals["token_s"][1]


@pytest.mark.parametrize(
    "latencies_s",
    [
        pytest.param([1.0] * 6, id="flat"),
        pytest.param([2.0, 2.1, 1.5, 1.6, 1.0, 1.1], id="falling"),
        pytest.param([0.0] * 6, id="none at all"),
    ],
)
def test_time_that_does_not_grow_costs_the_least_there_is(latencies_s: list[float]) -> None:
    found = fit_time([0, 0, 64, 64, 256, 256], latencies_s)
    assert found.base_s >= 0
    assert found.token_s == LEAST_TOKEN_S
    assert all(0 <= low <= high for low, high in found.intervals.values())


def test_points_hold_what_was_seen_and_only_of_records_with_a_budget() -> None:
    records = [record(0, correct=False), record(0, latency_s=3.0), record(64), record(None, latency_s=99.0)]
    (found,) = fit_thinking(records, Buckets((128,)))
    assert (found.task, found.language, found.bucket, found.max_tokens) == ("maths", None, None, 64)
    points = [(p.budget, p.correct, p.tried, p.mean_latency_s) for p in found.points]
    assert points == [(0, 1, 2, 2.0), (64, 1, 1, 1.0)]
    assert set(found.intervals) == {"base_s", "token_s", "gain", "rate", "floor"}


def test_time_is_fitted_to_what_was_asked_alone_where_there_is_enough_of_it() -> None:
    alone = [record(budget, latency_s=1.0 + budget) for budget in (0, 0, 64, 64)]
    crowded = [record(budget, latency_s=50.0, concurrency=4) for budget in (0, 64)]
    (found,) = fit_thinking(alone + crowded, Buckets((128,)))
    assert (found.base_s, found.token_s) == pytest.approx((1.0, 1.0))
    assert [point.tried for point in found.points] == [3, 3]


def test_parts_of_a_task_get_curves_of_their_own_from_thirty_answers_at_each_of_three_budgets() -> None:
    enough = [record(budget, language="de", prompt_tokens=200) for budget in (0, 64, 256) for _ in range(30)]
    too_few = [record(budget, language="zh") for budget in (0, 64, 256) for _ in range(29)]
    found = fit_thinking(enough + too_few, Buckets((128,)))
    assert [(f.language, f.bucket) for f in found] == [(None, None), (None, 1), ("de", None), ("de", 1)]


def test_one_budget_is_no_curve() -> None:
    assert fit_thinking([record(64) for _ in range(50)], Buckets((128,))) == ()


@pytest.mark.parametrize(
    ("correct", "is_late"),
    [
        pytest.param([2, 3, 2, 30, 58, 60], True, id="nothing below a threshold"),
        pytest.param([10, 30, 45, 55, 58, 58], False, id="rising at once"),
        pytest.param([20, 22, 19, 21, 20, 22], False, id="level"),
        pytest.param([3, 9, 18, 35, 52, 59], False, id="nearly straight"),
    ],
)
def test_points_that_rise_late_are_seen(correct: Sequence[int], is_late: bool) -> None:
    budgets = [0, 100, 200, 400, 800, 1600]
    records = [
        record(budget, correct=index < right, latency_s=1 + budget / 1000, language=f"{index % 10}")
        for budget, right in zip(budgets, correct, strict=True)
        for index in range(100)
    ]
    (curve, *_) = fit_thinking(records, Buckets((128,)))
    assert is_s_shaped(curve) is is_late
