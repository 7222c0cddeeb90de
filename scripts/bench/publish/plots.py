"""The plots of `laar bench ttca`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from profiles.measures.trial import Trial
from profiles.measures.ttca import ecdf
from scripts.bench.publish.bounds import bounds_of
from scripts.bench.publish.figures import Charging
from scripts.bench.publish.tables import BESIDE_LAAR
from scripts.bench.ttca.data import LAAR, ComparedTrials
from scripts.profile.show import TTCA_COLOURS, Shades, ink

# Every policy looks the same in all plots; grey and black are for the bounds and LAAR.
COLOURS = {
    "load-aware": "tab:orange",
    "session-affinity": "tab:red",
    "round-robin": "tab:brown",
    "fastest": "tab:blue",
    "most-accurate": "tab:green",
    "threshold": "tab:purple",
    "cascade": "tab:pink",
    "litellm": "tab:cyan",
    "ray": "tab:olive",
}
OTHER_COLOUR = "gold"
# Higher numbers of attempts share one bar.
MOST_ATTEMPTS = 5


Series = Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class InTimeGoodput:
    """GoodputCurve by load: for each policy points of load and of right answers within the limit, both per second."""

    limit_s: float
    series: Series


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodputCurve:
    """Smooth goodput by load: for each policy points of load and goodput, in the units named."""

    simulated: bool
    load_unit: str
    goodput_unit: str
    series: Series
    in_time: InTimeGoodput | None = None


def draw(compared: ComparedTrials, figures: Mapping[str, Any], folder: Path) -> list[Path]:
    """Every plot of a run into `folder`."""
    drawn = {
        "ecdf": plot_ecdf(compared, figures),
        "success": plot_success(compared),
        "cells": plot_cells(figures),
        "attempts": plot_attempts(figures),
    }
    return [_saved(figure, folder / f"{name}.png") for name, figure in drawn.items()]


def draw_goodput(goodput: GoodputCurve, path: Path) -> Path:
    return _saved(plot_goodput(goodput), path)


def plot_ecdf(compared: ComparedTrials, figures: Mapping[str, Any]) -> Figure:
    """Reading (i): the share of the answerable prompts that took no longer; unsolved ones with all they are charged."""
    charging = Charging(compared)
    figure, panels = _panels(compared)
    for axes, policies in panels:
        for name, trials in policies.items():
            _steps(axes, list(charging.answerable_s(trials).values()), name, _style(name))
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
    if "not_computed" not in figures["bounds"]:
        bounds = bounds_of(compared)
        whole = panels[0][0]
        _steps(whole, list(bounds.oracle.values()), "oracle", {"color": "grey", "linestyle": ":"})
        _steps(whole, list(bounds.static.values()), "best static", {"color": "grey", "linestyle": "--"})
    for axes, policies in panels:
        n = sum(trial.prompt_id in charging.answerable for trial in policies[LAAR])
        _labelled(
            axes, f"TTCA, {n} prompts that a model answers", "seconds (unsolved: all attempts)", "share of prompts"
        )
    return figure


def plot_success(compared: ComparedTrials) -> Figure:
    """The share of all prompts that were solved within a time; those that no model answers keep it below 1."""
    figure, panels = _panels(compared)
    end_s = max(trial.elapsed_s for trials in compared.trials.values() for trial in trials)
    for axes, policies in panels:
        for name, trials in policies.items():
            times, shares = ecdf(trials)
            # to the right edge, where it stays
            axes.step([0, *times, end_s], [0, *shares, shares[-1:].sum()], where="post", label=name, **_style(name))
        axes.set_ylim(0, 1)
        title = f"success within a time, all of {len(policies[LAAR])} prompts"
        _labelled(axes, title, "seconds since sending", "share solved")
    return figure


def plot_cells(figures: Mapping[str, Any]) -> Figure:
    """Mean of reading (i) by language and length for LAAR and a load-aware policy of the same prompts, on one scale."""
    names = [name for name in (LAAR, BESIDE_LAAR) if name in figures["cells_s"]]
    languages = list(figures["prompts"]["languages"])
    lengths = [str(length) for length in figures["prompts"]["target_tokens"]]
    found = {name: _grid(figures["cells_s"][name], languages, lengths) for name in names}
    every = np.concatenate([grid[np.isfinite(grid)] for grid in found.values()]) if found else np.array([1.0])
    shades = Shades(norm=LogNorm(every.min(), max(every.max(), every.min() * 1.01)), colours=TTCA_COLOURS)
    figure = Figure(
        figsize=(2 + 1.1 * len(lengths) * max(1, len(names)), 1.4 + 0.4 * len(languages)), layout="constrained"
    )
    for axes, name in zip(figure.subplots(1, max(1, len(names)), squeeze=False)[0], names, strict=False):
        axes.imshow(found[name], cmap=shades.colours, norm=shades.norm, aspect="auto")
        axes.set_xticks(range(len(lengths)), lengths)
        axes.set_yticks(range(len(languages)), languages)
        axes.set_xlabel("prompt tokens")
        axes.set_title(f"{name}: mean TTCA (i), s")
        for (row, column), value in np.ndenumerate(found[name]):
            if np.isfinite(value):
                axes.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=8, color=ink(shades, value))
    return figure


def plot_attempts(figures: Mapping[str, Any]) -> Figure:
    """How many attempts each policy's prompts took, and how many it never solved."""
    policies = figures["policies"].values()
    names = [f"{name} ({of['num_prompts']})" for name, of in figures["policies"].items()]
    shares = np.array([_attempt_shares(of) for of in policies])
    figure, axes = _figure()
    labels = [*(str(count) for count in range(1, MOST_ATTEMPTS)), f"{MOST_ATTEMPTS} and more", "unsolved"]
    colours = [*colormaps["Blues_r"](np.linspace(0.1, 0.8, MOST_ATTEMPTS)), "tab:red"]
    left = np.zeros(len(names))
    for column, (label, colour) in enumerate(zip(labels, colours, strict=True)):
        axes.barh(names, shares[:, column], left=left, label=label, color=colour)
        left += shares[:, column]
    answerable = [of["num_answerable"] / of["num_prompts"] for of in policies]
    axes.scatter(answerable, names, marker="|", s=400, color="black", zorder=3, label="what any\nmodel answers")
    axes.invert_yaxis()
    _labelled(axes, "attempts until solved (in brackets: prompts)", "share of prompts", "")
    return figure


def plot_goodput(goodput: GoodputCurve) -> Figure:
    """Smooth goodput, and below it how many right answers came in time, where that is known."""
    panels = [("smooth goodput by load", f"smooth goodput, {goodput.goodput_unit}", goodput.series)]
    if goodput.in_time is not None:
        title = f"right answers within {goodput.in_time.limit_s:g} s by load"
        panels.append((title, "goodput, requests/s", goodput.in_time.series))
    figure = Figure(figsize=(8, 4.2 * len(panels)), layout="constrained")
    for axes, (title, beside, series) in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True):
        for name, points in series.items():
            loads, values = zip(*sorted(points), strict=True)
            axes.plot(loads, values, marker="o", markersize=3, label=name, **_style(name))
        _labelled(axes, title + (" (simulated)" if goodput.simulated else ""), f"load, {goodput.load_unit}", beside)
    return figure


def _panels(compared: ComparedTrials) -> tuple[Figure, list[tuple[Axes, dict[str, Sequence[Trial]]]]]:
    """Below one another the policies with all prompts, and LAAR and the others on those that these others share."""
    others = {name: trials for name, trials in compared.trials.items() if name not in compared.whole}
    groups: list[dict[str, Sequence[Trial]]] = [{name: compared.trials[name] for name in compared.whole}]
    if others:
        shared = set.intersection(*({trial.prompt_id for trial in trials} for trials in others.values()))
        small = {LAAR: compared.trials[LAAR], **others}
        groups.append({name: [t for t in trials if t.prompt_id in shared] for name, trials in small.items()})
    groups = [group for group in groups if group[LAAR]]
    heights = [4.8, 3.6][: len(groups)]
    figure = Figure(figsize=(8, sum(heights)), layout="constrained")
    axes = figure.subplots(len(groups), squeeze=False, height_ratios=heights)[:, 0]
    return figure, list(zip(axes, groups, strict=True))


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    return figure, figure.subplots()


def _style(name: str) -> dict[str, Any]:
    """LAAR stands out."""
    if name == LAAR:
        return {"color": "black", "linewidth": 2.2, "zorder": 3}
    return {"color": COLOURS.get(name, OTHER_COLOUR), "linewidth": 1.2}


def _steps(axes: Axes, values: Sequence[float], label: str, style: Mapping[str, Any]) -> None:
    axes.step(np.sort(values), np.arange(1, len(values) + 1) / len(values), where="post", label=label, **style)


def _grid(
    cells: Mapping[str, Mapping[str, float]], languages: Sequence[str], lengths: Sequence[str]
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Rows of languages, NaN where no prompt of a cell is answerable."""
    return np.array([[cells.get(language, {}).get(length, np.nan) for length in lengths] for language in languages])


def _attempt_shares(of: Mapping[str, Any]) -> list[float]:
    """Solved after one attempt, two and so on, the last class open, then unsolved; shares of all trials."""
    counts = [0] * MOST_ATTEMPTS
    for attempts, count in of["solved_after_attempts"].items():
        counts[min(int(attempts), MOST_ATTEMPTS) - 1] += count
    return [count / of["num_trials"] for count in [*counts, of["num_trials"] - of["num_solved"]]]


def _labelled(axes: Axes, title: str, below: str, beside: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(below)
    axes.set_ylabel(beside)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))


def _saved(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=120)
    return path
