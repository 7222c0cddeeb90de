"""`exact`: the whole answer is a value."""

import re
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, unknown, wrong
from deployments.verifier.checks.values.given import WithValues
from deployments.verifier.text.normalise import TURKIC_LANGUAGES, loosen, normalise, vowel_signs, without_accents
from deployments.verifier.text.thinking import before_marks

# what is normalised in less than 2 ms in each form, whatever the script
_MAX_WATCHED_CHARS = 200
# of these signs none begins what is taken off with its letters: a tag, a command, a code fence, what is struck out
_PLAIN_BEGINNING = re.compile(r"[A-Za-z0-9 \n,.;:!?'\"()\[\]{}/%=+*_#>-]*")


class Exact(WithValues):
    """The normalised answer equals one of the values."""

    complaints = MappingProxyType({Reason.DIFFERS: "Your answer has other words around it. Give the answer alone."})

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

    def complaint(self, verdict: Verdict) -> str | None:
        """By the number of words alone: whether they hold the value must not show in what a model is told."""
        most = max(len(value.split()) for value in self.values)
        return super().complaint(verdict) if len((verdict.read or "").split()) > most else None

    def is_refuted(self, begun: Evidence) -> bool:
        """By letters and digits alone, of a beginning in ASCII."""
        is_short = sum(map(len, self.values)) <= _MAX_WATCHED_CHARS
        if not is_short or begun.language in TURKIC_LANGUAGES:
            return False
        found = _PLAIN_BEGINNING.match(before_marks(begun.answer).lstrip())
        # an accent that follows may go with the last letter, but is in no form alone
        said = _letters(found[0]) if found is not None else ""
        return not any(form.startswith(said) for form in _forms(self.values, begun.language))

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


@lru_cache(maxsize=64)
def _forms(values: tuple[str, ...], language: str) -> frozenset[str]:
    """The letters and digits of each form in which a value may be said, be it so that it is unclear."""
    wanted = [normalise(value, language) for value in values]
    loose = [loosen(value, language) for value in wanted]
    return frozenset(map(_letters, [*wanted, *loose, *map(without_accents, wanted)]))


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))
