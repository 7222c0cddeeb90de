"""`regex`: a pattern stands in the answer."""

from functools import cached_property
from string import ascii_letters, digits, punctuation
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import StringConstraints, ValidationInfo, field_validator

from deployments.contract.patterns import MAX_PATTERN_CHARS, PatternError, is_quick
from deployments.contract.verdict import Evidence, Reason, Verdict, correct, unknown, wrong
from deployments.verifier.checks.check import Check, Place
from deployments.verifier.text.pattern_search import Pattern, TooMuchWorkError
from deployments.verifier.text.thinking import before_marks

# program steps times characters, and steps, that are searched in less than 1 ms
INLINE_WORK, INLINE_STEPS = 100_000, 2_000
# a pattern of more steps takes longer to compile with Unicode's classes
INLINE_UNICODE_STEPS = 20
# a small pattern that all of these meet asks for nothing
_ANY_ANSWERS = ("a", "Z", "7", "!", "<", "a\n7", f"{ascii_letters}\n{digits}\n{punctuation}" * 2)


class Regex(Check):
    """A pattern of RE2's syntax, with Unicode's classes, is found in the answer, or with `full_match` is all of it."""

    reads_cut = True
    complaints = MappingProxyType(
        {Reason.DIFFERS: "Your answer has not the form that was asked for. Answer again in that form."}
    )

    type: Literal["regex"]
    # before the pattern, which is checked as it will be compiled: ignoring case can make it five times larger
    ignore_case: bool = False
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=MAX_PATTERN_CHARS)]
    full_match: bool = False

    @cached_property
    def compiled(self) -> Pattern:
        """Raises PatternError where what takes long to compile turns out to be too large."""
        return Pattern(self.pattern, self.ignore_case)

    @cached_property
    def is_quick(self) -> bool:
        """Whether it is compiled in about a millisecond."""
        return is_quick(self.pattern, ignore_case=self.ignore_case)

    @cached_property
    def fallible_name(self) -> str | None:
        """Most patterns are exact; nothing is learned from one that every answer meets."""
        is_small = self.is_quick and self.compiled.size * len(_ANY_ANSWERS[-1]) < INLINE_WORK
        is_met = is_small and all(self.compiled.found(answer, full=self.full_match) for answer in _ANY_ANSWERS)
        return f"trivial:{self.type}" if is_met else None

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str, info: ValidationInfo) -> str:
        """Only the compiler finds other faults; what takes long to compile is compiled by the verifier."""
        is_quick(pattern, ignore_case=info.data.get("ignore_case", False))
        return pattern

    def check(self, evidence: Evidence) -> Verdict:
        try:
            return self._check_cut(evidence) if evidence.is_cut else self._check_whole(evidence)
        except TooMuchWorkError:
            return unknown(Reason.TOO_COMPLEX)
        except PatternError as error:
            return unknown(Reason.SPEC_REFUSED, str(error))

    def _check_whole(self, evidence: Evidence) -> Verdict:
        found = self.compiled.found(evidence.answer.strip(), full=self.full_match)
        if found is None:
            # an edge of a word, a digit or a space in ASCII's sense, not in Unicode's
            return unknown(Reason.UNCLEAR)
        return correct(Reason.MATCHED) if found else wrong(Reason.DIFFERS)

    def _check_cut(self, evidence: Evidence) -> Verdict:
        is_found = not self.full_match and self.compiled.found_before_end(evidence.answer.lstrip())
        return correct(Reason.MATCHED) if is_found else unknown(Reason.CUT_OFF)

    def is_refuted(self, begun: Evidence) -> bool:
        return self.full_match and self.compiled.rules_out(before_marks(begun.answer).lstrip())

    def place(self, evidence: Evidence) -> Place:
        """A client's pattern may take a second on a short answer, and Rust's regex lets nothing else run meanwhile."""
        if not self.is_quick:
            return Place.PROCESS
        steps, needs_unicode = self.compiled.size, self.compiled.needs_unicode(evidence.answer)
        is_small = steps <= (INLINE_UNICODE_STEPS if needs_unicode else INLINE_STEPS)
        if is_small and super().place(evidence) is Place.INLINE and len(evidence.answer) * steps < INLINE_WORK:
            return Place.INLINE
        return Place.PROCESS if needs_unicode else Place.THREAD
