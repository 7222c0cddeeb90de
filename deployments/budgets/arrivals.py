"""How often requests of each kind came recently."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

NUM_SLICES = 32
# Requests added to the count of each kind: one that did not come yet may come next.
PRIOR_REQUESTS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """Requests per second at one replica of a model, and each kind's share of them, none of which is 0."""

    per_s: float
    shares: tuple[float, ...]


def counted(totals: Sequence[int], *, seconds: float, scale: float = 1.0) -> Arrivals:
    """Arrivals from the counts of each kind within `seconds`; every request counts `scale` times."""
    weight = sum(totals) + PRIOR_REQUESTS * len(totals)
    shares = tuple((count + PRIOR_REQUESTS) / weight for count in totals)
    return Arrivals(per_s=scale * sum(totals) / seconds, shares=shares)


Number = TypeVar("Number", int, float)


def summed(values: Sequence[Number], kinds: Sequence[int | None], num_kinds: int) -> list[Number]:
    """What comes together in each of `num_kinds` kinds, where `kinds` has the one of each value, if any."""
    found: list[Number] = [0] * num_kinds
    for value, kind in zip(values, kinds, strict=True):
        if kind is not None:
            found[kind] += value
    return found


class Window:
    """Counts by kind over the last `window_s` seconds, in a ring of slices: constant memory, O(1) to observe."""

    def __init__(self, num_kinds: int, *, window_s: float, now_s: float) -> None:
        self._slice_s = window_s / (NUM_SLICES - 1)
        self._began_s = now_s
        self._counts = [[0] * num_kinds for _ in range(NUM_SLICES)]
        # which slice of all time each row of the ring holds
        self._held = [-1] * NUM_SLICES

    def observe(self, kind: int, now_s: float) -> None:
        row = self._row(int(now_s / self._slice_s))
        row[kind] += 1

    def take_over(self, former: "Window", kinds: Sequence[int | None]) -> None:
        """Hold what another window of the same length does; `kinds` has the kind here, if any, of each kind there."""
        self._began_s, self._held = former._began_s, list(former._held)
        for row, counts in zip(self._counts, former._counts, strict=True):
            row[:] = summed(counts, kinds, len(row))

    def arrivals(self, now_s: float, *, scale: float = 1.0) -> Arrivals:
        """What the window holds; every request counts for `scale` of them."""
        current = int(now_s / self._slice_s)
        oldest = current - NUM_SLICES + 1
        rows = [counts for held, counts in zip(self._held, self._counts, strict=True) if oldest <= held <= current]
        totals = [sum(column) for column in zip(*rows, strict=True)] or [0] * len(self._counts[0])
        since_s = max(self._began_s, oldest * self._slice_s)
        # a window that has only just begun would make a rush of its first request
        seconds = max(now_s - since_s, self._slice_s)
        return counted(totals, seconds=seconds, scale=scale)

    def _row(self, index: int) -> list[int]:
        place = index % NUM_SLICES
        row = self._counts[place]
        if self._held[place] != index:
            self._held[place] = index
            row[:] = [0] * len(row)
        return row
