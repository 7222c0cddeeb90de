"""`grounded`: what the answer states stands in the prompt's material."""

from typing import Literal

from pydantic import Field

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, unknown, wrong
from deployments.verifier.checks.check import Check, Place
from deployments.verifier.facts.amounts import has_few
from deployments.verifier.facts.grounding import grounds
from deployments.verifier.text.refusals import is_refusal

# within these a grounded check takes a few seconds at most, whatever the text
MAX_GROUNDED_PROMPT_CHARS = 1 << 18
MAX_GROUNDED_ANSWER_CHARS = 1 << 16
# and within this, with few numbers, a millisecond
INLINE_GROUNDED_CHARS = 1000


class Grounded(Check):
    """At least `min_share` of the answer's pieces (quotations, numbers, identifiers, names) stand in the material."""

    needs_prompt = True

    type: Literal["grounded"]
    min_share: float = Field(default=1.0, gt=0, le=1)

    @property
    def fallible_name(self) -> str:
        return "grounded"

    def place(self, evidence: Evidence) -> Place:
        is_quick = evidence.size_chars < INLINE_GROUNDED_CHARS and has_few(evidence.prompt, evidence.answer)
        return Place.INLINE if is_quick else Place.THREAD

    def check(self, evidence: Evidence) -> Verdict:
        if len(evidence.prompt) > MAX_GROUNDED_PROMPT_CHARS:
            return unknown(Reason.PROMPT_TOO_LONG)
        if len(evidence.answer) > MAX_GROUNDED_ANSWER_CHARS:
            return unknown(Reason.TOO_LONG)
        if is_refusal(evidence.answer, evidence.language):
            return unknown(Reason.REFUSED)
        found = grounds(evidence.answer, evidence.prompt, evidence.language)
        if not found.total:
            return unknown(Reason.NO_SPANS)
        if found.found >= self.min_share * found.total:
            return correct(Reason.GROUNDED)
        if found.found + found.unclear >= self.min_share * found.total:
            return unknown(Reason.GROUNDS_UNCLEAR)
        return wrong(Reason.NOT_GROUNDED)
