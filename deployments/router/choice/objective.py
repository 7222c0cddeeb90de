"""What a choice minimises: the expected seconds until the user has a correct answer, and what it costs to have none."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import pairwise
from math import exp, inf, log, sqrt
from operator import add
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from profiles.arrays import Floats
from profiles.chances.joint import after

Ints = NDArray[np.intp]

# This many models are put into the best order; work more than doubles with each further one.
MAX_ORDERED = 6
# Seconds of waiting that a correct answer is worth, if nothing else is said.
DEFAULT_WORTH_S = 30.0
# Time that a client needs to see that an answer is wrong, and to ask again.
DEFAULT_NOTICE_S = 1.0
# Real latencies are taken to scatter about L like a lognormal variable with this ratio of deviation to mean.
SPREAD = 0.3
_SIGMA = sqrt(log(1 + SPREAD**2))
# A model cannot answer in time if it would in less than one of twenty cases: less time is left than this share of L.
CANNOT_SHARE = exp(-(_SIGMA**2) / 2 - 1.645 * _SIGMA)
# With more time than this multiple of all latencies together, the deadline plays no part.
_AMPLE = 2.5
# What stands for no time and for all time.
_LEAST_S, _FOR_EVER_S = 1e-9, 1e12
# Chances change with a verdict, latencies with every request: this many sets of chances are kept, some MB at most.
_REMEMBERED = 1 << 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """Least expected cost: seconds until a correct answer, plus `worth_s` if there is none.

    There is none after `attempts_left` wrong answers (None: until one is right) or `time_left_s`. Each attempt takes
    `notice_s` more where the client is the one who finds an answer wrong. With `has_samples` the same model may give
    another answer to the same prompt.
    """

    worth_s: float = DEFAULT_WORTH_S
    attempts_left: int | None = None
    time_left_s: float = inf
    notice_s: float = 0.0
    has_samples: bool = False

    def is_open_for(self, latency_s: Sequence[float]) -> bool:
        """Whether all of these attempts can be made, one after another, and no time or number of them plays a part."""
        if self.attempts_left is not None and self.attempts_left < len(latency_s):
            return False
        return self.time_left_s >= _AMPLE * (sum(latency_s) + self.notice_s * len(latency_s))

    def single_costs_s(
        self, latency_s: Sequence[float], probability: Sequence[float], external_s: Sequence[float]
    ) -> Floats:
        """The expected cost of each attempt if it is all there is, shape (n,)."""
        takes_s, chances = np.asarray(latency_s) + self.notice_s, np.asarray(probability)
        if self.time_left_s < _AMPLE * takes_s.max():
            in_time, takes_s = TotalLatency.alone(takes_s).by(self.time_left_s)
            chances = chances * in_time
        found: Floats = takes_s + np.asarray(external_s) + self.worth_s * (1 - chances)
        return found


UNTIL_RIGHT = Objective()


@dataclass(frozen=True, kw_only=True, eq=False)
class Joint:
    """What a wrong answer of each model (rows) adds to the divisor of the odds of each (columns), see `joint.after`."""

    index: Mapping[str, int]
    burdens: Floats

    def among(self, models: Sequence[str]) -> Floats:
        rows = [self.index[model] for model in models]
        return self.burdens.take(rows, axis=0).take(rows, axis=1)

    def of_itself(self, model: str) -> float:
        """What a model's own wrong answer weighs against its next one."""
        row = self.index[model]
        return float(self.burdens[row, row])

    @cached_property
    def is_of_each_alone(self) -> bool:
        """Whether wrong answers tell only of the model that gave them."""
        return not (self.burdens - np.diag(self.burdens.diagonal())).any()


def best_order(
    latency_s: Sequence[float],
    all_wrong: Sequence[float],
    objective: Objective = UNTIL_RIGHT,
    *,
    external_s: Sequence[float] | None = None,
) -> Iterator[int]:
    """The attempts in the order of least expected cost, each once; ties go to the earlier one.

    An attempt costs its latency and what others wait for it, `external_s`, which is none of the user's time.

    `all_wrong` is the chance that all of a set are wrong, by the number whose bits are the set's attempts. It does not
    depend on their order, nor does the time that they take together. So what an attempt after a set of failures adds to
    the cost and to the chance is known, and the best order is the one that adds least.
    """
    takes_s = [seconds + objective.notice_s for seconds in latency_s]
    most = len(takes_s) if objective.attempts_left is None else min(len(takes_s), objective.attempts_left)
    externals_s = [0.0] * len(takes_s) if external_s is None else external_s
    wrong = np.array(all_wrong)
    if objective.time_left_s >= _AMPLE * sum(takes_s):
        none_s = objective.worth_s if most < len(takes_s) else 0.0
        adds_s = np.multiply.outer(wrong, list(map(add, takes_s, externals_s)))
        return _least(adds_s.tolist(), (none_s * wrong).tolist(), most)
    total = TotalLatency.of(_members(len(takes_s)), np.array(takes_s))
    adds_s = _added_s(total, wrong, np.array(externals_s), objective)
    return _least(adds_s.tolist(), [0.0] * len(wrong), most)


def _least(adds_s: Sequence[Sequence[float]], ends_s: Sequence[float], most: int) -> Iterator[int]:
    """The least costly order by what each attempt adds after each set of failures, and by what an end costs there.

    Plain numbers, which for so few sets are quicker than arrays. Costs count from before the first attempt, so that
    what comes after a set of failures is as likely as the set.
    """
    costs, firsts = [*ends_s], [-1] * len(ends_s)
    for failed, left in _open_sets(len(adds_s[0]), most):
        least_s, adds = inf, adds_s[failed]
        for attempt, then in left:
            cost_s = adds[attempt] + costs[then]
            if cost_s < least_s:
                least_s, firsts[failed] = cost_s, attempt
        costs[failed] = least_s
    failed = 0
    while (first := firsts[failed]) >= 0:
        yield first
        failed |= 1 << first


def _added_s(total: "TotalLatency", wrong: Floats, external_s: Floats, objective: Objective) -> Floats:
    """What attempts (columns) add to the expected cost after sets of failures (rows): seconds less the worth of being
    right in time."""
    in_time, spent_s = total.by(objective.time_left_s)
    then = _then(len(external_s))
    seconds = spent_s[then] - spent_s[:, None] + in_time[:, None] * external_s
    found: Floats = wrong[:, None] * seconds - objective.worth_s * (wrong[:, None] - wrong[then]) * in_time[then]
    return found


def chances_all_wrong(probability: Sequence[float], burdens: Floats) -> tuple[float, ...]:
    """How likely all of each set of attempts are wrong, given from the likeliest to be right on; see `best_order`.

    It must not depend on the order in which they are asked: it is the chance of a set's first one, then of the next one
    after it, and so on. So the failure of a model that is rarely right tells little of a better one.
    """
    count = len(probability)
    if count > MAX_ORDERED:
        raise ValueError(f"{count} attempts to order; at most {MAX_ORDERED} are allowed")
    if any(more > less for less, more in pairwise(probability)):
        raise ValueError(f"chances {list(probability)}: descending ones are wanted")
    wrong = 1 - after(np.asarray(probability), _members(count) @ burdens)
    found = np.ones(1 << count)
    for last in range(count):
        before = slice(0, 1 << last)
        found[1 << last : 2 << last] = found[before] * wrong[before, last]
    return tuple(found.tolist())


@lru_cache(maxsize=_REMEMBERED)
def remembered_all_wrong(
    joint: Joint | None, models: tuple[str, ...], probability: tuple[float, ...]
) -> tuple[float, ...]:
    """The same of these models; one that is named twice may be asked twice."""
    count = len(models)
    return chances_all_wrong(probability, np.zeros((count, count)) if joint is None else joint.among(models))


def chance_left(probability: Sequence[float], burdens: Floats) -> float:
    """The chance that at least one of the models is right, each asked once."""
    chances = np.asarray(probability, dtype=np.float64)
    burden = np.zeros_like(chances)
    all_wrong = 1.0
    for model in range(len(chances)):
        all_wrong *= 1 - float(after(chances[model], burden[model]))
        burden = burden + burdens[model]
    return 1 - all_wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalLatency:
    """How long sets of attempts take one after another: lognormal with the sum's mean and variance, shape (n,).

    That is exact for one attempt, and close for several.
    """

    mean_s: Floats
    square: Floats

    @classmethod
    def alone(cls, latency_s: Floats) -> Self:
        """Of each attempt alone."""
        return cls(mean_s=np.maximum(latency_s, _LEAST_S), square=np.full(len(latency_s), _SIGMA**2))

    @classmethod
    def of(cls, members: Floats, latency_s: Floats) -> Self:
        """Of sets (rows), by which attempts (columns) are in each."""
        mean_s = np.maximum(members @ latency_s, _LEAST_S)
        return cls(mean_s=mean_s, square=np.log1p(members @ (SPREAD * latency_s) ** 2 / mean_s**2))

    def by(self, time_s: float) -> tuple[Floats, Floats]:
        """How likely each is over by a time, and the seconds spent until it is over or until then."""
        time_s = min(max(time_s, _LEAST_S), _FOR_EVER_S)
        sigma = np.maximum(np.sqrt(self.square), _LEAST_S)
        z = (np.log(time_s / self.mean_s) + self.square / 2) / sigma
        in_time: Floats = ndtr(z)
        spent_s: Floats = self.mean_s * ndtr(z - sigma) + time_s * (1 - in_time)
        return in_time, spent_s


@cache
def _members(count: int) -> Floats:
    """Which attempts (columns) are in each set of them (rows)."""
    return np.array([[float(failed >> model & 1) for model in range(count)] for failed in range(1 << count)])


@cache
def _open_sets(count: int, most: int) -> list[tuple[int, list[tuple[int, int]]]]:
    """Sets of fewer than `most` failures, larger ones first: each with the attempts left and the sets they make."""
    sets = [failed for failed in reversed(range(1 << count)) if failed.bit_count() < min(most, count)]
    return [(failed, [(a, failed | 1 << a) for a in range(count) if not failed >> a & 1]) for failed in sets]


@cache
def _then(count: int) -> Ints:
    """The set that each one (rows) makes with an attempt (columns)."""
    return np.arange(1 << count)[:, None] | 1 << np.arange(count)
