"""What streamed requests bring at each rate, where that peaks, and how two servers differ; pure, from the raw data.

Requests of one queue depend on one another, so intervals draw blocks of neighbours (a circular block bootstrap: Politis
and Romano, 1992). Several comparisons share one error: of m, each holds at 1 - 0.05 / m.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import fmean
from typing import Any

import numpy as np

from profiles.arrays import Floats
from profiles.measures.goodput import (
    Reader,
    ServiceLimits,
    goodput,
    meets,
    metered,
    smooth_goodput,
    tbt_s,
    tpot_s,
    ttft_s,
)
from scripts.bench.goodput.streams import StreamedRequest
from scripts.report import Bar, quantile

RESAMPLES = 2000
ERROR = 0.05
# Rates from which a peak can be told: one below it, and one above.
FEWEST_RATES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPoint:
    """All that arrived at one server in one window at one rate."""

    server: str
    rate_per_s: float
    requests: Sequence[StreamedRequest]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRules:
    """What deliveries are measured by."""

    window_s: float
    objective: ServiceLimits
    reader: Reader


def figures(points: Sequence[LoadPoint], rules: DeliveryRules) -> dict[str, Any]:
    """By server: every rate, and where smooth goodput peaks; then each server beside the first one."""
    servers = list(dict.fromkeys(point.server for point in points))
    by_server = {
        name: sorted((point for point in points if point.server == name), key=lambda point: point.rate_per_s)
        for name in servers
    }
    found = {
        name: {"points": [_point(point, rules) for point in mine]} | _peak(mine, rules)
        for name, mine in by_server.items()
    }
    compared = [_compared(by_server[servers[0]], by_server[other], rules) for other in servers[1:]]
    return {"servers": found, "compared": compared}


def bars(found: Mapping[str, Any]) -> list[Bar]:
    """No errors, benefits within their bounds and, from three rates on, a peak with a rise before and a fall behind."""
    made = []
    for name, server in found["servers"].items():
        points = server["points"]
        errors = sum(point["ended"].get("error", 0) for point in points)
        most = max(point["smooth_over_delivered"] for point in points)
        made.append(Bar(name=f"{name}: errors", value=errors, limit=0, kind="max"))
        made.append(Bar(name=f"{name}: smooth goodput over tokens/s", value=most, limit=1, kind="max"))
        if len(points) >= FEWEST_RATES:
            value = float(server["shape"] == "peaks")
            made.append(Bar(name=f"{name}: rises, peaks and falls", value=value, limit=1, kind="min"))
    return made


def _point(point: LoadPoint, rules: DeliveryRules) -> dict[str, Any]:
    requests, window_s = point.requests, rules.window_s
    deliveries = [request.delivery for request in requests]
    tokens = sum(len(delivery.token_times_s) for delivery in deliveries)
    smooth = smooth_goodput(deliveries, rules.reader, window_s=window_s)
    events = sum(request.num_events for request in requests)
    read = [request.prompt_tokens for request in requests if request.prompt_tokens is not None]
    return {
        "rate_per_s": point.rate_per_s,
        "arrived": len(requests),
        "arrived_per_s": len(requests) / window_s,
        "ended": dict(Counter(request.how for request in requests)),
        "reasons": dict(Counter(request.reason for request in requests if request.reason)),
        "mean_prompt_tokens": fmean(read) if read else None,
        "tokens": tokens,
        "tokens_per_event": tokens / events if events else None,
        "counted_by_the_server": all(request.is_counted for request in requests if request.token_times_s),
        "tokens_per_s": tokens / window_s,
        "ttft_s": _spread([value for d in deliveries if (value := ttft_s(d)) is not None]),
        "tpot_s": _spread([value for d in deliveries if (value := tpot_s(d)) is not None]),
        "tbt_s": _spread([value for d in deliveries for value in tbt_s(d)]),
        "slo_attainment": float(_met(point, rules).mean()),
        "goodput_per_s": goodput(deliveries, rules.objective, window_s=window_s),
        "goodput_interval_per_s": _interval(_per_s(_met(point, rules), window_s)),
        "smooth_tokens_per_s": smooth,
        "smooth_interval_per_s": _interval(_per_s(_benefits(point, rules), window_s)),
        "smooth_over_delivered": smooth * window_s / tokens if tokens else 0.0,
        "sent_late_s": _spread([request.late_s for request in requests]),
    }


def _peak(points: Sequence[LoadPoint], rules: DeliveryRules) -> dict[str, Any]:
    """The rate with the most smooth goodput, and on which sides of it there are rates that are told apart from it."""
    benefits = [_benefits(point, rules) for point in points]
    best = max(range(len(points)), key=lambda i: benefits[i].sum())
    error = ERROR / max(1, len(points) - 1)
    peak = _per_s(benefits[best], rules.window_s)
    # windows of different rates share no request, so they are drawn apart
    less = [
        i != best and _interval(peak - _per_s(other, rules.window_s, seed=i + 1), error)[0] > 0
        for i, other in enumerate(benefits)
    ]
    rises, falls = any(less[:best]), any(less[best + 1 :])
    shapes = {(True, True): "peaks", (True, False): "rises", (False, True): "falls", (False, False): "level"}
    return {
        "shape": shapes[rises, falls] if len(points) > 1 else None,
        "operating_point": {
            "rate_per_s": points[best].rate_per_s,
            "smooth_tokens_per_s": float(benefits[best].sum()) / rules.window_s,
            "is_peak": rises and falls,
        },
    }


def _compared(ours: Sequence[LoadPoint], theirs: Sequence[LoadPoint], rules: DeliveryRules) -> dict[str, Any]:
    """The second server less the first, at the same arrivals; a difference counts if its interval leaves out 0."""
    measures: dict[str, Callable[[LoadPoint, DeliveryRules], Floats]] = {
        "smooth_tokens_per_s": _benefits,
        "goodput_per_s": _met,
    }
    pairs = [(one, other) for one in ours for other in theirs if one.rate_per_s == other.rate_per_s]
    rows = []
    for one, other in pairs:
        row: dict[str, Any] = {"rate_per_s": one.rate_per_s}
        for name, measure in measures.items():
            difference = measure(other, rules) - measure(one, rules)
            interval = _interval(_per_s(difference, rules.window_s), ERROR / len(pairs))
            is_apart = interval[0] > 0 or interval[1] < 0
            value = float(difference.sum()) / rules.window_s
            row[name] = {"difference": value, "interval": interval, "is_told_apart": is_apart}
        rows.append(row)
    return {"first": ours[0].server, "second": theirs[0].server, "rates": rows}


def _benefits(point: LoadPoint, rules: DeliveryRules) -> Floats:
    reader = rules.reader
    return np.array([metered(r.delivery, reader.pace_s).benefit(reader) for r in point.requests])


def _met(point: LoadPoint, rules: DeliveryRules) -> Floats:
    return np.array([float(meets(request.delivery, rules.objective)) for request in point.requests])


def _per_s(values: Floats, window_s: float, *, seed: int = 0) -> Floats:
    """Resampled sums per second, of blocks of neighbours as long as the root of the number of requests."""
    size = len(values)
    length = ceil(sqrt(size))
    lengths = np.full(ceil(size / length), length)
    lengths[-1] = size - length * (len(lengths) - 1)
    starts = np.random.default_rng(seed).integers(size, size=(RESAMPLES, len(lengths)))
    until = np.concatenate([[0.0], np.cumsum(np.concatenate([values, values]))])
    sums: Floats = (until[starts + lengths] - until[starts]).sum(axis=1) / window_s
    return sums


def _interval(resampled: Floats, error: float = ERROR) -> list[float]:
    low, high = np.quantile(resampled, [error / 2, 1 - error / 2])
    return [float(low), float(high)]


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    """None where there is no value."""
    if not values:
        return None
    shares = {f"p{round(100 * share)}": quantile(values, share) for share in (0.5, 0.95, 0.99)}
    return {"mean": fmean(values), **shares, "max": max(values), "number": len(values)}
