"""The figures of `laar bench ttca` and their bars, all of them from the raw data."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

import numpy as np

from profiles.measures.trial import Trial
from profiles.measures.ttca import (
    charged_s,
    longest_attempts_s,
    mean_by_prompt,
    paired_bootstrap,
    par_penalty_s,
    penalised_s,
    readings,
    success_at,
    success_within,
    ttca_s,
)
from scripts.bench.publish.bounds import Bounds, bounds_of
from scripts.bench.ttca.data import LAAR, AskedPrompt, ComparedTrials
from scripts.report import Bar

MOST_OVER = {"load-aware": 0.69, "session-affinity": 0.51}
MOST_OVER_STATIC = 1.10
LEAST_REQUESTS, LEAST_LANGUAGES, LEAST_LENGTHS = 300, 6, 3
MOST_ANSWERED_ALONE = 0.80
# A client that waits longer for its own core measures itself.
MOST_CLIENT_LATE_S = 0.02
# Five beats of the client's timer, see `ttca_run`: a shorter trial may have been between two.
SHORTEST_TIMED_S = 0.1
# For the 95 % intervals of ratios.
RESAMPLES = 10_000
Charges = Mapping[str, float]
Compare = Callable[[Charges, Charges], dict[str, Any]]


class Charging:
    """What all policies share: the answerable prompts, the price of an attempt not made, the penalty."""

    def __init__(self, compared: ComparedTrials) -> None:
        trials = [trial for of_policy in compared.trials.values() for trial in of_policy]
        self.cap: int = compared.parameters["cap"]
        self.answerable = frozenset(prompt.id for prompt in compared.prompts if prompt.is_answerable)
        self.attempt_s = longest_attempts_s(trials)
        self.penalty_s = par_penalty_s(trials)

    def answerable_s(self, trials: Sequence[Trial]) -> dict[str, float]:
        """Reading (i) by prompt."""
        asked = (trial for trial in trials if trial.prompt_id in self.answerable)
        return mean_by_prompt(asked, lambda t: charged_s(t, self.cap, attempt_s=self.attempt_s[t.prompt_id]))

    def penalised_s(self, trials: Sequence[Trial]) -> dict[str, float]:
        """Reading (ii) by prompt."""
        return mean_by_prompt(trials, lambda trial: penalised_s(trial, self.penalty_s))


def figures_of(compared: ComparedTrials, *, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Everything that is published of a run, in seconds and shares; raises ValueError where nothing is comparable."""
    charging = Charging(compared)
    for name, trials in compared.trials.items():
        if not charging.answerable_s(trials):
            raise ValueError(f"no model answers any of the {len(trials)} prompts of '{name}' that are compared")

    def over(ours: Charges, theirs: Charges) -> dict[str, Any]:
        seed: int = compared.parameters["seed"]
        return asdict(paired_bootstrap(ours, theirs, seed=seed, num_resamples=resamples))

    by_id = {prompt.id: prompt for prompt in compared.prompts}
    return {
        "prompts": _prompts(compared),
        "missing": compared.missing,
        "policies": {name: _policy(trials, by_id, charging) for name, trials in compared.trials.items()},
        "laar_over": _over_others(compared, charging, over),
        "success_within": _within(compared),
        "bounds": _bounds(compared, charging, over),
        "tasks": {name: _tasks(compared, trials, charging) for name, trials in compared.trials.items() if name != LAAR},
        "before": _before(compared, charging),
        "cells_s": {name: _cells(compared.prompts, compared.trials[name], charging) for name in compared.whole},
    }


def bars_of(figures: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[Bar]:
    """Every bar, whether its figure could be computed or not: one that could not is not a number and falls short."""
    prompts, bounds = figures["prompts"], figures["bounds"]
    over_static = MOST_OVER_STATIC
    others = sorted({*parameters["policies"], *figures["policies"]} - {LAAR})
    return [
        *(
            _at_most(f"laar_over_{name}", _ratio(figures["laar_over"].get(name)), most)
            for name, most in MOST_OVER.items()
        ),
        *(_at_least(f"success_above_{name}", _more_success(figures, name), 0) for name in others),
        _at_most("laar_over_best_static", _ratio(bounds.get("laar_over_best_static")), over_static),
        _at_most("laar_replayed_over_best_static", _ratio(bounds.get("replayed_over_best_static")), over_static),
        _at_least("requests_per_policy", _fewest(figures, {LAAR, *MOST_OVER, *others}), LEAST_REQUESTS),
        _at_least("languages", len(prompts["languages"]), LEAST_LANGUAGES),
        _at_least("lengths_in_every_language", min(prompts["languages"].values()), LEAST_LENGTHS),
        _at_most("answered_by_one_model_alone", max(prompts["answered_by"].values()), MOST_ANSWERED_ALONE),
        _at_most("client_late_s", _latest_client_s(figures), MOST_CLIENT_LATE_S),
    ]


def _prompts(compared: ComparedTrials) -> dict[str, Any]:
    """What was asked; `answered_by` and `answered_only_by` are shares of the answerable prompts."""
    right = [{m for m, record in p.answers.items() if record.correct} for p in compared.prompts if p.is_answerable]
    lengths: dict[str, set[int]] = defaultdict(set)
    for prompt in compared.prompts:
        lengths[prompt.language].add(prompt.target_tokens)
    return {
        "compared": len(compared.prompts),
        "answerable": len(right),
        "tasks": dict(sorted(Counter(prompt.task for prompt in compared.prompts).items())),
        "languages": {language: len(found) for language, found in sorted(lengths.items())},
        "target_tokens": sorted(set().union(*lengths.values())),
        "answered_by": {model: fmean(model in models for models in right) for model in compared.models},
        "answered_only_by": {model: fmean(models == {model} for models in right) for model in compared.models},
    }


def _policy(trials: Sequence[Trial], by_id: Mapping[str, AskedPrompt], charging: Charging) -> dict[str, Any]:
    charges = charging.answerable_s(trials)
    found = readings(
        trials,
        answerable=charges.keys(),
        cap=charging.cap,
        attempt_s=charging.attempt_s,
        penalty_s=charging.penalty_s,
    )
    times = list(charges.values())
    made = Counter(len(trial.tries) for trial in trials if trial.is_solved)
    return asdict(found) | {
        "success_at": list(found.success_at),
        "answerable_p50_s": float(np.quantile(times, 0.5)),
        "answerable_p95_s": float(np.quantile(times, 0.95)),
        "answerable_unsolved": sum(not t.is_solved for t in trials if t.prompt_id in charging.answerable),
        "verdicts_unlike_recorded": _unlike_recorded(trials, by_id),
        "prompts_per_s": len(trials) / sum(_ends_s(trials).values()),
        "client_late_s": _client_late_s(trials),
        "solved_after_attempts": {str(count): made[count] for count in sorted(made)},
    }


def _unlike_recorded(trials: Sequence[Trial], by_id: Mapping[str, AskedPrompt]) -> float | None:
    """The share of attempts with another verdict than the same model had for the same prompt when all were asked."""
    pairs = [
        (attempt.correct, by_id[trial.prompt_id].answers[attempt.model].correct)
        for trial in trials
        for attempt in trial.tries
        if attempt.model in by_id[trial.prompt_id].answers
    ]
    return fmean(now != before for now, before in pairs) if pairs else None


def _ends_s(trials: Sequence[Trial]) -> dict[int, float]:
    """When the last trial of each block was over, in seconds from its start."""
    ends: dict[int, float] = defaultdict(float)
    for trial in trials:
        ends[trial.block] = max(ends[trial.block], trial.sent_s + trial.elapsed_s)
    return ends


def _client_late_s(trials: Sequence[Trial]) -> float | None:
    """The mean over trials; None where one lacks it that was long enough to be timed."""
    if any(trial.client_late_s is None and trial.elapsed_s > SHORTEST_TIMED_S for trial in trials):
        return None
    late_s = [trial.client_late_s for trial in trials if trial.client_late_s is not None]
    return fmean(late_s) if late_s else None


def _latest_client_s(figures: Mapping[str, Any]) -> float:
    """Of the policy that it was worst for; not a number where any policy lacks it."""
    late_s = [of["client_late_s"] for of in figures["policies"].values()]
    return math.nan if None in late_s else max(late_s)


def _over_others(compared: ComparedTrials, charging: Charging, over: Compare) -> dict[str, Any]:
    """LAAR on each other policy's prompts, and its mean over the other's, readings (i) and (ii)."""

    def beside(trials: Sequence[Trial]) -> dict[str, Any]:
        ours = _ours(compared, trials)
        ours_i = charging.answerable_s(ours)
        return {
            "laar_answerable_s": fmean(ours_i.values()),
            "laar_success_rate": success_at(ours, charging.cap),
            "answerable": over(ours_i, charging.answerable_s(trials)),
            "penalised": over(charging.penalised_s(ours), charging.penalised_s(trials)),
        }

    return {name: beside(trials) for name, trials in compared.trials.items() if name != LAAR}


def _ours(compared: ComparedTrials, trials: Sequence[Trial]) -> list[Trial]:
    """LAAR's trials of another policy's prompts."""
    by_prompt = {trial.prompt_id: trial for trial in compared.trials[LAAR]}
    return [by_prompt[trial.prompt_id] for trial in trials]


def _within(compared: ComparedTrials) -> dict[str, dict[str, dict[str, float]]]:
    """By policy and seconds the share of its trials that were solved by then, and LAAR's share on its prompts."""
    times = [time for of in compared.trials.values() for trial in of if (time := ttca_s(trial))]
    return {
        name: {
            f"{seconds:g}": {
                "share": success_within(trials, seconds),
                "laar_share": success_within(_ours(compared, trials), seconds),
            }
            for seconds in round_numbers(times)
        }
        for name, trials in compared.trials.items()
    }


def round_numbers(values: Sequence[float]) -> list[float]:
    """One, two and five times the powers of ten that lie between the least and the greatest of positive values."""
    if not values:
        return []
    low, high = min(values), max(values)
    powers = [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)))]
    return [number for power in powers for factor in (1, 2, 5) if low < (number := factor * power) < high]


def _bounds(compared: ComparedTrials, charging: Charging, over: Compare) -> dict[str, Any]:
    """Bounds and LAAR's distance from them; where there are none, `not_computed` says why."""
    try:
        found = bounds_of(compared)
    except ValueError as error:
        return {"not_computed": str(error)}
    measured = charging.answerable_s(compared.trials[LAAR])
    return {
        "oracle": _bound(found.oracle, charging, len(compared.prompts)),
        "best_static": _bound(found.static, charging, len(compared.prompts)),
        "laar_replayed": _bound(found.replayed, charging, len(compared.prompts)),
        "replayed_over_measured": fmean(found.replayed.values()) / fmean(measured.values()),
        "laar_over_oracle": {"answerable": over(measured, found.oracle)},
        "laar_over_best_static": {"answerable": over(measured, found.static)},
        "replayed_over_best_static": {"answerable": over(found.replayed, found.static)},
        "best_orders": {"/".join(map(str, cell)): list(order) for cell, order in found.orders.items()},
        "attempt_times": _times(found),
    }


def _bound(times: Charges, charging: Charging, num_prompts: int) -> dict[str, float]:
    """A bound solves what is answerable, and is charged the penalty for the rest like everybody."""
    penalties_s = (num_prompts - len(times)) * charging.penalty_s
    return {
        "answerable_s": fmean(times.values()),
        "penalised_s": (sum(times.values()) + penalties_s) / num_prompts,
        "success_rate": len(times) / num_prompts,
    }


def _times(found: Bounds) -> dict[str, Any]:
    times = found.times
    return {
        "measured": times.measured,
        "estimated": times.estimated,
        "variance_explained": times.explained,
        "factors": dict(times.factors),
    }


def _tasks(compared: ComparedTrials, trials: Sequence[Trial], charging: Charging) -> dict[str, dict[str, float]]:
    """Means of reading (i) by task on a policy's answerable prompts: its own and LAAR's."""
    theirs, laars = charging.answerable_s(trials), charging.answerable_s(compared.trials[LAAR])
    ids: dict[str, list[str]] = defaultdict(list)
    for trial in sorted(trials, key=lambda t: t.task):
        if trial.prompt_id in theirs and trial.prompt_id in laars:
            ids[trial.task].append(trial.prompt_id)
    return {
        task: {
            "num_answerable": len(mine),
            "answerable_s": fmean(theirs[i] for i in mine),
            "laar_answerable_s": fmean(laars[i] for i in mine),
        }
        for task, mine in ids.items()
    }


def _before(compared: ComparedTrials, charging: Charging) -> dict[str, dict[str, float]]:
    """By policy reading (i) of the prompts that it served twice, this time and the one before."""
    found = {}
    for name, earlier in compared.before.items():
        now_s, before_s = charging.answerable_s(compared.trials.get(name, ())), charging.answerable_s(earlier)
        if both := [(now_s[i], before_s[i]) for i in sorted(now_s.keys() & before_s.keys())]:
            (now, before), (now_p95, before_p95) = np.mean(both, axis=0), np.quantile(both, 0.95, axis=0)
            found[name] = {
                "num_answerable": len(both),
                "answerable_s": float(now),
                "before_s": float(before),
                "answerable_p95_s": float(now_p95),
                "before_p95_s": float(before_p95),
            }
    return found


def _cells(prompts: Sequence[AskedPrompt], trials: Sequence[Trial], charging: Charging) -> dict[str, dict[str, float]]:
    """Mean of reading (i) by language and length; a cell without an answerable prompt is not there."""
    charges = charging.answerable_s(trials)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for prompt in sorted(prompts, key=lambda p: (p.language, p.target_tokens)):
        if prompt.id in charges:
            found[prompt.language][str(prompt.target_tokens)].append(charges[prompt.id])
    return {
        language: {length: fmean(times) for length, times in by_length.items()} for language, by_length in found.items()
    }


def _ratio(found: Mapping[str, Mapping[str, float]] | None) -> float:
    return found["answerable"]["value"] if found else math.nan


def _more_success(figures: Mapping[str, Any], name: str) -> float:
    """How much larger LAAR's share of solved trials is than another's on the other's prompts."""
    if name not in figures["laar_over"]:
        return math.nan
    ours: float = figures["laar_over"][name]["laar_success_rate"]
    theirs: float = figures["policies"][name]["success_rate"]
    return ours - theirs


def _fewest(figures: Mapping[str, Any], names: Iterable[str]) -> int:
    """Prompts of the one of these policies that has fewest; none of one that has no trial."""
    policies = figures["policies"]
    return min(policies[name]["num_prompts"] if name in policies else 0 for name in names)


def _at_most(name: str, value: float, limit: float) -> Bar:
    return Bar(name=name, value=value, limit=limit, kind="max")


def _at_least(name: str, value: float, limit: float) -> Bar:
    return Bar(name=name, value=value, limit=limit, kind="min")
