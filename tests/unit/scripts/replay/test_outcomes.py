"""What is read of a folder of recorded outcomes, and how it is cut."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from scripts.replay.recorded.outcomes import RecordedError, read_outcomes, split_by_question
from scripts.replay.recorded.seconds import ASSUMED, with_seconds
from tests.unit.scripts.replay.recorded_folder import write_recording, write_table


def test_a_mode_of_a_model_belongs_to_its_family_and_a_research_endpoint_is_marked(tmp_path: Path) -> None:
    found = read_outcomes(write_recording(tmp_path / "set"))
    assert found.families[found.models.index("huge-tools")] == "huge"
    assert [m for m, odd in zip(found.models, found.is_research, strict=True) if odd] == ["middle"]


def test_siblings_of_a_question_lie_in_the_same_half(tmp_path: Path) -> None:
    fitted, judged = split_by_question(read_outcomes(write_recording(tmp_path / "set", languages=3)), seed=0)
    assert len(fitted.prompts) + len(judged.prompts) == 160
    assert not set(fitted.groups) & set(judged.groups)


def test_gzipped_tables_are_read_as_plain_ones(tmp_path: Path) -> None:
    folder = write_recording(tmp_path / "set")
    plain = read_outcomes(folder)
    path = folder / "outcomes.csv"
    (folder / "outcomes.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert np.array_equal(read_outcomes(folder).correct, plain.correct)


def test_an_answer_that_was_not_recorded_is_not_wrong(tmp_path: Path) -> None:
    folder = write_recording(tmp_path / "set")
    write_table(folder / "outcomes.csv", [{"prompt_id": "p1", "model": "tiny", "correct": 1}])
    found = read_outcomes(folder).correct
    assert np.isfinite(found).sum() == 1


def test_the_column_hit_tells_right_from_wrong_where_there_is_one(tmp_path: Path) -> None:
    folder = write_recording(tmp_path / "set")
    write_table(folder / "outcomes.csv", [{"prompt_id": "p1", "model": "tiny", "correct": 0.4, "hit": 1}])
    assert np.nanmax(read_outcomes(folder).correct) == 1


def test_without_seconds_more_accurate_models_are_assumed_slower_and_that_is_told(tmp_path: Path) -> None:
    found, assumed = with_seconds(read_outcomes(write_recording(tmp_path / "set", has_seconds=False)), seed=0)
    assert assumed == ASSUMED
    medians_s = np.median(found.latency_s, axis=1)
    accuracy = found.correct.mean(axis=1)
    assert medians_s[accuracy.argmax()] > 5 * medians_s[accuracy.argmin()]


def test_recorded_seconds_are_kept_as_they_are(tmp_path: Path) -> None:
    recorded = read_outcomes(write_recording(tmp_path / "set"))
    found, assumed = with_seconds(recorded, seed=0)
    assert assumed is None
    assert np.array_equal(found.latency_s, recorded.latency_s)


@pytest.mark.parametrize(
    ("table", "rows", "told"),
    [
        pytest.param("outcomes.csv", [{"prompt_id": "p9999", "model": "tiny", "correct": 1}], "'p9999'", id="stranger"),
        pytest.param("outcomes.csv", [{"prompt_id": "p1", "model": "tiny", "correct": "yes"}], "'yes'", id="no number"),
        pytest.param("prompts.csv", [{"id": "p1"}], "no 'prompt_id'", id="no id"),
        pytest.param("models.csv", [{"model": "tiny"}], "1 models", id="one model"),
    ],
)
def test_a_table_that_is_wrong_is_refused_by_what_is_wrong(
    tmp_path: Path, table: str, rows: list[dict[str, object]], told: str
) -> None:
    folder = write_recording(tmp_path / "set")
    write_table(folder / table, rows)
    with pytest.raises(RecordedError, match=told):
        read_outcomes(folder)


def test_a_folder_without_a_table_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(RecordedError, match=r"neither prompts\.csv nor"):
        read_outcomes(tmp_path)
