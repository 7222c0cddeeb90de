"""`laar bench allocate`: thinking budgets against a search by coordinates, a swing, the clock and simulation."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from deployments.budgets.allocate import allocate
from deployments.budgets.objective import BudgetObjective
from deployments.budgets.problem import Problem
from profiles.arrays import Floats
from scripts.bench.budgets.problems import SWING_BETWEEN, SWINGING, overfull, random_problems
from scripts.bench.budgets.reference import best_by_coordinates, contraction, fixed_point, value_s
from scripts.bench.budgets.simulated import BATCH, MAX_ATTEMPTS, Part, simulated_parts
from scripts.report import Bar, Report, median_and_spread

TOLERANCE = 1e-4  # of max(1, |J|)
# Milliseconds by number of types; the router has ten seconds.
TIME_LIMITS_MS = {4: 100.0, 100: 2000.0}
SWING_ITERATIONS = 10_000


def run(*, problems: int, repeats: int, requests: int, seed: int, plot_path: Path | None) -> Report:
    rng = np.random.default_rng(seed)
    parts: dict[str, Part] = {
        "optimum": compare_with_reference(random_problems(rng, problems)),
        "swing": swing(),
        "time": time_sizes(rng, repeats),
        **simulated_parts(requests=requests, seed=seed, plot_path=plot_path),
    }
    return Report(
        bench="allocate",
        parameters={"problems": problems, "repeats": repeats, "requests": requests, "seed": seed},
        figures={name: figures for name, (figures, _) in parts.items()},
        bars=[bar for _, bars in parts.values() for bar in bars],
    )


def compare_with_reference(some: Sequence[tuple[str, Problem]]) -> Part:
    """J of whole budgets beside the best by coordinates, from these and from none; what is proven before rounding.

    One at a time J is the paper's own formula. The batch has as much more traffic as it can do.
    """
    queue, batch = [], []
    for _, problem in some:
        crowded = replace(problem, capacity=BATCH.capacity, arrivals_per_s=problem.arrivals_per_s * BATCH.capacity)
        in_batch = BudgetObjective(problem=crowded, server=BATCH)
        queue.append(_compared(BudgetObjective(problem=problem), partial(value_s, problem)))
        batch.append(_compared(in_batch, in_batch.value_s))
    figures: dict[str, Any] = {
        "problems": dict(Counter(kind for kind, _ in some)),
        "outside_contraction": sum(contraction(problem) >= 1 for _, problem in some),
    }
    bars = []
    for name, compared in {"queue": queue, "batch": batch}.items():
        worst = {key: max(one[key] for one in compared) for key in compared[0]}
        figures[name] = worst
        bars += [
            Bar(name=f"{name}_below_coordinates", value=worst["shortfall"], limit=TOLERANCE, kind="max"),
            Bar(name=f"{name}_gap_before_rounding", value=worst["gap"], limit=TOLERANCE, kind="max"),
        ]
    return figures, bars


def _compared(objective: BudgetObjective, reference_s: Callable[[Floats], float]) -> dict[str, float]:
    """As parts of max(1, |J|): what the reference finds more, what other budgets could add, what rounding took."""
    found = allocate(objective)
    whole = found.budgets.astype(np.float64)
    top = objective.problem.max_tokens
    begin = (whole, np.zeros(len(top)))
    ours_s = reference_s(whole)
    theirs_s = max(reference_s(best_by_coordinates(reference_s, top, budgets)) for budgets in begin)
    unit_s = max(1.0, abs(ours_s))
    return {
        "shortfall": (theirs_s - ours_s) / unit_s,
        "gap": (found.certificate.gap_s or 0.0) / unit_s,
        "rounding_loss": found.certificate.loss_s / unit_s,
        "utilisation": found.performance.utilisation,
    }


def swing() -> Part:
    """The plain fixed point of the paper swings for ever where the search finds the optimum."""
    visited: list[Floats] = [np.zeros(SWINGING.num_types)]
    for _ in range(SWING_ITERATIONS):
        visited.append(fixed_point(SWINGING, visited[-1]))
    ends = sorted((visited[-2].tolist(), visited[-1].tolist()), reverse=True)
    found = allocate(BudgetObjective(problem=SWINGING))
    figures = {
        "contraction": contraction(SWINGING),
        "swing_between": ends,
        "budgets": found.budgets.tolist(),
        "value_s": found.performance.value_s,
        "gap_s": found.certificate.gap_s,
    }
    moved = float(np.abs(np.array(ends) - SWING_BETWEEN).max())
    bars = [
        Bar(name="swing_moved_tokens", value=moved, limit=1e-3, kind="max"),
        Bar(name="swing_gap_s", value=found.certificate.gap_s or 0.0, limit=TOLERANCE, kind="max"),
    ]
    return figures, bars


def time_sizes(rng: np.random.Generator, repeats: int) -> Part:
    """Wall time of a solution in whole tokens: in a queue, in a batch and with retries."""
    figures: dict[str, Any] = {}
    bars = []
    for num_types, limit in TIME_LIMITS_MS.items():
        problem = overfull(rng, num_types)
        cases: dict[str, BudgetObjective] = {
            "queue": BudgetObjective(problem=problem),
            "batch": BudgetObjective(problem=problem, server=BATCH),
            "retries": BudgetObjective(problem=problem, server=BATCH, max_attempts=MAX_ATTEMPTS),
        }
        for name, objective in cases.items():
            walls = [_wall_ms(objective) for _ in range(max(3, repeats * 4 // num_types))]
            figures[f"{name}_{num_types}_types_ms"] = median_and_spread(walls)
            value = figures[f"{name}_{num_types}_types_ms"]["median"]
            bars.append(Bar(name=f"time_{name}_{num_types}_types_ms", value=value, limit=limit, kind="max"))
    return figures, bars


def _wall_ms(objective: BudgetObjective) -> float:
    began_ns = time.perf_counter_ns()
    allocate(objective)
    return (time.perf_counter_ns() - began_ns) / 1e6
