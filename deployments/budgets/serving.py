"""How one replica of a model serves, as far as its budgets depend on it."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from deployments.budgets.allocation import allocate, setting
from deployments.budgets.optimum.batching import MAX_SLOTS, Batching
from deployments.budgets.optimum.problem import Floats, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """One request at a time without `batching`; up to `max_attempts` tries of each request on the same model."""

    batching: Batching | None = None
    max_attempts: int = 1

    @classmethod
    def of(cls, *, slots: int, growth: float, max_attempts: int) -> Self:
        """By an engine's `max_num_seqs` and the growth that its profile's latency was fitted with."""
        batching = None if slots == 1 else Batching(growth=min(growth, 1.0), slots=min(slots, MAX_SLOTS))
        return cls(batching=batching, max_attempts=max_attempts)

    @property
    def capacity(self) -> float:
        return 1.0 if self.batching is None else self.batching.capacity

    def allocate(self, problem: Problem) -> Floats:
        return allocate(problem, batching=self.batching, max_attempts=self.max_attempts).budgets.astype(np.float64)

    def value_s(self, problem: Problem, budgets: Floats) -> float:
        return setting(problem, batching=self.batching, max_attempts=self.max_attempts).value_s(budgets)
