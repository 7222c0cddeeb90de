"""What others publish, fitted to the same half: LAAR's regression of one model each, and nearest prompts by text."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from zlib import crc32

import numpy as np
from scipy import sparse
from scipy.special import expit

from profiles.arrays import Floats
from scripts.replay.beliefs import CellMap, FittedBeliefs, indicators
from scripts.replay.recorded.outcomes import RecordedOutcomes

# As scikit-learn's LogisticRegression(C=0.5) penalises.
PENALTY = 2.0
NEWTON_STEPS = 15
NEIGHBOURS = 25
NEAR_PSEUDO_PROMPTS = 5.0
LEAST_CHANCE = 0.01
HASHED = 1 << 15


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NearestPrompts:
    """By the fitted prompts whose texts are most alike, shape (models, judged prompts)."""

    chances: Floats
    seconds: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rivals:
    """`logistic` is Q by cell, shape (models, cells); `token_s` the published L up to a factor, shape (models,)."""

    logistic: Floats
    token_s: Floats
    near: NearestPrompts | None


def fit_rivals(fitted: RecordedOutcomes, judged: RecordedOutcomes, beliefs: FittedBeliefs) -> Rivals:
    return Rivals(
        logistic=logistic_per_model(fitted.correct, beliefs.map),
        token_s=_token_s(fitted),
        near=_nearest(fitted, judged) if all(fitted.texts) and all(judged.texts) else None,
    )


def logistic_per_model(correct: Floats, map_: CellMap) -> Floats:
    """One penalised regression for each model on indicators of task, language and length, as published for LAAR."""
    columns = indicators(map_.cells)
    features = np.concatenate([np.ones((len(columns), 1)), columns], axis=1)
    penalty = np.full(features.shape[1], PENALTY)
    penalty[0] = 1e-6
    found = []
    for row in correct:
        known = np.isfinite(row)
        tried = np.bincount(map_.fitted[known], minlength=len(features)).astype(np.float64)
        right = np.bincount(map_.fitted[known], weights=row[known], minlength=len(features)).astype(np.float64)
        found.append(
            np.clip(expit(features @ _newton(features, right, tried, penalty)), LEAST_CHANCE, 1 - LEAST_CHANCE)
        )
    return np.array(found)


def _newton(features: Floats, right: Floats, tried: Floats, penalty: Floats) -> Floats:
    weights = np.zeros(features.shape[1])
    for _ in range(NEWTON_STEPS):
        p = expit(features @ weights)
        gradient = features.T @ (right - tried * p) - penalty * weights
        hessian = (features.T * (tried * p * (1 - p))) @ features + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        weights = weights + np.clip(step, -2.0, 2.0)
    return weights


def _token_s(fitted: RecordedOutcomes) -> Floats:
    """Seconds by generated token; where a recording does not count them for all models, mean seconds."""
    counted = np.isfinite(fitted.output_tokens) & np.isfinite(fitted.latency_s)
    if (counted.mean(axis=1) > 0.5).all():
        tokens = np.where(counted, fitted.output_tokens, 0.0).sum(axis=1)
        seconds = np.where(counted, fitted.latency_s, 0.0).sum(axis=1)
        found: Floats = seconds / np.maximum(tokens, 1.0)
        return found
    return np.asarray(np.nanmean(fitted.latency_s, axis=1))


def _nearest(fitted: RecordedOutcomes, judged: RecordedOutcomes) -> NearestPrompts:
    """Cosine similarity of hashed words and pairs of words, weighted by rarity."""
    known, asked = _hashed(fitted.texts), _hashed(judged.texts)
    rarity = np.log((1 + len(fitted.texts)) / (1 + np.asarray((known > 0).sum(axis=0)).ravel())) + 1
    known, asked = _unit(known.multiply(rarity).tocsr()), _unit(asked.multiply(rarity).tocsr())
    count = min(NEIGHBOURS, known.shape[0])
    correct, seconds = fitted.correct, fitted.latency_s
    rate, mean_s = np.nanmean(correct, axis=1), np.nanmean(seconds, axis=1)
    chances, times = np.empty((len(correct), asked.shape[0])), np.empty((len(correct), asked.shape[0]))
    for start in range(0, asked.shape[0], 512):
        alike = (asked[start : start + 512] @ known.T).toarray()
        near = np.argpartition(-alike, count - 1, axis=1)[:, :count]
        for values, level, out in ((correct, rate, chances), (seconds, mean_s, times)):
            found = values[:, near]
            seen = np.isfinite(found)
            total = np.where(seen, found, 0.0).sum(axis=2) + NEAR_PSEUDO_PROMPTS * level[:, None]
            out[:, start : start + 512] = total / (seen.sum(axis=2) + NEAR_PSEUDO_PROMPTS)
    return NearestPrompts(chances=np.clip(chances, LEAST_CHANCE, 1 - LEAST_CHANCE), seconds=times)


def _hashed(texts: Sequence[str]) -> sparse.csr_array:
    rows, columns, counts = [], [], []
    for row, text in enumerate(texts):
        words = re.findall(r"\w+", text.lower())[:400]
        terms = Counter(_term(term) for term in [*words, *(" ".join(pair) for pair in pairwise(words))])
        rows += [row] * len(terms)
        columns += list(terms)
        counts += [1 + np.log(n) for n in terms.values()]
    return sparse.csr_array((counts, (rows, columns)), shape=(len(texts), HASHED))


def _term(term: str) -> int:
    """The same in every process, unlike `hash`."""
    return crc32(term.encode()) % HASHED


def _unit(rows: sparse.csr_array) -> sparse.csr_array:
    length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    return sparse.diags_array(1 / np.maximum(length, 1e-12)) @ rows
