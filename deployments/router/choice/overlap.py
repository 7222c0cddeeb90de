"""When the next model starts although the one before it is still at work: where the time gained is worth the engine's.

A log-normal attempt that has run longer than expected is likely to run longer still. So the decision is a moment: the
next model waits until then, and starts at once if the others fail before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, log
from typing import Literal, Self

import numpy as np
from scipy.special import ndtr

from deployments.router.choice.policy import Candidate
from profiles.arrays import Floats

OverlapMode = Literal["off", "auto"]

# Attempts of one request under way at once.
MAX_UNDER_WAY = 2
# What an engine-second costs, in seconds of the user's time, where no one else waits for the engine: chosen on recorded
# answers of real models, so that overlapped attempts take less than a quarter more engine time.
IDLE_PRICE = 0.47
# Of the attempts of live engines so many are taken to hang: one that is far beyond its time is one of them. Assumed.
HANG_SHARE = 0.01
# Moments that are compared, and steps in which the time after each is summed up.
_MOMENTS, _STEPS = 24, 48
# The time that is looked at ends where this many standard deviations of every logarithm are over.
_REACH = 2.6
# An attempt that has outlived all that its distribution allows is taken to be this likely still.
_LEAST_LEFT = 1e-6
# A wait that is shorter than this share of the horizon is none: a later look would find another as short.
_NO_WAIT_SHARE = 0.01
_LEAST_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedAttempt:
    """An attempt whose latency is log-normal: its median, the deviation of its logarithm, and how long it has run.

    A second of its engine costs as much as `price` seconds of the user's time. In `hang_share` of cases it never ends.
    """

    median_s: float
    spread: float
    probability: float
    elapsed_s: float = 0.0
    price: float = IDLE_PRICE
    hang_share: float = 0.0

    @classmethod
    def of(cls, candidate: Candidate, *, spread: float, elapsed_s: float = 0.0) -> Self:
        """An attempt on a candidate; its seconds cost more by what others wait, over its time on an idle engine."""
        mean_s = max(candidate.latency_s, _LEAST_S)
        return cls(
            median_s=mean_s * exp(-(spread**2) / 2),
            spread=spread,
            probability=candidate.probability,
            elapsed_s=elapsed_s,
            price=IDLE_PRICE + candidate.external_s / max(candidate.idle_latency_s, _LEAST_S),
            hang_share=HANG_SHARE,
        )

    @property
    def mean_s(self) -> float:
        return self.median_s * exp(self.spread**2 / 2)

    def done(self, after_s: Floats) -> Floats:
        """The chance that it ends within that time from now, given that it has not ended yet."""
        left = max(_LEAST_LEFT, float(self._survives(np.array(self.elapsed_s))))
        found: Floats = np.clip(1 - self._survives(self.elapsed_s + after_s) / left, 0.0, 1.0)
        return found

    @property
    def horizon_s(self) -> float:
        """By then from now it has very likely ended."""
        return max(self.median_s * exp(_REACH * self.spread), self.elapsed_s)

    def _survives(self, time_s: Floats) -> Floats:
        """The chance that it takes longer."""
        with np.errstate(divide="ignore"):
            found: Floats = ndtr((log(self.median_s) - np.log(time_s)) / self.spread)
        return self.hang_share + (1 - self.hang_share) * found


def start_after_s(running: Sequence[TimedAttempt], following: TimedAttempt) -> float:
    """Seconds from now after which `following` should start beside all of `running`; inf: only when they have failed.

    The moment of least `E[seconds until a right answer or none is left] + E[price * engine-seconds]`, attempts taken to
    be independent. Nothing else is learned until then, so that the moment stays the best one while all go on. What
    comes after all of them have failed is the same for each moment, and is left out.
    """
    moments, costs = costs_by_moment(running, following)
    best = int(costs.argmin())
    if best == len(moments) - 1:
        return inf
    return float(moments[best]) if moments[best] > _NO_WAIT_SHARE * moments[-1] else 0.0


def look_after_s(running: Sequence[TimedAttempt], following: TimedAttempt) -> float:
    """Seconds after which to look at them again; 0: `following` should start now.

    Also where it should wait until the others have ended, which they do by their horizon if all is as expected.
    """
    horizon_s = max(attempt.horizon_s for attempt in running)
    return min(start_after_s(running, following), horizon_s)


def costs_by_moment(running: Sequence[TimedAttempt], following: TimedAttempt) -> tuple[Floats, Floats]:
    """The moments that are compared, the last of them after all of `running` have ended, and what each costs."""
    if not running:
        raise ValueError("running: none; at least one attempt has to be under way")
    horizon_s = max(attempt.horizon_s for attempt in running)
    moments = np.concatenate([[0.0], horizon_s * np.linspace(0.02, 1.0, _MOMENTS - 1) ** 1.5])
    later = max(horizon_s, following.horizon_s) * np.linspace(0.0, 1.0, _STEPS) ** 2
    weights = _trapezium(later)
    ended = [attempt.done(moments[:, None] + later) for attempt in running]
    open_, lost = _together(running, ended)
    follows, q = following.done(later), following.probability
    # until the moment only `running` are at work; what they leave when all are wrong is taken up at once
    lost_before = lost[:, :1]
    alone_s = _summed(open_[:, 0] - lost[:, 0], moments)
    still, then_lost = open_ - lost_before, lost - lost_before
    beside_s = (still * (1 - q * follows) - then_lost * (1 - q) * follows) @ weights
    after_s = lost[:, 0] * following.mean_s
    paid = following.price * (after_s + (still * (1 - follows)) @ weights)
    for index, attempt in enumerate(running):
        others, _ = _together(*_without(running, ended, index))
        busy = (1 - ended[index]) * others
        paid = paid + attempt.price * (_summed(busy[:, 0], moments) + (busy * (1 - q * follows)) @ weights)
    costs: Floats = alone_s + beside_s + after_s + paid
    return moments, costs


def _together(attempts: Sequence[TimedAttempt], ended: Sequence[Floats]) -> tuple[Floats, Floats]:
    """The chances that none of them was right by then, and that all of them were wrong by then."""
    open_, lost = np.ones(()), np.ones(())
    for attempt, done in zip(attempts, ended, strict=True):
        open_ = open_ * (1 - attempt.probability * done)
        lost = lost * (1 - attempt.probability) * done
    return open_, lost


def _without(
    attempts: Sequence[TimedAttempt], ended: Sequence[Floats], index: int
) -> tuple[list[TimedAttempt], list[Floats]]:
    return [*attempts[:index], *attempts[index + 1 :]], [*ended[:index], *ended[index + 1 :]]


def _trapezium(at: Floats) -> Floats:
    """The weights by which values at these points are summed up to their integral."""
    steps = np.diff(at)
    found: Floats = (np.append(steps, 0.0) + np.insert(steps, 0, 0.0)) / 2
    return found


def _summed(values: Floats, at: Floats) -> Floats:
    """The integral up to each of the points."""
    found: Floats = np.concatenate([[0.0], np.cumsum((values[1:] + values[:-1]) / 2 * np.diff(at))])
    return found
