"""What budgets are worth: accuracy, time in the M/G/1 queue, their sum J and its derivatives.

Formulas of arXiv 2601.10274; all arrays have shape (n,), budgets are in tokens and need not be whole.
"""

from dataclasses import dataclass

import numpy as np

from deployments.thinking.problem import Floats, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Service under given budgets: `service_s` by type, E[S], E[S^2] in s^2, and utilisation rho = lambda E[S]."""

    service_s: Floats
    mean_s: float
    square_s2: float
    utilisation: float

    @property
    def is_stable(self) -> bool:
        return self.utilisation < 1


def moments(problem: Problem, budgets: Floats) -> Moments:
    service_s = problem.base_s + problem.token_s * budgets
    weighted = problem.shares * service_s
    mean_s = float(weighted.sum())
    return Moments(
        service_s=service_s,
        mean_s=mean_s,
        square_s2=float(weighted @ service_s),
        utilisation=problem.arrivals_per_s * mean_s,
    )


def accuracy(problem: Problem, budgets: Floats) -> Floats:
    """Probability of a correct answer by type: D + A (1 - exp(-b l))."""
    correct: Floats = problem.floor - problem.gain * np.expm1(-problem.rate * budgets)
    return correct


def mean_time_s(problem: Problem, at: Moments) -> float:
    """E[T], waiting and service, by Pollaczek and Khinchine: E[S] + lambda E[S^2] / (2 (1 - rho)); inf if unstable."""
    if not at.is_stable:
        return float("inf")
    return at.mean_s + problem.arrivals_per_s * at.square_s2 / (2 * (1 - at.utilisation))


def value_s(problem: Problem, budgets: Floats) -> float:
    """J = alpha * mean accuracy - E[T] in seconds, -inf outside the stability region; strictly concave within it."""
    time_s = mean_time_s(problem, moments(problem, budgets))
    return problem.worth_s * float(problem.shares @ accuracy(problem, budgets)) - time_s


def gradient(problem: Problem, budgets: Floats, at: Moments) -> Floats:
    """dJ/dl by type, in seconds per token: pi (alpha A b exp(-b l) - c g) with g of `marginal_delay`."""
    benefit = problem.worth_s * problem.gain * problem.rate * np.exp(-problem.rate * budgets)
    ascent: Floats = problem.shares * (benefit - problem.token_s * marginal_delay(problem, at))
    return ascent


def marginal_delay(problem: Problem, at: Moments) -> Floats:
    """g: seconds of E[T] per second of service added to a type and per its share.

    g = 1 + lambda t / q + lambda^2 E[S^2] / (2 q^2) with q = 1 - rho.
    """
    spare = 1 - at.utilisation
    rate = problem.arrivals_per_s
    return 1 + rate * at.service_s / spare + rate**2 * at.square_s2 / (2 * spare**2)


def hessian(problem: Problem, budgets: Floats) -> Floats:
    """The second derivatives of J, shape (n, n): a diagonal and what the shared queue adds, of rank two."""
    at = moments(problem, budgets)
    curve = curvature(problem, budgets, at)
    u, w = curve.mean_by_token, curve.square_by_token
    shared = curve.mean_mean * np.outer(u, u) + curve.mean_square * (np.outer(u, w) + np.outer(w, u))
    return -(np.diag(curve.diagonal) + shared)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curvature:
    """-Hessian of J = diag(`diagonal`) + mean_mean u u' + mean_square (u w' + w u'), u and w as named below.

    u = `mean_by_token` is dE[S]/dl, w = `square_by_token` is dE[S^2]/dl, both of shape (n,); `mean_mean` and
    `mean_square` are the second derivatives of E[T] by E[S] twice, and by E[S] and E[S^2].
    """

    diagonal: Floats
    mean_by_token: Floats
    square_by_token: Floats
    mean_mean: float
    mean_square: float


def curvature(problem: Problem, budgets: Floats, at: Moments) -> Curvature:
    spare, rate = 1 - at.utilisation, problem.arrivals_per_s
    by_mean = problem.shares * problem.token_s
    falling = problem.worth_s * problem.gain * problem.rate**2 * np.exp(-problem.rate * budgets)
    return Curvature(
        diagonal=problem.shares * falling + rate / spare * by_mean * problem.token_s,
        mean_by_token=by_mean,
        square_by_token=2 * by_mean * at.service_s,
        mean_mean=rate**3 * at.square_s2 / spare**3,
        mean_square=rate**2 / (2 * spare**2),
    )


def coupling(problem: Problem, at: Moments) -> Floats:
    """R by type: how fast c g grows if all budgets grow by a token, relative to c.

    R = lambda c / q + lambda^2 (C t + sum pi c t) / q^2 + lambda^3 C E[S^2] / q^3 with C = sum pi c. It grows with the
    budgets, so that its value at the largest ones bounds it. The plain fixed point contracts where max R/b < 1 there,
    and max pi (alpha A b^2 + c R) bounds the norm of the Hessian.
    """
    spare, rate = 1 - at.utilisation, problem.arrivals_per_s
    mean_c = float(problem.shares @ problem.token_s)
    mean_ct = float((problem.shares * problem.token_s) @ at.service_s)
    return (
        rate * problem.token_s / spare
        + rate**2 * (mean_c * at.service_s + mean_ct) / spare**2
        + rate**3 * mean_c * at.square_s2 / spare**3
    )
