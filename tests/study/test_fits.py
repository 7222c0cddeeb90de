"""What engines are fitted to, and what they are held against."""

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from scripts.bench.simulated import calibrate
from scripts.bench.simulated import run as simulated_run
from scripts.bench.simulated.replay import Replay
from scripts.bench.simulated.run import Study, load_study
from scripts.simulate.core.cluster import Cluster
from tests.unit.scripts.bench.simulated.test_replay import ENGINES
from tests.unit.scripts.bench.simulated.test_study import FOLDS, KNOWN, ROADS_S, SLOWER, served_again, study
from tests.unit.simulated import FAST, GOOD


@pytest.fixture
def short_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough to tell what is fitted to."""
    monkeypatch.setattr(calibrate, "_REACHES", (0.7,))
    monkeypatch.setattr(calibrate, "_PLAYS", 1)
    monkeypatch.setattr(calibrate, "_MOST_STEPS", 25)


def fitted(found: Study, fold: str = "1") -> Cluster:
    only = replace(found, splits=[split for split in found.splits if split.fold == fold])
    return only.calibrated()["again"][fold].cluster


@pytest.mark.usefixtures("short_search")
def test_engines_are_fitted_to_some_blocks_and_held_against_the_others(tmp_path: Path) -> None:
    found = study(tmp_path)
    cluster = fitted(found)
    assert set(cluster.models) == {FAST, GOOD}
    # what came from other routers and other blocks is not fitted to, however slow it was
    slow = study(tmp_path, slow={("ray", 0), ("laar", 1)})
    assert fitted(slow) == cluster
    assert fitted(slow, "all") != fitted(found, "all")
    assert fitted(study(tmp_path, slow={("round-robin", 0)})) != cluster


@pytest.mark.usefixtures("short_search")
def test_fits_that_run_at_once_are_those_of_their_servings_and_folds(tmp_path: Path) -> None:
    found = served_again(tmp_path, ROADS_S | {("laar", 0): 1.5})
    with ProcessPoolExecutor(2) as pool:
        at_once = found.calibrated(pool.map)
    assert at_once == found.calibrated()
    roads_s = {run: {fold: fit.cluster.verify_s for fold, fit in folds.items()} for run, folds in at_once.items()}
    assert roads_s["again"] == pytest.approx({"all": 4.75, "0": 9.0, "1": 0.5})
    assert roads_s["later"] == pytest.approx({"all": 5.25, "0": 9.0, "1": 1.5})


@pytest.mark.usefixtures("short_search")
def test_how_long_answers_took_that_were_recorded_beforehand_is_not_fitted_to(tmp_path: Path) -> None:
    # all models were asked at once, which no policy does
    found = study(tmp_path)
    slow = [replace(record, latency_s=8 * record.latency_s) for record in found.timed.outcomes]
    assert fitted(replace(found, timed=replace(found.timed, outcomes=slow))) == fitted(found)


@pytest.mark.usefixtures("short_search")
def test_attempts_that_brought_no_answer_are_not_fitted_to(tmp_path: Path) -> None:
    found = study(tmp_path)
    path = tmp_path / "again" / "trials.jsonl"
    failed = {"model": "", "started_s": 0.0, "latency_s": 0.1, "correct": False}
    broken = {**asdict(found.splits[0].to_fit[0]), "error": "503", "tries": [failed]}
    path.write_text(path.read_text() + json.dumps(broken) + "\n")
    assert fitted(load_study(tmp_path)) == fitted(found)


@pytest.fixture
def few_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated_run, "REPEATS", 3)


@pytest.mark.usefixtures("few_repeats")
def test_every_serving_and_fold_has_engines_of_its_own_and_all_are_held_against_the_run_together(
    tmp_path: Path,
) -> None:
    found = served_again(tmp_path)
    together, by_serving = found.replay(KNOWN)
    # of twenty prompts a serving no model answers p5 and p15
    assert {row.name: row.requests for row in together.rows} == {"laar": 36, "round-robin": 36}
    assert {run: [row.requests for row in mine.rows] for run, mine in by_serving.items()} == {
        "again": [18, 18],
        "later": [18, 18],
    }
    known = ratios(together)
    for slow_folds, least in (({"0"}, 1.1), ({"0", "1"}, 1.3)):
        folds = {fold: SLOWER if fold in slow_folds else ENGINES for fold in FOLDS}
        slower, apart = found.replay({**KNOWN, "later": folds})
        assert ratios(apart["again"]) == ratios(by_serving["again"])
        assert ratios(apart["later"])["laar"] > least * ratios(by_serving["later"])["laar"]
        assert known["laar"] < ratios(slower)["laar"] < ratios(apart["later"])["laar"]


def ratios(found: Replay) -> dict[str, float]:
    return {row.name: row.mean_ratio for row in found.rows}


@pytest.mark.usefixtures("few_repeats")
def test_the_published_run_alone_is_played_on_engines_that_were_fitted_to_all_of_the_first_serving(
    tmp_path: Path,
) -> None:
    found = served_again(tmp_path)
    others = {**KNOWN, "again": {"all": ENGINES, "0": SLOWER, "1": SLOWER}, "later": dict.fromkeys(FOLDS, SLOWER)}
    every = {**KNOWN, "again": {"all": SLOWER, "0": ENGINES, "1": ENGINES}}
    assert found.replay(every) == found.replay(KNOWN)
    published = ratios(found.replay_published(KNOWN))
    assert ratios(found.replay_published(others)) == published
    assert ratios(found.replay_published(every))["cascade"] > 1.3 * published["cascade"]
