"""Options that several commands of `laar` share."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

LOG_URL_ENV = "LAAR_LOG_URL"
SEED_HELP = "Seed of the random numbers."


def file_to_write(path: Path | None) -> Path | None:
    """Typer's callback for a file that is written at the end: refused at once, not after minutes of measuring."""
    if path is not None and path.is_dir():
        raise typer.BadParameter(f"'{path}' is a folder; the name of a file is wanted")
    if path is not None and not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder '{path.parent}'")
    return path


def refuse_given(context: typer.Context, names: Collection[str], because: str) -> None:
    """BadParameter for options on the command line that this use of the command would ignore."""
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name in names and source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(because, param_hint=option.opts[0])


def png_to_write(path: Path | None) -> Path | None:
    """The same for a picture."""
    if path is not None and path.suffix != ".png":
        raise typer.BadParameter(f"'{path}'; a name that ends in .png is wanted")
    return file_to_write(path)


JsonPath = Annotated[Path | None, typer.Option("--json", callback=file_to_write, help="Write the report to this file.")]
