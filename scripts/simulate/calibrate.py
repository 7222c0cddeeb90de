"""Engine coefficients fitted to what was timed, by simulating it: a model alone first, then all on one machine."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares, minimize_scalar

from profiles.fitting import fit_latency
from profiles.record import Record
from profiles.trial import Trial
from scripts.simulate.cluster import Cluster
from scripts.simulate.engine import DEFAULT_BLOCK_TOKENS, DEFAULT_CHUNK_TOKENS, Engine
from scripts.simulate.scripted import of_records, of_trials, play
from scripts.simulate.traffic import Floats

_FIELDS = ("overhead_s", "prefill_s_per_token", "decode_s_per_token", "decode_growth")
_LOW = np.array([0.0, 1e-9, 1e-9, 0.0])
_HIGH = np.array([5.0, 1.0, 10.0, 4.0])
# What counts as an outlier, in logarithms of seconds; so many answers weigh as much as the mean of their group.
_OUTLIER = 0.2
_MEAN_WEIGHT = 0.5
# With two replicas at work each may be slowed by this much more than half, by waiting for the other's threads.
_MOST_SHARE = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFit:
    """An engine, and simulated over measured mean latency by the concurrency of the records."""

    engine: Engine
    mean_ratio: Mapping[int, float]
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """`host_share` and simulated over measured mean latency of an attempt in its block; None where none was timed."""

    engines: Mapping[str, EngineFit]
    host_share: float = 0.0
    host_ratio: float | None = None
    has_prefix_cache: bool = True
    is_warm: bool = False

    def cluster(self, models: Sequence[str] | None = None) -> Cluster:
        """One replica of each model on the one machine."""
        chosen = tuple(models or sorted(self.engines))
        return Cluster(
            models=chosen,
            engines=tuple(self.engines[model].engine for model in chosen),
            replicas=(1,) * len(chosen),
            host_share=self.host_share,
            has_prefix_cache=self.has_prefix_cache,
            is_warm=self.is_warm,
        )


def calibrate(
    records: Sequence[Record],
    *,
    slots: int,
    chunk_tokens: int = DEFAULT_CHUNK_TOKENS,
    block_tokens: int = DEFAULT_BLOCK_TOKENS,
    shared: Sequence[Trial] = (),
    clients: int = 1,
    has_prefix_cache: bool = True,
    is_warm: bool = False,
) -> Calibration:
    """Fit every model's engine to its records, and what a machine costs that is shared to `shared` trials.

    Records are closed loops of `concurrency` requests at one model, in their order. `shared` is one block of trials,
    sent by `clients` at once, with all models in use; what is validated later must not be among them. The last two are
    those of the trials' engines, see `Cluster`.
    """
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
    engines = {model: fit_engine(mine, blank) for model, mine in sorted(by_model.items())}
    found = Calibration(engines=engines, has_prefix_cache=has_prefix_cache, is_warm=is_warm)
    return fit_host(found, shared, records, clients=clients) if shared else found


def fit_engine(records: Sequence[Record], blank: Engine) -> EngineFit:
    """Robust least squares of simulated to measured latency, as logarithms; `blank` gives slots and chunk size."""
    groups: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.concurrency].append(record)
    measured = {clients: np.array([r.latency_s for r in mine]) for clients, mine in groups.items()}
    scripts = {clients: of_records(mine) for clients, mine in groups.items()}
    model = records[0].model

    def simulated(values: Floats) -> dict[int, Floats]:
        engine = _with(blank, values)
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
    return EngineFit(engine=_with(blank, fitted), mean_ratio=ratios, records=len(records))


def fit_host(found: Calibration, trials: Sequence[Trial], records: Sequence[Record], *, clients: int) -> Calibration:
    """The share at which the simulated mean latency of an attempt is that of the trials, their choices replayed."""
    scripts = of_trials(trials, records)
    measured = float(np.mean([attempt.latency_s for trial in trials for attempt in trial.tries]))

    def simulated(share: float) -> float:
        cluster = replace(found.cluster(), host_share=share)
        outcome = play(cluster, scripts, clients=clients)
        return float(np.mean([t.latency_s for tries in outcome.tries.values() for t in tries]))

    def distance(share: float) -> float:
        return float(np.log(simulated(share) / measured)) ** 2

    share = float(minimize_scalar(distance, bounds=(0.0, _MOST_SHARE), method="bounded", options={"xatol": 0.01}).x)
    return replace(found, host_share=share, host_ratio=simulated(share) / measured)


def _start(groups: Mapping[int, Sequence[Record]]) -> Floats:
    latency = fit_latency([r for mine in groups.values() for r in mine])
    alone = fit_latency(groups[min(groups)]) if min(groups) == 1 else latency
    return np.array([getattr(alone, name) for name in _FIELDS[:3]] + [0.5 * latency.decode_growth])


def _with(blank: Engine, values: Floats) -> Engine:
    return replace(blank, **dict(zip(_FIELDS, values.tolist(), strict=True)))
