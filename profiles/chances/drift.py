"""A drift alarm: whether a model's recent verdicts have left the interval that its profile supports."""

from dataclasses import dataclass, field
from enum import StrEnum
from math import exp, log

from profiles.chances.trust import Likelihood

# A verdict is weighed between two chances: one near the interval's end, so far from the estimate as a share of the
# way, and one so many log-odds further out. Evidence grows where the truth is beyond their middle. Nearer than
# this, profiles of few prompts raised false alarms; farther, swapped models were found later.
NEAR = 0.75
SHIFT = 1.5
# Each of the four sums a verdict enters reaches e^THRESHOLD to 1 evidence by chance less than once in e^THRESHOLD
# verdicts (Lorden's bound): together once in 110,000 at most.
THRESHOLD = 13.0
# So much evidence is a doubt: from then on the model is learned anew, before the alarm.
DOUBT = 10.0
# An alarm ends when the evidence is gone; it does not pile up further than this, so that it can.
MOST_EVIDENCE = 1.5 * THRESHOLD
CERTAIN = 0.99
# So much more evidence than all others together a key may give, where there are others.
MORE_THAN_OTHERS = 2.0


class Direction(StrEnum):
    WORSE = "worse"
    BETTER = "better"


_DIRECTIONS = (Direction.WORSE, Direction.BETTER)


class Cause(StrEnum):
    """Traffic, if other models have moved in the same direction as well; else the model itself."""

    MODEL = "model"
    TRAFFIC = "traffic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A model, on one task or (None) on all together, answers otherwise than it was profiled."""

    model: str
    task: str | None
    direction: Direction
    cause: Cause = Cause.MODEL


@dataclass(slots=True)
class Total:
    """Evidence in nats for a shift beyond the interval, against the bound of the interval itself; never below 0."""

    evidence: float = 0.0
    is_doubtful: bool = False
    is_alarmed: bool = False
    # what each named key added since there was none of it
    by_key: dict[str, float] = field(default_factory=dict)

    def add(self, evidence: float, key: str | None = None) -> bool:
        """Whether the alarm starts with this; what a named key says counts as far as others say so too."""
        if key is not None:
            mine = self.by_key.get(key, 0.0)
            evidence = min(evidence, max(0.0, self.evidence - 2 * mine + MORE_THAN_OTHERS))
            self.by_key[key] = max(0.0, mine + evidence)
        self.evidence = min(MOST_EVIDENCE, max(0.0, self.evidence + evidence))
        self.is_doubtful = self.evidence >= DOUBT or (self.is_doubtful and self.evidence > 0)
        starts = not self.is_alarmed and self.evidence >= THRESHOLD
        self.is_alarmed = starts or (self.is_alarmed and self.evidence > 0)
        if not self.evidence:
            self.by_key.clear()
        return starts


@dataclass(slots=True)
class Drift:
    """Cumulative sums (CUSUM) for every model and task, and every model, in either direction."""

    # by model and task, in the order of `_DIRECTIONS`
    _sums: dict[tuple[str, str | None], tuple[Total, Total]] = field(default_factory=dict)

    def observe(
        self,
        *,
        model: str,
        task: str,
        probability: float,
        low: float,
        high: float,
        likelihood: Likelihood,
        is_at_most: bool = False,
        key: str | None = None,
    ) -> list[Alarm]:
        """The alarms that one more verdict starts, by its likelihood.

        The chance of a right answer was `probability`, within `low` to `high`; if it `is_at_most` that, a wrong answer
        says nothing against the model, while right ones still show that it has become better. `key` says whose verdict
        it is, where others have to say so as well.
        """
        believed = (1 - NEAR) * _log_odds(probability)
        evidence = (
            0.0 if is_at_most else _evidence(believed + NEAR * _log_odds(low), -SHIFT, likelihood),
            _evidence(believed + NEAR * _log_odds(high), SHIFT, likelihood),
        )
        return [
            self._alarm(model, where, direction)
            for where in (None, task)
            for direction, total, more in zip(_DIRECTIONS, self._of(model, where), evidence, strict=True)
            if total.add(more, key)
        ]

    def is_doubtful(self, model: str, task: str) -> bool:
        """Whether the model may well have changed, on this task or on all together; it is too early for an alarm."""
        return any(total.is_doubtful for where in (None, task) for total in self._of(model, where))

    @property
    def alarms(self) -> list[Alarm]:
        """Those that have started and not ended."""
        return [
            self._alarm(model, task, direction)
            for (model, task), totals in self._sums.items()
            for direction, total in zip(_DIRECTIONS, totals, strict=True)
            if total.is_alarmed
        ]

    def _alarm(self, model: str, task: str | None, direction: Direction) -> Alarm:
        """With its cause by what is known now of the other models."""
        index = _DIRECTIONS.index(direction)
        others = sum(
            totals[index].evidence for (name, where), totals in self._sums.items() if name != model and not where
        )
        cause = Cause.TRAFFIC if others >= DOUBT else Cause.MODEL
        return Alarm(model=model, task=task, direction=direction, cause=cause)

    def _of(self, model: str, task: str | None) -> tuple[Total, Total]:
        if (found := self._sums.get((model, task))) is None:
            found = self._sums[model, task] = (Total(), Total())
        return found


def _evidence(near: float, shift: float, likelihood: Likelihood) -> float:
    """How much likelier the verdict is by the farther log-odds than by those that are `near`, as a logarithm."""
    return log(_likely(near + shift, likelihood) / _likely(near, likelihood))


def _likely(log_odds: float, likelihood: Likelihood) -> float:
    chance = 1 / (1 + exp(-log_odds))
    return chance * likelihood.if_right + (1 - chance) * likelihood.if_wrong


def _log_odds(chance: float) -> float:
    kept = min(CERTAIN, max(1 - CERTAIN, chance))
    return log(kept / (1 - kept))
