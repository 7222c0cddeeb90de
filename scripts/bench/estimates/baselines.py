"""Simpler ways to tell the chance of a correct answer, to compare with."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from profiles.arrays import Floats
from profiles.cell import Buckets
from profiles.measuring.measurement import Record

Chance = Callable[[Record], float]
# Keeps the maximum finite where a language was always or never right.
RIDGE = 1e-2


def overall_rates(known: Sequence[Record]) -> Chance:
    """Each model's share of correct answers."""
    rates = _rates(known, lambda r: r.model)
    return lambda r: rates[r.model]


def cell_rates(known: Sequence[Record], buckets: Buckets) -> Chance:
    """The share in the cell of model, task, language and length; in an empty one the model's."""

    def cell(r: Record) -> tuple[object, ...]:
        return r.model, *r.cell(buckets)

    rates, overall = _rates(known, cell), overall_rates(known)
    return lambda r: rates[cell(r)] if cell(r) in rates else overall(r)


def logistic_per_model(known: Sequence[Record]) -> Chance:
    """For each model a logistic regression on the logarithm of the length and the language, as published for LAAR.

    A language that was not profiled adds nothing.
    """
    languages = sorted({r.language for r in known})

    def row(r: Record) -> Floats:
        return np.array([1.0, np.log2(r.prompt_tokens) - 9, *(float(r.language == name) for name in languages)])

    fitted = {
        model: _logistic(np.array([row(r) for r in mine]), mine)
        for model, mine in _by(known, lambda r: r.model).items()
    }
    return lambda r: float(expit(row(r) @ fitted[r.model]))


def _logistic(rows: Floats, records: Sequence[Record]) -> Floats:
    signs = np.array([1.0 if r.correct else -1.0 for r in records])

    def loss(weights: Floats) -> tuple[float, Floats]:
        margin = signs * (rows @ weights)
        value = np.logaddexp(0.0, -margin).sum() + RIDGE * (weights**2).sum()
        return float(value), -rows.T @ (signs * expit(-margin)) + 2 * RIDGE * weights

    found: Floats = minimize(loss, np.zeros(rows.shape[1]), jac=True, method="L-BFGS-B").x
    return found


def _rates(records: Sequence[Record], key: Callable[[Record], object]) -> dict[object, float]:
    return {found: float(np.mean([one.correct for one in mine])) for found, mine in _by(records, key).items()}


def _by(records: Sequence[Record], key: Callable[[Record], object]) -> dict[object, list[Record]]:
    found: dict[object, list[Record]] = defaultdict(list)
    for record in records:
        found[key(record)].append(record)
    return found
