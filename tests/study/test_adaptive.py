"""Adaptive profiling beside a grid, on models of known accuracy: the shares that docs/profiling.md tells."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from profiles.measuring.adaptive import TOLERANCE, Arm, doubt, next_arms
from tests.unit.profiles.measuring.test_adaptive import MODELS, arm, rng


@dataclass
class World:
    """Models of known accuracy in cells, and what has been seen of them by asking."""

    rng: random.Random
    accuracy: dict[tuple[int, str], float]
    latency_s: dict[str, float]
    counts: dict[tuple[int, str], list[int]]

    def ask(self, cell: int, model: str) -> None:
        count = self.counts[cell, model]
        count[0] += self.rng.random() < self.accuracy[cell, model]
        count[1] += 1

    def arms(self) -> dict[int, list[Arm]]:
        cells = {cell for cell, _ in self.counts}
        return {c: [arm(m, self.latency_s[m], *self.counts[c, m]) for m in MODELS] for c in cells}

    def num_asked(self) -> int:
        return sum(tried for _, tried in self.counts.values())

    def share_right(self) -> float:
        """The cells whose leader costs at most TOLERANCE more than the best."""
        right = 0
        for cell, arms in self.arms().items():
            leader = doubt(arms, rng=rng()).leader
            costs = {m: self.latency_s[m] / self.accuracy[cell, m] for m in MODELS}
            right += costs[leader] <= min(costs.values()) * (1 + TOLERANCE)
        return right / len(self.arms())


def world(seed: int, num_cells: int = 24) -> World:
    source = random.Random(seed)
    keys = [(cell, model) for cell in range(num_cells) for model in MODELS]
    return World(
        rng=source,
        accuracy={key: source.uniform(0.05, 1.0) for key in keys},
        latency_s=dict(zip(MODELS, (0.5, 0.8, 1.1, 1.5), strict=True)),
        counts={key: [0, 0] for key in keys},
    )


def by_grid(seed: int, prompts_per_cell: int) -> World:
    found = world(seed)
    for cell, model in found.counts:
        for _ in range(prompts_per_cell):
            found.ask(cell, model)
    return found


def adaptively(seed: int, budget: int) -> World:
    found = by_grid(seed, 3)
    source = np.random.default_rng(seed)
    while chosen := next_arms(found.arms(), rng=source, threshold=0.05, most_cells=6):
        for cell, model in chosen:
            for _ in range(4):
                if found.num_asked() == budget:
                    return found
                found.ask(cell, model)
    return found


def mean(measure: Callable[[int], float], num_seeds: int = 20) -> float:
    return sum(map(measure, range(num_seeds))) / num_seeds


def test_half_the_prompts_of_a_grid_give_as_many_right_choices() -> None:
    budget = 24 * len(MODELS) * 20 // 2
    grid = mean(lambda seed: by_grid(seed, 20).share_right())
    adaptive = mean(lambda seed: adaptively(seed, budget).share_right())
    half_a_grid = mean(lambda seed: by_grid(seed, 10).share_right())
    assert adaptive >= grid > half_a_grid
    # docs/profiling.md tells these
    assert [round(share, 2) for share in (adaptive, grid, half_a_grid)] == [0.90, 0.90, 0.85]
