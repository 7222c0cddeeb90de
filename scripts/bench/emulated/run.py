"""`laar bench emulated`: the real router over HTTP, before emulated engines with recorded answers, by load.

Emulated: answers are those that real models gave, and engines take the time of a step model. Routing, retries, checks,
queues and connections are real. All policies have the same retries, and meet the same requests at the same times, one
policy after another in blocks of a random order.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from deployments.router.choice.policy import POLICIES
from profiles.measures.trial import Trial
from scripts.bench.emulated.figures import LAAR, MOST_LATE_S, LoadedTrial, bars, figures, late_s
from scripts.bench.emulated.file import EmulationRecording
from scripts.bench.emulated.processes import ready, served
from scripts.bench.emulated.world import SLOTS, EmulatedWorld, build
from scripts.bench.goodput.arrivals import RecordedArrivals, poisson
from scripts.bench.ttca.clients import LaarClient
from scripts.bench.ttca.plan import Contender, SendingMode
from scripts.bench.ttca.run import serve_block
from scripts.environment import environment
from scripts.replay.recorded.outcomes import read_outcomes
from scripts.report import Report

SESSIONS = 24
MOST_PLAYS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulationOptions:
    """Of a run; each block has `block_s` seconds of arrivals, and each seed other requests."""

    outcomes: Path
    loads: Sequence[float]
    seeds: int
    models: int
    block_s: float
    capacity_per_s: float
    pool_seed: int = 0
    deadline_s: float = 30.0
    trace: RecordedArrivals | None = None
    trace_name: str | None = None
    policies: Sequence[str] = field(default_factory=lambda: tuple(POLICIES))

    @property
    def blocks(self) -> list[tuple[float, int]]:
        """Load and seed of each; those of a load are not neighbours."""
        return [(load, seed) for seed in range(self.seeds) for load in self.loads]


@dataclass(frozen=True, slots=True)
class LoadedRequests:
    """Requests that every policy gets, one policy after another."""

    load: float
    seed: int
    sendings: Sequence[SendingMode]


def run(options: EmulationOptions, before: EmulationRecording | None = None) -> EmulationRecording:
    """Start everything, play all blocks, end everything; RecordedError for outcomes that cannot carry it.

    Goes on with the same run `before`: blocks in which the client was held up are played anew. ValueError for another.
    """
    recorded = read_outcomes(options.outcomes)
    world = build(recorded, size=options.models, seed=options.pool_seed, capacity_per_s=options.capacity_per_s)
    blocks = [LoadedRequests(load, seed, _sendings(world, options, load, seed)) for load, seed in options.blocks]
    names = list(world.profile.models)
    parameters = _parameters(options, world, recorded.name)
    kept: Kept = {} if before is None else _kept(before, parameters)
    earlier = {(one.load, one.seed, one.trial.policy): one.plays for one in (before.trials if before else ())}
    with served(world.models, names, world.profile, deadline_s=options.deadline_s) as url:
        trials = asyncio.run(_play(blocks, options, url, len(world.models), kept, earlier))
    return EmulationRecording(
        parameters=parameters,
        environment=environment(),
        answerable=world.answerable,
        fluid_s={load: world.bound.mean_s(load * options.capacity_per_s) for load in options.loads},
        trials=trials,
    )


def report(recording: EmulationRecording) -> Report:
    """All figures, from the raw data alone."""
    parameters = recording.parameters
    cap = len(parameters["models"])
    points = figures(recording.trials, answerable=recording.answerable, cap=cap, fluid_s=recording.fluid_s)
    return Report(
        bench="emulated",
        parameters=parameters,
        figures={"points": points},
        bars=bars(points),
        measured_on=recording.environment,
    )


def policies_of(text: str) -> list[str]:
    """Those named, else all; ValueError for one that there is not, or without laar and another one."""
    found = [name.strip() for name in text.split(",") if name.strip()] or list(POLICIES)
    if unknown := sorted(set(found) - set(POLICIES)):
        raise ValueError(f"--policies: {unknown} are not known; known: {list(POLICIES)}")
    if LAAR not in found or len(set(found)) < 2 or len(set(found)) < len(found):
        raise ValueError(f"--policies: {text!r}; {LAAR} and at least another one are wanted, each once")
    return found


def show(figures: Mapping[str, Any]) -> None:
    """A line for each load on the terminal."""
    for point in figures["points"]:
        means = ", ".join(f"{name} {policy['mean_s']:.3f}" for name, policy in point["policies"].items())
        ratio = point["laar_over_best"]
        told = f"{ratio['value']:.3f} ({ratio['low']:.3f} to {ratio['high']:.3f}) of {point['best_other']}"
        print(f"load {point['load']:g}, emulated, mean s: {means}; laar {told}; fluid bound {point['fluid_s']:.3f}")


def _parameters(options: EmulationOptions, world: EmulatedWorld, outcomes: str) -> dict[str, Any]:
    return {
        "emulated": "recorded answers, engines with assumed slots, growth and prefill; the router and HTTP are real",
        "outcomes": outcomes,
        "models": list(world.profile.models),
        "loads": list(options.loads),
        "seeds": options.seeds,
        "pool_seed": options.pool_seed,
        "block_s": options.block_s,
        "capacity_per_s": options.capacity_per_s,
        "time_scale": world.time_scale,
        "deadline_s": options.deadline_s,
        "trace": options.trace_name,
        "policies": list(options.policies),
        "assumed_seconds": world.assumed_seconds,
        "slots": SLOTS,
        "engines": {name: asdict(model.engine) for name, model in zip(world.profile.models, world.models, strict=True)},
        "notes": list(world.notes),
    }


def _sendings(world: EmulatedWorld, options: EmulationOptions, load: float, seed: int) -> list[SendingMode]:
    """The requests of one block: each prompt at most once."""
    rate, rng = load * options.capacity_per_s, np.random.default_rng([seed, 7])
    arrivals = (
        poisson(rate, window_s=options.block_s, seed=seed, prompt_tokens=1, output_tokens=1)
        if options.trace is None
        else options.trace.at_rate(rate, window_s=options.block_s, seed=seed)
    )
    count = min(len(arrivals), len(world.prompts))
    chosen = rng.permutation(len(world.prompts))[:count]
    sessions = rng.integers(SESSIONS, size=count)
    return [
        SendingMode(prompt=world.prompts[i], session=f"user-{session}", due_s=arrival.at_s)
        for i, session, arrival in zip(chosen, sessions, arrivals, strict=False)
    ]


# Trials of a block by load, seed and policy.
Kept = Mapping[tuple[float, int, str], Sequence[LoadedTrial]]


def _kept(before: EmulationRecording, parameters: Mapping[str, Any]) -> Kept:
    """The blocks in which the client was not held up."""
    if differing := sorted(key for key in parameters if before.parameters.get(key) != parameters[key]):
        raise ValueError(f"--raw: the file is of another run; {', '.join(differing)} differ")
    found: dict[tuple[float, int, str], list[LoadedTrial]] = {}
    for one in before.trials:
        found.setdefault((one.load, one.seed, one.trial.policy), []).append(one)
    return {key: mine for key, mine in found.items() if late_s([one.trial for one in mine]) <= MOST_LATE_S}


async def _play(
    blocks: Sequence[LoadedRequests],
    options: EmulationOptions,
    url: str,
    cap: int,
    kept: Kept,
    earlier: Mapping[tuple[float, int, str], int],
) -> list[LoadedTrial]:
    found: list[LoadedTrial] = []
    rng = np.random.default_rng(options.seeds)
    async with ready(url, timeout_s=4 * options.deadline_s) as http:
        for number, block in enumerate(blocks):
            for policy in rng.permutation(list(options.policies)).tolist():
                if (key := (block.load, block.seed, policy)) in kept:
                    found += kept[key]
                    continue
                contender = Contender(loop="server", target="laar", policy=policy)
                client = LaarClient(http=http, contender=contender, clock=time.perf_counter)
                play = partial(
                    serve_block,
                    client,
                    block.sendings,
                    policy=policy,
                    number=number,
                    salt="",
                    cap=cap,
                    clients=None,
                    clock=time.perf_counter,
                )
                trials, plays = await undisturbed(play)
                plays += earlier.get(key, 0)
                solved = sum(trial.is_solved for trial in trials)
                told = f"{solved} of {len(trials)} right" + (f", play {plays}" if plays > 1 else "")
                print(f"load {block.load:g}, seed {block.seed}, {policy}: {told}", flush=True)
                found += [LoadedTrial(load=block.load, seed=block.seed, plays=plays, trial=trial) for trial in trials]
    return found


async def undisturbed(play: Callable[[], Awaitable[list[Trial]]]) -> tuple[list[Trial], int]:
    """A block in which the client was not held up, and how often it was played; the least disturbed one of a few.

    Other work on the machine would else count for the policy that happens to run.
    """
    found: list[list[Trial]] = []
    while len(found) < MOST_PLAYS:
        found.append(await play())
        if late_s(found[-1]) <= MOST_LATE_S:
            break
    return min(found, key=late_s), len(found)
