"""What a client is told about its request: the `laar` object, the headers, the explanation."""

from collections.abc import Sequence
from typing import Any

import msgspec

from deployments.router.attempt.served_request import Job
from deployments.router.attempt.tries import Attempt, Status
from deployments.router.choice.budgets import Thinking
from deployments.router.choice.policy import Candidate, Decision
from deployments.router.text.features import bucket_label
from profiles.chances.capability import Estimate


def laar_object(job: Job, now_s: float) -> dict[str, Any]:
    """The `laar` object of an answer.

    `verified` is null when the request asked for no verification, `ttca_s` when there is no correct answer.
    """
    attempts = job.log.attempts
    return {
        "request_id": job.request_id,
        "verified": job.log.is_verified if job.request.wants_verification else None,
        "language": job.features.language,
        "bucket": job.bucket_label,
        "task": job.features.task,
        "ttca_s": round(now_s - job.arrived_s, 6) if job.log.is_verified else None,
        "attempts": [_attempt_object(attempt) for attempt in attempts],
    }


def laar_json(job: Job, now_s: float) -> bytes:
    return msgspec.json.encode(laar_object(job, now_s))


def start_headers(job: Job) -> dict[str, str]:
    """Headers known before any attempt has ended."""
    return {"x-laar-request-id": job.request_id, "x-laar-language": job.features.language}


def answer_headers(job: Job, answer: Attempt, now_s: float) -> dict[str, str]:
    headers = start_headers(job) | {
        "x-laar-model": answer.model,
        "x-laar-attempts": str(len(job.log.attempts)),
        "x-laar-bucket": job.bucket_label,
    }
    if job.log.is_verified:
        headers["x-laar-ttca-s"] = f"{now_s - job.arrived_s:.6f}"
    if job.request.wants_verification:
        headers["x-laar-verified"] = "true" if answer.status is Status.CORRECT else "false"
    return headers


def explanation(
    job: Job,
    decision: Decision | None,
    candidates: Sequence[Candidate],
    estimates: Sequence[Estimate],
    order: Sequence[Candidate],
    edges: Sequence[int],
    thinking: Thinking | None = None,
) -> dict[str, Any]:
    """The decision for a request and the numbers it rests on, every model included."""
    features = job.features
    return {
        "chosen": decision.chosen.model if decision else None,
        "reason": decision.reason.value if decision else None,
        "order": [candidate.model for candidate in order],
        "features": {
            "language": features.language,
            "language_confidence": round(features.language_confidence, 4),
            "num_chars": features.num_chars,
            "symbol_share": round(features.symbol_share, 4),
            "task": features.task,
        },
        "candidates": [
            _candidate_object(candidate, estimate, edges) | {"thinking": _thinking_object(job, candidate, thinking)}
            for candidate, estimate in zip(candidates, estimates, strict=True)
        ],
    }


def _attempt_object(attempt: Attempt) -> dict[str, Any]:
    told = {
        "model": attempt.model,
        "latency_s": round(attempt.latency_s, 6),
        "verdict": attempt.status.value,
        "reason": attempt.reason,
    }
    return told if attempt.thinking_budget is None else told | {"thinking_budget": attempt.thinking_budget}


def _thinking_object(job: Job, candidate: Candidate, thinking: Thinking | None) -> dict[str, Any] | None:
    if thinking is None:
        return None
    return thinking.explain(
        candidate.model,
        job.request,
        job.features,
        bucket=candidate.bucket,
        budget=candidate.thinking_budget,
    )


def _candidate_object(candidate: Candidate, estimate: Estimate, edges: Sequence[int]) -> dict[str, Any]:
    return {
        "model": candidate.model,
        "probability": round(candidate.probability, 4),
        "interval": [round(estimate.low, 4), round(estimate.high, 4)],
        "is_extrapolated": estimate.is_extrapolated,
        "expected_latency_s": round(candidate.latency_s, 6),
        "score_s": round(candidate.score_s, 6),
        "prompt_tokens": candidate.prompt_tokens,
        "bucket": bucket_label(candidate.bucket, edges),
        "in_flight": candidate.in_flight,
        "exclusion": candidate.exclusion.value if candidate.exclusion else None,
    }
