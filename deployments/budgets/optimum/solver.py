"""Budgets of highest J: four methods in one loop with one test of convergence."""

import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from deployments.budgets.optimum.newton import climb
from deployments.budgets.optimum.objective import (
    Moments,
    Slope,
    accuracy,
    coupling,
    first_pull,
    gradient,
    mean_time_s,
    moments,
    slope,
)
from deployments.budgets.optimum.problem import Floats, Problem, dot
from deployments.budgets.optimum.region import Region
from deployments.budgets.optimum.solution import Method, NoConvergenceError, Solution

# Newton needs about ten, and was seen to need a hundred where an answer is worth years; the others get seconds.
MAX_ITERATIONS: Mapping[Method, int] = MappingProxyType(
    {Method.FIXED_POINT: 10_000, Method.DAMPED: 10_000, Method.GRADIENT: 50_000, Method.NEWTON: 1_000}
)
TOLERANCE_TOKENS = 1e-6

Step = Callable[[Slope], Floats]


def solve(
    problem: Problem,
    *,
    method: Method = Method.AUTO,
    tolerance_tokens: float = TOLERANCE_TOKENS,
    max_iterations: int | None = None,
) -> Solution:
    """Budgets that the fixed-point map would move by at most `tolerance_tokens`; raises NoConvergenceError.

    - `fixed_point` repeats the map. It is proven to converge where `contraction` is below 1, and can swing between two
      points for ever where it is not; an iterate without a stable queue is followed by no thinking at all.
    - `damped` goes half of the way, which mends many of these swings but not all.
    - `gradient` takes steps of 1 / Lip within the region that holds the optimum: proven to converge, but slowly.
    - `newton` takes a handful of steps of linear cost and never lowers J.
    - `auto` is `newton`, and `gradient` if that should ever find no way up.

    The budget of a type that nobody asks for is what a first request of it should get.
    """
    if not tolerance_tokens > 0:
        raise ValueError(f"tolerance_tokens: {tolerance_tokens:g} given; it must be above 0")
    if max_iterations is not None and max_iterations < 1:
        raise ValueError(f"max_iterations: {max_iterations} given; it must be at least 1")
    if method is Method.AUTO:
        try:
            return _solve(problem, Method.NEWTON, tolerance_tokens, max_iterations)
        except NoConvergenceError:
            method = Method.GRADIENT
    return _solve(problem, method, tolerance_tokens, max_iterations)


def _solve(problem: Problem, method: Method, tolerance_tokens: float, max_iterations: int | None) -> Solution:
    region = Region.of(problem)
    first = first_pull(problem)
    limit = max_iterations or MAX_ITERATIONS[method]
    step = _step(method, problem, region)
    budgets, at = _start(problem, region, first)
    here = slope(problem, budgets, at, first)
    for iteration in range(limit):
        if _furthest(here) <= tolerance_tokens:
            return _solution(problem, here, method, iteration)
        budgets = step(here)
        at = moments(problem, budgets)
        if not at.is_stable:
            budgets = np.zeros(problem.num_types)
            at = moments(problem, budgets)
        here = slope(problem, budgets, at, first)
    if _furthest(here) <= tolerance_tokens:
        return _solution(problem, here, method, limit)
    raise NoConvergenceError(
        f"{method}: after {limit} iterations a budget would still move by {_furthest(here):.3g} tokens; "
        f"{tolerance_tokens:g} are allowed"
    )


def _furthest(here: Slope) -> float:
    return float(np.abs(here.wanted).max())


def _step(method: Method, problem: Problem, region: Region) -> Step:
    if method is Method.FIXED_POINT:
        return lambda here: here.budgets + here.wanted
    if method is Method.DAMPED:
        return lambda here: here.budgets + here.wanted / 2
    if method is Method.GRADIENT:
        size = 1 / max(region.steepest(), sys.float_info.min)
        return lambda here: region.project(here.budgets + size * gradient(problem, here.budgets, here.at))
    return lambda here: climb(problem, here)


def _start(problem: Problem, region: Region, first: Floats) -> tuple[Floats, Moments]:
    """What each type would want if nobody thought, or as much of it in equal parts as stays half-way to the limit.

    More thinking of others never makes one want more, so that the optimum lies below these budgets.
    """
    nothing = np.zeros(problem.num_types)
    idle = moments(problem, nothing)
    wanted = slope(problem, nothing, idle, first).wanted
    at = moments(problem, wanted)
    if at.utilisation <= max(region.utilisation, idle.utilisation):
        return wanted, at
    budgets = wanted * (0.5 * (region.utilisation - idle.utilisation) / (at.utilisation - idle.utilisation))
    return budgets, moments(problem, budgets)


def _solution(problem: Problem, here: Slope, method: Method, iterations: int) -> Solution:
    right = accuracy(problem, here.budgets)
    time_s = mean_time_s(problem, here.at)
    ascent = gradient(problem, here.budgets, here.at)
    return Solution(
        budgets=here.budgets,
        value_s=problem.worth_s * dot(problem.shares, right) - time_s,
        mean_time_s=time_s,
        utilisation=here.at.utilisation,
        accuracy=right,
        method=method,
        iterations=iterations,
        contraction=contraction(problem),
        # J is concave: no budgets lie above the tangent plane at these, whose highest corner this is
        gap_s=float(np.maximum(ascent * (problem.max_tokens - here.budgets), -ascent * here.budgets).sum()),
    )


def contraction(problem: Problem) -> float:
    """max R/b at the largest budgets, inf if they are unstable; below 1 the fixed-point map is a contraction."""
    top = moments(problem, problem.max_tokens)
    return float((coupling(problem, top) / problem.rate).max()) if top.is_stable else float("inf")
