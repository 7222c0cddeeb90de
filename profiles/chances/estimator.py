"""The chance of a correct answer for any model, task, language and length: a fitted model, corrected cell by cell.

A logistic regression with Gaussian effects says what models, tasks, languages and lengths have in common; each
cell's own counts then correct it through a beta prior, as far as cells were found to differ from the regression.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, betaln, expit

from profiles.chances.logistic import UNSEEN, Effect, Floats, Ints, Regression, fit

Bools = NDArray[np.bool_]

INTERVAL = 0.95
# The standard deviation of cells about the regression, in log-odds: where it is looked for, and what a few cells
# that cannot tell leave it at: its logarithm has a normal prior of this centre and width.
CELL_SCALES = (0.02, 2.0)
USUAL_CELL_SCALE = 0.3
CELL_SCALE_WIDTH = 0.7
# A cell that determines its own fit has no estimate from elsewhere; it is treated as if it had a little.
MAX_LEVERAGE = 0.95
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@dataclass(frozen=True, slots=True, kw_only=True)
class CountArrays:
    """Correct and tried, shape (models, tasks, languages, buckets); `edges` are the buckets' upper ends in tokens."""

    correct: Floats
    tried: Floats
    edges: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellGrid:
    """Estimates, shape (models + 1, tasks + 1, languages + 1, buckets); the last of each stands for any not profiled.

    `low` and `high` bound the 95 % interval. `is_extrapolated`: no such length was measured, and the estimate was
    kept from rising above that at the nearest one that was.
    """

    probability: Floats
    low: Floats
    high: Floats
    is_extrapolated: Bools


def estimate(counts: CountArrays) -> CellGrid:
    """Deterministic in the counts; with no counts at all every estimate is one half, within a wide interval."""
    correct, tried = _padded(counts.correct), _padded(counts.tried)
    effects = _effects(tried.shape, _log_lengths(counts.edges))
    k, n = correct.ravel(), tried.ravel()
    mean, variance = _fitted(effects, k, n)
    a, b = _beta(mean, variance)
    a, b = a + k, b + n - k
    tail = (1 - INTERVAL) / 2
    shape = tried.shape
    free = [v.reshape(shape) for v in (a / (a + b), betaincinv(a, b, tail), betaincinv(a, b, 1 - tail))]
    return _capped(*free, measured=_measured(tried > 0))


def _fitted(effects: Sequence[Effect], k: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of each cell's log-odds before its own counts, shape (cells,).

    Cells differ from the regression by a variance that is fitted as well; knowing it, the regression is fitted
    once more with large cells weighing no more than they can tell about the others.
    """
    rows = n > 0
    between = USUAL_CELL_SCALE**2
    weight = np.ones(int(rows.sum()))
    seen = [effect.at(rows) for effect in effects]
    regression: Regression | None = None
    mean, variance = np.zeros(len(n)), np.ones(len(n))
    for _ in range(2):
        regression = fit(seen, weight * k[rows], weight * n[rows], start=regression)
        mean, variance = regression.predict(effects)
        p = expit(mean[rows])
        information = n[rows] * p * (1 - p)
        own = weight * (k[rows] - n[rows] * p), weight * information
        mean[rows], variance[rows] = _without_own(mean[rows], variance[rows], *own)
        between = _between(mean[rows], variance[rows], k[rows], n[rows])
        weight = 1 / (1 + information * between)
    return mean, variance + between


def _without_own(mean: Floats, variance: Floats, residual: Floats, information: Floats) -> tuple[Floats, Floats]:
    """What the regression says of each cell from the other cells alone (the cavity of the Laplace posterior)."""
    left = 1 - np.minimum(information * variance, MAX_LEVERAGE)
    return mean - variance * residual / left, variance / left


def _between(mean: Floats, variance: Floats, k: Floats, n: Floats) -> float:
    """The variance between cells and regression under which the counts are most likely (beta-binomial)."""
    if not n.any():
        return USUAL_CELL_SCALE**2
    # 25 MB of SciPy that a router without a measured profile does without
    from scipy.optimize import minimize_scalar

    def loss(log_scale: float) -> float:
        a, b = _beta(mean, variance + np.exp(2 * log_scale))
        surprise = (log_scale - np.log(USUAL_CELL_SCALE)) / CELL_SCALE_WIDTH
        return float(0.5 * surprise**2 - (betaln(a + k, b + n - k) - betaln(a, b)).sum())

    found = minimize_scalar(loss, bounds=tuple(np.log(CELL_SCALES)), method="bounded", options={"xatol": 0.02})
    return float(np.exp(2 * found.x))


def _beta(mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """The beta distribution with the moments of a probability whose log-odds are normal."""
    points = expit(mean[:, None] + np.sqrt(variance)[:, None] * NODES)
    center = points @ WEIGHTS
    spread = ((points - center[:, None]) ** 2) @ WEIGHTS
    strength = np.maximum(center * (1 - center) / np.maximum(spread, 1e-12) - 1, 1e-3)
    return center * strength, (1 - center) * strength


def _padded(counts: Floats) -> Floats:
    """One more model, task and language without counts: any that was not profiled."""
    return np.pad(counts, ((0, 1), (0, 1), (0, 1), (0, 0)))


def _log_lengths(edges: Sequence[int]) -> Floats:
    """The middle of each bucket in doublings, moved and scaled to mean 0 and at most unit variance."""
    logs = np.log2(np.array(edges, dtype=np.float64))
    gaps = np.diff(logs) if len(logs) > 1 else np.ones(1)
    middles = np.concatenate([[logs[0] - gaps[0] / 2], logs[1:] - np.diff(logs) / 2, [logs[-1] + gaps[-1] / 2]])
    centered = middles - middles.mean()
    scaled: Floats = centered / max(1.0, float(centered.std()))
    return scaled


def _effects(shape: tuple[int, ...], log_lengths: Floats) -> list[Effect]:
    """The families of effects over all cells of the grid: what a cell shares with which others."""
    model, task, language, bucket = (axis.ravel() for axis in np.indices(shape))
    models, tasks, languages, buckets = shape
    one = np.ones(model.size)
    length = log_lengths[bucket]
    sizes = {"model": models - 1, "task": tasks - 1, "language": languages - 1, "bucket": buckets}
    axes = {"model": model, "task": task, "language": language, "bucket": bucket}

    def effect(weight: Floats, *names: str) -> Effect:
        level = np.zeros(model.size, dtype=np.intp)
        is_seen = np.ones(model.size, dtype=np.bool_)
        count = 1
        for name in names:
            is_seen &= axes[name] < sizes[name]
            level = level * sizes[name] + axes[name]
            count *= sizes[name]
        return Effect(level=np.where(is_seen, level, UNSEEN), weight=weight, count=count)

    alike = [(), ("model",), ("task",), ("language",), ("bucket",)]
    alike += [("model", "task"), ("model", "language"), ("task", "language"), ("model", "bucket")]
    by_length = [(), ("model",), ("task",), ("language",), ("model", "task"), ("model", "language")]
    return [effect(one, *names) for names in alike] + [effect(length, *names) for names in by_length]


def _measured(is_tried: Bools) -> Bools:
    """Which lengths were measured: of the model, task and language, else whatever their language, else their task.

    What is left after that, a model without any figures, goes by the lengths at which any model has some.
    """
    found = is_tried
    for axes in ((2,), (1, 2), (0, 1, 2)):
        wider = np.broadcast_to(is_tried.any(axis=axes, keepdims=True), is_tried.shape)
        found = np.where(found.any(axis=-1, keepdims=True), found, wider)
    return found


def _capped(probability: Floats, low: Floats, high: Floats, *, measured: Bools) -> CellGrid:
    """Walk outward from the shortest and the longest measured length; no step may raise any of the three."""
    count = measured.shape[-1]
    is_any: Bools = np.asarray(measured.any(axis=-1))
    shortest = np.where(is_any, measured.argmax(axis=-1), 0)[..., None]
    longest = np.where(is_any, count - 1 - measured[..., ::-1].argmax(axis=-1), count - 1)[..., None]
    bucket = np.arange(count)
    kept = []
    for free in (probability, low, high):
        upward = np.where(bucket > longest, np.minimum.accumulate(_from(free, longest), axis=-1), free)
        kept.append(np.where(bucket < shortest, _upto(upward, shortest), upward))
    outside = (bucket > longest) | (bucket < shortest) | ~is_any[..., None]
    return CellGrid(probability=kept[0], low=kept[1], high=kept[2], is_extrapolated=outside)


def _from(values: Floats, start: Ints) -> Floats:
    """Values from `start` on, and one, which caps nothing, before."""
    return np.where(np.arange(values.shape[-1]) >= start, values, 1.0)


def _upto(values: Floats, end: Ints) -> Floats:
    """For each place up to `end` the least value between it and there."""
    upto = np.where(np.arange(values.shape[-1]) <= end, values, 1.0)
    least: Floats = np.minimum.accumulate(upto[..., ::-1], axis=-1)[..., ::-1]
    return least
