"""Where the optimum can lie: the box of budgets below a utilisation that it is proven not to exceed."""

import math
from dataclasses import dataclass

import numpy as np

from deployments.budgets.optimum.objective import Moments, accuracy, coupling, mean_time_s, moments
from deployments.budgets.optimum.problem import Floats, Problem, dot

# Above this utilisation 1 - rho has lost its digits.
HIGHEST_UTILISATION = 1 - 1e-12
_HALVINGS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Budgets in the box whose utilisation is at most `utilisation`; convex, and with the optimum in it."""

    problem: Problem
    utilisation: float
    budget_s: float  # seconds that thinking may add to E[S]

    @classmethod
    def of(cls, problem: Problem) -> "Region":
        base_s = dot(problem.shares, problem.base_s)
        full_s = dot(problem.shares * problem.token_s, problem.max_tokens)
        full = problem.arrivals_per_s * (base_s + full_s)
        # where thinking is worth nothing, the limit is the utilisation without it, but for rounding errors
        highest = max(highest_utilisation(problem), problem.arrivals_per_s * base_s)
        if full <= highest:
            return cls(problem=problem, utilisation=full, budget_s=full_s)
        return cls(problem=problem, utilisation=highest, budget_s=highest / problem.arrivals_per_s - base_s)

    def project(self, point: Floats) -> Floats:
        """The nearest budgets of the region: clip(point - m pi c), with the least m >= 0 that keeps to `budget_s`."""
        weights = self.problem.shares * self.problem.token_s
        clipped = self._clip(point)
        if dot(weights, clipped) <= self.budget_s:
            return clipped
        low, high = 0.0, float(np.max(point[weights > 0] / weights[weights > 0]))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if middle in (low, high):
                break
            if dot(weights, self._clip(point - middle * weights)) <= self.budget_s:
                high = middle
            else:
                low = middle
        return self._clip(point - high * weights)

    def steepest(self) -> float:
        """A bound on the norm of the Hessian in the region, max pi (alpha A b^2 + c R): the Lip of a step 1 / Lip.

        R grows with each of its arguments, so that it is taken at bounds of each: a budget is at most what one type
        may use alone, and E[S^2] at most the longest service times E[S].
        """
        problem = self.problem
        weights = problem.shares * problem.token_s
        alone = np.divide(self.budget_s, weights, out=problem.max_tokens.copy(), where=weights > 0)
        top = moments(problem, np.minimum(alone, problem.max_tokens))
        mean_s = min(top.mean_s, dot(problem.shares, problem.base_s) + self.budget_s)
        square_s2 = min(top.square_s2, mean_s * float(top.service_s.max()))
        at = Moments(service_s=top.service_s, mean_s=mean_s, square_s2=square_s2, utilisation=self.utilisation)
        return lipschitz(problem, at)

    def _clip(self, point: Floats) -> Floats:
        clipped: Floats = np.clip(point, 0, self.problem.max_tokens)
        return clipped


def lipschitz(problem: Problem, top: Moments) -> float:
    """max pi (alpha A b^2 + c R), which bounds the norm of the Hessian for all budgets up to those of `top`."""
    own = problem.worth_s * problem.gain * problem.rate**2
    return float((problem.shares * (own + problem.token_s * coupling(problem, top))).max())


def highest_utilisation(problem: Problem) -> float:
    """A utilisation below 1 that the optimum does not exceed.

    At the optimum E[T] is at most the time without thinking plus all that accuracy can still be worth; call that T. By
    E[S^2] >= E[S]^2, lambda E[T] >= rho + rho^2 / (2 (1 - rho)), which passes x = lambda T at 1 + x - sqrt(1 + x^2).
    """
    nothing = np.zeros(problem.num_types)
    missing = accuracy(problem, problem.max_tokens) - accuracy(problem, nothing)
    longest_s = mean_time_s(problem, moments(problem, nothing)) + problem.worth_s * dot(problem.shares, missing)
    load = problem.arrivals_per_s * longest_s
    return min(1 - 1 / (load + math.hypot(1, load)), HIGHEST_UTILISATION)
