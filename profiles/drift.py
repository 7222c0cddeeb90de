"""A drift alarm: whether a model's recent verdicts have left the interval that its profile supports."""

from dataclasses import dataclass, field
from enum import StrEnum
from math import exp, log

# What counts as drift: log-odds beyond the interval. Smaller ones are found too, more slowly.
SHIFT = 1.0
# Each of the four sums a verdict enters reaches e^THRESHOLD to 1 evidence by chance less than once in e^THRESHOLD
# verdicts (Lorden's bound): together once in 110,000 at most.
THRESHOLD = 13.0
# An alarm ends when the evidence is gone; it does not pile up further than this, so that it can.
MOST_EVIDENCE = 1.5 * THRESHOLD
CERTAIN = 0.99


class Direction(StrEnum):
    WORSE = "worse"
    BETTER = "better"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A model, on one task or (None) on all together, answers otherwise than it was profiled."""

    model: str
    task: str | None
    direction: Direction


@dataclass(slots=True)
class Total:
    """Evidence in nats for a shift beyond the interval, against the bound of the interval itself; never below 0."""

    evidence: float = 0.0
    is_alarmed: bool = False

    def add(self, evidence: float) -> bool:
        """Whether the alarm starts with this."""
        self.evidence = min(MOST_EVIDENCE, max(0.0, self.evidence + evidence))
        starts = not self.is_alarmed and self.evidence >= THRESHOLD
        self.is_alarmed = starts or (self.is_alarmed and self.evidence > 0)
        return starts


@dataclass(slots=True)
class Drift:
    """Cumulative sums (CUSUM) for every model and task, and every model, in either direction."""

    sums: dict[Alarm, Total] = field(default_factory=dict)

    def observe(self, *, model: str, task: str, low: float, high: float, correct: bool) -> list[Alarm]:
        """The alarms that one more verdict starts; `low` and `high` bound the chance that it would be correct."""
        evidence = {
            Direction.WORSE: _evidence(low, -SHIFT, correct),
            Direction.BETTER: _evidence(high, SHIFT, correct),
        }
        alarms = [Alarm(model=model, task=where, direction=d) for where in (None, task) for d in Direction]
        return [alarm for alarm in alarms if self.sums.setdefault(alarm, Total()).add(evidence[alarm.direction])]

    @property
    def alarms(self) -> list[Alarm]:
        """Those that have started and not ended."""
        return [alarm for alarm, total in self.sums.items() if total.is_alarmed]


def _evidence(bound: float, shift: float, correct: bool) -> float:
    """How much likelier the verdict is with the log-odds shifted from the bound, as a logarithm."""
    at = min(CERTAIN, max(1 - CERTAIN, bound))
    shifted = at / (at + (1 - at) * exp(-shift))
    return log(shifted / at) if correct else log((1 - shifted) / (1 - at))
