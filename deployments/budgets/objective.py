"""What budgets are worth: right answers less the mean time, on any server, for one attempt at a request or several.

With one attempt, one at a time, this is J of arXiv 2601.10274. A wrong answer is asked again up to `max_attempts` times
in all; the attempts are taken to succeed independently of each other, at equal budgets and with equal chances.
"""

from dataclasses import dataclass, field

import numpy as np

from deployments.budgets.problem import Problem, ProblemError, UnstableError
from deployments.budgets.servers import Delay, Server, ServerDemand, SingleServer
from profiles.arrays import Floats

# The most attempts that a request may ask for.
MAX_ATTEMPTS = 100
# Of the room that the stablest budgets leave, the part next to the border of stability that is not searched.
BORDER = 1e-3
_GRID_POINTS = 513
# Beyond this many 1/b of thinking accuracy no longer changes, and a token only costs.
_SATURATED = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetObjective:
    """A problem on a server, with up to `max_attempts` of each request; budgets are in tokens and need not be whole.

    `problem.worth_s` is for a request that some attempt answers correctly.
    """

    problem: Problem
    server: Server = field(default_factory=SingleServer)
    max_attempts: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.max_attempts <= MAX_ATTEMPTS:
            raise ProblemError(f"max_attempts: {self.max_attempts} given; 1 to {MAX_ATTEMPTS} are allowed")
        if self.problem.capacity > (most := self.server.capacity):
            raise ProblemError(f"capacity: {self.problem.capacity:g} given; this server does at most {most:g}")

    def accuracy(self, budgets: Floats) -> Floats:
        """Probability by type that one attempt is correct: D + A (1 - exp(-b l))."""
        correct: Floats = self.problem.floor - self.problem.gain * np.expm1(-self.problem.rate * budgets)
        return correct

    def attempts(self, budgets: Floats) -> Floats:
        """Mean number of attempts by type, (1 - (1 - p)^K) / p, and K where p is 0."""
        attempts: Floats = _asked(self.accuracy(budgets), self.max_attempts).sum(axis=1)
        return attempts

    def unsolved(self, budgets: Floats) -> Floats:
        """Share of requests by type that no attempt answers, (1 - p)^K."""
        left: Floats = np.clip(1 - self.accuracy(budgets), 0, 1) ** self.max_attempts
        return left

    def solved(self, budgets: Floats) -> float:
        """Share of requests that some attempt answers."""
        return 1 - float(self.problem.shares @ self.unsolved(budgets))

    def demand(self, budgets: Floats) -> ServerDemand:
        problem = self.problem
        weights = problem.shares[:, None] * _asked(self.accuracy(budgets), self.max_attempts)
        service_s = problem.base_s + problem.token_s * budgets
        return ServerDemand(asked=weights.sum(axis=0), work_s=service_s @ weights, square_s2=service_s**2 @ weights)

    def load(self, budgets: Floats) -> float:
        """Seconds of service, that of all attempts, which arrive in a second."""
        return self.problem.arrivals_per_s * float(self.demand(budgets).work_s.sum())

    def mean_time_s(self, budgets: Floats) -> float:
        """From a request's arrival to the end of its last attempt; infinite if work arrives faster than it is done."""
        demand = self.demand(budgets)
        if self.problem.arrivals_per_s * float(demand.work_s.sum()) >= self.server.capacity:
            return float("inf")
        return self.server.delay(self.problem.arrivals_per_s, demand).time_s

    def value_s(self, budgets: Floats) -> float:
        """J: worth_s * share answered correctly in the end - mean time; -inf where the queue would grow for ever."""
        return self.problem.worth_s * self.solved(budgets) - self.mean_time_s(budgets)

    def slope(self, budgets: Floats, border: float) -> tuple[float, Floats]:
        """J and its gradient; above the load `border` a steep slope that leads back to it, for a search to step on."""
        problem, limit = self.problem, self.max_attempts
        correct = self.accuracy(budgets)
        asked, by_correct = _asked(correct, limit), _asked_by_correct(correct, limit)
        service_s = problem.base_s + problem.token_s * budgets
        delay = self._bounded_delay(self.demand(budgets), border)
        by = delay.by_demand
        more_s = (
            by_correct @ by.asked + service_s * (by_correct @ by.work_s) + service_s**2 * (by_correct @ by.square_s2)
        )
        longer_s = asked @ by.work_s + 2 * service_s * (asked @ by.square_s2)
        solved = limit * np.clip(1 - correct, 0, 1) ** (limit - 1)
        by_token = problem.gain * problem.rate * np.exp(-problem.rate * budgets)
        ascent: Floats = problem.shares * (by_token * (problem.worth_s * solved - more_s) - problem.token_s * longer_s)
        return problem.worth_s * self.solved(budgets) - delay.time_s, ascent

    def _bounded_delay(self, demand: ServerDemand, border: float) -> Delay:
        """The delay; beyond `border` that of as many arrivals as keep to it, and a price for the others.

        The price rises as the time itself does at the border, like 1 / (capacity - load). A lower one would let a
        search that values answers highly end beyond the border.
        """
        arrivals, work_s = self.problem.arrivals_per_s, float(demand.work_s.sum())
        if arrivals * work_s <= border:
            return self.server.delay(arrivals, demand)
        at = self.server.delay(border / work_s, demand)
        steepness = arrivals / (self.server.capacity - border)
        price = steepness * at.time_s
        fewer = at.by_arrivals * border / work_s**2
        # the price falls with the time, so that its own derivatives are those of the time, scaled
        scale = 1 + steepness * (work_s - border / arrivals)
        by = ServerDemand(
            asked=scale * at.by_demand.asked,
            work_s=scale * (at.by_demand.work_s - fewer) + price,
            square_s2=scale * at.by_demand.square_s2,
        )
        return Delay(time_s=scale * at.time_s, by_demand=by, by_arrivals=0.0)

    def stablest(self) -> Floats:
        """Whole budgets of least load, which need not be 0; what one type brings depends on its budget alone.

        Raises UnstableError where even these bring more work than can be done.
        """
        budgets = np.array([self._stablest_of(kind) for kind in range(self.problem.num_types)])
        if (load := self.load(budgets)) >= self.server.capacity:
            raise UnstableError(
                f"{load:.3g} s of service arrive per second at the best budgets for that, with up to "
                f"{self.max_attempts} attempts; it must stay below {self.server.capacity:.3g}"
            )
        return budgets

    def _stablest_of(self, kind: int) -> float:
        """Budget with the least n t of one type: a grid, finer around the best point until it is of whole tokens."""
        problem = self.problem
        low, high = 0.0, min(float(problem.max_tokens[kind]), float(np.ceil(_SATURATED / problem.rate[kind])))
        while True:
            grid = np.unique(np.rint(np.linspace(low, high, _GRID_POINTS)))
            correct = problem.floor[kind] - problem.gain[kind] * np.expm1(-problem.rate[kind] * grid)
            service_s = problem.base_s[kind] + problem.token_s[kind] * grid
            best = int(np.argmin(_asked(correct, self.max_attempts).sum(axis=1) * service_s))
            if len(grid) == high - low + 1:
                return float(grid[best])
            low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, len(grid) - 1)])

    def border(self, stablest: Floats) -> float:
        return self.server.capacity - BORDER * (self.server.capacity - self.load(stablest))


def _asked(correct: Floats, limit: int) -> Floats:
    """(1 - p)^j, the chance that attempt j + 1 is made: shape (n, limit)."""
    chance: Floats = np.clip(1 - correct, 0, 1)[:, None] ** np.arange(limit)
    return chance


def _asked_by_correct(correct: Floats, limit: int) -> Floats:
    power = np.arange(limit)
    slope: Floats = -power * np.clip(1 - correct, 0, 1)[:, None] ** np.maximum(power - 1, 0)
    return slope
