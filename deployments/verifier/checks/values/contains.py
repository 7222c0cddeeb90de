"""`contains`: a value stands somewhere in the answer."""

from typing import Literal

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, unknown, wrong
from deployments.verifier.checks.values.given import WithValues
from deployments.verifier.text.normalise import Haystack, TooManyFalseStartsError, plain


class Contains(WithValues):
    """The normalised answer contains `any` or `all` of the values."""

    type: Literal["contains"]
    mode: Literal["any", "all"] = "any"

    def check(self, evidence: Evidence) -> Verdict:
        haystack = Haystack(plain(evidence.answer, evidence.language, ignore_case=self.ignore_case))
        found = map(haystack.holds, self.normalised(evidence.language))
        try:
            is_right = all(found) if self.mode == "all" else any(found)
        except TooManyFalseStartsError:
            return unknown(Reason.TOO_COMPLEX)
        return correct(Reason.MATCHED) if is_right else wrong(Reason.MISSING)
