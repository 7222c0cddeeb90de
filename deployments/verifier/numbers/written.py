"""Where a text holds a number, and what its digits, powers, fractions and numerals say."""

import re
import unicodedata
from fractions import Fraction
from typing import Final

from deployments.verifier.numbers.lexicon.tables import CJK_COUNTERS, DECIMAL_COMMA_LANGUAGES, SPACE_GROUP_LANGUAGES
from deployments.verifier.numbers.literals import (
    CJK_NUMERAL,
    MAX_DIGITS,
    power,
    read_cjk,
    read_digits,
    read_hangul,
    root,
    scaled,
    times_pi,
)
from deployments.verifier.numbers.markup import BOX_OPENS, FRACTION_CLOSES, FRACTION_OPENS
from deployments.verifier.numbers.reading import Reading

_VULGAR: Final = "¼-¾⅐-⅞↉"
_SUPER: Final = "⁰¹²³⁴⁵⁶⁷⁸⁹"
# circled and Roman numerals, and those of Ethiopia and Tamil, are seen and not read
START: Final = re.compile(
    rf"\d|[.,٫](?=\d)|[{_VULGAR}]|√(?=\d)|{FRACTION_OPENS}|[①-⓿❶-➓㈠-㉃㊀-㊉Ⅰ-ↈ፩-፼௰-௲]|[{CJK_NUMERAL}]+"
    r"|(?<![가-힣])[일이삼사오육칠팔구십백천만억]{2,12}(?=입니다|이다|개|명|원|이에|예요|[^가-힣]|$)"
)
_SEPARATOR: Final = "[.,'_\u00a0٫٬]"
# more parts than any number has: what goes on behind them is unclear
_BODY: Final = re.compile(rf"\d+(?:{_SEPARATOR}\d+){{0,24}}")
_SPACED: Final = re.compile(r"\d{1,3}(?: \d{3})+(?!\d)(?:[.,٫]\d+)?(?![.,'_]?\d)")
_DIGITS: Final = re.compile(r"\d+")
_SEPARATED: Final = re.compile(rf"{_SEPARATOR}\d")
_BASED: Final = re.compile(r"0(?:[xX]([0-9a-fA-F]{1,100})|[bB]([01]{1,300})|[oO]([0-7]{1,100}))(?!\w)")
_E: Final = re.compile(r"[eE]([+−-]?\d{1,4})(?![\d.,])")
_POWER: Final = re.compile(
    rf"([⁺⁻]?[{_SUPER}]+)"
    r"|(?: ?\^ ?|\*\*)(?:\{ ?([+−-]?\d{1,4}) ?\}|\( ?([+−-]?\d{1,4}) ?\)|([+−-]?\d{1,4}))(?![\d.,]\d|\d)"
)
_POWER_SIGN: Final = re.compile(r" ?\^|\*\*")
_TIMES_TEN: Final = re.compile(r" ?[×x*·] ?10(?=\^| \^|\*\*|[⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹])")
_MIXED: Final = re.compile(
    rf" ?([{_VULGAR}])| ?{FRACTION_OPENS}(\d+)/(\d+){FRACTION_CLOSES}| (\d{{1,6}})/(\d{{1,6}})(?![\d/])"
)
_OVER: Final = re.compile(r" ?/ ?(\d{1,60})(?![\d/]|[.,]\d)")
_SLASHED: Final = re.compile(r" ?/ ?\d[\d.,]*(?:/[\d.,]*\d)*")
_FRACTION: Final = re.compile(rf"{FRACTION_OPENS}(\d+)/(\d+){FRACTION_CLOSES}")
_FACTORS: Final = re.compile(r"(?: ?√(\d+(?:\.\d+)?))?( ?π)?")
_MORE_FACTORS: Final = re.compile(rf" ?[√π^]|[{_SUPER}]|\*\*")
_MYRIADS: Final = re.compile(r"([千百천백]?[万萬만亿億억兆조]|[千百천백]) ?")
_MYRIAD_PART: Final = re.compile(r"(\d{1,3}(?:,\d{3})+|\d{1,4})(?![.,]?\d)")
_SPACED_MYRIAD: Final = re.compile(r"\d+[千百천백]?[万萬만亿億억천백]")
_MYRIAD: Final = {
    **dict.fromkeys("百백", 10**2),
    **dict.fromkeys("千천", 10**3),
    **dict.fromkeys("万萬만", 10**4),
    **dict.fromkeys("亿億억", 10**8),
    **dict.fromkeys("兆조", 10**12),
}
_CJK_FRACTION: Final = re.compile(rf"(?:分之|点|點|・)[{CJK_NUMERAL}\d]*")


def read_written(plain: str, found: re.Match[str], language: str) -> Reading:
    """The number at a match of START, without what stands around it."""
    first = found[0][0]
    reading = Reading(start=found.start(), end=found.end())
    if first in ".,٫":
        _leading_mark(reading, plain, first, language)
    elif first.isascii():
        _number(reading, plain, language)
    elif first == FRACTION_OPENS:
        _latex_fraction(reading, plain)
    elif first == "√":
        reading.end = reading.start
        _factors(reading, plain, Fraction(1))
    elif first in CJK_NUMERAL:
        _cjk(reading, plain, found[0])
    elif "가" <= first <= "힣":
        value = read_hangul(found[0]) if set(found[0]) & set("십백천만억") else None
        reading.values, reading.is_word = () if value is None else (Fraction(value),), True
    elif unicodedata.name(first, "").startswith("VULGAR FRACTION"):
        reading.values = (_vulgar(first),)
    return reading


def _vulgar(char: str) -> Fraction:
    return Fraction(unicodedata.numeric(char)).limit_denominator(10)


def _match(pattern: re.Pattern[str], plain: str, position: int) -> re.Match[str]:
    found = pattern.match(plain, position)
    assert found is not None
    return found


def _leading_mark(reading: Reading, plain: str, mark: str, language: str) -> None:
    """`.5` is a half where nothing stands before the mark that it could belong to."""
    before = plain[reading.start - 1 : reading.start]
    digits = _match(_DIGITS, plain, reading.start + 1)
    reading.end = digits.end()
    if mark == ",":
        is_decimal = language in DECIMAL_COMMA_LANGUAGES and before in ("", " ", "\n", "-", "−", "–", "=", "(")
    else:
        is_decimal = before in ("", *" \n\u00a0([{=:$£€¥₹+-−–~≈<>\"'*%/|", BOX_OPENS) or before >= "\u0900"
    if is_decimal and before != "…" and len(digits[0]) <= MAX_DIGITS and not _SEPARATED.match(plain, digits.end()):
        reading.values = (Fraction(int(digits[0]), 10 ** len(digits[0])),)
        _exponent(reading, plain)
        _powers(reading, plain)
    elif mark == "," and (before.isalnum() or before in tuple(")]}")):
        # `a,5` lists: the number begins behind the comma
        reading.start += 1
        _number(reading, plain, language)
        reading.is_sure = False


def _number(reading: Reading, plain: str, language: str) -> None:
    if based := _BASED.match(plain, reading.start):
        digits, base = next(pair for pair in zip(based.groups(), (16, 2, 8), strict=True) if pair[0])
        reading.values, reading.end = (Fraction(int(digits, base)),), based.end()
        return
    body = _separated(reading, plain, language)
    _exponent(reading, plain)
    _powers(reading, plain)
    _parts(reading, plain, is_whole=body.isdigit())
    if reading.values:
        _factors(reading, plain, reading.values[0])
    _myriads(reading, plain, language)


def _separated(reading: Reading, plain: str, language: str) -> str:
    """Read the digits with their separators; return them."""
    body = (_SPACED.match(plain, reading.start) or _match(_BODY, plain, reading.start))[0]
    read = read_digits(body, language)
    if read is None and _is_list(body, plain[reading.start - 1 : reading.start]):
        body = body.partition(",")[0]
        read = read_digits(body, language)
    reading.end = reading.start + len(body)
    if read is not None and not _may_be_several(body, language) and not _goes_on(plain, reading.end, body):
        reading.values, reading.perhaps = read
    return body


def _is_list(body: str, before: str) -> bool:
    """1,2,3; a part of three digits may belong to a number that is badly grouped."""
    parts = body.split(",")
    return (len(parts) > 2 or before == ",") and all(part.isdigit() and len(part) != 3 for part in parts[1:])


def _goes_on(plain: str, end: int, body: str) -> bool:
    return not body.isdigit() and _SEPARATED.match(plain, end) is not None


def _may_be_several(body: str, language: str) -> bool:
    """120 150 180 are three numbers, or one."""
    is_full = body.count(" ") > 1 and body.index(" ") == 3
    return is_full and language not in SPACE_GROUP_LANGUAGES and not body.endswith(" 000")


def _exponent(reading: Reading, plain: str) -> None:
    if found := _E.match(plain, reading.end):
        exponent = int(found[1].replace("−", "-"))
        reading.end = found.end()
        reading.change(lambda value: scaled(value, exponent))


def _powers(reading: Reading, plain: str) -> None:
    """2^10, 5², 3 × 10⁸."""
    if found := _POWER.match(plain, reading.end):
        base = reading.values[0] if len(reading.values) == 1 and not reading.perhaps else None
        result = None if base is None else power(base, _written_exponent(found))
        reading.end = found.end()
        # 27¹ may be a footnote
        reading.is_sure = not found[1] or len(found[1]) > 1 or found[1] in "²³"
        reading.values, reading.perhaps = (() if result is None else (result,)), ()
    elif _POWER_SIGN.match(plain, reading.end):
        reading.spoil()
    if times := _TIMES_TEN.match(plain, reading.end):
        found = _POWER.match(plain, times.end())
        ten = power(Fraction(10), _written_exponent(found)) if found else None
        reading.end = found.end() if found else times.end()
        reading.change(lambda value: None if ten is None else value * ten)


def _written_exponent(found: re.Match[str]) -> str:
    digits: str = next(filter(None, found.groups()))
    return digits.replace("−", "-")


def _parts(reading: Reading, plain: str, *, is_whole: bool) -> None:
    """1½, 2 1/4, 3/4; a date such as 5/12/2024 is no fraction."""
    if found := _MIXED.match(plain, reading.end):
        reading.end = found.end()
        above, below = int(found[2] or found[4] or 0), int(found[3] or found[5] or 1)
        part = _vulgar(found[1]) if found[1] else Fraction(above, below or 1)
        reading.is_sure = not found[4]
        reading.change(lambda whole: whole + part if is_whole and below and part < 1 else None)
    elif found := _OVER.match(plain, reading.end):
        reading.end = found.end()
        below = int(found[1])
        # 9/10 may count nine of ten, and 24/7 divides nothing: another value is never called wrong
        reading.is_sure = False
        reading.change(lambda value: value / below if below and is_whole else None)
        if _MORE_FACTORS.match(plain, reading.end):
            reading.spoil()
    elif found := _SLASHED.match(plain, reading.end):
        reading.end = found.end()
        reading.spoil()


def _latex_fraction(reading: Reading, plain: str) -> None:
    if found := _FRACTION.match(plain, reading.start):
        reading.end = found.end()
        if int(found[2]) and not _MORE_FACTORS.match(plain, reading.end):
            reading.values = (Fraction(int(found[1]), int(found[2])),)


def _factors(reading: Reading, plain: str, factor: Fraction) -> None:
    """√2, 4√3, 9π."""
    found = _match(_FACTORS, plain, reading.end)
    if not found[0]:
        return
    value: Fraction | None = None if len(reading.values) > 1 or reading.perhaps else factor
    reading.end = found.end()
    if found[1] and value is not None:
        result = root(Fraction(found[1]))
        value, reading.is_exact = (None, False) if result is None else (value * result[0], result[1])
    if found[2] and value is not None:
        value, reading.is_exact = times_pi(value), False
    reading.values, reading.perhaps = (() if value is None else (value,)), ()
    if _MORE_FACTORS.match(plain, reading.end):
        reading.spoil()


def _myriads(reading: Reading, plain: str, language: str) -> None:
    """1億2000万, 3만 5천: parts of which each is smaller than the one before."""
    found = _MYRIADS.match(plain, reading.end)
    if found is None:
        return
    unit = _unit_of(found[1])
    reading.multiply(unit)
    reading.end = found.end(1)
    # 만 may be the particle for "only"; 兆 is a million to some in China
    reading.is_sure = found[1] not in ("만", "兆", "조")
    if set(found[1]) & set("兆조") and language not in ("ja", "ko"):
        reading.spoil()
    while found and (part := _MYRIAD_PART.match(plain, found.end())):
        if found[0].endswith(" ") and not _SPACED_MYRIAD.match(plain, found.end()):
            return
        found = _MYRIADS.match(plain, part.end())
        smaller = _unit_of(found[1]) if found else 1
        value = int(part[1].replace(",", "")) * smaller
        reading.end = found.end(1) if found else part.end()
        _add(reading, value, below=unit)
        unit = smaller


def _add(reading: Reading, value: int, *, below: int) -> None:
    reading.change(lambda whole: whole + value if value < below else None)


def _unit_of(marks: str) -> int:
    product = 1
    for mark in marks:
        product *= _MYRIAD[mark]
    return product


def _cjk(reading: Reading, plain: str, numeral: str) -> None:
    """A numeral; a single character is often part of a word, such as 一般 or 万一."""
    before, after = plain[reading.start - 1 : reading.start], plain[reading.end : reading.end + 1]
    if plain.startswith("百分之", reading.start):
        reading.end, reading.is_aside = reading.start + 3, True  # per cent: the number follows
        return
    if found := _CJK_FRACTION.match(plain, reading.end):
        reading.end = found.end()
        return
    if len(numeral) == 1 and not _stands_alone(numeral, before, after):
        reading.is_aside = True
        return
    value, reading.is_word = read_cjk(numeral), True
    reading.values = () if value is None else (Fraction(value),)


def _stands_alone(numeral: str, before: str, after: str) -> bool:
    if numeral in "一万千百十零两兩" and (after or before.strip()):
        return False
    ends = not _is_han(after) or after in CJK_COUNTERS
    return ends and (not _is_han(before) or before in "是为為约約有共得即答等负負")


def _is_han(char: str) -> bool:
    return "\u4e00" <= char <= "\u9fff"
