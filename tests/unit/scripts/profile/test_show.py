import io
from pathlib import Path

import pytest
from matplotlib import colormaps
from rich.console import Console
from typer.testing import CliRunner

from profiles.profile import NO_PROFILE, CellCounts, Latency, ModelProfile, Profile, load_profile
from scripts import commands
from scripts.profile.show import grids_of, picture, show_profile, typical_tokens

EDGES = (128, 512)


def shown(*, png: Path | None = None) -> str:
    console = Console(record=True, width=200, force_terminal=True, color_system="truecolor", file=io.StringIO())
    show_profile(load_profile("embedded"), console, png=png)
    return console.export_text(styles=True)


@pytest.mark.parametrize(("bucket", "tokens"), [(0, 64.0), (1, 320.0), (2, 768.0)])
def test_bucket_stands_for_its_middle(bucket: int, tokens: float) -> None:
    assert typical_tokens(bucket, EDGES) == tokens


def test_every_measured_cell_has_its_figures() -> None:
    profile = load_profile("embedded")
    grids = {grid.task: grid for grid in grids_of(profile)}
    assert set(grids) == {"instruct", "lookup"}
    assert sum(len(grid.figures) for grid in grids.values()) == sum(len(m.cells) for m in profile.models.values())


def test_expected_ttca_is_latency_over_smoothed_probability() -> None:
    profile = load_profile("embedded")
    grid = next(grid for grid in grids_of(profile) if grid.task == "lookup")
    model = profile.models["gemma-3-270m"]
    latency_s = (
        model.latency.overhead_s
        + model.latency.prefill_s_per_token * 64
        + model.latency.decode_s_per_token * model.output_tokens["lookup"]
    )
    found = grid.figures["gemma-3-270m", "en", 0]
    # smoothing keeps the probability near the measured share, and below certainty
    assert found.accuracy == found.correct / found.tried
    assert latency_s < found.ttca_s < 1.5 * latency_s / found.accuracy


def test_terminal_shows_accuracy_with_interval_in_colour() -> None:
    text = shown()
    assert "0.80 (0.58-0.92)" in text
    assert "\x1b[30;48;2;" in text


def test_picture_is_a_png(tmp_path: Path) -> None:
    shown(png=tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def small(**correct: int) -> Profile:
    """Models with so many right answers out of ten to prompts of one length, each quicker than the next."""
    models = {
        name: ModelProfile(
            latency=Latency(overhead_s=0.01 * 10**index, prefill_s_per_token=0, decode_s_per_token=0),
            chars_per_token={"unknown": 4.0},
            chars_per_symbol_token=2.0,
            cells=(CellCounts(task="lookup-in-long-prose", language="en", bucket=0, correct=number, tried=10),),
        )
        for index, (name, number) in enumerate(correct.items())
    }
    return Profile(version=1, measured=NO_PROFILE.measured, bucket_edges=(128,), models=models)


def test_model_that_is_never_right_is_not_shown_as_good_for_being_quick() -> None:
    profile = small(hasty=0, sure=9)
    console = Console(record=True, width=120, force_terminal=True, color_system="truecolor", file=io.StringIO())
    show_profile(profile, console, png=None)
    text = console.export_text(styles=True)
    worst = "48;2;" + ";".join(str(round(255 * part)) for part in colormaps["RdYlGn_r"](1.0)[:3])
    (line,) = [line for line in text.splitlines() if "never" in line]
    assert "hasty" in line
    assert worst in line


@pytest.mark.parametrize("correct", [pytest.param(0, id="never-right"), pytest.param(9, id="right")])
def test_titles_of_a_picture_of_one_length_stay_within_it(correct: int) -> None:
    profile = small(only=correct)
    figure = picture(grids_of(profile), profile.buckets)
    figure.canvas.draw()
    left, right = [axes.title.get_window_extent() for axes in figure.axes]
    assert 0 <= left.x0 < left.x1 < right.x0 < right.x1 <= figure.bbox.width


def test_command_shows_a_packaged_profile_by_name() -> None:
    result = CliRunner().invoke(commands.app, ["profile", "show", "embedded"])
    assert result.exit_code == 0
    assert "lookup: accuracy" in result.output


def test_missing_profile_is_told_with_those_there_are() -> None:
    result = CliRunner().invoke(commands.app, ["profile", "show", "absent"], env={"COLUMNS": "500"})
    assert result.exit_code == 2
    assert "'absent' is neither a file nor one that ships with laar" in result.output
