"""Engine coefficients fitted to records that were timed, by simulating how they were asked."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

from profiles.fitting import fit_latency
from profiles.record import Record
from scripts.simulate.cluster import Cluster
from scripts.simulate.engine import DEFAULT_BLOCK_TOKENS, DEFAULT_CHUNK_TOKENS, Engine
from scripts.simulate.scripted import of_records, play
from scripts.simulate.traffic import Floats

FIELDS = ("overhead_s", "prefill_s_per_token", "decode_s_per_token", "decode_growth")
_LOW = np.array([0.0, 1e-9, 1e-9, 0.0])
_HIGH = np.array([5.0, 1.0, 10.0, 4.0])
# What counts as an outlier, in logarithms of seconds; so many answers weigh as much as the mean of their group.
_OUTLIER = 0.2
_MEAN_WEIGHT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFit:
    """An engine, and simulated over measured mean latency by the concurrency of the records."""

    engine: Engine
    mean_ratio: Mapping[int, float]
    records: int


def calibrate(
    records: Sequence[Record],
    *,
    slots: int,
    chunk_tokens: int = DEFAULT_CHUNK_TOKENS,
    block_tokens: int = DEFAULT_BLOCK_TOKENS,
) -> dict[str, EngineFit]:
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


def fit_engine(records: Sequence[Record], blank: Engine) -> EngineFit:
    """Robust least squares of simulated to measured latency, as logarithms; `blank` gives slots and chunk size."""
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

    def residuals(values: Floats) -> Floats:
        found = simulated(values)
        parts: list[Floats] = []
        for clients, seconds in found.items():
            parts.append(np.log(np.maximum(seconds, 1e-6) / measured[clients]))
            weight = _MEAN_WEIGHT * np.sqrt(len(seconds))
            parts.append(np.array([weight * np.log(seconds.mean() / measured[clients].mean())]))
        return np.concatenate(parts)

    start = np.clip(_start(groups), _LOW + 1e-6, _HIGH - 1e-6)
    scale = np.maximum(start, [0.05, 1e-4, 1e-3, 0.05])
    fitted = least_squares(
        residuals,
        start,
        bounds=(_LOW, _HIGH),
        x_scale=scale,
        diff_step=0.02 * scale / np.maximum(start, 1e-9),
        loss="soft_l1",
        f_scale=_OUTLIER,
        max_nfev=30,
    ).x
    last = simulated(fitted)
    ratios = {clients: float(last[clients].mean() / measured[clients].mean()) for clients in sorted(last)}
    return EngineFit(engine=with_coefficients(blank, fitted), mean_ratio=ratios, records=len(records))


def _start(groups: Mapping[int, Sequence[Record]]) -> Floats:
    latency = fit_latency([r for mine in groups.values() for r in mine])
    alone = fit_latency(groups[min(groups)]) if min(groups) == 1 else latency
    return np.array([getattr(alone, name) for name in FIELDS[:3]] + [0.5 * latency.decode_growth])


def with_coefficients(blank: Engine, values: Floats) -> Engine:
    """The engine with other values of FIELDS."""
    return replace(blank, **dict(zip(FIELDS, values.tolist(), strict=True)))
