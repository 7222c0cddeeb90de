"""`laar profile compare`: how often another profile would choose otherwise, on the requests of an attempt log."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from deployments.router.choice.chances import HeardVerdict
from deployments.router.choice.objective import Objective
from deployments.router.choice.policy import POLICIES, Candidate, PolicyName, Situation, decide
from deployments.router.choice.routing import Routing
from deployments.router.model import Model
from deployments.router.text.language import UNDETECTED, Detection
from profiles.cell import Cell
from profiles.measuring.logged_attempt import JudgedAttempt
from profiles.profile import Profile

# A log does not tell what room a model's context has; a request that was answered had room.
ROOM = 1 << 40
POLICY: PolicyName = "laar"
UNVERIFIED = "unverified"


class NoDetector:
    """The log tells the language."""

    def detect(self, text: str) -> Detection:
        return UNDETECTED


def compare(attempts: Sequence[JudgedAttempt], former: Profile, new: Profile) -> dict[str, Any]:
    """Both choose for each request in turn, on idle engines, and both learn its verdicts, as routers do.

    The attempts are in the order in which their requests came. Requests that go on with an earlier one are learned from
    and not counted.
    """
    models = sorted({attempt.model for attempt in attempts} | (former.models.keys() & new.models.keys()))
    routings = [
        Routing(
            models=[Model(name=name, context_tokens=ROOM) for name in models],
            profile=profile,
            policy=POLICY,
            detector=NoDetector(),
        )
        for profile in (former, new)
    ]
    pairs: Counter[tuple[str, str]] = Counter()
    believed: list[tuple[float, float, float, float]] = []
    for _, group in groupby(attempts, key=lambda attempt: attempt.request_id):
        tried = list(group)
        if not tried[0].is_retry:
            (was, _), (is_now, candidates) = (_choice(routing, tried[0]) for routing in routings)
            pairs[was, is_now] += 1
            if was != is_now:
                one, other = candidates[was], candidates[is_now]
                believed.append((one.probability, other.probability, one.latency_s, other.latency_s))
        for routing in routings:
            _learn(routing, tried)
    total = sum(pairs.values())
    changes = [(pair, count) for pair, count in pairs.most_common() if pair[0] != pair[1]]
    means = np.mean(believed, axis=0).tolist() if believed else [None] * 4
    return {
        "requests": total,
        "models": models,
        "otherwise": round(len(believed) / total, 4) if total else 0.0,
        "changes": [{"from": old, "to": now, "requests": count} for (old, now), count in changes],
        # of the requests that are chosen for otherwise, as the new profile and the verdicts since have it
        "by_the_new": dict(zip(("former_chance", "new_chance", "former_s", "new_s"), means, strict=True)),
    }


def _choice(routing: Routing, first: JudgedAttempt) -> tuple[str, dict[str, Candidate]]:
    """The model that would be asked first, and all of them as they are believed to be."""
    demand = routing.builder.demand(
        task=first.task,
        language=first.language,
        prompt_tokens=np.full(len(routing.models), float(max(1, first.prompt_tokens))),
    )
    objective = Objective(attempts_left=1) if first.verdict == UNVERIFIED else Objective()
    situation = Situation(objective=objective, joint=routing.chances.joint(first.task))
    candidates = routing.builder.candidates(demand, None, 0.0)
    decision = decide(POLICIES[POLICY](list(routing.models)), candidates, situation=situation)
    assert decision is not None
    return decision.chosen.model, {candidate.model: candidate for candidate in candidates}


def _learn(routing: Routing, tried: Sequence[JudgedAttempt]) -> None:
    failed: list[str] = []
    for attempt in tried:
        if attempt.correct is not None or attempt.check is not None:
            bucket = routing.buckets.labelled(attempt.bucket, num_tokens=attempt.prompt_tokens)
            cell = Cell(attempt.task, attempt.language, bucket)
            routing.observe(HeardVerdict(attempt.model, cell, attempt.correct, attempt.check, tuple(failed)))
        failed += [attempt.model] if attempt.correct is False else []


def lines(found: dict[str, Any]) -> list[str]:
    """For a person."""
    told = [f"{found['requests']} requests; {found['otherwise']:.1%} would be asked of another model first"]
    told += [f"  {each['from']} -> {each['to']}: {each['requests']}" for each in found["changes"]]
    if found["changes"]:
        by = found["by_the_new"]
        told.append(
            f"of these, by the new profile: right {by['former_chance']:.1%} -> {by['new_chance']:.1%}, "
            f"{by['former_s']:.3g} s -> {by['new_s']:.3g} s an attempt"
        )
    return told
