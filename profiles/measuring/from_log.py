"""From attempts of live traffic to a profile: what may be counted of requests that a router chose models for."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import msgspec
import numpy as np
from numpy.typing import NDArray

from profiles.cell import Buckets
from profiles.chances.trust import EXACT, Trust, Trusts
from profiles.measuring.fitting import count_cells, count_pairs, fit_latency, fit_tokens
from profiles.measuring.logged_attempt import JudgedAttempt
from profiles.measuring.measurement import Record
from profiles.profile import UNKNOWN_LANGUAGE, Latency, ModelProfile, PairCounts, Profile

# Attempts that a latency is fitted to at least, and how far their tokens must be apart: without spread in both, the
# time of a request, of its prompt and of its answer cannot be told from each other.
LEAST_TIMED, LEAST_SPREAD = 100, 2.0
# Prompts of a language with counted tokens that its characters per token are taken from at least.
LEAST_COUNTED = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Refit:
    """What the log supports: `from_base` names figures that are the base's, by model; `left_out` says why one is."""

    models: dict[str, ModelProfile]
    pairs: tuple[PairCounts, ...]
    from_base: dict[str, list[str]]
    left_out: dict[str, str]

    @property
    def num_counted(self) -> int:
        return sum(cell.tried for model in self.models.values() for cell in model.cells)

    @property
    def num_paired(self) -> int:
        return sum(pair.tried for pair in self.pairs)


def refit(attempts: Sequence[JudgedAttempt], *, buckets: Buckets, base: Profile | None) -> Refit:
    """The models that the attempts tell enough of, where they do not with `base`; in any order."""
    trusts = Trusts.of(base.checks if base else ())
    by_model: dict[str, list[JudgedAttempt]] = defaultdict(list)
    for attempt in attempts:
        by_model[attempt.model].append(attempt)
    found = Refit(models={}, pairs=(), from_base={}, left_out={})
    for name, mine in sorted(by_model.items()):
        _add_model(found, name, mine, buckets, base.models.get(name) if base else None, trusts)
    counted = count_pairs(paired(attempts), buckets)
    pairs = [pair for pair in counted if {pair.failed, pair.model} <= found.models.keys()]
    return Refit(models=found.models, pairs=tuple(pairs), from_base=found.from_base, left_out=found.left_out)


def marginal(attempts: Iterable[JudgedAttempt]) -> list[JudgedAttempt]:
    """Judged first attempts: later ones are made on prompts that others failed on, and would be no fair sample."""
    return [a for a in attempts if a.correct is not None and not a.num_before and not a.is_retry]


def unbiased(attempts: Iterable[JudgedAttempt], trusts: Trusts, buckets: Buckets) -> list[JudgedAttempt]:
    """The same with what checks that err said put right: as many attempts as their verdicts are worth.

    Of each model, cell and check the share of right answers is worked out from its measured errors (Rogan and Gladen);
    as the errors widen its interval, fewer attempts stand for it. What a check says that was not measured is left out.
    """
    found: list[JudgedAttempt] = []
    alike: dict[tuple[str, str, str, int, str | None], list[JudgedAttempt]] = defaultdict(list)
    for a in attempts:
        alike[a.model, a.task, a.language, buckets.of(a.prompt_tokens), a.check].append(a)
    for (_, _, language, _, check), group in alike.items():
        trust = trusts.in_check(check, language)
        if trust is EXACT:
            found += group
        elif trust is not None:
            found += _put_right(group, trust)
    return found


def _put_right(group: Sequence[JudgedAttempt], trust: Trust) -> list[JudgedAttempt]:
    yes, no = trust.of[True], trust.of[False]
    sensitivity = yes.if_right / (yes.if_right + no.if_right) if yes.if_right + no.if_right else 0.0
    false_accepts = yes.if_wrong / (yes.if_wrong + no.if_wrong) if yes.if_wrong + no.if_wrong else 1.0
    gain = sensitivity - false_accepts
    if gain <= 0:
        return []
    said = (sum(a.correct is True for a in group) + 0.5) / (len(group) + 1)
    share = min(1.0, max(0.0, (said - false_accepts) / gain))
    worth = gain**2 * max(share * (1 - share), 1 / (4 * len(group))) / (said * (1 - said))
    counted = group[: max(1, round(len(group) * min(1.0, worth)))]
    right = round(share * len(counted))
    return [msgspec.structs.replace(a, correct=index < right, check=None) for index, a in enumerate(counted)]


def paired(attempts: Iterable[JudgedAttempt]) -> Iterator[tuple[str, Record]]:
    """Outcomes of a model right after one other was wrong on the same request, with that one's name.

    Where two others had failed the outcome belongs to neither pair alone, and of a request that a client asked again
    not all failures are known.
    """
    ordered = sorted((a for a in attempts if not a.is_retry), key=lambda a: (a.request_id, a.num_before))
    for _, tried in groupby(ordered, key=lambda a: a.request_id):
        failed: set[str] = set()
        for attempt in tried:
            if attempt.check is not None:
                # whoever may have failed is not known
                break
            if attempt.correct is not None and len(failed) == 1 and attempt.model not in failed:
                yield next(iter(failed)), attempt.record()
            if attempt.correct is False:
                failed.add(attempt.model)


def company(began_s: NDArray[np.float64], latency_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many attempts were under way in the mean while each was, itself included; all at one engine."""
    moments = np.concatenate([began_s, began_s + latency_s])
    order = np.argsort(moments, kind="stable")
    under_way = np.cumsum(np.repeat([1.0, -1.0], len(began_s))[order])
    served = np.empty(len(moments))
    served[order] = np.concatenate([[0.0], np.cumsum(under_way[:-1] * np.diff(moments[order]))])
    first, last = np.split(served, 2)
    found: NDArray[np.float64] = np.divide(last - first, latency_s, out=np.ones_like(latency_s), where=latency_s > 0)
    return np.maximum(found, 1.0)


def _add_model(
    found: Refit, name: str, mine: Sequence[JudgedAttempt], buckets: Buckets, base: ModelProfile | None, trusts: Trusts
) -> None:
    latency, counted = logged_latency(mine), [a for a in mine if a.output_tokens is not None]
    borrowed = [] if latency is not None else ["latency"]
    tokens = logged_tokens(counted) if base is None else _with_new_languages(base, counted)
    if base is not None:
        borrowed += ["characters per token"] + (["thinking"] if base.thinking else [])
    latency = latency or (base.latency if base else None)
    if latency is None or tokens is None:
        found.left_out[name] = (
            f"{len(counted)} attempts with counted tokens do not tell its "
            f"{'latency' if latency is None else 'characters per token'}; give more log, or a --base with this model"
        )
        return
    first = unbiased(marginal(mine), trusts, buckets)
    found.from_base[name] = borrowed
    found.models[name] = tokens.model_copy(
        update={
            "latency": latency,
            "output_tokens": {**tokens.output_tokens, **_output_tokens(counted)},
            "cells": tuple(count_cells((a.record() for a in first), buckets)),
        }
    )


def logged_latency(attempts: Sequence[JudgedAttempt]) -> Latency | None:
    """Fitted to the attempts with counted tokens; None where these are too few or too much alike."""
    if not attempts:
        return None
    began_s = np.array([a.began_s for a in attempts])
    at_once = company(began_s - began_s.min(), np.array([a.latency_s for a in attempts]))
    timed = [
        a.record(concurrency=round(n))
        for a, n in zip(attempts, at_once, strict=True)
        if a.output_tokens and a.latency_s > 0
    ]
    if len(timed) < LEAST_TIMED:
        return None
    tokens = np.array([[r.prompt_tokens, r.output_tokens] for r in timed])
    low, high = np.quantile(tokens, (0.05, 0.95), axis=0)
    return fit_latency(timed) if (high >= LEAST_SPREAD * low).all() else None


def logged_tokens(counted: Sequence[JudgedAttempt]) -> ModelProfile | None:
    """Characters per token without a base, prose and symbols alike as the log does not tell them apart; else None.

    The latency stands in for the one to be put there.
    """
    enough = _well_counted(counted)
    if not enough:
        return None
    fitted = fit_tokens([a.record() for a in counted if a.language in enough])
    return ModelProfile(
        latency=Latency(overhead_s=0, prefill_s_per_token=0, decode_s_per_token=0),
        chars_per_token=fitted.prose,
        chars_per_symbol_token=fitted.prose[UNKNOWN_LANGUAGE],
        template_tokens=round(fitted.template, 3),
    )


def _with_new_languages(base: ModelProfile, counted: Sequence[JudgedAttempt]) -> ModelProfile:
    """The base, whose characters per token know symbols from prose, and further languages as the log has them."""
    new = _well_counted(counted) - base.chars_per_token.keys()
    sizes = {
        language: (
            sum(a.num_chars for a in counted if a.language == language),
            sum(max(a.prompt_tokens - base.template_tokens, 1.0) for a in counted if a.language == language),
        )
        for language in sorted(new)
    }
    found = {language: chars / tokens for language, (chars, tokens) in sizes.items() if chars}
    return base.model_copy(update={"chars_per_token": {**base.chars_per_token, **found}})


def _well_counted(counted: Sequence[JudgedAttempt]) -> set[str]:
    numbers = Counter(a.language for a in counted if a.prompt_tokens and a.num_chars)
    return {language for language, number in numbers.items() if number >= LEAST_COUNTED}


def _output_tokens(counted: Sequence[JudgedAttempt]) -> dict[str, float]:
    """Means by task over first attempts, as prompts that others failed on may call for longer answers."""
    by_task: dict[str, list[int]] = defaultdict(list)
    for attempt in counted:
        if attempt.output_tokens and not attempt.num_before and not attempt.is_retry:
            by_task[attempt.task].append(attempt.output_tokens)
    return {task: sum(numbers) / len(numbers) for task, numbers in sorted(by_task.items())}
