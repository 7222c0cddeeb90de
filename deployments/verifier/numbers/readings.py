"""The numbers of a text, each read whole: what it says, or that it cannot be told."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from deployments.verifier.numbers.before import CLAUSE_ENDS, WORD, look_before
from deployments.verifier.numbers.behind import look_behind
from deployments.verifier.numbers.lexicon import tables
from deployments.verifier.numbers.lexicon.spelled import find_words
from deployments.verifier.numbers.markup import to_plain
from deployments.verifier.numbers.reading import Reading
from deployments.verifier.numbers.written import START, read_written

_MAX_GAP_CHARS: Final = 24  # between two numbers that may belong together
_SOURCE: Final = re.compile(r"\n\[\^?\d+\]:?[ \t]+[^\n]+")
_MARKER: Final = re.compile(r"(?:^|\n)[ \t*#(-]{0,8}(\d{1,3})[.)：:]\s+(?=\S)")
_SENTENCE_END: Final = re.compile(r"[.!?;]\s|[。！\n]")
_DATE_GAPS: Final = frozenset({"", ",", "de", "of", "del", "г", "点", "時", "시"})
_OPERATOR: Final = re.compile(r"[+\-−–×÷*/·^:x]")
_MEASURES: Final = (
    frozenset({"a", "month", "week", "d", "h", "min", "s", "ms"}),
    frozenset({"km", "m", "cm", "mm", "mi", "yd", "ft", "in"}),
    frozenset({"kg", "g", "mg", "t", "lb", "oz"}),
    frozenset({"l", "ml", "cl", "dl", "gal", "cup"}),
    frozenset({"°", "min", "s"}),
    frozenset({"USD", "EUR", "GBP", "RUB", "UAH", "PLN", "cent"}),
)


def readings(text: str, language: str = "unknown") -> list[Reading]:
    """All numbers of a text in order, clear and unclear, without those that are part of a name, such as `H2O`."""
    return [reading for reading in read_plain(to_plain(text), language) if not reading.is_aside]


def read_plain(plain: str, language: str) -> list[Reading]:
    """As `readings`, of a text that `to_plain` made, with the asides."""
    found = [*_in_digits(plain, language)]
    found = sorted([*found, *_in_words(plain, language, found)], key=lambda reading: reading.start)
    _mark_lists(found, plain)
    _mark_sources(found, plain)
    for first, second in pairwise(found):
        if second.start - first.end <= _MAX_GAP_CHARS and not (first.is_aside or second.is_aside):
            _link(first, second, plain)
    last_end = max((end.start() for end in _SENTENCE_END.finditer(plain)), default=-1)
    for reading in found:
        reading.text = plain[reading.start : reading.end].strip()
        reading.may_go_on = reading.end > last_end
    return found


def _in_digits(plain: str, language: str) -> Iterator[Reading]:
    position = 0
    while found := START.search(plain, position):
        reading = read_written(plain, found, language)
        if not reading.is_aside:
            look_before(reading, plain, language)
        if not reading.is_aside:
            look_behind(reading, plain, language)
        position = max(reading.end, found.start() + 1)
        yield reading


def _in_words(plain: str, language: str, digits: Sequence[Reading]) -> Iterator[Reading]:
    """Numbers in words, but for those that a number in digits has taken, as in `5 million`."""
    index = 0
    for word in find_words(plain, language):
        while index < len(digits) and digits[index].end <= word.start:
            index += 1
        if index < len(digits) and digits[index].start < word.end:
            continue
        reading = Reading(start=word.start, end=word.end, is_word=True, is_sure=False)
        if word.value is not None:
            reading.values = (word.value,)
            look_before(reading, plain, language)
            look_behind(reading, plain, language)
        yield reading


def _mark_lists(found: list[Reading], plain: str) -> None:
    """`1.` and `2.` at the beginning of lines count lines; a 42 there is an answer."""
    by_start = {reading.start: reading for reading in found}
    seen: dict[int, Reading] = {}
    for marker in _MARKER.finditer(plain):
        reading, number = by_start.get(marker.start(1)), int(marker[1])
        if reading is None:
            continue
        if number == 1:
            seen = {1: reading}
            reading.spoil()
        elif number - 1 in seen:
            seen[number] = reading
            for each in (seen[number - 1], reading):
                each.is_aside = True


def _mark_sources(found: list[Reading], plain: str) -> None:
    """`[1] Tower facts, p. 12` below an answer says where it is from."""
    for line in _SOURCE.finditer(plain):
        for reading in found:
            if line.start() <= reading.start < line.end():
                reading.spoil()


def _link(first: Reading, second: Reading, plain: str) -> None:
    """Spoil two numbers that are parts of one thing: a range, a ratio, a date, a length in feet and inches."""
    gap = plain[first.end : second.start]
    word = gap.strip(" \u00a0\n.*-").casefold() or gap.strip(" \u00a0\n.*")
    has_words = first.is_word or second.is_word
    if (first.joins_next and word in _DATE_GAPS) or (
        first.unit in ("h", "°") and not second.unit and not gap.strip(" ")
    ):
        second.joins_next = True
        second.spoil()
    elif word in tables.LIST_WORDS and not (_are_parts(first.unit, second.unit) or _is_between(first, plain)):
        second.is_listed = True
        if not second.is_clear:
            first.spoil()  # 3 और 7 के बीच
    elif (
        word in tables.RANGE_WORDS | tables.SHARE_WORDS | tables.OPERATIONS
        or gap == "|"
        or word.endswith(("中", "中的", "中の", "중", "중에", "중에서"))
        or word.split(" ")[0] in ("of", "out")
        or (_OPERATOR.fullmatch(word) and not re.fullmatch(r":\s+", gap))
        or (word == "" and has_words and "\n" not in gap and "." not in gap)
        or (" " not in word and "\n" not in gap and _are_parts(first.unit, second.unit))
        or (first.unit and not gap.strip(" \u00a0") and plain[first.end - 1] != ".")  # 1h 30m, 12 € 50
        or (word in (",", ";") and _are_in_brackets(first, second, plain))
    ):
        first.spoil()
        second.spoil()


def _are_parts(first: str, second: str) -> bool:
    return first != second and any(first in measure and second in measure for measure in _MEASURES)


def _are_in_brackets(first: Reading, second: Reading, plain: str) -> bool:
    """(3, 9), [3, 9] and {3, 9} are pairs, ranges or sets."""
    return plain[first.start - 1 : first.start] in tuple("([{") or plain[second.end : second.end + 1] in tuple(")]}")


def _is_between(first: Reading, plain: str) -> bool:
    before = plain[max(0, first.start - _MAX_GAP_CHARS) : first.start]
    words = [word.casefold() for word in WORD.findall(CLAUSE_ENDS.split(before)[-1])][-2:]
    return not tables.BETWEEN.isdisjoint(words) or before.rstrip().endswith(("介于", "在", "ระหว่าง"))
