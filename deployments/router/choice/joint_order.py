"""The order of attempts when a wrong answer of one model makes those of others likelier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import inf

import numpy as np
from numpy.typing import NDArray

from profiles.chances.joint import after

Floats = NDArray[np.float64]

# So many models are put into the best order, those of lowest L/Q; work more than doubles with each further one.
MAX_ORDERED = 4
# Chances change with a verdict, latencies with every request: this many sets of chances are kept, a few MB at most.
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
        return _in_order(latency_s, _remembered(self, tuple(models), tuple(probability)))


def best_order(latency_s: Sequence[float], probability: Sequence[float], burdens: Floats) -> list[int]:
    """The order of least expected time to a correct answer, each model once: E = sum L * P(all before were wrong).

    Exact, since a chance depends on which models were wrong and not on their order: from every set of failures the
    best remainder is known once those of the larger sets are. Ties go to the earlier one; at most MAX_ORDERED.
    """
    return _in_order(latency_s, _wrong(probability, burdens))


def chance_left(probability: Sequence[float], burdens: Floats) -> float:
    """The chance that at least one of the models is right, each asked once."""
    chances = np.asarray(probability, dtype=np.float64)
    burden = np.zeros_like(chances)
    all_wrong = 1.0
    for model in range(len(chances)):
        all_wrong *= 1 - float(after(chances[model], burden[model]))
        burden = burden + burdens[model]
    return 1 - all_wrong


def _in_order(latency_s: Sequence[float], wrong: list[list[float]]) -> list[int]:
    """The best order, given each model's chance to be wrong (columns) after each set of failures (rows).

    A set is a number whose bits are its models, so that every larger set comes later.
    """
    models = range(len(latency_s))
    rest_s = [0.0] * len(wrong)
    firsts = [-1] * len(wrong)
    for failed in reversed(range(len(wrong) - 1)):
        least_s = inf
        for model in models:
            if not failed >> model & 1:
                expected_s = latency_s[model] + wrong[failed][model] * rest_s[failed | 1 << model]
                if expected_s < least_s:
                    least_s, firsts[failed] = expected_s, model
        rest_s[failed] = least_s
    order, failed = [], 0
    while firsts[failed] >= 0:
        order.append(firsts[failed])
        failed |= 1 << firsts[failed]
    return order


@lru_cache(maxsize=_REMEMBERED)
def _remembered(joint: Joint, models: tuple[str, ...], probability: tuple[float, ...]) -> list[list[float]]:
    return _wrong(probability, joint.among(models))


def _wrong(probability: Sequence[float], burdens: Floats) -> list[list[float]]:
    count = len(probability)
    if count > MAX_ORDERED:
        raise ValueError(f"{count} models to order; at most {MAX_ORDERED} are allowed")
    found: list[list[float]] = (1 - after(np.asarray(probability), _sets(count) @ burdens)).tolist()
    return found


@cache
def _sets(count: int) -> Floats:
    """Which models (columns) are in each set of them (rows)."""
    return np.array([[float(failed >> model & 1) for model in range(count)] for failed in range(1 << count)])
