"""The front door: thinking budgets for a server with or without batching, for one attempt or several."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from deployments.budgets.optimum.batching import Batching, solve_batched
from deployments.budgets.optimum.objective import accuracy
from deployments.budgets.optimum.problem import Floats, Problem
from deployments.budgets.optimum.retry import Retried
from deployments.budgets.optimum.rounding import round_budgets
from deployments.budgets.optimum.search import search, to_whole_tokens
from deployments.budgets.optimum.servers import Batched, OneAtATime
from deployments.budgets.optimum.solver import solve


class Procedure(StrEnum):
    """What found the budgets: `root` is of one variable, `search` climbs from several starts."""

    NEWTON = "newton"
    GRADIENT = "gradient"
    ROOT = "root"
    SEARCH = "search"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What budgets bring; arrays by type.

    `value_s` is J, with retries worth_s * (share answered correctly in the end) - mean time; `mean_time_s` is from a
    request's arrival to the end of its last attempt; `utilisation` is the load relative to what the server can do;
    `accuracy` is of one attempt.
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
    """How the budgets were found, and how much better others could be; None is what cannot be said.

    `gap_s` bounds what any budgets could add to the value before rounding, by the tangent plane of a concave function:
    none with retries. `loss_s` is what rounding took, which `bound_s` is proven to bound. `contraction` below 1 proves
    that the plain fixed point converges. Of `starts` searches `agreeing` came to the same value.
    """

    procedure: Procedure
    iterations: int
    loss_s: float
    bound_s: float | None = None
    contraction: float | None = None
    gap_s: float | None = None
    starts: int = 1
    agreeing: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Allocation:
    """Budgets in whole tokens, what they bring and what is known of their quality."""

    budgets: NDArray[np.int64]
    outcome: Outcome
    certificate: Certificate


def allocate(problem: Problem, *, batching: Batching | None = None, max_attempts: int = 1, seed: int = 0) -> Allocation:
    """The best budgets; raises NoConvergenceError, or ProblemError: UnstableError where no budgets give a stable queue.

    One attempt, one at a time is the problem of the paper; `seed` is for the random starts that retries need.
    """
    retried = setting(problem, batching=batching, max_attempts=max_attempts)
    if max_attempts > 1:
        return _by_search(retried, batching, seed)
    return _by_solver(retried) if batching is None else _by_root(retried, batching)


def setting(problem: Problem, *, batching: Batching | None = None, max_attempts: int = 1) -> Retried:
    """What `allocate` maximises the value of."""
    server = OneAtATime() if batching is None else Batched(batching)
    return Retried(problem=problem, server=server, max_attempts=max_attempts)


def outcome(retried: Retried, budgets: Floats) -> Outcome:
    problem = retried.problem
    return Outcome(
        value_s=retried.value_s(budgets),
        mean_time_s=retried.mean_time_s(budgets),
        utilisation=retried.load(budgets) / retried.server.capacity,
        solved=retried.solved(budgets),
        accuracy=accuracy(problem, budgets),
        service_s=problem.base_s + problem.token_s * budgets,
        attempts=retried.attempts(budgets),
    )


def _by_solver(retried: Retried) -> Allocation:
    exact = solve(retried.problem)
    whole = round_budgets(retried.problem, exact)
    certificate = Certificate(
        procedure=Procedure(exact.method.value),
        iterations=exact.iterations,
        loss_s=whole.loss_s,
        bound_s=whole.bound_s,
        contraction=exact.contraction,
        gap_s=exact.gap_s,
    )
    return Allocation(
        budgets=whole.budgets,
        outcome=outcome(retried, whole.budgets.astype(np.float64)),
        certificate=certificate,
    )


def _by_root(retried: Retried, batching: Batching) -> Allocation:
    exact, iterations = solve_batched(retried.problem, batching)
    value_s, ascent = retried.slope(exact, retried.server.capacity)
    gap_s = float(np.maximum(ascent * (retried.problem.max_tokens - exact), -ascent * exact).sum())
    whole = _whole(retried, exact)
    certificate = Certificate(
        procedure=Procedure.ROOT, iterations=iterations, loss_s=value_s - retried.value_s(whole), gap_s=gap_s
    )
    return Allocation(budgets=whole.astype(np.int64), outcome=outcome(retried, whole), certificate=certificate)


def _by_search(retried: Retried, batching: Batching | None, seed: int) -> Allocation:
    once = solve(retried.problem).budgets if batching is None else solve_batched(retried.problem, batching)[0]
    peak = search(retried, hints=[once], seed=seed)
    whole = _whole(retried, peak.budgets)
    certificate = Certificate(
        procedure=Procedure.SEARCH,
        iterations=peak.iterations,
        loss_s=peak.value_s - retried.value_s(whole),
        starts=peak.starts,
        agreeing=peak.agreeing,
    )
    return Allocation(budgets=whole.astype(np.int64), outcome=outcome(retried, whole), certificate=certificate)


def _whole(retried: Retried, exact: Floats) -> Floats:
    return to_whole_tokens(retried.value_s, exact, retried.problem.max_tokens, retried.stablest())
