"""The plot of `laar allocate --plot`: what J loses if a budget moves away from its best value."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deployments.budgets.allocate import Allocation
from deployments.budgets.objective import BudgetObjective
from profiles.arrays import Floats
from scripts.allocate.thinking_types import ThinkingTypes

_POINTS = 201
# How far around the best budget: from nothing to this multiple of it, and at least these tokens.
_REACH, _LEAST_TOKENS = 3.0, 50.0


def plot_budgets(types: ThinkingTypes, arrivals_per_s: float, found: Allocation, path: Path) -> None:
    """J against the budget of each type, the others at their best, and against one budget for all types."""
    objective = types.objective(arrivals_per_s)
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    alone, uniform = figure.subplots(1, 2)
    for index, kind in enumerate(types.types):
        _plot_alone(alone, objective, found, index, kind.name)
    _titled(alone, f"one type's budget, {arrivals_per_s:g} arrivals/s", "its budget, tokens")
    alone.legend()
    _plot_uniform(uniform, objective, found)
    _titled(uniform, "the same budget for every type", "budget, tokens")
    uniform.legend()
    figure.savefig(path, dpi=120)


def _plot_alone(axes: Axes, objective: BudgetObjective, found: Allocation, index: int, name: str) -> None:
    best = found.budgets.astype(np.float64)
    reach = min(float(objective.problem.max_tokens[index]), max(_REACH * best[index], _LEAST_TOKENS))
    tokens = np.linspace(0, reach, _POINTS)
    moved = np.tile(best, (_POINTS, 1))
    moved[:, index] = tokens
    (line,) = axes.plot(tokens, _values(objective, moved), label=name)
    axes.plot([best[index]], [found.performance.value_s], "o", color=line.get_color())


def _plot_uniform(axes: Axes, objective: BudgetObjective, found: Allocation) -> None:
    top = objective.problem.max_tokens
    reach = min(float(top.max()), max(_REACH * float(found.budgets.max()), _LEAST_TOKENS))
    tokens = np.linspace(0, reach, _POINTS)
    axes.plot(tokens, _values(objective, np.minimum(tokens[:, None], top)), label="uniform")
    axes.axhline(found.performance.value_s, linestyle="--", color="black", label="best by type")
    # near the border of stability J falls without end; what is below no thinking at all is out of interest
    height = found.performance.value_s - objective.value_s(np.zeros(len(top)))
    if np.isfinite(height) and height > 0:
        axes.set_ylim(found.performance.value_s - 2 * height, found.performance.value_s + 0.2 * height)


def _values(objective: BudgetObjective, rows: Floats) -> Floats:
    """J of each row of budgets; not a number where the queue is unstable, for a gap in the line."""
    values = np.array([objective.value_s(row) for row in rows])
    return np.where(np.isfinite(values), values, np.nan)


def _titled(axes: Axes, title: str, below: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(below)
    axes.set_ylabel("J, seconds")
    axes.grid(alpha=0.3)
