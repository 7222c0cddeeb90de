"""Numbers with what they count, as far as both can be read, and whether two of them say the same."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice

from deployments.verifier.facts.function_words import function_words
from deployments.verifier.numbers.lexicon.tables import UNITS
from deployments.verifier.numbers.markup import to_plain
from deployments.verifier.numbers.reading import Reading
from deployments.verifier.numbers.readings import read_plain
from deployments.verifier.numbers.written import START

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = r"[^\W\d_][^\s,.;:!?()\"“”«»、。，।]{0,30}"
_BEHIND = re.compile(rf"[ \u00a0\u202f-]{{0,2}}(?:([{_CJK}]{{1,8}})|({_WORD}))")
_NEXT = re.compile(rf"[ \u00a0]({_WORD})")
_MAX_WORDS = 4
QUICK_NUMBERS = 8
# 3 million of people: what is counted comes behind these
_PARTITIVES = frozenset("de d d' di of von van af av ze z".split())
_RATES = frozenset("per pro par por je".split())
# What a number of them may go without: 5 people, or 5.
_COUNTERS = frozenset({"person"})


@dataclass(frozen=True, slots=True)
class Amount:
    """`values` are empty for a number that cannot be read; `text` is how it is written.

    `unit` is a measure, currency or percentage in one form for all spellings; `words` are what is counted else.
    """

    text: str
    values: frozenset[Fraction]
    perhaps: frozenset[Fraction]
    unit: str = ""
    words: tuple[str, ...] = ()

    @property
    def keys(self) -> frozenset[Fraction | str]:
        """Two amounts that say the same, or may, have one of these in common."""
        return self.values | self.perhaps | {self.text}


def has_few(*texts: str) -> bool:
    """Whether the texts have no more numbers than are read in a millisecond."""
    return sum(1 for _ in islice(chain.from_iterable(map(START.finditer, texts)), QUICK_NUMBERS + 1)) <= QUICK_NUMBERS


def find_amounts(text: str, language: str) -> Iterator[Amount]:
    plain, words = to_plain(text), function_words(language)
    for reading in read_plain(plain, language):
        if not reading.is_aside:
            yield amount_of(reading, plain, words)


def amount_of(reading: Reading, plain: str, ordinary: Collection[str]) -> Amount:
    """A reading of a plain text with what it counts there; `ordinary` words do not say what is counted."""
    words = () if reading.unit else _words_behind(plain, reading.end, ordinary)
    unit = reading.unit or (UNITS.get(words[0], "") if words else "")
    if unit in _COUNTERS:
        unit, words = "", (unit, *words)
    return Amount(
        text=reading.text.casefold(),
        values=frozenset(reading.values),
        perhaps=frozenset(reading.perhaps),
        unit=unit,
        words=() if unit else words,
    )


def _words_behind(plain: str, position: int, ordinary: Collection[str]) -> tuple[str, ...]:
    """The words behind a number up to the first that says nothing of what is counted."""
    found = _BEHIND.match(plain, position)
    if found is None:
        return ()
    if found[1]:
        return (found[1],)
    word, position, words = found[2].casefold(), found.end(), list[str]()
    if word in _PARTITIVES and (following := _NEXT.match(plain, position)):
        word, position = following[1].casefold(), following.end()
    while (word not in ordinary or (words and word in _RATES)) and len(words) < _MAX_WORDS:
        words.append(word)
        following = _NEXT.match(plain, position)
        if following is None:
            break
        word, position = following[1].casefold(), following.end()
    return tuple(words)


def say_same(one: Amount, other: Amount) -> bool | None:
    """Whether two amounts are the same; None where that cannot be told."""
    alike = _count_alike(one, other)
    if one.values and other.values and one.values & other.values:
        return alike
    if alike is False or not one.keys & other.keys:
        return False
    # written alike though not read, or the same only in another number format
    return alike if one.text == other.text and not (one.values or other.values) else None


def _count_alike(one: Amount, other: Amount) -> bool | None:
    if one.unit and other.unit:
        return one.unit == other.unit
    if one.unit or other.unit:
        return False if one.words or other.words else None
    if not one.words or not other.words:
        return True
    if _rate(one.words) != _rate(other.words):
        return False if _rate(one.words) and _rate(other.words) else None
    first = any(_is_one(a, b) for a in one.words[:1] for b in other.words)
    return first or any(_is_one(a, b) for a in one.words for b in other.words[:1]) or None


def _rate(words: tuple[str, ...]) -> str:
    """What the amount is measured by: the minute of `60 requests per minute`."""
    place = next((i for i, word in enumerate(words) if word in _RATES), len(words))
    return words[place + 1] if place + 1 < len(words) else ""


def _is_one(a: str, b: str) -> bool:
    """The same word, but for its ending; in scripts without spaces, the same first sign."""
    if re.match(f"[{_CJK}]", a):
        return a[0] == b[0]
    shared = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return a == b or shared >= max(3, 0.6 * max(len(a), len(b)))
