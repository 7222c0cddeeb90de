"""Time to a correct answer by load, every policy with the same retries, from the trials alone."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from profiles.measures.trial import Trial
from profiles.measures.ttca import (
    charged_s,
    longest_attempts_s,
    mean_by_prompt,
    paired_bootstrap,
    par_penalty_s,
    readings,
)
from scripts.report import Bar, quantile

LAAR = "laar"
RESAMPLES = 2000
MOST_OVER_BEST = 1.03
# A client that waits longer for its own core measures the machine's other work.
MOST_LATE_S = 0.02
# of the requests of a block; they find engines that are still idle
WARM_UP = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTrial:
    """A trial of one block: its load is a share of the capacity, and each seed has other requests.

    The block was played so many times until the client was not held up.
    """

    load: float
    seed: int
    plays: int
    trial: Trial


def figures(
    trials: Sequence[LoadedTrial], *, answerable: AbstractSet[str], cap: int, fluid_s: Mapping[float, float]
) -> list[dict[str, Any]]:
    """A point for each load: reading (i) of each policy, and laar over the best other one with its interval."""
    blocks: dict[tuple[float, int, str], list[Trial]] = {}
    for one in trials:
        blocks.setdefault((one.load, one.seed, one.trial.policy), []).append(one.trial)
    by_load: dict[float, list[list[Trial]]] = {}
    for (load, _, _), block in blocks.items():
        by_load.setdefault(load, []).append(block)
    again = {(one.load, one.seed, one.trial.policy): one.plays - 1 for one in trials}
    return [
        {
            "load": load,
            "fluid_s": fluid_s[load],
            "client_late_s": max(map(late_s, mine)),
            "played_again": sum(number for (of, _, _), number in again.items() if of == load),
        }
        | _point([trial for block in mine for trial in warmed(block)], answerable, cap)
        for load, mine in sorted(by_load.items())
    ]


def bars(points: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """laar is at most a little behind the best of the others at every load, and no request failed."""
    worst = max(point["laar_over_best"]["value"] for point in points)
    failed = sum(policy["errors"] for point in points for policy in point["policies"].values())
    return [
        Bar(name="laar over the best other policy", value=worst, limit=MOST_OVER_BEST, kind="max"),
        Bar(name="requests that failed", value=failed, limit=0, kind="max"),
        Bar(name="client late, s", value=max(p["client_late_s"] for p in points), limit=MOST_LATE_S, kind="max"),
    ]


def late_s(block: Sequence[Trial]) -> float:
    """How late the client's timers fired on average while a block was played."""
    return fmean([trial.client_late_s or 0.0 for trial in block])


def warmed(block: Sequence[Trial]) -> list[Trial]:
    """A block without the requests that came first."""
    return sorted(block, key=lambda trial: trial.sent_s)[round(WARM_UP * len(block)) :]


def _point(trials: Sequence[Trial], answerable: AbstractSet[str], cap: int) -> dict[str, Any]:
    by_policy: dict[str, list[Trial]] = {}
    for trial in trials:
        by_policy.setdefault(trial.policy, []).append(trial)
    attempt_s, penalty_s = longest_attempts_s(trials), par_penalty_s(trials)
    asked = answerable & {trial.prompt_id for trial in trials}
    charges, found = {}, {}

    def charge(trial: Trial) -> float:
        return charged_s(trial, cap, attempt_s=attempt_s[trial.prompt_id])

    for policy, mine in by_policy.items():
        charges[policy] = mean_by_prompt((trial for trial in mine if trial.prompt_id in asked), charge)
        read = readings(mine, answerable=asked, cap=cap, attempt_s=attempt_s, penalty_s=penalty_s)
        seconds = [charge(trial) for trial in mine if trial.prompt_id in asked]
        found[policy] = {
            "mean_s": read.answerable_s,
            "p95_s": quantile(seconds, 0.95),
            "p99_s": quantile(seconds, 0.99),
            "penalised_s": read.penalised_s,
            "success_rate": read.success_rate,
            "mean_attempts": read.mean_attempts,
            "errors": read.num_errors,
            "trials": read.num_trials,
        }
    best = min((name for name in found if name != LAAR), key=lambda name: fmean(charges[name].values()))
    ratio = paired_bootstrap(charges[LAAR], charges[best], seed=0, num_resamples=RESAMPLES)
    return {
        "policies": found,
        "best_other": best,
        "laar_over_best": {"value": ratio.value, "low": ratio.low, "high": ratio.high, "prompts": ratio.num_prompts},
    }
