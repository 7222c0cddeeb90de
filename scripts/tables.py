"""Tables of `laar`: what does not fit is left out column by column, and no word is cut."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

# what a table needs beside its cells: a rule and two blanks for each column, and the last rule
_BESIDE_A_CELL = 3
# a pipe gets all columns
UNBOUNDED = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A title and cells; a table that is too wide loses the column of the highest `rank` first, one of rank 0 never."""

    title: str
    rank: int
    cells: Sequence[str]
    is_number: bool = False

    @property
    def width(self) -> int:
        return max(cell_len(line) for cell in (self.title, *self.cells) for line in cell.splitlines() or [""])


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """The columns that fit into this width of a terminal, in their order."""
    kept = list(columns)
    while sum(column.width + _BESIDE_A_CELL for column in kept) + 1 > width:
        last = max(kept, key=lambda column: column.rank)
        if last.rank == 0:
            break
        kept.remove(last)
    return kept


def print_table(columns: Sequence[Column], *, title: str | None = None, is_ruled: bool = False) -> None:
    """Print to stdout; in a pipe without rules or limit of width, so that other programs can read it."""
    console = Console()
    if not console.is_terminal:
        if title is not None:
            print(title)
        console = Console(width=UNBOUNDED)
        console.print(_table(columns, box=None))
        return
    kept = fitting(columns, console.width)
    console.print(_table(kept, title=title, show_lines=is_ruled))
    if left_out := [column.title for column in columns if column not in kept]:
        print(f"not shown for the width of the terminal: {', '.join(left_out)}; --json has all", file=sys.stderr)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def _table(columns: Sequence[Column], **style: Any) -> Table:
    table = Table(**style)
    for column in columns:
        table.add_column(column.title, justify="right" if column.is_number else "left", no_wrap=True)
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, row))
    return table
