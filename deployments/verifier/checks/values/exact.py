"""`exact`: the whole answer is a value."""

from typing import Literal

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, wrong
from deployments.verifier.checks.values.given import WithValues
from deployments.verifier.text.normalise import normalise


class Exact(WithValues):
    """The normalised answer equals one of the values."""

    type: Literal["exact"]

    def check(self, evidence: Evidence) -> Verdict:
        said = normalise(evidence.answer, evidence.language, ignore_case=self.ignore_case)
        return correct(Reason.MATCHED) if said in self.normalised(evidence.language) else wrong(Reason.DIFFERS)
