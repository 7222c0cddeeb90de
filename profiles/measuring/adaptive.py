"""Which prompts to ask next: those of the cells where it is least certain which model to send a request to."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

# Models whose expected cost differs by less than this share of it are equally good: no prompt is spent on the order.
TOLERANCE = 0.05
DRAWS = 2000

CellT = TypeVar("CellT", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What is known of one model in one cell; `latency_s` is what one try takes there."""

    model: str
    latency_s: float
    correct: int
    tried: int
    can_be_asked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """`probability` is the chance that the `leader` is not the best model by L/Q, and `challenger` most likely is."""

    leader: str
    challenger: str
    probability: float


def doubt(arms: Sequence[Arm], *, rng: np.random.Generator) -> Doubt:
    """How sure the choice of a model is in one cell, by draws from the posteriors of its probabilities.

    A posterior starts from the uniform distribution. The leader has the lowest latency over mean probability, ties
    going to the first; it counts as best while no other one's draw is lower by more than TOLERANCE.
    """
    latency_s = np.array([arm.latency_s for arm in arms])
    right = np.array([arm.correct + 1.0 for arm in arms])
    wrong = np.array([arm.tried - arm.correct + 1.0 for arm in arms])
    leader = int(np.argmin(latency_s * (right + wrong) / right))
    costs = latency_s / np.maximum(rng.beta(right, wrong, size=(DRAWS, len(arms))), 1e-12)
    best = np.where(costs.min(axis=1) * (1 + TOLERANCE) < costs[:, leader], costs.argmin(axis=1), leader)
    wins = np.bincount(best, minlength=len(arms))
    others = [index for index in range(len(arms)) if index != leader]
    challenger = max(others, key=lambda index: int(wins[index]), default=leader)
    return Doubt(
        leader=arms[leader].model,
        challenger=arms[challenger].model,
        probability=1 - float(wins[leader]) / DRAWS,
    )


def doubts(cells: Mapping[CellT, Sequence[Arm]], *, rng: np.random.Generator) -> dict[CellT, Doubt]:
    """The doubt in every cell that has a model."""
    return {cell: doubt(arms, rng=rng) for cell, arms in cells.items() if arms}


def next_arms(
    cells: Mapping[CellT, Sequence[Arm]], *, rng: np.random.Generator, threshold: float, most_cells: int
) -> list[tuple[CellT, str]]:
    """Leader and challenger of the most doubtful cells, the worst first; nothing where more would change nothing.

    A cell is left alone once its doubt is at most `threshold`, or when neither of the two can be asked any more.
    """
    found = doubts(cells, rng=rng)
    worst_first = sorted((c for c in found if found[c].probability > threshold), key=lambda c: -found[c].probability)
    askable = {cell: {arm.model for arm in arms if arm.can_be_asked} for cell, arms in cells.items()}
    pairs = {c: [m for m in (found[c].leader, found[c].challenger) if m in askable[c]] for c in worst_first}
    chosen = [cell for cell in worst_first if pairs[cell]][:most_cells]
    return [(cell, model) for cell in chosen for model in pairs[cell]]
