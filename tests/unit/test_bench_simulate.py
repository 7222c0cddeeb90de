"""The bench of the simulator: what it judges at full size only, what of a run it fits to and is held against."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scripts.bench.commands import bench
from scripts.bench.simulate import size_bars
from scripts.bench.simulated_run import WAYS, Study, load_study
from scripts.bench.ttca_plan import prompts_of, read_plan
from scripts.simulate import calibrate
from scripts.simulate.cluster import Cluster
from scripts.simulate.replay import Asked, play_policy, trials_of
from tests.unit.simulated import FAST, GOOD, profile
from tests.unit.test_simulate_replay import ENGINES, MIXED, PLAN, world

HEAD = {
    "laar_ttca": 1,
    "environment": {},
    "parameters": {"policies": {}, "cap": 10, "seed": 0, "mode": "closed", "concurrency": 2, "sessions": 4},
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
    (folder / "simulate.yaml").write_text("{run: again, calibrated_on: [0], slots: 8}")
    return load_study(folder)


def write_run(folder: Path, roads_s: Mapping[tuple[str, int], float], slow: Collection[tuple[str, int]]) -> None:
    found = world(*MIXED)
    lines = [HEAD]
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
def test_engines_are_fitted_to_how_recorded_answers_compare(tmp_path: Path) -> None:
    found, long = study(tmp_path), {"p0", "p1", "p2"}

    def fitted(factor: float, slow: Collection[str]) -> Cluster:
        records = [
            replace(
                r,
                prompt_tokens=400 if r.prompt_id in long else r.prompt_tokens,
                latency_s=r.latency_s * (factor if r.prompt_id in slow else 1),
            )
            for r in found.timed.outcomes
        ]
        return replace(found, timed=replace(found.timed, outcomes=records)).calibrated().cluster

    cluster, every = fitted(1, ()), {record.prompt_id for record in found.timed.outcomes}
    # powers of two change no digit
    assert fitted(8, every) == cluster
    assert fitted(8, long) != cluster


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
    made = read_plan(folder / found.facts.run / "plan.yaml")
    assert set(found.facts.calibrated_on) < set(range(made.blocks))
    asked = {(policy, prompt.id) for policy in made.policies for prompt in prompts_of(made)}
    assert {(trial.policy, trial.prompt_id) for trial in found.timed.trials} == asked
    assert {trial.block for trial in found.timed.trials} == set(range(made.blocks))
