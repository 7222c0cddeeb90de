"""Bayesian logistic regression with Gaussian effects whose scales are fitted too (empirical Bayes)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit

from profiles.arrays import Floats as Floats

Ints = NDArray[np.intp]

# The level of an effect that no row has shown: its mean is zero, its variance the prior's.
UNSEEN = -1
# What is known of a family's scale before any data weighs as much as so many of its levels.
PSEUDO_LEVELS = 3.0
MAX_STEPS = 60
TOLERANCE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One family of effects: row i gets `weight[i]` times the effect of `level[i]`, out of `count` levels.

    `scale` is the standard deviation that levels are expected to have, in log-odds. `variance` is what is known of it;
    None leaves it to be fitted. `groups`: the levels are so many equal runs, one for
    each group of rows, and no row shows levels of two groups. 0 is for levels that rows of any group may show.
    """

    level: Ints
    weight: Floats
    count: int
    scale: float
    variance: float | None = None
    groups: int = 0

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
    layout = _Layout.of(effects, starts)
    known = np.array([np.nan if effect.variance is None else effect.variance for effect in effects])
    expected = np.array([effect.scale**2 for effect in effects])
    begun = expected if start is None else start.variances
    variances = np.where(np.isnan(known), begun, known)
    mean = np.zeros(int(counts.sum())) if start is None else start.mean
    for _ in range(MAX_STEPS):
        stepped, inverse = _newton(design, layout, correct, tried, mean, 1.0 / variances[family])
        moved = float(np.abs(stepped - mean).max(initial=0.0))
        mean = stepped
        refitted = np.where(
            np.isnan(known), _refitted(variances, mean, inverse.diagonal, family, counts, expected), known
        )
        changed = float(np.abs(np.log(refitted / variances)).max())
        variances = refitted
        if moved < TOLERANCE and changed < TOLERANCE:
            break
    return Regression(mean=mean, covariance=inverse.dense, variances=variances, starts=starts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Which effects are of one group alone, shape (groups, effects of each), and which are shared by groups."""

    own: Ints
    shared: Ints

    @classmethod
    def of(cls, effects: Sequence[Effect], starts: Ints) -> "_Layout":
        places = [(effect, start + np.arange(effect.count)) for effect, start in zip(effects, starts, strict=True)]
        own = [columns.reshape(effect.groups, -1) for effect, columns in places if effect.groups]
        shared = [columns for effect, columns in places if not effect.groups]
        return cls(
            own=np.concatenate(own, axis=1) if own else np.zeros((0, 0), dtype=np.intp),
            shared=np.concatenate(shared) if shared else np.zeros(0, dtype=np.intp),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inverse:
    """The inverse of a matrix in which groups meet only in what they share, block by block (Schur complement).

    So the work grows with the number of groups, and not with its cube.
    """

    layout: _Layout
    own: Floats
    onto: Floats
    shared: Floats

    @classmethod
    def of(cls, matrix: Floats, layout: _Layout) -> "_Inverse":
        beside = matrix[layout.own[:, :, None], layout.shared]
        own = np.asarray(np.linalg.inv(matrix[layout.own[:, :, None], layout.own[:, None, :]]), dtype=np.float64)
        onto = own @ beside
        rest = matrix[np.ix_(layout.shared, layout.shared)] - np.einsum("gks,gkt->st", beside, onto, optimize=True)
        return cls(layout=layout, own=own, onto=onto, shared=np.asarray(np.linalg.inv(rest), dtype=np.float64))

    @property
    def diagonal(self) -> Floats:
        found = np.empty(self.layout.own.size + self.layout.shared.size)
        found[self.layout.own] = np.diagonal(self.own, axis1=1, axis2=2)
        found[self.layout.own] += ((self.onto @ self.shared) * self.onto).sum(axis=2)
        found[self.layout.shared] = np.diag(self.shared)
        return found

    def times(self, vector: Floats) -> Floats:
        own, found = vector[self.layout.own], np.empty_like(vector)
        shared = self.shared @ (vector[self.layout.shared] - np.einsum("gks,gk->s", self.onto, own))
        found[self.layout.shared] = shared
        found[self.layout.own] = (self.own @ own[:, :, None])[:, :, 0] - self.onto @ shared
        return found

    @property
    def dense(self) -> Floats:
        found = np.empty((self.layout.own.size + self.layout.shared.size,) * 2)
        own, shared = self.layout.own.ravel(), self.layout.shared
        onto = self.onto.reshape(len(own), len(shared))
        across = -onto @ self.shared
        found[np.ix_(own, own)] = -across @ onto.T
        found[self.layout.own[:, :, None], self.layout.own[:, None, :]] += self.own
        found[np.ix_(own, shared)], found[np.ix_(shared, own)] = across, across.T
        found[np.ix_(shared, shared)] = self.shared
        return found


def _design(effects: Sequence[Effect], starts: Ints, width: int) -> sparse.csr_array:
    count = len(effects[0].level)
    columns = np.stack([effect.level for effect in effects], axis=1) + starts
    weights = np.stack([effect.weight for effect in effects], axis=1)
    rows = np.repeat(np.arange(count), len(effects))
    return sparse.csr_array((weights.ravel(), (rows, columns.ravel())), shape=(count, width))


def _newton(
    design: sparse.csr_array, layout: _Layout, correct: Floats, tried: Floats, mean: Floats, precision: Floats
) -> tuple[Floats, _Inverse]:
    """One step toward the posterior mode, no effect by more than two units, and the covariance there."""
    probability = expit(design @ mean)
    weight = tried * probability * (1 - probability)
    hessian = (design.T @ (design * weight[:, None])).toarray()
    hessian[np.diag_indices_from(hessian)] += precision
    gradient = design.T @ (correct - tried * probability) - precision * mean
    inverse = _Inverse.of(hessian, layout)
    step = inverse.times(gradient)
    return mean + step * min(1.0, 2.0 / max(1e-9, float(np.abs(step).max(initial=0.0)))), inverse


def _refitted(
    variances: Floats, mean: Floats, diagonal: Floats, family: Ints, counts: Ints, expected: Floats
) -> Floats:
    """Squares of the effects over how many of them the data have determined, drawn to the expected variances."""
    squares = np.bincount(family, weights=mean**2, minlength=len(counts))
    spread = np.bincount(family, weights=diagonal, minlength=len(counts))
    determined = np.clip(counts - spread / variances, 0.0, counts)
    refitted: Floats = (squares + PSEUDO_LEVELS * expected) / (determined + PSEUDO_LEVELS)
    return refitted
