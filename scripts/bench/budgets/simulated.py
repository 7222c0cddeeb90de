"""Thinking budgets against simulated queues, other budgets and retries, on four task types of ASSUMED figures."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from deployments.budgets.allocate import allocate
from deployments.budgets.objective import BudgetObjective
from deployments.budgets.problem import Problem
from deployments.budgets.servers import Batching, Server, SingleServer
from profiles.arrays import Floats
from scripts.allocate.simulation import QueueTraffic, simulate
from scripts.report import Bar

Part = tuple[dict[str, Any], list[Bar]]

# Assumed, not measured: short questions, extraction, maths and code at 10 ms a token, as in docs/thinking_types.yaml.
ASSUMED = Problem(
    shares=np.array([0.40, 0.25, 0.20, 0.15]),
    base_s=np.array([0.3, 0.6, 0.5, 0.8]),
    token_s=np.array([0.01, 0.01, 0.01, 0.01]),
    gain=np.array([0.25, 0.35, 0.75, 0.60]),
    rate=np.array([0.02, 0.01, 0.003, 0.002]),
    floor=np.array([0.65, 0.55, 0.15, 0.15]),
    max_tokens=np.array([512.0, 1024.0, 4096.0, 4096.0]),
    arrivals_per_s=0.2,
    worth_s=30.0,
)
# Published curves of models that think (arXiv 2608.13315: AIME24, AIME25, GPQA-D, GSM8K, HMMT25), as they stand in
# docs/thinking_qwen3_8b.yaml and docs/thinking_r1_llama_8b.yaml. Shares, worth and the largest budget are assumed.
_QWEN = Problem(
    shares=np.full(5, 0.2),
    base_s=np.array([0.2706, 0.1775, 0.0899, 0.0663, 0.5198]),
    token_s=np.array([7.60e-4, 9.03e-4, 1.257e-3, 1.25e-4, 1.008e-3]),
    gain=np.array([0.595, 0.737, 0.227, 0.677, 0.302]),
    rate=np.array([9.25e-5, 1.13e-4, 2.63e-4, 2.66e-3, 1.89e-4]),
    floor=np.array([0.0, 0.0, 0.354, 0.276, 0.044]),
    max_tokens=np.full(5, 16384.0),
    arrivals_per_s=0.1,
    worth_s=30.0,
)
_R1 = replace(
    _QWEN,
    base_s=np.array([0.1759, 0.0878, 0.0057, 0.0118, 0.1787]),
    token_s=np.array([6.11e-4, 6.79e-4, 3.56e-4, 1.28e-4, 7.38e-4]),
    gain=np.array([0.260, 0.309, 0.185, 0.822, 0.223]),
    rate=np.array([1.94e-4, 2.51e-4, 2.11e-4, 3.03e-3, 1.41e-4]),
    floor=np.array([0.011, 0.0, 0.290, 0.067, 0.033]),
)
MEASURED: Mapping[str, Problem] = {"qwen3_8b": _QWEN, "r1_llama_8b": _R1}
MEASURED_LOADS_PER_S = (0.02, 0.1, 0.3, 1.0)
LOADS_PER_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.2)
# The same questions behind long prompts, which every attempt reads again: a wrong answer is dear.
LONG_PROMPTS = replace(ASSUMED, base_s=8 * ASSUMED.base_s, arrivals_per_s=0.02)
RETRY_LOADS: Mapping[str, Sequence[float]] = {
    "assumed": (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8),
    "long_prompts": (0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1),
}
MAX_ATTEMPTS = 4
# By the name of each ratio of `aware` to another policy of `_at_load`: of what, and to which.
COMPARED: Mapping[str, tuple[str, str]] = {
    "time": ("time_s", "once"),
    "cost": ("cost_s", "once"),
    "best_cost": ("cost_s", "once_cheapest"),
}
# What the objective without retries is tried with, as multiples of the given worth.
WORTH_FACTORS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
BATCH = Batching(growth=0.05, slots=8)
# Slots enough that no request waits, which is where the formula is exact.
WIDE_BATCH = Batching(growth=0.05, slots=1024)
# Servers by name, and whether the formula is exact for them.
SERVERS: Mapping[str, tuple[Server, bool]] = {
    "queue": (SingleServer(), True),
    "wide_batch": (WIDE_BATCH, True),
    "narrow_batch": (BATCH, False),
}
UTILISATIONS = (0.2, 0.4, 0.6, 0.8, 0.9)
# Above this a simulation says more of its length than of the queue.
HIGHEST_UTILISATION = 0.98
_UNIFORM_POINTS = 2001


def simulated_parts(*, requests: int, seed: int, plot_path: Path | None) -> dict[str, Part]:
    """All questions of this module by name; `requests` are simulated for each queue."""
    return {
        "baselines": compare_baselines(plot_path),
        "measured_curves": compare_measured(),
        "retries": compare_retries(requests, seed),
        "formulas": check_formulas(requests, seed),
    }


def compare_baselines(plot_path: Path | None) -> Part:
    """J of the best budgets and of simpler ones, the uniform and proportional ones themselves chosen for each load."""
    figures, margin_s = _compared(ASSUMED, LOADS_PER_S)
    if plot_path is not None:
        _plot_baselines(figures, plot_path)
    return figures, [Bar(name="optimal_above_best_baseline_s", value=margin_s, limit=0.0, kind="min")]


def compare_measured() -> Part:
    """The same on curves that were measured of models that think."""
    figures: dict[str, Any] = {}
    bars = []
    for model, types in MEASURED.items():
        figures[model], margin_s = _compared(types, MEASURED_LOADS_PER_S)
        bars.append(Bar(name=f"optimal_above_best_baseline_s_{model}", value=margin_s, limit=0.0, kind="min"))
    return figures, bars


def _compared(types: Problem, loads_per_s: Sequence[float]) -> tuple[dict[str, Any], float]:
    """What each kind of budgets brings by load, and by how many seconds of J the optimum is ahead at least."""
    figures: dict[str, Any] = {}
    margins = []
    for arrivals in loads_per_s:
        objective = BudgetObjective(problem=replace(types, arrivals_per_s=arrivals))
        policies = {"optimal": allocate(objective).budgets.astype(np.float64), **_baselines(objective)}
        figures[f"{arrivals:g}"] = {name: _brought(objective, budgets) for name, budgets in policies.items()}
        values = {name: objective.value_s(budgets) for name, budgets in policies.items()}
        margins.append(values.pop("optimal") - max(values.values()))
    return figures, min(margins)


def _baselines(objective: BudgetObjective) -> dict[str, Floats]:
    top = objective.problem.max_tokens
    shares = np.linspace(0, 1, _UNIFORM_POINTS)
    return {
        "uniform": max((np.minimum(np.rint(share * top.max()), top) for share in shares), key=objective.value_s),
        "proportional": max((np.rint(share * top) for share in shares), key=objective.value_s),
        "zero": np.zeros(len(top)),
        "max": top,
    }


def _brought(objective: BudgetObjective, budgets: Floats) -> dict[str, Any]:
    """None for the J and E[T] of a queue that is not stable."""
    load, capacity = objective.load(budgets), objective.server.capacity
    return {
        "budgets": budgets.tolist(),
        "value_s": objective.value_s(budgets) if load < capacity else None,
        "mean_time_s": objective.mean_time_s(budgets) if load < capacity else None,
        "utilisation": load / capacity,
        "accuracy": float(objective.problem.shares @ objective.accuracy(budgets)),
    }


def _plot_baselines(figures: Mapping[str, Any], path: Path) -> None:
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name in next(iter(figures.values())):
        values = [figures[load][name]["value_s"] for load in figures]
        axes.plot(LOADS_PER_S, [np.nan if value is None else value for value in values], "o-", label=name)
    # the largest budgets are hundreds of seconds worse where they are stable at all, and would flatten the rest
    axes.set_ylim(
        bottom=min(at["zero"]["value_s"] for at in figures.values()) - 1,
        top=max(at["optimal"]["value_s"] for at in figures.values()) + 1,
    )
    axes.set_title("J of thinking budgets by load (assumed task types)")
    axes.set_xlabel("arrivals/s")
    axes.set_ylabel("J, seconds")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def compare_retries(requests: int, seed: int) -> Part:
    """Budgets that know of retries and those that do not, on one and the same simulated traffic for each load."""
    figures: dict[str, Any] = {}
    bars = []
    for name, types in {"assumed": ASSUMED, "long_prompts": LONG_PROMPTS}.items():
        figures[name] = {f"{load:g}": _at_load(types, load, requests, seed) for load in RETRY_LOADS[name]}
        bars += retry_bars(name, list(figures[name].values()))
    return figures, bars


def retry_bars(name: str, by_load: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """The worst load of each ratio; loads at which the other budgets have no stable queue have none."""
    bars = []
    for ratio in COMPARED:
        seen = [at["ratios"][ratio] for at in by_load if at["ratios"][ratio] is not None]
        bars.append(Bar(name=f"retry_{ratio}_ratio_{name}", value=max(seen), limit=1.0, kind="max"))
    return bars


def _at_load(types: Problem, arrivals_per_s: float, requests: int, seed: int) -> dict[str, Any]:
    """Mean time to the end of a request (TTCA) and its cost, TTCA + worth_s * unsolved share, of three policies.

    `aware` knows of retries. `once` is the objective without retries at the stated worth; `once_cheapest` is that at
    the worth which turns out cheapest in this very simulation, which no operator would know.
    """
    problem = replace(types, arrivals_per_s=arrivals_per_s)
    traffic = QueueTraffic.drawn(problem, requests=requests, max_attempts=MAX_ATTEMPTS, seed=seed)
    served = BudgetObjective(problem=problem, max_attempts=MAX_ATTEMPTS)
    once = {
        factor: _retried(served, BudgetObjective(problem=replace(problem, worth_s=factor * problem.worth_s)), traffic)
        | {"worth_factor": factor}
        for factor in WORTH_FACTORS
    }
    policies = {
        "aware": _retried(served, served, traffic),
        "once": once[1],
        "once_cheapest": min(
            (tried for tried in once.values() if tried["time_s"] is not None), key=lambda tried: float(tried["cost_s"])
        ),
    }
    ratios = {
        ratio: None if policies[other][measure] is None else policies["aware"][measure] / policies[other][measure]
        for ratio, (measure, other) in COMPARED.items()
    }
    return policies | {"ratios": ratios}


def _retried(served: BudgetObjective, planned: BudgetObjective, traffic: QueueTraffic) -> dict[str, Any]:
    """What the best budgets of `planned` bring where requests are `served` with retries."""
    budgets = allocate(planned).budgets.astype(np.float64)
    load = served.load(budgets)
    figures = {"budgets": budgets.tolist(), "utilisation": load, "time_s": None, "cost_s": None}
    if load >= HIGHEST_UTILISATION:
        return figures
    seen = simulate(served, budgets, traffic)
    unsolved = 1 - seen.solved
    return figures | {
        "time_s": seen.mean_s,
        "standard_error_s": seen.error_s,
        "unsolved": unsolved,
        "cost_s": seen.mean_s + served.problem.worth_s * unsolved,
    }


def check_formulas(requests: int, seed: int) -> Part:
    """The mean time by formula and simulated; the bars are of servers for which the formula is exact."""
    figures: dict[str, Any] = {}
    bars = []
    for name, (server, is_exact) in SERVERS.items():
        for max_attempts in (1, MAX_ATTEMPTS):
            at = {f"{load:g}": _formula(server, max_attempts, load, requests, seed) for load in UTILISATIONS}
            figures[f"{name}_{max_attempts}_attempts"] = at
            worst = max(abs(one["formula_s"] - one["simulated_s"]) / one["standard_error_s"] for one in at.values())
            if is_exact:
                # 4 is beyond what chance does in a few tens of figures
                bar = f"{name}_{max_attempts}_attempts_worst_standard_errors"
                bars.append(Bar(name=bar, value=worst, limit=4.0, kind="max"))
    return figures, bars


def _formula(server: Server, max_attempts: int, utilisation: float, requests: int, seed: int) -> dict[str, float]:
    """The same budgets at all loads: the best ones at the assumed arrivals."""
    types = replace(ASSUMED, capacity=server.capacity)
    planned = BudgetObjective(problem=types, server=server, max_attempts=max_attempts)
    budgets = allocate(planned).budgets.astype(np.float64)
    work_s = planned.load(budgets) / types.arrivals_per_s
    served = replace(planned, problem=replace(types, arrivals_per_s=utilisation * server.capacity / work_s))
    traffic = QueueTraffic.drawn(served.problem, requests=requests, max_attempts=max_attempts, seed=seed)
    seen, formula_s = simulate(served, budgets, traffic), served.mean_time_s(budgets)
    return {
        "formula_s": formula_s,
        "simulated_s": seen.mean_s,
        "standard_error_s": seen.error_s,
        "requests": seen.requests,
        "relative_error": formula_s / seen.mean_s - 1,
    }
