"""What a choice minimises: the expected seconds until the user has a correct answer, and what it costs to have none."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import pairwise, permutations
from math import exp, inf, log, sqrt
from operator import add
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from scipy.special import ndtr

from profiles.arrays import Floats
from profiles.chances.joint import after
from profiles.strict import Strict

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
# Chances that differ by less are taken to be equal.
_EQUAL = 1e-9
# What stands for no time and for all time.
_LEAST_S, _FOR_EVER_S = 1e-9, 1e12
# Chances change with a verdict, latencies with every request: this many sets of chances are kept, some MB at most.
_REMEMBERED = 1 << 12


class AnswerTarget(Strict):
    """The chance of a correct answer by a time that is to be reached."""

    model_config = ConfigDict(strict=True)

    probability: Annotated[float, Field(gt=0, le=1)]
    by_s: Annotated[float, Field(gt=0, le=86400)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """Least expected cost: seconds until a correct answer, plus `worth_s` if there is none.

    There is none after `attempts_left` wrong answers (None: until one is right) or `time_left_s`. Each attempt takes
    `notice_s` more where the client is the one who finds an answer wrong. With `has_samples` the same model may give
    another answer to the same prompt. A `target` leaves only the orders that reach it, or the likeliest to be right by
    then if none does.
    """

    worth_s: float = DEFAULT_WORTH_S
    attempts_left: int | None = None
    time_left_s: float = inf
    notice_s: float = 0.0
    has_samples: bool = False
    target: AnswerTarget | None = None

    def is_open_for(self, latency_s: Sequence[float]) -> bool:
        """Whether all of these attempts can be made, one after another, and no time or number of them plays a part."""
        if self.target is not None or (self.attempts_left is not None and self.attempts_left < len(latency_s)):
            return False
        return self.time_left_s >= _AMPLE * (sum(latency_s) + self.notice_s * len(latency_s))

    def single_costs_s(
        self, latency_s: Sequence[float], probability: Sequence[float], external_s: Sequence[float]
    ) -> list[Floats]:
        """What each attempt costs if it is all there is, shape (n,); with a target also the chance to miss that."""
        takes_s, chances = np.asarray(latency_s) + self.notice_s, np.asarray(probability)
        misses: list[Floats] = []
        if self.target is not None or self.time_left_s < _AMPLE * takes_s.max():
            alone = TotalLatency.alone(takes_s)
            if self.target is not None:
                misses = [1 - chances * alone.by(min(self.target.by_s, self.time_left_s))[0]]
            in_time, takes_s = alone.by(self.time_left_s)
            chances = chances * in_time
        costs_s: Floats = takes_s + np.asarray(external_s) + self.worth_s * (1 - chances)
        return [costs_s, *misses]


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
    all_wrong: Floats,
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
    if objective.target is None and objective.time_left_s >= _AMPLE * sum(takes_s):
        none_s = objective.worth_s if most < len(takes_s) else 0.0
        return _least([list(map(add, takes_s, externals_s))] * len(all_wrong), all_wrong, most, none_s)
    total = TotalLatency.of(_members(len(takes_s)), np.array(takes_s))
    costs_s = _costs_s(total, all_wrong, np.array(externals_s), objective)
    if objective.target is None:
        return _least(costs_s.tolist(), all_wrong, most, 0.0)
    right_by = total.by(min(objective.target.by_s, objective.time_left_s))[0]
    return _least_that_reaches(objective.target.probability, right_by, costs_s, all_wrong, most)


def _least(costs_s: Sequence[Sequence[float]], all_wrong: Floats, most: int, none_s: float) -> Iterator[int]:
    """The order of least expected cost, by what each attempt costs once each set has failed, and by what an end costs.

    Plain numbers, which for so few sets are quicker than arrays. What is expected counts from before the first attempt,
    so that what comes after a set of failures is as likely as the set.
    """
    chances: list[float] = all_wrong.tolist()
    expected_s, firsts = [none_s * chance for chance in chances], [-1] * len(chances)
    for failed, left in _open_sets(len(costs_s[0]), most):
        least_s, chance, costs = inf, chances[failed], costs_s[failed]
        for attempt, then in left:
            cost_s = chance * costs[attempt] + expected_s[then]
            if cost_s < least_s:
                least_s, firsts[failed] = cost_s, attempt
        expected_s[failed] = least_s
    failed = 0
    while (first := firsts[failed]) >= 0:
        yield first
        failed |= 1 << first


def _least_that_reaches(
    probability: float, right_by: Floats, costs_s: Floats, all_wrong: Floats, most: int
) -> Iterator[int]:
    """The least costly of the orders that are right by a time so likely, or of the likeliest ones if none is.

    `right_by` is how likely each set of attempts is over by then.
    """
    orders, steps = _every_order(costs_s.shape[1], most)
    then, wrong = _then(costs_s.shape[1]), all_wrong[:, None]
    chances = ((wrong - all_wrong[then]) * right_by[then]).take(steps).sum(axis=0)
    expected_s = (wrong * costs_s).take(steps).sum(axis=0)
    reach = min(probability, float(chances.max())) - _EQUAL
    return iter(orders[np.where(chances >= reach, expected_s, inf).argmin()].tolist())


def _costs_s(total: "TotalLatency", all_wrong: Floats, external_s: Floats, objective: Objective) -> Floats:
    """What attempts (columns) cost once sets (rows) have failed: seconds less the worth of being right in time."""
    in_time, spent_s = total.by(objective.time_left_s)
    then = _then(len(external_s))
    right = 1 - all_wrong[then] / all_wrong[:, None]
    seconds = spent_s[then] - spent_s[:, None] + in_time[:, None] * external_s
    found: Floats = seconds - objective.worth_s * right * in_time[then]
    return found


def chances_all_wrong(probability: Sequence[float], burdens: Floats) -> Floats:
    """How likely all of each set of attempts are wrong, given from the likeliest to be right on; see `best_order`.

    It must not depend on the order in which they are asked: it is the chance of a set's first one, then of the next one
    after it, and so on. So the failure of a model that is rarely right tells little of a better one.
    """
    count = len(probability)
    if count > MAX_ORDERED:
        raise ValueError(f"{count} attempts to order; at most {MAX_ORDERED} are allowed")
    if any(more > less for less, more in pairwise(probability)):
        raise ValueError(f"chances {list(probability)}: descending ones are wanted")
    return all_wrong(_members(count), np.asarray(probability), burdens)


def all_wrong(members: Floats, probability: Floats, burdens: Floats) -> Floats:
    """The same of these sets (rows), by whether an attempt (columns) is in each."""
    wrong = 1 - after(probability, members @ np.triu(burdens, 1))
    found: Floats = np.where(members, wrong, 1.0).prod(axis=1)
    return found


@lru_cache(maxsize=_REMEMBERED)
def remembered_all_wrong(joint: Joint | None, models: tuple[str, ...], probability: tuple[float, ...]) -> Floats:
    """The same of these models; one that is named twice may be asked twice."""
    count = len(models)
    return chances_all_wrong(probability, np.zeros((count, count)) if joint is None else joint.among(models))


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


@cache
def _every_order(count: int, most: int) -> tuple[Ints, Ints]:
    """Every order of `most` attempts, one a row; and for each place in it (rows) and order (columns), where what that
    attempt adds after those before it stands in an array of sets and attempts."""
    orders = np.array(list(permutations(range(count), most)))
    sets = np.bitwise_or.accumulate(1 << orders, axis=1) ^ 1 << orders
    return orders, np.ascontiguousarray((sets * count + orders).T)
