"""What a choice minimises: the expected seconds until the user has a correct answer, and what it costs to have none."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import pairwise
from math import exp, inf, log, sqrt
from operator import add

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
# Steps into which the time left is cut where it plays a part.
_STEPS = 24
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
        """Whether all of these attempts can be made, one after another: neither deadline nor attempts play a part."""
        if self.attempts_left is not None and self.attempts_left < len(latency_s):
            return False
        return self.time_left_s >= _AMPLE * (sum(latency_s) + self.notice_s * len(latency_s))

    def single_costs_s(
        self, latency_s: Sequence[float], probability: Sequence[float], external_s: Sequence[float]
    ) -> Floats:
        """The expected cost of each attempt if it is all there is, shape (n,)."""
        takes_s, chances = np.asarray(latency_s) + self.notice_s, np.asarray(probability)
        if self.time_left_s < _AMPLE * takes_s.max():
            in_time, spent_s = _within(takes_s, np.array([self.time_left_s]))
            takes_s, chances = spent_s[:, 0], chances * in_time[:, 0]
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
    depend on their order. So from every set of failures the best remainder is known once those of the larger sets are.
    Where the deadline plays a part, so does the time left, in steps; the order is then the one to follow if every
    attempt takes its mean.
    """
    takes_s = [seconds + objective.notice_s for seconds in latency_s]
    most = len(takes_s) if objective.attempts_left is None else min(len(takes_s), objective.attempts_left)
    externals_s = [0.0] * len(takes_s) if external_s is None else external_s
    if objective.time_left_s >= _AMPLE * sum(takes_s):
        costs_s = list(map(add, takes_s, externals_s))
        return _untimed(costs_s, all_wrong, most, objective.worth_s if most < len(takes_s) else 0.0)
    times = _Times.of(np.array(takes_s), np.array(externals_s), objective)
    return _timed(times, np.array(all_wrong), most, objective.worth_s)


def _untimed(costs_s: Sequence[float], all_wrong: Sequence[float], most: int, none_s: float) -> Iterator[int]:
    """Without a deadline: plain numbers, which for so few states are quicker than arrays.

    Costs count from before the first attempt, so that what comes after a set of failures is as likely as the set.
    """
    count = len(costs_s)
    costs, firsts = [none_s * chance for chance in all_wrong], [-1] * (1 << count)
    for failed, left in _open_sets(count, most):
        least_s, chance = inf, all_wrong[failed]
        for attempt, then in left:
            cost_s = chance * costs_s[attempt] + costs[then]
            if cost_s < least_s:
                least_s, firsts[failed] = cost_s, attempt
        costs[failed] = least_s
    failed = 0
    while (first := firsts[failed]) >= 0:
        yield first
        failed |= 1 << first


def _timed(times: "_Times", all_wrong: Floats, most: int, none_s: float) -> Iterator[int]:
    """With a deadline: what is to be expected after a set of failures, by the steps of time left."""
    count = len(times.steps)
    costs = np.full((1 << count, times.spent.shape[1]), none_s)
    expected: dict[int, Floats] = {}
    for failed, attempts, then in _open_arrays(count, most):
        later = (times.weights[attempts] @ costs[then][..., None])[..., 0]
        wrong = all_wrong[then] / all_wrong[failed]
        expected[failed] = times.spent[attempts] + wrong[:, None] * later
        costs[failed] = expected[failed].min(axis=0)
    failed, steps_left = 0, times.spent.shape[1] - 1
    while failed in expected:
        left = [attempt for attempt in range(count) if not failed >> attempt & 1]
        first = left[int(expected[failed][:, steps_left].argmin())]
        yield first
        failed |= 1 << first
        steps_left = max(0, steps_left - times.steps[first])


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
class _Times:
    """What attempts (first axis) spend, by how many steps of time are left (second axis).

    `spent` are seconds until the answer or the deadline, what others wait, and the worth of an answer that is late;
    `weights` say how likely each number of steps (third axis) is left once the answer is there, and `steps` how many an
    attempt takes.
    """

    spent: Floats
    weights: Floats
    steps: tuple[int, ...]

    @classmethod
    def of(cls, latency_s: Floats, external_s: Floats, objective: Objective) -> "_Times":
        width_s = objective.time_left_s / _STEPS
        in_time, spent_s = _within(latency_s, np.arange(_STEPS + 1, dtype=np.float64) * width_s)
        ends = np.diff(in_time, axis=1)
        # an answer within a step leaves half of it, between two numbers of steps
        halves = np.pad(ends, ((0, 0), (0, 1))) / 2 + np.pad(ends, ((0, 0), (1, 0))) / 2
        left, then = np.indices((_STEPS + 1, _STEPS + 1))
        weights = np.where(then <= left, halves[:, np.maximum(left - then, 0)], 0.0)
        weights[:, 1:, 0] = ends / 2
        weights[:, 0, :] = 0.0
        return cls(
            spent=spent_s + external_s[:, None] + (1 - in_time) * objective.worth_s,
            weights=weights,
            steps=tuple(np.ceil(latency_s / width_s).astype(int).tolist()),
        )


def _within(latency_s: Floats, time_s: Floats) -> tuple[Floats, Floats]:
    """For each latency and time: the chance to be done by then, and the seconds spent until done or then."""
    mean = np.maximum(latency_s, 1e-9)[:, None]
    with np.errstate(divide="ignore"):
        z = (np.log(time_s / mean) + _SIGMA**2 / 2) / _SIGMA
    in_time = ndtr(z)
    return in_time, mean * ndtr(z - _SIGMA) + time_s * (1 - in_time)


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
def _open_arrays(count: int, most: int) -> list[tuple[int, Ints, Ints]]:
    """The same as arrays."""
    return [
        (failed, np.array([a for a, _ in left]), np.array([then for _, then in left]))
        for failed, left in _open_sets(count, most)
    ]
