"""How long attempts take: log-normal by model, task, language and length; what is assumed where none is recorded."""

from dataclasses import dataclass, replace

import numpy as np

from profiles.arrays import Floats
from scripts.replay.recorded.outcomes import Bools, Ints, RecordedOutcomes

ASSUMED = "accuracy-ranked"
# The assumed medians of the least and the most accurate model, seconds, and the spread about them.
ASSUMED_MEDIAN_S = (0.5, 5.0)
ASSUMED_SPREAD = 0.45
# Prompt tokens that double the assumed seconds.
ASSUMED_DOUBLING_TOKENS = 16_000.0
# A recording that has seconds for a smaller share of its answers counts as one without.
LEAST_RECORDED = 0.5
SHORTEST_S = 1e-3
# Prompts by which effects, and spreads, are drawn to what models or tasks have in common.
PSEUDO_PROMPTS, PSEUDO_SPREADS = 4.0, 8.0
SPREADS = (0.1, 1.2)


def with_seconds(recorded: RecordedOutcomes, seed: int) -> tuple[RecordedOutcomes, str | None]:
    """The recording with seconds everywhere, and the name of the model of latency that was assumed, if one was.

    Single gaps take the median of their model. Without recorded seconds more accurate models are assumed to be slower,
    in equal steps of the logarithm by their rank, and long prompts to take longer.
    """
    answered = np.isfinite(recorded.correct)
    timed = np.isfinite(recorded.latency_s) & answered
    if timed.sum() >= LEAST_RECORDED * answered.sum() and timed.any(axis=1).all():
        medians_s = np.array([np.median(row[known]) for row, known in zip(recorded.latency_s, timed, strict=True)])
        filled = np.where(timed, np.maximum(recorded.latency_s, SHORTEST_S), medians_s[:, None])
        num_gaps = int((answered & ~timed).sum())
        notes = recorded.notes + ((f"{num_gaps} answers without seconds take their model's median",) * (num_gaps > 0))
        return replace(recorded, latency_s=np.where(answered, filled, np.nan), notes=notes), None
    rates = np.array([np.nanmean(row) if np.isfinite(row).any() else 0.0 for row in recorded.correct])
    rank = rates.argsort(kind="stable").argsort() / max(1, len(rates) - 1)
    low, high = np.log(ASSUMED_MEDIAN_S)
    by_length = np.log1p(recorded.prompt_tokens / ASSUMED_DOUBLING_TOKENS)
    noise = np.random.default_rng(seed).normal(scale=ASSUMED_SPREAD, size=recorded.correct.shape)
    seconds = np.exp((low + (high - low) * rank)[:, None] + by_length + noise)
    return replace(recorded, latency_s=np.where(answered, seconds, np.nan)), ASSUMED


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedSeconds:
    """Log-normal latencies, shape (models, prompts): medians, and the deviation of their logarithm."""

    median_s: Floats
    spread: Floats

    @property
    def mean_s(self) -> Floats:
        found: Floats = self.median_s * np.exp(self.spread**2 / 2)
        return found


def fit_seconds(latency_s: Floats, features: Floats, task: Ints, *, at: Floats, at_task: Ints) -> FittedSeconds:
    """Fitted to attempts (models, prompts) with indicator features (prompts, effects); told for the prompts `at`.

    What all models have in common is fitted first, then what each differs by; few prompts move little.
    """
    logs = np.log(np.maximum(latency_s, SHORTEST_S))
    known = np.isfinite(logs)
    level = np.array([row[seen].mean() if seen.any() else 0.0 for row, seen in zip(logs, known, strict=True)])
    centered = np.where(known, logs - level[:, None], 0.0)
    common = _ridge(features, centered.sum(axis=0) / np.maximum(known.sum(axis=0), 1), known.any(axis=0))
    left = centered - features @ common
    own = np.array([_ridge(features, row, seen) for row, seen in zip(left, known, strict=True)])
    squares = np.where(known, (left - own @ features.T) ** 2, 0.0)
    spread = np.sqrt(_by_task(squares, known, task, count=1 + int(max(task.max(), at_task.max()))))
    return FittedSeconds(
        median_s=np.exp(level[:, None] + at @ common + own @ at.T),
        spread=np.clip(spread, *SPREADS)[:, at_task],
    )


def _ridge(features: Floats, target: Floats, rows: Bools) -> Floats:
    seen = features[rows]
    penalty = PSEUDO_PROMPTS * np.eye(features.shape[1])
    found: Floats = np.asarray(np.linalg.solve(seen.T @ seen + penalty, seen.T @ target[rows]), dtype=np.float64)
    return found


def _by_task(squares: Floats, known: Bools, task: Ints, *, count: int) -> Floats:
    """Mean squares by model and task, drawn to the model's."""
    of_task = np.eye(count)[task]
    total, number = squares @ of_task, known @ of_task
    overall = (total.sum(axis=1) + 1.0) / (number.sum(axis=1) + PSEUDO_SPREADS)
    found: Floats = (total + PSEUDO_SPREADS * overall[:, None]) / (number + PSEUDO_SPREADS)
    return found
