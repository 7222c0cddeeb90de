"""`laar profile show`: a profile as heat maps of accuracy and expected time to a correct answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployments.router.choice.candidates import DEFAULT_OUTPUT_TOKENS
from deployments.router.latency.expected import Speeds, idle_latency_s
from profiles.cell import Buckets
from profiles.chances.capability import Capability
from profiles.chances.intervals import wilson
from profiles.profile import CellCounts, ModelProfile, Profile

ACCURACY_COLOURS, TTCA_COLOURS = "RdYlGn", "RdYlGn_r"
SHORTEST_S = 1e-6
# Luminance below which black letters cannot be read.
DARK = 0.4
PNG_INCHES_PER_CELL = (0.85, 0.32)
MARGIN_INCHES = (1.6, 1.2)
# the width of a heat map with its margin, for its title
LEAST_INCHES = 5.0
NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the router would expect in one measured cell: `ttca_s` is L/Q on an idle engine, with Q smoothed.

    It is infinite where no answer was correct: Q smoothed would make a model good that is only quick.
    """

    correct: int
    tried: int
    ttca_s: float

    @property
    def accuracy(self) -> float:
        return self.correct / self.tried if self.tried else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """One task: `figures` by (model, language) and bucket; what was not measured is not there."""

    task: str
    rows: tuple[tuple[str, str], ...]
    buckets: tuple[int, ...]
    figures: dict[tuple[str, str, int], Figures]

    def values(self, value: Callable[[Figures], float]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """An array of (rows, buckets), NaN where nothing was measured."""
        found = [[self.figures.get((*row, bucket)) for bucket in self.buckets] for row in self.rows]
        return np.array([[value(f) if f else float("nan") for f in line] for line in found])


@dataclass(frozen=True, slots=True, kw_only=True)
class Shades:
    """Colours for values, in the terminal as in the picture; beyond `most` they are as at it."""

    norm: Normalize
    colours: str

    @property
    def most(self) -> float:
        return float(self.norm.vmax or 1)

    def of(self, value: float) -> tuple[float, float, float]:
        """Red, green and blue, each from 0 to 1."""
        red, green, blue, _ = colormaps[self.colours](float(self.norm(min(value, self.most))))
        return red, green, blue


def show_profile(profile: Profile, console: Console, *, png: Path | None) -> None:
    """Two tables a task, and the same as a picture where one is wanted."""
    grids = grids_of(profile)
    # first, as the tables may go to a reader that stops reading
    if png is not None:
        picture(grids, profile.buckets).savefig(png, dpi=120)
    for grid in grids:
        console.print(_table(grid, profile.buckets, is_ttca=False))
        console.print(_table(grid, profile.buckets, is_ttca=True))


def grids_of(profile: Profile) -> list[HeatMap]:
    capability = Capability(profile)
    tasks = sorted({cell.task for model in profile.models.values() for cell in model.cells})
    grids = []
    for task in tasks:
        figures = {
            (name, cell.language, cell.bucket): _figures(profile, capability, name, model, cell)
            for name, model in profile.models.items()
            for cell in model.cells
            if cell.task == task
        }
        rows = sorted({(name, language) for name, language, _ in figures}, key=lambda row: (row[1], row[0]))
        buckets = sorted({bucket for *_, bucket in figures})
        grids.append(HeatMap(task=task, rows=tuple(rows), buckets=tuple(buckets), figures=figures))
    return grids


def _figures(profile: Profile, capability: Capability, name: str, model: ModelProfile, cell: CellCounts) -> Figures:
    chance = capability.probability(name, cell.cell)
    prompt = np.array([typical_tokens(cell.bucket, profile.bucket_edges)])
    output = np.array([model.output_tokens.get(cell.task, DEFAULT_OUTPUT_TOKENS)])
    latency_s = idle_latency_s(Speeds.of([model.latency]), prompt_tokens=prompt, output_tokens=output)
    ttca_s = float(latency_s[0]) / chance if cell.correct else inf
    return Figures(correct=cell.correct, tried=cell.tried, ttca_s=ttca_s)


def typical_tokens(bucket: int, edges: Sequence[int]) -> float:
    """The middle of a bucket; the last one has no end and counts half as long again as its beginning."""
    low = edges[bucket - 1] if bucket else 0
    return (low + edges[bucket]) / 2 if bucket < len(edges) else 1.5 * low


def _table(grid: HeatMap, buckets: Buckets, *, is_ttca: bool) -> Table:
    labels = [buckets.label(bucket) for bucket in grid.buckets]
    what = "expected TTCA in seconds (L/Q, idle)" if is_ttca else "accuracy (95 % interval)"
    table = Table("language", "model", *labels, title=f"{grid.task}: {what}")
    shade = _shades(grid, is_ttca=is_ttca)
    for model, language in grid.rows:
        found = [grid.figures.get((model, language, bucket)) for bucket in grid.buckets]
        shown = [(_ttca if is_ttca else _accuracy)(figures, shade) for figures in found]
        table.add_row(language, model, *shown)
    return table


def _shades(grid: HeatMap, *, is_ttca: bool) -> Shades:
    """Green is good; times are told apart by their ratio, as a hopeless model's would drown all others."""
    if not is_ttca:
        return Shades(norm=Normalize(0, 1), colours=ACCURACY_COLOURS)
    times = [max(f.ttca_s, SHORTEST_S) for f in grid.figures.values() if f.ttca_s < inf] or [1.0]
    return Shades(norm=LogNorm(min(times), max(*times, 2 * min(times))), colours=TTCA_COLOURS)


def _accuracy(figures: Figures | None, shade: Shades) -> Text:
    if figures is None or not figures.tried:
        return Text("-")
    low, high = wilson(figures.correct, figures.tried)
    return _coloured(f"{figures.accuracy:.2f} ({low:.2f}-{high:.2f})", figures.accuracy, shade)


def _ttca(figures: Figures | None, shade: Shades) -> Text:
    return Text("-") if figures is None else _coloured(_seconds(figures.ttca_s), figures.ttca_s, shade)


def _seconds(ttca_s: float) -> str:
    return f"{ttca_s:.2f}" if ttca_s < inf else NEVER


def _coloured(text: str, value: float, shade: Shades) -> Text:
    red, green, blue = (round(255 * part) for part in shade.of(value))
    return Text(f" {text} ", style=f"{ink(shade, value)} on rgb({red},{green},{blue})")


def ink(shade: Shades, value: float) -> str:
    """What can be read on the value's colour."""
    red, green, blue = shade.of(value)
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > DARK else "white"


def picture(grids: Sequence[HeatMap], buckets: Buckets) -> Figure:
    """A row of two heat maps for each task: accuracy and expected time to a correct answer."""
    wide, high = PNG_INCHES_PER_CELL
    margin_wide, margin_high = MARGIN_INCHES
    widths = 2 * max(max((len(g.buckets) for g in grids), default=1) * wide + margin_wide + 1, LEAST_INCHES)
    heights = [len(grid.rows) * high + margin_high for grid in grids] or [margin_high]
    figure = Figure(figsize=(widths, sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    if not grids:
        figure.suptitle("nothing was measured")
        return figure
    axes = figure.subplots(len(grids), 2, squeeze=False, height_ratios=heights)
    for grid, (left, right) in zip(grids, axes, strict=True):
        _heat_map(left, grid, buckets, is_ttca=False)
        _heat_map(right, grid, buckets, is_ttca=True)
    return figure


def _heat_map(axes: Axes, grid: HeatMap, buckets: Buckets, *, is_ttca: bool) -> None:
    values = grid.values((lambda f: f.ttca_s) if is_ttca else (lambda f: f.accuracy))
    shade = _shades(grid, is_ttca=is_ttca)
    axes.imshow(np.minimum(values, shade.most), cmap=shade.colours, norm=shade.norm, aspect="auto")
    axes.set_title(f"{grid.task}: {'expected TTCA in s (L/Q, idle)' if is_ttca else 'accuracy'}", fontsize=9)
    axes.set_xticks(range(len(grid.buckets)), [buckets.label(bucket) for bucket in grid.buckets], fontsize=8)
    axes.set_yticks(range(len(grid.rows)), [f"{language} {model}" for model, language in grid.rows], fontsize=8)
    axes.set_xlabel("prompt tokens")
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            colour = ink(shade, value)
            axes.text(column, row, _seconds(value), ha="center", va="center", fontsize=7, color=colour)
