"""`laar allocate`: thinking budgets for task types, printed, written, plotted and checked by simulation."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from deployments.budgets.allocate import Allocation, allocate
from scripts.allocate.simulation import QueueTraffic, Simulated, simulate
from scripts.allocate.thinking_types import ThinkingTypes


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPlan:
    """What to do with the types: at which loads, and how many requests to simulate at each, 0 for none.

    `origin` says where types, shares and loads come from.
    """

    types: ThinkingTypes
    origin: str
    arrivals_per_s: Sequence[float]
    requests: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BudgetRow:
    """Budgets at one load."""

    arrivals_per_s: float
    allocation: Allocation
    simulated: Simulated | None


def run_allocate(plan: BudgetPlan, *, json_path: Path | None, plot_path: Path | None, console: Console) -> None:
    """Print the budgets, and write what was asked for; raises ProblemError."""
    rows = [_row(plan, arrivals) for arrivals in plan.arrivals_per_s]
    console.print(plan.origin, highlight=False, markup=False, soft_wrap=True)
    for row in rows:
        console.print(types_table(plan.types, row))
        for line in summary(plan.types, row):
            console.print(line, highlight=False, soft_wrap=True)
    if len(rows) > 1:
        console.print(loads_table(plan.types, rows))
    if json_path is not None:
        json_path.write_text(json.dumps(as_dict(plan, rows), indent=2, allow_nan=False) + "\n")
    if plot_path is not None:
        from scripts.allocate.plot import plot_budgets

        plot_budgets(plan.types, rows[0].arrivals_per_s, rows[0].allocation, plot_path)


def _row(plan: BudgetPlan, arrivals_per_s: float) -> BudgetRow:
    objective = plan.types.objective(arrivals_per_s)
    found, simulated = allocate(objective), None
    if plan.requests:
        traffic = QueueTraffic.drawn(
            objective.problem, requests=plan.requests, max_attempts=objective.max_attempts, seed=plan.seed
        )
        simulated = simulate(objective, found.budgets.astype(np.float64), traffic)
    return BudgetRow(arrivals_per_s=arrivals_per_s, allocation=found, simulated=simulated)


def types_table(types: ThinkingTypes, row: BudgetRow) -> Table:
    table = Table(
        "type", "share", "budget", "accuracy", "service s", "attempts", title=f"{row.arrivals_per_s:g} arrivals/s"
    )
    found = row.allocation
    for index, kind in enumerate(types.types):
        table.add_row(
            kind.name,
            f"{kind.share:.1%}",
            f"{found.budgets[index]}",
            f"{found.performance.accuracy[index]:.1%}",
            f"{found.performance.service_s[index]:.2f}",
            f"{found.performance.attempts[index]:.2f}",
        )
    return table


def summary(types: ThinkingTypes, row: BudgetRow) -> list[str]:
    """What the budgets bring and what is known of their quality, one fact a line."""
    brought, known = row.allocation.performance, row.allocation.certificate
    time_name = "E[T]" if types.max_attempts == 1 else "mean time to the end"
    lines = [
        f"J = {brought.value_s:.4f} s   {time_name} = {brought.mean_time_s:.4f} s   "
        f"utilisation = {brought.utilisation:.3f}   answered correctly = {brought.solved:.1%}",
        f"found in {known.iterations} iterations"
        + (f", {known.agreeing} of {known.starts} searches agree" if known.starts > 1 else "")
        + f"; {_gap(known.gap_s)}",
        f"rounding took {known.loss_s:.3g} s of J",
    ]
    if (seen := row.simulated) is not None:
        lines.append(
            f"simulated {time_name} = {seen.mean_s:.4f} s, standard error {seen.error_s:.2g} s, "
            f"{seen.requests} requests; the formula is {brought.mean_time_s / seen.mean_s - 1:+.2%} from it"
        )
    return lines


def _gap(gap_s: float | None) -> str:
    if gap_s is None:
        return "J is not concave, so nothing is proven of other budgets"
    return f"other budgets add at most {gap_s:.2g} s"


def loads_table(types: ThinkingTypes, rows: Sequence[BudgetRow]) -> Table:
    names = " / ".join(kind.name for kind in types.types)
    table = Table("arrivals/s", "utilisation", "mean time s", "correct", "J s", "budgets", title=f"budgets: {names}")
    for row in rows:
        brought = row.allocation.performance
        figures = [f"{row.arrivals_per_s:g}", f"{brought.utilisation:.3f}", f"{brought.mean_time_s:.3f}"]
        figures += [f"{brought.solved:.1%}", f"{brought.value_s:.3f}"]
        table.add_row(*figures, " / ".join(str(budget) for budget in row.allocation.budgets))
    return table


def as_dict(plan: BudgetPlan, rows: Sequence[BudgetRow]) -> dict[str, Any]:
    return {
        "types": plan.types.model_dump(mode="json"),
        "origin": plan.origin,
        "seed": plan.seed,
        "allocations": [_row_as_dict(plan.types, row) for row in rows],
    }


def _row_as_dict(types: ThinkingTypes, row: BudgetRow) -> dict[str, Any]:
    found, brought = row.allocation, row.allocation.performance
    by_type = zip(types.types, found.budgets, brought.accuracy, brought.service_s, brought.attempts, strict=True)
    seen = row.simulated
    return {
        "arrivals_per_s": row.arrivals_per_s,
        "value_s": brought.value_s,
        "mean_time_s": brought.mean_time_s,
        "utilisation": brought.utilisation,
        "solved": brought.solved,
        "certificate": asdict(found.certificate),
        "types": [
            {
                "name": kind.name,
                "budget": int(budget),
                "accuracy": float(correct),
                "service_s": float(service_s),
                "attempts": float(attempts),
            }
            for kind, budget, correct, service_s, attempts in by_type
        ],
        "simulated": None
        if seen is None
        else {"mean_time_s": seen.mean_s, "error_s": seen.error_s, "requests": seen.requests, "solved": seen.solved},
    }
