"""`numeric`: a number in the answer is near a value."""

from decimal import Decimal
from itertools import islice
from typing import Literal

from pydantic import NonNegativeFloat

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, wrong
from deployments.verifier.checks.check import Check
from deployments.verifier.text.numbers import Number, find_numbers

TAIL_CHARS = 20_000  # where the last number of an answer is looked for
MAX_NUMBERS = 10_000


class Numeric(Check):
    """A number in the answer lies within the tolerance of the value."""

    type: Literal["numeric"]
    value: float
    tolerance: NonNegativeFloat = 0.0
    relative_tolerance: NonNegativeFloat = 0.0
    which: Literal["last", "first", "any"] = "last"

    def check(self, evidence: Evidence) -> Verdict:
        chosen = self._chosen(evidence.answer, evidence.language)
        if not chosen:
            return wrong(Reason.NO_NUMBER)
        is_right = any(self._is_within(reading) for number in chosen for reading in _readings(number))
        return correct(Reason.MATCHED) if is_right else wrong(Reason.OUT_OF_TOLERANCE)

    def _chosen(self, answer: str, language: str) -> list[Number]:
        if self.which == "last":
            return last_number(answer, language)
        return list(islice(find_numbers(answer, language), 1 if self.which == "first" else MAX_NUMBERS))

    def _is_within(self, value: Decimal) -> bool:
        """Decimal, so that 1.1 is within 0.1 of 1, which in binary it is not."""
        wanted = Decimal(repr(self.value))
        allowed = max(Decimal(repr(self.tolerance)), Decimal(repr(self.relative_tolerance)) * abs(wanted))
        return abs(value - wanted) <= allowed


def last_number(answer: str, language: str) -> list[Number]:
    """The last number of an answer, if there is one."""
    return list(find_numbers(answer[-TAIL_CHARS:], language))[-1:]


def _readings(number: Number) -> tuple[Decimal, ...]:
    """5 % answers a question for a percentage (5) and one for a share (0.05)."""
    return (number.value, number.value.scaleb(-2)) if number.is_percent else (number.value,)
