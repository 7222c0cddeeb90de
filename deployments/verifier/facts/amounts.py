"""Numbers with what they count, as far as both can be read, and whether two of them say the same."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice

from deployments.verifier.facts.function_words import function_words
from deployments.verifier.numbers.lexicon.tables import CASED_UNITS, UNITS
from deployments.verifier.numbers.markup import to_plain
from deployments.verifier.numbers.reading import Reading
from deployments.verifier.numbers.readings import read_plain
from deployments.verifier.numbers.written import START

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = r"[^\W\d_][^\s/,.;:!?()\"“”«»、。，।]{0,30}"
_BEHIND = re.compile(rf"[ \u00a0\u202f-]{{0,2}}(?:([{_CJK}]{{1,8}})|({_WORD}))")
_NEXT = re.compile(rf"[ \u00a0]({_WORD})")
_MAX_WORDS = 4
_SYMBOL_CHARS = 3
QUICK_NUMBERS = 8
# 3 million of people: what is counted comes behind these
_PARTITIVES = frozenset("de d d' di of von van af av ze z".split())
_RATES = frozenset("per pro par por je".split())
_RATE = re.compile(rf"(?: ?/ ?|[ \u00a0](?:{'|'.join(_RATES)})[ \u00a0])({_WORD})")
_DIGITS = re.compile(r"\d(?:[\d.,]*\d)?")
# What a number of them may go without: 5 people, or 5.
_COUNTERS = frozenset({"person"})


@dataclass(frozen=True, slots=True)
class Amount:
    """`values` are empty for a number that cannot be read; `text` is how it is written.

    `unit` is a measure, currency or percentage in one form for all spellings; `words` are what is counted else, and
    `rate` is what the amount is measured by: the day of `5 euros per day`.
    """

    text: str
    values: frozenset[Fraction]
    perhaps: frozenset[Fraction]
    unit: str = ""
    words: tuple[str, ...] = ()
    rate: str = ""

    @property
    def digits(self) -> str:
        """The first number of the text as it is written."""
        found = _DIGITS.search(self.text)
        return found[0] if found else self.text

    @property
    def keys(self) -> frozenset[Fraction | str]:
        """Two amounts that say the same, or may, have one of these in common."""
        return self.values | self.perhaps | {self.digits}


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
    words, end = ((), reading.end) if reading.unit else _words_behind(plain, reading.end, ordinary)
    rate = _RATE.match(plain, end)
    unit = reading.unit or (CASED_UNITS.get(words[0]) or UNITS.get(words[0].casefold(), "") if words else "")
    if unit in _COUNTERS:
        unit, words = "", (unit, *words)
    return Amount(
        text=reading.text.casefold(),
        values=frozenset(reading.values),
        perhaps=frozenset(reading.perhaps),
        unit=unit,
        words=() if unit else words,
        rate=rate[1].casefold() if rate else "",
    )


def _words_behind(plain: str, position: int, ordinary: Collection[str]) -> tuple[tuple[str, ...], int]:
    """The words behind a number up to the first that says nothing of what is counted, and where they end."""
    found = _BEHIND.match(plain, position)
    if found is None:
        return (), position
    if found[1]:
        return (found[1],), found.end()
    if found[2].casefold() in _PARTITIVES:
        found = _NEXT.match(plain, found.end()) or found
    words, ends = list[str](), _RATES.union(ordinary)
    while found and len(words) < _MAX_WORDS and found[found.lastindex or 0].casefold() not in ends:
        words.append(_form(found[found.lastindex or 0]))
        position = found.end()
        found = _NEXT.match(plain, position)
    return tuple(words), position


def _form(word: str) -> str:
    """In short ones, which may be symbols of units, capitals count: mW and MW."""
    return word if len(word) <= _SYMBOL_CHARS else word.casefold()


def say_same(one: Amount, other: Amount) -> bool | None:
    """Whether two amounts are the same; None where that cannot be told."""
    alike = _count_alike(one, other)
    if one.values & other.values:
        return alike
    if alike is False:
        return False
    if one.values and other.values:
        # the same only in another number format
        return None if (one.values | one.perhaps) & (other.values | other.perhaps) else False
    if one.digits != other.digits:
        return False
    # written alike, though not read
    return alike if one.text == other.text and not (one.values or other.values) else None


def _count_alike(one: Amount, other: Amount) -> bool | None:
    if one.rate != other.rate:
        return False if one.rate and other.rate else None
    if one.unit and other.unit:
        # a bare $ may be that of any country
        return one.unit == other.unit or (None if _is_dollar(one.unit) and _is_dollar(other.unit) else False)
    if one.unit or other.unit:
        # square metres may be m²
        return False if (one.words or other.words) and UNITS.keys().isdisjoint(one.words + other.words) else None
    if not one.words or not other.words:
        return True
    first = any(_is_one(a, b) for a in one.words[:1] for b in other.words)
    return first or any(_is_one(a, b) for a in one.words for b in other.words[:1]) or None


def _is_dollar(unit: str) -> bool:
    return unit == "USD" or unit.endswith("$")


def _is_one(a: str, b: str) -> bool:
    """The same word, but for its ending; in scripts without spaces, the same first sign."""
    if re.match(f"[{_CJK}]", a):
        return a[0] == b[0]
    shared = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return a == b or shared >= max(3, 0.6 * max(len(a), len(b)))
