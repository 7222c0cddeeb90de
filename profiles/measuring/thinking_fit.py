"""What a thinking-token budget brings and costs: p(l) = floor + gain (1 - exp(-rate l)), t(l) = base_s + token_s l.

The curve of accuracy is the binomial maximum likelihood, its intervals are those of the profile likelihood; the line
of latency is fitted by weighted least squares. Both are functions of the budget, not of the tokens that were used:
a model that stops thinking early makes the line flatter, which is what its budget then costs.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy.optimize import nnls
from scipy.special import chdtri, stdtrit, xlog1py, xlogy

from profiles.arrays import Floats
from profiles.cell import Buckets
from profiles.measuring.measurement import Record
from profiles.profile import CurveParameter, ThinkingCurve, ThinkingPoint

Interval = tuple[float, float]

CONFIDENCE = 0.95
# A task gets one curve whatever there is; a language or bucket of it gets its own from this much.
LEAST_BUDGETS = 3
LEAST_TRIED = 30
# Points that are farther from their curve than happens by chance so rarely have another form.
BY_CHANCE = 0.001
# Time that does not grow with the budget is given this slope, since whoever sets budgets needs them to cost something.
LEAST_TOKEN_S = 1e-6
# A rate outside these multiples of the budgets' inverses looks like a straight line or like a step, whatever it is.
SLOWEST, FASTEST = 0.1, 10.0
# Steps of each parameter in one look at the likelihood, and how often the box is narrowed to where it is high.
_STEPS = 33
_LOOKS = 4


def fit_thinking(records: Iterable[Record], buckets: Buckets) -> tuple[ThinkingCurve, ...]:
    """The curves of one model: one a task, and one for each language, bucket and both with enough data of its own."""
    groups: dict[tuple[str, str | None, int | None], list[Record]] = defaultdict(list)
    for record in records:
        if record.thinking_tokens is not None:
            task, own_language, own_bucket = record.cell(buckets)
            for language in (None, own_language):
                for bucket in (None, own_bucket):
                    groups[task, language, bucket].append(record)
    return tuple(
        _fit(task, language, bucket, groups[task, language, bucket])
        for task, language, bucket in sorted(groups, key=lambda k: (k[0], k[1] or "", -1 if k[2] is None else k[2]))
        if _is_enough(groups[task, language, bucket], is_whole=language is None and bucket is None)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyFit:
    floor: float
    gain: float
    rate: float
    intervals: Mapping[CurveParameter, Interval]


def fit_accuracy(budgets: Sequence[int], correct: Sequence[int], tried: Sequence[int]) -> AccuracyFit:
    """Maximum likelihood within 0 <= floor, 0 <= gain, floor + gain <= 1 and the rates that the budgets can tell.

    Searched on a grid that narrows to where the likelihood is high, so that neither bounds nor flat stretches
    mislead it. Where several parameters are equally likely, the least gain is taken.
    """
    data = _Counts(np.array(budgets, float), np.array(correct, float), np.array(tried, float))
    positive = data.budgets[data.budgets > 0]
    rates = np.log((SLOWEST / positive.max(), FASTEST / positive.min()))
    box = np.array([(0.0, 1.0), (0.0, 1.0), rates])
    drop = float(chdtri(1, 1 - CONFIDENCE)) / 2
    # a grid misses the tips of what lies aslant in it, so that each of the two finds a part of every interval
    by_rise, by_gain = (_searched(data, _look(data, box, by_gain=b), 1.2 * drop) for b in (False, True))
    floor, gain, rate = _searched(data, by_rise, 0.02).best()
    found = {"floor": floor, "gain": gain, "rate": rate}
    ranges = (by_rise.ranges(drop), by_gain.ranges(drop), {name: (value, value) for name, value in found.items()})
    held = {name: (min(r[name][0] for r in ranges), max(r[name][1] for r in ranges)) for name in found}
    slowest, fastest = np.exp(rates).tolist()
    held["rate"] = (max(held["rate"][0], slowest), min(held["rate"][1], fastest))
    return AccuracyFit(floor=floor, gain=gain, rate=rate, intervals=cast(Mapping[CurveParameter, Interval], held))


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeFit:
    base_s: float
    token_s: float
    intervals: Mapping[CurveParameter, Interval]


def fit_time(budgets: Sequence[int], latencies_s: Sequence[float]) -> TimeFit:
    """Weighted least squares with base_s >= 0 and token_s > 0, and 95 % intervals by Student's t.

    The spread of a latency is taken to grow with its mean at that budget, which so gives the weights.
    """
    x, y = np.array(budgets, float), np.array(latencies_s, float)
    spread = np.array([max(y[x == budget].mean(), 1e-9) for budget in x])
    rows, values = np.stack([np.ones_like(x), x], axis=1) / spread[:, None], y / spread
    (base_s, token_s), _ = nnls(rows, values)
    free, *_ = np.linalg.lstsq(rows, values)
    degrees = len(y) - 2
    variance = float(((values - rows @ free) ** 2).sum()) / degrees
    half = stdtrit(degrees, (1 + CONFIDENCE) / 2) * np.sqrt(variance * np.diag(np.linalg.inv(rows.T @ rows)))
    found = {"base_s": float(base_s), "token_s": max(float(token_s), LEAST_TOKEN_S)}
    bounds = zip(found.items(), free.tolist(), half.tolist(), strict=True)
    intervals = {n: (max(0.0, min(v, f - h)), max(v, f + h)) for (n, v), f, h in bounds}
    return TimeFit(**found, intervals=cast(Mapping[CurveParameter, Interval], intervals))


def is_s_shaped(curve: ThinkingCurve) -> bool:
    """Whether its points rise late, so that no curve of this form has them: nothing below some budget, much above.

    The points have to be far from the curve, less than one time in a thousand by chance, below it at some budget and
    above it at a larger one.
    """
    if len(curve.points) <= LEAST_BUDGETS:
        return False
    budgets, correct, tried = (
        np.array([float(getattr(point, name)) for point in curve.points]) for name in ("budget", "correct", "tried")
    )
    told = np.clip(curve.floor + curve.gain * -np.expm1(-curve.rate * budgets), 1e-6, 1 - 1e-6)
    seen = correct / np.maximum(tried, 1.0)
    likelier = xlogy(correct, seen / told) + xlogy(tried - correct, (1 - seen) / (1 - told))
    if 2 * float(likelier.sum()) <= chdtri(len(budgets) - 3, BY_CHANCE):
        return False
    off = (seen - told) / np.sqrt(told * (1 - told) / np.maximum(tried, 1.0))
    return bool((off[:-1].min(initial=0.0) < -2) and off[int(off[:-1].argmin()) :].max() > 2)


@dataclass(frozen=True, slots=True)
class _Counts:
    budgets: Floats
    correct: Floats
    tried: Floats


@dataclass(frozen=True, slots=True)
class _Look:
    """The log-likelihood on a grid of floor, rise or gain, and log rate.

    Rise is what the largest budget adds to the floor. It is known almost independently of the rate, which the gain
    is not where the curve is far from level at the largest budget.
    """

    axes: tuple[Floats, Floats, Floats]
    gain: Floats
    likelihood: Floats
    by_gain: bool

    def narrowed(self, drop: float) -> Floats:
        """The smallest box, one step wider on each side, that holds all that is within `drop` of the best."""
        inside = self.likelihood >= self.likelihood.max() - drop
        box = []
        for number, axis in enumerate(self.axes):
            kept = np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {number})))
            box.append((axis[max(0, kept[0] - 1)], axis[min(len(axis) - 1, kept[-1] + 1)]))
        return np.array(box)

    def ranges(self, drop: float) -> dict[str, Interval]:
        """From the lowest to the highest value within `drop` of the best.

        An end lies somewhere between the last step inside and the next, so half a step is added along each axis.
        """
        inside = self.likelihood >= self.likelihood.max() - drop
        floors, middles, rates = np.nonzero(inside)
        floor, middle, log_rate = (axis[found] for axis, found in zip(self.axes, (floors, middles, rates), strict=True))
        half = [(axis[1] - axis[0]) / 2 for axis in self.axes]
        gain, gain_half = (middle, half[1]) if self.by_gain else (self.gain[inside], 0.0)
        return {
            "floor": (max(0.0, float(floor.min() - half[0])), min(1.0, float(floor.max() + half[0]))),
            "gain": (max(0.0, float(gain.min() - gain_half)), min(1.0, float(gain.max() + gain_half))),
            "rate": (float(np.exp(log_rate.min() - half[2])), float(np.exp(log_rate.max() + half[2]))),
        }

    def best(self) -> tuple[float, float, float]:
        """floor, gain and rate of the most likely point; of several the one of least gain."""
        ties = self.likelihood >= self.likelihood.max() - 1e-9
        index = np.unravel_index(np.where(ties, self.gain, np.inf).argmin(), ties.shape)
        floor, gain = float(self.axes[0][index[0]]), float(self.gain[index])
        return floor, min(gain, 1 - floor), float(np.exp(self.axes[2][index[2]]))


def _searched(data: _Counts, look: _Look, drop: float) -> _Look:
    """The same, narrowed step by step to all that is within `drop` of the best."""
    for _ in range(_LOOKS):
        look = _look(data, look.narrowed(drop), by_gain=look.by_gain)
    return look


def _look(data: _Counts, box: Floats, *, by_gain: bool) -> _Look:
    floor, middle, log_rate = (np.linspace(low, high, _STEPS) for low, high in box)
    grown = -np.expm1(-np.exp(log_rate)[:, None] * data.budgets)
    most = 1.0 if by_gain else -np.expm1(-np.exp(log_rate) * data.budgets.max())
    gain = np.broadcast_to(middle[None, :, None] / most, (_STEPS,) * 3)
    chance = floor[:, None, None, None] + gain[..., None] * grown
    is_allowed = floor[:, None, None] + gain <= 1 + 1e-12
    chance = np.clip(np.where(is_allowed[..., None], chance, 0.5), 0.0, 1.0)
    likelihood = (xlogy(data.correct, chance) + xlog1py(data.tried - data.correct, -chance)).sum(axis=-1)
    return _Look((floor, middle, log_rate), gain, np.where(is_allowed, likelihood, -np.inf), by_gain)


def _is_enough(records: Sequence[Record], *, is_whole: bool) -> bool:
    """Two budgets and a spread are the least for any line; a part of a task must also be worth a curve of its own."""
    tried: dict[int | None, int] = defaultdict(int)
    for record in records:
        tried[record.thinking_tokens] += 1
    if len(tried) < 2 or len(records) < 3:
        return False
    return is_whole or (len(tried) >= LEAST_BUDGETS and min(tried.values()) >= LEAST_TRIED)


def _fit(task: str, language: str | None, bucket: int | None, records: Sequence[Record]) -> ThinkingCurve:
    by_budget: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        assert record.thinking_tokens is not None
        by_budget[record.thinking_tokens].append(record)
    timed = _timed(by_budget)
    points = tuple(
        ThinkingPoint(
            budget=budget,
            correct=sum(r.correct for r in found),
            tried=len(found),
            mean_latency_s=float(np.mean([r.latency_s for r in timed[budget]])),
        )
        for budget, found in sorted(by_budget.items())
    )
    accuracy = fit_accuracy([p.budget for p in points], [p.correct for p in points], [p.tried for p in points])
    pairs = [(budget, r.latency_s) for budget, found in timed.items() for r in found]
    time = fit_time([budget for budget, _ in pairs], [latency_s for _, latency_s in pairs])
    return ThinkingCurve(
        task=task,
        language=language,
        bucket=bucket,
        base_s=time.base_s,
        token_s=time.token_s,
        gain=accuracy.gain,
        rate=accuracy.rate,
        floor=accuracy.floor,
        max_tokens=max(by_budget),
        intervals={**time.intervals, **accuracy.intervals},
        points=points,
    )


def _timed(by_budget: Mapping[int, Sequence[Record]]) -> dict[int, list[Record]]:
    """What was asked alone, whose latency is all its own; where a budget has too little of that, everything."""
    alone = {budget: [r for r in found if r.concurrency == 1] for budget, found in by_budget.items()}
    is_enough = all(alone.values()) and sum(map(len, alone.values())) > 2
    return alone if is_enough else {budget: list(found) for budget, found in by_budget.items()}
