"""`laar bench estimates`: chances fitted to few prompts of a recording, held against its other prompts."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from profiles.arrays import Floats
from profiles.chances.capability import Capability
from profiles.measures.calibration import calibration_error
from scripts.replay.beliefs import CellMap, count_profile
from scripts.replay.picks import ESTIMATES
from scripts.replay.recorded.outcomes import RecordedOutcomes, at_most, read_outcomes, split_by_question
from scripts.report import Bar, Report

OURS, PUBLISHED = "laar", "logistic"
# Draws of prompts: more where few are drawn.
DRAWS, DRAWS_OF_MANY, MANY = 4, 2, 400
# With fewer judged prompts, a cell's share of right answers says little about its chance.
LEAST_JUDGED = 20
QUANTILE = 1.959964
MOST_RATIO, MOST_MEAN_RATIO, MOST_ECE_BEHIND, COVERED, MOST_FIT_S = 1.01, 0.99, 0.01, (0.90, 0.98), 2.0


def run(*, fit: Path, judge: Path | None, sizes: Sequence[int]) -> Report:
    """Fit to each number of prompts and judge; without `judge` the first folder is cut in two by question.

    A size with too few prompts is left out. Of several draws every figure is the mean.
    """
    recorded = read_outcomes(fit)
    judged = read_outcomes(judge).of_models(recorded.models) if judge is not None else None
    cuts = [(recorded, judged) if judged is not None else split_by_question(recorded, draw) for draw in range(DRAWS)]
    most = min(len(half.prompts) for half, _ in cuts)
    known = [size for size in sorted(set(sizes)) if size <= most]
    if not known:
        raise ValueError(f"{fit} has {most} prompts to fit to; none of {sorted(set(sizes))} is that few")
    found = {size: _figures(cuts[: DRAWS if size < MANY else DRAWS_OF_MANY], size) for size in known}
    figures: dict[str, Any] = {"models": len(recorded.models), "notes": recorded.notes, "prompts": found}
    figures |= {f"brier_ratio_{size}": of_size["brier_ratio"] for size, of_size in found.items()}
    figures["brier_ratio_mean"] = float(np.mean([of_size["brier_ratio"] for of_size in found.values()]))
    parameters = {"fit": fit.name, "judge": judge.name if judge else None, "prompts": list(sizes)}
    return Report(bench="estimates", parameters=parameters, figures=figures, bars=_bars(figures))


def _figures(cuts: Sequence[tuple[RecordedOutcomes, RecordedOutcomes]], size: int) -> dict[str, Any]:
    scores: dict[str, list[tuple[float, float]]] = {name: [] for name in ESTIMATES}
    covered, fit_s = [], []
    for draw, (half, other) in enumerate(cuts):
        fitted = at_most(half, size, draw)
        map_ = CellMap.of(fitted, other)
        for name, estimate in ESTIMATES.items():
            scores[name].append(_scores(estimate(fitted, map_)[:, map_.judged], other.correct))
        profile = count_profile(fitted, map_)
        began_s = time.process_time()
        capability = Capability(profile)
        fit_s.append(time.process_time() - began_s)
        covered.append(_covered(capability, other, map_))
    told = [share for share in covered if share is not None]
    means = {name: np.mean(mine, axis=0) for name, mine in scores.items()}
    best = min(float(mean[0]) for name, mean in means.items() if name != OURS)
    return {
        "brier": {name: float(mean[0]) for name, mean in means.items()},
        "ece": {name: float(mean[1]) for name, mean in means.items()},
        "brier_ratio": float(means[OURS][0]) / best,
        "ece_behind_logistic": float(means[OURS][1] - means[PUBLISHED][1]),
        "intervals_cover": float(np.mean(told)) if told else None,
        "fit_s": max(fit_s),
    }


def _scores(chances: Floats, correct: Floats) -> tuple[float, float]:
    known = np.isfinite(correct)
    predicted, right = chances[known], correct[known]
    return float(((predicted - right) ** 2).mean()), calibration_error(predicted, right)


def _covered(capability: Capability, other: RecordedOutcomes, map_: CellMap) -> float | None:
    """The share of cells whose judged rate lies in the 95 % interval, widened by the rate's own chance.

    None where no cell has enough judged prompts.
    """
    of_cell = np.eye(len(map_.cells))[map_.judged]
    known = np.isfinite(other.correct)
    judged = known @ of_cell
    rate = np.where(known, other.correct, 0.0) @ of_cell / np.maximum(judged, 1)
    found = [[capability.estimate(model, cell) for cell in map_.cells] for model in other.models]
    chance, low, high = (
        np.array([[getattr(e, name) for e in row] for row in found]) for name in ("probability", "low", "high")
    )
    reach = np.where(rate > chance, high - chance, chance - low) / QUANTILE
    spread = np.sqrt(reach**2 + chance * (1 - chance) / np.maximum(judged, 1))
    is_told = judged >= LEAST_JUDGED
    return float((np.abs(rate - chance) <= QUANTILE * spread)[is_told].mean()) if is_told.any() else None


def _bars(figures: Mapping[str, Any]) -> list[Bar]:
    bars = [Bar(name="brier_ratio_mean", value=figures["brier_ratio_mean"], limit=MOST_MEAN_RATIO, kind="max")]
    for size, found in figures["prompts"].items():
        bars += [
            Bar(name=f"brier_ratio_{size}", value=found["brier_ratio"], limit=MOST_RATIO, kind="max"),
            Bar(
                name=f"ece_behind_logistic_{size}",
                value=found["ece_behind_logistic"],
                limit=MOST_ECE_BEHIND,
                kind="max",
            ),
            Bar(name=f"fit_s_{size}", value=found["fit_s"], limit=MOST_FIT_S, kind="max"),
        ]
        if found["intervals_cover"] is not None:
            bars += [
                Bar(name=f"intervals_cover_{size}", value=found["intervals_cover"], limit=COVERED[0], kind="min"),
                Bar(name=f"intervals_cover_{size}_most", value=found["intervals_cover"], limit=COVERED[1], kind="max"),
            ]
    return bars
