"""`grounded`: what the answer states stands in the prompt."""

from typing import Literal

from pydantic import Field

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, unknown, wrong
from deployments.verifier.checks.check import Check
from deployments.verifier.search.haystack import TooManyFalseStartsError
from deployments.verifier.text.grounding import count_grounded

# within these a grounded check takes less than a second, whatever the text
MAX_GROUNDED_PROMPT_CHARS = 1 << 18
MAX_GROUNDED_ANSWER_CHARS = 1 << 16


class Grounded(Check):
    """At least `min_share` of the answer's spans (quotations, numbers, identifiers, names) stand in the prompt."""

    needs_prompt = True

    type: Literal["grounded"]
    min_share: float = Field(default=1.0, gt=0, le=1)

    def check(self, evidence: Evidence) -> Verdict:
        if len(evidence.prompt) > MAX_GROUNDED_PROMPT_CHARS:
            return unknown(Reason.PROMPT_TOO_LONG)
        if len(evidence.answer) > MAX_GROUNDED_ANSWER_CHARS:
            return unknown(Reason.TOO_LONG)
        try:
            found, total = count_grounded(evidence.answer, evidence.prompt, evidence.language)
        except TooManyFalseStartsError:
            return unknown(Reason.TOO_COMPLEX)
        if not total:
            return unknown(Reason.NO_SPANS)
        return correct(Reason.GROUNDED) if found / total >= self.min_share else wrong(Reason.NOT_GROUNDED)
