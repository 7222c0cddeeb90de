"""Whole tokens: the nearest stable budgets, then changes of one token until none raises J."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deployments.budgets.optimum.objective import Moments, gain_s, gradient, marginal_delay, moments, value_s
from deployments.budgets.optimum.problem import Floats, Problem, dot
from deployments.budgets.optimum.region import lipschitz
from deployments.budgets.optimum.solution import Solution, Whole

MAX_PASSES = 1000
# A change must bring this part of what the token costs, or rounding errors would call it an improvement.
_LEAST_GAIN = 1e-9


def round_budgets(problem: Problem, solution: Solution, *, max_passes: int = MAX_PASSES) -> Whole:
    """Whole budgets near a solution; each pass over the types costs linear time, but for a sort of those that move."""
    exact, at = solution.budgets, moments(problem, solution.budgets)
    nearest = np.rint(exact)
    furthest = 0.5
    if not moments(problem, nearest).is_stable:
        nearest, furthest = np.floor(exact), 1.0
    bound_s = _bound_s(problem, exact, at, nearest, furthest)
    budgets, passes, is_settled = _settle(problem, nearest, max_passes)
    return Whole(
        budgets=budgets.astype(np.int64),
        value_s=value_s(problem, budgets),
        utilisation=moments(problem, budgets).utilisation,
        loss_s=-gain_s(problem, exact, at, budgets),
        bound_s=bound_s,
        passes=passes,
        is_settled=is_settled,
    )


def _bound_s(problem: Problem, exact: Floats, at: Moments, rounded: Floats, furthest: float) -> float:
    """Lip n / 8 for the n budgets strictly within their bounds, none moved by over half a token, or four times that.

    Lip holds between both points: R, which grows with each of its arguments, at the highest of each. What the gradient
    at the solution is short of 0 is added.
    """
    top = moments(problem, np.maximum(exact, rounded))
    highest = max(at.utilisation, moments(problem, rounded).utilisation)
    steepest = lipschitz(problem, replace(top, utilisation=highest))
    inner = int(((exact > 0) & (exact < problem.max_tokens)).sum())
    left = dot(np.abs(gradient(problem, exact, at)), np.abs(rounded - exact))
    return steepest * inner * furthest**2 / 2 + left


def _settle(problem: Problem, budgets: Floats, max_passes: int) -> tuple[Floats, int, bool]:
    """Change budgets by one token while that raises J; how many passes it took, and whether nothing is left to gain."""
    for done in range(max_passes):
        at = moments(problem, budgets)
        step, gains = best_changes(problem, budgets, at)
        worthwhile = np.flatnonzero(gains > 0)
        if not len(worthwhile):
            return budgets, done, True
        order = worthwhile[np.argsort(-gains[worthwhile], kind="stable")]
        budgets = _change(problem, budgets, at, step, order, float(gains[order[0]]))
    return budgets, max_passes, False


def _change(
    problem: Problem, budgets: Floats, at: Moments, step: Floats, order: NDArray[np.intp], best: float
) -> Floats:
    """Make all changes at once, or the better half as long as they bring less together than the best one alone."""
    while True:
        moved = budgets.copy()
        moved[order] += step[order]
        if len(order) == 1 or gain_s(problem, budgets, at, moved) >= best:
            return moved
        order = order[: len(order) // 2]


def best_changes(problem: Problem, budgets: Floats, at: Moments) -> tuple[Floats, Floats]:
    """For each type the better of one token more or less, and what that alone adds to J: at most 0 if nothing."""
    least = _LEAST_GAIN * problem.shares * problem.token_s * marginal_delay(problem, at)
    worth_s = problem.worth_s * problem.shares * problem.gain * -np.expm1(-problem.rate)
    brought_s = worth_s * np.exp(-problem.rate * budgets)
    lost_s = worth_s * np.exp(-problem.rate * np.maximum(budgets - 1, 0))
    more = np.where(budgets < problem.max_tokens, brought_s - _delays_s(problem, at, 1.0), -np.inf) - least
    less = np.where(budgets > 0, -lost_s - _delays_s(problem, at, -1.0), -np.inf) - least
    return np.where(more > less, 1.0, -1.0), np.maximum(more, less)


def _delays_s(problem: Problem, at: Moments, step: float) -> Floats:
    """What is added to E[T] by type if its budget alone moves by `step`; inf where that leaves no stable queue."""
    added_s = problem.token_s * step
    mean_s = problem.shares * added_s
    spare = 1 - at.utilisation
    left = spare - problem.arrivals_per_s * mean_s
    is_stable = left > 0
    square_s2 = mean_s * (2 * at.service_s + added_s)
    waiting_s = square_s2 + problem.arrivals_per_s * at.square_s2 / spare * mean_s
    queued_s = problem.arrivals_per_s / 2 * waiting_s / np.where(is_stable, left, 1)
    return np.where(is_stable, mean_s + queued_s, np.inf)
