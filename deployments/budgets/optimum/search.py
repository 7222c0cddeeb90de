"""Search for the best budgets with retries: not concave, hence from several starts, then over whole tokens."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from deployments.budgets.optimum.problem import Floats
from deployments.budgets.optimum.retry import Retried

RANDOM_STARTS = 4
_MAX_ROUNDS, _MAX_EVALUATIONS = 500, 2000
_HALVINGS = 60
# Less than this is what rounding errors make of an unchanged value.
_LEAST_GAIN = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Peak:
    """The best budgets found, not rounded; `agreeing` of `starts` searches ended within a millisecond of its value."""

    budgets: Floats
    value_s: float
    iterations: int
    starts: int
    agreeing: int


def search(retried: Retried, *, hints: Sequence[Floats] = (), seed: int = 0) -> Peak:
    """The highest of the peaks that lie uphill from several starts, `hints` among them.

    None is proven to be the highest of all. Raises UnstableError where no budgets at all give a stable queue.
    """
    stablest = retried.stablest()
    border = retried.border(stablest)
    starts = [_towards(retried, stablest, start, border) for start in _starts(retried, stablest, hints, seed)]
    found = [_climb(retried, start, border) for start in starts]
    values = [retried.value_s(budgets) for budgets, _ in found]
    best = int(np.argmax(values))
    return Peak(
        budgets=found[best][0],
        value_s=values[best],
        iterations=sum(iterations for _, iterations in found),
        starts=len(found),
        agreeing=sum(value >= values[best] - 1e-3 for value in values),
    )


def _starts(retried: Retried, stablest: Floats, hints: Sequence[Floats], seed: int) -> Iterator[Floats]:
    top = retried.problem.max_tokens
    yield from (stablest, np.zeros(len(top)), top.copy(), *hints)
    # budgets are worth a search on the scale of 1/b, on which accuracy grows
    scale = np.minimum(top, 3 / retried.problem.rate)
    yield from np.random.default_rng(seed).uniform(0, 1, size=(RANDOM_STARTS, len(top))) * scale


def _towards(retried: Retried, stablest: Floats, goal: Floats, border: float) -> Floats:
    """The goal, or the first point half as far from the stablest budgets, and so on, with a load below the border."""
    step = goal - stablest
    for halving in range(_HALVINGS):
        point = stablest + step * 0.5**halving
        if retried.load(point) < border:
            return point
    return stablest


def _climb(retried: Retried, start: Floats, border: float) -> tuple[Floats, int]:
    """Truncated Newton steps in units of 1/b; the start itself if the search ends at no stable queue.

    Not L-BFGS-B, which comes to the same peaks: SciPy's uses threads of BLAS, which fight over cores that are busy.
    """
    rate = retried.problem.rate

    def descent(scaled: Floats) -> tuple[float, Floats]:
        value_s, ascent = retried.slope(scaled / rate, border)
        return -value_s, -ascent / rate

    found = minimize(
        descent,
        start * rate,
        jac=True,
        method="TNC",
        bounds=[(0, top) for top in retried.problem.max_tokens * rate],
        options={"ftol": 1e-15, "gtol": 1e-9, "maxfun": _MAX_EVALUATIONS},
    )
    budgets = np.clip(found.x / rate, 0, retried.problem.max_tokens)
    better = retried.value_s(budgets) >= retried.value_s(start)
    # SciPy counts no iterations where no budget may move at all
    return (budgets if better else start), int(found.get("nit", 0))


def to_whole_tokens(value_s: Callable[[Floats], float], budgets: Floats, max_tokens: Floats, stable: Floats) -> Floats:
    """Whole budgets that no change of one budget by a power of two, nor to 0 or the largest, makes better.

    `stable` are whole budgets of finite value, for when rounding leads out of the stable region.
    """
    best = np.clip(np.rint(budgets), 0, max_tokens)
    if not np.isfinite(value := value_s(best)):
        best = np.floor(budgets)
        value = value_s(best)
    if not np.isfinite(value):
        best, value = stable.copy(), value_s(stable)
    for _ in range(_MAX_ROUNDS):
        before = value
        for kind in range(len(best)):
            for tokens in _neighbours(float(best[kind]), float(max_tokens[kind])):
                tried = best.copy()
                tried[kind] = tokens
                if (its_value := value_s(tried)) > value + _LEAST_GAIN:
                    best, value = tried, its_value
        if value <= before:
            break
    return best


def _neighbours(tokens: float, top: float) -> list[float]:
    steps = [2.0**power for power in range(int(np.log2(top)) + 1)] if top >= 1 else []
    around = {tokens + step for step in steps} | {tokens - step for step in steps} | {0.0, top}
    return sorted(near for near in around if 0 <= near <= top and near != tokens)
