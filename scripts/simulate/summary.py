"""The figures of a simulated run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profiles.arrays import Floats
from profiles.measures.ttca import PAR_FACTOR
from scripts.simulate.core.router import Loop
from scripts.simulate.core.simulation import Results
from scripts.simulate.settings import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSummary:
    """Of `count` values in seconds; None where there is no value."""

    count: int
    mean_s: float | None
    p50_s: float | None
    p95_s: float | None

    @classmethod
    def of(cls, values: Floats) -> "TimeSummary":
        kept = values[~np.isnan(values)]
        if not len(kept):
            return cls(count=0, mean_s=None, p50_s=None, p95_s=None)
        p50, p95 = np.quantile(kept, [0.5, 0.95]).tolist()
        return cls(count=len(kept), mean_s=float(kept.mean()), p50_s=p50, p95_s=p95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One policy on a simulated cluster.

    `ttca`, `penalised_s` and `solved_ttca` are the readings (i), (ii) and (iii) of `profiles.measures.ttca`. `ttft` and
    `tpot` are those of the right answers, TTFT from the arrival of the request. `busy` is the share of the time that
    each model's replicas worked.
    """

    policy: str
    loop: Loop
    ttca: TimeSummary
    penalised_s: float
    solved_ttca: TimeSummary
    success: float
    attempts: float
    ttft: TimeSummary
    tpot: TimeSummary
    busy: Mapping[str, float]
    shares: Mapping[str, float]
    faults: int
    requests_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulatedCharging:
    """What all policies of a run share, as in `profiles.measures.ttca`, but with arrays over the requests.

    `answerable` says which of them some model answers; `attempt_s` is the price of an attempt that was not made.
    """

    cap: int
    answerable: NDArray[np.bool_]
    attempt_s: Floats
    penalty_s: float

    @classmethod
    def of(cls, outcomes: Sequence[Results], *, answerable: NDArray[np.bool_], cap: int) -> "SimulatedCharging":
        longest_s = np.max([outcome.longest_s for outcome in outcomes], axis=0)
        if not longest_s.any():
            raise SettingsError("no attempt took any time, so that there is no price for one")
        return cls(
            cap=cap,
            answerable=answerable,
            attempt_s=np.where(longest_s > 0, longest_s, longest_s.max()),
            penalty_s=PAR_FACTOR * max(float(outcome.elapsed_s.max()) for outcome in outcomes),
        )

    def charged_s(self, outcome: Results) -> Floats:
        return charged_s(outcome, cap=self.cap, attempt_s=self.attempt_s)

    def penalised_s(self, outcome: Results) -> Floats:
        return np.where(outcome.solved, outcome.elapsed_s, self.penalty_s)


def charged_s(outcome: Results, *, cap: int, attempt_s: Floats) -> Floats:
    """TTCA where solved, else all attempts up to the cap: `profiles.measures.ttca.charged_s`, over arrays."""
    own_s = outcome.elapsed_s / np.maximum(outcome.attempts, 1)
    left_s = (cap - outcome.attempts) * np.maximum(attempt_s, own_s)
    # none of them took longer than `attempt_s`, the longest attempt of any policy
    too_quick_s = np.maximum(0.0, outcome.errors * attempt_s - outcome.error_s)
    return np.where(outcome.solved, outcome.elapsed_s, outcome.elapsed_s + too_quick_s + left_s)


def summarise(
    outcome: Results, charging: SimulatedCharging, *, policy: str, loop: Loop, models: Sequence[str]
) -> Summary:
    """The figures of one outcome."""
    calls = max(1, sum(outcome.calls))
    return Summary(
        policy=policy,
        loop=loop,
        ttca=TimeSummary.of(charging.charged_s(outcome)[charging.answerable]),
        penalised_s=float(charging.penalised_s(outcome).mean()),
        solved_ttca=TimeSummary.of(np.where(outcome.solved, outcome.elapsed_s, np.nan)),
        success=float(outcome.solved.mean()),
        attempts=float(outcome.attempts.mean()),
        ttft=TimeSummary.of(outcome.first_token_s),
        tpot=TimeSummary.of(outcome.token_s),
        busy=dict(zip(models, outcome.busy, strict=True)),
        shares={name: made / calls for name, made in zip(models, outcome.calls, strict=True)},
        faults=outcome.faults,
        requests_per_s=len(outcome.elapsed_s) / max(outcome.end_s, 1e-12),
    )
