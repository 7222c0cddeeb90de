"""What a router believes after one half of a recording: its own chances and joint failures, and fitted seconds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from deployments.router.choice.chances import Chances
from deployments.router.settings import Learning
from profiles.arrays import Floats
from profiles.cell import Buckets, Cell
from profiles.chances.capability import Capability
from profiles.profile import NO_PROFILE, CellCounts, Latency, ModelProfile, PairCounts, Profile
from scripts.replay.recorded.outcomes import Ints, RecordedOutcomes
from scripts.replay.recorded.seconds import FittedSeconds, fit_seconds

# Lengths are kept apart where there are no more of them than this; else they are cut into as many equal shares.
MOST_LENGTHS = 12
NUM_SHARES = 3
LEAST_OF_SHARE = 25
FROZEN = Learning(enabled=False)
# A capability asks for coefficients that a replay, which has seconds of its own, does not use.
UNUSED = {"latency": Latency(overhead_s=1, prefill_s_per_token=0, decode_s_per_token=0)} | {
    "chars_per_token": {"unknown": 4.0},
    "chars_per_symbol_token": 2.0,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellMap:
    """The cells that occur in either half; `fitted` and `judged` say in which one each prompt lies."""

    edges: tuple[int, ...]
    cells: tuple[Cell, ...]
    fitted: Ints
    judged: Ints

    @classmethod
    def of(cls, fitted: RecordedOutcomes, judged: RecordedOutcomes) -> "CellMap":
        edges = bucket_edges(fitted.prompt_tokens)
        halves = [_cells(half, Buckets(edges)) for half in (fitted, judged)]
        known = {cell: index for index, cell in enumerate(sorted({*halves[0], *halves[1]}))}
        numbers = [np.array([known[cell] for cell in half], dtype=np.intp) for half in halves]
        return cls(edges=edges, cells=tuple(known), fitted=numbers[0], judged=numbers[1])

    @property
    def tasks(self) -> Ints:
        """The number of each cell's task."""
        found: Ints = np.unique([cell.task for cell in self.cells], return_inverse=True)[1].astype(np.intp)
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedBeliefs:
    """Of all models in all cells, shape (models, cells)."""

    models: tuple[str, ...]
    map: CellMap
    capability: Capability
    profile: Profile
    chances: Floats
    seconds: FittedSeconds

    def of_pool(self, models: Sequence[str]) -> Chances:
        """The router's own account of these models."""
        return Chances(self.profile, models, FROZEN, capability=self.capability)


def bucket_edges(prompt_tokens: Floats) -> tuple[int, ...]:
    """Between the lengths where there are few; else at their quantiles, with enough prompts in each bucket."""
    lengths = np.unique(prompt_tokens)
    if len(lengths) <= MOST_LENGTHS:
        middles = [int((low + high) / 2) for low, high in pairwise(lengths.tolist())]
    else:
        shares = max(1, min(NUM_SHARES, len(prompt_tokens) // LEAST_OF_SHARE))
        middles = [int(q) for q in np.quantile(prompt_tokens, np.arange(1, shares) / shares)]
    return tuple(sorted({max(1, middle) for middle in middles})) or (max(1, int(lengths[-1])),)


def count_profile(fitted: RecordedOutcomes, map_: CellMap) -> Profile:
    """The profile of the fitting half, as `laar profile` counts it."""
    return Profile(
        version=1,
        measured=NO_PROFILE.measured,
        bucket_edges=map_.edges,
        models={
            name: ModelProfile.model_validate({**UNUSED, "cells": _counts(row, map_)})
            for name, row in zip(fitted.models, fitted.correct, strict=True)
        },
        pairs=tuple(_pairs(fitted, map_)),
    )


def fit_beliefs(fitted: RecordedOutcomes, map_: CellMap) -> FittedBeliefs:
    """The router's estimates of the fitting half, and its seconds."""
    profile = count_profile(fitted, map_)
    capability = Capability(profile)
    columns = indicators(map_.cells)
    return FittedBeliefs(
        models=fitted.models,
        map=map_,
        capability=capability,
        profile=profile,
        chances=np.array([[capability.probability(m, cell) for cell in map_.cells] for m in fitted.models]),
        seconds=fit_seconds(
            fitted.latency_s, columns[map_.fitted], map_.tasks[map_.fitted], at=columns, at_task=map_.tasks
        ),
    )


def _cells(recorded: RecordedOutcomes, buckets: Buckets) -> list[Cell]:
    of_each = buckets.of_all(recorded.prompt_tokens).tolist()
    return [Cell(*place) for place in zip(recorded.tasks, recorded.languages, of_each, strict=True)]


def _counts(correct: Floats, map_: CellMap) -> list[CellCounts]:
    known = np.isfinite(correct)
    size = len(map_.cells)
    tried = np.bincount(map_.fitted[known], minlength=size).tolist()
    right = np.bincount(map_.fitted[known], weights=correct[known], minlength=size).tolist()
    return [
        CellCounts(**cell._asdict(), correct=int(r), tried=n)
        for cell, r, n in zip(map_.cells, right, tried, strict=True)
        if n
    ]


def _pairs(fitted: RecordedOutcomes, map_: CellMap) -> Iterator[PairCounts]:
    """Each ordered pair of models on the prompts of a cell that the first one answered wrongly."""
    known = np.isfinite(fitted.correct)
    for number, cell in enumerate(map_.cells):
        mine = map_.fitted == number
        wrong = (fitted.correct[:, mine] == 0).astype(np.float64)
        tried, right = wrong @ known[:, mine].T, wrong @ (fitted.correct[:, mine] == 1).T
        np.fill_diagonal(tried, 0)
        for row, column in zip(*np.nonzero(tried), strict=True):
            yield PairCounts.model_construct(
                failed=fitted.models[row],
                model=fitted.models[column],
                **cell._asdict(),
                correct=int(right[row, column]),
                tried=int(tried[row, column]),
            )


def indicators(cells: Sequence[Cell]) -> Floats:
    """What the seconds of a cell may depend on: its task, its language, its length, one column each."""
    columns: list[Floats] = []
    for axis in range(3):
        names: Mapping[object, int] = {name: i for i, name in enumerate(dict.fromkeys(cell[axis] for cell in cells))}
        columns.append(np.eye(len(names))[[names[cell[axis]] for cell in cells]])
    return np.concatenate(columns, axis=1)
