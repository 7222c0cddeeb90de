"""Options that several commands of `laar` share."""

from pathlib import Path
from typing import Annotated

import typer

JsonPath = Annotated[Path | None, typer.Option("--json", help="Write the report to this file.")]


def require_writable(json_path: Path | None, plot: Path | None) -> None:
    """Refuse, before anything is computed, what could not be written in the end."""
    for option, path in (("--json", json_path), ("--plot", plot)):
        if path is not None and not path.parent.is_dir():
            raise typer.BadParameter(f"there is no folder '{path.parent}'", param_hint=option)
        if path is not None and path.is_dir():
            raise typer.BadParameter(f"'{path}' is a folder; a file is wanted", param_hint=option)
    if plot is not None and plot.suffix != ".png":
        raise typer.BadParameter(f"'{plot}'; a name that ends in .png is wanted", param_hint="--plot")
