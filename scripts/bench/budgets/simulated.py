"""Thinking budgets against simulated queues, other budgets and retries, on four task types of ASSUMED figures."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from deployments.budgets.allocation import allocate, setting
from deployments.budgets.optimum.batching import Batching
from deployments.budgets.optimum.objective import accuracy, mean_time_s, moments, value_s
from deployments.budgets.optimum.problem import Floats, Problem
from deployments.budgets.optimum.retry import Retried
from deployments.budgets.optimum.simulation import Simulated, Traffic, simulate, simulate_mg1
from scripts.bench.report import Bar

Part = tuple[dict[str, Any], list[Bar]]

# Nobody measured these: short questions, extraction, maths and code at 10 ms a token, as in docs/thinking_types.yaml.
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
# The busier, the longer a simulation needs for the same error.
ARRIVALS_BY_UTILISATION: Mapping[float, int] = {
    0.3: 1_000_000,
    0.5: 2_000_000,
    0.7: 5_000_000,
    0.8: 10_000_000,
    0.9: 20_000_000,
}
LOADS_PER_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.2)
# The same questions behind long prompts, which every attempt reads again: a wrong answer is dear.
LONG_PROMPTS = replace(ASSUMED, base_s=8 * ASSUMED.base_s, arrivals_per_s=0.02)
RETRY_LOADS: Mapping[str, Sequence[float]] = {
    "assumed": (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8),
    "long_prompts": (0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1),
}
MAX_ATTEMPTS = 4
# By the name of each ratio: of what it is, and of which policies of `_at_load`.
COMPARED: Mapping[str, tuple[str, str, str]] = {
    "time": ("time_s", "valued", "once"),
    "cost": ("cost_s", "valued", "once"),
    "best_time": ("time_s", "fastest", "once_fastest"),
    "best_cost": ("cost_s", "valued", "once_cheapest"),
}
# What the objective without retries is tried with, as multiples of the given worth.
WORTH_FACTORS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
BATCH = Batching(growth=0.05, slots=8)
# So many slots that nobody waits, which is where the formula is exact.
WIDE_BATCH = Batching(growth=0.05, slots=1024)
UTILISATIONS = (0.2, 0.4, 0.6, 0.8, 0.9)
# Above this a simulation says more of its length than of the queue.
HIGHEST_UTILISATION = 0.98
_UNIFORM_POINTS = 2001


def simulated_parts(*, requests: int, seed: int, plot_path: Path | None) -> dict[str, Part]:
    """All questions of this module by name; `requests` are simulated for each queue but the plain M/G/1."""
    return {
        "mg1": simulate_single_queue(seed),
        "baselines": compare_baselines(plot_path),
        "retries": compare_retries(requests, seed),
        "retry_formula": check_retry_formula(requests, seed),
        "batching": check_batching(requests, seed),
    }


def simulate_single_queue(seed: int) -> Part:
    """E[T] of the M/G/1 formula against Lindley's recursion, the best budgets for the given load at others too."""
    budgets = allocate(ASSUMED).budgets.astype(np.float64)
    mean_s = moments(ASSUMED, budgets).mean_s
    figures = {}
    for utilisation, arrivals in ARRIVALS_BY_UTILISATION.items():
        problem = replace(ASSUMED, arrivals_per_s=utilisation / mean_s)
        formula_s = mean_time_s(problem, moments(problem, budgets))
        seen = simulate_mg1(problem, budgets, arrivals=arrivals, seed=seed)
        figures[f"{utilisation:g}"] = _against(formula_s, seen)
    worst = max(abs(figure["relative_error"]) for figure in figures.values())
    return figures, [Bar(name="mg1_worst_error", value=worst, limit=0.01, kind="max")]


def _against(formula_s: float, seen: Simulated) -> dict[str, float]:
    return {
        "formula_s": formula_s,
        "simulated_s": seen.mean_s,
        "standard_error_s": seen.error_s,
        "requests": seen.requests,
        "relative_error": formula_s / seen.mean_s - 1,
    }


def compare_baselines(plot_path: Path | None) -> Part:
    """J of the best budgets and of simpler ones, the uniform and proportional ones themselves chosen for each load."""
    figures: dict[str, Any] = {}
    margins = []
    for arrivals in LOADS_PER_S:
        problem = replace(ASSUMED, arrivals_per_s=arrivals)
        policies = {"optimal": allocate(problem).budgets.astype(np.float64), **_baselines(problem)}
        figures[f"{arrivals:g}"] = {name: _brought(problem, budgets) for name, budgets in policies.items()}
        values = {name: value_s(problem, budgets) for name, budgets in policies.items()}
        margins.append(values.pop("optimal") - max(values.values()))
    if plot_path is not None:
        _plot_baselines(figures, plot_path)
    bars = [Bar(name="optimal_above_best_baseline_s", value=min(margins), limit=0.0, kind="min")]
    return figures, bars


def _baselines(problem: Problem) -> dict[str, Floats]:
    top = problem.max_tokens
    shares = np.linspace(0, 1, _UNIFORM_POINTS)
    return {
        "uniform": _best(problem, [np.minimum(np.rint(share * top.max()), top) for share in shares]),
        "proportional": _best(problem, [np.rint(share * top) for share in shares]),
        "zero": np.zeros(problem.num_types),
        "max": top,
    }


def _best(problem: Problem, tried: Sequence[Floats]) -> Floats:
    return max(tried, key=lambda budgets: value_s(problem, budgets))


def _brought(problem: Problem, budgets: Floats) -> dict[str, Any]:
    """None for the J and E[T] of a queue that is not stable."""
    at = moments(problem, budgets)
    return {
        "budgets": budgets.tolist(),
        "value_s": value_s(problem, budgets) if at.is_stable else None,
        "mean_time_s": mean_time_s(problem, at) if at.is_stable else None,
        "utilisation": at.utilisation,
        "accuracy": float(problem.shares @ accuracy(problem, budgets)),
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
    """The worst ratio of each comparison; no bar where both sides have the same budgets at every load.

    There the ratio is 1 whatever the code does: for time alone, short prompts are best not thought about at all.
    """
    bars = []
    for ratio, (_, aware, unaware) in COMPARED.items():
        seen = [at["ratios"][ratio] for at in by_load if at["ratios"][ratio] is not None]
        if any(at[aware]["budgets"] != at[unaware]["budgets"] for at in by_load):
            bars.append(Bar(name=f"retry_{ratio}_ratio_{name}", value=max(seen), limit=1.0, kind="max"))
    return bars


def _at_load(types: Problem, arrivals_per_s: float, requests: int, seed: int) -> dict[str, Any]:
    """Mean time to the end of a request (TTCA) and its cost, TTCA + worth_s * unsolved share, of five policies.

    `valued` knows of retries and has the stated worth, `fastest` aims at TTCA alone. `once` is the objective without
    retries at the stated worth; `once_fastest` and `once_cheapest` are that at the worth which turns out best for each
    measure in this very simulation, which no operator would know. Ratios are of the aware to the unaware; None where
    the latter has no stable queue.
    """
    problem = replace(types, arrivals_per_s=arrivals_per_s)
    traffic = Traffic.drawn(problem, requests=requests, max_attempts=MAX_ATTEMPTS, seed=seed)
    valued = _retried(problem, allocate(problem, max_attempts=MAX_ATTEMPTS).budgets, traffic)
    fastest = _retried(problem, allocate(replace(problem, worth_s=0.0), max_attempts=MAX_ATTEMPTS).budgets, traffic)
    once = {
        factor: _retried(problem, allocate(replace(problem, worth_s=factor * problem.worth_s)).budgets, traffic)
        | {"worth_factor": factor}
        for factor in WORTH_FACTORS
    }
    stable = [tried for tried in once.values() if tried["time_s"] is not None]
    policies = {
        "valued": valued,
        "fastest": fastest,
        "once": once[1],
        "once_fastest": min(stable, key=lambda tried: float(tried["time_s"])),
        "once_cheapest": min(stable, key=lambda tried: float(tried["cost_s"])),
    }
    ratios = {
        ratio: _ratio(policies[aware][measure], policies[unaware][measure])
        for ratio, (measure, aware, unaware) in COMPARED.items()
    }
    return policies | {"ratios": ratios}


def _retried(problem: Problem, whole: NDArray[np.int64], traffic: Traffic) -> dict[str, Any]:
    budgets = whole.astype(np.float64)
    load = setting(problem, max_attempts=MAX_ATTEMPTS).load(budgets)
    figures = {"budgets": whole.tolist(), "utilisation": load, "time_s": None, "cost_s": None}
    if load >= HIGHEST_UTILISATION:
        return figures
    seen = simulate(problem, budgets, traffic)
    unsolved = 1 - seen.solved
    return figures | {
        "time_s": seen.mean_s,
        "standard_error_s": seen.error_s,
        "unsolved": unsolved,
        "cost_s": seen.mean_s + problem.worth_s * unsolved,
    }


def _ratio(aware_s: float, unaware_s: float | None) -> float | None:
    return None if unaware_s is None else aware_s / unaware_s


def check_retry_formula(requests: int, seed: int) -> Part:
    """The mean time with retries from mean values, and as if returning attempts were a Poisson stream of their own."""
    figures = {}
    for utilisation in UTILISATIONS:
        retried = setting(ASSUMED, max_attempts=MAX_ATTEMPTS)
        budgets = allocate(ASSUMED, max_attempts=MAX_ATTEMPTS).budgets.astype(np.float64)
        problem = replace(ASSUMED, arrivals_per_s=utilisation * ASSUMED.arrivals_per_s / retried.load(budgets))
        traffic = Traffic.drawn(problem, requests=requests, max_attempts=MAX_ATTEMPTS, seed=seed)
        seen = simulate(problem, budgets, traffic)
        formula_s = setting(problem, max_attempts=MAX_ATTEMPTS).mean_time_s(budgets)
        poisson_s = _as_if_poisson_s(setting(problem, max_attempts=MAX_ATTEMPTS), budgets)
        figures[f"{utilisation:g}"] = _against(formula_s, seen) | {"poisson_error": poisson_s / seen.mean_s - 1}
    return figures, [_errors_bar("retry_formula_worst_standard_errors", figures)]


def _as_if_poisson_s(retried: Retried, budgets: Floats) -> float:
    demand, arrivals = retried.demand(budgets), retried.problem.arrivals_per_s
    work_s, square_s2 = float(demand.work_s.sum()), float(demand.square_s2.sum())
    return work_s + float(demand.asked.sum()) * arrivals * square_s2 / (2 * (1 - arrivals * work_s))


def check_batching(requests: int, seed: int) -> Part:
    """The formula of processor sharing where nearly nobody waits (exact) and where many do (an approximation)."""
    figures: dict[str, Any] = {}
    for name, batching in {"wide": WIDE_BATCH, "narrow": BATCH}.items():
        for max_attempts in (1, MAX_ATTEMPTS):
            at = {f"{load:g}": _batched(batching, max_attempts, load, requests, seed) for load in UTILISATIONS}
            figures[f"{name}_{max_attempts}_attempts"] = at
    exact = figures["wide_1_attempts"] | {
        f"{load} retried": at for load, at in figures[f"wide_{MAX_ATTEMPTS}_attempts"].items()
    }
    return figures, [_errors_bar("batching_worst_standard_errors", exact)]


def _batched(batching: Batching, max_attempts: int, utilisation: float, requests: int, seed: int) -> dict[str, float]:
    """The same budgets at all loads: the best ones at half of what the server can do."""
    types = replace(ASSUMED, capacity=batching.capacity)
    budgets = allocate(types, batching=batching, max_attempts=max_attempts).budgets.astype(np.float64)
    work_s = setting(types, batching=batching, max_attempts=max_attempts).load(budgets) / types.arrivals_per_s
    problem = replace(types, arrivals_per_s=utilisation * batching.capacity / work_s)
    traffic = Traffic.drawn(problem, requests=requests, max_attempts=max_attempts, seed=seed)
    formula_s = setting(problem, batching=batching, max_attempts=max_attempts).mean_time_s(budgets)
    return _against(formula_s, simulate(problem, budgets, traffic, batching=batching))


def _errors_bar(name: str, figures: Mapping[str, Mapping[str, float]]) -> Bar:
    """How many standard errors a formula is off at worst; 4 is beyond what chance does in a few tens of figures."""
    worst = max(abs(at["formula_s"] - at["simulated_s"]) / at["standard_error_s"] for at in figures.values())
    return Bar(name=name, value=worst, limit=4.0, kind="max")
