"""What could have been reached on the same prompts: by knowing which model will be right, and by features alone.

Both bounds and LAAR itself are replayed on the outcomes of every prompt on every model, with one table of what an
attempt takes, so that like is compared with like.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from statistics import fmean

import numpy as np

from profiles.arrays import Floats
from profiles.measures.trial import Trial
from profiles.measures.ttca import attempts_s
from profiles.measuring.measurement import Record
from scripts.bench.ttca.data import LAAR, AskedPrompt, ComparedTrials

Order = tuple[str, ...]
PromptKind = tuple[str, str, int]
# All orders of up to this many models are tried; 720 a cell.
MOST_MODELS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEstimate:
    """What an attempt by a model on a prompt takes under the load of LAAR's own blocks, by prompt and model.

    Measured where LAAR made that attempt. Else estimated: a line in prompt and output tokens for each model, fitted to
    the attempts of all policies, times `factors`, which make it right on average for LAAR's own attempts: another
    policy's load is not LAAR's. `explained` is the share of the variance of all attempts that the lines explain (R2).
    """

    seconds: Mapping[tuple[str, str], float]
    measured: int
    estimated: int
    explained: float
    factors: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Seconds to the right answer for every answerable prompt, by its id.

    `oracle`: one attempt, of the quickest model that is right. `static`: the order of models that is best on average
    for the prompts of a cell, found on these very prompts: a policy that sees no more than task, language and length
    cannot do better. `replayed`: the order in which LAAR really asked.
    """

    times: AttemptEstimate
    orders: Mapping[PromptKind, Order]
    oracle: Mapping[str, float]
    static: Mapping[str, float]
    replayed: Mapping[str, float]


def bounds_of(compared: ComparedTrials) -> Bounds:
    """Raises ValueError if a model was never asked, or if there are too many orders to try."""
    times = attempt_times(compared)
    solvable = [prompt for prompt in compared.prompts if prompt.is_answerable]
    orders = best_orders(solvable, compared.models, times.seconds)
    asked = {trial.prompt_id: _asked_first(trial, compared.models) for trial in compared.trials[LAAR]}
    return Bounds(
        times=times,
        orders=orders,
        oracle={p.id: min(times.seconds[p.id, m] for m, r in p.answers.items() if r.correct) for p in solvable},
        static={p.id: replay_s(p, orders[p.cell], times.seconds) for p in solvable},
        replayed={p.id: replay_s(p, asked[p.id], times.seconds) for p in solvable},
    )


def replay_s(prompt: AskedPrompt, order: Sequence[str], seconds: Mapping[tuple[str, str], float]) -> float:
    """The time until the first model of an order that is right, or of all where none is."""
    total_s = 0.0
    for model in order:
        total_s += seconds[prompt.id, model]
        if prompt.answers[model].correct:
            break
    return total_s


def best_orders(
    prompts: Iterable[AskedPrompt], models: Sequence[str], seconds: Mapping[tuple[str, str], float]
) -> dict[PromptKind, Order]:
    """For each cell the order of least mean time over its prompts; a tie goes to the smaller names."""
    if len(models) > MOST_MODELS:
        raise ValueError(f"{len(models)} models; all orders of at most {MOST_MODELS} can be tried")
    cells: dict[PromptKind, list[AskedPrompt]] = defaultdict(list)
    for prompt in prompts:
        cells[prompt.cell].append(prompt)

    def mean_s(order: Order, members: Sequence[AskedPrompt]) -> float:
        return fmean(replay_s(prompt, order, seconds) for prompt in members)

    return {
        cell: min(permutations(sorted(models)), key=lambda order: mean_s(order, cells[cell])) for cell in sorted(cells)
    }


def attempt_times(compared: ComparedTrials) -> AttemptEstimate:
    """Seconds for every compared prompt on every model; ValueError names a model that no policy asked."""
    by_id = {prompt.id: prompt for prompt in compared.prompts}
    pooled = [made for trials in compared.trials.values() for made in _attempts(map(_without_repeats, trials), by_id)]
    lines = _lines(pooled, compared.models)
    own = _attempts(compared.trials[LAAR], by_id)
    factors = {model: _factor(own, model, lines) for model in compared.models}
    measured: dict[tuple[str, str], list[float]] = defaultdict(list)
    for record, took_s in own:
        measured[record.prompt_id, record.model].append(took_s)
    least_s = {m: min(took_s for record, took_s in pooled if record.model == m) for m in compared.models}

    def estimate_s(record: Record) -> float:
        return max(factors[record.model] * _on_line(lines, record), least_s[record.model])

    seconds = {
        (prompt.id, model): fmean(measured[prompt.id, model])
        if (prompt.id, model) in measured
        else estimate_s(prompt.answers[model])
        for prompt in compared.prompts
        for model in compared.models
    }
    return AttemptEstimate(
        seconds=seconds,
        measured=len(measured),
        estimated=len(seconds) - len(measured),
        explained=_explained(pooled, lines),
        factors=factors,
    )


def _without_repeats(trial: Trial) -> Trial:
    """The trial up to the first model that it asked again: that one finds the prompt in its cache."""
    models = [attempt.model for attempt in trial.tries]
    fresh = next((i for i, model in enumerate(models) if model in models[:i]), len(models))
    if fresh == len(models):
        return trial
    last = trial.tries[fresh - 1]
    return replace(trial, tries=trial.tries[:fresh], elapsed_s=last.started_s + last.latency_s)


def _attempts(trials: Iterable[Trial], by_id: Mapping[str, AskedPrompt]) -> list[tuple[Record, float]]:
    """What was asked, with the time it took from the verdict before; a trial that broke off has no such times."""
    return [
        (by_id[trial.prompt_id].answers[attempt.model], took_s)
        for trial in trials
        if not trial.error
        for attempt, took_s in zip(trial.tries, attempts_s(trial), strict=True)
        if attempt.model in by_id[trial.prompt_id].answers
    ]


def _lines(attempts: Sequence[tuple[Record, float]], models: Iterable[str]) -> dict[str, Floats]:
    """Each model's seconds for an attempt, for a token of the prompt and for one of the answer."""
    lines = {}
    for model in models:
        made = [(record, took_s) for record, took_s in attempts if record.model == model]
        if not made:
            raise ValueError(f"no policy asked model '{model}', so that nothing tells what its attempts take")
        rows = np.array([_features(record) for record, _ in made])
        lines[model] = np.linalg.lstsq(rows, np.array([took_s for _, took_s in made]), rcond=None)[0]
    return lines


def _features(record: Record) -> tuple[float, float, float]:
    return 1.0, float(record.prompt_tokens), float(record.output_tokens)


def _on_line(lines: Mapping[str, Floats], record: Record) -> float:
    return float(lines[record.model] @ np.array(_features(record)))


def _factor(own: Sequence[tuple[Record, float]], model: str, lines: Mapping[str, Floats]) -> float:
    """LAAR's measured time over the estimated: of its attempts by a model, or of all where there is none."""
    made = [pair for pair in own if pair[0].model == model] or list(own)
    estimated_s = sum(_on_line(lines, record) for record, _ in made)
    return sum(took_s for _, took_s in made) / estimated_s if estimated_s > 0 else 1.0


def _explained(attempts: Sequence[tuple[Record, float]], lines: Mapping[str, Floats]) -> float:
    took_s = np.array([took for _, took in attempts])
    left = took_s - np.array([_on_line(lines, record) for record, _ in attempts])
    spread = float(((took_s - took_s.mean()) ** 2).sum())
    return 1 - float((left**2).sum()) / spread if spread > 0 else 1.0


def _asked_first(trial: Trial, models: Sequence[str]) -> Order:
    """The models as a trial asked them, each once, and after these what it did not come to, by name."""
    return tuple(dict.fromkeys([*(a.model for a in trial.tries if a.model in models), *sorted(models)]))
