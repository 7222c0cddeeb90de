"""What is the answer? The one place that every check's evidence goes through first."""

from msgspec.structs import replace

from deployments.contract.verdict import Evidence, OtherAnswer, Reason, Verdict, bounded, unknown, wrong
from deployments.verifier.text.normalise import fold
from deployments.verifier.text.thinking import after_thinking

MAX_ANSWER_CHARS = 1 << 20


def read_answer(evidence: Evidence, *, cut_too: bool, calls_too: bool) -> Evidence | Verdict:
    """The evidence with the answer as the check reads it, or the verdict where there is no answer to be read.

    Thinking is taken off, from the others' answers too; those of the others that cannot be read are left out. An answer
    that its token limit cut is unknown without `cut_too`, one that is nothing but tool calls without `calls_too`.
    """
    text = _read_text(evidence.answer)
    if isinstance(text, Verdict):
        return text
    if is_blank(text):
        if evidence.tool_calls and not calls_too:
            return unknown(Reason.TOOL_CALLS)
        if not evidence.tool_calls:
            return _without_text(evidence)
    if evidence.is_cut and not cut_too:
        return unknown(Reason.CUT_OFF, read=text)
    others = tuple(filter(None, (_readable_other(other, cut_too) for other in evidence.others)))
    is_changed = text != evidence.answer or others != evidence.others
    return replace(evidence, answer=text, others=others) if is_changed else evidence


def shown(verdict: Verdict, evidence: Evidence) -> Verdict:
    """The verdict with what was read, for a check that does not say itself which part of the answer it took."""
    if verdict.read is not None:
        return verdict
    return replace(verdict, read=bounded(evidence.answer))


def is_blank(text: str) -> bool:
    """Empty, or made of invisible characters."""
    # most texts show it in their first characters; folding is slow
    return not any(map(str.isalnum, text)) and not (fold(text[:64]) or fold(text))


def _read_text(answer: str) -> str | Verdict:
    if len(answer) > MAX_ANSWER_CHARS:
        return unknown(Reason.TOO_LONG)
    text = after_thinking(answer)
    return unknown(Reason.THINKING_UNFINISHED) if text is None else _encodable(text)


def _without_text(evidence: Evidence) -> Verdict:
    if evidence.is_cut:
        return unknown(Reason.CUT_OFF)
    if evidence.refusal:
        return wrong(Reason.REFUSED, read=evidence.refusal)
    return wrong(Reason.EMPTY_ANSWER)


def _readable_other(other: OtherAnswer, cut_too: bool) -> OtherAnswer | None:
    text = _read_text(other.answer)
    if isinstance(text, Verdict) or is_blank(text) or (other.is_cut and not cut_too):
        return None
    return replace(other, answer=text)


def _encodable(text: str) -> str:
    """The text with a question mark for each lone surrogate, which JSON can carry and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")
