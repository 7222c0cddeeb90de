"""Raw data of `laar bench goodput`: what was asked of what, then one request a line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from scripts.bench.goodput.figures import LoadPoint
from scripts.bench.goodput.streams import StreamedRequest
from scripts.bench.recording import HeadOfRecording, read_lines, write_lines

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRecording:
    """What one run measured: each server at each rate, with the parameters and the machine of that run."""

    parameters: Mapping[str, Any]
    environment: Mapping[str, Any]
    points: Sequence[LoadPoint]


class _Head(HeadOfRecording, kw_only=True):
    version: int = msgspec.field(name="laar_goodput")


class _Line(msgspec.Struct):
    server: str
    rate_per_s: float
    request: StreamedRequest


def write_recording(path: Path, recording: LoadRecording) -> None:
    head = _Head(version=VERSION, parameters=dict(recording.parameters), environment=dict(recording.environment))
    requests = [(point, request) for point in recording.points for request in point.requests]
    write_lines(path, head, [_Line(point.server, point.rate_per_s, request) for point, request in requests])


def read_recording(path: Path) -> LoadRecording:
    """ValueError where it is none."""
    head, lines = read_lines(path, head_type=_Head, line_type=_Line, version=VERSION, what="streams")
    found: dict[tuple[str, float], list[StreamedRequest]] = {}
    for line in lines:
        found.setdefault((line.server, line.rate_per_s), []).append(line.request)
    points = [
        LoadPoint(server=server, rate_per_s=rate, requests=requests) for (server, rate), requests in found.items()
    ]
    return LoadRecording(parameters=head.parameters, environment=head.environment, points=points)
