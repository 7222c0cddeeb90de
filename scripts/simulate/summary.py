"""The figures of a simulated run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scripts.simulate.router import Loop
from scripts.simulate.simulation import Outcome
from scripts.simulate.traffic import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Of `count` values in seconds; None where there is no value."""

    count: int
    mean_s: float | None
    p50_s: float | None
    p95_s: float | None

    @classmethod
    def of(cls, values: Floats) -> "Times":
        kept = values[~np.isnan(values)]
        if not len(kept):
            return cls(count=0, mean_s=None, p50_s=None, p95_s=None)
        p50, p95 = np.quantile(kept, [0.5, 0.95]).tolist()
        return cls(count=len(kept), mean_s=float(kept.mean()), p50_s=p50, p95_s=p95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One policy on a simulated cluster.

    `ttca` is over the answerable requests, the unsolved charged what all attempts up to the cap would take at their
    pace; `penalised_s` is the mean over all, with one penalty for the unsolved that is the same for every policy;
    `solved_ttca` is over the solved ones alone. `ttft` and `tpot` are those of the right answers, TTFT from the arrival
    of the request. `busy` is the share of the time that each model's replicas worked.
    """

    policy: str
    loop: Loop
    ttca: Times
    penalised_s: float
    solved_ttca: Times
    success: float
    attempts: float
    ttft: Times
    tpot: Times
    busy: Mapping[str, float]
    shares: Mapping[str, float]
    faults: int
    requests_per_s: float


def summarise(
    outcome: Outcome,
    *,
    policy: str,
    loop: Loop,
    models: Sequence[str],
    cap: int,
    penalty_s: float,
    answerable: NDArray[np.bool_],
) -> Summary:
    """The figures of one outcome; `answerable` says which requests some model would have answered."""
    charged = _charged_s(outcome, cap)
    calls = max(1, sum(outcome.calls))
    return Summary(
        policy=policy,
        loop=loop,
        ttca=Times.of(charged[answerable]),
        penalised_s=float(np.where(outcome.solved, outcome.elapsed_s, penalty_s).mean()),
        solved_ttca=Times.of(np.where(outcome.solved, outcome.elapsed_s, np.nan)),
        success=float(outcome.solved.mean()),
        attempts=float(outcome.attempts.mean()),
        ttft=Times.of(outcome.first_token_s),
        tpot=Times.of(outcome.token_s),
        busy=dict(zip(models, outcome.busy, strict=True)),
        shares={name: made / calls for name, made in zip(models, outcome.calls, strict=True)},
        faults=outcome.faults,
        requests_per_s=len(outcome.elapsed_s) / max(outcome.end_s, 1e-12),
    )


def _charged_s(outcome: Outcome, cap: int) -> Floats:
    """TTCA where solved; else what all `cap` attempts would take at the pace of those that were made."""
    scaled_s = outcome.elapsed_s * cap / np.maximum(outcome.attempts, 1)
    return np.where(outcome.solved, outcome.elapsed_s, scaled_s)
