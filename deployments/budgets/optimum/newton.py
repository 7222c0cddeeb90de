"""Projected Newton steps whose cost is linear in the number of types: the Hessian is a diagonal plus rank two."""

import numpy as np
from numpy.typing import NDArray

from deployments.budgets.optimum.objective import Slope, delay_curvature, gain_s
from deployments.budgets.optimum.problem import Floats, Problem, dot

_SUFFICIENT = 1e-4
_HALVINGS = 60
# Below this a pull is as good as none, and expm1(x) / x is 1.
_NO_PULL = 1e-12


def climb(problem: Problem, here: Slope) -> Floats:
    """Budgets of higher J along the projected Newton direction; the same ones if no step along it raises J.

    Budgets about to rest on a bound go onto it; the others take the Newton step of the face that is left.
    """
    ascent = here.cost_s * here.rise
    goal = here.budgets + here.wanted
    near = min(1.0, float(np.abs(here.wanted).max()))
    rests = ((goal <= 0) & (here.budgets <= near)) | (
        (goal >= problem.max_tokens) & (problem.max_tokens - here.budgets <= near)
    )
    step: Floats = np.where(rests, here.wanted, newton_step(problem, here, ascent, ~rests))
    size = 1.0
    for _ in range(_HALVINGS):
        moved: Floats = np.minimum(np.maximum(here.budgets + size * step, 0), problem.max_tokens)
        expected_s = dot(problem.shares * ascent, moved - here.budgets)
        if gain_s(problem, here.budgets, here.at, moved) >= _SUFFICIENT * expected_s:
            return moved
        size /= 2
    return here.budgets


def newton_step(problem: Problem, here: Slope, ascent: Floats, free: NDArray[np.bool_]) -> Floats:
    """The step d that solves -Hessian d = gradient over the free budgets; `ascent` is the gradient per share.

    The benefit's curvature is not its tangent's but its secant's, from here to where this type alone would go: the
    step is then exact without coupling and never far too long, and near the optimum both are the same. What couples
    the types has rank two (Woodbury): d = own - by_mean a - by_square v, with a = u d and v = w d from a 2 by 2 system.
    """
    curve = delay_curvature(problem, here.at)
    is_flat = np.abs(here.pull) < _NO_PULL
    secant = here.cost_s * problem.rate * np.where(is_flat, 1, here.rise / np.where(is_flat, 1, here.pull))
    inverse = 1 / (secant + curve.own)
    own = ascent * inverse
    by_square = curve.mean_square * problem.token_s * inverse
    by_mean = curve.mean_mean * problem.token_s * inverse + 2 * here.at.service_s * by_square
    u = problem.shares * problem.token_s * free
    w = 2 * u * here.at.service_s
    aa, av, va, vv = 1 + dot(u, by_mean), dot(u, by_square), dot(w, by_mean), 1 + dot(w, by_square)
    a0, v0 = dot(u, own), dot(w, own)
    determinant = aa * vv - av * va
    a, v = (vv * a0 - av * v0) / determinant, (aa * v0 - va * a0) / determinant
    step: Floats = own - a * by_mean - v * by_square
    return step
