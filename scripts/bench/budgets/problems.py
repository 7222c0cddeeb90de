"""Thinking-budget problems to measure on: random ones of five kinds, and one on which the paper's iteration swings."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from deployments.budgets.problem import Problem, dot

# Away from the optimum, at 683.89 and 468.08 tokens, the plain fixed point swings between these two for ever.
SWINGING = Problem(
    shares=np.array([0.6, 0.4]),
    base_s=np.array([0.5, 1.0]),
    token_s=np.array([0.01, 0.02]),
    gain=np.array([0.5, 0.7]),
    rate=np.array([0.003, 0.001]),
    floor=np.array([0.3, 0.1]),
    max_tokens=np.array([1200.0, 1200.0]),
    arrivals_per_s=0.05,
    worth_s=100.0,
)
MOST_TYPES = 8
SWING_BETWEEN = ((872.916239, 1197.501972), (118.034524, 0.0))


def random_types(rng: np.random.Generator, num_types: int) -> Problem:
    """Types of one server with one arrival in a long time: token times, rates and limits over orders of magnitude."""
    floor = rng.uniform(0, 0.5, num_types)
    return Problem(
        shares=rng.dirichlet(np.ones(num_types)),
        base_s=10 ** rng.uniform(-1.5, 0.5, num_types),
        token_s=10 ** rng.uniform(-3, -1.3, num_types),
        gain=(1 - floor) * rng.uniform(0, 1, num_types),
        rate=10 ** rng.uniform(-4, -1.5, num_types),
        floor=floor,
        max_tokens=np.rint(10 ** rng.uniform(1.5, 4.5, num_types)),
        arrivals_per_s=0.0,
        worth_s=float(10 ** rng.uniform(1, 4.5)),
    )


def light(rng: np.random.Generator, num_types: int) -> Problem:
    """A queue that is short whatever the budgets."""
    return _loaded_in_full(random_types(rng, num_types), rng.uniform(0.01, 0.3))


def heavy(rng: np.random.Generator, num_types: int) -> Problem:
    """A stable but long queue at the largest budgets."""
    return _loaded_in_full(random_types(rng, num_types), rng.uniform(0.6, 0.97))


def overfull(rng: np.random.Generator, num_types: int) -> Problem:
    """No stable queue at the largest budgets."""
    return _loaded_in_full(random_types(rng, num_types), rng.uniform(1.05, 20))


def saturated(rng: np.random.Generator, num_types: int) -> Problem:
    """Little room even without thinking, and correct answers worth waiting for."""
    types = random_types(rng, num_types)
    rate = rng.uniform(0.9, 0.999) / dot(types.shares, types.base_s)
    return replace(types, arrivals_per_s=rate, worth_s=float(10 ** rng.uniform(2, 5)))


def bounded(rng: np.random.Generator, num_types: int) -> Problem:
    """Types that gain nothing, or may think very little, beside others."""
    types = random_types(rng, num_types)
    types = replace(
        types,
        gain=np.where(rng.random(num_types) < 0.3, 0, types.gain),
        max_tokens=np.where(rng.random(num_types) < 0.4, rng.integers(0, 20, num_types), types.max_tokens),
    )
    return _loaded_in_full(types, rng.uniform(0.3, 3))


KINDS: Mapping[str, Callable[[np.random.Generator, int], Problem]] = {
    kind.__name__: kind for kind in (light, heavy, overfull, saturated, bounded)
}


def random_problems(rng: np.random.Generator, count: int) -> list[tuple[str, Problem]]:
    """Problems of one to eight types, their kinds in turn."""
    names = [list(KINDS)[index % len(KINDS)] for index in range(count)]
    return [(name, KINDS[name](rng, int(rng.integers(1, MOST_TYPES + 1)))) for name in names]


def _loaded_in_full(types: Problem, utilisation: float) -> Problem:
    """That utilisation at the largest budgets, or half of the server without thinking, whichever is less."""
    base_s = dot(types.shares, types.base_s)
    full_s = base_s + dot(types.shares * types.token_s, types.max_tokens)
    return replace(types, arrivals_per_s=min(utilisation / full_s, max(0.5, min(utilisation, 0.97)) / base_s))
