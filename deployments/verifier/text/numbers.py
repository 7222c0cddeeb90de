"""Numbers in running text, in the digits and the number format of any language."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from deployments.verifier.text.normalise import fold

DECIMAL_COMMA_LANGUAGES = frozenset(
    "az be bg bs ca cs da de el es et eu fi fr gl hr hu hy id is it ka kk lt lv mk nb nl nn no pl pt ro ru sk sl "
    "sq sr sv tr uk uz vi".split()
)
# these part thousands by a space; elsewhere a plain space stands between two numbers
SPACE_GROUP_LANGUAGES = frozenset("bg cs et fi fr hu kk lt lv nb nn no pl ru sk sv uk".split())

_NARROW_SPACE = re.compile(r"(?<=\d)[\u00a0\u2007\u2009\u202f](?=\d{3}(?!\d))")
_PLAIN = r"\d+(?:[.,]\d+)*"
# the look-ahead inside the group keeps this linear: no group is taken that would have to be given back
_GROUPED = r"\d{{1,3}}(?:[{groups}]\d{{3}}(?!\d))+(?:[.,]\d+)?"
_NUMBER = re.compile(f"{_GROUPED.format(groups=chr(39))}|{_PLAIN}", re.ASCII)
_NUMBER_BY_SPACE = re.compile(f"{_GROUPED.format(groups=chr(39) + ' ')}|{_PLAIN}", re.ASCII)
_EXPONENT = re.compile(r"e([+-]?\d{1,3})(?![\w])| ?[x×*·] ?10\^([+-]?\d{1,3})(?!\d)", re.ASCII)
_POWER_OF_TEN = re.compile(r"(?<=(?<!\d)10)\^([+-]?\d{1,3})(?!\d)", re.ASCII)
_CURRENCY = "$€£¥₹₽₺₩฿"


@dataclass(frozen=True, slots=True)
class Number:
    value: Decimal
    is_percent: bool = False


def find_numbers(text: str, language: str = "unknown") -> Iterator[Number]:
    """Yield the numbers of a text in order; digits inside a word such as `H2O` or `v2` are none.

    `1.234` is 1234 where the comma is the decimal sign and 1.234 elsewhere; two different separators, or
    groups that are not of three, settle it without the language. Dates and versions come apart.
    """
    text = _NARROW_SPACE.sub("'", text)
    text = fold(text, language)
    pattern = _NUMBER_BY_SPACE if language in SPACE_GROUP_LANGUAGES else _NUMBER
    position = 0
    while found := pattern.search(text, position):
        start, (exponent, position) = found.start(), _exponent(text, found)
        if _is_inside_word(text, start):
            continue
        digits = _read(found[0], comma_is_decimal=language in DECIMAL_COMMA_LANGUAGES)
        values = [Decimal(part) for part in digits]
        if exponent:
            # only here, since scaleb rounds to the 28 digits of the context
            values[-1] = values[-1].scaleb(exponent)
        if _is_negative(text, start):
            values[0] = values[0].copy_negate()
        is_percent = _is_percent(text, start, position)
        yield from (Number(value, is_percent) for value in values)


def _exponent(text: str, found: re.Match[str]) -> tuple[int, int]:
    """The power of ten behind a number and where the whole ends; 10^5 counts as 10 with a power of 4."""
    if found.end() - found.start() == 2 and (power := _POWER_OF_TEN.match(text, found.end())):
        return int(power[1]) - 1, power.end()
    power = _EXPONENT.match(text, found.end())
    return (int(power[1] or power[2]), power.end()) if power else (0, found.end())


def _is_inside_word(text: str, start: int) -> bool:
    before = text[start - 1 : start]
    return before in ("^", "_") or (before.isalpha() and _parts_words(before))


def _parts_words(char: str) -> bool:
    """Latin, Greek and Cyrillic: scripts in which a letter right before a digit makes one word of both."""
    return ord(char) < 0x0530


def _is_negative(text: str, start: int) -> bool:
    while start and text[start - 1] in _CURRENCY:
        start -= 1
    if text[start - 1 : start] != "-":
        return False
    before = text[start - 2 : start - 1] if start > 1 else ""
    return not (before in tuple(")]") or (before.isalnum() and _parts_words(before)))


def _is_percent(text: str, start: int, end: int) -> bool:
    """A percent sign behind, or in front as in Turkish."""
    in_front = text[start - 1 : start] == "%" and not text[max(0, start - 2) : start - 1].isdigit()
    return in_front or text[end : end + 2].lstrip(" ").startswith("%")


def _read(body: str, *, comma_is_decimal: bool) -> list[str]:
    """The digits of one number with `.` as decimal sign, or of several where the separators make no number."""
    if "'" in body or " " in body:
        return [body.replace("'", "").replace(" ", "").replace(",", ".")]
    marks = [char for char in body if char in ".,"]
    if not marks:
        return [body]
    if len(set(marks)) == 2:
        return _read_mixed(body, decimal=marks[-1])
    parts = body.split(marks[0])
    is_decimal = len(parts) == 2 and (marks[0] == ("," if comma_is_decimal else ".") or not _are_groups(parts))
    if is_decimal:
        return [".".join(parts)]
    return ["".join(parts)] if _are_groups(parts) else parts


def _read_mixed(body: str, *, decimal: str) -> list[str]:
    whole, _, fraction = body.rpartition(decimal)
    parts = re.split("[.,]", whole)
    if decimal not in whole and _are_groups(parts):
        return ["".join(parts) + "." + fraction]
    return [*parts, fraction]


def _are_groups(parts: list[str]) -> bool:
    """Thousands (1,234,567) or the Indian lakh (12,34,567)."""
    first, *middle, last = parts
    sizes = {len(part) for part in middle}
    return 1 <= len(first) <= 3 and not first.startswith("0") and len(last) == 3 and sizes in (set(), {2}, {3})


def last_number(answer: str, language: str) -> list[Number]:
    """The last number of an answer, if there is one."""
    return list(find_numbers(answer[-20_000:], language))[-1:]
