"""Raw data of a bench in a file: a first line that says what was done, then what was measured, one a line, gzipped."""

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

_Line = TypeVar("_Line")


class HeadOfRecording(msgspec.Struct, kw_only=True):
    """The first line. `version` is that of the format; each format writes it under a name of its own."""

    version: int
    parameters: dict[str, Any]
    environment: dict[str, Any]


_Head = TypeVar("_Head", bound=HeadOfRecording)


def write_lines(path: Path, head: HeadOfRecording, lines: Iterable[Any]) -> None:
    encoder = msgspec.json.Encoder(order="deterministic")
    # no name and no time in it, so that the same data make the same file
    written = b"\n".join(map(encoder.encode, [head, *lines])) + b"\n"
    path.write_bytes(gzip.compress(written, mtime=0))


def read_lines(
    path: Path, *, head_type: type[_Head], line_type: type[_Line], version: int, what: str
) -> tuple[_Head, list[_Line]]:
    """The head and the lines; ValueError where the file is no such recording of `what`, or an empty one."""
    try:
        first, *rest = gzip.decompress(path.read_bytes()).splitlines()
        head = msgspec.json.decode(first, type=head_type)
        decoder = msgspec.json.Decoder(line_type)
        lines = [decoder.decode(line) for line in rest]
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path}: no recording of {what}: {error}") from error
    if head.version != version or not lines:
        raise ValueError(f"{path}: version {head.version} with {len(lines)} lines; version {version} is wanted")
    return head, lines
