"""The order of attempts when a wrong answer of one model makes those of others likelier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import inf

import numpy as np
from numpy.typing import NDArray

from profiles.chances.joint import after

Floats = NDArray[np.float64]

# Orders of so many models are compared, those of lowest L/Q; work more than doubles with each further one.
MAX_ORDERED = 4
# Chances change with a verdict and latencies with every request: so many sets of chances are remembered, 19 MB at most.
_REMEMBERED = 1 << 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Joint:
    """What a wrong answer of each model (rows) adds to the divisor of the odds of each (columns), see `joint.after`."""

    index: Mapping[str, int]
    burdens: Floats

    def among(self, models: Sequence[str]) -> Floats:
        rows = [self.index[model] for model in models]
        return self.burdens.take(rows, axis=0).take(rows, axis=1)

    def best_order(self, models: Sequence[str], latency_s: Sequence[float], probability: Sequence[float]) -> list[int]:
        """`best_order` of these models; what it makes of their chances is remembered."""
        return _in_order(_firsts(latency_s, _remembered(self, tuple(models), tuple(probability))))

    def best_first(self, models: Sequence[str], latency_s: Sequence[float], probability: Sequence[float]) -> int:
        """The first of `best_order`, of at least one model."""
        return _firsts(latency_s, _remembered(self, tuple(models), tuple(probability)))[0]


def best_order(latency_s: Sequence[float], probability: Sequence[float], burdens: Floats) -> list[int]:
    """The order of least expected time to a correct answer, each model once: E = sum L * P(all before were wrong).

    Exact, since a chance depends on which models were wrong and not on their order: from every set of failures the
    best remainder is known once those of the larger sets are. Ties go to the earlier one; at most MAX_ORDERED.
    """
    return _in_order(_firsts(latency_s, _chances(probability, burdens)))


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
class _Chances:
    """The chance of each model to be wrong, by the set of models that have failed before: larger sets come first.

    `pairs` are the sets that leave two models: the set, then each model with its chance; `larger` are those that leave
    more: the set, then of each model its number, its chance and the set that it makes. `last` has the model that is
    left by the set, -1 where none or several are.
    """

    pairs: tuple[tuple[int, int, float, int, float], ...]
    larger: tuple[tuple[int, tuple[tuple[int, float, int], ...]], ...]
    last: list[int]


def _firsts(latency_s: Sequence[float], chances: _Chances) -> list[int]:
    """The model to ask next by the set of those that have failed; -1 where none is left."""
    firsts = chances.last.copy()
    rest = [0.0] * len(firsts)
    # most sets leave two models; written out, they cost half as much
    for failed, one, wrong, other, other_wrong in chances.pairs:
        one_s, other_s = latency_s[one], latency_s[other]
        one_first_s, other_first_s = one_s + wrong * other_s, other_s + other_wrong * one_s
        if one_first_s <= other_first_s:
            rest[failed], firsts[failed] = one_first_s, one
        else:
            rest[failed], firsts[failed] = other_first_s, other
    for failed, steps in chances.larger:
        least_s = inf
        for model, wrong, then in steps:
            expected_s = latency_s[model] + wrong * rest[then]
            if expected_s < least_s:
                least_s, firsts[failed] = expected_s, model
        rest[failed] = least_s
    return firsts


def _in_order(firsts: Sequence[int]) -> list[int]:
    order, failed = [], 0
    while firsts[failed] >= 0:
        order.append(firsts[failed])
        failed |= 1 << firsts[failed]
    return order


@lru_cache(maxsize=_REMEMBERED)
def _remembered(joint: Joint, models: tuple[str, ...], probability: tuple[float, ...]) -> _Chances:
    return _chances(probability, joint.among(models))


def _chances(probability: Sequence[float], burdens: Floats) -> _Chances:
    count = len(probability)
    if count > MAX_ORDERED:
        raise ValueError(f"{count} models to order; at most {MAX_ORDERED} are allowed")
    members, joins = _sets(count)
    wrong = (1 - after(np.asarray(probability), members @ burdens)).tolist()
    left = [[(m, wrong[failed][m], then) for m, then in mine] for failed, mine in enumerate(joins)]
    larger_first = [(failed, tuple(left[failed])) for failed in reversed(range(len(left)))]
    return _Chances(
        pairs=tuple((failed, *steps[0][:2], *steps[1][:2]) for failed, steps in larger_first if len(steps) == 2),
        larger=tuple((failed, steps) for failed, steps in larger_first if len(steps) > 2),
        last=[steps[0][0] if len(steps) == 1 else -1 for steps in left],
    )


@cache
def _sets(count: int) -> tuple[Floats, tuple[tuple[tuple[int, int], ...], ...]]:
    """Who is in each set of models, and for each set who may join it and which set that makes."""
    sets = range(1 << count)
    members = np.array([[float(failed >> model & 1) for model in range(count)] for failed in sets])
    return members, tuple(tuple((m, failed | 1 << m) for m in range(count) if not failed >> m & 1) for failed in sets)
