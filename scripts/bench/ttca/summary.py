"""What each policy brought over the prompts that it solved, and LAAR beside it."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from profiles.measures.trial import Trial
from profiles.measures.ttca import ttca_s
from scripts.bench.ttca.data import LAAR, TRIALS, raw, read_trials
from scripts.bench.ttca.plan import RETRIED
from scripts.report import Bar, Report

Trials = Sequence[Trial]


# LAAR's mean and p95 over the solved prompts are to be at most this multiple of another policy's.
MOST_OVER, MOST_OVER_ACCURATE = 0.9, 1.0
ACCURATE = "most-accurate"


def summarise(folder: Path) -> Report:
    """What the trials in a folder say by themselves; ValueError where there are none."""
    parameters, trials = read_trials(raw(folder, TRIALS))
    figures = summary_of(trials)
    bars = [
        Bar(
            name=f"{what} over {policy}",
            value=of["solved"][what],
            limit=MOST_OVER_ACCURATE if policy.removesuffix(RETRIED) == ACCURATE else MOST_OVER,
            kind="max",
        )
        for policy, of in figures.get("laar_over", {}).items()
        for what in ("mean", "p95")
    ]
    environment = parameters.pop("environment")
    return Report(bench="ttca", parameters=parameters, figures=figures, bars=bars, measured_on=environment)


def summary_of(trials: Trials) -> dict[str, Any]:
    """By policy: shares, and mean and p95 of TTCA over its solved prompts; then LAAR's over each other policy's.

    `solved` compares each over its own solved prompts, of those that both have tried, and `both_solved` over those that
    both have solved.
    """
    by_policy: dict[str, list[Trial]] = {}
    for trial in trials:
        by_policy.setdefault(trial.policy, []).append(trial)
    solved = {policy: _solved_s(mine) for policy, mine in by_policy.items()}
    found: dict[str, Any] = {"policies": {policy: _policy(mine, solved[policy]) for policy, mine in by_policy.items()}}
    if LAAR in solved:
        tried = {policy: {trial.prompt_id for trial in mine} for policy, mine in by_policy.items()}
        found["laar_over"] = {
            policy: _ratios(_among(solved[LAAR], tried[policy]), _among(solved[policy], tried[LAAR]))
            for policy in by_policy
            if policy != LAAR
        }
    return found


def _solved_s(trials: Trials) -> dict[str, float]:
    """By prompt."""
    return {trial.prompt_id: time_s for trial in trials if (time_s := ttca_s(trial)) is not None}


def _among(times_s: Mapping[str, float], prompts: Collection[str]) -> dict[str, float]:
    return {prompt: seconds for prompt, seconds in times_s.items() if prompt in prompts}


def _policy(trials: Trials, solved_s: Mapping[str, float]) -> dict[str, Any]:
    count = len(trials)
    mean_s, p95_s = _mean_and_p95(list(solved_s.values()))
    return {
        "prompts": count,
        "solved": len(solved_s) / count,
        "first_right": sum(bool(trial.tries) and trial.tries[0].correct for trial in trials) / count,
        "attempts": sum(len(trial.tries) for trial in trials) / count,
        "errors": sum(bool(trial.error) for trial in trials),
        "mean_s": mean_s,
        "p95_s": p95_s,
    }


def _ratios(ours: Mapping[str, float], theirs: Mapping[str, float]) -> dict[str, Any]:
    both = ours.keys() & theirs.keys()
    return {
        "solved": _ratio(list(ours.values()), list(theirs.values())),
        "both_solved": _ratio([ours[prompt] for prompt in both], [theirs[prompt] for prompt in both])
        | {"prompts": len(both)},
    }


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    mean, p95 = np.divide(_mean_and_p95(ours), _mean_and_p95(theirs)).tolist()
    return {"mean": mean, "p95": p95}


def _mean_and_p95(seconds: Sequence[float]) -> tuple[float, float]:
    """NaN where there are none."""
    return (float(np.mean(seconds)), float(np.quantile(seconds, 0.95))) if seconds else (float("nan"), float("nan"))
