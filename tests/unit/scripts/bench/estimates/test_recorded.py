"""Chances that are fitted to a few prompts of a recording and held against its others."""

from pathlib import Path

import pytest

from scripts.bench.estimates.recorded import run
from tests.unit.scripts.replay.recorded_folder import write_recording


def test_a_folder_is_cut_in_two_and_sizes_without_enough_prompts_are_left_out(tmp_path: Path) -> None:
    report = run(fit=write_recording(tmp_path / "set", prompts=160), judge=None, sizes=[400, 25, 60])
    assert list(report.figures["prompts"]) == [25, 60]
    of_most = report.figures["prompts"][60]
    assert report.figures["brier_ratio_60"] == of_most["brier_ratio"] < 1.1
    # no cell has enough judged prompts to say
    assert of_most["intervals_cover"] is None
    # seven models of two tasks that take turns: one rate a model misses most of it
    assert of_most["brier"]["laar"] < of_most["brier"]["rate"]
    assert {bar.name for bar in report.bars} >= {"brier_ratio_mean", "brier_ratio_25", "ece_behind_logistic_60"}


def test_a_folder_with_too_few_prompts_is_refused(tmp_path: Path) -> None:
    folder = write_recording(tmp_path / "set", prompts=40)
    with pytest.raises(ValueError, match=r"prompts to fit to; none of \[400\] is that few"):
        run(fit=folder, judge=None, sizes=[400])
