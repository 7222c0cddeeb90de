"""`laar bench simulate`: speed and memory at full size, what must be conserved, queueing theory, a real run."""

import resource
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from deployments.budgets.servers import Batching
from profiles.arrays import Floats
from profiles.chances.capability import Capability
from profiles.measures.trial import Trial
from profiles.profile import NO_PROFILE, CellCounts, Latency, ModelProfile, PairCounts, Profile
from scripts.bench.simulated.calibrate import CalibrationFit
from scripts.bench.simulated.published import compared, dictionary, publish
from scripts.bench.simulated.replay import Replay
from scripts.bench.simulated.run import Study, load_study, read_engines
from scripts.report import Bar, Report
from scripts.simulate.core.cluster import Cluster
from scripts.simulate.core.engine import Engine
from scripts.simulate.core.router import SimulatedRouter
from scripts.simulate.core.simulation import Results, Simulation
from scripts.simulate.core.traffic import SimulatedPrompt, poisson
from scripts.simulate.core.truth import DrawnTruth

MODELS, REPLICAS, REQUESTS = 10, 1000, 1_000_000
MOST_S, MOST_GIB = 120.0, 4.0
# A rate that keeps the fast models' replicas some two thirds busy.
RATE_PER_S = 500.0
LANGUAGES, TASKS, EDGES = ("en", "de", "zh"), ("lookup", "instruct"), (512, 2048, 8192)
LENGTHS = (300, 1500, 6000, 12000)
OUTPUT_TOKENS = 100.0
WITHIN_LITTLE, WITHIN_THEORY, WITHIN_RUN = 0.01, 0.03, 0.10


def run(*, requests: int, replicas: int, theory_requests: int, seed: int, from_dir: Path | None) -> Report:
    """The big cluster first, so that the memory is its own; then the rest. ValueError for a folder that lacks parts."""
    study = load_study(from_dir) if from_dir is not None else None
    figures: dict[str, Any] = {}
    big, bars = _big(requests, replicas, seed)
    figures["big"] = big
    theory = _theory(theory_requests, seed)
    figures["theory"] = theory
    bars += [
        Bar(name=f"off_theory_{name}", value=abs(found["ratio"] - 1), limit=WITHIN_THEORY, kind="max")
        for name, found in theory.items()
    ]
    if study is not None:
        assert from_dir is not None
        found, more = _validation(study, from_dir)
        figures["validation"] = found
        bars += more
    parameters = {
        "requests": requests,
        "replicas": replicas,
        "models": MODELS,
        "rate_per_s": RATE_PER_S,
        "theory_requests": theory_requests,
        "seed": seed,
        "from": None if from_dir is None else from_dir.name,
    }
    return Report(bench="simulate", parameters=parameters, figures=figures, bars=bars)


# -- speed and conservation -------------------------------------------------------------------------------


def _big(requests: int, replicas: int, seed: int) -> tuple[dict[str, Any], list[Bar]]:
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    rate = RATE_PER_S * replicas / REPLICAS
    outcome = _play(big_profile(seed), replicas=replicas, requests=requests, rate=rate, seed=seed)
    wall_s, cpu_s = time.perf_counter() - started_s, time.process_time() - started_cpu_s
    memory_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    lost = requests - outcome.ended + int(np.isnan(outcome.elapsed_s).sum())
    unbooked = abs(int(outcome.attempts.sum()) - sum(outcome.calls))
    little = little_ratio(outcome, rate)
    figures = {
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "memory_gib": memory_gib,
        "requests": requests,
        "attempts": sum(outcome.calls),
        "events": outcome.events,
        "mean_ttca_s": float(outcome.elapsed_s.mean()),
        "success": float(outcome.solved.mean()),
        "busy": outcome.busy,
        "little": little,
        "not_ended_once": lost,
        "attempts_not_booked": unbooked,
    }
    bars = [
        *size_bars(requests, replicas, wall_s=wall_s, memory_gib=memory_gib),
        Bar(name="requests_not_ended_once", value=lost, limit=0, kind="max"),
        Bar(name="attempts_not_booked", value=unbooked, limit=0, kind="max"),
        Bar(name="off_littles_law", value=abs(little - 1), limit=WITHIN_LITTLE, kind="max"),
    ]
    return figures, bars


def size_bars(requests: int, replicas: int, *, wall_s: float, memory_gib: float) -> list[Bar]:
    """Time and memory at full size; of a smaller cluster they say nothing, so that its size falls short instead."""
    share = min(requests / REQUESTS, replicas / REPLICAS)
    if share < 1:
        return [Bar(name="full_size", value=share, limit=1, kind="min")]
    return [
        Bar(name="wall_s", value=wall_s, limit=MOST_S, kind="max"),
        Bar(name="memory_gib", value=memory_gib, limit=MOST_GIB, kind="max"),
    ]


def little_ratio(outcome: Results, rate_per_s: float) -> float:
    """Mean number that an arrival finds over rate times mean time, in the middle of the run; 1 by Little and PASTA."""
    size = len(outcome.elapsed_s)
    middle = slice(size // 10, size - size // 10)
    return float(outcome.seen[middle].mean() / (rate_per_s * outcome.elapsed_s[middle].mean()))


def _play(profile: Profile, *, replicas: int, requests: int, rate: float, seed: int) -> Results:
    models = tuple(profile.models)
    cluster = Cluster(
        models=models,
        engines=tuple(Engine.of(profile.models[name].latency, slots=64) for name in models),
        replicas=(replicas // MODELS,) * MODELS,
    )
    prompts = [_prompt(task, language, n) for task in TASKS for language in LANGUAGES for n in LENGTHS]
    traffic = poisson(prompts, [1.0] * len(prompts), requests=requests, rate_per_s=rate, seed=seed)
    capability = Capability(profile)
    truth = DrawnTruth(profile, models, traffic, seed=seed + 1, capability=capability)
    router = SimulatedRouter(
        policy="laar", models=models, profile=profile, replicas=cluster.replicas, capability=capability
    )
    return Simulation(cluster, router, traffic, truth, loop="server", cap=10, seed=seed).run()


def _prompt(task: str, language: str, tokens: int) -> SimulatedPrompt:
    return SimulatedPrompt(
        id=f"{task}-{language}-{tokens}",
        task=task,
        language=language,
        prompt_tokens=(float(tokens),) * MODELS,
        output_tokens=(OUTPUT_TOKENS,) * MODELS,
    )


def big_profile(seed: int) -> Profile:
    """Ten models, each slower and better than the one before, that fail together."""
    rng = np.random.default_rng(seed)
    names = [f"model-{index}" for index in range(MODELS)]
    pairs = [
        PairCounts(failed=failed, model=model, task=task, language=language, bucket=1, correct=45, tried=100)
        for failed in names
        for model in names
        if failed != model
        for task in TASKS
        for language in LANGUAGES
    ]
    models = {name: _model(index, rng) for index, name in enumerate(names)}
    return Profile(version=1, measured=NO_PROFILE.measured, bucket_edges=EDGES, models=models, pairs=tuple(pairs))


def _model(index: int, rng: np.random.Generator) -> ModelProfile:
    def correct(bucket: int) -> int:
        return int(100 * np.clip(0.75 + 0.02 * index - 0.05 * bucket + 0.08 * rng.normal(), 0.05, 0.98))

    return ModelProfile(
        latency=Latency(
            overhead_s=0.02,
            prefill_s_per_token=1e-5 * (1 + index),
            decode_s_per_token=0.004 * (1 + index),
            decode_growth=0.02,
        ),
        chars_per_token={"unknown": 4.0},
        chars_per_symbol_token=2.0,
        output_tokens=dict.fromkeys(TASKS, OUTPUT_TOKENS),
        cells=tuple(
            CellCounts(task=task, language=language, bucket=bucket, correct=correct(bucket), tried=100)
            for task in TASKS
            for language in LANGUAGES
            for bucket in range(len(EDGES) + 1)
        ),
    )


# -- theory -----------------------------------------------------------------------------------------------


def _theory(requests: int, seed: int) -> dict[str, dict[str, float]]:
    """Mean times of one replica beside formulas: a queue, shared processing, and a batch in between."""
    fixed, mixed, load = np.ones(1), np.array([0.25, 1.75]), 0.7
    batching = Batching(growth=0.2, slots=8)
    batch_load = 0.6 * batching.capacity
    queue_s = 1 + load * float((mixed**2).mean()) / (2 * (1 - load))
    cases = {
        "md1_queue": (fixed, 1.0, 1, load, 1 + load / (2 * (1 - load))),
        "mg1_queue": (mixed, 1.0, 1, load, queue_s),
        "md1_sharing": (fixed, 1.0, 4096, load, 1 / (1 - load)),
        "mg1_sharing": (mixed, 1.0, 4096, load, 1 / (1 - load)),
        "batch": (mixed, batching.growth, batching.slots, batch_load, batching.sojourn(batch_load)[0]),
    }
    return {
        name: _against(one_replica(services, growth, slots, rate, requests, seed), expected)
        for name, (services, growth, slots, rate, expected) in cases.items()
    }


def one_replica(services: Floats, growth: float, slots: int, rate: float, requests: int, seed: int) -> float:
    """Mean time in a system of one replica, with Poisson arrivals of equally likely services of mean 1."""
    names = ("only",)
    engine = Engine(overhead_s=0.0, prefill_s_per_token=0.0, decode_s_per_token=1.0, decode_growth=growth, slots=slots)
    prompts = [
        SimulatedPrompt(id=str(s), task="t", language="en", prompt_tokens=(1.0,), output_tokens=(float(s),))
        for s in services
    ]
    traffic = poisson(prompts, [1.0] * len(prompts), requests=requests, rate_per_s=rate, seed=seed)
    router = SimulatedRouter(policy="fastest", models=names, profile=NO_PROFILE, replicas=(1,))
    cluster = Cluster(models=names, engines=(engine,), replicas=(1,))
    found = Simulation(cluster, router, traffic, _AlwaysRight(), loop="client", cap=1, seed=seed).run()
    return float(found.elapsed_s[requests // 20 :].mean())


class _AlwaysRight:
    def is_right(self, request: int, prompt: SimulatedPrompt, model: int) -> bool:
        return True


def _against(simulated_s: float, expected_s: float) -> dict[str, float]:
    return {"simulated": simulated_s, "formula": expected_s, "ratio": simulated_s / expected_s}


# -- a real run -------------------------------------------------------------------------------------------


def write(folder: Path) -> dict[str, dict[str, CalibrationFit]]:
    """Fit engines to each serving and fold of the run in the folder, and write what is published of its simulations."""
    study = load_study(folder)
    with ProcessPoolExecutor() as pool:
        calibrated = study.calibrated(pool.map)
    engines = {
        serving: {fold: dict(zip(f.cluster.models, f.cluster.engines, strict=True)) for fold, f in folds.items()}
        for serving, folds in calibrated.items()
    }
    publish(folder, study, engines)
    return calibrated


def _validation(study: Study, folder: Path) -> tuple[dict[str, Any], list[Bar]]:
    engines = read_engines(folder, study.splits)
    together, by_serving = study.replay(engines)
    figures = {
        "engines": dictionary(engines),
        "splits": [
            {
                "serving": split.serving,
                "fold": split.fold,
                "fitted_to_blocks": _blocks(split.to_fit),
                "held_out_blocks": _blocks(split.held_out),
                "road_s": split.road_s,
            }
            for split in study.splits
        ],
        "other_blocks": _beside(together),
        "each_serving": {serving: _beside(mine) for serving, mine in by_serving.items()},
        "published_run": _beside(study.replay_published(engines)),
    }
    return figures, [*validation_bars(together), *compared(folder, study, engines)]


def _blocks(trials: Sequence[Trial]) -> list[int]:
    return sorted({trial.block for trial in trials})


def _beside(found: Replay) -> dict[str, Any]:
    rows = [asdict(row) | {"mean_ratio": row.mean_ratio, "p95_ratio": row.p95_ratio} for row in found.rows]
    return {"policies": rows, "skipped": list(found.skipped), "errors": found.errors}


def validation_bars(found: Replay) -> list[Bar]:
    """Every policy's mean and p95 within a tenth of the real ones."""
    return [
        Bar(name=f"off_run_{row.name}_{name}", value=abs(ratio - 1), limit=WITHIN_RUN, kind="max")
        for row in found.rows
        for name, ratio in (("mean", row.mean_ratio), ("p95", row.p95_ratio))
    ]
