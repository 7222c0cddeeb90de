"""What another policy would have done with the requests of an attempt log."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from deployments.router.choice.policy import POLICIES
from profiles.arrays import Floats
from profiles.measuring.logged_attempt import JudgedAttempt
from scripts.replay.beliefs import CellMap, FittedBeliefs, fit_beliefs
from scripts.replay.compared.contenders import rank_in_cell
from scripts.replay.recorded.outcomes import Bools, Ints, RecordedError, RecordedOutcomes

# Policies whose choice is known without load and sessions, which a log does not tell.
COMPARED = ("laar", "most-accurate", "fastest", "threshold")
# A model that was chosen first for a smaller share of a cell says nothing of it.
LEAST_PROPENSITY = 0.05
LEAST_REQUESTS = 40
RESAMPLES = 400
ESTIMATOR = (
    "doubly robust: the fitted chance or latency of the policy's first model, corrected by the requests on which the "
    "log chose the same model first, each weighed by the inverse of that model's share of first choices in its cell "
    f"(where it is at least {LEAST_PROPENSITY:g}). Expected TTCA is the fitted estimate alone, failures independent."
)
LIMITS = (
    "right only if, within a cell, the log's choice did not depend on how hard a request was; load and sessions are "
    "not replayed; a policy that chooses models where the log hardly did ('covered') rests on the fit alone"
)


def log_figures(attempts: Sequence[JudgedAttempt], *, seed: int = 0) -> dict[str, Any]:
    """Fitted to the earlier half of the requests, judged on the later; RecordedError if there are too few."""
    first = [a for a in attempts if a.num_before == 0 and not a.is_retry and a.correct is not None]
    models = sorted({a.model for a in first})
    if len(first) < LEAST_REQUESTS or len(models) < 2:
        raise RecordedError(
            f"the log has {len(first)} judged first attempts on {len(models)} models; at least {LEAST_REQUESTS} on 2 "
            "are needed"
        )
    first.sort(key=lambda a: a.began_s)
    middle = len(first) // 2
    fitted, judged = (_recorded(half, models) for half in (first[:middle], first[middle:]))
    beliefs = fit_beliefs(fitted, CellMap.of(fitted, judged))
    chosen = np.array([models.index(a.model) for a in first[middle:]], dtype=np.intp)
    right = np.array([float(bool(a.correct)) for a in first[middle:]])
    seconds = np.array([a.latency_s for a in first[middle:]])
    weights = _weights(len(right), seed)
    return {
        "requests_fitted": middle,
        "requests_judged": len(right),
        "models": models,
        "estimator": ESTIMATOR,
        "limits": LIMITS,
        "logged": {"first_right": _interval(weights, right), "first_s": _interval(weights, seconds)},
        "policies": {name: _policy(beliefs, name, chosen, right, seconds, weights) for name in COMPARED},
    }


def _policy(
    beliefs: FittedBeliefs, name: str, chosen: Ints, right: Floats, seconds: Floats, weights: Floats
) -> dict[str, Any]:
    cells = beliefs.map.judged
    rows = np.arange(len(beliefs.models), dtype=np.intp)
    policy = POLICIES[name](beliefs.models)
    order = np.zeros((len(rows), len(beliefs.map.cells)), dtype=np.intp)
    for cell in np.unique(cells).tolist():
        order[:, cell] = rank_in_cell(beliefs, rows, policy, cell)
    wanted = order[0, cells]
    share = _shares(chosen, cells, order.shape)[wanted, cells]
    is_covered = share >= LEAST_PROPENSITY
    is_same: Bools = (chosen == wanted) & is_covered
    chances, mean_s = beliefs.chances[wanted, cells], beliefs.seconds.mean_s[wanted, cells]

    def corrected(told: Floats, seen: Floats) -> Floats:
        found: Floats = told + np.where(is_same, (seen - told) / np.maximum(share, LEAST_PROPENSITY), 0.0)
        return found

    return {
        "agrees": round(float((chosen == wanted).mean()), 4),
        "covered": round(float(is_covered.mean()), 4),
        "first_right": _interval(weights, corrected(chances, right)),
        "first_s": _interval(weights, corrected(mean_s, seconds)),
        "expected_ttca_s": _interval(weights, _expected_s(beliefs, order)[cells]),
    }


def _expected_s(beliefs: FittedBeliefs, order: Ints) -> Floats:
    """By cell, until a model is right or all have been asked."""
    chances = np.take_along_axis(beliefs.chances, order, axis=0)
    mean_s = np.take_along_axis(beliefs.seconds.mean_s, order, axis=0)
    all_wrong = np.cumprod(np.concatenate([np.ones((1, order.shape[1])), 1 - chances[:-1]]), axis=0)
    found: Floats = (mean_s * all_wrong).sum(axis=0)
    return found


def _shares(chosen: Ints, cells: Ints, shape: tuple[int, ...]) -> Floats:
    """The share of each model in the first choices of each cell."""
    counts = np.zeros(shape)
    np.add.at(counts, (chosen, cells), 1.0)
    found: Floats = counts / np.maximum(counts.sum(axis=0), 1.0)
    return found


def _recorded(attempts: Sequence[JudgedAttempt], models: Sequence[str]) -> RecordedOutcomes:
    """First attempts as a recording in which each prompt was asked of one model."""
    blank = np.full((len(models), len(attempts)), np.nan)
    arrays: dict[str, Any] = {name: blank.copy() for name in ("correct", "latency_s", "output_tokens")}
    for column, attempt in enumerate(attempts):
        row = models.index(attempt.model)
        arrays["correct"][row, column] = float(bool(attempt.correct))
        arrays["latency_s"][row, column] = attempt.latency_s
        arrays["output_tokens"][row, column] = np.nan if attempt.output_tokens is None else attempt.output_tokens
    ids = tuple(attempt.request_id for attempt in attempts)
    return RecordedOutcomes(
        name="log",
        models=tuple(models),
        families=tuple(models),
        is_research=np.zeros(len(models), dtype=np.bool_),
        prompts=ids,
        groups=ids,
        tasks=tuple(attempt.task for attempt in attempts),
        languages=tuple(attempt.language for attempt in attempts),
        texts=("",) * len(ids),
        prompt_tokens=np.array([float(attempt.prompt_tokens) for attempt in attempts]),
        cost_usd=blank,
        **arrays,
    )


def _weights(count: int, seed: int) -> Floats:
    """How often each request counts, first once, then in resamples."""
    drawn = np.random.default_rng(seed).poisson(1.0, size=(RESAMPLES, count)).astype(np.float64)
    return np.concatenate([np.ones((1, count)), drawn])


def _interval(weights: Floats, values: Floats) -> list[float]:
    means = (weights @ values) / np.maximum(weights.sum(axis=1), 1.0)
    low, high = np.quantile(means[1:], [0.025, 0.975]).tolist()
    return [round(float(means[0]), 4), round(low, 4), round(high, 4)]
