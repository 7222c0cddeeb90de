"""`math`: the answer's expression has the value of a given one."""

import re
from typing import Annotated, Literal

from pydantic import StringConstraints, field_validator

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, unknown, wrong
from deployments.verifier.checks.check import Check, Place
from deployments.verifier.expressions import MAX_EXPRESSION_CHARS, are_equal, find_expression, is_bounded, load

# one longer word, or several; short ones may be products of unknowns
_WORDS = re.compile(r"[^\W\d_]{4,}|[^\W\d_]{2,}(?:[\s,.'-]+[^\W\d_]{2,})+[.!?]?")


class Math(Check):
    """The expression that the answer concludes on is equal to `value`, both in LaTeX or plain text."""

    type: Literal["math"]
    value: Annotated[str, StringConstraints(min_length=1, max_length=MAX_EXPRESSION_CHARS)]

    @field_validator("value")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        if not is_bounded(value):
            raise ValueError("at most 30 brackets in one another and numbers of fewer than 100 digits are allowed")
        if _WORDS.fullmatch(value.strip()) and value.strip() != "infinity":
            raise ValueError("words are no expression; `exact` and `contains` compare texts")
        return value

    def prepare(self) -> None:
        load()

    def check(self, evidence: Evidence) -> Verdict:
        said = find_expression(evidence.answer, evidence.language)
        if said is None:
            return unknown(Reason.NO_EXPRESSION)
        try:
            is_right = are_equal(self.value, said)
        except Exception:  # whatever the algebra stumbles over, nothing is known of the answer
            return unknown(Reason.TOO_COMPLEX, read=said)
        if is_right is None:
            return unknown(Reason.UNPROVEN, read=said)
        return correct(Reason.MATCHED, read=said) if is_right else wrong(Reason.DIFFERS, read=said)

    def place(self, evidence: Evidence) -> Place:
        del evidence
        return Place.PROCESS
