"""The M/G/1 problem as arXiv 2601.10274 writes it, and its best whole budgets by changing one at a time."""

import math
from collections.abc import Callable

import numpy as np

from deployments.budgets.problem import Problem, dot
from profiles.arrays import Floats


def mean_time_s(problem: Problem, budgets: Floats) -> float:
    """E[T] = E[S] + lambda E[S^2] / (2 (1 - rho)); inf where the queue is not stable."""
    mean_s, square_s2 = _moments(problem, budgets)
    spare = 1 - problem.arrivals_per_s * mean_s
    return mean_s + problem.arrivals_per_s * square_s2 / (2 * spare) if spare > 0 else float("inf")


def value_s(problem: Problem, budgets: Floats) -> float:
    """J = alpha sum pi (D + A (1 - exp(-b l))) - E[T]."""
    correct = problem.floor - problem.gain * np.expm1(-problem.rate * budgets)
    return problem.worth_s * dot(problem.shares, correct) - mean_time_s(problem, budgets)


def fixed_point(problem: Problem, budgets: Floats) -> Floats:
    """The paper's map clip(ln(alpha A b / (c g)) / b, 0, l_max), whose only fixed point is the optimum.

    g = 1 + lambda t / q + lambda^2 E[S^2] / (2 q^2) with q = 1 - rho is the delay that a second more of one type costs.
    An unstable queue is followed by no thinking at all.
    """
    (mean_s, square_s2), rate = _moments(problem, budgets), problem.arrivals_per_s
    spare = 1 - rate * mean_s
    if spare <= 0:
        return np.zeros(problem.num_types)
    delay = 1 + rate * _service_s(problem, budgets) / spare + rate**2 * square_s2 / (2 * spare**2)
    worth = np.maximum(problem.worth_s * problem.gain * problem.rate, np.finfo(float).tiny)
    wanted = np.log(worth / (problem.token_s * delay)) / problem.rate
    moved: Floats = np.clip(wanted, 0, problem.max_tokens)
    return moved


def coupling(problem: Problem, budgets: Floats) -> Floats:
    """R by type: how fast c g grows with all budgets, relative to c; it grows with each of them.

    R = lambda c / q + lambda^2 (C t + sum pi c t) / q^2 + lambda^3 C E[S^2] / q^3 with C = sum pi c.
    """
    (mean_s, square_s2), service_s = _moments(problem, budgets), _service_s(problem, budgets)
    by_spare = problem.arrivals_per_s / (1 - problem.arrivals_per_s * mean_s)
    mean_c, mean_ct = dot(problem.shares, problem.token_s), dot(problem.shares * problem.token_s, service_s)
    return by_spare * problem.token_s + by_spare**2 * (mean_c * service_s + mean_ct) + by_spare**3 * mean_c * square_s2


def contraction(problem: Problem) -> float:
    """max R/b at the largest budgets, inf if they are unstable; below 1 the fixed-point map is a contraction."""
    if math.isinf(mean_time_s(problem, problem.max_tokens)):
        return float("inf")
    return float((coupling(problem, problem.max_tokens) / problem.rate).max())


def rounding_bound_s(problem: Problem, exact: Floats) -> float:
    """Lip n / 8 with Lip = max pi (alpha A b^2 + c R): what rounding n budgets within their bounds costs at most.

    R at the budgets rounded up bounds the Hessian on the whole way; inf where these are unstable.
    """
    above = np.ceil(exact)
    if math.isinf(mean_time_s(problem, above)):
        return float("inf")
    own = problem.worth_s * problem.gain * problem.rate**2
    steepest = float((problem.shares * (own + problem.token_s * coupling(problem, above))).max())
    return steepest * int(((exact > 0) & (exact < problem.max_tokens)).sum()) / 8


def best_by_coordinates(value_s: Callable[[Floats], float], max_tokens: Floats, budgets: Floats) -> Floats:
    """Whole budgets that no change of a single one improves; each is found among all its values, from these on.

    For a value that is concave in each budget: the sign of a step of one token halves the interval of its best value.
    """
    best = np.floor(budgets)
    while True:
        before = best.copy()
        for kind, top in enumerate(max_tokens):
            low, high = 0, int(top)
            while low < high:
                middle = (low + high) // 2
                here, more = best.copy(), best.copy()
                here[kind], more[kind] = middle, middle + 1
                if value_s(more) > value_s(here):
                    low = middle + 1
                else:
                    high = middle
            best[kind] = low
        if (best == before).all():
            return best


def _service_s(problem: Problem, budgets: Floats) -> Floats:
    service_s: Floats = problem.base_s + problem.token_s * budgets
    return service_s


def _moments(problem: Problem, budgets: Floats) -> tuple[float, float]:
    service_s = _service_s(problem, budgets)
    return dot(problem.shares, service_s), dot(problem.shares, service_s**2)
