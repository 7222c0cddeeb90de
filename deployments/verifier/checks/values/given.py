"""The values that a request gives to be compared with, bounded in number and size."""

import unicodedata
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from deployments.contract.verdict import Evidence, size_to_read_chars
from deployments.verifier.checks.answer import is_blank
from deployments.verifier.checks.check import INLINE_CHARS, Check, Place
from deployments.verifier.text.normalise import normalise

MAX_VALUES = 64
# above this one step of it holds the interpreter's lock for milliseconds
THREAD_CHARS = 32_000
MAX_VALUES_CHARS = 65536
_SLICE_CHARS = 4096

Text = Annotated[str, StringConstraints(min_length=1, max_length=16384)]
Values = Text | Annotated[tuple[Text, ...], Field(min_length=1, max_length=MAX_VALUES, fail_fast=True)]


class WithValues(Check):
    """A type that compares with one text or several."""

    value: Values
    ignore_case: bool = True

    @property
    def values(self) -> tuple[str, ...]:
        return (self.value,) if isinstance(self.value, str) else self.value

    def normalised(self, language: str) -> list[str]:
        return [normalise(value, language, ignore_case=self.ignore_case) for value in self.values]

    def place(self, evidence: Evidence) -> Place:
        size_chars = evidence.size_chars + sum(map(size_to_read_chars, self.values))
        if size_chars < INLINE_CHARS:
            return Place.INLINE
        return Place.THREAD if size_chars < THREAD_CHARS else Place.PROCESS

    @field_validator("value")
    @classmethod
    def _can_be_found(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        values = (value,) if isinstance(value, str) else value
        size_chars = 0
        # one character can stand for eighteen: what is too long is found without writing all of it out
        for text in values:
            for start in range(0, len(text), _SLICE_CHARS):
                size_chars += len(unicodedata.normalize("NFKC", text[start : start + _SLICE_CHARS]))
                if size_chars > MAX_VALUES_CHARS:
                    raise ValueError(f"more than {MAX_VALUES_CHARS} characters in all, written out, are not allowed")
        blank = [index for index, text in enumerate(values) if is_blank(text)]
        if blank:
            raise ValueError(f"value {blank[0]} has no visible character; every answer would contain it")
        return value
