"""The best thinking budgets, for every server and number of attempts: a search by SciPy, then whole tokens."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize

from deployments.budgets.objective import BudgetObjective
from deployments.budgets.problem import Problem
from deployments.budgets.servers import MAX_SLOTS, Batching, Server, SingleServer
from profiles.arrays import Floats

_MAX_ROUNDS, _MAX_EVALUATIONS = 500, 20_000
# Less than this part of J is what rounding errors make of an unchanged value.
_LEAST_GAIN = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Performance:
    """What budgets bring; arrays by type.

    `value_s` is J; `mean_time_s` is from a request's arrival to the end of its last attempt; `utilisation` is the load
    relative to what the server can do; `solved` is the share answered correctly in the end; `accuracy` is of one
    attempt.
    """

    value_s: float
    mean_time_s: float
    utilisation: float
    solved: float
    accuracy: Floats
    service_s: Floats
    attempts: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Certificate:
    """How much better than the budgets found others could be.

    `loss_s` is what rounding took from J. `gap_s` bounds what any budgets could add to J before rounding, by the
    tangent plane of a concave function; None with retries, where J is not concave. Of `starts` searches `agreeing`
    ended within a millisecond of the best value.
    """

    iterations: int
    loss_s: float
    gap_s: float | None
    starts: int
    agreeing: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Allocation:
    """Budgets in whole tokens, what they bring and what is known of their quality."""

    budgets: NDArray[np.int64]
    performance: Performance
    certificate: Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How one replica of a model serves, as far as its budgets depend on it."""

    server: Server
    max_attempts: int = 1

    @classmethod
    def of(cls, *, slots: int, growth: float, max_attempts: int) -> Self:
        """By an engine's `max_num_seqs` and the growth that its profile's latency was fitted with."""
        batching = Batching(growth=min(growth, 1.0), slots=min(slots, MAX_SLOTS))
        return cls(server=SingleServer() if slots == 1 else batching, max_attempts=max_attempts)

    @property
    def capacity(self) -> float:
        return self.server.capacity

    def allocate(self, problem: Problem) -> Floats:
        return allocate(self._objective(problem)).budgets.astype(np.float64)

    def value_s(self, problem: Problem, budgets: Floats) -> float:
        return self._objective(problem).value_s(budgets)

    def _objective(self, problem: Problem) -> BudgetObjective:
        return BudgetObjective(problem=problem, server=self.server, max_attempts=self.max_attempts)


def allocate(objective: BudgetObjective) -> Allocation:
    """The best budgets; raises UnstableError where no budgets give a stable queue.

    One attempt leaves J concave, and one search finds its only peak. With retries the best of several searches counts,
    and none is proven to be the highest of all.
    """
    stablest = objective.stablest()
    border = objective.border(stablest)
    starts = [stablest] if objective.max_attempts == 1 else _starts(objective, stablest, border)
    found = [_climb(objective, start, border) for start in starts]
    exact = [_within(objective, stablest, goal, border) for goal, _ in found]
    values = [objective.value_s(budgets) for budgets in exact]
    best = int(np.argmax(values))
    whole = to_whole_tokens(objective, exact[best], stablest)
    return Allocation(
        budgets=whole.astype(np.int64),
        performance=performance(objective, whole),
        certificate=Certificate(
            iterations=sum(iterations for _, iterations in found),
            loss_s=values[best] - objective.value_s(whole),
            gap_s=_gap_s(objective, exact[best]) if objective.max_attempts == 1 else None,
            starts=len(found),
            agreeing=sum(value >= values[best] - 1e-3 for value in values),
        ),
    )


def performance(objective: BudgetObjective, budgets: Floats) -> Performance:
    problem = objective.problem
    return Performance(
        value_s=objective.value_s(budgets),
        mean_time_s=objective.mean_time_s(budgets),
        utilisation=objective.load(budgets) / objective.server.capacity,
        solved=objective.solved(budgets),
        accuracy=objective.accuracy(budgets),
        service_s=problem.base_s + problem.token_s * budgets,
        attempts=objective.attempts(budgets),
    )


def _gap_s(objective: BudgetObjective, budgets: Floats) -> float:
    """The highest corner of the tangent plane at these budgets, above which a concave J never lies."""
    ascent = objective.slope(budgets, objective.server.capacity)[1]
    return float(np.maximum(ascent * (objective.problem.max_tokens - budgets), -ascent * budgets).sum())


def _starts(objective: BudgetObjective, stablest: Floats, border: float) -> list[Floats]:
    """Little, no and much thinking: accuracy grows on the scale of 1/b. All leave half of the room to the border."""
    much = np.minimum(objective.problem.max_tokens, 3 / objective.problem.rate)
    half = (objective.load(stablest) + border) / 2
    return [stablest, *(_within(objective, stablest, goal, half) for goal in (np.zeros(len(much)), much))]


def _within(objective: BudgetObjective, stablest: Floats, goal: Floats, load: float) -> Floats:
    """The goal, or the point on the way to it from the stablest budgets at which the load is reached."""
    if objective.load(goal) <= load:
        return goal

    def excess(part: float) -> float:
        return objective.load(stablest + part * (goal - stablest)) - load

    part: float = brentq(excess, 0.0, 1.0)
    return stablest + part * (goal - stablest)


def _climb(objective: BudgetObjective, start: Floats, border: float) -> tuple[Floats, int]:
    """Truncated Newton steps in units of 1/b and of `worth_s`; the load may end above the border.

    Not L-BFGS-B, which comes to the same peaks: SciPy's uses threads of BLAS, which fight over cores that are busy.
    """
    rate, unit_s = objective.problem.rate, max(1.0, objective.problem.worth_s)

    def descent(scaled: Floats) -> tuple[float, Floats]:
        value_s, ascent = objective.slope(scaled / rate, border)
        return -value_s / unit_s, -ascent / rate / unit_s

    top = objective.problem.max_tokens
    scaled, iterations = start * rate, 0
    # the second search begins where the first one ended, with what it knows of the curvature made anew
    for _ in range(2):
        found = minimize(
            descent,
            scaled,
            jac=True,
            method="TNC",
            bounds=[(0, most) for most in top * rate],
            options={"ftol": 1e-15, "gtol": 1e-9, "maxfun": _MAX_EVALUATIONS},
        )
        # SciPy counts no iterations where no budget may move at all
        scaled, iterations = found.x, iterations + int(found.get("nit", 0))
    return np.clip(scaled / rate, 0, top), iterations


def to_whole_tokens(objective: BudgetObjective, budgets: Floats, stablest: Floats) -> Floats:
    """Whole budgets that no change of one of them by a token, nor to 0 or the largest, makes better."""
    top = objective.problem.max_tokens
    tried = (np.clip(np.rint(budgets), 0, top), np.floor(budgets), stablest)
    best = next(near for near in tried if np.isfinite(objective.value_s(near)))
    value = objective.value_s(best)
    for _ in range(_MAX_ROUNDS):
        before = best
        for kind in range(len(best)):
            for tokens in {best[kind] - 1, best[kind] + 1, 0.0, top[kind]}:
                moved = best.copy()
                moved[kind] = min(max(tokens, 0.0), top[kind])
                its_value = objective.value_s(moved)
                if its_value > value + _LEAST_GAIN * max(1.0, abs(value)):
                    best, value = moved, its_value
        if best is before:
            break
    return best
