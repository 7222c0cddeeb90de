"""Budgets for a server with continuous batching: requests in service slow each other, further ones wait.

With n requests in service each runs at the relative speed 1 / (1 + growth (n - 1)), as `Latency.decode_growth` of a
capability profile has it, n <= slots. Taken as generalised processor sharing of the total rate
phi(n) = n / (1 + growth (n - 1)), phi(slots) above, the number in the system has P(n) ~ load^n / (phi(1) ... phi(n)),
load = lambda E[S] with E[S] alone on the server, whatever the distribution of S (Cohen 1979). That is exact while
nobody waits and approximate once somebody does: the waiting ones are not served, as the model would have it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from deployments.budgets.optimum.problem import Floats, Problem, ProblemError, require_capacity
from deployments.budgets.optimum.solution import NoConvergenceError

MAX_SLOTS = 4096
# How near the root search comes to the border of stability, relative to the room there is.
_BORDER = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """Up to `slots` requests in service at once, each slowed by `growth` of its time for every other one."""

    growth: float
    slots: int

    def __post_init__(self) -> None:
        if not 0 <= self.growth <= 1:
            raise ProblemError(
                f"growth: {self.growth:g} given; 0 to 1 is allowed: above 1 a batch is slower than a queue"
            )
        if not 1 <= self.slots <= MAX_SLOTS:
            raise ProblemError(f"slots: {self.slots} given; 1 to {MAX_SLOTS} are allowed")

    def slowdown(self, in_service: int) -> float:
        """How many times longer a request takes with this many in service than alone."""
        return 1 + self.growth * (in_service - 1)

    @property
    def capacity(self) -> float:
        """phi(slots): seconds of service, as one request alone would need them, that it does in a second at most."""
        return self.slots / self.slowdown(self.slots)

    def sojourn(self, load: float) -> tuple[float, float]:
        """E[T] / E[S] and dE[T] / dE[S] at `load` = lambda E[S], both 1 at load 0 and infinite from `capacity` on.

        The first is E[N] / load and the second Var[N] / load; both are summed as means over P(n) of what an arrival
        finds, with a geometric tail from `slots` on, so that nothing is divided by a load near 0.
        """
        if load >= self.capacity:
            return float("inf"), float("inf")
        number = np.arange(1, self.slots + 1)
        slowdown = 1 + self.growth * (number - 1)
        with np.errstate(divide="ignore"):
            logs = np.concatenate([[0.0], np.cumsum(np.log(load * slowdown[:-1] / number[:-1]))])
        weights = np.exp(logs - logs.max())
        ratio, slots = load / self.capacity, self.slots
        tail = weights[-1] * ratio / (1 - ratio)
        tail_first = tail * (slots + 1 / (1 - ratio))
        tail_second = tail * (slots**2 + 2 * slots / (1 - ratio) + (1 + ratio) / (1 - ratio) ** 2)
        total = weights.sum() + tail
        stretch = float((weights @ slowdown + tail_first / self.capacity) / total)
        second = float((weights @ (number * slowdown) + tail_second / self.capacity) / total)
        return stretch, second - load * stretch**2


def budgets_at(problem: Problem, marginal: float) -> Floats:
    """The best budgets, not rounded, if a second of mean service costs `marginal` seconds of E[T]."""
    with np.errstate(divide="ignore"):
        gain = np.log(problem.worth_s * problem.gain * problem.rate / (problem.token_s * marginal))
    best: Floats = np.clip(gain / problem.rate, 0, problem.max_tokens)
    return best


def solve_batched(problem: Problem, batching: Batching) -> tuple[Floats, int]:
    """The best budgets, not rounded, and the steps of the root search that found them.

    E[T] depends on the budgets through E[S] alone and is convex in it, so that the optimum is where the budgets that
    its slope calls for give the E[S] of that slope; their difference falls in E[S], hence one root. Raises
    ProblemError, and NoConvergenceError where the optimum lies too near to the border of stability.
    """
    require_capacity(problem, batching.capacity)
    least = float(problem.shares @ problem.base_s)

    def excess(mean_s: float) -> float:
        budgets = budgets_at(problem, batching.sojourn(problem.arrivals_per_s * mean_s)[1])
        return float(problem.shares @ (problem.base_s + problem.token_s * budgets)) - mean_s

    if excess(least) <= 0:
        return np.zeros(problem.num_types), 0
    most = float(problem.shares @ (problem.base_s + problem.token_s * problem.max_tokens))
    if problem.arrivals_per_s * most >= batching.capacity:
        border = batching.capacity / problem.arrivals_per_s
        most = border - _BORDER * (border - least)
        if excess(most) > 0:
            raise NoConvergenceError(
                f"the optimum loads the server to over {1 - _BORDER:.9f} of what it can do: "
                f"worth_s, {problem.worth_s:g}, is too large for a queue"
            )
    elif excess(most) >= 0:
        return problem.max_tokens.copy(), 0
    root, found = brentq(excess, least, most, xtol=1e-13 * most, full_output=True)
    return budgets_at(problem, batching.sojourn(problem.arrivals_per_s * root)[1]), int(found.iterations)
