"""The files of real runs that the simulator is fitted to and held against."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import msgspec
import yaml
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from profiles.record import Record
from profiles.schema import Profile
from profiles.trial import Trial
from scripts.bench.recorded import read_records
from scripts.bench.ttca_data import LAAR, OUTCOMES, TRIALS, raw, read_trials
from scripts.bench.ttca_plan import CONTENDERS
from scripts.simulate.calibrate import Calibrated, block_source, calibrate
from scripts.simulate.cluster import Cluster
from scripts.simulate.engine import Engine
from scripts.simulate.replay import Replay, Way, World, replay

FACTS, ENGINES = "simulate.yaml", "engines.json"
REPEATS = 8
# Other routers are not simulated.
WAYS = {name: Way(policy=c.policy, loop=c.loop) for name, c in CONTENDERS.items() if c.policy is not None}


class RunFacts(BaseModel):
    """`simulate.yaml` beside the raw data: what they do not say of the engines, and what these are fitted to.

    That is a run of its own, served once or several times, each time in one of the folders `runs`; of every serving the
    same blocks are fitted to, and the simulation is held against the others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    runs: tuple[str, ...] = Field(min_length=1)
    calibrated_on: tuple[NonNegativeInt, ...] = Field(min_length=1)
    slots: PositiveInt
    chunk_tokens: PositiveInt = 2048
    block_tokens: PositiveInt = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a run left: every model's answers to its prompts, and its trials in so many `blocks`.

    Served again, its blocks count on. With `clients` 0 requests came when they were due.
    """

    outcomes: Sequence[Record]
    trials: Sequence[Trial]
    blocks: int
    clients: int
    cap: int
    sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The run whose figures are published, and the one that engines are fitted to and held against."""

    facts: RunFacts
    profile: Profile
    published: Recording
    timed: Recording

    def calibrated(self) -> Calibrated:
        """From the profile's latencies on, to blocks of all policies."""
        if not self.timed.clients:
            raise ValueError("mode: engines are fitted to closed loops; requests of this run came when they were due")
        facts, models = self.facts, self.profile.models
        sizes = {"slots": facts.slots, "chunk_tokens": facts.chunk_tokens, "block_tokens": facts.block_tokens}
        blocks: dict[tuple[str, int], list[Trial]] = defaultdict(list)
        for trial in self._to_calibrate():
            if trial.policy in WAYS:
                blocks[trial.policy, trial.block].append(trial)
        served = [block_source(blocks[key], self.timed.outcomes, clients=self.timed.clients) for key in sorted(blocks)]
        asked = sorted({record.model for record in self.timed.outcomes})
        engines = {model: Engine.of(models[model].latency, **sizes) for model in asked}
        return calibrate(self._cluster(engines), served)

    @property
    def road_s(self) -> float:
        """What laar's own requests took outside of their attempts, the mean: the way to the router and back."""
        asked = [trial for trial in self._to_calibrate() if trial.policy == LAAR and trial.tries and not trial.error]
        if not asked:
            raise ValueError(f"the run has no trials of {LAAR} to calibrate on, which tell what the way to it takes")
        return fmean(trial.elapsed_s - sum(attempt.latency_s for attempt in trial.tries) for trial in asked)

    def world(self, run: Recording, engines: Mapping[str, Engine]) -> World:
        return World(
            profile=self.profile,
            records=run.outcomes,
            cluster=self._cluster(engines),
            clients=run.clients,
            cap=run.cap,
        )

    def replay(self, engines: Mapping[str, Engine]) -> Replay:
        """Blocks that the engines were not fitted to, under each of laar's policies; ValueError where there is none."""
        return self._replay(engines, self._others())

    def replay_servings(self, engines: Mapping[str, Engine]) -> list[Replay]:
        """The same for each serving by itself, which tells how far one that is served again differs."""
        servings: dict[int, list[Trial]] = defaultdict(list)
        for trial in self._others():
            servings[trial.block // self.timed.blocks].append(trial)
        return [self._replay(engines, mine) for _, mine in sorted(servings.items())]

    def replay_published(self, engines: Mapping[str, Engine]) -> Replay:
        """All blocks of the published run, served when the machine may have been faster or slower."""
        return replay(self.world(self.published, engines), self.published.trials, ways=WAYS, repeats=REPEATS)

    def _replay(self, engines: Mapping[str, Engine], trials: Sequence[Trial]) -> Replay:
        return replay(self.world(self.timed, engines), trials, ways=WAYS, repeats=REPEATS)

    def _others(self) -> list[Trial]:
        found = [trial for trial in self.timed.trials if not self._is_to_calibrate(trial)]
        if not found:
            raise ValueError(f"calibrated_on: the run has no other blocks than {list(self.facts.calibrated_on)}")
        return found

    def _to_calibrate(self) -> list[Trial]:
        return [trial for trial in self.timed.trials if self._is_to_calibrate(trial)]

    def _is_to_calibrate(self, trial: Trial) -> bool:
        return trial.block % self.timed.blocks in self.facts.calibrated_on

    def _cluster(self, engines: Mapping[str, Engine]) -> Cluster:
        """One replica of each model, at the end of a road."""
        return replace(Cluster.of(engines), verify_s=self.road_s)


def read_engines(folder: Path) -> dict[str, Engine]:
    """The engines that a run was simulated with; ValueError where there are none yet."""
    path = folder / ENGINES
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Engine])
    except (OSError, msgspec.DecodeError) as error:
        raise ValueError(f"{path}: {error}; `laar bench simulate --from {folder} --write` writes it") from error


def load_study(folder: Path) -> Study:
    """Read what `laar bench ttca` has left in the folder, and FACTS; ValueError says what is missing or wrong."""
    try:
        facts = RunFacts.model_validate(yaml.safe_load((folder / FACTS).read_text()))
        profile = Profile.model_validate_json((folder / "profile.json").read_bytes())
        timed = _one_after_another([_recording(folder / run) for run in facts.runs])
        return Study(facts=facts, profile=profile, published=_recording(folder), timed=timed)
    except (OSError, ValidationError, yaml.YAMLError) as error:
        raise ValueError(f"{folder}: {error}") from error


def _recording(folder: Path) -> Recording:
    parameters, trials = read_trials(raw(folder, TRIALS))
    return Recording(
        outcomes=read_records(raw(folder, OUTCOMES)),
        trials=trials,
        blocks=int(parameters["blocks"]),
        clients=int(parameters["concurrency"]) if parameters.get("mode") == "closed" else 0,
        cap=int(parameters["cap"]),
        sessions=int(parameters["sessions"]),
    )


def _one_after_another(servings: Sequence[Recording]) -> Recording:
    """One plan served several times as one recording; the answers are those of the first, as a model repeats itself."""
    first = servings[0]
    shape = first.blocks, first.clients, first.cap, first.sessions
    if any((s.blocks, s.clients, s.cap, s.sessions) != shape for s in servings):
        raise ValueError("runs: they differ in blocks, clients, cap or sessions; all must be servings of one plan")
    trials = [
        replace(trial, block=number * first.blocks + trial.block)
        for number, serving in enumerate(servings)
        for trial in serving.trials
    ]
    return replace(first, trials=trials)
