"""The words of a language: how its speakers ask, and what their prose is made of. The texts stand in `languages/`."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Annotated, Self

import yaml
from pydantic import Field, PositiveFloat, model_validator

from profiles.strict import Strict

LANGUAGE_CODES = ("ar", "bn", "de", "el", "en", "es", "fr", "he", "hi", "ja", "ko", "pt", "ru", "th", "uk", "zh")

_Words = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=4)]
_Two = Annotated[tuple[str, ...], Field(min_length=2, max_length=2)]


class TokenCounts(Strict):
    """Means over 400 draws by the tokenizer of Gemma 3, 2026-11; other tokenizers need more for most scripts."""

    fact: PositiveFloat
    filler: PositiveFloat
    question: PositiveFloat = Field(description="The question about a fact, with the line that leads in its answer.")
    lookup: PositiveFloat = Field(description="The same for a key.")
    needles: PositiveFloat = Field(description="The same for two keys.")


class Wording(Strict):
    """Placeholders in braces are filled by the workloads; words are written in the form that their template needs."""

    lookup: str = Field(description="Asks for the value of {key}.")
    needles: str = Field(description="Asks for the values of {keys}, in the order in which they are named.")
    separators: _Two = Field(description="Between the items of a list, and before the last one.")
    fact: str = Field(description="Says that {name} from {place} gave {value} as the number of {thing}.")
    question: str = Field(description="Asks for the {value} of a fact.")
    lead: str = Field(description="Leads in the answer to `question`.")
    name: str = Field(description="A full name of {first} and {last}.")
    first_names: _Words
    last_names: _Words
    places: _Words
    things: _Words
    filler: str = Field(description="A sentence of {when} and {event}, without digits.")
    times: _Words
    events: _Words = Field(description="Some name a {place}.")
    joiner: str = Field(default=" ", description="Between two sentences.")
    sum: str = Field(description="Asks for the sum of {a} and {b} as exercise {number}.")
    review: str = Field(description="Asks for the mood of {text}, review {number}; the praising mood is named first.")
    moods: _Two = Field(description="What praise and complaint are called.")
    stems: _Two = Field(description="The part of `moods` that all their forms share, as it stands in `review`.")
    praise: _Words
    complaints: _Words
    digits: str = Field(default="0123456789", min_length=10, max_length=10, description="As written in prose.")
    tokens: TokenCounts

    @model_validator(mode="after")
    def _names_moods_in_order(self) -> Self:
        praise, complaint = map(self.review.find, self.stems)
        if not 0 <= praise < complaint:
            raise ValueError(f"review must name {self.stems[0]} and then {self.stems[1]}, got '{self.review}'")
        return self

    def numeral(self, number: int) -> str:
        """The number in the digits that the language's prose uses."""
        return str(number).translate(str.maketrans("0123456789", self.digits))

    def listed(self, items: Sequence[str]) -> str:
        """Two or more items as a list in a sentence."""
        between, last = self.separators
        return last.join((between.join(items[:-1]), items[-1]))


@cache
def wording(language: str) -> Wording:
    """Read once when first asked for; raises KeyError for a language without wording."""
    if language not in LANGUAGE_CODES:
        raise KeyError(language)
    text = (files("profiles.workloads") / "languages" / f"{language}.yaml").read_text(encoding="utf-8")
    return Wording.model_validate(yaml.safe_load(text))
