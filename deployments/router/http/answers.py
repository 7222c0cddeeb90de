"""What a client is told about its request: the `laar` object, the headers, the explanation."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from deployments.router.attempt.breaker import BreakerState
from deployments.router.attempt.served_request import ServedRequest
from deployments.router.attempt.tries import Attempt, Status
from deployments.router.choice.budgets import Thinking
from deployments.router.choice.objective import AnswerTarget
from deployments.router.choice.policy import Candidate, Decision
from deployments.router.choice.promise import Promise
from profiles.cell import Buckets
from profiles.chances.capability import Estimate

_MAX_TRIED_CHARS = 1024
_PLAIN = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")


def laar_object(served: ServedRequest, now_s: float) -> dict[str, Any]:
    """The `laar` object of an answer.

    `verified` is null when the request asked for no verification, `ttca_s` when there is no correct answer.
    """
    attempts, ignored = served.log.attempts, served.request.ignored
    told: dict[str, Any] = {
        "request_id": served.told_id,
        "verified": served.log.is_verified if served.request.wants_verification else None,
        "language": served.features.language,
        "bucket": served.bucket_label,
        "task": served.features.task,
        "ttca_s": round(now_s - served.first_s, 6) if served.log.is_verified else None,
        "attempts": [_attempt_object(attempt) for attempt in attempts],
        "tried": served.tried,
    }
    if (target := served.request.options.target) is not None:
        told["target"] = _target_object(served, target, now_s)
    return told | {"ignored": ignored} if ignored else told


def laar_json(served: ServedRequest, now_s: float) -> bytes:
    return msgspec.json.encode(laar_object(served, now_s))


def start_headers(served: ServedRequest) -> dict[str, str]:
    """Headers known before any attempt has ended."""
    told = {"x-laar-request-id": served.told_id, "x-laar-language": served.features.language}
    return told if served.promised is None else told | {"x-laar-promised": f"{served.promised:.4f}"}


def model_header(model: str) -> dict[str, str]:
    """Who answered. A header takes only some of Latin-1, so other characters, and %, are percent-encoded."""
    return {"x-laar-model": quote(model, safe=_PLAIN)}


def tried_header(tried: Sequence[str]) -> dict[str, str]:
    """The models that have answered so far, the last ones first to be kept where they are too many for a header."""
    told = ""
    for model in reversed(tried):
        longer = quote(model, safe=_PLAIN.replace(",", "")) + ("," if told else "") + told
        if len(longer) > _MAX_TRIED_CHARS:
            break
        told = longer
    return {"x-laar-tried": told}


def answer_headers(served: ServedRequest, answer: Attempt, now_s: float) -> dict[str, str]:
    headers = (
        start_headers(served)
        | model_header(answer.model)
        | tried_header(served.tried)
        | {
            "x-laar-attempts": str(len(served.log.attempts)),
            "x-laar-bucket": served.bucket_label,
        }
    )
    if served.log.is_verified:
        headers["x-laar-ttca-s"] = f"{now_s - served.first_s:.6f}"
    if served.request.wants_verification:
        headers["x-laar-verified"] = "true" if answer.status is Status.CORRECT else "false"
    return headers


def explanation(
    served: ServedRequest,
    decision: Decision | None,
    candidates: Sequence[Candidate],
    estimates: Sequence[Estimate],
    order: Sequence[Candidate],
    buckets: Buckets,
    breakers: Mapping[str, BreakerState],
    latency_ratios: Mapping[str, float | None],
    promises: Mapping[str, Promise],
    thinking: Thinking | None = None,
) -> dict[str, Any]:
    """The decision for a request and the numbers it rests on, every model included."""
    features = served.features
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
            _candidate_object(c, estimate, buckets, latency_ratios[c.model])
            | {"breaker": breakers[c.model].value, "thinking": _thinking_object(served, c, thinking)}
            for c, estimate in zip(candidates, estimates, strict=True)
        ],
        "target": _explained_target(served.request.options.target, promises),
    }


def _explained_target(target: AnswerTarget | None, promises: Mapping[str, Promise]) -> dict[str, Any] | None:
    """What a request wants, whether it can be promised, and what orders promise and cost."""
    if target is None or not promises:
        return None
    told: dict[str, Any] = {"probability": target.probability, "by_s": target.by_s}
    told["is_reached"] = promises["chosen"].probability >= target.probability - 1e-9
    return told | {name: _promise_object(promise) for name, promise in promises.items()}


def _promise_object(promise: Promise) -> dict[str, Any]:
    return {
        "order": promise.models,
        "probability": round(promise.probability, 4),
        "seconds": round(promise.seconds, 6),
        "engine_s": round(promise.engine_s, 6),
        "spend": round(promise.spend, 9),
    }


def _target_object(served: ServedRequest, target: AnswerTarget, now_s: float) -> dict[str, Any]:
    """What a request wanted, what it was promised before its first attempt, and whether it was met, if a check told."""
    is_met = served.log.is_verified and now_s - served.first_s <= target.by_s
    return {
        "probability": target.probability,
        "by_s": target.by_s,
        "promised": None if served.promised is None else round(served.promised, 4),
        "met": is_met if served.request.wants_verification else None,
    }


def _attempt_object(attempt: Attempt) -> dict[str, Any]:
    told = {
        "model": attempt.model,
        "latency_s": round(attempt.latency_s, 6),
        "verdict": attempt.status.value,
        "reason": attempt.reason,
    }
    told |= {"repair": True} if attempt.is_repair else {}
    optional: dict[str, Any] = {"read": attempt.read, "thinking_budget": attempt.thinking_budget}
    if (spared := attempt.spared) is not None:
        optional |= {"spared": {"seconds": round(spared.seconds, 6), "tokens": round(spared.tokens)}}
    return told | {name: value for name, value in optional.items() if value is not None}


def _thinking_object(served: ServedRequest, candidate: Candidate, thinking: Thinking | None) -> dict[str, Any] | None:
    if thinking is None:
        return None
    return thinking.explain(
        candidate.model,
        served.request,
        served.features.cell(candidate.bucket),
        budget=candidate.thinking_budget,
    )


def _candidate_object(
    candidate: Candidate, estimate: Estimate, buckets: Buckets, latency_ratio: float | None
) -> dict[str, Any]:
    return {
        "model": candidate.model,
        "probability": round(candidate.probability, 4),
        "interval": [round(estimate.low, 4), round(estimate.high, 4)],
        "is_extrapolated": estimate.is_extrapolated,
        "expected_latency_s": round(candidate.latency_s, 6),
        "latency_ratio": None if latency_ratio is None else round(latency_ratio, 3),
        "others_wait_s": round(candidate.external_s, 6),
        "score_s": round(candidate.score_s, 6),
        "prompt_tokens": candidate.prompt_tokens,
        "bucket": buckets.label(candidate.bucket),
        "in_flight": candidate.in_flight,
        "exclusion": candidate.exclusion.value if candidate.exclusion else None,
    }
