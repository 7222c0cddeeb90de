"""What tests of every verification type ask in the same way."""

from typing import Any

from deployments.contract.verdict import Evidence, OtherAnswer, Outcome
from deployments.verifier.checks import SPEC, check

C, W, U = Outcome.CORRECT, Outcome.WRONG, Outcome.UNKNOWN


def evidence(
    answer: str,
    language: str = "en",
    *,
    prompt: str = "",
    model: str = "small",
    others: dict[str, str] | None = None,
    finish_reason: str | None = None,
) -> Evidence:
    earlier = tuple(OtherAnswer(model=name, answer=text) for name, text in (others or {}).items())
    return Evidence(
        answer=answer, prompt=prompt, language=language, model=model, others=earlier, finish_reason=finish_reason
    )


def outcome(spec: dict[str, Any], found: Evidence) -> tuple[Outcome, str]:
    verdict = check(SPEC.validate_python(spec), found)
    return verdict.outcome, verdict.reason.value
