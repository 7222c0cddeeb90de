"""`laar bench capability`: how well the chances fitted to one recording foretell another, beside simpler ways."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deployments.router.choice.chances import Chances
from deployments.router.choice.objective import MAX_ORDERED, best_order, chances_all_wrong
from deployments.router.settings import Learning
from profiles.cell import Buckets
from profiles.chances.capability import Capability
from profiles.measures.calibration import calibration_error
from profiles.measuring.fitting import fit_profile
from profiles.measuring.measurement import Record
from profiles.profile import NO_PROFILE, Profile
from scripts.bench.estimates.baselines import Chance, cell_rates, logistic_per_model, overall_rates
from scripts.bench.estimates.read_measurements import read_records
from scripts.report import Bar, Report

OURS = "laar"
MOST_ECE = 0.08


def run(*, train: Path, held_out: Path, edges: Sequence[int]) -> Report:
    """Fit on one file and score on the other, apart for what the first has seen and what it has not."""
    known, asked = read_records(train), read_records(held_out)
    profile = fit_profile(known, bucket_edges=edges, measured=NO_PROFILE.measured)
    buckets = profile.buckets
    chances = _chances(profile, known, buckets)
    parts = _parts(known, asked, buckets)
    scores = {
        part: {name: _scores(chance, records) for name, chance in chances.items()} for part, records in parts.items()
    }
    figures: dict[str, Any] = {
        "parts": {part: {"records": len(parts[part]), **scores[part]} for part in parts},
        "picks_as_oracle": _picks(chances, asked, buckets),
        "ttca": _ttca(profile, known, asked, buckets),
    }
    parameters = {"train": train.name, "held_out": held_out.name, "bucket_edges": list(edges)}
    return Report(bench="capability", parameters=parameters, figures=figures, bars=_bars(scores))


def _chances(profile: Profile, known: Sequence[Record], buckets: Buckets) -> Mapping[str, Chance]:
    capability = Capability(profile)

    def ours(record: Record) -> float:
        return capability.probability(record.model, record.cell(buckets))

    return {
        "overall_rate": overall_rates(known),
        "cell_rate": cell_rates(known, buckets),
        "logistic_per_model": logistic_per_model(known),
        OURS: ours,
    }


def _parts(known: Sequence[Record], asked: Sequence[Record], buckets: Buckets) -> Mapping[str, list[Record]]:
    """What was asked in languages and at lengths that were profiled, and what was not; both must be there."""
    languages = {r.language for r in known}
    lengths = {(r.model, r.task, buckets.of(r.prompt_tokens)) for r in known}
    parts: dict[str, list[Record]] = {"seen": [], "unseen": []}
    for r in asked:
        is_seen = r.language in languages and (r.model, r.task, buckets.of(r.prompt_tokens)) in lengths
        parts["seen" if is_seen else "unseen"].append(r)
    if missing := [part for part, records in parts.items() if not records]:
        raise ValueError(f"the held-out file has no {' and no '.join(missing)} language or length; it needs both")
    return parts


def _scores(chance: Chance, records: Sequence[Record]) -> dict[str, float]:
    predicted = np.array([chance(record) for record in records])
    correct = np.array([float(record.correct) for record in records])
    return {"brier": float(((predicted - correct) ** 2).mean()), "ece": calibration_error(predicted, correct)}


def _bars(scores: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[Bar]:
    """Ours against the best of the others in each part, and its calibration where it has seen the like."""
    bars = []
    for part, found in scores.items():
        best = min(score["brier"] for name, score in found.items() if name != OURS)
        bars.append(Bar(name=f"brier_{part}_over_best_other", value=found[OURS]["brier"] / best, limit=1.0, kind="max"))
    return [*bars, Bar(name="ece_seen", value=scores["seen"][OURS]["ece"], limit=MOST_ECE, kind="max")]


def _picks(chances: Mapping[str, Chance], asked: Sequence[Record], buckets: Buckets) -> dict[str, float]:
    """Share of prompts for which the lowest L/Q is the oracle's, which knows the held-out cells' rates.

    L is the held-out cells' mean latency for all of them, so that only Q differs; what is as good as the oracle's
    choice by its own measure counts as that.
    """
    rate, latency_s = cell_rates(asked, buckets), _cell_latency_s(asked, buckets)
    prompts = _prompts(asked)

    def is_right(chance: Chance, answers: Sequence[Record]) -> bool:
        true_s = [_score(latency_s(r), rate(r)) for r in answers]
        pick = min(range(len(answers)), key=lambda i: _score(latency_s(answers[i]), chance(answers[i])))
        return true_s[pick] <= min(true_s)

    return {
        name: float(np.mean([is_right(chance, answers) for answers in prompts])) for name, chance in chances.items()
    }


def _ttca(profile: Profile, known: Sequence[Record], asked: Sequence[Record], buckets: Buckets) -> dict[str, float]:
    """Mean seconds to the right answer, all models once at most, where failures are joint and where they are not.

    Replayed on the recorded outcomes; prompts that no model gets right count with the time of all.
    """
    models = sorted(profile.models)
    beliefs = Chances(profile, models, Learning(enabled=False))
    latency_s = _cell_latency_s(known, buckets)
    prompts = [answers for answers in _prompts(asked) if {r.model for r in answers} <= set(models)]
    times = {
        name: [_replay(answers, beliefs, latency_s, buckets, is_joint=is_joint) for answers in prompts]
        for name, is_joint in (("joint", True), ("independent", False))
    }
    return {"prompts": len(prompts)} | {f"{name}_mean_s": float(np.mean(found)) for name, found in times.items()}


def _replay(
    answers: Sequence[Record],
    beliefs: Chances,
    latency_s: Callable[[Record], float],
    buckets: Buckets,
    *,
    is_joint: bool,
) -> float:
    """What a request takes when each next model is the first of the best order by what is known then."""
    left = {r.model: r for r in answers}
    failed: list[str] = []
    total_s = 0.0
    while left:
        chosen = left.pop(_next(left, failed if is_joint else [], beliefs, latency_s, buckets, is_joint=is_joint))
        total_s += chosen.latency_s
        if chosen.correct:
            break
        failed.append(chosen.model)
    return total_s


def _next(
    left: Mapping[str, Record],
    failed: Sequence[str],
    beliefs: Chances,
    latency_s: Callable[[Record], float],
    buckets: Buckets,
    *,
    is_joint: bool,
) -> str:
    any_record = next(iter(left.values()))
    task, language = any_record.task, any_record.language
    lengths = np.array([buckets.of(left[m].prompt_tokens) if m in left else 0 for m in beliefs.models])
    first = beliefs.probabilities(task, language, lengths)
    chances = dict(zip(beliefs.models, beliefs.after_failures(first, task, failed).tolist(), strict=True))
    by_score = sorted(left, key=lambda m: _score(latency_s(left[m]), chances[m]))[:MAX_ORDERED]
    joint = beliefs.joint(task, failed) if is_joint else None
    if joint is None:
        return by_score[0]
    likeliest = sorted(by_score, key=lambda m: -chances[m])
    all_wrong = chances_all_wrong([chances[m] for m in likeliest], joint.among(likeliest))
    return likeliest[next(best_order([latency_s(left[m]) for m in likeliest], all_wrong))]


def _cell_latency_s(records: Sequence[Record], buckets: Buckets) -> Callable[[Record], float]:
    """Mean latency of a model on a task at a length; where there is none, of the model."""
    found: dict[tuple[object, ...], list[float]] = defaultdict(list)
    for r in records:
        found[r.model, r.task, buckets.of(r.prompt_tokens)].append(r.latency_s)
        found[r.model,].append(r.latency_s)

    means = {key: float(np.mean(values)) for key, values in found.items()}
    return lambda r: means.get((r.model, r.task, buckets.of(r.prompt_tokens)), means[r.model,])


def _prompts(records: Sequence[Record]) -> list[list[Record]]:
    """The answers by prompt, where more than one model was asked."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[record.prompt_id].append(record)
    return [answers for answers in found.values() if len(answers) > 1]


def _score(latency_s: float, chance: float) -> float:
    return latency_s / max(chance, 1e-9)
