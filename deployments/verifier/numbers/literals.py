"""What one written number says: digits with their separators, powers, roots, numerals of Chinese and Japanese."""

import re
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Final

from deployments.verifier.numbers.lexicon.tables import DECIMAL_COMMA_LANGUAGES, DECIMAL_POINT_LANGUAGES

MAX_DIGITS: Final = 400  # of a number that is read; a longer one is unclear
MAX_POWER: Final = 400

Values = tuple[Fraction, ...]
_ARABIC: Final = {"٫": ".", "٬": ","}
_SUPERSCRIPTS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_PI: Final = Fraction(Decimal("3.14159265358979323846264338327950288419716939937510"))


def read_digits(body: str, language: str) -> tuple[Values, Values] | None:
    """What digits with separators say, and what else they might; None where they are no number.

    `1.234` is 1234 where the comma is the decimal sign, and perhaps 1.234; groups that are not of three, or two
    different separators, settle it without the language.
    """
    if sum(map(str.isdigit, body)) > MAX_DIGITS:
        return None
    if "٫" in body or "٬" in body:
        return _sure(_mixed("".join(_ARABIC.get(char, char) for char in body), "."))
    body, spaced = re.subn(r"(?<=\d)['_\u00a0 ](?=\d)", "'", body)
    if spaced:
        return _sure(_apostrophes(body))
    marks = [char for char in body if char in ".,"]
    if not marks:
        return _sure(Fraction(int(body)))
    if len(set(marks)) == 2:
        return _sure(_mixed(body, marks[-1]))
    return _one_mark(body.split(marks[0]), marks[0], language)


def _sure(value: Fraction | None) -> tuple[Values, Values] | None:
    return None if value is None else ((value,), ())


def _apostrophes(body: str) -> Fraction | None:
    found = re.fullmatch(r"([\d']+)(?:[.,](\d+))?", body)
    if found is None or not are_groups(found[1].split("'")):
        return None
    return _decimal(found[1].replace("'", ""), found[2] or "")


def _mixed(body: str, decimal: str) -> Fraction | None:
    whole, mark, fraction = body.rpartition(decimal)
    if not mark:
        whole, fraction = fraction, ""
    parts = re.split("[.,]", whole)
    if decimal in whole or not (len(parts) == 1 or are_groups(parts)):
        return None
    return _decimal("".join(parts), fraction)


def _one_mark(parts: list[str], mark: str, language: str) -> tuple[Values, Values] | None:
    grouped = Fraction(int("".join(parts))) if are_groups(parts) else None
    if len(parts) > 2:
        return _sure(grouped)
    decimal = _decimal(*parts)
    if grouped is None:
        # a comma that parts pairs, as in (3,5), is common only where it is no decimal sign
        return _sure(decimal) if mark == "." or language not in DECIMAL_POINT_LANGUAGES else None
    is_decimal = (mark == ",") == (language in DECIMAL_COMMA_LANGUAGES)
    return ((decimal,), (grouped,)) if is_decimal else ((grouped,), (decimal,))


def _decimal(whole: str, fraction: str) -> Fraction:
    return Fraction(int(whole + fraction), 10 ** len(fraction))


def are_groups(parts: list[str]) -> bool:
    """Thousands (1,234,567) or the Indian lakh (12,34,567)."""
    if len(parts) < 2:
        return False
    first, *middle, last = parts
    sizes = {len(part) for part in middle}
    return 1 <= len(first) <= 3 and not first.startswith("0") and len(last) == 3 and sizes in (set(), {2}, {3})


def power(base: Fraction, exponent: str) -> Fraction | None:
    """`base` to a whole exponent, in superscripts or digits; None beyond what is read."""
    number = int(exponent.translate(_SUPERSCRIPTS))
    if abs(number) > MAX_POWER or (base == 0 and number < 0) or _size(base) * abs(number) > 4 * MAX_DIGITS:
        return None
    return base**number


def scaled(value: Fraction, exponent: int) -> Fraction | None:
    return None if abs(exponent) > MAX_POWER else value * Fraction(10) ** exponent


def root(value: Fraction) -> tuple[Fraction, bool] | None:
    """The square root and whether it is exact; else it has some 50 digits."""
    if value < 0 or _size(value) > MAX_DIGITS:
        return None
    with localcontext() as context:
        context.prec = 3 * MAX_DIGITS
        found = Fraction((Decimal(value.numerator) / Decimal(value.denominator)).sqrt())
    near = found.limit_denominator(10**9)
    return (near, True) if near * near == value else (found, False)


def times_pi(value: Fraction) -> Fraction:
    return value * _PI


def _size(value: Fraction) -> int:
    return len(str(value.numerator)) + len(str(value.denominator)) - 2


# -- numerals of Chinese, Japanese and (as syllables) Korean ------------------------------------------------

_CJK_DIGITS: Final = {
    **{char: index for index, char in enumerate("〇一二三四五六七八九")},
    **{char: index for index, char in enumerate("零壹贰叁肆伍陆柒捌玖")},
    **{char: index for index, char in enumerate("零壱弐参肆伍陸漆捌玖")},
    **{char: index for index, char in enumerate("零壹貳參肆伍陸柒捌玖")},
    "两": 2,
    "兩": 2,
}
_CJK_TENS: Final = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_CJK_MYRIADS: Final = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_HANGUL: Final = str.maketrans("영공일이삼사오육륙칠팔구십백천만억", "〇〇一二三四五六六七八九十百千万億")

CJK_NUMERAL: Final = "".join({**_CJK_DIGITS, **_CJK_TENS, **_CJK_MYRIADS})


def read_cjk(text: str) -> int | None:
    """The value of a numeral such as 三百二十, 一万 or 二〇二四; None for one that is not well formed."""
    if len(text) > 40:
        return None
    if all(char in _CJK_DIGITS for char in text):
        return int("".join(str(_CJK_DIGITS[char]) for char in text))
    total, rest, previous = 0, text, 10**12
    for mark in re.finditer("[万萬亿億]", text):
        unit = _CJK_MYRIADS[mark[0]]
        head, _, rest = rest.partition(mark[0])
        part = _below_myriad(head)
        if part is None or unit >= previous:
            return None
        total, previous = total + part * unit, unit
    part = _below_myriad(rest) if rest else 0
    return None if part is None else total + part


def _below_myriad(text: str) -> int | None:
    total, digit, previous = 0, None, 10**4
    for index, char in enumerate(text):
        if char in _CJK_TENS:
            unit = _CJK_TENS[char]
            if unit >= previous:
                return None
            total, digit, previous = total + (1 if digit is None else digit) * unit, None, unit
        elif digit is None or (digit == 0 and index):
            digit = _CJK_DIGITS[char]
        else:
            return None
    if digit and previous > 10 and previous < 10**4 and text[-2] not in "〇零":
        return None  # 三百五 is 350 to one reader and 305 to another
    return total + (digit or 0) if text else None


def read_hangul(text: str) -> int | None:
    return read_cjk(text.translate(_HANGUL))
