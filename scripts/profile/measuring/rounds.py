"""Which questions to ask next: all of the grid at once, or in rounds those that a choice of model hangs on."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from deployments.router.latency.expected import Speeds, idle_latency_s
from profiles.measuring.adaptive import Arm, Doubt, doubts, next_arms
from profiles.measuring.fitting import fit_latency
from profiles.measuring.measurement import Record
from scripts.profile.measuring.journal import MeasurementJournal
from scripts.profile.measuring.plan import Case, Key, ProfileError, PromptKind

# Every model is asked this many prompts of every cell before doubt can decide.
FIRST_PROMPTS = 3
STEP_PROMPTS = 4
# A choice that is right with 95 % is left alone.
THRESHOLD = 0.05
# The doubt is looked at anew after at most this share of the cells has been asked more.
ROUND_SHARE = 0.25


class Rounds(Protocol):
    """Decides round by round; what was decided before stands in the journal."""

    def next(self, journal: MeasurementJournal) -> list[Case]:
        """The questions of the next round; none when it is over."""


class GridRounds:
    """Everything, in one round."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self._left = list(cases)

    def next(self, journal: MeasurementJournal) -> list[Case]:
        found, self._left = self._left, []
        return found


class AdaptiveRounds:
    """Some prompts of every cell, then more of the cells in doubt, until `most` are asked or no doubt is left."""

    def __init__(self, cases: Sequence[Case], *, most: int, seed: int) -> None:
        """Raises ProfileError when `most` does not even suffice for the first round."""
        self._by_key = {case.key: case for case in cases}
        self._arms: dict[tuple[PromptKind, str], list[Case]] = defaultdict(list)
        for case in cases:
            self._arms[case.kind, case.model].append(case)
        self._most, self._seed, self._replayed = most, seed, 0
        self._first = [case for arm in self._arms.values() for case in arm[:FIRST_PROMPTS]]
        if most < len(self._first):
            raise ProfileError(
                f"--budget {most} is too little: the first {FIRST_PROMPTS} prompts of all {len(self._arms)} "
                f"combinations of model, task, language and length are {len(self._first)}"
            )

    def next(self, journal: MeasurementJournal) -> list[Case]:
        """Rounds that the journal holds come first, as they were decided then."""
        if self._replayed == len(journal.rounds) and (chosen := self._choose(journal)):
            journal.add_round([case.key for case in chosen])
        if self._replayed == len(journal.rounds):
            return []
        self._replayed += 1
        return [self._by_key[key] for key in journal.rounds[self._replayed - 1]]

    def _choose(self, journal: MeasurementJournal) -> list[Case]:
        if not journal.rounds:
            return self._first
        asked = {key for keys in journal.rounds for key in keys}
        left = {arm: [c for c in cases if c.key not in asked] for arm, cases in self._arms.items()}
        chosen = next_arms(
            arms_of(self._by_key.values(), journal, left=left),
            rng=np.random.default_rng((self._seed, len(journal.rounds))),
            threshold=THRESHOLD,
            most_cells=math.ceil(ROUND_SHARE * len({cell for cell, _ in self._arms})),
        )
        return [case for arm in chosen for case in left[arm][:STEP_PROMPTS]][: self._most - len(asked)]


def doubts_of(cases: Iterable[Case], journal: MeasurementJournal, *, seed: int) -> dict[PromptKind, Doubt]:
    """How sure the choice of a model is in each cell that any has answered."""
    return doubts(arms_of(cases, journal), rng=np.random.default_rng((seed, len(journal.rounds))))


def arms_of(
    cases: Iterable[Case],
    journal: MeasurementJournal,
    *,
    left: Mapping[tuple[PromptKind, str], Sequence[Case]] | None = None,
) -> dict[PromptKind, list[Arm]]:
    """What is known of every model in every cell where it has answered; `left` are its prompts yet to be asked."""
    found: dict[tuple[PromptKind, str], list[Record]] = defaultdict(list)
    for case in cases:
        outcome = journal.outcomes.get(case.key)
        if outcome is not None and outcome.record is not None:
            found[case.kind, case.model].append(outcome.record)
    by_model: dict[str, list[Record]] = defaultdict(list)
    for (_, model), records in found.items():
        by_model[model] += records
    speeds = {model: Speeds.of([fit_latency(records)]) for model, records in by_model.items()}
    arms: dict[PromptKind, list[Arm]] = defaultdict(list)
    for (cell, model), records in sorted(found.items()):
        can_be_asked = left is None or bool(left.get((cell, model)))
        arms[cell].append(_arm(model, records, speeds[model], can_be_asked=can_be_asked))
    return arms


def check_known(journal: MeasurementJournal, cases: Iterable[Case]) -> None:
    """Raises ProfileError where the journal holds what is not planned, so that nothing measured is lost unseen."""
    planned = {case.key for case in cases}
    named: set[Key] = {*journal.outcomes, *(key for keys in journal.rounds for key in keys)}
    if unknown := sorted(named - planned, key=str):
        raise ProfileError(
            f"the journal {journal.path} holds {len(unknown)} questions that this version does not ask, "
            f"such as {unknown[0].prompt_id} of {unknown[0].model}; --fresh starts over"
        )


def _arm(model: str, records: Sequence[Record], speeds: Speeds, *, can_be_asked: bool) -> Arm:
    prompt = np.array([sum(r.prompt_tokens for r in records) / len(records)])
    output = np.array([sum(r.output_tokens for r in records) / len(records)])
    return Arm(
        model=model,
        latency_s=max(1e-6, float(idle_latency_s(speeds, prompt_tokens=prompt, output_tokens=output)[0])),
        correct=sum(r.correct for r in records),
        tried=len(records),
        can_be_asked=can_be_asked,
    )
