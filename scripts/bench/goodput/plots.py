"""The plot of `laar bench goodput`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def draw(figures: Mapping[str, Any], parameters: Mapping[str, Any], path: Path) -> None:
    """By rate: smooth goodput with its interval, answers within the objective, and the time to the first token."""
    limits = ", ".join(f"{name[:-2].upper()} {s:g} s" for name, s in parameters["objective"].items() if s is not None)
    figure = Figure(figsize=(8, 11), layout="constrained")
    smooth, within, first = figure.subplots(3)
    for name, server in figures["servers"].items():
        points = server["points"]
        rates = [point["rate_per_s"] for point in points]
        colour = _line(smooth, rates, points, "smooth_tokens_per_s", "smooth_interval_per_s", name)
        _line(within, rates, points, "goodput_per_s", "goodput_interval_per_s", name)
        shown = [(rate, point["ttft_s"]) for rate, point in zip(rates, points, strict=True) if point["ttft_s"]]
        for percentile, style in (("p50", "o-"), ("p95", "o:")):
            values = [ttft_s[percentile] for _, ttft_s in shown]
            first.plot(
                [rate for rate, _ in shown], values, style, color=colour, markersize=3, label=f"{name}, {percentile}"
            )
    first.set_yscale("log")
    for axes in (smooth, within, first):
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
    _labelled(smooth, "smooth goodput by load", "tokens/s")
    _labelled(within, f"goodput by load: answers within {limits}", "requests/s")
    _labelled(first, "time to the first token by load", "seconds")
    figure.savefig(path, dpi=120)


def _line(axes: Axes, rates: list[float], points: list[Any], value: str, interval: str, name: str) -> Any:
    """The colour that the server has in this plot."""
    values = [point[value] for point in points]
    (line,) = axes.plot(rates, values, "o-", markersize=3, label=name)
    low, high = zip(*(point[interval] for point in points), strict=True)
    axes.fill_between(rates, low, high, color=line.get_color(), alpha=0.15)
    return line.get_color()


def _labelled(axes: Axes, title: str, beside: str) -> None:
    axes.set_title(title)
    axes.set_xlabel("requests/s")
    axes.set_ylabel(beside)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
