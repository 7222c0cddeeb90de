"""A made-up world with known chances, to see whether estimates find them again."""

import numpy as np
from scipy.special import expit

from profiles.arrays import Floats
from profiles.chances.estimator import Bools, CountArrays

EDGES = (128, 512, 2048, 8192, 32768)
BUCKETS = 6
LENGTHS = np.linspace(-1.5, 1.5, BUCKETS)


def chances(seed: int, *, models: int = 4, tasks: int = 2, languages: int = 8, cell_scale: float = 0.3) -> Floats:
    """True chances, shape (models, tasks, languages, buckets): effects of all four, of pairs of them, and of cells."""
    rng = np.random.default_rng(seed)

    def effect(scale: float, *shape: int) -> Floats:
        return rng.normal(0.0, scale, shape)

    level = 0.5 + effect(1.0, models, 1, 1, 1) + effect(0.7, 1, tasks, 1, 1) + effect(0.7, 1, 1, languages, 1)
    level = level + effect(0.4, models, tasks, 1, 1) + effect(0.5, models, 1, languages, 1)
    slope = -0.7 + effect(0.4, models, 1, 1, 1) + effect(0.2, models, tasks, 1, 1)
    found: Floats = expit(level + slope * LENGTHS + effect(cell_scale, models, tasks, languages, BUCKETS))
    return found


def draw(truth: Floats, is_measured: Bools, *, tried: int, seed: int) -> CountArrays:
    """What measuring each of these cells with so many prompts would find."""
    counts = np.where(np.broadcast_to(is_measured, truth.shape), tried, 0)
    correct = np.random.default_rng(seed).binomial(counts, truth)
    return CountArrays(correct=correct.astype(np.float64), tried=counts.astype(np.float64), edges=EDGES)
