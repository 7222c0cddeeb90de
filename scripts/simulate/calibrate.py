"""Engine coefficients fitted to records that were timed, by simulating how they were asked."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from profiles.fitting import fit_latency
from profiles.record import Record
from scripts.simulate.cluster import Cluster
from scripts.simulate.engine import DEFAULT_BLOCK_TOKENS, DEFAULT_CHUNK_TOKENS, Engine
from scripts.simulate.scripted import of_records, play
from scripts.simulate.traffic import Floats

FIELDS = ("overhead_s", "prefill_s_per_token", "decode_s_per_token", "decode_growth")
# A coefficient of nothing could not be multiplied.
LEAST = np.array([0.05, 1e-5, 1e-4, 0.02])
# How far the first simplex reaches, in logarithms, and how often a new one begins where the last one ended: it may have
# shrunk where nothing was to be found.
_REACH, _SIMPLEXES, _STEPS = 0.35, 3, 400
# What counts as an outlier, in logarithms of seconds; so many answers weigh as much as the mean of their group.
_OUTLIER = 0.2
_MEAN_WEIGHT = 0.5


def calibrate(
    records: Sequence[Record],
    *,
    slots: int,
    chunk_tokens: int = DEFAULT_CHUNK_TOKENS,
    block_tokens: int = DEFAULT_BLOCK_TOKENS,
) -> dict[str, Engine]:
    """Fit every model's engine to its records: closed loops of `concurrency` requests at one model, in their order."""
    by_model: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_model[record.model].append(record)
    blank = Engine(
        overhead_s=0.0,
        prefill_s_per_token=0.0,
        decode_s_per_token=0.0,
        decode_growth=0.0,
        slots=slots,
        chunk_tokens=chunk_tokens,
        block_tokens=block_tokens,
    )
    return {model: fit_engine(mine, blank) for model, mine in sorted(by_model.items())}


def fit_engine(records: Sequence[Record], blank: Engine) -> Engine:
    """Simulated latencies nearest to the measured, as logarithms, outliers less; `blank` gives slots and chunk size."""
    groups: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.concurrency].append(record)
    measured = {clients: np.array([r.latency_s for r in mine]) for clients, mine in groups.items()}
    scripts = {clients: of_records(mine) for clients, mine in groups.items()}
    model = records[0].model

    def simulated(values: Floats) -> dict[int, Floats]:
        engine = with_coefficients(blank, values)
        cluster = Cluster(models=(model,), engines=(engine,), replicas=(1,))
        return {clients: play(cluster, asked, clients=clients).elapsed_s for clients, asked in scripts.items()}

    def off(logs: Floats) -> float:
        found = simulated(np.exp(logs))
        parts: list[Floats] = []
        for clients, seconds in found.items():
            parts.append(np.log(np.maximum(seconds, 1e-6) / measured[clients]))
            weight = _MEAN_WEIGHT * np.sqrt(len(seconds))
            parts.append(np.array([weight * np.log(seconds.mean() / measured[clients].mean())]))
        return float(np.sum(np.sqrt(1 + (np.concatenate(parts) / _OUTLIER) ** 2) - 1))

    return with_coefficients(blank, np.exp(descend(off, np.log(np.maximum(_start(groups), LEAST)))))


def descend(off: Callable[[Floats], float], start: Floats) -> Floats:
    """Where `off` is least, near the start, by Nelder and Mead.

    A closed loop is no smooth function of its engines: a little slower, and requests meet others.
    """
    best = start
    for _ in range(_SIMPLEXES):
        simplex = best + np.vstack([np.zeros_like(start), -_REACH * np.eye(len(start))])
        options = {"maxfev": _STEPS, "initial_simplex": simplex, "xatol": 1e-3, "fatol": 1e-6}
        best = minimize(off, best, method="Nelder-Mead", options=options).x
    return best


def _start(groups: Mapping[int, Sequence[Record]]) -> Floats:
    latency = fit_latency([r for mine in groups.values() for r in mine])
    alone = fit_latency(groups[min(groups)]) if min(groups) == 1 else latency
    return np.array([getattr(alone, name) for name in FIELDS[:3]] + [0.5 * latency.decode_growth])


def with_coefficients(blank: Engine, values: Floats) -> Engine:
    """The engine with other values of FIELDS."""
    return replace(blank, **dict(zip(FIELDS, values.tolist(), strict=True)))
