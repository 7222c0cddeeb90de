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
from scripts.bench.simulate import WITHIN_RUN, size_bars
from scripts.bench.simulated_published import validation_table
from scripts.bench.simulated_run import WAYS, Serving, Study, load_study, read_engines
from scripts.bench.ttca_plan import blocks_of, prompts_of, read_plan
from scripts.simulate import calibrate
from scripts.simulate.cluster import Cluster
from scripts.simulate.replay import Asked, play_policy, trials_of
from tests.unit.simulated import FAST, GOOD, profile
from tests.unit.test_simulate_replay import ENGINES, MIXED, PLAN, world

HEAD: dict[str, Any] = {
    "laar_ttca": 1,
    "environment": {},
    "parameters": {"policies": {}, "cap": 10, "seed": 0, "mode": "closed", "concurrency": 2, "sessions": 4},
}
POLICIES = ("laar", "round-robin", "ray")
# by policy and block, what the client waits beside its attempts
ROADS_S = {(policy, block): 9.0 for policy in POLICIES for block in (0, 1)} | {("laar", 0): 0.5}
# two servings, both on these
KNOWN = {"again": ENGINES, "later": ENGINES}


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
    folder: Path, roads_s: Mapping[tuple[str, int], float], slow: Collection[tuple[str, int]], **parameters: int
) -> None:
    found = world(*MIXED)
    lines: list[dict[str, Any]] = [{**HEAD, "parameters": {**HEAD["parameters"], **parameters}}]
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
    assert [serving.road_s for serving in study(tmp_path).servings] == pytest.approx([0.5])


@pytest.fixture
def short_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough to tell what is fitted to."""
    monkeypatch.setattr(calibrate, "_REACHES", (0.7,))
    monkeypatch.setattr(calibrate, "_PLAYS", 1)
    monkeypatch.setattr(calibrate, "_MOST_STEPS", 60)


def served_again(folder: Path, roads_s: Mapping[tuple[str, int], float] = ROADS_S, **parameters: int) -> Study:
    """The run of `study`, and a second serving of it."""
    study(folder)
    (folder / "later").mkdir()
    write_run(folder / "later", roads_s, (), **parameters)
    (folder / "simulate.yaml").write_text("{runs: [again, later], calibrated_on: [0], slots: 8}")
    return load_study(folder)


def fitted(found: Study) -> Cluster:
    return found.calibrated()["again"].cluster


@pytest.mark.usefixtures("short_search")
def test_engines_are_fitted_to_some_blocks_and_held_against_the_others(tmp_path: Path) -> None:
    found = study(tmp_path)
    cluster = fitted(found)
    assert set(cluster.models) == {FAST, GOOD}
    # what came from other routers and other blocks is not fitted to, however slow it was
    assert fitted(study(tmp_path, slow={("ray", 0), ("laar", 1)})) == cluster
    assert fitted(study(tmp_path, slow={("round-robin", 0)})) != cluster
    # no model answers p15
    assert {row.name: row.requests for row in found.replay(KNOWN).rows} == {"laar": 9, "round-robin": 9}


@pytest.mark.usefixtures("short_search")
def test_how_long_answers_took_that_were_recorded_beforehand_is_not_fitted_to(tmp_path: Path) -> None:
    # all models were asked at once, which no policy does
    found = study(tmp_path)
    slow = [replace(record, latency_s=8 * record.latency_s) for record in found.timed.outcomes]
    assert fitted(replace(found, timed=replace(found.timed, outcomes=slow))) == fitted(found)


@pytest.mark.usefixtures("short_search")
def test_attempts_that_brought_no_answer_are_not_fitted_to(tmp_path: Path) -> None:
    found = study(tmp_path)
    (serving,) = found.servings
    path = tmp_path / "again" / "trials.jsonl"
    failed = {"model": "", "started_s": 0.0, "latency_s": 0.1, "correct": False}
    broken = {**asdict(serving.to_fit[0]), "error": "503", "tries": [failed]}
    path.write_text(path.read_text() + json.dumps(broken) + "\n")
    assert fitted(load_study(tmp_path)) == fitted(found)


def test_every_serving_has_engines_of_its_own_and_all_are_held_against_the_run_together(tmp_path: Path) -> None:
    found = served_again(tmp_path, ROADS_S | {("laar", 0): 1.5})
    assert [serving.road_s for serving in found.servings] == pytest.approx([0.5, 1.5])
    # no model answers p15
    assert {row.name: row.requests for row in found.replay(KNOWN).rows} == {"laar": 18, "round-robin": 18}
    slower = {name: replace(e, decode_s_per_token=2 * e.decode_s_per_token) for name, e in ENGINES.items()}
    apart = found.replay_servings({"again": ENGINES, "later": slower})
    one, other = ({row.name: row.mean_ratio for row in apart[run].rows} for run in ("again", "later"))
    assert other["laar"] > 1.3 * one["laar"]
    together = {row.name: row.mean_ratio for row in found.replay({"again": ENGINES, "later": slower}).rows}
    assert one["laar"] < together["laar"] < other["laar"]


def test_a_block_that_a_serving_broke_off_in_is_left_out(tmp_path: Path) -> None:
    cut = {key: road_s for key, road_s in ROADS_S.items() if key != ("ray", 1)}
    found = served_again(tmp_path, cut)
    assert [{trial.block for trial in serving.held_out} for serving in found.servings] == [{1}, set()]
    with pytest.raises(ValueError, match=r"calibrated_on: again has none of the blocks \[0\] whole; it has \[1\]"):
        study(tmp_path, {key: road_s for key, road_s in ROADS_S.items() if key != ("ray", 0)})


def test_servings_of_different_plans_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="later belongs to another plan: seed was 0, is now 7"):
        served_again(tmp_path, seed=7)


def test_engines_of_other_servings_are_refused(tmp_path: Path) -> None:
    engines = {"again": {name: asdict(engine) for name, engine in ENGINES.items()}}
    (tmp_path / "engines.json").write_text(json.dumps(engines))
    assert read_engines(tmp_path, ["again"]) == {"again": ENGINES}
    with pytest.raises(ValueError, match=r"has engines of \['again'\]; those of \['again', 'later'\] are wanted"):
        read_engines(tmp_path, ["again", "later"])


def test_faults_of_the_facts_are_told_by_their_keys(tmp_path: Path) -> None:
    study(tmp_path)
    (tmp_path / "simulate.yaml").write_text("{runs: [again], calibrated_on: [0], slots: 0, speed: 1}")
    with pytest.raises(ValueError, match=r"slots: .* \(0 given\)\nspeed: Extra inputs are not permitted \(1 given\)$"):
        load_study(tmp_path)


def test_blocks_that_no_serving_has_are_refused(tmp_path: Path) -> None:
    study(tmp_path)
    (tmp_path / "simulate.yaml").write_text("{runs: [again], calibrated_on: [0, 2], slots: 8}")
    with pytest.raises(ValueError, match=r"calibrated_on: blocks \[2\]; the run has \[0, 1\]"):
        load_study(tmp_path)


def test_the_published_run_is_replayed_whole(tmp_path: Path) -> None:
    found = study(tmp_path)
    assert [row.name for row in found.replay_published(KNOWN).rows] == ["cascade"]


def test_a_run_without_other_blocks_is_refused(tmp_path: Path) -> None:
    found = study(tmp_path, {("laar", 0): 0.5})
    with pytest.raises(ValueError, match=r"calibrated_on: the run has no other blocks than \[0\]"):
        found.replay(KNOWN)


def test_a_run_to_calibrate_on_is_a_closed_loop_and_has_laar(tmp_path: Path) -> None:
    found = study(tmp_path)
    with pytest.raises(ValueError, match="engines are fitted to closed loops"):
        replace(found, timed=replace(found.timed, clients=0)).calibrated()
    with pytest.raises(ValueError, match="again has no trials of laar to calibrate on"):
        study(tmp_path, {("cascade", 0): 0.5, ("cascade", 1): 0.5}).calibrated()


def test_page_has_the_figures_that_the_bench_found() -> None:
    docs = Path(__file__).parents[2] / "docs"
    figures = json.loads((docs / "benchmarks/simulate.json").read_text())["figures"]
    assert validation_table(figures["validation"], WITHIN_RUN) in (docs / "simulator.md").read_text()


def test_table_sets_in_bold_what_is_too_far_off() -> None:
    def beside(mean: float, p95: float) -> dict[str, Any]:
        side = {"mean_s": 2.0, "p95_s": 4.0, "attempts": 1.5}
        spread = {"mean_s": 0.1, "p95_s": 0.01, "attempts": 0.0}
        row = {"name": "laar", "requests": 9, "mean_ratio": mean, "p95_ratio": p95}
        return {"policies": [{**row, "simulated": side, "real": side, "spread": spread}]}

    found = {
        "other_blocks": beside(1.04, 1.11),
        "each_serving": {"one": beside(0.97, 1.0), "other": beside(1.2, 1.3)},
        "published_run": beside(0.89, 1.0),
    }
    assert validation_table(found, 0.1).splitlines()[2] == (
        "| laar | 9 | 1.04 ± 0.05 | **1.11** | 1.50 / 1.50 | 0.97, 1.20 | 1.00, 1.30 | **0.89** | 1.00 |"
    )


def test_run_of_this_repository_is_what_its_plan_asked_for() -> None:
    folder = Path(__file__).parents[2] / "docs/results"
    found = load_study(folder)
    made = read_plan(folder / found.facts.runs[0] / "plan.yaml")
    wanted = [{sending.prompt.id for sending in block} for block in blocks_of(made, prompts_of(made))]
    for serving in found.servings:
        served: dict[tuple[str, int], set[str]] = defaultdict(set)
        for trial in (*serving.to_fit, *serving.held_out):
            served[trial.policy, trial.block].add(trial.prompt_id)
        blocks = {block for _, block in served}
        assert served == {(policy, block): wanted[block] for policy in made.policies for block in blocks}
    assert blocks_served(found.servings[0]) == set(range(made.blocks))


def blocks_served(serving: Serving) -> set[int]:
    return {trial.block for trial in (*serving.to_fit, *serving.held_out)}
