"""`contains`: a value stands somewhere in the answer."""

import re
from typing import Final, Literal

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, unknown, wrong
from deployments.verifier.checks.values.given import WithValues
from deployments.verifier.search.fit import Fit
from deployments.verifier.search.haystack import Haystack, TooManyFalseStartsError
from deployments.verifier.text.normalise import loosen, plain, vowel_signs

# a dash between words parts them, where a hyphen joins them
_DASH: Final = re.compile(r"(?<!\d)—(?!\d)")


class Contains(WithValues):
    """The normalised answer contains `any` or `all` of the values, as words or numbers of their own.

    With `substring` they may also be parts of words and numbers, and of what the answer denies.
    """

    reads_cut = True

    type: Literal["contains"]
    mode: Literal["any", "all"] = "any"
    substring: bool = False

    def check(self, evidence: Evidence) -> Verdict:
        wanted = self.normalised(evidence.language)
        answer = evidence.answer
        if "—" in answer and not any("-" in value for value in wanted):
            answer = _DASH.sub(" — ", answer)
        text = plain(answer, evidence.language, ignore_case=self.ignore_case)
        if evidence.is_cut and ("~~" in text or "<" in text):
            # what is begun here may be struck out
            return unknown(Reason.CUT_OFF)
        try:
            fits = self._fits(text, wanted, evidence)
        except TooManyFalseStartsError:
            return unknown(Reason.TOO_COMPLEX)
        fit = min(fits) if self.mode == "all" else max(fits)
        if fit is Fit.WHOLE:
            return correct(Reason.MATCHED)
        if evidence.is_cut:
            return unknown(Reason.CUT_OFF)
        return unknown(Reason.UNCLEAR) if fit is Fit.UNCLEAR else wrong(Reason.MISSING)

    def _fits(self, text: str, wanted: list[str], evidence: Evidence) -> list[Fit]:
        if self.substring:
            # the last character of a cut text may yet take a mark
            sure = text[:-1] if evidence.is_cut else text
            return [Fit.WHOLE if value in sure else Fit.NONE for value in wanted]
        haystack = Haystack(text, evidence.language, is_cut=evidence.is_cut)
        fits = [haystack.fit(value) for value in wanted]
        if Fit.NONE in fits:
            loose = Haystack(loosen(text, evidence.language), evidence.language)
            nearly = [min(loose.fit(loosen(value, evidence.language)), Fit.UNCLEAR) for value in wanted]
            fits = [fit or near for fit, near in zip(fits, nearly, strict=True)]
        signs = vowel_signs(evidence.answer)
        return [
            min(fit, Fit.UNCLEAR) if signs and vowel_signs(value) not in signs else fit
            for fit, value in zip(fits, self.values, strict=True)
        ]
