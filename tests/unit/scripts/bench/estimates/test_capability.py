import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from profiles.cell import Buckets
from profiles.measures.calibration import calibration_error
from scripts.bench.estimates.baselines import cell_rates, logistic_per_model, overall_rates
from scripts.bench.estimates.capability import run
from scripts.bench.estimates.read_measurements import read_records
from tests.unit.profiles.measuring.test_fitting import record

EDGES = (128, 512, 2048)
TOKENS = (100, 400, 1500, 3000)


def write(path: Path, *, languages: range, lengths: int, prompts: int, seed: int) -> Path:
    """What three models would answer; some prompts are hard for all of them. Longer is harder for each."""
    rng, world = np.random.default_rng(seed), np.random.default_rng(7)
    ability, languages_of = world.normal(0, 1, 3), world.normal(0, 0.7, (3, 12))
    lines = []
    for language in languages:
        for length in range(lengths):
            for prompt in range(prompts):
                hardness = rng.normal(0, 1.5)
                for model in range(3):
                    chance = expit(1.0 + ability[model] + languages_of[model, language] - 0.6 * length - hardness)
                    one = record(
                        f"{language}-{length}-{prompt}",
                        f"m{model}",
                        language=f"l{language}",
                        correct=bool(rng.random() < chance),
                        prompt_tokens=TOKENS[length],
                        latency_s=1.0 + model,
                    )
                    fields = {name: getattr(one, name) for name in one.__dataclass_fields__}
                    lines.append(json.dumps({"model": one.model, "result": "answered", "record": fields}))
    head = json.dumps({"laar_profile_journal": 1, "plan": {}})
    path.write_text("\n".join([head, *lines, json.dumps({"model": "m0", "result": "failed", "record": None})]) + "\n")
    return path


def test_fitted_chances_beat_the_simpler_ways_on_outcomes_of_another_seed(tmp_path: Path) -> None:
    train = write(tmp_path / "train", languages=range(8), lengths=3, prompts=6, seed=1)
    held_out = write(tmp_path / "held", languages=range(12), lengths=4, prompts=30, seed=2)
    report = run(train=train, held_out=held_out, edges=EDGES)
    assert [bar.name for bar in report.bars] == [
        "brier_seen_over_best_other",
        "brier_unseen_over_best_other",
        "ece_seen",
    ]
    # so few prompts leave unseen languages and lengths by chance a little behind the best other way
    assert [bar for bar in report.failed() if bar.value > 1.01 * bar.limit] == []
    assert report.figures["parts"]["seen"]["records"] == 8 * 3 * 30 * 3
    assert report.figures["ttca"]["prompts"] == 12 * 4 * 30
    assert report.figures["picks_as_oracle"]["laar"] > report.figures["picks_as_oracle"]["cell_rate"]


def test_held_out_file_without_anything_new_is_refused(tmp_path: Path) -> None:
    train = write(tmp_path / "train", languages=range(2), lengths=2, prompts=2, seed=1)
    with pytest.raises(ValueError, match=r"the held-out file has no unseen language or length; it needs both"):
        run(train=train, held_out=train, edges=EDGES)


def test_calibration_error_is_the_mean_distance_over_bins() -> None:
    # ten bins of two: 0.5 against 1.0 in half of them, against 0.5 in the others
    predicted = np.linspace(0.49, 0.51, 20)
    correct = np.array([1.0] * 10 + [1.0, 0.0] * 5)
    assert calibration_error(predicted, correct) == pytest.approx(0.25, abs=0.01)


def test_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text('{"laar_profile_journal": 1, "plan": {}}\n{"model": "a", "record": {"model": "a"}}\n')
    with pytest.raises(ValueError, match=r"file, line 2: Object missing required field `prompt_id`"):
        read_records(path)


def test_file_without_records_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text('{"round": []}\n')
    with pytest.raises(ValueError, match=r"file has no records"):
        read_records(path)


def test_baselines() -> None:
    known = [record(language="en", correct=True)] * 3 + [record(language="de", correct=False)]
    english, german, new = record(language="en"), record(language="de"), record(language="fr")
    assert [overall_rates(known)(r) for r in (english, german, new)] == [0.75, 0.75, 0.75]
    assert [cell_rates(known, Buckets((128,)))(r) for r in (english, german, new)] == [1.0, 0.0, 0.75]
    logistic = [logistic_per_model(known)(r) for r in (english, german, new)]
    assert logistic[1] < 0.1 < logistic[2] < 0.9 < logistic[0]


def test_compressed_recording_is_read(tmp_path: Path) -> None:
    plain = write(tmp_path / "train", languages=range(2), lengths=2, prompts=2, seed=1)
    packed = tmp_path / "train.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_records(packed) == read_records(plain)
    assert len(read_records(packed)) == 24


def test_compressed_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train.gz"
    path.write_bytes(gzip.compress(b"{}" * 1000)[:-10])
    with pytest.raises(ValueError, match=r"train\.gz is no whole gzip file: Compressed file ended"):
        read_records(path)


def test_file_that_is_compressed_in_name_only_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train.gz"
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"train\.gz is no whole gzip file: Not a gzipped file"):
        read_records(path)
