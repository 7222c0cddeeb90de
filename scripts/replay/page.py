"""The figures of a replay as a page that a person reads: Markdown, or HTML with plots."""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any

from scripts.replay.compared.contenders import LAAR, ORACLE, SINGLE
from scripts.replay.run import OVERLAPPED
from scripts.report import Report

# Rows that no one could run: they know what is only seen afterwards.
HINDSIGHT = frozenset(
    {ORACLE, "laar, latency known", "laar, answers known", "global Q, latency known", "global L, answers known"}
)
COLUMNS = {
    "mean_s": "mean TTCA, s",
    "over_laar": "over laar",
    "p50_s": "p50, s",
    "p95_s": "p95, s",
    "p99_s": "p99, s",
    "censored_mean_s": "all prompts, s",
    "attempts": "attempts",
    "engine_s_per_right": "engine-s per right answer",
    "usd_per_right": "USD per right answer",
}
# Edges of the map of pools: how many times slower the slowest model is than the fastest, and what both answer.
SPEED_EDGES = (2.0, 4.0, 8.0)
OVERLAP_EDGES = (0.7, 0.8, 0.9)

Rows = Sequence[Sequence[str]]


def as_markdown(report: Report) -> str:
    lines = [f"# {_title(report)}", ""]
    lines += [f"{sentence}" for sentence in _sentences(report)] + [""]
    for heading, rows in _tables(report):
        lines += [f"## {heading}", "", *_markdown_rows(rows), ""]
    return "\n".join(lines)


def as_html(report: Report) -> str:
    parts = [f"<h1>{html.escape(_title(report))}</h1>"]
    parts += [f"<p>{html.escape(sentence)}</p>" for sentence in _sentences(report)]
    parts += [
        f'<img alt="{html.escape(what)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
        for what, png in _plots(report.figures)
    ]
    for heading, rows in _tables(report):
        head, *body = (
            "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row)
            for tag, row in zip(["th", *["td"] * (len(rows) - 1)], rows, strict=True)
        )
        table = f"<tr>{head}</tr>" + "".join(f"<tr>{row}</tr>" for row in body)
        parts.append(f"<h2>{html.escape(heading)}</h2><table>{table}</table>")
    style = "body{font-family:sans-serif;max-width:70em;margin:2em auto}td,th{padding:.2em .6em;text-align:left}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(_title(report))}</title>'
        f"<style>{style}img{{max-width:100%}}</style><body>{''.join(parts)}</body></html>\n"
    )


def pool_map(by_pool: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, int, float]]:
    """Pools by spread of speed and overlap of answers: how many, and the median of laar over the best single rule."""
    found: dict[tuple[int, int], list[float]] = {}
    for pool in by_pool:
        place = _place(pool["speed_ratio"], SPEED_EDGES), _place(pool["answers_shared"], OVERLAP_EDGES)
        found.setdefault(place, []).append(pool["over_best_single"])
    return [
        (_range(speed, SPEED_EDGES), _range(shared, OVERLAP_EDGES), len(ratios), sorted(ratios)[len(ratios) // 2])
        for (speed, shared), ratios in sorted(found.items())
    ]


def _title(report: Report) -> str:
    return f"Replay of {report.parameters['fit']}"


def _sentences(report: Report) -> list[str]:
    figures = report.figures
    judged = f"judged on {report.parameters['judge'] or 'the other half of the same prompts'}"
    found = [
        f"{figures['pools']} random pools of models ({figures['distinct_pools']} distinct), fitted to one half and "
        f"{judged}: {figures['judged_prompts']} prompts in all. Every policy has the same verifier, which is always "
        "right, and the same retries: a wrong answer goes to the next model, each at most once. Nothing waits for "
        "an engine. Means are over the prompts that some model of the pool answers; brackets are 95 % intervals "
        "from resampling questions."
    ]
    if figures["assumed_seconds"]:
        found.append(
            f"ASSUMED SECONDS ({figures['assumed_seconds']}): the recording has none. More accurate models are "
            "assumed to be slower, so every figure in seconds, and every ratio of them, rests on this assumption."
        )
    return found + [f"Note: {note}." for note in figures["notes"]]


def _tables(report: Report) -> list[tuple[str, Rows]]:
    figures = report.figures
    mark = " (assumed seconds)" if figures["assumed_seconds"] else ""
    contenders = sorted(figures["contenders"].items(), key=lambda item: item[1]["mean_s"][0])
    columns = {key: name for key, name in COLUMNS.items() if all(key in row for _, row in contenders)}
    found: list[tuple[str, Rows]] = [
        (f"Policies{mark}", [["policy", *columns.values()], *(_row(name, row, columns) for name, row in contenders)]),
        (
            f"laar beside others{mark}",
            [["figure", "value"], *([name, _interval(value)] for name, value in figures["intervals"].items())],
        ),
        (
            "Chances",
            [["estimate", "Brier", "ECE"]]
            + [[name, f"{s['brier']:.4f}", f"{s['ece']:.4f}"] for name, s in figures["calibration"].items()],
        ),
        (
            f"Where laar gains, and where it does not{mark}",
            [
                [
                    "slowest over fastest model",
                    "answers the fastest shares with the most accurate",
                    "pools",
                    "laar over best single rule",
                ]
            ]
            + [[speed, shared, str(n), f"{ratio:.3f}"] for speed, shared, n, ratio in pool_map(figures["by_pool"])],
        ),
    ]
    if picks := figures.get("picks"):
        head = ["prompts fitted to", "estimate", "pick is right", "Brier", "ECE"]
        found.append(("Which model has the highest chance", [head, *_pick_rows(picks)]))
    return found


def _pick_rows(picks: Mapping[str, Any]) -> list[list[str]]:
    return [
        [size, name, f"{one['pick_right']:.3f}", f"{one['brier']:.4f}", f"{one['ece']:.3f}"]
        for size, of_size in picks.items()
        for name, one in of_size.items()
        if isinstance(one, Mapping)
    ]


def _row(name: str, row: Mapping[str, Any], columns: Iterable[str]) -> list[str]:
    marked = f"{name} (hindsight)" if name in HINDSIGHT else f"**{name}**" if name in {LAAR, OVERLAPPED} else name
    return [marked, *(_interval(row[column]) for column in columns)]


def _interval(values: Sequence[float]) -> str:
    value, *ends = values
    return f"{value:.4g}" + (f" ({ends[0]:.4g} to {ends[1]:.4g})" if ends else "")


def _markdown_rows(rows: Rows) -> list[str]:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return [head, "|" + "---|" * len(rows[0]), *body]


def _place(value: float, edges: Sequence[float]) -> int:
    return sum(value >= edge for edge in edges)


def _range(place: int, edges: Sequence[float]) -> str:
    if place == 0:
        return f"under {edges[0]:g}"
    return f"{edges[-1]:g} and more" if place == len(edges) else f"{edges[place - 1]:g} to {edges[place]:g}"


def _plots(figures: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    from matplotlib.figure import Figure

    rows = sorted(figures["contenders"].items(), key=lambda item: -item[1]["mean_s"][0])
    bars = Figure(figsize=(9, 0.28 * len(rows) + 1.2), layout="constrained")
    axes = bars.subplots()
    values = [row["mean_s"] for _, row in rows]
    colours = ["#bbb" if name in HINDSIGHT else "#d62" if name in {LAAR, OVERLAPPED} else "#47a" for name, _ in rows]
    errors = [[v[0] - v[1] for v in values], [v[2] - v[0] for v in values]]
    axes.barh([name for name, _ in rows], [v[0] for v in values], xerr=errors, color=colours)
    axes.set_xlabel("mean TTCA, s" + (" (assumed seconds)" if figures["assumed_seconds"] else ""))
    scatter = Figure(figsize=(7, 4.5), layout="constrained")
    axes = scatter.subplots()
    pools = figures["by_pool"]
    dots = axes.scatter(
        [p["speed_ratio"] for p in pools],
        [p["answers_shared"] for p in pools],
        c=[p["over_best_single"] for p in pools],
        cmap="RdBu_r",
        vmin=0.8,
        vmax=1.2,
    )
    axes.set(xscale="log", xlabel="slowest over fastest model", ylabel="answers the fastest shares with the best")
    scatter.colorbar(dots, label=f"laar over the best of {', '.join(SINGLE)}")
    return [("mean TTCA by policy", _png(bars)), ("gain by pool", _png(scatter))]


def _png(figure: Any) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return file.getvalue()
