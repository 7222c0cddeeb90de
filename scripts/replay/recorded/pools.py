"""Random pools of models, as an operator might run them side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from profiles.arrays import Floats
from scripts.replay.recorded.outcomes import Bools, Ints, RecordedError, RecordedOutcomes

MOST_DRAWS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRules:
    """Which pools are drawn: `size` models of different families, with these spreads within each."""

    size: int = 5
    least_accuracy: float = 0.5
    median_spread: float = 2.0
    accuracy_spread: float = 0.1


def draw_pools(
    fitted: RecordedOutcomes, count: int, rules: PoolRules, rng: np.random.Generator
) -> tuple[list[Ints], list[str]]:
    """Distinct pools as rows of models, and what of the rules had to be given up for this recording.

    Accuracies and medians are those of the fitting half.
    """
    accuracy = np.array([np.nanmean(row) if np.isfinite(row).any() else 0.0 for row in fitted.correct])
    median_s = np.array([np.nanmedian(row) if np.isfinite(row).any() else np.inf for row in fitted.latency_s])
    notes: list[str] = []
    usable = ~fitted.is_research & np.isfinite(median_s)
    good = usable & (accuracy >= rules.least_accuracy)
    possible = [comb(_num_families(fitted, models), rules.size) for models in (good, usable)]
    if possible[0] < min(count, possible[1]) or not possible[0]:
        good = usable
        notes.append(f"too few models have an accuracy of {rules.least_accuracy:g}; pools are drawn from all")
    size = min(rules.size, _num_families(fitted, good))
    if size < 2:
        raise RecordedError(f"{fitted.name}: {size} models to make pools of; at least 2 are needed")
    if size < rules.size:
        notes.append(f"pools have {size} models instead of {rules.size}")
    rows_of = _by_family(fitted, good)
    spreads = (rules.median_spread, rules.accuracy_spread)
    pools = _draw(rows_of, size, count, spreads, accuracy, median_s, rng)
    if not pools:
        pools = _draw(rows_of, size, count, (1.0, 0.0), accuracy, median_s, rng)
        notes.append("no pool has the spreads asked for; pools are drawn without")
    return pools, notes


def _draw(
    rows_of: Sequence[Ints],
    size: int,
    count: int,
    spreads: tuple[float, float],
    accuracy: Floats,
    median_s: Floats,
    rng: np.random.Generator,
) -> list[Ints]:
    found: dict[tuple[int, ...], None] = {}
    for _ in range(MOST_DRAWS if comb(len(rows_of), size) > 1 else 1):
        families = rng.choice(len(rows_of), size, replace=False)
        pool = np.sort([rng.choice(rows_of[family]) for family in families])
        apart = median_s[pool].max() / median_s[pool].min(), np.ptp(accuracy[pool])
        if apart[0] >= spreads[0] and apart[1] >= spreads[1]:
            found[tuple(pool.tolist())] = None
        if len(found) == count:
            break
    return [np.array(pool, dtype=np.intp) for pool in found]


def _by_family(recorded: RecordedOutcomes, usable: Bools) -> list[Ints]:
    rows: dict[str, list[int]] = {}
    for row in np.flatnonzero(usable).tolist():
        rows.setdefault(recorded.families[row], []).append(row)
    return [np.array(of_one, dtype=np.intp) for of_one in rows.values()]


def _num_families(recorded: RecordedOutcomes, usable: Bools) -> int:
    return len(_by_family(recorded, usable))
