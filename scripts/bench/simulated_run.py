"""The files of a real run that the simulator is held against."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import msgspec
import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from profiles.record import Record
from profiles.schema import Profile
from profiles.trial import Trial
from scripts.bench.recorded import read_records
from scripts.bench.ttca_data import LAAR, OUTCOMES, TRIALS, raw, read_trials
from scripts.bench.ttca_plan import CONTENDERS
from scripts.simulate.calibrate import calibrate
from scripts.simulate.engine import Engine
from scripts.simulate.refine import Refined, block_source, cluster_of, refine
from scripts.simulate.replay import Replay, Way, World, replay

FACTS, ENGINES = "simulate.yaml", "engines.json"
REPEATS = 8


class RunFacts(BaseModel):
    """`simulate.yaml` beside the raw data: what they do not say of the engines, and what to calibrate on.

    `calibration` are journals of `laar profile`, relative to the folder, to begin with; `calibrated_on` is the
    policy whose blocks of the run the engines are then fitted to, and that is not validated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    calibration: tuple[str, ...] = Field(min_length=1)
    calibrated_on: str
    slots: PositiveInt
    chunk_tokens: PositiveInt = 2048
    block_tokens: PositiveInt = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """All outcomes of the run's prompts, its trials, and what was timed apart from it to begin with."""

    facts: RunFacts
    profile: Profile
    outcomes: Sequence[Record]
    trials: Sequence[Trial]
    calibration: Sequence[Record]
    clients: int
    cap: int
    sessions: int

    def first_engines(self) -> dict[str, Engine]:
        """As fitted to what the profile was measured by."""
        facts = self.facts
        return calibrate(
            self.calibration, slots=facts.slots, chunk_tokens=facts.chunk_tokens, block_tokens=facts.block_tokens
        )

    def refined(self) -> Refined:
        """The same fitted to all blocks of that policy; ValueError where the run has none."""
        blocks: dict[int, list[Trial]] = defaultdict(list)
        for trial in self.trials:
            if trial.policy == self.facts.calibrated_on:
                blocks[trial.block].append(trial)
        if not blocks:
            raise ValueError(f"calibrated_on: the run has no trials of '{self.facts.calibrated_on}'")
        sources = [block_source(blocks[number], self.outcomes, clients=self.clients) for number in sorted(blocks)]
        return refine(self.first_engines(), sources, road_s=self.road_s)

    @property
    def road_s(self) -> float:
        """What laar's own requests took outside of their attempts, the mean: the way to the router and back."""
        asked = [trial for trial in self.trials if trial.policy == LAAR and trial.tries and not trial.error]
        if not asked:
            raise ValueError(f"the run has no trials of {LAAR}, which tell what the way to the router takes")
        return fmean(trial.elapsed_s - sum(attempt.latency_s for attempt in trial.tries) for trial in asked)

    def world(self, engines: Mapping[str, Engine]) -> World:
        return World(
            profile=self.profile,
            records=self.outcomes,
            cluster=cluster_of(engines, self.road_s),
            clients=self.clients,
            cap=self.cap,
        )

    def replay(self, engines: Mapping[str, Engine]) -> Replay:
        """Everything that is one of laar's policies, but that of the fit; other routers are not simulated."""
        ways = {name: Way(policy=c.policy, loop=c.loop) for name, c in CONTENDERS.items() if c.policy is not None}
        others = [trial for trial in self.trials if trial.policy != self.facts.calibrated_on]
        return replay(self.world(engines), others, ways=ways, repeats=REPEATS)


def read_engines(folder: Path) -> dict[str, Engine]:
    """The engines that a run was simulated with; ValueError where there are none yet."""
    path = folder / ENGINES
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Engine])
    except (OSError, msgspec.DecodeError) as error:
        raise ValueError(f"{path}: {error}; `laar bench simulate --from {folder} --write` writes it") from error


def load_recording(folder: Path) -> Recording:
    """Read what `laar bench ttca` has left in the folder, and FACTS; ValueError says what is missing or wrong."""
    try:
        facts = RunFacts.model_validate(yaml.safe_load((folder / FACTS).read_text()))
        profile = Profile.model_validate_json((folder / "profile.json").read_bytes())
        parameters, trials = read_trials(raw(folder, TRIALS))
        return Recording(
            facts=facts,
            profile=profile,
            outcomes=read_records(raw(folder, OUTCOMES)),
            trials=trials,
            calibration=[record for name in facts.calibration for record in read_records(folder / name)],
            clients=int(parameters["concurrency"]) if parameters.get("mode") == "closed" else 0,
            cap=int(parameters["cap"]),
            sessions=int(parameters["sessions"]),
        )
    except (OSError, ValidationError, yaml.YAMLError) as error:
        raise ValueError(f"{folder}: {error}") from error
