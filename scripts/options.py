"""What the options of several commands have in common."""

from pathlib import Path

import typer


def file_to_write(path: Path | None) -> Path | None:
    """Typer's callback for a file that is written at the end: refused at once, not after minutes of measuring."""
    if path is not None and path.is_dir():
        raise typer.BadParameter(f"'{path}' is a folder; the name of a file is wanted")
    if path is not None and not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder '{path.parent}'")
    return path
