"""Small clusters for the tests of the simulator."""

from collections.abc import Sequence

import numpy as np

from profiles.arrays import Floats
from profiles.measuring.measurement import Record
from profiles.profile import NO_PROFILE, CellCounts, Latency, ModelProfile, PairCounts, Profile
from scripts.simulate.core.cluster import Cluster
from scripts.simulate.core.engine import Engine
from scripts.simulate.core.router import Loop, SimulatedRouter
from scripts.simulate.core.simulation import Results, Simulation
from scripts.simulate.core.traffic import SimulatedPrompt, Traffic
from scripts.simulate.core.truth import RecordedTruth

FAST, GOOD = "fast", "good"


def engine(
    *,
    overhead_s: float = 0.0,
    prefill: float = 0.01,
    decode: float = 0.1,
    growth: float = 0.0,
    slots: int = 8,
    chunk_tokens: int = 2048,
) -> Engine:
    return Engine(
        overhead_s=overhead_s,
        prefill_s_per_token=prefill,
        decode_s_per_token=decode,
        decode_growth=growth,
        slots=slots,
        chunk_tokens=chunk_tokens,
    )


def profile(*pairs: PairCounts) -> Profile:
    """A fast model that is right in half of the cases and a good one that is always right and five times slower."""
    return Profile(
        version=1,
        measured=NO_PROFILE.measured,
        bucket_edges=(128,),
        models={FAST: _model(0.1, 20), GOOD: _model(0.5, 40)},
        pairs=pairs,
    )


def _model(decode: float, correct: int) -> ModelProfile:
    return ModelProfile(
        latency=Latency(overhead_s=0.0, prefill_s_per_token=0.001, decode_s_per_token=decode),
        chars_per_token={"unknown": 4.0},
        chars_per_symbol_token=2.0,
        output_tokens={"t": 10.0},
        cells=(CellCounts(task="t", language="en", bucket=0, correct=correct, tried=40),),
    )


def record(prompt: str, model: str, *, correct: bool, latency_s: float = 1.0, concurrency: int = 1) -> Record:
    return Record(
        prompt_id=prompt,
        model=model,
        task="t",
        language="en",
        correct=correct,
        latency_s=latency_s,
        concurrency=concurrency,
        prompt_tokens=100,
        output_tokens=10,
        num_chars=400,
        symbol_share=0.0,
    )


def prompt(models: int, *, name: str = "p", prompt_tokens: float = 100, output_tokens: float = 10) -> SimulatedPrompt:
    return SimulatedPrompt(
        id=name,
        task="t",
        language="en",
        prompt_tokens=(prompt_tokens,) * models,
        output_tokens=(output_tokens,) * models,
    )


def ask(
    cluster: Cluster,
    prompts: Sequence[SimulatedPrompt],
    right: Sequence[Record],
    *,
    policy: str = "fastest",
    loop: Loop = "server",
    arrival_s: Floats | None = None,
    clients: int = 0,
    cap: int = 10,
    known: Profile = NO_PROFILE,
    sessions: Sequence[str] | None = None,
) -> Results:
    """Ask each prompt once, all at time 0 unless told otherwise."""
    size = len(prompts)
    if arrival_s is None and not clients:
        arrival_s = np.zeros(size)
    traffic = Traffic(prompts=prompts, order=np.arange(size), arrival_s=arrival_s, clients=clients, sessions=sessions)
    router = SimulatedRouter(policy=policy, models=cluster.models, profile=known, replicas=cluster.replicas)
    truth = RecordedTruth(right, cluster.models)
    return Simulation(cluster, router, traffic, truth, loop=loop, cap=cap, seed=0, keeps_tries=True).run()
