"""Raw data of `laar bench goodput`: a first line that says what was asked of what, then one request a line, gzipped."""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from scripts.bench.goodput.figures import LoadPoint
from scripts.bench.goodput.streams import StreamedRequest

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRecording:
    """What one run measured: each server at each rate, with the parameters and the machine of that run."""

    parameters: Mapping[str, Any]
    environment: Mapping[str, Any]
    points: Sequence[LoadPoint]


class _Head(msgspec.Struct):
    laar_goodput: int
    parameters: dict[str, Any]
    environment: dict[str, Any]


class _Line(msgspec.Struct):
    server: str
    rate_per_s: float
    request: StreamedRequest


def write_recording(path: Path, recording: LoadRecording) -> None:
    encoder = msgspec.json.Encoder()
    head = _Head(VERSION, dict(recording.parameters), dict(recording.environment))
    lines = [encoder.encode(head)]
    for point in recording.points:
        lines += [encoder.encode(_Line(point.server, point.rate_per_s, request)) for request in point.requests]
    # no name and no time in it, so that the same data make the same file
    path.write_bytes(gzip.compress(b"\n".join(lines) + b"\n", mtime=0))


def read_recording(path: Path) -> LoadRecording:
    """ValueError where it is none."""
    try:
        first, *rest = gzip.decompress(path.read_bytes()).splitlines()
        head = msgspec.json.decode(first, type=_Head)
        decoder = msgspec.json.Decoder(_Line)
        lines = [decoder.decode(line) for line in rest]
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path}: no recording of streams: {error}") from error
    if head.laar_goodput != VERSION or not lines:
        raise ValueError(f"{path}: version {head.laar_goodput} with {len(lines)} requests; version {VERSION} is wanted")
    keys = list(dict.fromkeys((line.server, line.rate_per_s) for line in lines))
    found: dict[tuple[str, float], list[StreamedRequest]] = {key: [] for key in keys}
    for line in lines:
        found[line.server, line.rate_per_s].append(line.request)
    points = [LoadPoint(server=server, rate_per_s=rate, requests=found[server, rate]) for server, rate in keys]
    return LoadRecording(parameters=head.parameters, environment=head.environment, points=points)
