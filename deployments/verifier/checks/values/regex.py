"""`regex`: a pattern stands in the answer."""

from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import StringConstraints, ValidationInfo, field_validator

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, unknown, wrong
from deployments.verifier.checks.check import Check, Place
from deployments.verifier.text.patterns import MAX_PATTERN_CHARS, TooMuchWorkError, compile_pattern, matches


class Regex(Check):
    """An RE2 pattern is found in the answer, or with `full_match` is the whole of it."""

    type: Literal["regex"]
    # before the pattern, which is checked as it will be compiled: ignoring case can make it five times larger
    ignore_case: bool = False
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=MAX_PATTERN_CHARS)]
    full_match: bool = False

    @cached_property
    def compiled(self) -> Any:
        return compile_pattern(self.pattern, ignore_case=self.ignore_case)

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str, info: ValidationInfo) -> str:
        compile_pattern(pattern, ignore_case=info.data.get("ignore_case", False))
        return pattern

    def check(self, evidence: Evidence) -> Verdict:
        try:
            found = matches(self.compiled, evidence.answer.strip(), full=self.full_match)
        except TooMuchWorkError:
            return unknown(Reason.TOO_COMPLEX)
        return correct(Reason.MATCHED) if found else wrong(Reason.DIFFERS)

    def place(self, evidence: Evidence) -> Place:
        """A client's pattern may take a second on a short answer."""
        del evidence
        return Place.THREAD
