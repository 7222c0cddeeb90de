"""Fitting engines to what was timed, playing a run again, and taking LAAR apart."""

from dataclasses import replace

import numpy as np
import pytest

from profiles.measures.trial import Trial, TrialAttempt
from profiles.profile import CellCounts, PairCounts, Profile
from scripts.bench.simulated.ablation import coarse, without_language, without_length
from scripts.bench.simulated.calibrate import block_source, calibrate
from scripts.bench.simulated.goodput import by_load, deliveries
from scripts.bench.simulated.replay import (
    Replay,
    ReplayedRequest,
    ReplayWorld,
    RetryMode,
    compare,
    play_policy,
    replay,
    trials_of,
)
from scripts.bench.simulated.scripted import of_trials
from scripts.bench.simulated.study import validation_bars
from scripts.simulate.core.cluster import Cluster
from tests.unit.simulated import FAST, GOOD, engine, profile, record

TRUE = engine(overhead_s=0.2, prefill=0.003, decode=0.06, growth=0.1)
ENGINES = {FAST: engine(prefill=0.001, decode=0.1), GOOD: engine(prefill=0.001, decode=0.5)}


def world(*right: tuple[str, bool, bool], clients: int = 2) -> ReplayWorld:
    """Prompts by whether the fast and the good model are right."""
    records = [record(p, m, correct=c) for p, fast, good in right for m, c in ((FAST, fast), (GOOD, good))]
    return ReplayWorld(profile=profile(), records=records, cluster=Cluster.of(ENGINES), clients=clients)


MIXED = [(f"p{i}", i % 2 == 0, i % 5 != 0) for i in range(20)]
PLAN = [ReplayedRequest(prompt_id=name, session=name) for name, _, _ in MIXED]


def test_a_block_that_never_asked_a_model_is_refused() -> None:
    found = world(*MIXED)
    trials = trials_of(play_policy(found, PLAN, "fastest", loop="client"), PLAN, found, name="calibration")
    with pytest.raises(ValueError, match=r"no attempt at \['good'\]"):
        calibrate(Cluster.of(ENGINES), [block_source(trials, found.records, clients=2)])


def test_attempts_whose_tokens_nobody_tells_are_refused() -> None:
    made = TrialAttempt(model=FAST, started_s=0.0, latency_s=1.0, correct=True)
    trial = replace(TRIAL, tries=(made,))
    with pytest.raises(ValueError, match="'fast' had for prompt 'p0'"):
        of_trials([trial], [])
    assert of_trials([trial], [record("p0", FAST, correct=True)])[0][0].output_tokens == 10


TRIAL = Trial(
    policy="laar",
    block=0,
    prompt_id="p0",
    task="t",
    language="en",
    target_tokens=100,
    session="",
    sent_s=0.0,
    elapsed_s=1.0,
    tries=(),
)


def real_run(*names: str) -> tuple[ReplayWorld, list[Trial]]:
    found = world(*MIXED)
    loops = {"laar": "server"}
    trials = []
    for name in names:
        outcome = play_policy(found, PLAN, name, loop="server" if name in loops else "client")
        trials += trials_of(outcome, PLAN, found, name=name)
    return found, trials


def test_a_run_of_the_simulator_is_replayed_exactly() -> None:
    found, trials = real_run("laar", "load-aware")
    rows = {row.name: row for row in compare([replay(found, trials)]).rows}
    assert rows.keys() == {"laar", "load-aware"}
    for row in rows.values():
        assert (row.mean_ratio, row.p95_ratio) == pytest.approx((1.0, 1.0))


def test_a_repeated_replay_says_how_much_is_luck() -> None:
    found, trials = real_run("load-aware")
    once, often = (compare([replay(found, trials, repeats=repeats)]).rows[0] for repeats in (1, 4))
    assert np.isnan(once.spread.mean_s)
    assert 0 < often.spread.mean_s < 0.5 * often.simulated.mean_s


@pytest.mark.parametrize(("clients", "places"), [(1, {FAST}), (2, {FAST, GOOD})])
def test_those_that_begin_at_once_come_in_any_order(clients: int, places: set[str]) -> None:
    found, trials = real_run("round-robin")
    repeats = replay(replace(found, clients=clients), trials, repeats=20).repeats
    firsts = [{was.prompt_id: now.tries[0].model for was, now in one["round-robin"]} for one in repeats]
    assert {models["p0"] for models in firsts} == places
    assert all(models.keys() == firsts[0].keys() for models in firsts)


def test_a_reader_gets_the_right_answer_at_its_end_and_nothing_else() -> None:
    found = world(("right", True, True), ("wrong", False, False))
    plan = [ReplayedRequest(prompt_id="right"), ReplayedRequest(prompt_id="wrong")]
    outcome = play_policy(found, plan, "laar", loop="server")
    right, wrong = deliveries(outcome)
    assert right.token_times_s == (float(outcome.elapsed_s[0]),) * 10
    assert (wrong.token_times_s, wrong.is_complete) == ((), False)


def test_smooth_goodput_rises_with_the_load_and_falls_beyond_what_engines_can_do() -> None:
    found = replace(world(("p", True, True)), clients=0)
    points = by_load(found, ["laar"], [0.01, 0.1, 100.0], requests=200, sessions=2, seed=0)["laar"]
    assert [point.load_per_s for point in points] == [0.01, 0.1, 100.0]
    few, more, flood = (point.smooth_tokens_per_s for point in points)
    assert 5 * few < more
    assert flood / 100.0 < 0.5 * more / 0.1


def test_in_time_are_right_answers_within_ten_seconds_of_arrival() -> None:
    found = replace(world(("right", True, True), ("wrong", False, False)), clients=0)
    idle, flood = by_load(found, ["laar"], [0.01, 1000.0], requests=200, sessions=2, seed=0)["laar"]
    # about every second request is for the prompt that somebody answers
    assert idle.in_time_per_s == pytest.approx(0.005, rel=0.2)
    assert flood.in_time_per_s / 1000.0 < 0.5 * idle.in_time_per_s / 0.01


def test_replay_tells_that_engines_are_slower_than_thought() -> None:
    found, trials = real_run("laar")
    slower = {name: replace(e, decode_s_per_token=1.5 * e.decode_s_per_token) for name, e in ENGINES.items()}
    row = compare([replay(replace(found, cluster=Cluster.of(slower)), trials)]).rows[0]
    assert row.mean_ratio > 1.3
    assert [bar.name for bar in validation_bars(Replay(rows=[row])) if not bar.ok] == [
        "off_run_laar_mean",
        "off_run_laar_p95",
    ]


def test_prompts_that_no_model_answers_are_simulated_but_not_compared() -> None:
    found, trials = real_run("laar")
    # wrong by both: p5 and p15
    assert compare([replay(found, trials)]).rows[0].requests == 18


def test_contenders_that_cannot_be_simulated_are_named() -> None:
    found, trials = real_run("laar")
    foreign = [replace(trial, policy="litellm") for trial in trials]
    assert list(compare([replay(found, [*trials, *foreign])]).skipped) == ["litellm"]


def test_a_contender_may_be_a_policy_under_another_name() -> None:
    found = world(*MIXED)
    trials = trials_of(play_policy(found, PLAN, "fastest", loop="server"), PLAN, found, name="cascade")
    row = compare([replay(found, trials, ways={"cascade": RetryMode(policy="fastest", loop="server")})]).rows[0]
    assert row.mean_ratio == pytest.approx(1.0)


def test_prompts_without_every_models_answer_are_refused() -> None:
    with pytest.raises(ValueError, match="1 prompts were not answered by every model"):
        play_policy(world(*MIXED), [ReplayedRequest(prompt_id="elsewhere")], "laar", loop="server")


def test_merged_counts_add_up() -> None:
    cells = tuple(
        CellCounts(task="t", language=language, bucket=bucket, correct=1 + bucket, tried=4)
        for language in ("en", "de")
        for bucket in (0, 1)
    )
    pairs = [
        PairCounts(failed=GOOD, model=FAST, task="t", language=c.language, bucket=c.bucket, correct=1, tried=2)
        for c in cells
    ]
    base = profile(*pairs)
    full = base.model_copy(update={"models": {FAST: base.models[FAST].model_copy(update={"cells": cells})}})

    def counts(found: Profile) -> list[tuple[str, int, int, int]]:
        return [(c.language, c.bucket, c.correct, c.tried) for c in found.models[FAST].cells]

    assert counts(without_language(full)) == [("unknown", 0, 2, 8), ("unknown", 1, 4, 8)]
    assert counts(without_length(full)) == [("en", 0, 3, 8), ("de", 0, 3, 8)]
    assert counts(coarse(full)) == [("unknown", 0, 6, 16)]
    assert [(p.correct, p.tried) for p in coarse(full).pairs] == [(4, 8)]
