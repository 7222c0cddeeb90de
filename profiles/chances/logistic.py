"""Bayesian logistic regression with Gaussian effects whose scales are fitted too (empirical Bayes)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.lapack import dpotri
from scipy.special import expit

from profiles.arrays import Floats as Floats

Ints = NDArray[np.intp]

# The level of an effect that no row has shown: its mean is zero, its variance the prior's.
UNSEEN = -1
# What is known of an effect's scale before any data: one level's worth of half a unit of log-odds.
PSEUDO_LEVELS = 1.0
PSEUDO_SCALE = 0.5
MAX_STEPS = 60
TOLERANCE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One family of effects: row i gets `weight[i]` times the effect of `level[i]`, out of `count` levels.

    `variance` is what is known of it; None leaves it to be fitted.
    """

    level: Ints
    weight: Floats
    count: int
    variance: float | None = None

    def at(self, rows: NDArray[np.bool_]) -> "Effect":
        return replace(self, level=self.level[rows], weight=self.weight[rows])

    @property
    def absent(self) -> "Effect":
        """The same family where it plays no part."""
        return replace(self, weight=np.zeros_like(self.weight))


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """The Laplace posterior of all effects, and the variance that each family was found to have."""

    mean: Floats
    covariance: Floats
    variances: Floats
    starts: Ints

    def predict(self, effects: Sequence[Effect]) -> tuple[Floats, Floats]:
        """Mean and variance of the log-odds of every row, shape (n,); levels unseen have their prior."""
        levels = np.stack([effect.level for effect in effects], axis=1)
        weights = np.stack([effect.weight for effect in effects], axis=1)
        is_seen = levels >= 0
        columns = np.where(is_seen, levels + self.starts, 0)
        known = np.where(is_seen, weights, 0.0)
        mean = (known * self.mean[columns]).sum(axis=1)
        variance = (np.where(is_seen, 0.0, weights**2) * self.variances).sum(axis=1)
        for one in range(len(effects)):
            rows = self.covariance[columns[:, one, None], columns]
            variance += known[:, one] * (known * rows).sum(axis=1)
        return mean, variance


def fit(effects: Sequence[Effect], correct: Floats, tried: Floats, *, start: Regression | None = None) -> Regression:
    """Fit `correct` out of `tried` (whole numbers or fractions of them).

    A `start`, of the same effects, near the end saves steps.

    Newton steps on the effects alternate with MacKay's fixed point for their variances, the stationary point of
    the Laplace approximation to the marginal likelihood.
    """
    counts = np.array([effect.count for effect in effects])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.intp)
    family = np.repeat(np.arange(len(effects)), counts)
    design = _design(effects, starts, int(counts.sum()))
    known = np.array([np.nan if effect.variance is None else effect.variance for effect in effects])
    begun = np.full(len(effects), PSEUDO_SCALE**2) if start is None else start.variances
    variances = np.where(np.isnan(known), begun, known)
    mean = np.zeros(int(counts.sum())) if start is None else start.mean
    covariance = np.diag(variances[family])
    for _ in range(MAX_STEPS):
        stepped, covariance = _newton(design, correct, tried, mean, 1.0 / variances[family])
        moved = float(np.abs(stepped - mean).max(initial=0.0))
        mean = stepped
        refitted = np.where(np.isnan(known), _refitted(variances, mean, covariance, family, counts), known)
        changed = float(np.abs(np.log(refitted / variances)).max())
        variances = refitted
        if moved < TOLERANCE and changed < TOLERANCE:
            break
    return Regression(mean=mean, covariance=covariance, variances=variances, starts=starts)


def _design(effects: Sequence[Effect], starts: Ints, width: int) -> sparse.csr_array:
    count = len(effects[0].level)
    columns = np.stack([effect.level for effect in effects], axis=1) + starts
    weights = np.stack([effect.weight for effect in effects], axis=1)
    rows = np.repeat(np.arange(count), len(effects))
    return sparse.csr_array((weights.ravel(), (rows, columns.ravel())), shape=(count, width))


def _newton(
    design: sparse.csr_array, correct: Floats, tried: Floats, mean: Floats, precision: Floats
) -> tuple[Floats, Floats]:
    """One step toward the posterior mode, no effect by more than two units, and the covariance there."""
    probability = expit(design @ mean)
    weight = tried * probability * (1 - probability)
    hessian = (design.T @ (design * weight[:, None])).toarray() + np.diag(precision)
    gradient = design.T @ (correct - tried * probability) - precision * mean
    factor = cho_factor(hessian, lower=True)
    step = cho_solve(factor, gradient)
    half, _ = dpotri(factor[0], lower=True)
    covariance: Floats = np.tril(half) + np.tril(half, -1).T
    return mean + step * min(1.0, 2.0 / max(1e-9, float(np.abs(step).max(initial=0.0)))), covariance


def _refitted(variances: Floats, mean: Floats, covariance: Floats, family: Ints, counts: Ints) -> Floats:
    """Squares of the effects over how many of them the data have determined."""
    squares = np.bincount(family, weights=mean**2, minlength=len(counts))
    spread = np.bincount(family, weights=np.diag(covariance), minlength=len(counts))
    determined = np.clip(counts - spread / variances, 0.0, counts)
    refitted: Floats = (squares + PSEUDO_LEVELS * PSEUDO_SCALE**2) / (determined + PSEUDO_LEVELS)
    return refitted
