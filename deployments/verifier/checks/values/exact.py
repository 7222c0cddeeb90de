"""`exact`: the whole answer is a value."""

from typing import Literal

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, unknown, wrong
from deployments.verifier.checks.values.given import WithValues
from deployments.verifier.text.normalise import loosen, normalise, vowel_signs, without_accents


class Exact(WithValues):
    """The normalised answer equals one of the values."""

    type: Literal["exact"]

    def check(self, evidence: Evidence) -> Verdict:
        said = normalise(evidence.answer, evidence.language, ignore_case=self.ignore_case)
        wanted = self.normalised(evidence.language)
        equal = [value for value, form in zip(self.values, wanted, strict=True) if form == said]
        if any(_same_vowels(value, evidence.answer) for value in equal):
            return correct(Reason.MATCHED)
        if equal or self._is_near(said, wanted, evidence):
            return unknown(Reason.UNCLEAR)
        return wrong(Reason.DIFFERS)

    def _is_near(self, said: str, wanted: list[str], evidence: Evidence) -> bool:
        """Whether the answer is a value written as some write it; capitals may lack their accents."""
        loose = loosen(said, evidence.language)
        if loose and loose in [loosen(value, evidence.language) for value in wanted]:
            return True
        return self.ignore_case and evidence.answer.isupper() and said in map(without_accents, wanted)


def _same_vowels(value: str, answer: str) -> bool:
    """Vowel signs are optional, but where both have them they must be the same."""
    wanted, said = vowel_signs(value), vowel_signs(answer)
    return not wanted or not said or wanted == said
