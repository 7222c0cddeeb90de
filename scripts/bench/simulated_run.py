"""The files of real runs that the simulator is fitted to and held against."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec
import yaml
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from profiles.record import Record
from profiles.schema import Profile
from profiles.trial import Trial
from scripts.bench.recorded import read_records
from scripts.bench.ttca_data import LAAR, OUTCOMES, TRIALS, raw, read_trials
from scripts.bench.ttca_file import check_same
from scripts.bench.ttca_plan import CONTENDERS
from scripts.faults import in_words
from scripts.simulate.calibrate import Calibrated, block_source, calibrate
from scripts.simulate.cluster import Cluster
from scripts.simulate.engine import Engine
from scripts.simulate.replay import Replay, Way, World, is_whole, replay

FACTS, ENGINES = "simulate.yaml", "engines.json"
REPEATS = 8
# Other routers are not simulated.
WAYS = {name: Way(policy=c.policy, loop=c.loop) for name, c in CONTENDERS.items() if c.policy is not None}


class RunFacts(BaseModel):
    """`simulate.yaml` beside the raw data: what they do not say of the engines, and what these are fitted to.

    That is a run of its own, served once or several times, each time in one of the folders `runs`. In each the engines
    of that hour are fitted to the blocks `calibrated_on`, and the simulation is held against the others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    runs: tuple[str, ...] = Field(min_length=1)
    calibrated_on: tuple[NonNegativeInt, ...] = Field(min_length=1)
    slots: PositiveInt
    chunk_tokens: PositiveInt = 2048
    block_tokens: PositiveInt = 128
    overlap: float = Field(default=1.0, ge=0, le=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a run left: every model's answers to its prompts, and its trials. With `clients` 0 they came when due."""

    outcomes: Sequence[Record]
    trials: Sequence[Trial]
    clients: int
    cap: int
    sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A serving of the run by its folder: the blocks that engines are fitted to, and those that they are held against.

    Trials that ended in an error are not fitted to: nobody knows what the engines did for them.
    """

    name: str
    to_fit: Sequence[Trial]
    held_out: Sequence[Trial]

    @property
    def road_s(self) -> float:
        """What laar's own requests took outside of their attempts, the mean: the way to the router and back."""
        asked = [trial for trial in self.to_fit if trial.policy == LAAR]
        if not asked:
            raise ValueError(
                f"{self.name} has no trials of {LAAR} to calibrate on, which tell what the way to it takes"
            )
        return fmean(trial.elapsed_s - sum(attempt.latency_s for attempt in trial.tries) for trial in asked)


# By serving and model.
Engines = Mapping[str, Mapping[str, Engine]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The run whose figures are published, and the one that engines are fitted to and held against.

    `timed` is that one's first serving, whose recorded answers count for all of them: a model repeats itself.
    """

    facts: RunFacts
    profile: Profile
    published: Recording
    timed: Recording
    servings: Sequence[Serving]

    def calibrated(self) -> dict[str, Calibrated]:
        """For each serving, from the profile's latencies on, to its blocks of all policies."""
        if not self.timed.clients:
            raise ValueError("mode: engines are fitted to closed loops; requests of this run came when they were due")
        return {serving.name: self._fitted(serving) for serving in self.servings}

    def world(self, run: Recording, engines: Engines, serving: Serving | None = None) -> World:
        """A recording's prompts and outcomes on the engines of a serving, the first unless it is named."""
        serving = serving or self.servings[0]
        return World(
            profile=self.profile,
            records=run.outcomes,
            cluster=_cluster(engines[serving.name], serving),
            clients=run.clients,
            cap=run.cap,
        )

    def replay(self, engines: Engines) -> Replay:
        """Blocks that engines were not fitted to, of all servings together; ValueError where there is none."""
        return self._replayed(engines, self.servings)

    def replay_servings(self, engines: Engines) -> dict[str, Replay]:
        """The same for each serving by itself, which tells how far one that is served again differs."""
        return {serving.name: self._replayed(engines, [serving]) for serving in self.servings}

    def replay_published(self, engines: Engines) -> Replay:
        """All blocks of the published run, served when the machine may have been faster or slower."""
        return replay([(self.world(self.published, engines), self.published.trials)], ways=WAYS, repeats=REPEATS)

    def _replayed(self, engines: Engines, servings: Sequence[Serving]) -> Replay:
        parts = [(self.world(self.timed, engines, serving), serving.held_out) for serving in servings]
        if not any(trials for _, trials in parts):
            raise ValueError(f"calibrated_on: the run has no other blocks than {list(self.facts.calibrated_on)}")
        return replay(parts, ways=WAYS, repeats=REPEATS)

    def _fitted(self, serving: Serving) -> Calibrated:
        facts = self.facts
        blocks: dict[tuple[str, int], list[Trial]] = defaultdict(list)
        for trial in serving.to_fit:
            if trial.policy in WAYS:
                blocks[trial.policy, trial.block].append(trial)
        sources = [block_source(blocks[key], self.timed.outcomes, clients=self.timed.clients) for key in sorted(blocks)]
        asked = sorted({record.model for record in self.timed.outcomes})
        engines = {
            model: Engine.of(
                self.profile.models[model].latency,
                slots=facts.slots,
                chunk_tokens=facts.chunk_tokens,
                block_tokens=facts.block_tokens,
                overlap=facts.overlap,
            )
            for model in asked
        }
        return calibrate(_cluster(engines, serving), sources)


def _cluster(engines: Mapping[str, Engine], serving: Serving) -> Cluster:
    """One replica of each model, at the end of a road."""
    return replace(Cluster.of(engines), verify_s=serving.road_s)


def read_engines(folder: Path, runs: Sequence[str]) -> dict[str, dict[str, Engine]]:
    """The engines that each serving was simulated with; ValueError where there are none yet."""
    path, hint = folder / ENGINES, f"`laar bench simulate --from {folder} --write` writes it"
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, Engine]])
    except (OSError, msgspec.DecodeError) as error:
        raise ValueError(f"{path}: {error}; {hint}") from error
    if found.keys() != set(runs):
        raise ValueError(f"{path} has engines of {sorted(found)}; those of {sorted(runs)} are wanted; {hint}")
    return found


def load_study(folder: Path) -> Study:
    """Read what `laar bench ttca` has left in the folder and in those of FACTS; ValueError says what is wrong."""
    try:
        facts = RunFacts.model_validate(yaml.safe_load((folder / FACTS).read_text()))
        profile = Profile.model_validate_json((folder / "profile.json").read_bytes())
        heads = {run: read_trials(raw(folder / run, TRIALS)) for run in facts.runs}
        first, first_trials = heads[facts.runs[0]]
        for run, (head, _) in heads.items():
            check_same(folder / run, _plan_in(first), _plan_in(head))
        known = {trial.block for _, trials in heads.values() for trial in trials}
        if unknown := sorted(set(facts.calibrated_on) - known):
            raise ValueError(f"calibrated_on: blocks {unknown}; the run has {sorted(known)}")
        return Study(
            facts=facts,
            profile=profile,
            published=_recording(folder, *read_trials(raw(folder, TRIALS))),
            timed=_recording(folder / facts.runs[0], first, first_trials),
            servings=[_serving(run, trials, facts) for run, (_, trials) in heads.items()],
        )
    except ValidationError as error:
        raise ValueError(f"{folder}: {in_words(error)}") from error
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{folder}: {error}") from error


def _plan_in(head: Mapping[str, Any]) -> dict[str, Any]:
    """What a run asked, without when and on what."""
    return {key: value for key, value in head.items() if key not in ("environment", "resumed")}


def _recording(folder: Path, parameters: Mapping[str, Any], trials: Sequence[Trial]) -> Recording:
    return Recording(
        outcomes=read_records(raw(folder, OUTCOMES)),
        trials=trials,
        clients=int(parameters["concurrency"]) if parameters.get("mode") == "closed" else 0,
        cap=int(parameters["cap"]),
        sessions=int(parameters["sessions"]),
    )


def _serving(name: str, trials: Sequence[Trial], facts: RunFacts) -> Serving:
    """The whole blocks of a serving: one that was cut short may have left the last under some policies only."""
    policies: dict[int, set[str]] = defaultdict(set)
    for trial in trials:
        policies[trial.block].add(trial.policy)
    every = set().union(*policies.values())
    whole = [trial for trial in trials if policies[trial.block] == every]
    blocks = {trial.block for trial in whole}
    if not blocks & set(facts.calibrated_on):
        wanted = list(facts.calibrated_on)
        raise ValueError(f"calibrated_on: {name} has none of the blocks {wanted} whole; it has {sorted(blocks)}")
    return Serving(
        name=name,
        to_fit=[trial for trial in whole if trial.block in facts.calibrated_on and is_whole(trial)],
        held_out=[trial for trial in whole if trial.block not in facts.calibrated_on],
    )
