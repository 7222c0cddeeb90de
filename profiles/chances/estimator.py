"""The chance of a correct answer for any model, task, language and length: a fitted model, corrected cell by cell.

A logistic regression with Gaussian effects says what models, tasks, languages and lengths have in common; each
cell's own counts then correct it, as far as cells were found to differ from the regression. All models were asked the
same prompts, so a cell whose prompts happened to be hard looks bad for all of them. This luck is an effect of its own:
it explains the counts, and plays no part in the chances.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, expit

from profiles.chances.logistic import UNSEEN, Effect, Floats, Regression, fit

Bools = NDArray[np.bool_]

QUANTILE = 1.959964
# How far the rate of all answers together is expected to be from one half, in log-odds. The luck of a few prompts
# moves it for all models at once.
INTERCEPT_SCALE = 0.5
# How far models, tasks and languages are expected to differ, in log-odds; how far a model on one task or in one
# language is from what both make one expect; and how far lengths are. Public recordings are so.
MAIN_SCALE, INTERACTION_SCALE, LENGTH_SCALE = 0.7, 0.4, 0.25
# The standard deviation of cells about the regression, in log-odds: where it is looked for, and what a few cells
# that cannot tell leave it at: its logarithm has a normal prior of this centre and width.
CELL_SCALES = (0.02, 2.0)
USUAL_CELL_SCALE = 0.3
CELL_SCALE_WIDTH = 0.7
# A cell that determines its own fit has no estimate from elsewhere; it is treated as if it had a little.
MAX_LEVERAGE = 0.95
LEAST_VARIANCE = 1e-9
MOST_STEPS = 30
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@dataclass(frozen=True, slots=True, kw_only=True)
class CountArrays:
    """Correct and tried, shape (models, tasks, languages, buckets); `edges` are the buckets' upper ends in tokens.

    `prompt_variance`: how far prompts of one cell differ for all models alike, in squared log-odds; 0 where the models
    were not asked the same prompts.
    """

    correct: Floats
    tried: Floats
    edges: Sequence[int]
    prompt_variance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CellGrid:
    """Estimates, shape (models + 1, tasks + 1, languages + 1, buckets); the last of each stands for any not profiled.

    `low` and `high` bound the 95 % interval. `is_extrapolated`: no such length was measured. Beyond the longest
    that was, an estimate is kept from rising.
    """

    probability: Floats
    low: Floats
    high: Floats
    is_extrapolated: Bools


def estimate(counts: CountArrays) -> CellGrid:
    """Deterministic in the counts; with no counts at all every estimate is one half, within a wide interval."""
    correct, tried = _padded(counts.correct), _padded(counts.tried)
    effects = _effects(tried.shape, _log_lengths(counts.edges))
    luck = _luck(tried, counts.prompt_variance)
    mean, variance = _fitted(effects, luck, correct.ravel(), tried.ravel())
    tail = QUANTILE * np.sqrt(variance)
    shape = tried.shape
    free = [v.reshape(shape) for v in (_chance(mean, variance), expit(mean - tail), expit(mean + tail))]
    return _capped(*free, measured=_measured(tried > 0))


def _fitted(effects: Sequence[Effect], luck: Sequence[Effect], k: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of each cell's log-odds, shape (cells,).

    Cells differ from the regression by a variance that is fitted as well; knowing it, the regression is fitted
    once more with large cells weighing no more than they can tell about the others.
    """
    rows = n > 0
    k, n = k[rows], n[rows]
    between = USUAL_CELL_SCALE**2
    weight = np.ones(len(n))
    seen = [effect.at(rows) for effect in (*effects, *luck)]
    regression: Regression | None = None
    for _ in range(2):
        regression = fit(seen, weight * k, weight * n, start=regression)
        others = _Others.of(regression, seen, len(effects), weight * k, weight * n)
        between = _between(others.mean, others.variance, k, n)
        p = expit(others.mean)
        weight = 1 / (1 + n * p * (1 - p) * between)
    assert regression is not None
    mean, variance = regression.predict([*effects, *(effect.absent for effect in luck)])
    variance += between
    others = _Others.of(regression, seen, len(effects), weight * k, weight * n)
    mean[rows], variance[rows] = others.corrected(k, n, between)
    return mean, variance


@dataclass(frozen=True, slots=True, kw_only=True)
class _Others:
    """What all other cells say of each (the cavity of the Laplace posterior), in log-odds.

    `mean` and `variance` are those of its chance on the very prompts that were asked, so with their luck; `lasting` and
    `lasting_variance` those of its chance on any prompts; `shared` is the covariance of both.
    """

    mean: Floats
    variance: Floats
    lasting: Floats
    lasting_variance: Floats
    shared: Floats

    @classmethod
    def of(cls, regression: Regression, effects: Sequence[Effect], num_lasting: int, k: Floats, n: Floats) -> "_Others":
        """Without each cell's own `k` of `n`; the first `num_lasting` effects hold for any prompts."""
        lasting_effects, luck = effects[:num_lasting], effects[num_lasting:]
        mean, variance = regression.predict(effects)
        lasting, lasting_variance = regression.predict([*lasting_effects, *(effect.absent for effect in luck)])
        _, luck_variance = regression.predict([*(effect.absent for effect in lasting_effects), *luck])
        shared = (lasting_variance + variance - luck_variance) / 2
        p = expit(mean)
        information, residual = n * p * (1 - p), k - n * p
        left = 1 - np.minimum(information * variance, MAX_LEVERAGE)
        return cls(
            mean=mean - variance * residual / left,
            variance=variance / left,
            lasting=lasting - shared * residual / left,
            lasting_variance=lasting_variance + shared**2 * information / left,
            shared=shared / left,
        )

    def corrected(self, k: Floats, n: Floats, between: float) -> tuple[Floats, Floats]:
        """Mean and variance of the lasting log-odds once the cell's own counts are seen as well."""
        prior = self.variance + between
        mode, spread = _mode(self.mean, prior, k, n)
        gain = (self.shared + between) / prior
        return (
            self.lasting + gain * (mode - self.mean),
            np.maximum(self.lasting_variance + between - gain**2 * (prior - spread), LEAST_VARIANCE),
        )


def _mode(mean: Floats, variance: Floats, k: Floats, n: Floats) -> tuple[Floats, Floats]:
    """The likeliest log-odds of each cell by its prior and its own counts, and their variance, by Newton's method."""
    log_odds = mean
    for _ in range(MOST_STEPS):
        p = expit(log_odds)
        precision = n * p * (1 - p) + 1 / variance
        step = np.clip((k - n * p - (log_odds - mean) / variance) / precision, -1.0, 1.0)
        log_odds = log_odds + step
        if np.abs(step).max(initial=0.0) < 1e-6:
            break
    p = expit(log_odds)
    return log_odds, 1 / (n * p * (1 - p) + 1 / variance)


def _luck(tried: Floats, prompt_variance: float) -> list[Effect]:
    """What the prompts of each task, language and length did to all models: the less, the more prompts there are."""
    prompts = tried.max(axis=0).ravel()
    is_asked = prompts > 0
    if not prompt_variance or not is_asked.any():
        return []
    level = np.where(is_asked, np.cumsum(is_asked) - 1, UNSEEN)
    weight = 1 / np.sqrt(np.maximum(prompts, 1.0))
    models, count = len(tried), int(is_asked.sum())
    weight, level, scale = np.tile(weight, models), np.tile(level, models), prompt_variance**0.5
    return [Effect(level=level, weight=weight, count=count, scale=scale, variance=prompt_variance)]


def _chance(mean: Floats, variance: Floats) -> Floats:
    """The mean of a probability whose log-odds are normal."""
    chance: Floats = expit(mean[:, None] + np.sqrt(variance)[:, None] * NODES) @ WEIGHTS
    return chance


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

    def effect(weight: Floats, scale: float, *names: str) -> Effect:
        level = np.zeros(model.size, dtype=np.intp)
        is_seen = np.ones(model.size, dtype=np.bool_)
        count = 1
        for name in names:
            is_seen &= axes[name] < sizes[name]
            level = level * sizes[name] + axes[name]
            count *= sizes[name]
        groups = sizes["model"] if "model" in names else 0
        return Effect(level=np.where(is_seen, level, UNSEEN), weight=weight, count=count, scale=scale, groups=groups)

    families: list[tuple[Floats, float, tuple[str, ...]]] = [
        *((one, MAIN_SCALE, (name,)) for name in ("model", "task", "language")),
        *((one, INTERACTION_SCALE, both) for both in combinations(("model", "task", "language"), 2)),
        *((one, LENGTH_SCALE, names) for names in (("bucket",), ("model", "bucket"))),
        *((length, LENGTH_SCALE, names) for names in ((), ("model",), ("task",), ("language",))),
    ]

    def is_told_apart(names: tuple[str, ...]) -> bool:
        """An interaction with the only task or language there is would be the main effect once more."""
        return len(names) < 2 or all(sizes[name] > 1 for name in names)

    intercept = replace(effect(one, INTERCEPT_SCALE), variance=INTERCEPT_SCALE**2)
    return [intercept, *(effect(weight, scale, *names) for weight, scale, names in families if is_told_apart(names))]


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
    """Walk outward from the longest measured length; no step may raise any of the three."""
    count = measured.shape[-1]
    is_any: Bools = np.asarray(measured.any(axis=-1))
    shortest = np.where(is_any, measured.argmax(axis=-1), 0)[..., None]
    longest = np.where(is_any, count - 1 - measured[..., ::-1].argmax(axis=-1), count - 1)[..., None]
    bucket = np.arange(count)
    kept = [
        np.where(bucket > longest, np.minimum.accumulate(np.where(bucket >= longest, free, 1.0), axis=-1), free)
        for free in (probability, low, high)
    ]
    outside = (bucket > longest) | (bucket < shortest) | ~is_any[..., None]
    return CellGrid(probability=kept[0], low=kept[1], high=kept[2], is_extrapolated=outside)
