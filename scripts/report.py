"""What every bench hands back: figures, bars, where and how they came about."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from scripts.environment import environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A figure that must not be above (`max`) or below (`min`) a limit; one that is not a number falls short."""

    name: str
    value: float
    limit: float
    kind: Literal["max", "min"]

    @property
    def ok(self) -> bool:
        return self.value <= self.limit if self.kind == "max" else self.value >= self.limit

    def as_dict(self) -> dict[str, Any]:
        # JSON has no word for what is not a number
        value = None if math.isnan(self.value) else self.value
        return {"name": self.name, "value": value, "limit": self.limit, "kind": self.kind, "ok": self.ok}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of one bench run; `measured_on` is an `environment` that was recorded, None for the present one."""

    bench: str
    parameters: Mapping[str, Any]
    figures: Mapping[str, Any]
    bars: Sequence[Bar] = ()
    measured_on: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        bars = [bar.as_dict() for bar in self.bars]
        return {
            "bench": self.bench,
            "environment": environment() if self.measured_on is None else dict(self.measured_on),
            "parameters": dict(self.parameters),
            "figures": dict(self.figures),
            "bars": bars,
        }

    def failed(self) -> list[Bar]:
        return [bar for bar in self.bars if not bar.ok]


def median_and_spread(values: Sequence[float]) -> dict[str, float]:
    """Median, minimum, maximum and the number of values behind them."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "runs": len(values)}


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all values do not exceed; values need not be sorted."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def finish(report: Report, *, json_path: Path | None, check: bool) -> int:
    """Write and print a report; the exit status: 1 when a bar is checked and falls short, named last."""
    if json_path is not None:
        json_path.write_text(json.dumps(report.as_dict(), indent=2) + "\n")
    console = Console()
    if report.bars:
        table = Table("bar", "value", "limit", "holds", title=report.bench)
        for bar in report.bars:
            sign = "<=" if bar.kind == "max" else ">="
            table.add_row(bar.name, f"{bar.value:.4g}", f"{sign} {bar.limit:g}", "yes" if bar.ok else "NO")
        console.print(table)
    failed = report.failed()
    if check and failed:
        # one line, whatever the width: rich would fold it, and the last line is what a log is searched for
        print(f"falls short: {', '.join(bar.name for bar in failed)}")
        return 1
    return 0
