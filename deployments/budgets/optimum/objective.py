"""What budgets are worth: accuracy, time in the M/G/1 queue, their sum J and its derivatives.

Formulas of arXiv 2601.10274; all arrays have shape (n,), budgets are in tokens and need not be whole.
"""

from dataclasses import dataclass

import numpy as np

from deployments.budgets.optimum.problem import Floats, Problem, dot


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
        square_s2=dot(weighted, service_s),
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
    return problem.worth_s * dot(problem.shares, accuracy(problem, budgets)) - time_s


def gain_s(problem: Problem, budgets: Floats, at: Moments, moved: Floats) -> float:
    """J(moved) - J(budgets) from the differences themselves, exact where the two values of J agree in most digits.

    -inf where `moved` is unstable; `at` belongs to `budgets`, which must be stable.
    """
    step = moved - budgets
    added_s = problem.token_s * step
    weighted = problem.shares * added_s
    mean_s = float(weighted.sum())
    spare = 1 - at.utilisation
    left = spare - problem.arrivals_per_s * mean_s
    if left <= 0:
        return float("-inf")
    square_s2 = dot(weighted, 2 * at.service_s + added_s)
    waiting_s = square_s2 + problem.arrivals_per_s * at.square_s2 * mean_s / spare
    unsolved = np.exp(-problem.rate * np.minimum(budgets, moved)) * -np.expm1(-problem.rate * np.abs(step))
    correct = dot(problem.shares * problem.gain, np.copysign(unsolved, step))
    return problem.worth_s * correct - mean_s - problem.arrivals_per_s / (2 * left) * waiting_s


def marginal_delay(problem: Problem, at: Moments) -> Floats:
    """g: seconds of E[T] per second of service added to a type and per its share.

    g = 1 + lambda t / q + lambda^2 E[S^2] / (2 q^2) with q = 1 - rho.
    """
    spare = 1 - at.utilisation
    rate = problem.arrivals_per_s
    same_for_all = 1 + rate**2 * at.square_s2 / (2 * spare**2)
    return same_for_all + rate / spare * at.service_s


def gradient(problem: Problem, budgets: Floats, at: Moments) -> Floats:
    """dJ/dl by type, in seconds per token: pi (alpha A b exp(-b l) - c g) with g of `marginal_delay`."""
    benefit = problem.worth_s * problem.gain * problem.rate * np.exp(-problem.rate * budgets)
    ascent: Floats = problem.shares * (benefit - problem.token_s * marginal_delay(problem, at))
    return ascent


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """Stable budgets and which way J rises there.

    `cost_s` is c g: seconds of E[T] per token and per share. `pull` is ln(alpha A b exp(-b l) / (c g)): above 0 where
    the next token is worth more than it costs. `rise` is exp(pull) - 1, so that dJ/dl = pi `cost_s` `rise`. `wanted`
    leads to the next budgets of the fixed-point map, clip(ln(alpha A b / (c g)) / b, 0, l_max), and is 0 only at the
    optimum.
    """

    budgets: Floats
    at: Moments
    cost_s: Floats
    pull: Floats
    rise: Floats
    wanted: Floats


def slope(problem: Problem, budgets: Floats, at: Moments, first: Floats) -> Slope:
    """`first` is `first_pull` of the problem, which does not change between budgets."""
    delay = marginal_delay(problem, at)
    pull = first - np.log(delay) - problem.rate * budgets
    goal = np.minimum(np.maximum(budgets + pull / problem.rate, 0), problem.max_tokens)
    return Slope(
        budgets=budgets,
        at=at,
        cost_s=problem.token_s * delay,
        pull=pull,
        rise=np.expm1(pull),
        wanted=goal - budgets,
    )


def first_pull(problem: Problem) -> Floats:
    """ln(alpha A b / c): the pull of the first token without a queue; far below 0 where there is no gain."""
    benefit = problem.worth_s * problem.gain * problem.rate
    first: Floats = np.log(np.maximum(benefit, np.finfo(float).tiny)) - np.log(problem.token_s)
    return first


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayCurvature:
    """The second derivatives of E[T]: diag(pi `own`) + `mean_mean` u u' + `mean_square` (u w' + w u').

    u = pi c is dE[S]/dl and w = 2 pi c t is dE[S^2]/dl; the two numbers are the second derivatives of E[T] by E[S]
    twice, and by E[S] and E[S^2].
    """

    own: Floats
    mean_mean: float
    mean_square: float


def delay_curvature(problem: Problem, at: Moments) -> DelayCurvature:
    per_spare = problem.arrivals_per_s / (1 - at.utilisation)
    return DelayCurvature(
        own=per_spare * problem.token_s**2, mean_mean=per_spare**3 * at.square_s2, mean_square=per_spare**2 / 2
    )


def hessian(problem: Problem, budgets: Floats) -> Floats:
    """The second derivatives of J, shape (n, n): a diagonal, and what the shared queue adds, of rank two."""
    at = moments(problem, budgets)
    curve = delay_curvature(problem, at)
    benefit = problem.worth_s * problem.gain * problem.rate**2 * np.exp(-problem.rate * budgets)
    u = problem.shares * problem.token_s
    w = 2 * u * at.service_s
    shared = curve.mean_mean * np.outer(u, u) + curve.mean_square * (np.outer(u, w) + np.outer(w, u))
    return -(np.diag(problem.shares * (benefit + curve.own)) + shared)


def coupling(problem: Problem, at: Moments) -> Floats:
    """R by type: how fast c g grows if all budgets grow by a token, relative to c.

    R = lambda c / q + lambda^2 (C t + sum pi c t) / q^2 + lambda^3 C E[S^2] / q^3 with C = sum pi c. It grows with the
    budgets, so that its value at the largest ones bounds it. The plain fixed point contracts where max R/b < 1 there,
    and max pi (alpha A b^2 + c R) bounds the norm of the Hessian.
    """
    spare, rate = 1 - at.utilisation, problem.arrivals_per_s
    mean_c = dot(problem.shares, problem.token_s)
    mean_ct = dot(problem.shares * problem.token_s, at.service_s)
    return (
        rate * problem.token_s / spare
        + rate**2 * (mean_c * at.service_s + mean_ct) / spare**2
        + rate**3 * mean_c * at.square_s2 / spare**3
    )
