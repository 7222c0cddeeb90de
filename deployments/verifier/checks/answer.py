"""What is the answer? The one place that every check's evidence goes through first."""

from dataclasses import replace

from deployments.contract.verdict import Evidence, Reason, Verdict, unknown, wrong
from deployments.verifier.text.normalise import fold

MAX_ANSWER_CHARS = 1 << 20


def settle(evidence: Evidence) -> Verdict | None:
    """The verdict where any check would say the same; else None."""
    if len(evidence.answer) > MAX_ANSWER_CHARS:
        return unknown(Reason.TOO_LONG)
    return wrong(Reason.EMPTY_ANSWER) if is_blank(evidence.answer) else None


def readable(evidence: Evidence) -> Evidence:
    """The evidence with the answer as checks read it."""
    return replace(evidence, answer=_encodable(evidence.answer))


def is_blank(text: str) -> bool:
    """Empty, or made of characters that nobody sees."""
    return not any(map(str.isalnum, text)) and not fold(text)


def _encodable(text: str) -> str:
    """The text with a question mark for each lone surrogate, which JSON can carry and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")
