"""The files of real runs that the simulator is fitted to and held against."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec
import yaml
from pydantic import Field, PositiveInt, ValidationError, field_validator

from profiles.measures.trial import Trial
from profiles.measuring.measurement import Record
from profiles.profile import Profile
from profiles.strict import Strict
from scripts.bench.estimates.read_measurements import read_records
from scripts.bench.simulated.calibrate import CalibrationFit, block_source, calibrate
from scripts.bench.simulated.replay import Replay, ReplayOutcome, ReplayWorld, RetryMode, compare, is_whole, replay
from scripts.bench.ttca.data import LAAR, OUTCOMES, TRIALS, raw, read_trials
from scripts.bench.ttca.file import check_same
from scripts.bench.ttca.plan import CONTENDERS
from scripts.simulate.core.cluster import Cluster
from scripts.simulate.core.engine import Engine
from serve_app.faults import in_words

FACTS, ENGINES = "simulate.yaml", "engines.json"
# What is fitted to all of a serving's blocks stands beside its folds.
ALL = "all"
REPEATS = 16
# Other routers are not simulated.
WAYS = {name: RetryMode(policy=c.policy, loop=c.loop) for name, c in CONTENDERS.items() if c.policy is not None}


class RunFacts(Strict):
    """`simulate.yaml` beside the raw data: what they do not say of the engines, and what these are fitted to.

    That is a run of its own, served once or several times, each time in one of the folders `runs`. A block is of the
    fold `block % folds`; each fold of a serving is held against engines that are fitted to its other folds.
    """

    runs: tuple[str, ...] = Field(min_length=1)
    folds: int = Field(ge=2)
    slots: PositiveInt
    chunk_tokens: PositiveInt = 2048
    block_tokens: PositiveInt = 128
    overlap: float = Field(default=1.0, ge=0, le=1)

    @field_validator("runs")
    @classmethod
    def _each_counts_once(cls, runs: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({run for run in runs if runs.count(run) > 1}):
            raise ValueError(f"each serving counts once; more than once: {twice}")
        return runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a run left: every model's answers to its prompts, and its trials. With `clients` 0 they came when due."""

    outcomes: Sequence[Record]
    trials: Sequence[Trial]
    clients: int
    cap: int
    sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The blocks of a serving that engines are fitted to, and those of a fold, which they are held against.

    With ALL for a fold they are fitted to every block, and held against none. Trials that ended in an error are not
    fitted to: what the engines did for them is unknown.
    """

    serving: str
    fold: str
    to_fit: Sequence[Trial]
    held_out: Sequence[Trial] = ()

    @property
    def road_s(self) -> float:
        """What laar's own requests took outside of their attempts, the mean: the way to the router and back."""
        asked = [trial for trial in self.to_fit if trial.policy == LAAR]
        if not asked:
            raise ValueError(f"{self.serving} has no trials of {LAAR} to fit to, which tell what the way to it takes")
        return fmean(trial.elapsed_s - sum(attempt.latency_s for attempt in trial.tries) for trial in asked)


# By serving, fold and model.
Engines = Mapping[str, Mapping[str, Mapping[str, Engine]]]
Fits = Callable[[Callable[[Split], CalibrationFit], Sequence[Split]], Iterable[CalibrationFit]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The run whose figures are published, and the one that engines are fitted to and held against.

    `timed` is that one's first serving, whose recorded answers count for all of them: a model repeats itself. The first
    of the `splits` has all of its blocks.
    """

    facts: RunFacts
    profile: Profile
    published: Recording
    timed: Recording
    splits: Sequence[Split]

    def calibrated(self, fits: Fits = map) -> dict[str, dict[str, CalibrationFit]]:
        """For each serving and fold, from the profile's latencies on; `fits` may run several at once."""
        if not self.timed.clients:
            raise ValueError("mode: engines are fitted to closed loops; requests of this run came when they were due")
        found: dict[str, dict[str, CalibrationFit]] = defaultdict(dict)
        for split, fitted in zip(self.splits, fits(self._fitted, self.splits), strict=True):
            found[split.serving][split.fold] = fitted
        return dict(found)

    def world(self, run: Recording, engines: Engines, split: Split | None = None) -> ReplayWorld:
        """A recording's prompts and outcomes on the engines of a split, all of the first serving unless it is named."""
        split = split or self.splits[0]
        return ReplayWorld(
            profile=self.profile,
            records=run.outcomes,
            cluster=_cluster(engines[split.serving][split.fold], split),
            clients=run.clients,
            cap=run.cap,
        )

    def replay(self, engines: Engines) -> tuple[Replay, dict[str, Replay]]:
        """Every block on engines that were not fitted to it: all together, and each serving by itself."""
        played: dict[str, list[ReplayOutcome]] = defaultdict(list)
        for split in self.splits:
            if split.held_out:
                world = self.world(self.timed, engines, split)
                played[split.serving].append(replay(world, split.held_out, ways=WAYS, repeats=REPEATS))
        together = compare([part for parts in played.values() for part in parts])
        return together, {serving: compare(parts) for serving, parts in played.items()}

    def replay_published(self, engines: Engines) -> Replay:
        """All blocks of the published run, served when the machine may have been faster or slower."""
        world = self.world(self.published, engines)
        return compare([replay(world, self.published.trials, ways=WAYS, repeats=REPEATS)])

    def _fitted(self, split: Split) -> CalibrationFit:
        facts = self.facts
        blocks: dict[tuple[str, int], list[Trial]] = defaultdict(list)
        for trial in split.to_fit:
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
        return calibrate(_cluster(engines, split), sources)


def _cluster(engines: Mapping[str, Engine], split: Split) -> Cluster:
    """One replica of each model, at the end of a road."""
    return replace(Cluster.of(engines), verify_s=split.road_s)


def read_engines(folder: Path, splits: Sequence[Split]) -> Engines:
    """The engines of each serving and fold; ValueError where there are none yet, or those of others."""
    path, hint = folder / ENGINES, f"`laar bench simulate --from {folder} --write` writes it"
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, dict[str, Engine]]])
    except (OSError, msgspec.DecodeError) as error:
        raise ValueError(f"{path}: {error}; {hint}") from error
    has = sorted((serving, fold) for serving, folds in found.items() for fold in folds)
    if has != (wanted := sorted((split.serving, split.fold) for split in splits)):
        raise ValueError(f"{path} has engines of {_told(has)}; those of {_told(wanted)} are wanted; {hint}")
    return found


def _told(fits: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{serving} {fold}" for serving, fold in fits]


def load_study(folder: Path) -> Study:
    """Read what `laar bench ttca` has left in the folder and in those of FACTS; ValueError says what is wrong."""
    try:
        facts = RunFacts.model_validate(yaml.safe_load((folder / FACTS).read_text()))
        profile = Profile.model_validate_json((folder / "profile.json").read_bytes())
        heads = {run: read_trials(raw(folder / run, TRIALS)) for run in facts.runs}
        first, first_trials = heads[facts.runs[0]]
        for run, (head, _) in heads.items():
            check_same(folder / run, _plan_in(first), _plan_in(head))
        return Study(
            facts=facts,
            profile=profile,
            published=_recording(folder, *read_trials(raw(folder, TRIALS))),
            timed=_recording(folder / facts.runs[0], first, first_trials),
            splits=[split for run, (_, trials) in heads.items() for split in _splits(run, trials, facts.folds)],
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


def _splits(serving: str, trials: Sequence[Trial], folds: int) -> list[Split]:
    """All whole blocks, then each fold that has some: a serving that was cut short may lack policies in its last."""
    policies: dict[int, set[str]] = defaultdict(set)
    for trial in trials:
        policies[trial.block].add(trial.policy)
    every = set().union(*policies.values())
    whole = [trial for trial in trials if policies[trial.block] == every]
    blocks = sorted({trial.block for trial in whole})
    found = sorted({block % folds for block in blocks})
    if len(found) < 2:
        raise ValueError(
            f"folds: the whole blocks of {serving} must be of two of {folds} folds at least; it has {blocks}"
        )
    to_fit = [trial for trial in whole if is_whole(trial)]
    return [
        Split(serving=serving, fold=ALL, to_fit=to_fit),
        *(
            Split(
                serving=serving,
                fold=str(fold),
                to_fit=[trial for trial in to_fit if trial.block % folds != fold],
                held_out=[trial for trial in whole if trial.block % folds == fold],
            )
            for fold in found
        ),
    ]
