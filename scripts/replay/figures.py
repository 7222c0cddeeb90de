"""The figures of a replay, each with a 95 % interval from resampling questions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from profiles.arrays import Floats
from profiles.measures.calibration import calibration_error
from scripts.replay.compared.contenders import LAAR, ORACLE, SINGLE, TASK_LQ, TRUE_ANSWERS, TRUE_LATENCY
from scripts.replay.play import PlayedPrompts
from scripts.replay.recorded.outcomes import Bools, Ints
from scripts.replay.run import OVERLAPPED, TIMED, PlayedRecording, PlayedSeed
from scripts.report import Bar

RESAMPLES = 200
# Quantiles over all pools are resampled less often: each time all prompts of all pools are weighed.
QUANTILE_RESAMPLES = 60
TAIL = (0.025, 0.975)
WORSE = 1.05
QUANTILES = {"p50_s": 0.5, "p95_s": 0.95, "p99_s": 0.99}
# Shares right are told within these multiples of the median of laar.
WITHIN = (1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoolSums:
    """A contender over all pools of all seeds, shape (weights, pools): sums over weighted prompts.

    The first row weighs every prompt once, each other one is a resample. `solved` counts solved prompts; `took_s` and
    `work_s` are summed over these; `all_s`, `attempts` and `usd` over all `asked`.
    """

    solved: Floats
    asked: Floats
    took_s: Floats
    work_s: Floats
    all_s: Floats
    all_work_s: Floats
    attempts: Floats
    usd: Floats

    @property
    def mean_s(self) -> Floats:
        """TTCA over the prompts that some model of the pool answers."""
        found: Floats = self.took_s / np.maximum(self.solved, 1.0)
        return found


def figures(recording: PlayedRecording, *, seed: int = 0) -> dict[str, Any]:
    """By name; an interval is [value, low, high]."""
    weights = _weights(recording, seed)
    sums = {name: _sums(recording, weights, name) for name in _contenders(recording)}
    best = np.min([sums[name].mean_s for name in SINGLE], axis=0)
    ours = sums[LAAR]
    found: dict[str, Any] = {
        "pools": ours.solved.shape[1],
        "distinct_pools": len({pool.models for one in recording.seeds for pool in one.pools}),
        "judged_prompts": len({prompt for one in recording.seeds for prompt in one.judged.prompts}),
        "assumed_seconds": recording.assumed_seconds,
        "notes": list(recording.notes),
    }
    told = {
        "ratio_to_best_single_median": np.median(ours.mean_s / best, axis=1),
        "ratio_to_most_accurate_median": np.median(ours.mean_s / sums["most accurate"].mean_s, axis=1),
        "ratio_to_fastest_median": np.median(ours.mean_s / sums["fastest"].mean_s, axis=1),
        "share_of_pools_above_1_05": (ours.mean_s / best > WORSE).mean(axis=1),
        **_knowledge(sums),
        **(_overlap(recording, sums) if OVERLAPPED in sums else {}),
    }
    found |= {name: round(float(values[0]), 4) for name, values in told.items()}
    found |= _calibration(recording)
    found["intervals"] = {name: _interval(values) for name, values in told.items()}
    found["contenders"] = _table(recording, weights, sums)
    found["by_pool"] = _by_pool(recording, (ours.mean_s / best)[0])
    return found


def bars(found: Mapping[str, Any]) -> list[Bar]:
    """What a replay has to show; with assumed seconds only that laar is no worse than one rule for all prompts."""
    limits = [("share_of_pools_above_1_05", 0.01, "max"), ("ratio_to_best_single_median", 1.0, "max")]
    if found["assumed_seconds"] is None:
        limits = [
            ("pools", 200, "min"),
            ("ratio_to_best_single_median", 0.92, "max"),
            ("ratio_to_most_accurate_median", 0.55, "max"),
            ("ratio_to_fastest_median", 0.91, "max"),
            ("share_of_pools_above_1_05", 0.01, "max"),
        ]
        if "overlap_work_ratio" in found:
            limits += [
                ("overlap_work_ratio", 1.25, "max"),
                ("overlap_gap_closed", 0.4, "min"),
                ("overlap_p95_ratio", 0.75, "max"),
            ]
    return [
        Bar(name=name, value=float(found[name]), limit=limit, kind="max" if kind == "max" else "min")
        for name, limit, kind in limits
    ]


def _contenders(recording: PlayedRecording) -> list[str]:
    return list(recording.seeds[0].pools[0].played)


def _weights(recording: PlayedRecording, seed: int) -> list[Floats]:
    """For each seed how often each judged prompt counts, shape (1 + resamples, prompts); questions are drawn whole."""
    groups = sorted({group for one in recording.seeds for group in one.judged.groups})
    number = {group: index for index, group in enumerate(groups)}
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=RESAMPLES).astype(np.float64)
    counts = np.concatenate([np.ones((1, len(groups))), drawn])
    return [counts[:, [number[group] for group in one.judged.groups]] for one in recording.seeds]


def _played(recording: PlayedRecording, name: str) -> Iterator[tuple[int, Ints, PlayedPrompts]]:
    for index, one in enumerate(recording.seeds):
        for pool in one.pools:
            yield index, pool.asked, pool.played[name]


def _sums(recording: PlayedRecording, weights: Sequence[Floats], name: str) -> PoolSums:
    rows = []
    for index, asked, played in _played(recording, name):
        counts = weights[index][:, asked]
        solved = played.solved.astype(np.float64)
        values = [
            solved,
            np.ones_like(solved),
            solved * played.seconds,
            solved * played.work_s,
            played.seconds,
            played.work_s,
            played.attempts,
            played.usd,
        ]
        rows.append(counts @ np.array(values).T)
    return PoolSums(**dict(zip(PoolSums.__dataclass_fields__, np.array(rows).transpose(2, 1, 0), strict=True)))


def _knowledge(sums: Mapping[str, PoolSums]) -> dict[str, Floats]:
    """What perfect knowledge would add, and how much of it the estimates have beside rules that know models alone."""
    total = {name: one.took_s.sum(axis=1) for name, one in sums.items()}

    def closed(start: str, end: str, by: str) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Floats = (total[start] - total[by]) / (total[start] - total[end])
        return found

    return {
        "gap_closed_by_laar": closed("global L/Q", ORACLE, LAAR),
        "gap_closed_by_known_latency": closed(TASK_LQ, ORACLE, TRUE_LATENCY),
        "gap_closed_by_known_answers": closed(TASK_LQ, ORACLE, TRUE_ANSWERS),
        "share_of_latency_knowledge": closed("global L/Q", "global Q, latency known", "global Q, latency fitted"),
        "share_of_answer_knowledge": closed("global L/Q", "global L, answers known", "global L, chances fitted"),
    }


def _overlap(recording: PlayedRecording, sums: Mapping[str, PoolSums]) -> dict[str, Floats]:
    """Overlapped attempts beside the same order without, on the prompts that some model answers."""
    total = {name: sums[name].took_s.sum(axis=1) for name in (TASK_LQ, ORACLE, OVERLAPPED, TIMED)}
    work = {name: sums[name].work_s.sum(axis=1) for name in (LAAR, OVERLAPPED, TIMED)}
    gap = total[TASK_LQ] - total[ORACLE]
    return {
        "overlap_work_ratio": work[OVERLAPPED] / work[LAAR],
        "overlap_work_ratio_all_prompts": sums[OVERLAPPED].all_work_s.sum(axis=1) / sums[LAAR].all_work_s.sum(axis=1),
        "overlap_gap_closed": (total[TASK_LQ] - total[OVERLAPPED]) / gap,
        "overlap_p95_ratio": np.array([np.median(_p95(recording, OVERLAPPED) / _p95(recording, LAAR))]),
        "timer_work_ratio": work[TIMED] / work[LAAR],
        "timer_gap_closed": (total[TASK_LQ] - total[TIMED]) / gap,
        "timer_p95_ratio": np.array([np.median(_p95(recording, TIMED) / _p95(recording, LAAR))]),
    }


def _p95(recording: PlayedRecording, name: str) -> Floats:
    """By pool, over the prompts that some model of it answers."""
    return np.array(
        [
            np.quantile(played.seconds[played.solved], 0.95) if played.solved.any() else np.nan
            for _, _, played in _played(recording, name)
        ]
    )


def _calibration(recording: PlayedRecording) -> dict[str, Any]:
    """Of the chances of models in pools on judged prompts, beside the published regression and one rate a model."""
    scores = [_scores(one) for one in recording.seeds]
    mean = {
        name: {kind: round(float(np.mean([s[name][kind] for s in scores])), 4) for kind in ("brier", "ece")}
        for name in scores[0]
    }
    return {**mean[LAAR], "calibration": mean}


def _scores(one: PlayedSeed) -> dict[str, dict[str, float]]:
    rows, cells = one.in_pools, one.beliefs.map.judged
    correct = one.judged.correct[rows]
    known: Bools = np.isfinite(correct)
    rate = np.array([_rate(one, row) for row in rows])[:, None]
    told = {
        LAAR: one.beliefs.chances[rows][:, cells],
        "LAAR as published": one.rivals.logistic[rows][:, cells],
        "one rate a model": np.repeat(rate, len(cells), axis=1),
    }
    return {
        name: {
            "brier": float(((chances[known] - correct[known]) ** 2).mean()),
            "ece": calibration_error(chances[known], correct[known]),
        }
        for name, chances in told.items()
    }


def _rate(one: PlayedSeed, row: int) -> float:
    """Of the fitting half, which the profile has counted."""
    cells = one.beliefs.profile.models[one.beliefs.models[row]].cells
    return (sum(c.correct for c in cells) + 0.5) / (sum(c.tried for c in cells) + 1)


def _table(recording: PlayedRecording, weights: Sequence[Floats], sums: Mapping[str, PoolSums]) -> dict[str, Any]:
    pooled = {name: _Pooled.of(recording, name) for name in sums}
    times_s = [factor * pooled[LAAR].quantile(0.5) for factor in WITHIN]
    rows: dict[str, Any] = {}
    for name, one in sums.items():
        ratio = one.mean_s / sums[LAAR].mean_s
        row: dict[str, Any] = {
            "mean_s": _interval(one.mean_s.mean(axis=1)),
            "over_laar": _interval(np.median(ratio, axis=1)),
            "regret_s": _interval((one.mean_s - sums[ORACLE].mean_s).mean(axis=1)),
            "censored_mean_s": _interval((one.all_s / one.asked).mean(axis=1)),
            "solved": _interval(one.solved.sum(axis=1) / one.asked.sum(axis=1)),
            "attempts": _interval(one.attempts.sum(axis=1) / one.asked.sum(axis=1)),
            "engine_s_per_right": _interval(one.all_work_s.sum(axis=1) / one.solved.sum(axis=1)),
        }
        if np.isfinite(one.usd[0]).all():
            row["usd_per_right"] = _interval(one.usd.sum(axis=1) / one.solved.sum(axis=1), digits=8)
        row |= {key: pooled[name].quantiles(weights, share) for key, share in QUANTILES.items()}
        rows[name] = row | {"right_within": {f"{t:.3g} s": pooled[name].within(weights, t) for t in times_s}}
    return rows


def _by_pool(recording: PlayedRecording, ratios: Floats) -> list[dict[str, Any]]:
    """What the gain may depend on: how far speeds are apart, and how often the fastest is right where the best is."""
    found = []
    pools = ((one, pool) for one in recording.seeds for pool in one.pools)
    for (one, pool), ratio in zip(pools, ratios.tolist(), strict=True):
        rows = [one.judged.models.index(name) for name in pool.models]
        correct, seconds = one.judged.correct[rows][:, pool.asked], one.judged.latency_s[rows][:, pool.asked]
        medians_s = np.median(seconds, axis=1)
        fastest, best = correct[medians_s.argmin()], correct[correct.mean(axis=1).argmax()]
        found.append(
            {
                "models": list(pool.models),
                "speed_ratio": round(float(medians_s.max() / medians_s.min()), 3),
                "answers_shared": round(float((fastest * best).sum() / max(best.sum(), 1.0)), 3),
                "over_best_single": round(ratio, 4),
            }
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pooled:
    """All prompts of all pools, sorted by seconds; those that no model of a pool answers come last, without an end."""

    seconds: Floats
    seed: Ints
    prompt: Ints

    @classmethod
    def of(cls, recording: PlayedRecording, name: str) -> "_Pooled":
        parts = [
            (np.where(played.solved, played.seconds, np.inf), np.full(len(asked), index), asked)
            for index, asked, played in _played(recording, name)
        ]
        seconds, seed, prompt = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = seconds.argsort(kind="stable")
        return cls(seconds=seconds[order], seed=seed[order], prompt=prompt[order])

    def quantile(self, share: float, counts: Floats | None = None) -> float:
        """Of the solved prompts."""
        solved = np.isfinite(self.seconds)
        counts = np.ones(len(self.seconds)) if counts is None else counts
        total = counts[solved].cumsum()
        place = int(np.searchsorted(total, share * total[-1])) if len(total) else 0
        return float(self.seconds[solved][min(place, len(total) - 1)]) if len(total) else float("nan")

    def share_within(self, time_s: float, counts: Floats) -> float:
        return float(counts[: np.searchsorted(self.seconds, time_s, side="right")].sum() / counts.sum())

    def quantiles(self, weights: Sequence[Floats], share: float) -> list[float]:
        return _interval(np.array([self.quantile(share, counts) for counts in self._counts(weights)]))

    def within(self, weights: Sequence[Floats], time_s: float) -> list[float]:
        return _interval(np.array([self.share_within(time_s, counts) for counts in self._counts(weights)]))

    def _counts(self, weights: Sequence[Floats]) -> Iterator[Floats]:
        """How often each of them counts, first once, then in resamples."""
        masks = [self.seed == index for index in range(len(weights))]
        for resample in range(1 + QUANTILE_RESAMPLES):
            counts = np.empty(len(self.seconds))
            for mask, weight in zip(masks, weights, strict=True):
                counts[mask] = weight[resample, self.prompt[mask]]
            yield counts


def _interval(values: Floats, digits: int = 4) -> list[float]:
    """The value, and where the middle 95 % of its resamples lie; one that was not resampled stands alone."""
    if len(values) == 1:
        return [round(float(values[0]), digits)]
    low, high = np.nanquantile(values[1:], TAIL).tolist()
    return [round(float(values[0]), digits), round(low, digits), round(high, digits)]
