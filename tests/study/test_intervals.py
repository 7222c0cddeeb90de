"""Intervals hold the truth about as often as they say."""

from random import Random

import numpy as np
import pytest

from profiles.measures.ttca import paired_bootstrap
from profiles.measuring.thinking_fit import AccuracyFit, fit_time
from tests.unit.profiles.measures.test_ttca import charges
from tests.unit.profiles.measuring.test_thinking_fit import BUDGETS, drawn


def is_held(value: float, fit: AccuracyFit, parameter: str) -> bool:
    low, high = {str(name): interval for name, interval in fit.intervals.items()}[parameter]
    return low <= value <= high


@pytest.mark.parametrize(
    ("truth", "tried"),
    [
        pytest.param({"floor": 0.3, "gain": 0.5, "rate": 0.01}, 100, id="bent"),
        pytest.param({"floor": 0.2, "gain": 0.6, "rate": 0.002}, 400, id="still rising at the end"),
    ],
)
def test_intervals_hold_the_truth_nineteen_times_of_twenty(truth: dict[str, float], tried: int) -> None:
    fits = [drawn(seed, **truth, tried=tried) for seed in range(40)]
    # 114 of 120 are expected, and fewer than 106 less often than once in a hundred
    assert sum(is_held(value, fit, name) for fit in fits for name, value in truth.items()) >= 106
    widths = [fit.intervals["floor"][1] - fit.intervals["floor"][0] for fit in fits]
    assert max(widths) < 0.3


def test_time_intervals_hold_the_truth_nineteen_times_of_twenty() -> None:
    held = 0
    for seed in range(200):
        budgets = np.repeat(BUDGETS, 20)
        mean = 0.5 + 0.02 * budgets
        found = fit_time(budgets.tolist(), np.random.default_rng(seed).normal(mean, 0.1 * mean).tolist())
        held += found.intervals["token_s"][0] <= 0.02 <= found.intervals["token_s"][1]
    assert 180 <= held <= 198


def test_interval_covers_the_true_ratio_about_as_often_as_it_says() -> None:
    rng = Random(7)
    hits = 0
    for seed in range(100):
        hardness = [rng.expovariate(1.0) + 0.1 for _ in range(60)]
        ours = charges([h * rng.uniform(0.5, 1.0) for h in hardness])
        found = paired_bootstrap(ours, charges(hardness), seed=seed, num_resamples=300)
        hits += found.low <= 0.75 <= found.high
    assert 88 <= hits <= 99
