"""Which model has the highest chance, by estimates from few prompts: laar's beside a rate, a cell and a regression."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from profiles.arrays import Floats
from profiles.chances.capability import Capability
from profiles.measures.calibration import calibration_error
from scripts.replay.beliefs import CellMap, count_profile
from scripts.replay.compared.contenders import LAAR
from scripts.replay.compared.rivals import logistic_per_model
from scripts.replay.recorded.outcomes import RecordedOutcomes, at_most, split_by_question
from scripts.report import Bar

SIZES = (25, 50, 100, 400)
# Cuts into halves, and draws from the half that is fitted to.
DRAWS = 4
CELL_PSEUDO_PROMPTS = 4.0
RESAMPLES = 400

# chances of each model in each cell, shape (models, cells), from the half that is fitted to
Fit = Callable[[RecordedOutcomes, CellMap], Floats]


def laar(fitted: RecordedOutcomes, map_: CellMap) -> Floats:
    """As the router fits them to the counts of a profile."""
    capability = Capability(count_profile(fitted, map_))
    return np.array([[capability.probability(name, cell) for cell in map_.cells] for name in fitted.models])


def rate(fitted: RecordedOutcomes, map_: CellMap) -> Floats:
    """One smoothed rate a model."""
    known = np.isfinite(fitted.correct)
    right = np.where(known, fitted.correct, 0.0).sum(axis=1)
    found = (right + 0.5) / (known.sum(axis=1) + 1.0)
    return np.repeat(found[:, None], len(map_.cells), axis=1)


def cell(fitted: RecordedOutcomes, map_: CellMap) -> Floats:
    """The rate in a cell, drawn to the model's."""
    known = np.isfinite(fitted.correct)
    of_cell = np.eye(len(map_.cells))[map_.fitted]
    right = np.where(known, fitted.correct, 0.0) @ of_cell
    prior = CELL_PSEUDO_PROMPTS * rate(fitted, map_)
    found: Floats = (right + prior) / (known @ of_cell + CELL_PSEUDO_PROMPTS)
    return found


def logistic(fitted: RecordedOutcomes, map_: CellMap) -> Floats:
    """One regression a model, as published for LAAR."""
    return logistic_per_model(fitted.correct, map_)


ESTIMATES: Mapping[str, Fit] = {LAAR: laar, "rate": rate, "cell": cell, "logistic": logistic}


def pick_figures(recorded: RecordedOutcomes, judged: RecordedOutcomes | None, *, most_prompts: int) -> dict[str, Any]:
    """By how many prompts were fitted to: Brier score, calibration error, and how often the pick is right.

    `ahead` is how much more often laar's pick is right than that of the best other estimate, with a 95 % interval from
    resampling questions.
    """
    found: dict[str, Any] = {}
    cuts = [split_by_question(recorded, draw) if judged is None else (recorded, judged) for draw in range(DRAWS)]
    for size in SIZES:
        if size > min(len(fitted.prompts) for fitted, _ in cuts):
            break
        scores: dict[str, list[dict[str, float]]] = {name: [] for name in ESTIMATES}
        hits: dict[str, list[Floats]] = {name: [] for name in ESTIMATES}
        groups: list[str] = []
        for draw, (half, other) in enumerate(cuts):
            asked, known = at_most(other, most_prompts, draw), at_most(half, size, draw)
            map_ = CellMap.of(known, asked)
            groups += asked.groups
            for name, fit in ESTIMATES.items():
                chances = fit(known, map_)[:, map_.judged]
                scores[name].append(_scores(chances, asked.correct))
                hits[name].append(_hits(chances, asked.correct))
        found[str(size)] = _figures(scores, {name: np.concatenate(mine) for name, mine in hits.items()}, groups)
    return found


def pick_bars(found: Mapping[str, Any]) -> list[Bar]:
    """The best other estimate may not be ahead by more than chance."""
    return [
        Bar(name=f"pick_ahead_{size}_prompts_high", value=of_size["ahead"][2], limit=0.0, kind="min")
        for size, of_size in found.items()
    ]


def _scores(chances: Floats, correct: Floats) -> dict[str, float]:
    known = np.isfinite(correct)
    return {
        "brier": float(((chances[known] - correct[known]) ** 2).mean()),
        "ece": calibration_error(chances[known], correct[known]),
    }


def _hits(chances: Floats, correct: Floats) -> Floats:
    """Whether the model with the highest chance is right, for each prompt; equal ones share."""
    known = np.isfinite(correct)
    asked = np.where(known, chances, -1.0)
    is_first = asked >= asked.max(axis=0) - 1e-12
    found: Floats = (is_first * np.where(known, correct, 0.0)).sum(axis=0) / is_first.sum(axis=0)
    return found


def _figures(
    scores: Mapping[str, Sequence[Mapping[str, float]]], hits: Mapping[str, Floats], groups: Sequence[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: {kind: round(float(np.mean([one[kind] for one in mine])), 4) for kind in ("brier", "ece")}
        | {"pick_right": round(float(hits[name].mean()), 4)}
        for name, mine in scores.items()
    }
    best = max((name for name in hits if name != LAAR), key=lambda name: float(hits[name].mean()))
    ahead = hits[LAAR] - hits[best]
    _, number = np.unique(groups, return_inverse=True)
    total, count = np.bincount(number, weights=ahead), np.bincount(number).astype(np.float64)
    drawn = np.random.default_rng(0).multinomial(len(count), np.full(len(count), 1 / len(count)), size=RESAMPLES)
    low, high = np.quantile((drawn @ total) / (drawn @ count), [0.025, 0.975]).tolist()
    found["best_other"] = best
    found["ahead"] = [round(float(ahead.mean()), 4), round(low, 4), round(high, 4)]
    return found
