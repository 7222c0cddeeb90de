"""`math`: the answer's expression has the value of a given one."""

import re
from typing import Annotated, Literal

from pydantic import StringConstraints, field_validator

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, unknown, wrong
from deployments.verifier.checks.check import Check, Place
from deployments.verifier.expressions import (
    FUNCTIONS,
    MAX_EXPRESSION_CHARS,
    are_equal,
    find_expression,
    is_bounded,
    load,
)

_ONLY_WORDS = re.compile(r"[^\W\d_]+(?:[\s,.'-]+[^\W\d_]+)*[.!?]?")
_UNKNOWNS = re.compile(r"[A-Za-z\u0370-\u03ff]+")
_WORD = re.compile(r"[^\W\d_]+")
_GREEK = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi psi
omega"""
_NAMES = frozenset([*FUNCTIONS, *_GREEK.split(), "infinity", "infty", "sqrt"])


class Math(Check):
    """The expression that the answer concludes on is equal to `value`, both in LaTeX or plain text."""

    type: Literal["math"]
    value: Annotated[str, StringConstraints(min_length=1, max_length=MAX_EXPRESSION_CHARS)]

    @field_validator("value")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        if not is_bounded(value):
            raise ValueError("at most 30 brackets in one another and numbers of fewer than 100 digits are allowed")
        if _is_prose(value.strip()):
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


def _is_prose(value: str) -> bool:
    """Whether a value is words alone; short ones in Latin or Greek letters may be products of unknowns."""
    if not _ONLY_WORDS.fullmatch(value):
        return False
    words = [word for word in _WORD.findall(value) if word.casefold() not in _NAMES]
    longer = [word for word in words if len(word) >= 3]
    return len(longer) > 1 or any(len(word) >= 5 or not _UNKNOWNS.fullmatch(word) for word in longer)
