"""`agreement`: another model gives the same answer."""

from typing import Literal

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, unknown, wrong
from deployments.verifier.checks.answer import MAX_ANSWER_CHARS, is_blank
from deployments.verifier.checks.check import Catalogue, Check, Refusal
from deployments.verifier.text.choice import find_choice
from deployments.verifier.text.normalise import normalise
from deployments.verifier.text.numbers import Number, last_number


class Agreement(Check):
    """The answer agrees with one that another model gave to the same request."""

    needs_others = True

    type: Literal["agreement"]
    by: Literal["text", "numeric", "choice"] = "text"

    def refusal(self, catalogue: Catalogue) -> Refusal | None:
        if len(catalogue.answering) >= 2:
            return None
        return Refusal(field="by", message=f"two models must answer, but only {sorted(catalogue.answering)} may")

    def check(self, evidence: Evidence) -> Verdict:
        mine = self._comparable(evidence.answer, evidence.language)
        if mine is None:
            return wrong(Reason.NO_NUMBER if self.by == "numeric" else Reason.NO_CHOICE)
        others = [
            self._comparable(other.answer, evidence.language)
            for other in evidence.others
            if other.model != evidence.model
        ]
        if all(other is None for other in others):
            return unknown(Reason.NEEDS_ANOTHER_ANSWER)
        # two that disagree: one of them may still be right, so neither is known to be wrong
        return correct(Reason.AGREES) if mine in others else unknown(Reason.DISAGREES)

    def _comparable(self, answer: str, language: str) -> str | Number | None:
        """What two answers are compared by, or None for one that has nothing to compare."""
        if is_blank(answer) or len(answer) > MAX_ANSWER_CHARS:
            return None
        if self.by == "numeric":
            return next(iter(last_number(answer, language)), None)
        return find_choice(answer) if self.by == "choice" else normalise(answer, language)
