"""From a folder of raw data to everything that is published of it, and back: do the published figures still follow?

`outcomes.jsonl` and `trials.jsonl` in FOLDER are raw, compressed or not, and so is `before.jsonl` where there is one:
trials of the same plan that were served once more, earlier. `ttca.json`, `policies.csv`, `trials.csv` and
the plots are written beside them. The page with the tables is `FOLDER.md` unless another is named. Of simulations there
may be `ablation.json` (`{"rows": [{...}, ...]}`) and `goodput.json` (`GoodputCurve`).
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from scripts.bench.publish.figures import RESAMPLES, bars_of, figures_of
from scripts.bench.publish.page import stale_blocks, write_blocks
from scripts.bench.publish.plots import GoodputCurve, draw, draw_goodput
from scripts.bench.publish.tables import rows_table, tables_of, write_policies, write_trials
from scripts.bench.ttca.data import ComparedTrials, read_compared
from scripts.report import Bar, Report

PUBLISHED = "ttca.json"
ABLATION, GOODPUT = "ablation.json", "goodput.json"
# Relative; what another build of the linear algebra may change.
ROUNDING = 1e-6
PLOTS = {
    "ecdf": "TTCA of every policy",
    "success": "success within a time",
    "cells": "TTCA by language and length",
    "attempts": "attempts",
}


def publish(folder: Path, *, page: Path | None = None, resamples: int = RESAMPLES) -> Report:
    """Write figures, tables, plots and page; ValueError where the raw data are not what they should be."""
    compared = read_compared(folder)
    report = _report(compared, resamples)
    (folder / PUBLISHED).write_text(json.dumps(report.as_dict(), indent=2) + "\n")
    write_policies(folder / "policies.csv", report.figures)
    write_trials(folder / "trials.csv", compared)
    draw(compared, report.figures, folder)
    if (folder / GOODPUT).exists():
        draw_goodput(msgspec.json.decode((folder / GOODPUT).read_bytes(), type=GoodputCurve), folder / "goodput.png")
    page = page or page_of(folder)
    write_blocks(page, blocks_of(folder, page, report))
    return report


def recompute(folder: Path, *, page: Path | None = None, resamples: int = RESAMPLES) -> Report:
    """All figures and bars from the raw data, and two bars more: that what is published says the same."""
    report = _report(read_compared(folder), resamples)
    published = [
        _none_of("published_figures_match", _figures_that_differ(folder / PUBLISHED, report.figures)),
        _none_of("published_tables_match", _tables_that_differ(folder, page or page_of(folder), report)),
    ]
    return replace(report, bars=[*report.bars, *published])


def page_of(folder: Path) -> Path:
    return folder.with_name(folder.name + ".md")


def blocks_of(folder: Path, page: Path, report: Report) -> dict[str, str]:
    """What stands in the page: tables and plots; empty what nothing was measured for."""
    way = Path(os.path.relpath(folder, page.parent)).as_posix()
    images = "\n\n".join(f"![{what}]({way}/{name}.png)" for name, what in PLOTS.items())
    goodput = f"![goodput by load]({way}/goodput.png)" if (folder / GOODPUT).exists() else ""
    return {**tables_of(report), "plots": images, "ablation": _ablation(folder / ABLATION), "goodput": goodput}


def _report(compared: ComparedTrials, resamples: int) -> Report:
    figures = figures_of(compared, resamples=resamples)
    return Report(
        bench="ttca",
        parameters=compared.parameters,
        figures=figures,
        bars=bars_of(figures, compared.parameters),
        measured_on=compared.parameters["environment"],
    )


def _ablation(path: Path) -> str:
    return rows_table(json.loads(path.read_bytes())["rows"]) if path.exists() else ""


def _figures_that_differ(path: Path, figures: Mapping[str, Any]) -> float:
    """How many published figures the raw data do not give, missing and additional ones counted; NaN without a file."""
    if not path.exists():
        return math.nan
    published = dict(_leaves(json.loads(path.read_bytes())["figures"]))
    found = dict(_leaves(json.loads(json.dumps(figures))))
    both = published.keys() & found.keys()
    return len(published.keys() ^ found.keys()) + sum(not _same(published[key], found[key]) for key in both)


def _tables_that_differ(folder: Path, page: Path, report: Report) -> float:
    return len(stale_blocks(page, blocks_of(folder, page, report))) if page.exists() else math.nan


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Everything in nested JSON that is neither object nor array, by the way to it; what is empty counts itself."""
    inner = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    if not inner:
        yield path, value
    for key, member in inner:
        yield from _leaves(member, (*path, str(key)))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=ROUNDING, abs_tol=ROUNDING)
    return bool(one == other)


def _none_of(name: str, value: float) -> Bar:
    return Bar(name=name, value=value, limit=0, kind="max")
