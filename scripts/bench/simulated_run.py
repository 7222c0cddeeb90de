"""The files of a real run that the simulator is held against."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from profiles.record import Record
from profiles.schema import Profile
from profiles.trial import Trial
from scripts.bench.recorded import read_records
from scripts.bench.ttca_data import OUTCOMES, TRIALS, raw, read_trials
from scripts.bench.ttca_plan import CONTENDERS
from scripts.simulate.calibrate import Calibration, calibrate
from scripts.simulate.replay import Replay, Way, World, replay

FACTS = "simulate.yaml"


class RunFacts(BaseModel):
    """`simulate.yaml` beside the raw data: what they do not say of the engines, and what to calibrate on.

    `calibration` are journals of `laar profile` and `shared`, if there is one, a file of trials with all models in
    use that is not the run itself; both relative to the folder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    calibration: tuple[str, ...] = Field(min_length=1)
    shared: str | None = None
    shared_clients: PositiveInt = 8
    slots: PositiveInt
    chunk_tokens: PositiveInt = 2048
    block_tokens: PositiveInt = 128
    prefix_cache: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """All outcomes of the run's prompts, its trials, and what was timed apart from it to calibrate on."""

    facts: RunFacts
    profile: Profile
    outcomes: Sequence[Record]
    trials: Sequence[Trial]
    calibration: Sequence[Record]
    shared: Sequence[Trial]
    clients: int
    cap: int

    def calibrated(self) -> Calibration:
        facts = self.facts
        return calibrate(
            self.calibration,
            slots=facts.slots,
            chunk_tokens=facts.chunk_tokens,
            block_tokens=facts.block_tokens,
            shared=self.shared,
            clients=facts.shared_clients,
            has_prefix_cache=facts.prefix_cache,
        )

    def world(self, calibration: Calibration) -> World:
        return World(
            profile=self.profile,
            records=self.outcomes,
            cluster=calibration.cluster(),
            clients=self.clients,
            cap=self.cap,
        )

    def replay(self) -> tuple[Calibration, Replay]:
        """Everything that is one of laar's policies; what other routers did is not simulated."""
        calibration = self.calibrated()
        ways = {name: Way(policy=c.policy, loop=c.loop) for name, c in CONTENDERS.items() if c.policy is not None}
        return calibration, replay(self.world(calibration), self.trials, ways=ways)


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
            shared=read_trials(folder / facts.shared)[1] if facts.shared is not None else (),
            clients=int(parameters["concurrency"]) if parameters.get("mode") == "closed" else 0,
            cap=int(parameters["cap"]),
        )
    except (OSError, ValidationError, yaml.YAMLError) as error:
        raise ValueError(f"{folder}: {error}") from error
