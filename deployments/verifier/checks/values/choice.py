"""`choice`: the answer settles on one option of a multiple-choice question."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, unknown, wrong
from deployments.verifier.checks.check import Check, Place
from deployments.verifier.text.choice import LETTERS, find_choice, find_options, has_few_letters
from deployments.verifier.text.normalise import normalise

MAX_OPTION_CHARS = 1024

Option = Annotated[str, StringConstraints(min_length=1, max_length=MAX_OPTION_CHARS)]


class Choice(Check):
    """The answer concludes on option `value`, a letter; `options` are the texts of A, B and so on."""

    needs_prompt = True

    type: Literal["choice"]
    value: Annotated[str, StringConstraints(pattern=f"^[{LETTERS}]$")]
    options: Annotated[tuple[Option, ...], Field(min_length=2, max_length=len(LETTERS), fail_fast=True)] | None = None

    @model_validator(mode="after")
    def _is_an_option(self) -> "Choice":
        if self.options is not None and LETTERS.index(self.value) >= len(self.options):
            raise ValueError(f"value '{self.value}' is none of the {len(self.options)} options")
        return self

    def place(self, evidence: Evidence) -> Place:
        is_quick = super().place(evidence) is Place.INLINE and has_few_letters(evidence.answer)
        return Place.INLINE if is_quick else Place.THREAD

    def check(self, evidence: Evidence) -> Verdict:
        options = (
            find_options(evidence.prompt) if self.options is None else dict(zip(LETTERS, self.options, strict=False))
        )
        said = find_choice(evidence.answer, options) or _by_text(evidence, options)
        if said is None:
            return unknown(Reason.NO_CHOICE)
        return correct(Reason.MATCHED, said) if said == self.value else wrong(Reason.DIFFERS, said)


def _by_text(evidence: Evidence, options: dict[str, str]) -> str | None:
    """The letter of the only option whose text is the whole answer."""
    if len(evidence.answer) > MAX_OPTION_CHARS:
        return None
    said = normalise(evidence.answer, evidence.language)
    letters = [letter for letter, text in options.items() if normalise(text, evidence.language) == said]
    return letters[0] if len(letters) == 1 else None
