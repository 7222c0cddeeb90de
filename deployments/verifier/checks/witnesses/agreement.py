"""`agreement`: another model gives the same answer."""

import re
from collections.abc import Mapping
from typing import Literal

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, size_to_read_chars, unknown
from deployments.verifier.checks.check import INLINE_CHARS, Catalogue, Check, Place, Refusal
from deployments.verifier.facts.amounts import Amount, amount_of, has_few, say_same
from deployments.verifier.facts.function_words import function_words
from deployments.verifier.numbers.conclusion import WINDOW_CHARS, last_number
from deployments.verifier.numbers.markup import to_plain
from deployments.verifier.text.choice import find_choice, find_options, has_few_letters
from deployments.verifier.text.normalise import normalise
from deployments.verifier.text.refusals import is_refusal
from deployments.verifier.text.wording import offers_several

# with so few, and few numbers, a check is over in a millisecond
INLINE_ANSWERS = 4
Settled = str | Amount
# What normalisation takes away or writes in another way, and what makes another answer: 10², ½, n!, f'.
_SIGNS = re.compile(r"[²³¹⁰-⁹₀-₉¼-¾⅐-⅞]|(?<!\w)\w[!'’′](?!\w)")
_QUESTION_MARKS = ("?", "？", "؟", "՞")
_CLOSING = " \t\n\"'”’»)]*"
_MAX_OPEN_CHARS = 64  # a longer text may have the word without leaving its answer open
# what takes long to read where an answer has many of it
_HAS_FEW = {"numeric": has_few, "choice": has_few_letters}
_NOTHING = {"text": Reason.EMPTY_ANSWER, "numeric": Reason.NO_NUMBER, "choice": Reason.NO_CHOICE}


class Agreement(Check):
    """The answer agrees with one that another model gave to the same request."""

    needs_prompt = True
    needs_others = True

    type: Literal["agreement"]
    by: Literal["text", "numeric", "choice"] = "text"

    @property
    def fallible_name(self) -> str:
        return f"agreement:{self.by}"

    def refusal(self, catalogue: Catalogue) -> Refusal | None:
        if len(catalogue.answering) >= 2:
            return None
        return Refusal(field="by", message=f"two models must answer, but only {sorted(catalogue.answering)} may")

    def place(self, evidence: Evidence) -> Place:
        answers = [evidence.answer, *(other.answer for other in evidence.others)]
        is_small = sum(map(size_to_read_chars, answers)) <= INLINE_CHARS and len(answers) <= INLINE_ANSWERS
        is_quick = is_small and (self.by not in _HAS_FEW or _HAS_FEW[self.by](*answers))
        return Place.INLINE if is_quick else Place.THREAD

    def check(self, evidence: Evidence) -> Verdict:
        if is_refusal(evidence.answer, evidence.language):
            return unknown(Reason.REFUSED)
        options = find_options(evidence.prompt) if self.by == "choice" else {}
        mine = self._settled(evidence.answer, evidence.language, options)
        if mine is None:
            return unknown(_NOTHING[self.by])
        read = mine if isinstance(mine, str) else mine.text
        others = [
            found
            for other in evidence.others
            if other.model != evidence.model
            and not is_refusal(other.answer, evidence.language)
            and (found := self._settled(other.answer, evidence.language, options)) is not None
        ]
        if not others:
            return unknown(Reason.NEEDS_ANOTHER_ANSWER, read)
        # two that disagree: one of them may still be right, so neither is known to be wrong
        return (
            correct(Reason.AGREES, read)
            if any(_agree(mine, other) for other in others)
            else unknown(Reason.DISAGREES, read)
        )

    def _settled(self, answer: str, language: str, options: Mapping[str, str]) -> Settled | None:
        """What an answer settles on, or None for one that settles on nothing, or on none of the listed options."""
        if self.by == "choice":
            return find_choice(answer, options)
        return (_text if self.by == "text" else _number)(answer, language)


def _number(answer: str, language: str) -> Amount | None:
    """The number that an answer concludes on with its unit; None for one that is unclear, or only about that much."""
    found = last_number(answer, language)
    if found is None or not found.values or not found.is_exact:
        return None
    return amount_of(found, to_plain(answer[-WINDOW_CHARS:]), function_words(language))


def _text(answer: str, language: str) -> str | None:
    """The text in one form; None for one that asks, or leaves open which of a few words it means."""
    said = normalise(answer, language)
    if answer.rstrip(_CLOSING).endswith(_QUESTION_MARKS) or (
        len(said) <= _MAX_OPEN_CHARS and offers_several(said, language)
    ):
        return None
    return said + "".join(_SIGNS.findall(answer)) if any(map(str.isalnum, said)) else None


def _agree(mine: Settled, other: Settled) -> bool:
    if isinstance(mine, Amount) and isinstance(other, Amount):
        return say_same(mine, other) is True
    return mine == other
