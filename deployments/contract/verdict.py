"""What a check is told about an answer, and what it says of it."""

import re
from enum import StrEnum
from typing import NamedTuple

import msgspec

MAX_READ_CHARS = 256
# the finish reason of an answer that its token limit ended
CUT = "length"
# written out in three characters and more: bracketed, squared and ligatured words, and fractions
_WRITTEN_OUT = re.compile("[¼-¾⅐-⅞⑴-⒵㈀-㉃㋀-㋿㌀-㏿ﷰ-﷼\U0001f100-\U0001f248]")
_MARK = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u06d6-\u06ed"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]"
)


class Outcome(StrEnum):
    CORRECT = "correct"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why a verdict came out as it did; the same word stands in answers, logs and metrics."""

    NOT_REQUESTED = "not_requested"
    SPEC_REFUSED = "spec_refused"
    MATCHED = "matched"
    DIFFERS = "differs"
    REFUTED_EARLY = "refuted_early"
    MISSING = "missing"
    UNCLEAR = "unclear"
    EMPTY_ANSWER = "empty_answer"
    THINKING_UNFINISHED = "thinking_unfinished"
    CUT_OFF = "cut_off"
    TOOL_CALLS = "tool_calls"
    REFUSED = "refused"
    TOO_LONG = "too_long"
    PROMPT_TOO_LONG = "prompt_too_long"
    NO_NUMBER = "no_number"
    UNCLEAR_NUMBER = "unclear_number"
    NO_CHOICE = "no_choice"
    NO_EXPRESSION = "no_expression"
    UNPROVEN = "unproven"
    OUT_OF_TOLERANCE = "out_of_tolerance"
    NOT_JSON = "not_json"
    AMBIGUOUS_JSON = "ambiguous_json"
    SCHEMA_VIOLATION = "schema_violation"
    NO_CALL = "no_call"
    OTHER_CALL = "other_call"
    ARGUMENTS_DIFFER = "arguments_differ"
    NOTHING_TO_CHECK = "nothing_to_check"
    TOO_COMPLEX = "too_complex"
    GROUNDED = "grounded"
    NOT_GROUNDED = "not_grounded"
    GROUNDS_UNCLEAR = "grounds_unclear"
    NO_SPANS = "no_spans"
    AGREES = "agrees"
    DISAGREES = "disagrees"
    NEEDS_ANOTHER_ANSWER = "needs_another_answer"
    JUDGED_CORRECT = "judged_correct"
    JUDGED_WRONG = "judged_wrong"
    JUDGE_UNCLEAR = "judge_unclear"
    JUDGE_FAILED = "judge_failed"
    JUDGE_ANSWERED = "judge_answered"
    NO_JUDGE = "no_judge"
    CHECK_PASSED = "check_passed"
    CHECK_REFUSED = "check_refused"
    CHECK_FAILED = "check_failed"
    NO_CHECK = "no_check"
    TIMED_OUT = "timed_out"
    VERIFIER_FAILED = "verifier_failed"


# Verdicts that came about without the check's own judgement of the answer, so that they tell nothing of the check.
_BESIDE_THE_CHECK = frozenset(
    {
        Reason.NOT_REQUESTED,
        Reason.SPEC_REFUSED,
        Reason.EMPTY_ANSWER,
        Reason.REFUSED,
        Reason.TOOL_CALLS,
        Reason.TOO_LONG,
        Reason.PROMPT_TOO_LONG,
        Reason.NEEDS_ANOTHER_ANSWER,
        Reason.NO_JUDGE,
        Reason.JUDGE_ANSWERED,
        Reason.JUDGE_FAILED,
        Reason.NO_CHECK,
        Reason.CHECK_FAILED,
        Reason.TIMED_OUT,
        Reason.VERIFIER_FAILED,
    }
)


class AskedJudge(NamedTuple):
    """A model that has judged, and the tokens that it read and wrote for that."""

    model: str
    prompt_tokens: int
    output_tokens: int


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`read` is what the check took for the answer, cut to MAX_READ_CHARS, so that a person can see why.

    `judges` are the models that were asked for it.
    """

    outcome: Outcome
    reason: Reason
    read: str | None = None
    judges: tuple[AskedJudge, ...] = ()

    @property
    def was_right(self) -> bool | None:
        return was_right(self.outcome, self.reason)

    @property
    def is_of_the_check(self) -> bool:
        """Whether the check itself judged the answer, so that the verdict is worth what the check is worth."""
        return self.reason not in _BESIDE_THE_CHECK


def was_right(verdict: str, reason: str) -> bool | None:
    """What an attempt shows of its model: whether the answer was right within the request's limits, None if unknown.

    An answer that ran out of its tokens was not, whatever it would have said; else such models would only ever be
    seen to be right.
    """
    if verdict == Outcome.UNKNOWN:
        return False if reason in _OUT_OF_TOKENS else None
    return {Outcome.CORRECT.value: True, Outcome.WRONG.value: False}.get(verdict)


_OUT_OF_TOKENS = frozenset({Reason.CUT_OFF, Reason.THINKING_UNFINISHED})


def correct(reason: Reason, read: str | None = None) -> Verdict:
    return Verdict(outcome=Outcome.CORRECT, reason=reason, read=bounded(read))


def wrong(reason: Reason, read: str | None = None) -> Verdict:
    return Verdict(outcome=Outcome.WRONG, reason=reason, read=bounded(read))


def unknown(reason: Reason, read: str | None = None) -> Verdict:
    return Verdict(outcome=Outcome.UNKNOWN, reason=reason, read=bounded(read))


def bounded(read: str | None) -> str | None:
    """At most MAX_READ_CHARS characters, the last of which says that something was left out."""
    return read if read is None or len(read) <= MAX_READ_CHARS else read[: MAX_READ_CHARS - 1] + "…"


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that an answer asks for; `arguments` is JSON text as the model wrote it, which may be broken."""

    name: str
    arguments: str


class OtherAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What another attempt at the same request said."""

    model: str
    answer: str
    finish_reason: str | None = None

    @property
    def is_cut(self) -> bool:
        return self.finish_reason == CUT


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that a check may look at; `language` is an ISO 639 code or 'unknown'.

    A check gets the answers of the model and of the others without their thinking.

    `refusal` is the text with which the model declined to answer, where its server keeps that apart. `prompt` and
    `others` are empty for a type that does not say it needs them.
    """

    answer: str
    prompt: str
    language: str
    model: str
    others: tuple[OtherAnswer, ...] = ()
    finish_reason: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None

    @property
    def is_cut(self) -> bool:
        """Whether the answer ended by its token limit, so that its last word may go on."""
        return self.finish_reason == CUT

    @property
    def size_chars(self) -> int:
        """What there is to read; what takes longer to normalise than other characters counts for several."""
        texts = (self.answer, self.prompt, *(other.answer for other in self.others))
        return sum(map(size_to_read_chars, texts))


def size_to_read_chars(text: str) -> int:
    """Characters, and those that normalisation makes of them: it sorts marks and writes out squares and ligatures."""
    if text.isascii():
        return len(text)
    written_out = 4 * len(_WRITTEN_OUT.findall(text)) + 17 * text.count("\ufdfa") + 7 * text.count("\ufdfb")
    return len(text) + 4 * len(_MARK.findall(text)) + written_out
