"""Time-to-Correct-Answer in four readings; by the first two no policy gains by giving up early.

Seconds throughout, one `Trial` per prompt and policy (or several, then a prompt counts with the mean of its trials).
Whatever the readings share is found beforehand from the trials of *all* policies and handed to each: the answerable
prompts, the price of an attempt that was not made, the penalty.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import numpy.typing as npt

from profiles.measures.trial import Trial
from profiles.measuring.measurement import Record

PAR_FACTOR = 10.0
# Of the interval around a ratio.
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What one policy brought; a mean over nothing is None.

    `answerable_s`: reading (i), mean charge over the prompts that at least one model answers.
    `penalised_s`: reading (ii), mean over all prompts, `penalty_s` for each that was not solved.
    `solved_s`: reading (iii), mean TTCA of the solved alone; means nothing without `success_rate` beside it.
    `censored_s`: reading (iv), mean over all prompts of the time of all attempts made, as the LAAR paper has it; means
    nothing without `success_rate` either.
    `success_at[k - 1]`: share of all trials solved by their first k attempts; the last of them is `success_rate`.
    """

    num_trials: int
    num_prompts: int
    num_answerable: int
    num_solved: int
    num_errors: int
    answerable_s: float | None
    penalised_s: float
    penalty_s: float
    solved_s: float | None
    censored_s: float
    success_rate: float
    success_at: tuple[float, ...]
    mean_attempts: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One policy's mean charge over another's, with its interval."""

    value: float
    low: float
    high: float
    num_prompts: int


def readings(
    trials: Sequence[Trial],
    *,
    answerable: AbstractSet[str],
    cap: int,
    attempt_s: Mapping[str, float],
    penalty_s: float,
) -> Readings:
    """All measures of one policy's trials; ValueError where a prompt is missing, as dropping it would gain."""
    if not trials:
        raise ValueError("trials: none; at least one is needed")
    if missing := answerable - {trial.prompt_id for trial in trials}:
        raise ValueError(f"trials: {len(missing)} answerable prompts were not tried, '{min(missing)}' among them")
    solved = [time for trial in trials if (time := ttca_s(trial)) is not None]
    charges = mean_by_prompt(
        (t for t in trials if t.prompt_id in answerable), lambda t: charged_s(t, cap, attempt_s=attempt_s[t.prompt_id])
    )
    penalised = mean_by_prompt(trials, lambda trial: penalised_s(trial, penalty_s))
    success = tuple(success_at(trials, k) for k in range(1, cap + 1))
    return Readings(
        num_trials=len(trials),
        num_prompts=len(penalised),
        num_answerable=len(charges),
        num_solved=len(solved),
        num_errors=sum(1 for trial in trials if trial.error),
        answerable_s=fmean(charges.values()) if charges else None,
        penalised_s=fmean(penalised.values()),
        penalty_s=penalty_s,
        solved_s=fmean(solved) if solved else None,
        censored_s=fmean(mean_by_prompt(trials, lambda trial: trial.elapsed_s).values()),
        success_rate=success[-1],
        success_at=success,
        mean_attempts=fmean(len(trial.tries) for trial in trials),
    )


# -- what all policies share --------------------------------------------------------------------------------------


def answerable(records: Iterable[Record]) -> frozenset[str]:
    """The prompts that at least one model answers, from a table of every prompt on every model."""
    return frozenset(record.prompt_id for record in records if record.correct)


def longest_attempts_s(trials_of_all_policies: Iterable[Trial]) -> dict[str, float]:
    """Per prompt the longest that any policy's attempt took: what an attempt that was not made is charged.

    A prompt without any attempt gets the longest attempt of all.
    """
    longest: dict[str, float] = {}
    for trial in trials_of_all_policies:
        longest[trial.prompt_id] = max(longest.get(trial.prompt_id, 0.0), *attempts_s(trial), 0.0)
    most = max(longest.values(), default=0.0)
    if not most:
        raise ValueError("trials: no policy made an attempt, so that there is no price for one")
    return {prompt_id: price or most for prompt_id, price in longest.items()}


def par_penalty_s(trials_of_all_policies: Iterable[Trial]) -> float:
    """PAR-10, as solvers are scored: ten times the common cap, here the longest trial of any policy."""
    return PAR_FACTOR * max(trial.elapsed_s for trial in trials_of_all_policies)


# -- what one trial is charged ------------------------------------------------------------------------------------


def ttca_s(trial: Trial) -> float | None:
    """From sending to the first correct verdict; None if there was none."""
    for attempt in trial.tries[:-1]:
        if attempt.correct:
            return attempt.started_s + attempt.latency_s
    return trial.elapsed_s if trial.is_solved else None


def attempts_s(trial: Trial) -> list[float]:
    """The share of each attempt in the elapsed time: from the verdict before (or the sending) to its own verdict.

    Waiting counts to the attempt waited for, the time after the last answer to the last attempt; they add up to
    `elapsed_s`.
    """
    if not trial.tries:
        return []
    ends = [attempt.started_s + attempt.latency_s for attempt in trial.tries[:-1]]
    return [end - start for start, end in zip([0.0, *ends], [*ends, trial.elapsed_s], strict=True)]


def charged_s(trial: Trial, cap: int, *, attempt_s: float) -> float:
    """What reading (i) charges: TTCA if solved, else all `cap` attempts.

    Of these the k that were made are charged what elapsed, each of the `cap - k` others `attempt_s` or the mean of
    those made, whichever is more: so never less than `elapsed_s * cap / k`. A trial without any attempt (an error)
    is charged what elapsed and `cap` times `attempt_s`; an attempt that met an error is charged `attempt_s` at least,
    or failing at once would be the cheapest.

    Scaling alone would reward giving up between a quick wrong attempt and a slow one. With `attempt_s` from
    `longest_attempts_s` it cannot: an attempt that was left out costs at least what it would have taken.
    """
    num_tries = len(trial.tries)
    if num_tries > cap:
        raise ValueError(f"prompt '{trial.prompt_id}': {num_tries} attempts; the cap is {cap}")
    if (time_s := ttca_s(trial)) is not None:
        return time_s
    own_s = trial.elapsed_s / num_tries if num_tries else 0.0
    made = zip(trial.tries, attempts_s(trial), strict=True)
    too_quick_s = sum(max(0.0, attempt_s - took_s) for attempt, took_s in made if not attempt.model)
    return trial.elapsed_s + too_quick_s + (cap - num_tries) * max(attempt_s, own_s)


def penalised_s(trial: Trial, penalty_s: float) -> float:
    """What reading (ii) charges: TTCA if solved, else `penalty_s`, which no solved trial may exceed."""
    time_s = ttca_s(trial)
    if time_s is None:
        return penalty_s
    if time_s > penalty_s:
        raise ValueError(
            f"prompt '{trial.prompt_id}': solved after {time_s} s; more than the penalty for not solving ({penalty_s})"
        )
    return time_s


def mean_by_prompt(trials: Iterable[Trial], charge: Callable[[Trial], float]) -> dict[str, float]:
    """The mean charge of each prompt, so that a prompt counts once however often it was tried."""
    charges: dict[str, list[float]] = {}
    for trial in trials:
        charges.setdefault(trial.prompt_id, []).append(charge(trial))
    return {prompt_id: fmean(of_prompt) for prompt_id, of_prompt in charges.items()}


# -- success ------------------------------------------------------------------------------------------------------


def success_at(trials: Sequence[Trial], num_attempts: int) -> float:
    """The share of trials that were solved by one of their first attempts."""
    return fmean(any(attempt.correct for attempt in trial.tries[:num_attempts]) for trial in trials)


def success_within(trials: Sequence[Trial], seconds: float) -> float:
    """The share of all trials, unsolved ones included, that were solved by then."""
    times = (ttca_s(trial) for trial in trials)
    return fmean(time is not None and time <= seconds for time in times)


def ecdf(trials: Sequence[Trial]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The TTCA of the solved in ascending order, and the share of *all* trials solved by each; ends below 1."""
    times = np.sort([time for trial in trials if (time := ttca_s(trial)) is not None])
    return times.astype(float), np.arange(1, len(times) + 1) / len(trials)


# -- comparing ----------------------------------------------------------------------------------------------------


def paired_bootstrap(
    ours: Mapping[str, float],
    theirs: Mapping[str, float],
    *,
    seed: int,
    num_resamples: int,
) -> Ratio:
    """The 95 % percentile interval of mean(ours) / mean(theirs), both maps from prompt to charge (`mean_by_prompt`).

    Each resample draws as many prompts as there are, with replacement, and takes both charges of a prompt
    together, so that what makes a prompt hard cancels out (Efron and Tibshirani, *An Introduction to the
    Bootstrap*, 1993, chapters 10 and 13). ValueError where the two were not tried on the same prompts.
    """
    if ours.keys() != theirs.keys():
        odd = ours.keys() ^ theirs.keys()
        raise ValueError(f"prompts differ: {len(odd)} were tried by one policy only, '{min(odd)}' among them")
    prompts = sorted(ours)
    pairs = np.array([[ours[prompt], theirs[prompt]] for prompt in prompts], dtype=float)
    if not prompts or pairs.min() <= 0:
        raise ValueError("charges: must be there, and above 0 s")
    rng = np.random.default_rng(seed)
    resampled = (pairs[rng.integers(len(pairs), size=len(pairs))].sum(axis=0) for _ in range(num_resamples))
    ratios = np.array([mine / other for mine, other in resampled])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail])
    mine, other = pairs.sum(axis=0)
    return Ratio(value=float(mine / other), low=float(low), high=float(high), num_prompts=len(prompts))
