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
from scripts.simulate.calibrate import Calibrated, block_source, calibrate, records_source
from scripts.simulate.cluster import Cluster
from scripts.simulate.engine import Engine
from scripts.simulate.replay import Replay, Way, World, replay

FACTS, ENGINES = "simulate.yaml", "engines.json"
REPEATS = 8
# Other routers are not simulated.
WAYS = {name: Way(policy=c.policy, loop=c.loop) for name, c in CONTENDERS.items() if c.policy is not None}


class RunFacts(BaseModel):
    """`simulate.yaml` beside the raw data: what they do not say of the engines, and what these are fitted to.

    That is a run of its own, in the folder `run`; what it is not calibrated on the simulation is held against.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str = Field(min_length=1)
    calibrated_on: tuple[NonNegativeInt, ...] = Field(min_length=1)
    slots: PositiveInt
    chunk_tokens: PositiveInt = 2048
    block_tokens: PositiveInt = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a run left: every model's answers to its prompts, and its trials. With `clients` 0 they came when due."""

    outcomes: Sequence[Record]
    trials: Sequence[Trial]
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
        """From the profile's latencies on: to blocks of all policies, and to how answers of all models compare."""
        if not self.timed.clients:
            raise ValueError("mode: engines are fitted to closed loops; requests of this run came when they were due")
        facts, models = self.facts, self.profile.models
        sizes = {"slots": facts.slots, "chunk_tokens": facts.chunk_tokens, "block_tokens": facts.block_tokens}
        answers: dict[str, list[Record]] = defaultdict(list)
        for record in self.timed.outcomes:
            answers[record.model].append(record)
        blocks: dict[tuple[str, int], list[Trial]] = defaultdict(list)
        for trial in self._to_calibrate():
            if trial.policy in WAYS:
                blocks[trial.policy, trial.block].append(trial)
        served = [block_source(blocks[key], self.timed.outcomes, clients=self.timed.clients) for key in sorted(blocks)]
        # timed before all blocks, one model after the other
        alone = [records_source(mine, clients=mine[0].concurrency) for _, mine in sorted(answers.items())]
        engines = {model: Engine.of(models[model].latency, **sizes) for model in sorted(answers)}
        return calibrate(self._cluster(engines), served, alone)

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
        others = [trial for trial in self.timed.trials if trial.block not in self.facts.calibrated_on]
        if not others:
            raise ValueError(f"calibrated_on: the run has no other blocks than {list(self.facts.calibrated_on)}")
        return replay(self.world(self.timed, engines), others, ways=WAYS, repeats=REPEATS)

    def replay_published(self, engines: Mapping[str, Engine]) -> Replay:
        """All blocks of the published run, served when the machine may have been faster or slower."""
        return replay(self.world(self.published, engines), self.published.trials, ways=WAYS, repeats=REPEATS)

    def _to_calibrate(self) -> list[Trial]:
        return [trial for trial in self.timed.trials if trial.block in self.facts.calibrated_on]

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
        return Study(facts=facts, profile=profile, published=_recording(folder), timed=_recording(folder / facts.run))
    except (OSError, ValidationError, yaml.YAMLError) as error:
        raise ValueError(f"{folder}: {error}") from error


def _recording(folder: Path) -> Recording:
    parameters, trials = read_trials(raw(folder, TRIALS))
    return Recording(
        outcomes=read_records(raw(folder, OUTCOMES)),
        trials=trials,
        clients=int(parameters["concurrency"]) if parameters.get("mode") == "closed" else 0,
        cap=int(parameters["cap"]),
        sessions=int(parameters["sessions"]),
    )
