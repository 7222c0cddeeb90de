"""Which number an answer concludes on, and whether that is beyond dispute."""

import re
from dataclasses import replace
from fractions import Fraction
from itertools import chain, islice
from typing import Final, Literal

from deployments.verifier.numbers.lexicon import phrases
from deployments.verifier.numbers.lexicon.spelled import ENGLISH
from deployments.verifier.numbers.lexicon.tables import LETTER
from deployments.verifier.numbers.markup import BOX_CLOSES, BOX_OPENS, UNREAD, to_plain
from deployments.verifier.numbers.reading import Reading
from deployments.verifier.numbers.readings import read_plain
from deployments.verifier.numbers.written import START

Which = Literal["last", "first", "any"]

WINDOW_CHARS: Final = 4_000  # the end of an answer, where it concludes
_QUICK_NUMBERS: Final = 20
MAX_CHARS: Final = 1 << 14  # of an answer of which every number is read

_STOP: Final = re.compile(r"[。！!?\n]|\.(?=\s|$)|\.(?=[A-Z])")
_BOX: Final = re.compile(f"{BOX_OPENS}([^{BOX_OPENS}{BOX_CLOSES}]*){BOX_CLOSES}")
_BOLD: Final = re.compile(r"(?:\*\*|__)(?=[^\s*_])([^*\n]{1,60})(?:\*\*|__)")
_WORDY: Final = re.compile(LETTER + "{3,}")


def is_quick(text: str, which: Which) -> bool:
    """Whether the numbers that count are read in less than a millisecond."""
    window = text[:WINDOW_CHARS] if which == "first" else text[-WINDOW_CHARS:]
    if which == "any" and len(text) > WINDOW_CHARS:
        return False
    found = chain(START.finditer(window), ENGLISH.finditer(window))
    return sum(1 for _ in islice(found, _QUICK_NUMBERS + 1)) <= _QUICK_NUMBERS


def first_number(text: str, language: str) -> Reading | None:
    """The number an answer begins with; None where it has none."""
    head = text[:WINDOW_CHARS]
    found = _numbers(read_plain(to_plain(head), language))
    if not found:
        return None
    return _spoilt(found[0]) if found[0].may_go_on and len(text) > WINDOW_CHARS else found[0]


def all_numbers(text: str, language: str) -> list[Reading]:
    """All numbers of an answer of at most MAX_CHARS, clear or not."""
    return _numbers(read_plain(to_plain(text), language))


def last_number(text: str, language: str) -> Reading | None:
    """The number an answer concludes on: in its last box, behind `the answer is`, else the last one.

    It is unclear where the answer takes it back, hedges, or points at several; None where there is no number.
    """
    plain = to_plain(text[-WINDOW_CHARS:])
    found = _numbers(read_plain(plain, language))
    if not found:
        return None
    concluded = _boxed(plain, found) or _announced(plain, found) or _last(plain, found, text, language)
    return _spoilt(concluded) if _is_taken_back(plain, concluded, found) else concluded


def _numbers(found: list[Reading]) -> list[Reading]:
    return [reading for reading in found if not reading.is_aside]


def _spoilt(reading: Reading) -> Reading:
    return replace(reading, values=(), perhaps=())


def _boxed(plain: str, found: list[Reading]) -> Reading | None:
    boxes = [*_BOX.finditer(plain)]
    if not boxes:
        return None
    box = boxes[-1]
    inside = [reading for reading in found if box.start() <= reading.start < box.end()]
    if not inside:
        return None
    answer = inside[-1]
    return _spoilt(answer) if (len(inside) > 1 and "=" not in box[1]) or UNREAD in box[1] else answer


def _announced(plain: str, found: list[Reading]) -> Reading | None:
    """The number behind the last `answer is`, where all such words agree."""
    announced = [reading for marker in phrases.ANSWER.finditer(plain) if (reading := _behind(marker, plain, found))]
    if not announced:
        return None
    last = announced[-1]
    if "final" in plain[max(0, last.start - 40) : last.start].casefold():
        return last
    return last if all(_says_same(last, other) for other in announced) else _spoilt(last)


def _behind(marker: re.Match[str], plain: str, found: list[Reading]) -> Reading | None:
    """The number that a word such as `answer` announces in its sentence."""
    if phrases.MISLEADING.search(plain[max(0, marker.start() - 24) : marker.start()]):
        return None
    link = phrases.LINK.match(plain, marker.end())
    begin = link.end() if link else marker.end()
    stop = _STOP.search(plain, max(begin, marker.end()))
    end = stop.start() if stop else len(plain)
    sentence = [reading for reading in found if marker.end() <= reading.start and reading.start < max(end, begin + 1)]
    if not sentence:
        return None
    first = sentence[0]
    if first.start <= begin:
        return _end_of_chain(first, sentence, plain)
    if len(sentence) == 1 and sentence[0].start - begin < 80:
        return first
    last = sentence[-1]
    if "=" in plain[first.start : end] or _is_told_of(sentence[:-1], last, plain):
        return _end_of_chain(last, sentence, plain)
    return _spoilt(last)


def _is_told_of(others: list[Reading], last: Reading, plain: str) -> bool:
    """`The answer to question 3 is 48`: the last number is said of what is no amount."""
    gap = plain[others[-1].end : last.start]
    is_linked = re.search(r"[\w:]", gap) is not None and phrases.LINK.fullmatch(gap) is not None
    return is_linked and not any(other.is_clear for other in others)


def _end_of_chain(first: Reading, sentence: list[Reading], plain: str) -> Reading:
    """`5 + 7 = 12` concludes on 12."""
    last = first
    for reading in sentence:
        if reading.start > last.start and re.fullmatch(
            r"[^,;.]{0,60}[=≈]\s?[^,;.\w]{0,6}", plain[last.end : reading.start]
        ):
            last = reading
    return last


def _last(plain: str, found: list[Reading], text: str, language: str) -> Reading:
    last = found[-1]
    rivals = [*_bold(text, language), *_opening(plain, found), *_results(plain, found)]
    if last.is_listed or not all(_says_same(last, rival) for rival in rivals):
        return _spoilt(last)
    if last.in_brackets:
        start = max((stop.end() for stop in _STOP.finditer(plain, 0, last.start)), default=0)
        if any(start <= other.start and not _says_same(last, other) for other in found[:-1]):
            return _spoilt(last)
    return last


def _bold(text: str, language: str) -> list[Reading]:
    """Numbers that stand alone in bold."""
    bold = [*_BOLD.finditer(text[-WINDOW_CHARS:])][-40:]
    found = [(mark[1], all_numbers(mark[1], language)) for mark in bold if not _WORDY.search(mark[1])]
    return [numbers[-1] for _, numbers in found if len(numbers) == 1]


def _opening(plain: str, found: list[Reading]) -> list[Reading]:
    """A number that is the whole first sentence of a longer answer."""
    first = found[0]
    rest = plain[first.end :].lstrip(" *\"')" + BOX_CLOSES)
    if plain[: first.start].strip(" \n*\"'(=~≈$" + BOX_OPENS) or not rest[:1] or rest[0] not in ".。\n,:;!！":
        return []
    return [first] if first.is_clear and _WORDY.search(rest) else []


def _results(plain: str, found: list[Reading]) -> list[Reading]:
    announced = [reading for marker in phrases.RESULT.finditer(plain) if (reading := _behind(marker, plain, found))]
    return [reading for reading in announced[-1:] if reading.is_clear]


def _says_same(one: Reading, other: Reading) -> bool:
    return one.start == other.start or (one.is_clear and one.values == other.values)


def _is_taken_back(plain: str, concluded: Reading, found: list[Reading]) -> bool:
    """Whether something else is said after it, or the answer is unsure of it."""
    later = [reading for reading in found if reading.start > concluded.start and not _says_same(concluded, reading)]
    rest = plain[concluded.end :]
    if later and phrases.TAKEN_BACK.search(rest):
        return True
    start = max((stop.end() for stop in _STOP.finditer(plain, 0, concluded.start)), default=0)
    return bool(phrases.UNSURE.search(plain[start:])) or re.match(r"[^.\n]{0,30}\?", rest) is not None


def is_value(reading: Reading, wanted: Fraction, allowed: Fraction) -> bool | None:
    """Whether a number is within `allowed` of a value; None where the reading does not tell."""
    if any(abs(value - wanted) <= allowed for value in reading.values):
        return True if (reading.is_exact or allowed) and not _is_small_percentage(reading, wanted, allowed) else None
    if not reading.is_clear or not reading.is_sure or any(abs(value - wanted) <= allowed for value in reading.perhaps):
        return None
    return False if reading.is_exact or allowed else None


def _is_small_percentage(reading: Reading, wanted: Fraction, allowed: Fraction) -> bool:
    """0.5% said of one half is a mistake, said of 0.5 per cent it is right; only its share is beyond doubt."""
    if reading.unit != "%" or abs(reading.values[0]) >= 1:
        return False
    return abs(reading.values[1] - wanted) > allowed


def agree(one: Reading, other: Reading) -> bool | None:
    """Whether two answers' numbers are the same amount; None where one is unclear, or no more than near.

    A unit counts where both numbers have one: 5 km are not 5 m, and 15 dollars may well be 15.
    """
    if not (one.is_clear and other.is_clear and one.is_exact and other.is_exact):
        return None
    if one.unit and other.unit and one.unit != other.unit:
        return False
    if (one.unit == "%") != (other.unit == "%"):
        share, number = (one.values[-1], other.values) if one.unit == "%" else (other.values[-1], one.values)
        return True if share in number else None
    if one.values == other.values:
        return True
    return False if one.is_sure and other.is_sure else None
