"""Failing together: how a model's chance falls once another was wrong on the same prompt, from paired outcomes."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.special import expit

from profiles.arrays import Floats
from profiles.chances.logistic import Ints

Chance = TypeVar("Chance", float, Floats)

# Before any paired outcome: no shift, but failures may well go together.
OVERALL_SCALE = 1.0
# A wrong answer elsewhere at most doubles the odds; that it raises them is rare and mostly chance.
MAX_SHIFT = float(np.log(2.0))
MIN_SHIFT = -8.0
# Several failures that raise the odds do so four times at most.
MIN_DIVISOR = 0.25
ROUNDS = 25
# What is known of how shifts of pairs scatter, before any pair: one pair's worth of half a unit of log-odds.
PSEUDO_LEVELS, PSEUDO_SCALE = 1.0, 0.5


# How far prompts of one cell differ for all models alike, a variance in log-odds, where few pairs were measured: public
# recordings have 2 to 4. It weighs as much as some eight prompts.
USUAL_PROMPT_VARIANCE, PRIOR_PROMPTS = 2.5, 0.2
# Chances near 0 and 1 move less than log-odds. So outcomes that vary by one unit come from so many units of log-odds.
UNITS_PER_SEEN = 1.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Rows of `correct` out of `tried` by `model` where `failed` was wrong; `log_odds` is its chance otherwise."""

    failed: Ints
    model: Ints
    task: Ints
    log_odds: Floats
    correct: Floats
    tried: Floats


def burdens(pairs: Pairs, *, num_models: int, num_tasks: int) -> Floats:
    """What each wrong answer adds to the divisor of a model's odds, shape (tasks + 1, failed, model).

    `burden = exp(-shift) - 1` for the shift of the log-odds; one failure divides the odds by 1 + burden. Shifts are
    those of the two models on the task, shrunk to the two models', shrunk to one over all; the scales are fitted.
    The last task stands for any not profiled. For a model that failed itself it is the greatest of all others'
    on it, since no model is less like itself than another one is.
    """
    pair = pairs.failed * num_models + pairs.model
    overall, _ = _modes(pairs, np.zeros_like(pair), np.zeros(1), OVERALL_SCALE**2)
    of_pair = _level(pairs, pair, np.full(num_models * num_models, overall[0]))
    cell = pairs.task * len(of_pair) + pair
    of_cell = _level(pairs, cell, np.tile(of_pair, num_tasks))
    shift = np.concatenate([of_cell, of_pair]).reshape(num_tasks + 1, num_models, num_models)
    burden: Floats = np.expm1(-np.clip(shift, MIN_SHIFT, MAX_SHIFT))
    diagonal = np.arange(num_models)
    burden[:, diagonal, diagonal] = -1.0
    burden[:, diagonal, diagonal] = burden.max(axis=1, initial=0.0)
    return burden


def prompt_variance(pairs: Pairs, *, failed_rate: Floats, model_rate: Floats, prompts: Floats) -> float:
    """How far prompts of one cell differ for all models alike, as a variance in log-odds; 0 without any pair.

    `failed_rate` and `model_rate` are each row's shares of correct answers in its cell, of `prompts` there. Wrong
    answers that fall together more often than chance has them do are a covariance of outcomes; this is that covariance
    over what one unit of variance in log-odds gives. Prompts that only one of both was asked count as independent.
    """
    known = (prompts >= 2) & (pairs.tried > 0)
    if not known.any():
        return USUAL_PROMPT_VARIANCE if pairs.tried.any() else 0.0
    together = (pairs.tried - pairs.correct) - pairs.tried * (1 - model_rate)
    spread = failed_rate * (1 - failed_rate) * model_rate * (1 - model_rate) / UNITS_PER_SEEN
    unit = spread * prompts**2 / np.maximum(prompts - 1, 1)
    num_pairs = len(np.unique(np.stack([pairs.failed, pairs.model])[:, known], axis=1).T)
    seen, expected = (float(values[known].sum()) / num_pairs for values in (together, unit))
    return max(0.0, (seen + PRIOR_PROMPTS * USUAL_PROMPT_VARIANCE) / (expected + PRIOR_PROMPTS))


def after(probability: Floats, burden: Floats | float) -> Floats:
    """Chances after failures whose burdens add up to `burden`: the odds divided by 1 + burden.

    Adding burdens is exact when the prompts' difficulty is beta distributed and the models answer independently
    given it: `k` failures then take odds of a/b to a/(b + k). So further failures tell less and less.
    """
    conditioned: Floats = divided(probability, np.maximum(1 + burden, MIN_DIVISOR))
    return conditioned


def divided(probability: Chance, divisor: Chance) -> Chance:
    """Chances whose odds are divided."""
    return probability / (probability + (1 - probability) * divisor)


def _level(pairs: Pairs, group: Ints, parent: Floats) -> Floats:
    """The shift of every group, shrunk toward its parent's by how much groups were found to differ from it."""
    is_seen = np.bincount(group, weights=pairs.tried, minlength=len(parent)) > 0
    between = PSEUDO_SCALE**2
    shift = parent
    for _ in range(ROUNDS if is_seen.any() else 0):
        shift, variance = _modes(pairs, group, parent, between)
        squares = ((shift - parent) ** 2 + variance)[is_seen].sum()
        between = float((squares + PSEUDO_LEVELS * PSEUDO_SCALE**2) / (is_seen.sum() + PSEUDO_LEVELS))
    return shift


def _modes(pairs: Pairs, group: Ints, parent: Floats, between: float) -> tuple[Floats, Floats]:
    """Posterior mode and variance of every group's shift, each by Newton's method on its own rows."""
    shift = parent
    precision = np.full(len(parent), 1 / between)
    for _ in range(ROUNDS):
        p = expit(pairs.log_odds + shift[group])
        gradient = np.bincount(group, weights=pairs.correct - pairs.tried * p, minlength=len(parent))
        information = np.bincount(group, weights=pairs.tried * p * (1 - p), minlength=len(parent))
        precision = information + 1 / between
        step = np.clip((gradient - (shift - parent) / between) / precision, -1.0, 1.0)
        shift = shift + step
        if np.abs(step).max(initial=0.0) < 1e-6:
            break
    return shift, 1 / precision
