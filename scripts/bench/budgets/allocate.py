"""`laar bench allocate`: thinking budgets against SciPy, differences, a swing, the clock, bounds and simulation."""

import statistics
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from deployments.budgets.optimum.objective import first_pull, gradient, hessian, moments, slope, value_s
from deployments.budgets.optimum.problem import Floats, Problem
from deployments.budgets.optimum.region import Region
from deployments.budgets.optimum.rounding import round_budgets
from deployments.budgets.optimum.solution import Method, NoConvergenceError
from deployments.budgets.optimum.solver import solve
from scripts.bench.budgets.problems import KINDS, SWING_BETWEEN, SWINGING, heavy, overfull, split
from scripts.bench.budgets.reference import best_value_s, starts
from scripts.bench.budgets.simulated import simulated_parts
from scripts.bench.report import Bar, Report, median_and_spread

EQUAL = 1e-6  # of max(1, |J|)
MOST_TYPES = 8
TIME_LIMITS_MS = {4: 1.0, 100: 5.0, 10_000: 500.0}
GROWTH_TYPES = (1_000, 10_000, 100_000)
GROWTH_LIMIT = 15.0
LARGE_BYTES = 28 << 20  # glibc learns from what is freed up to 32 MiB
SWING_ITERATIONS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One question of the bench: its figures under its own name, and its bars."""

    name: str
    figures: dict[str, Any]
    bars: Sequence[Bar]


def run(*, problems: int, repeats: int, random_starts: int, requests: int, seed: int, plot_path: Path | None) -> Report:
    rng = np.random.default_rng(seed)
    some = random_problems(rng, problems)
    parts = [
        compare_with_scipy(some, rng, random_starts),
        compare_derivatives(some, rng),
        round_all(some),
        swing(),
        time_sizes(rng, repeats),
        time_growth(rng, repeats),
    ]
    simulated = simulated_parts(requests=requests, seed=seed, plot_path=plot_path)
    parts += [Part(name=name, figures=figures, bars=bars) for name, (figures, bars) in simulated.items()]
    sizes = {"problems": problems, "repeats": repeats, "random_starts": random_starts, "requests": requests}
    return merged(parts, sizes | {"seed": seed})


def merged(parts: Sequence[Part], parameters: dict[str, Any]) -> Report:
    figures = {part.name: part.figures for part in parts}
    return Report(
        bench="allocate", parameters=parameters, figures=figures, bars=[bar for part in parts for bar in part.bars]
    )


def random_problems(rng: np.random.Generator, count: int) -> list[tuple[str, Problem]]:
    """Problems of one to eight types, their kinds in turn."""
    kinds = list(KINDS)
    names = [kinds[index % len(kinds)] for index in range(count)]
    return [(name, KINDS[name](rng, int(rng.integers(1, MOST_TYPES + 1)))) for name in names]


def compare_with_scipy(some: Sequence[tuple[str, Problem]], rng: np.random.Generator, random_starts: int) -> Part:
    """J of the solver and the best J that SciPy reaches, also when it starts from the solver's own budgets."""
    shortfalls, kinds, iterations, gaps, at_bounds = [], Counter[str](), Counter[int](), [], 0
    behind, behind_both, outside, highest = 0, 0, 0, 0.0
    for kind, problem in some:
        ours = solve(problem)
        begin = [*starts(problem, rng, random_starts), ours.budgets]
        unit_s = max(1.0, abs(ours.value_s))
        theirs_s = _scipy(problem, begin[:-1], "SLSQP")
        if theirs_s < ours.value_s - EQUAL * unit_s:
            behind += 1
            theirs_s = max(theirs_s, _scipy(problem, begin[2:3], "trust-constr"))
            behind_both += theirs_s < ours.value_s - EQUAL * unit_s
        theirs_s = max(theirs_s, _scipy(problem, begin[-1:], "SLSQP"))
        shortfalls.append((theirs_s - ours.value_s) / unit_s)
        gaps.append(ours.gap_s / unit_s)
        kinds[kind] += 1
        iterations[ours.iterations] += 1
        outside += ours.contraction >= 1
        highest = max(highest, ours.utilisation)
        at_bounds += _is_at_both_bounds(problem, ours.budgets)
    figures = {
        "problems": dict(kinds),
        "worst_shortfall": max(shortfalls),
        "slsqp_lower": behind,
        "slsqp_and_trust_constr_lower": behind_both,
        "outside_contraction": outside,
        "at_both_bounds": at_bounds,
        "highest_utilisation": highest,
        "iterations": {str(count): iterations[count] for count in sorted(iterations)},
        "worst_gap": max(gaps),
    }
    bars = [
        Bar(name="below_scipy", value=max(shortfalls), limit=EQUAL, kind="max"),
        Bar(name="certified_gap", value=max(gaps), limit=EQUAL, kind="max"),
        Bar(name="problems_where_scipy_stays_lower", value=behind_both, limit=0.01 * len(some), kind="max"),
    ]
    return Part(name="scipy", figures=figures, bars=bars)


def compare_derivatives(some: Sequence[tuple[str, Problem]], rng: np.random.Generator) -> Part:
    """Gradient and Hessian against central differences of J and of the gradient, relative to the largest entry."""
    slopes, curves = [], []
    for _, problem in some:
        budgets = Region.of(problem).project(problem.max_tokens * rng.uniform(0.05, 0.6, problem.num_types)) * 0.9
        step = min(0.1, _room(problem, budgets))
        slopes.append(_error(_gradient(problem, budgets), differences(partial(_value_s, problem), budgets, step)))
        curves.append(_error(hessian(problem, budgets), differences(partial(_gradient, problem), budgets, step)))
    figures = {"gradient": median_and_spread(slopes), "hessian": median_and_spread(curves)}
    bars = [
        Bar(name="gradient_error", value=max(slopes), limit=1e-4, kind="max"),
        Bar(name="hessian_error", value=max(curves), limit=1e-4, kind="max"),
    ]
    return Part(name="derivatives", figures=figures, bars=bars)


def differences(function: Callable[[Floats], Floats], at: Floats, step: float) -> Floats:
    """Central differences by each budget, of fourth order."""
    rows = []
    for move in step * np.eye(len(at)):
        near, far = function(at + move) - function(at - move), function(at + 2 * move) - function(at - 2 * move)
        rows.append((8 * near - far) / (12 * step))
    return np.array(rows)


def round_all(some: Sequence[tuple[str, Problem]]) -> Part:
    """What rounding costs beside what it may cost, and whether a queue stays stable and no single token is left."""
    violations, unsettled, unstable, shares, passes = 0, 0, 0, [], []
    for _, problem in some:
        exact = solve(problem)
        whole = round_budgets(problem, exact)
        # J is known to about this
        violations += whole.loss_s > whole.bound_s + 1e-12 * max(1.0, abs(exact.value_s))
        unsettled += not whole.is_settled
        unstable += not whole.utilisation < 1
        passes.append(whole.passes)
        if whole.bound_s > 0:
            shares.append(max(0.0, whole.loss_s) / whole.bound_s)
    figures = {"loss_over_bound": median_and_spread(shares), "passes": median_and_spread(passes)}
    bars = [
        Bar(name="losses_above_bound", value=violations, limit=0, kind="max"),
        Bar(name="rounded_but_unsettled", value=unsettled, limit=0, kind="max"),
        Bar(name="rounded_but_unstable", value=unstable, limit=0, kind="max"),
    ]
    return Part(name="rounding", figures=figures, bars=bars)


def swing() -> Part:
    """The plain fixed point swings for ever where three others find one and the same optimum."""
    first = first_pull(SWINGING)
    visited = [np.zeros(SWINGING.num_types)]
    for _ in range(SWING_ITERATIONS):
        here = slope(SWINGING, visited[-1], moments(SWINGING, visited[-1]), first)
        visited.append(here.budgets + here.wanted)
    ends = sorted((visited[-2].tolist(), visited[-1].tolist()), reverse=True)
    try:
        plain = solve(SWINGING, method=Method.FIXED_POINT, max_iterations=SWING_ITERATIONS).iterations
    except NoConvergenceError:
        plain = 0
    found = {method: solve(SWINGING, method=method) for method in (Method.DAMPED, Method.GRADIENT, Method.NEWTON)}
    values = [solution.value_s for solution in found.values()]
    figures = {
        "contraction": found[Method.NEWTON].contraction,
        "swing_between": ends,
        "iterations": {method.value: solution.iterations for method, solution in found.items()},
        "budgets": {method.value: solution.budgets.tolist() for method, solution in found.items()},
        "value_s": {method.value: solution.value_s for method, solution in found.items()},
    }
    bars = [
        Bar(name="swing_plain_converged_after", value=plain, limit=0, kind="max"),
        Bar(
            name="swing_return_error_tokens",
            value=float(np.abs(visited[-1] - visited[-3]).max()),
            limit=1e-6,
            kind="max",
        ),
        Bar(
            name="swing_moved_tokens", value=float(np.abs(np.array(ends) - SWING_BETWEEN).max()), limit=1e-3, kind="max"
        ),
        Bar(name="swing_methods_differ_s", value=max(values) - min(values), limit=1e-6, kind="max"),
    ]
    return Part(name="swing", figures=figures, bars=bars)


def time_sizes(rng: np.random.Generator, repeats: int) -> Part:
    """Solve, round and settle: problems with a stable and with an unstable largest budget, in turn."""
    figures, bars = {}, []
    for num_types, limit in TIME_LIMITS_MS.items():
        some = [heavy(rng, num_types), overfull(rng, num_types)]
        walls = [times_ms(some[turn % 2])[0] for turn in range(repeats)]
        figures[f"{num_types}_types_ms"] = median_and_spread(walls)
        value = figures[f"{num_types}_types_ms"]["median"]
        bars.append(Bar(name=f"time_{num_types}_types_ms", value=value, limit=limit, kind="max"))
    return Part(name="time", figures=figures, bars=bars)


def time_growth(rng: np.random.Generator, repeats: int) -> Part:
    """The same requests under ever more names, so that all sizes do the same work per type; processor time.

    In a process that has freed a large array before: glibc then keeps memory of that size. A fresh one gives every
    array of 100,000 numbers back to the kernel at once, which triples the time of that size and says nothing of ours.
    """
    np.empty(LARGE_BYTES, dtype=np.uint8)
    base = overfull(rng, GROWTH_TYPES[0])
    some = {num_types: split(base, num_types // GROWTH_TYPES[0]) for num_types in GROWTH_TYPES}
    cpus: dict[int, list[float]] = {num_types: [] for num_types in some}
    walls: dict[int, list[float]] = {num_types: [] for num_types in some}
    for _ in range(max(3, repeats // 10)):
        for num_types, problem in some.items():
            wall_ms, cpu_ms = times_ms(problem)
            walls[num_types].append(wall_ms)
            cpus[num_types].append(cpu_ms)
    figures: dict[str, Any] = {f"{n}_types_cpu_ms": median_and_spread(values) for n, values in cpus.items()}
    figures |= {f"{n}_types_ms": median_and_spread(values) for n, values in walls.items()}
    bars = []
    for few, many in pairwise(GROWTH_TYPES):
        # of the same round, so that a machine that slows down between rounds does not count
        ratios = [after / before for before, after in zip(cpus[few], cpus[many], strict=True)]
        figures[f"growth_{few}_to_{many}_types"] = median_and_spread(ratios)
        value = statistics.median(ratios)
        bars.append(Bar(name=f"growth_{few}_to_{many}_types", value=value, limit=GROWTH_LIMIT, kind="max"))
    return Part(name="growth", figures=figures, bars=bars)


def times_ms(problem: Problem) -> tuple[float, float]:
    """Wall and processor time of a solution in whole tokens; processor time counts every thread."""
    wall_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    round_budgets(problem, solve(problem))
    cpu_ns, wall_ns = time.process_time_ns() - cpu_ns, time.perf_counter_ns() - wall_ns
    return wall_ns / 1e6, cpu_ns / 1e6


def _value_s(problem: Problem, budgets: Floats) -> Floats:
    return np.array(value_s(problem, budgets))


def _gradient(problem: Problem, budgets: Floats) -> Floats:
    return gradient(problem, budgets, moments(problem, budgets))


def _scipy(problem: Problem, begin: Sequence[Floats], method: str) -> float:
    with warnings.catch_warnings():
        # about values clipped to bounds and steps too short to update a Hessian: its results are judged by J alone
        warnings.simplefilter("ignore")
        return best_value_s(problem, begin, method=method)


def _is_at_both_bounds(problem: Problem, budgets: Floats) -> bool:
    can_think = problem.max_tokens > 0
    return bool((budgets[can_think] == 0).any() and (budgets == problem.max_tokens)[can_think].any())


def _room(problem: Problem, budgets: Floats) -> float:
    """A hundredth of the tokens that any one type could still add to a stable queue."""
    spare = 1 - moments(problem, budgets).utilisation
    return 0.01 * float((spare / (problem.arrivals_per_s * problem.shares * problem.token_s)).min())


def _error(exact: Floats, estimated: Floats) -> float:
    return float(np.abs(exact - estimated).max() / np.abs(exact).max())
