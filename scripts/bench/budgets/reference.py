"""What SciPy finds for the same problem: SLSQP from many starts, trust-constr where it falls behind."""

from collections.abc import Iterable

import numpy as np
from scipy.optimize import LinearConstraint, minimize

from deployments.budgets.optimum.objective import gradient, moments, value_s
from deployments.budgets.optimum.problem import Floats, Problem, dot

_UTILISATION = 1 - 1e-9
_OUTSIDE = 1e12


def starts(problem: Problem, rng: np.random.Generator, randoms: int) -> list[Floats]:
    """No thinking, a tenth, half and nearly all of the budgets that are stable, and random ones among these."""
    shapes = [problem.max_tokens * share for share in (0.0, 0.1, 0.5, 0.9)]
    shapes += [problem.max_tokens * rng.random(problem.num_types) for _ in range(randoms)]
    return [_stable(problem, shape) for shape in shapes]


def best_value_s(problem: Problem, begin: Iterable[Floats], *, method: str) -> float:
    """The highest J that the method ends at, from any of these starts, put back into the box where it left it."""
    return max(value_s(problem, _ascend(problem, start, method)) for start in begin)


def _ascend(problem: Problem, start: Floats, method: str) -> Floats:
    """Budgets as parts of the largest ones, J in units of its range: SciPy's tolerances are absolute."""
    scale = np.maximum(problem.max_tokens, 1)
    unit_s = max(1.0, problem.worth_s)
    by_token: Floats = problem.shares * problem.token_s * scale

    def loss(part: Floats) -> float:
        value = value_s(problem, part * scale)
        return -value / unit_s if np.isfinite(value) else _OUTSIDE

    def loss_slope(part: Floats) -> Floats:
        budgets = part * scale
        at = moments(problem, budgets)
        if not at.is_stable:
            return by_token
        slope: Floats = -gradient(problem, budgets, at) * scale / unit_s
        return slope

    room = _UTILISATION - problem.arrivals_per_s * dot(problem.shares, problem.base_s)
    found = minimize(
        loss,
        start / scale,
        jac=loss_slope,
        method=method,
        bounds=[(0, top) for top in problem.max_tokens / scale],
        constraints=[
            LinearConstraint(
                problem.arrivals_per_s * by_token[np.newaxis, :], -np.inf, room, keep_feasible=method == "trust-constr"
            )
        ],
        options=_options(method),
    )
    ended: Floats = np.clip(found.x * scale, 0, problem.max_tokens)
    return ended


def _options(method: str) -> dict[str, float]:
    if method == "SLSQP":
        return {"maxiter": 500, "ftol": 1e-15}
    return {"maxiter": 1000, "gtol": 1e-12, "xtol": 1e-14, "barrier_tol": 1e-12}


def _stable(problem: Problem, budgets: Floats) -> Floats:
    idle = problem.arrivals_per_s * dot(problem.shares, problem.base_s)
    load = problem.arrivals_per_s * dot(problem.shares * problem.token_s, budgets)
    most = 0.9 * (1 - idle)
    return budgets * min(1.0, most / load) if load > 0 else budgets
