"""Calibration finds the engines that blocks were served by."""

from dataclasses import replace

import numpy as np
import pytest

from profiles.arrays import Floats
from profiles.measures.trial import Trial, TrialAttempt
from profiles.measuring.measurement import Record
from scripts.bench.simulated.calibrate import block_source, calibrate
from scripts.bench.simulated.replay import play_policy, trials_of
from scripts.bench.simulated.scripted import of_trials, play
from scripts.simulate.core.cluster import Cluster
from scripts.simulate.core.engine import Engine
from tests.unit.scripts.bench.simulated.test_replay import ENGINES, MIXED, PLAN, TRIAL, world
from tests.unit.simulated import FAST, GOOD, engine, record

TRUE = engine(overhead_s=0.2, prefill=0.003, decode=0.06, growth=0.1)


def timed(found: Engine, *, clients: int, count: int = 60, seed: int = 0) -> tuple[list[Trial], list[Record]]:
    """Trials as an engine would have served them, of prompts of many lengths, and what they read and wrote."""
    rng = np.random.default_rng(seed)
    records = [
        replace(
            record(f"{clients}-{i}", "m", correct=True),
            prompt_tokens=int(rng.integers(50, 700)),
            output_tokens=int(rng.integers(5, 40)),
        )
        for i in range(count)
    ]
    blank = [
        replace(
            TRIAL,
            prompt_id=r.prompt_id,
            sent_s=float(i),
            tries=(TrialAttempt(model="m", started_s=0.0, latency_s=1.0, correct=True),),
        )
        for i, r in enumerate(records)
    ]
    seconds = played_s(found, blank, records, clients=clients)
    noise = np.exp(0.05 * rng.standard_normal(count))
    trials = [
        replace(t, tries=(replace(t.tries[0], latency_s=float(s * e)),))
        for t, s, e in zip(blank, seconds, noise, strict=True)
    ]
    return trials, records


def played_s(found: Engine, trials: list[Trial], records: list[Record], *, clients: int) -> Floats:
    return play(Cluster.of({"m": found}), of_trials(trials, records), clients=clients).elapsed_s


def test_calibration_finds_the_engine_that_served_blocks_of_several_loads() -> None:
    blocks = {clients: timed(TRUE, clients=clients) for clients in (1, 8)}
    sources = [block_source(trials, records, clients=clients) for clients, (trials, records) in blocks.items()]
    start = replace(TRUE, prefill_s_per_token=0.004, decode_s_per_token=0.045)
    (found,) = calibrate(Cluster.of({"m": start}), sources).cluster.engines
    assert found.prefill_s_per_token == pytest.approx(0.003, rel=0.1)
    assert found.decode_s_per_token == pytest.approx(0.06, rel=0.15)
    for clients, (trials, records) in blocks.items():
        seconds = played_s(found, trials, records, clients=clients)
        assert seconds.mean() == pytest.approx(np.mean([t.tries[0].latency_s for t in trials]), rel=0.05)


def test_calibration_finds_the_engines_that_a_block_was_served_by() -> None:
    found = world(*MIXED, clients=4)
    trials = trials_of(play_policy(found, PLAN, "round-robin", loop="client"), PLAN, found, name="calibration")
    start = {name: replace(e, decode_s_per_token=1.4 * e.decode_s_per_token) for name, e in ENGINES.items()}
    calibrated = calibrate(Cluster.of(start), [block_source(trials, found.records, clients=4)])
    assert calibrated.mean_ratio == pytest.approx({FAST: 1.0, GOOD: 1.0}, abs=0.03)


def test_calibration_finds_what_engines_on_one_machine_take_from_each_other() -> None:
    slowed = Cluster.of({FAST: replace(ENGINES[FAST], host_share=0.5), GOOD: ENGINES[GOOD]})
    found = replace(world(*MIXED, clients=4), cluster=slowed)
    # one engine at work under the first, the other under the second, both under the third
    names = ("fastest", "most-accurate", "round-robin")
    played = {name: play_policy(found, PLAN, name, loop="client") for name in names}
    sources = [
        block_source(trials_of(outcome, PLAN, found, name=name), found.records, clients=4)
        for name, outcome in played.items()
    ]
    start = Cluster.of({name: replace(engine, host_share=0.5) for name, engine in ENGINES.items()})
    fast, good = calibrate(start, sources).cluster.engines
    assert fast.host_share == pytest.approx(0.5, rel=0.2)
    assert good.host_share < 0.25
