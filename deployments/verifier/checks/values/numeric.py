"""`numeric`: a number in the answer is near a value."""

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, unknown, wrong
from deployments.verifier.checks.check import INLINE_CHARS, Check, Place
from deployments.verifier.numbers.conclusion import MAX_CHARS as MAX_READ_CHARS
from deployments.verifier.numbers.conclusion import all_numbers, first_number, is_quick, is_value, last_number
from deployments.verifier.numbers.lexicon.spelled import WORD_LANGUAGES
from deployments.verifier.numbers.literals import MAX_DIGITS, MAX_POWER
from deployments.verifier.numbers.reading import Reading

_DECIMAL = re.compile(r"-?\d{1,400}(?:\.\d{1,400})?(?:[eE][+-]?\d{1,3})?")


def numbers_as_written(fields: Mapping[str, msgspec.Raw]) -> dict[str, str]:
    """The numbers among a specification's fields in the digits they are written in, which pydantic would round.

    It is to be the context in which the specification is validated.
    """
    texts = {name: bytes(raw).decode() for name, raw in fields.items()}
    return {name: text for name, text in texts.items() if _DECIMAL.fullmatch(text)}


def _as_written(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is needed")
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise ValueError(f"'{value[:32]}' is no decimal number")
    context: dict[str, str] = info.context or {}
    if isinstance(value, int | float) and info.field_name in context:
        return Decimal(context[info.field_name])
    return Decimal(repr(value)) if isinstance(value, float) else value


Exactly = Annotated[Decimal, BeforeValidator(_as_written)]


class Numeric(Check):
    """A number in the answer lies within the tolerance of the value; all three are compared as they are written."""

    reads_cut = True

    type: Literal["numeric"]
    value: Exactly
    tolerance: Annotated[Exactly, Field(ge=0)] = Decimal(0)
    relative_tolerance: Annotated[Exactly, Field(ge=0)] = Decimal(0)
    which: Literal["last", "first", "any"] = "last"

    @field_validator("value", "tolerance", "relative_tolerance")
    @classmethod
    def _is_bounded(cls, value: Decimal) -> Decimal:
        _, digits, exponent = value.as_tuple()
        if isinstance(exponent, str) or len(digits) > MAX_DIGITS or abs(exponent) > MAX_POWER:
            raise ValueError(f"at most {MAX_DIGITS} digits and a power of ten of at most {MAX_POWER} are allowed")
        return value

    def check(self, evidence: Evidence) -> Verdict:
        if self.which == "any":
            return self._any(evidence)
        find = last_number if self.which == "last" else first_number
        number = find(evidence.answer, evidence.language)
        if number is None:
            return _no_number(evidence)
        # what is last may not be the last
        if evidence.is_cut and (self.which == "last" or number.may_go_on):
            return unknown(Reason.CUT_OFF, read=number.text)
        return _verdict(self._is_met(number), number.text)

    def place(self, evidence: Evidence) -> Place:
        is_inline = evidence.size_chars < INLINE_CHARS and is_quick(evidence.answer, self.which)
        return Place.INLINE if is_inline else Place.THREAD

    def _any(self, evidence: Evidence) -> Verdict:
        numbers = all_numbers(evidence.answer[:MAX_READ_CHARS], evidence.language)
        is_whole = len(evidence.answer) <= MAX_READ_CHARS and not evidence.is_cut
        if not is_whole:
            numbers = [number for number in numbers if not number.may_go_on]
        met = [self._is_met(number) for number in numbers]
        if True in met:
            return correct(Reason.MATCHED, read=numbers[met.index(True)].text)
        if not numbers:
            return _no_number(evidence) if is_whole else unknown(Reason.CUT_OFF)
        return _verdict(False if is_whole and None not in met else None, "; ".join(number.text for number in numbers))

    def _is_met(self, number: Reading) -> bool | None:
        wanted = Fraction(self.value)
        allowed = max(Fraction(self.tolerance), Fraction(self.relative_tolerance) * abs(wanted))
        return is_value(number, wanted, allowed)


def _no_number(evidence: Evidence) -> Verdict:
    """Wrong where all words for numbers are known, so that none was missed."""
    if evidence.is_cut:
        return unknown(Reason.CUT_OFF)
    return (wrong if evidence.language in WORD_LANGUAGES else unknown)(Reason.NO_NUMBER)


def _verdict(is_met: bool | None, read: str) -> Verdict:
    if is_met is None:
        return unknown(Reason.UNCLEAR_NUMBER, read=read)
    return correct(Reason.MATCHED, read=read) if is_met else wrong(Reason.OUT_OF_TOLERANCE, read=read)
