"""How often the model with the highest chance is right."""

from pathlib import Path

import numpy as np

from scripts.replay.picks import SIZES, _hits, pick_bars, pick_figures
from scripts.replay.recorded.outcomes import read_outcomes
from tests.unit.scripts.replay.recorded_folder import write_recording


def test_models_that_are_equally_likely_share_a_pick_and_one_that_was_not_asked_has_none() -> None:
    chances = np.array([[0.9, 0.5, 0.9], [0.1, 0.5, 0.2]])
    correct = np.array([[1.0, 1.0, np.nan], [0.0, 0.0, 1.0]])
    assert _hits(chances, correct).tolist() == [1.0, 0.5, 1.0]


def test_where_tasks_differ_estimates_by_task_pick_better_than_rates(tmp_path: Path) -> None:
    found = pick_figures(read_outcomes(write_recording(tmp_path / "set", prompts=240)), None, most_prompts=500)
    assert list(found) == [str(size) for size in SIZES if size <= 100]
    most = found["100"]
    assert most["laar"]["brier"] < most["rate"]["brier"]
    assert most["laar"]["pick_right"] > 0.85
    low, high = most["ahead"][1:]
    assert low <= most["ahead"][0] <= high


def test_an_estimate_that_is_behind_by_more_than_chance_falls_short() -> None:
    picks = {"25": {"ahead": [-0.02, -0.03, -0.01]}, "50": {"ahead": [-0.01, -0.02, 0.001]}}
    assert [(bar.name, bar.ok) for bar in pick_bars(picks)] == [
        ("pick_ahead_25_prompts_high", False),
        ("pick_ahead_50_prompts_high", True),
    ]
