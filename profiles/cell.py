"""Of which requests a chance is asked: their task, their language, their length; and all code of length buckets."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Cell(NamedTuple):
    """Requests that count as alike; `bucket` is the number of their length bucket, from 0 for the shortest."""

    task: str
    language: str
    bucket: int


@dataclass(frozen=True)
class Buckets:
    """Ranges of prompt lengths in tokens: `edges` ascend and are inclusive upper ends; the last range has none."""

    edges: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.edges) + 1

    def of(self, num_tokens: int) -> int:
        return bisect_left(self.edges, num_tokens)

    def of_all(self, num_tokens: NDArray[np.float64]) -> NDArray[np.intp]:
        """The buckets of many lengths."""
        return self._ends.searchsorted(num_tokens)

    def label(self, bucket: int) -> str:
        """A bucket as people write it and the log keeps it: '<=128', '129-512', '>512'."""
        if bucket == 0:
            return f"<={self.edges[0]}"
        if bucket == len(self.edges):
            return f">{self.edges[-1]}"
        return f"{self.edges[bucket - 1] + 1}-{self.edges[bucket]}"

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.array(self.edges)

    @property
    def labels(self) -> Iterator[str]:
        return map(self.label, range(len(self)))

    def labelled(self, label: str, *, num_tokens: int) -> int:
        """The bucket that was once written as `label`; the number of tokens decides where the edges have changed."""
        return next((bucket for bucket, known in enumerate(self.labels) if known == label), self.of(num_tokens))
