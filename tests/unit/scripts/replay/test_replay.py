"""`laar replay` from a folder to its figures."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from scripts.commands import app
from scripts.replay.figures import bars, figures
from scripts.replay.run import PlayedRecording, ReplayOptions, play_recording
from tests.unit.scripts.replay.recorded_folder import write_recording


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> PlayedRecording:
    folder = write_recording(tmp_path_factory.mktemp("recorded") / "set", prompts=240)
    return play_recording(ReplayOptions(fit=folder, pools=4, seeds=2, has_overlap=True))


def test_pools_have_one_model_of_a_family_and_no_research_endpoint(played: PlayedRecording) -> None:
    for seed in played.seeds:
        for pool in seed.pools:
            assert "middle" not in pool.models
            assert not {"huge", "huge-tools"} <= set(pool.models)


def test_no_policy_beats_the_oracle_and_all_solve_the_same_prompts(played: PlayedRecording) -> None:
    for seed in played.seeds:
        for pool in seed.pools:
            oracle = pool.played["oracle"]
            for name, one in pool.played.items():
                assert one.solved.tolist() == oracle.solved.tolist(), name
                assert (one.seconds >= oracle.seconds - 1e-9)[oracle.solved].all(), name


def test_where_tasks_differ_laar_is_ahead_of_every_rule_for_all_prompts(played: PlayedRecording) -> None:
    found = figures(played)
    assert found["ratio_to_best_single_median"] < 0.9
    assert found["ratio_to_most_accurate_median"] < 0.6
    assert found["brier"] < found["calibration"]["one rate a model"]["brier"]
    assert found["overlap_gap_closed"] > 0
    assert found["overlap_work_ratio"] >= 1
    low, high = found["intervals"]["ratio_to_best_single_median"][1:]
    assert low <= found["ratio_to_best_single_median"] <= high


def test_figures_are_the_same_for_the_same_recording(played: PlayedRecording) -> None:
    assert figures(played) == figures(played)


def test_with_assumed_seconds_only_being_no_worse_is_a_bar() -> None:
    found = {"assumed_seconds": "some", "share_of_pools_above_1_05": 0.0, "ratio_to_best_single_median": 0.97}
    assert [(bar.name, bar.ok) for bar in bars(found)] == [
        ("share_of_pools_above_1_05", True),
        ("ratio_to_best_single_median", True),
    ]


def test_the_command_writes_figures_and_pages_and_marks_what_is_assumed(tmp_path: Path) -> None:
    folder = write_recording(tmp_path / "set", prompts=60, has_seconds=False)
    names = [f"{tmp_path}/{name}" for name in ("figures.json", "page.md", "page.html")]
    arguments = ["replay", "--fit", str(folder), "--judge", str(folder), "--pools", "2", "--seeds", "1"]
    result = CliRunner().invoke(app, [*arguments, "--json", names[0], "--markdown", names[1], "--html", names[2]])
    assert result.exit_code == 0, result.output
    found = json.loads(Path(names[0]).read_text())["figures"]
    assert found["assumed_seconds"] == "accuracy-ranked"
    assert np.isfinite([found["brier"], found["ece"], found["ratio_to_fastest_median"]]).all()
    assert "ASSUMED SECONDS" in Path(names[1]).read_text()
    assert "ASSUMED SECONDS" in Path(names[2]).read_text()


def test_outcomes_that_cannot_be_read_exit_with_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["replay", "--fit", str(tmp_path)])
    assert result.exit_code == 2
    assert "neither prompts.csv" in result.output
