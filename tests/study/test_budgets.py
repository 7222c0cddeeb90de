"""Thinking budgets against simple ones and against the optimum."""

import numpy as np
import pytest

from scripts.bench.budgets.allocate import compare_with_reference, swing
from scripts.bench.budgets.problems import random_problems
from scripts.bench.budgets.simulated import compare_baselines


def test_best_budgets_beat_the_best_of_simple_ones() -> None:
    figures, bars = compare_baselines(None)
    assert figures["0.2"]["max"]["value_s"] is None
    assert bars[0].value == pytest.approx(0.181, abs=0.001)


def test_optimum_and_swing_hold_their_bars_on_a_few_problems() -> None:
    parts = (compare_with_reference(random_problems(np.random.default_rng(0), 5)), swing())
    assert [bar.name for _, bars in parts for bar in bars if not bar.ok] == []
    assert parts[0][0]["problems"] == {"light": 1, "heavy": 1, "overfull": 1, "saturated": 1, "bounded": 1}
