"""The order of attempts when a wrong answer of one model makes those of others likelier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import inf

import numpy as np
from numpy.typing import NDArray

from profiles.joint import after

Floats = NDArray[np.float64]

# Orders of so many models are compared, those of lowest L/Q; work more than doubles with each further one.
MAX_ORDERED = 4
# Chances change with a verdict and latencies with every request: so many sets of chances are remembered, some 60 MB.
_REMEMBERED = 1 << 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """What a wrong answer of each model (rows) adds to the divisor of the odds of each (columns), see `joint.after`."""

    index: Mapping[str, int]
    burdens: Floats

    def among(self, models: Sequence[str]) -> Floats:
        rows = [self.index[model] for model in models]
        return self.burdens.take(rows, axis=0).take(rows, axis=1)


def best_order(latency_s: Sequence[float], probability: Sequence[float], burdens: Floats) -> list[int]:
    """The order of least expected time to a correct answer, each model once: E = sum L * P(all before were wrong).

    Exact, since a chance depends on which models were wrong and not on their order: from every set of failures the
    best remainder is known once those of the larger sets are. Ties go to the earlier one; at most MAX_ORDERED.
    """
    count = len(latency_s)
    if count > MAX_ORDERED:
        raise ValueError(f"{count} models to order; at most {MAX_ORDERED} are allowed")
    _, successors = _subsets(count)
    wrong = _wrong(tuple(probability), burdens.tobytes())
    rest = [0.0] * len(wrong)
    first = [-1] * len(wrong)
    for failed in range(len(wrong) - 2, -1, -1):
        chances, least_s = wrong[failed], inf
        for model, then in successors[failed]:
            expected_s = latency_s[model] + chances[model] * rest[then]
            if expected_s < least_s:
                least_s, first[failed] = expected_s, model
        rest[failed] = least_s
    order, failed = [], 0
    while first[failed] >= 0:
        order.append(first[failed])
        failed |= 1 << first[failed]
    return order


def chance_left(probability: Sequence[float], burdens: Floats) -> float:
    """The chance that at least one of the models is right, each asked once."""
    chances = np.asarray(probability, dtype=np.float64)
    burden = np.zeros_like(chances)
    all_wrong = 1.0
    for model in range(len(chances)):
        all_wrong *= 1 - float(after(chances[model], burden[model]))
        burden = burden + burdens[model]
    return 1 - all_wrong


@lru_cache(maxsize=_REMEMBERED)
def _wrong(probability: tuple[float, ...], burdens: bytes) -> list[list[float]]:
    """The chance of each model to be wrong, by the set of models that have failed before."""
    count = len(probability)
    members, _ = _subsets(count)
    burden = members @ np.frombuffer(burdens, dtype=np.float64).reshape(count, count)
    chances: list[list[float]] = (1 - after(np.asarray(probability), burden)).tolist()
    return chances


@cache
def _subsets(count: int) -> tuple[Floats, tuple[tuple[tuple[int, int], ...], ...]]:
    """Who is in each set of models, and for each set who may join it and which set that makes."""
    sets = range(1 << count)
    members = np.array([[float(failed >> model & 1) for model in range(count)] for failed in sets])
    successors = tuple(tuple((m, failed | 1 << m) for m in range(count) if not failed >> m & 1) for failed in sets)
    return members, successors
