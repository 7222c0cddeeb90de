"""Raw data of `laar bench emulated`: what was played, then one trial a line."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from scripts.bench.emulated.figures import LoadedTrial
from scripts.bench.recording import HeadOfRecording, read_lines, write_lines

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulationRecording:
    """What one run measured; `fluid_s` is the least mean time by load, `answerable` which prompts a model answers."""

    parameters: Mapping[str, Any]
    environment: Mapping[str, Any]
    answerable: AbstractSet[str]
    fluid_s: Mapping[float, float]
    trials: Sequence[LoadedTrial]


class _Head(HeadOfRecording, kw_only=True):
    version: int = msgspec.field(name="laar_emulated")
    answerable: frozenset[str]
    fluid_s: list[tuple[float, float]]


def write_emulation(path: Path, recording: EmulationRecording) -> None:
    head = _Head(
        version=VERSION,
        parameters=dict(recording.parameters),
        environment=dict(recording.environment),
        answerable=frozenset(recording.answerable),
        fluid_s=sorted(recording.fluid_s.items()),
    )
    write_lines(path, head, recording.trials)


def read_emulation(path: Path) -> EmulationRecording:
    """ValueError where it is none."""
    head, trials = read_lines(path, head_type=_Head, line_type=LoadedTrial, version=VERSION, what="emulated engines")
    return EmulationRecording(
        parameters=head.parameters,
        environment=head.environment,
        answerable=head.answerable,
        fluid_s=dict(head.fluid_s),
        trials=trials,
    )
