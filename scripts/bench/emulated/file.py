"""Raw data of `laar bench emulated`: a first line that says what was played, then one trial a line, gzipped."""

import gzip
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from scripts.bench.emulated.figures import LoadedTrial

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulationRecording:
    """What one run measured; `fluid_s` is the least mean time by load, `answerable` which prompts a model answers."""

    parameters: Mapping[str, Any]
    environment: Mapping[str, Any]
    answerable: AbstractSet[str]
    fluid_s: Mapping[float, float]
    trials: Sequence[LoadedTrial]


class _Head(msgspec.Struct):
    laar_emulated: int
    parameters: dict[str, Any]
    environment: dict[str, Any]
    answerable: frozenset[str]
    fluid_s: list[tuple[float, float]]


def write_emulation(path: Path, recording: EmulationRecording) -> None:
    head = _Head(
        VERSION,
        dict(recording.parameters),
        dict(recording.environment),
        frozenset(recording.answerable),
        sorted(recording.fluid_s.items()),
    )
    encoder = msgspec.json.Encoder(order="deterministic")
    lines = [encoder.encode(head), *map(encoder.encode, recording.trials)]
    path.write_bytes(gzip.compress(b"\n".join(lines) + b"\n", mtime=0))


def read_emulation(path: Path) -> EmulationRecording:
    """ValueError where it is none."""
    try:
        first, *rest = gzip.decompress(path.read_bytes()).splitlines()
        head = msgspec.json.decode(first, type=_Head)
        decoder = msgspec.json.Decoder(LoadedTrial)
        trials = [decoder.decode(line) for line in rest]
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path}: no recording of emulated engines: {error}") from error
    if head.laar_emulated != VERSION or not trials:
        raise ValueError(f"{path}: version {head.laar_emulated} with {len(trials)} trials; version {VERSION} is wanted")
    return EmulationRecording(
        parameters=head.parameters,
        environment=head.environment,
        answerable=head.answerable,
        fluid_s=dict(head.fluid_s),
        trials=trials,
    )
