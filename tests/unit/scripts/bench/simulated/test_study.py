"""The bench of the simulator: what it judges at full size only, what of a run it fits to and is held against."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from profiles.measures.trial import Trial
from scripts.bench.commands import bench
from scripts.bench.simulated import run as simulated_run
from scripts.bench.simulated.replay import ReplayedRequest, play_policy, trials_of
from scripts.bench.simulated.run import WAYS, Split, Study, load_study, read_engines
from scripts.bench.simulated.study import size_bars
from tests.unit.scripts.bench.simulated.test_replay import ENGINES, MIXED, PLAN, world
from tests.unit.simulated import profile

HEAD: dict[str, Any] = {
    "laar_ttca": 1,
    "environment": {},
    "parameters": {"policies": {}, "cap": 10, "seed": 0, "mode": "closed", "concurrency": 2, "sessions": 4},
}
POLICIES = ("laar", "round-robin", "ray")
# by policy and block, what the client waits beside its attempts
ROADS_S = {(policy, block): 9.0 for policy in POLICIES for block in (0, 1)} | {("laar", 0): 0.5}
# two servings in two folds, all on these
FOLDS = ("all", "0", "1")
KNOWN = {serving: dict.fromkeys(FOLDS, ENGINES) for serving in ("again", "later")}
SLOWER = {name: replace(engine, decode_s_per_token=2 * engine.decode_s_per_token) for name, engine in ENGINES.items()}


@pytest.fixture(autouse=True)
def few_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated_run, "REPEATS", 3)


def test_time_and_memory_of_a_smaller_cluster_are_not_judged() -> None:
    small, full = (size_bars(many, 1000, wall_s=1.0, memory_gib=1.0) for many in (10_000, 1_000_000))
    assert [(bar.name, bar.ok) for bar in small] == [("full_size", False)]
    assert [(bar.name, bar.ok) for bar in full] == [("wall_s", True), ("memory_gib", True)]


def test_a_cluster_that_ten_models_do_not_share_evenly_is_refused() -> None:
    done = CliRunner().invoke(bench, ["simulate", "--replicas", "1005"])
    assert done.exit_code == 2
    assert "a multiple of 10 is wanted" in done.output


def study(
    folder: Path, roads_s: Mapping[tuple[str, int], float] = ROADS_S, slow: Collection[tuple[str, int]] = ()
) -> Study:
    """A run on known engines, ten prompts a block, in two folds; and a published one."""
    (folder / "again").mkdir(exist_ok=True)
    write_run(folder, {("cascade", 0): 0.0}, ())
    write_run(folder / "again", roads_s, slow)
    (folder / "profile.json").write_text(profile().model_dump_json())
    (folder / "simulate.yaml").write_text("{runs: [again], folds: 2, slots: 8}")
    return load_study(folder)


def write_run(
    folder: Path, roads_s: Mapping[tuple[str, int], float], slow: Collection[tuple[str, int]], **parameters: int
) -> None:
    found = world(*MIXED)
    lines: list[dict[str, Any]] = [{**HEAD, "parameters": {**HEAD["parameters"], **parameters}}]
    for (name, block), road_s in roads_s.items():
        plan: list[ReplayedRequest] = PLAN[:10] if block % 2 == 0 else PLAN[10:]
        way = WAYS.get(name, WAYS["round-robin"])
        played = play_policy(found, plan, way.policy, loop="server")
        trials = trials_of(played, plan, found, name=name, block=block)
        if (name, block) in slow:
            trials = [replace(t, tries=tuple(replace(a, latency_s=10 * a.latency_s) for a in t.tries)) for t in trials]
        lines += [asdict(replace(trial, elapsed_s=trial.elapsed_s + road_s)) for trial in trials]
    (folder / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    answers = "".join(json.dumps({"result": "answered", "record": asdict(r)}) + "\n" for r in found.records)
    (folder / "outcomes.jsonl").write_text(answers)


def test_the_way_to_the_router_is_the_mean_of_laars_in_the_blocks_to_fit_to(tmp_path: Path) -> None:
    roads_s = {split.fold: split.road_s for split in study(tmp_path).splits}
    assert roads_s == pytest.approx({"all": 4.75, "0": 9.0, "1": 0.5})


def served_again(folder: Path, roads_s: Mapping[tuple[str, int], float] = ROADS_S, **parameters: int) -> Study:
    """The run of `study`, and a second serving of it."""
    study(folder)
    (folder / "later").mkdir()
    write_run(folder / "later", roads_s, (), **parameters)
    (folder / "simulate.yaml").write_text("{runs: [again, later], folds: 2, slots: 8}")
    return load_study(folder)


def blocks(trials: Sequence[Trial]) -> set[int]:
    return {trial.block for trial in trials}


def test_every_block_is_held_out_once_from_engines_that_were_not_fitted_to_it(tmp_path: Path) -> None:
    study(tmp_path, {("laar", block): 0.5 for block in range(5)})
    (tmp_path / "simulate.yaml").write_text("{runs: [again], folds: 3, slots: 8}")
    assert {split.fold: (blocks(split.to_fit), blocks(split.held_out)) for split in load_study(tmp_path).splits} == {
        "all": ({0, 1, 2, 3, 4}, set()),
        "0": ({1, 2, 4}, {0, 3}),
        "1": ({0, 2, 3}, {1, 4}),
        "2": ({0, 1, 3, 4}, {2}),
    }


def test_a_fold_without_blocks_is_left_out(tmp_path: Path) -> None:
    study(tmp_path)
    (tmp_path / "simulate.yaml").write_text("{runs: [again], folds: 5, slots: 8}")
    assert [split.fold for split in load_study(tmp_path).splits] == ["all", "0", "1"]


def test_a_serving_whose_blocks_are_all_of_one_fold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"blocks of again must be of two of 2 folds at least; it has \[0, 2\]$"):
        study(tmp_path, {("laar", 0): 0.5, ("laar", 2): 0.5})


def test_a_block_that_a_serving_broke_off_in_is_left_out(tmp_path: Path) -> None:
    found = served_again(tmp_path, {**ROADS_S, ("laar", 2): 9.0, ("round-robin", 2): 9.0})
    for split in found.splits:
        assert 2 not in blocks([*split.to_fit, *split.held_out])
    with pytest.raises(ValueError, match=r"blocks of again must be of two of 2 folds at least; it has \[1\]$"):
        study(tmp_path, {key: road_s for key, road_s in ROADS_S.items() if key != ("ray", 0)})


def test_servings_of_different_plans_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="later belongs to another plan: seed was 0, is now 7"):
        served_again(tmp_path, seed=7)


def test_engines_of_other_servings_and_folds_are_refused(tmp_path: Path) -> None:
    known = {name: asdict(engine) for name, engine in ENGINES.items()}
    (tmp_path / "engines.json").write_text(json.dumps({"again": {"all": known, "0": known}}))

    def of(serving: str, *folds: str) -> list[Split]:
        return [Split(serving=serving, fold=fold, to_fit=()) for fold in folds]

    assert read_engines(tmp_path, of("again", "all", "0")) == {"again": {"all": ENGINES, "0": ENGINES}}
    has = r"has engines of \['again 0', 'again all'\]; those of "
    with pytest.raises(ValueError, match=has + r"\['later 0', 'later all'\] are wanted; .*--write` writes it"):
        read_engines(tmp_path, of("later", "all", "0"))
    with pytest.raises(ValueError, match=has + r"\['again 0', 'again 1', 'again all'\] are wanted"):
        read_engines(tmp_path, of("again", "all", "0", "1"))
    with pytest.raises(ValueError, match=has + r"\['again all'\] are wanted"):
        read_engines(tmp_path, of("again", "all"))


def test_engines_that_have_no_folds_are_refused(tmp_path: Path) -> None:
    known = {name: asdict(engine) for name, engine in ENGINES.items()}
    (tmp_path / "engines.json").write_text(json.dumps({"again": known}))
    with pytest.raises(ValueError, match=r"engines.json: .*--write` writes it"):
        read_engines(tmp_path, [])


def test_a_serving_named_twice_is_refused(tmp_path: Path) -> None:
    study(tmp_path)
    (tmp_path / "simulate.yaml").write_text("{runs: [again, again], folds: 2, slots: 8}")
    with pytest.raises(ValueError, match=r"each serving counts once; more than once: \['again'\]"):
        load_study(tmp_path)


def test_faults_of_the_facts_are_told_by_their_keys(tmp_path: Path) -> None:
    study(tmp_path)
    (tmp_path / "simulate.yaml").write_text("{runs: [again], folds: 1, slots: 0, speed: 1}")
    told = r"folds: .* \(1 given\)\nslots: .* \(0 given\)\nspeed: there is no such key$"
    with pytest.raises(ValueError, match=told):
        load_study(tmp_path)


def test_the_published_run_is_replayed_whole(tmp_path: Path) -> None:
    found = study(tmp_path)
    assert [row.name for row in found.replay_published(KNOWN).rows] == ["cascade"]


def test_a_run_to_fit_to_is_a_closed_loop_and_has_laar(tmp_path: Path) -> None:
    found = study(tmp_path)
    with pytest.raises(ValueError, match="engines are fitted to closed loops"):
        replace(found, timed=replace(found.timed, clients=0)).calibrated()
    with pytest.raises(ValueError, match="again has no trials of laar to fit to"):
        study(tmp_path, {("cascade", 0): 0.5, ("cascade", 1): 0.5}).calibrated()


SERVED = {"interleaved": [*range(12)], "interleaved-again": [1, 2, 3, 4, 5], "interleaved-third": [0, 1, 2, 3, 4]}
