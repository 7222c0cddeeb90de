"""Whether digits that were found in a text are a number of their own there, by the signs beside them.

Words beside them (`minus 5`, `5 million`) are left to the reader of numbers.
"""

import re

from deployments.verifier.search.fit import Fit

NEAR_CHARS = 40
CURRENCY_SIGNS = "$€£¥₹₽₺₩฿₪₴₫₦₱₡₲₵₸₭₮₼₾₿¢"
_CURRENCY_BEFORE = re.compile(
    rf"(?:[{CURRENCY_SIGNS}]|(?<![^\W\d_])(?:usd?|eur|gbp|chf|jpy|cny|inr|rub|pln|rs|kr|nok|sek|dkk|hk|au|ca)\.?)\s?$",
    re.IGNORECASE,
)
_PART_BEFORE = re.compile(
    r"\d[.,'_]?$|(?:^|[^\w.])[.,]$|\d ?/ ?$|[\^√_]\(?$|\\(?:sqrt|[dtc]?frac|binom)(?:\{[^{}]{0,20}\})?\{?$|\}\{$|\^\{$"
)
_SIGN_BEFORE = re.compile(r"(?:^|[^\w)%°-])-$")
_DOUBT_BEFORE = re.compile(r"\d[:-]$|[±∓~]\s?$|[×*]$|[^\W\d_]-?$|-\s$|\S\s?\[$")
_NOT_WORD_BEFORE = re.compile("[\u0590-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\ud7ff\uf900-\ufaff]$")
_GROUP_BEFORE = re.compile(r"(?<!\d)\d{1,3} $")
_GROUP_START = re.compile(r"\d{3}(?!\d)")
_PART_AFTER = re.compile(r"\d|[.,'_]\d|\s?/\s?\d|\^|\*\*|e[+-]?\d|_\d|\s?[x×*·]\s?10(?:\^|\*\*)| \d+/\d")
_DOUBT_AFTER = re.compile(r"!|:\d|-\d|[±×*÷+]\d|√|\\(?:sqrt|pi|frac|times|cdot)")
# a year before or behind a day and a month
_DATE_AFTER = re.compile(r"([-./])\d{1,2}(?:\1\d{1,2})?(?!\d)")
_DATE_BEFORE = re.compile(r"(?<!\d)\d{1,2}([-./])\d{1,2}\1$")
_GROUP_AFTER = re.compile(r" \d{3}(?!\d)")
_LETTERS_AFTER = re.compile(r"[A-Za-zªµº\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u052f\u1e00-\u1fff]+(\d?)")
_CODE_END = re.compile(r"[A-Za-z]\d+$")
# letters that may touch a number and leave it what it is; those that may also stand for a multiple are left out
_UNITS = frozenset(
    (
        "km cm mm nm µm μm dm kg mg µg μg ml dl cl hl ms min hr hrs hz khz mhz ghz kb mb gb tb kw mw gw kwh "
        "wh kj kcal cal kpa hpa pa mol ppm db px pt em rem dpi in ft yd mi oz lb lbs mph kph kmh rpm usd eur "
        "gbp jpy cny chf rub inr g l s h w км см мм кг мг г л мл с ч мин руб р м га т грн kč zł kr lei лв"
    ).split()
)


def is_year(needle: str) -> bool:
    return len(needle) == 4 and needle.isdigit()


def left(text: str, start: int, needle: str) -> Fit:
    """How a number that begins at `start` sits beside what stands before it."""
    before = text[max(0, start - NEAR_CHARS) : start]
    bare = _CURRENCY_BEFORE.sub("", _CURRENCY_BEFORE.sub("", before))
    if needle[0] not in "-+" and (_SIGN_BEFORE.search(bare)):
        return Fit.PART
    if not needle[0].isdigit():
        return Fit.UNCLEAR if before[-1:].isalnum() else Fit.WHOLE
    if is_year(needle) and _DATE_BEFORE.search(before):
        return Fit.WHOLE
    if _PART_BEFORE.search(before):
        return Fit.PART
    if _GROUP_BEFORE.search(before) and (_GROUP_START.match(needle) or "/" in needle):
        return Fit.UNCLEAR
    if bare != before or _NOT_WORD_BEFORE.search(before):
        return Fit.WHOLE
    return Fit.UNCLEAR if _DOUBT_BEFORE.search(before) else Fit.WHOLE


def right(text: str, start: int, end: int) -> Fit:
    """How a number from `start` that ends before `end` sits beside what stands behind it."""
    after = text[end : end + NEAR_CHARS]
    if not text[end - 1].isdigit():
        return Fit.WHOLE
    if is_year(text[start:end]) and (after[:1] == "-" or after[3:4] == after[:1]) and _DATE_AFTER.match(after):
        return Fit.WHOLE
    if _PART_AFTER.match(after):
        return Fit.PART
    if _DOUBT_AFTER.match(after) or _GROUP_AFTER.match(after):
        return Fit.UNCLEAR
    if (letters := _LETTERS_AFTER.match(after)) is not None:
        if _CODE_END.search(text[start:end]):
            return Fit.PART
        return Fit.WHOLE if letters[0].casefold() in _UNITS and not letters[1] else Fit.UNCLEAR
    if after.startswith("]") and text[max(0, start - 2) : start].rstrip("[") and text[start - 1 : start] == "[":
        return Fit.UNCLEAR
    return Fit.WHOLE
