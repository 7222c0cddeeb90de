"""Recorded outcomes of real models as benches take them: a journal of `laar profile`, or one record a line.

A file whose name ends in .gz is compressed.
"""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from profiles.measuring.measurement import Record


def read_records(path: Path) -> list[Record]:
    """All records of a file, in its order; ValueError names the line that is none and the field that is wrong."""
    found = list(_records(path))
    if not found:
        raise ValueError(f"{path} has no records")
    return found


def _records(path: Path) -> Iterator[Record]:
    for number, line in enumerate(uncompressed(path).splitlines(), start=1):
        try:
            fields = _fields(msgspec.json.decode(line, type=dict[str, Any]))
            if fields is not None:
                yield msgspec.convert(fields, Record)
        except msgspec.DecodeError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error


def _fields(line: dict[str, Any]) -> dict[str, Any] | None:
    """The record in a line; None for what a journal holds besides: its plan, its rounds, prompts without answer."""
    if "record" in line:
        record: dict[str, Any] | None = line["record"]
        return record
    return None if line.keys() & {"laar_profile_journal", "round"} else line


def uncompressed(path: Path) -> bytes:
    """A file's bytes, unpacked where its name says that it is compressed; ValueError where it cannot be."""
    content = path.read_bytes()
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path} is no whole gzip file: {error}") from error
