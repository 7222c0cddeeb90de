"""The figures of `laar bench ttca` as tables in Markdown and CSV."""

import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles.measures.ttca import ttca_s
from scripts.bench.publish.figures import LEAST_REQUESTS, Charging
from scripts.bench.ttca.data import LAAR, ComparedTrials
from scripts.report import Bar, Report

Figures = Mapping[str, Any]
BESIDE_LAAR = "load-aware"


def tables_of(report: Report) -> dict[str, str]:
    """Every table by its name, as Markdown."""
    figures = report.figures
    makers: Mapping[str, Callable[[], str]] = {
        "asked": lambda: _asked(figures, report.parameters),
        "policies": lambda: _policies(report.parameters["policies"]),
        "ttca": lambda: _ttca(figures),
        "success": lambda: _success(figures),
        "within": lambda: _within(figures),
        "bounds": lambda: _bounds(figures),
        "tasks": lambda: _tasks(figures),
        "cells": lambda: _cells(figures),
        "before": lambda: _before(figures),
        "bars": lambda: _bars(report.bars),
        "short": lambda: _short(report),
        "missing": lambda: _missing(figures),
    }
    return {name: make() for name, make in makers.items()}


def rows_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table of what a file holds, one column for each key of the first row."""
    return _table(list(rows[0]), [[_cell(value) for value in row.values()] for row in rows]) if rows else ""


def write_policies(path: Path, figures: Figures) -> None:
    """One row a policy: readings, success after k attempts, and LAAR's mean over it."""
    rows = [_flat(name, of, figures["laar_over"].get(name)) for name, of in figures["policies"].items()]
    columns = dict.fromkeys(column for row in rows for column in row)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def write_trials(path: Path, compared: ComparedTrials) -> None:
    """One row a compared trial; `charged_s` is reading (i), empty where no model answers the prompt."""
    charging = Charging(compared)
    asked = "policy block prompt_id task language target_tokens session"
    columns = f"{asked} sent_s elapsed_s ttca_s charged_s client_late_s models error"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns.split())
        for trials in compared.trials.values():
            charges = charging.answerable_s(trials)
            for t in trials:
                what = (t.policy, t.block, t.prompt_id, t.task, t.language, t.target_tokens, t.session)
                models = " ".join(attempt.model for attempt in t.tries)
                times = (t.sent_s, t.elapsed_s, ttca_s(t), charges.get(t.prompt_id), t.client_late_s)
                writer.writerow((*what, *times, models, t.error))


def _asked(figures: Figures, parameters: Mapping[str, Any]) -> str:
    prompts = figures["prompts"]
    machine = parameters["environment"]
    rows = {
        "prompts compared": prompts["compared"],
        "of these answered by at least one model": prompts["answerable"],
        "tasks": ", ".join(f"{task} ({count})" for task, count in prompts["tasks"].items()),
        "languages": ", ".join(prompts["languages"]),
        "lengths, tokens": ", ".join(map(str, prompts["target_tokens"])),
        **{f"answered by {model}, share of these": share for model, share in prompts["answered_by"].items()},
        **{f"answered by {model} only": share for model, share in prompts["answered_only_by"].items()},
        **{name: value for name, value in parameters.items() if isinstance(value, str | int | float)},
        "machine": f"{machine.get('processor', '')}, {machine.get('cores', '?')} cores",
    }
    return _table(["", ""], [[name, _cell(value)] for name, value in rows.items()])


def _policies(policies: Mapping[str, Mapping[str, Any]]) -> str:
    """Where each policy's requests went and who retried, as the run says it."""
    columns = list(dict.fromkeys(key for of in policies.values() for key in of))
    return _table(
        ["name", *columns], [[name, *(_cell(of.get(key)) for key in columns)] for name, of in policies.items()]
    )


def _ttca(figures: Figures) -> str:
    head = ["policy", "prompts", "answerable", "(i) mean s", "p50", "p95", "LAAR (i) on these", "LAAR over it"]
    head += ["(ii) mean s", "LAAR over it", "(iii) mean s", "prompts/s"]
    rows = []
    for name, of in _ranked(figures["policies"]):
        over = figures["laar_over"].get(name, {})
        times = [of["answerable_s"], of["answerable_p50_s"], of["answerable_p95_s"], over.get("laar_answerable_s")]
        rows.append(
            [name, str(of["num_prompts"]), str(of["num_answerable"]), *map(_seconds, times)]
            + [_ratio(over.get("answerable")), _seconds(of["penalised_s"])]
            + [_ratio(over.get("penalised")), _seconds(of["solved_s"])]
            + [_three_places(of["prompts_per_s"])]
        )
    return _table(head, rows)


def _success(figures: Figures) -> str:
    policies = figures["policies"]
    most = min(3, *(len(of["success_at"]) for of in policies.values()))
    head = ["policy", "prompts", *(f"success@{k}" for k in range(1, most + 1)), "within the cap", "LAAR on these"]
    head += ["attempts, mean", "errors", "answerable, unsolved", "verdicts unlike recorded", "client late, ms"]
    rows = [
        [name, str(of["num_prompts"]), *map(_three_places, [*of["success_at"][:most], of["success_rate"]])]
        + [_three_places(figures["laar_over"].get(name, {}).get("laar_success_rate"))]
        + [f"{of['mean_attempts']:.2f}", str(of["num_errors"]), str(of["answerable_unsolved"])]
        + [_share(of["verdicts_unlike_recorded"]), _milliseconds(of["client_late_s"])]
        for name, of in _ranked(policies)
    ]
    return _table(head, rows)


def _within(figures: Figures) -> str:
    """The share solved by each of some times, with LAAR's on the same prompts in brackets."""
    within = figures["success_within"]
    head = ["policy", "prompts", *(f"within {seconds} s" for seconds in within[LAAR])]
    rows = [
        [name, str(of["num_prompts"])]
        + [
            f"{at['share']:.3f}" + (f" ({at['laar_share']:.3f})" if name != LAAR else "")
            for at in within[name].values()
        ]
        for name, of in _ranked(figures["policies"])
    ]
    return _table(head, rows)


def _bounds(figures: Figures) -> str:
    bounds = figures["bounds"]
    if "not_computed" in bounds:
        return f"Not computed: {bounds['not_computed']}."
    laar = figures["policies"][LAAR]
    rows = [
        ["oracle", _seconds(bounds["oracle"]["answerable_s"]), _ratio(bounds["laar_over_oracle"]["answerable"]), ""],
        [
            "best static policy by features",
            _seconds(bounds["best_static"]["answerable_s"]),
            _ratio(bounds["laar_over_best_static"]["answerable"]),
            _ratio(bounds["replayed_over_best_static"]["answerable"]),
        ],
        ["LAAR, replayed", _seconds(bounds["laar_replayed"]["answerable_s"]), "", ""],
        ["LAAR, measured", _seconds(laar["answerable_s"]), "", ""],
    ]
    times = bounds["attempt_times"]
    below = (
        f"Replayed over measured: {bounds['replayed_over_measured']:.3f}. Attempt times: {times['measured']} measured, "
        f"{times['estimated']} estimated; the lines explain {times['variance_explained']:.0%} of the variance of all "
        f"attempts, and the factors for LAAR's load are "
        + ", ".join(f"{factor:.2f} ({model})" for model, factor in times["factors"].items())
        + "."
    )
    return _table(["", "(i) mean s", "LAAR over it", "LAAR replayed over it"], rows) + "\n\n" + below


def _tasks(figures: Figures) -> str:
    """Reading (i) by task, with LAAR's on the same prompts."""
    tasks = sorted({task for of in figures["tasks"].values() for task in of})
    head = ["policy", *(f"{task}: {what}" for task in tasks for what in ("answerable", "(i) mean s", "LAAR over it"))]
    rows = []
    for name, _ in _ranked(figures["policies"]):
        of = figures["tasks"].get(name, {})
        found = [of.get(task) for task in tasks]
        cells = [
            [str(f["num_answerable"]), _seconds(f["answerable_s"]), f"{f['laar_answerable_s'] / f['answerable_s']:.2f}"]
            if f
            else ["", "", ""]
            for f in found
        ]
        rows += [[name, *(cell for three in cells for cell in three)]] if of else []
    return _table(head, rows)


def _cells(figures: Figures) -> str:
    """Reading (i) by language and length: LAAR's, and the load-aware policy's where it tried the same prompts."""
    cells = {name: figures["cells_s"][name] for name in (LAAR, BESIDE_LAAR) if name in figures["cells_s"]}
    lengths = [str(length) for length in figures["prompts"]["target_tokens"]]
    head = ["language", *(f"{name}, {length}" for length in lengths for name in cells)]
    rows = [
        [language, *(_seconds(of.get(language, {}).get(length)) for length in lengths for of in cells.values())]
        for language in figures["prompts"]["languages"]
    ]
    return _table(head, rows)


def _before(figures: Figures) -> str:
    """Reading (i) of what was served twice, the earlier one beside it."""
    head = ["policy", "answerable", "(i) mean s", "before", "ratio", "p95", "before", "ratio"]
    rows = []
    for name, of in figures["before"].items():
        pairs = (of["answerable_s"], of["before_s"]), (of["answerable_p95_s"], of["before_p95_s"])
        cells = [cell for now, was in pairs for cell in (_seconds(now), _seconds(was), f"{now / was:.2f}")]
        rows.append([name, str(of["num_answerable"]), *cells])
    return _table(head, rows) if rows else ""


def _bars(bars: Iterable[Bar]) -> str:
    signs = {"max": "at most", "min": "at least"}
    rows = [[bar.name, _value(bar), f"{signs[bar.kind]} {bar.limit:g}", "yes" if bar.ok else "**no**"] for bar in bars]
    return _table(["bar", "value", "limit", "holds"], rows)


def _short(report: Report) -> str:
    lines = [f"- {bar.name}: {_value(bar)} against {bar.limit:g}" for bar in report.failed()]
    return "\n".join(lines) or "Every bar holds."


def _missing(figures: Figures) -> str:
    missing = figures["missing"]
    fewer = [f"{name} ({n})" for name, of in figures["policies"].items() if (n := of["num_prompts"]) < LEAST_REQUESTS]
    return (
        f"Prompts that any policy tried: {missing['prompts_tried_by_any']}; of these not tried by laar: "
        f"{missing['prompts_not_tried_by_laar']}, and without every model's answer: "
        f"{missing['prompts_without_every_models_answer']}. "
        f"Policies with fewer than {LEAST_REQUESTS} prompts: {', '.join(fewer) or 'none'}. "
        f"Policies without any: {', '.join(missing['policies_without_trials']) or 'none'}."
    )


def _ranked(policies: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Those with most prompts first, and of as many the sooner one."""
    return sorted(policies.items(), key=lambda item: (-item[1]["num_prompts"], item[1]["answerable_s"]))


def _flat(name: str, of: Mapping[str, Any], over: Mapping[str, Mapping[str, float]] | None) -> dict[str, Any]:
    row = {"policy": name} | {key: value for key, value in of.items() if not isinstance(value, list | dict)}
    row |= {f"success_at_{k}": share for k, share in enumerate(of["success_at"], start=1)}
    for key, of_laar in (over or {}).items():
        if isinstance(of_laar, dict):
            row |= {f"laar_over_it_{key}_{part}": of_laar[part] for part in ("value", "low", "high")}
        else:
            row[f"{key}_on_its_prompts"] = of_laar
    return row


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *rows])


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "-" if value is None else str(value)


def _value(bar: Bar) -> str:
    return "not computed" if math.isnan(bar.value) else f"{bar.value:.3g}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{1000 * value:.1f}"


def _three_places(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _ratio(found: Mapping[str, float] | None) -> str:
    return f"{found['value']:.2f} ({found['low']:.2f}–{found['high']:.2f})" if found else ""
