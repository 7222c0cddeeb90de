"""The bench of the simulator: what it judges at full size only, what of a run it fits to and is held against."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scripts.bench.commands import bench
from scripts.bench.simulate import size_bars
from scripts.bench.simulated_run import WAYS, Study, load_study
from scripts.bench.ttca_plan import blocks_of, prompts_of, read_plan
from scripts.simulate import calibrate
from scripts.simulate.replay import Asked, play_policy, trials_of
from tests.unit.simulated import FAST, GOOD, profile
from tests.unit.test_simulate_replay import ENGINES, MIXED, PLAN, world

HEAD = {
    "laar_ttca": 1,
    "environment": {},
    "parameters": {
        "policies": {},
        "cap": 10,
        "seed": 0,
        "mode": "closed",
        "concurrency": 2,
        "sessions": 4,
        "blocks": 2,
    },
}
# by policy and block, what the client waits beside its attempts
ROADS_S = {("laar", 0): 0.5, ("laar", 1): 9.0, ("round-robin", 0): 9.0, ("ray", 0): 9.0}


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
    """A run on known engines, ten prompts a block, of which block 0 is to calibrate on; and a published one."""
    (folder / "again").mkdir(exist_ok=True)
    write_run(folder, {("cascade", 0): 0.0}, ())
    write_run(folder / "again", roads_s, slow)
    (folder / "profile.json").write_text(profile().model_dump_json())
    (folder / "simulate.yaml").write_text("{runs: [again], calibrated_on: [0], slots: 8}")
    return load_study(folder)


def write_run(
    folder: Path,
    roads_s: Mapping[tuple[str, int], float],
    slow: Collection[tuple[str, int]],
    head: Mapping[str, Any] = HEAD,
) -> None:
    found = world(*MIXED)
    lines = [dict(head)]
    for (name, block), road_s in roads_s.items():
        plan: list[Asked] = PLAN[10 * block : 10 * block + 10]
        way = WAYS.get(name, WAYS["round-robin"])
        played = play_policy(found, plan, way.policy, loop="server")
        trials = trials_of(played, plan, found, name=name, block=block)
        if (name, block) in slow:
            trials = [replace(t, tries=tuple(replace(a, latency_s=10 * a.latency_s) for a in t.tries)) for t in trials]
        lines += [asdict(replace(trial, elapsed_s=trial.elapsed_s + road_s)) for trial in trials]
    (folder / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    answers = "".join(json.dumps({"result": "answered", "record": asdict(r)}) + "\n" for r in found.records)
    (folder / "outcomes.jsonl").write_text(answers)


def test_the_way_to_the_router_is_the_mean_of_laars_in_the_blocks_to_calibrate_on(tmp_path: Path) -> None:
    assert study(tmp_path).road_s == pytest.approx(0.5)


@pytest.fixture
def short_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough to tell what is fitted to."""
    monkeypatch.setattr(calibrate, "_REACHES", (0.7,))
    monkeypatch.setattr(calibrate, "_PLAYS", 1)
    monkeypatch.setattr(calibrate, "_MOST_STEPS", 60)


@pytest.mark.usefixtures("short_search")
def test_engines_are_fitted_to_some_blocks_and_held_against_the_others(tmp_path: Path) -> None:
    found = study(tmp_path)
    cluster = found.calibrated().cluster
    assert set(cluster.models) == {FAST, GOOD}
    # what came from other routers and other blocks is not fitted to, however slow it was
    slow = study(tmp_path, slow={("ray", 0), ("laar", 1)})
    assert slow.calibrated().cluster == cluster
    assert study(tmp_path, slow={("round-robin", 0)}).calibrated().cluster != cluster
    rows = found.replay(ENGINES).rows
    # no model answers p15
    assert [(row.name, row.requests) for row in rows] == [("laar", 9)]


@pytest.mark.usefixtures("short_search")
def test_how_long_answers_took_that_were_recorded_beforehand_is_not_fitted_to(tmp_path: Path) -> None:
    # all models were asked at once, which no block does
    found = study(tmp_path)
    slow = [replace(record, latency_s=8 * record.latency_s) for record in found.timed.outcomes]
    cluster = replace(found, timed=replace(found.timed, outcomes=slow)).calibrated().cluster
    assert cluster == found.calibrated().cluster


def test_of_every_serving_of_a_run_the_same_blocks_are_to_calibrate_on(tmp_path: Path) -> None:
    study(tmp_path)
    (tmp_path / "later").mkdir()
    write_run(tmp_path / "later", {("laar", 0): 1.5, ("laar", 1): 9.0, ("cascade", 1): 0.0}, ())
    (tmp_path / "simulate.yaml").write_text("{runs: [again, later], calibrated_on: [0], slots: 8}")
    found = load_study(tmp_path)
    assert {trial.block for trial in found.timed.trials} == {0, 1, 2, 3}
    assert found.road_s == pytest.approx(1.0)
    # no model answers p15
    assert {row.name: row.requests for row in found.replay(ENGINES).rows} == {"laar": 18, "cascade": 9}


def test_servings_of_different_plans_are_refused(tmp_path: Path) -> None:
    study(tmp_path)
    (tmp_path / "other").mkdir()
    other = {**HEAD, "parameters": {**HEAD["parameters"], "blocks": 3}}
    write_run(tmp_path / "other", {("laar", 0): 0.5}, (), other)
    (tmp_path / "simulate.yaml").write_text("{runs: [again, other], calibrated_on: [0], slots: 8}")
    with pytest.raises(ValueError, match="runs: they differ in blocks, clients, cap or sessions"):
        load_study(tmp_path)


def test_the_published_run_is_replayed_whole(tmp_path: Path) -> None:
    found = study(tmp_path)
    assert [row.name for row in found.replay_published(ENGINES).rows] == ["cascade"]
    assert [row.name for row in found.replay(ENGINES).rows] == ["laar"]


def test_a_run_without_other_blocks_is_refused(tmp_path: Path) -> None:
    found = study(tmp_path, {("laar", 0): 0.5})
    with pytest.raises(ValueError, match=r"calibrated_on: the run has no other blocks than \[0\]"):
        found.replay(ENGINES)


def test_a_run_to_calibrate_on_is_a_closed_loop_and_has_laar(tmp_path: Path) -> None:
    found = study(tmp_path)
    with pytest.raises(ValueError, match="engines are fitted to closed loops"):
        replace(found, timed=replace(found.timed, clients=0)).calibrated()
    with pytest.raises(ValueError, match="no trials of laar to calibrate on"):
        study(tmp_path, {("cascade", 0): 0.5, ("laar", 1): 0.5}).calibrated()


def test_run_of_this_repository_is_what_its_plan_asked_for() -> None:
    folder = Path(__file__).parents[2] / "docs/results"
    found = load_study(folder)
    made = read_plan(folder / found.facts.runs[0] / "plan.yaml")
    assert set(found.facts.calibrated_on) < set(range(made.blocks))
    wanted = [{sending.prompt.id for sending in block} for block in blocks_of(made, prompts_of(made))]
    served: dict[tuple[str, int], set[str]] = defaultdict(set)
    for trial in found.timed.trials:
        served[trial.policy, trial.block].add(trial.prompt_id)
    # the first serving is whole, of later ones some blocks may be missing, under all policies
    assert {block for _, block in served} >= set(range(made.blocks))
    assert served.keys() == {(policy, block) for policy in made.policies for _, block in served}
    assert {key: wanted[key[1] % made.blocks] for key in served} == served
