"""What stands before a number: its sign and currency, and the words that make it no plain value."""

import re
from typing import Final

from deployments.verifier.numbers.lexicon import tables
from deployments.verifier.numbers.lexicon.tables import LETTER
from deployments.verifier.numbers.markup import BOX_OPENS, FRACTION_CLOSES, UNREAD
from deployments.verifier.numbers.reading import Reading

CONTEXT_CHARS: Final = 48  # how far around a number its words are looked at
WORD: Final = re.compile(rf"{LETTER}+(?:[.'’·-]{LETTER}+)*\.?")
CLAUSE_ENDS: Final = re.compile(r"[.。!?！:;,\n()\[\]{}]|[–—]")

_MINUSES: Final = tuple("-−–")
_LATIN_WORD: Final = re.compile(r"[A-Za-zÀ-ɏͰ-ϿЀ-ӿ]+$")
_CURRENCY: Final = re.compile(
    rf"((?<![A-Za-z])[A-Za-z]{{0,3}}[{re.escape(tables.CURRENCY_SIGNS)}]|(?<![^\W_])[A-Za-złč]{{2,3}}\.?|(?<![A-Za-z])S/\.?)"
    r"( ?)([-−–+]?)$"
)
_OPENING_BRACKET: Final = re.compile(r"[\[【〔]\^?$")
_CLOSING_BRACKET: Final = re.compile(r"[\]】〕]")
# scripts that set these words right before the number
_NEGATIVE: Final = re.compile(r"(?:零下|マイナス|氷点下|마이너스 ?|영하 ?|ติดลบ ?|ลบ ?|ລົບ ?|ដក ?)$")
# 负 is a minus at the beginning of a clause or behind `is`; elsewhere it counts losses, and 正负 is plus or minus
_HAN_NEGATIVE: Final = re.compile(r"[负負] ?$")
_HAN_MINUS: Final = re.compile(r"(?:^|[\W_]|是|为|為|等于|等於|得)$")
_SCORED: Final = re.compile(r"[胜勝赢贏]\W?[^\W负負]{0,6}\W?$|正\W{1,2}$")
_UNCLEAR: Final = re.compile(
    r"(?:第|不是|并非|不等于|没有|超过|超過|至少|至多|少于|多于|最多|最少|大于|小于|近|不足|不到|可能是?|或者?|从|自|数|初|约等于|"
    r"อย่างน้อย|มากกว่า|น้อยกว่า|ระหว่าง|ไม่ใช่|មិនមែន|ບໍ່ແມ່ນ|ไม่ถึง|เกือบ|ที่|ข้อ|最高|最低|平均每|最大|少なくとも|高达|高達|ไม่เกิน|สูงสุด)\s?$"
)
_PERCENT: Final = re.compile(r"百分之\s?$")
_APPROXIMATE: Final = re.compile(r"(?:约|約|大约|大約|およそ|대략|약|ประมาณ|ราว|左右|[~≈])\s?$")
_COMPARED: Final = re.compile(
    r"(?:[×÷^≠<≤≥±/⁻₋]|\bmod|(?<![-−=])>|[!/<>~]=|~~|分の|분의|(?<!百)分之)\s?$|[?†‡§¶]$|(?<=\S) ?\*\s?$"
)
# a number that the sentence only supposes, as in `Suppose x = 5`
_SUPPOSED: Final = re.compile(
    r"(?:(?i:\b(?:suppose|supposing|assum(?:e|ing)|let(?:'s say)?|unless|imagine|angenommen|nehmen wir an|supposons"
    r"|supposez|supongamos|suponga|suponha|suponhamos|supponiamo|stel(?: dat)?|antag(?: att)?"
    r"|предположим|допустим|пусть|припустимо|нехай|załóżmy|niech|diyelim|varsayalım|giả sử|misalkan)\b"
    r"|\b(?:sei|soit|sea|seja|sia) [a-z] ?=)"
    r"|假设|假設|假如|仮に|가정|افترض|मान लो|मान लीजिए),?[^,.;!?:\n]*$"
)
# and one of a condition, where what follows from it comes behind: `If x = 5, then`
_CONDITION: Final = re.compile(
    r"(?:(?i:(?:^|[.!?\n] ?)\W*(?:if|when|wenn|falls|si|se|als|om|hvis|jos|если|якщо|jeśli|jestli|eğer|nếu|jika|kalau|"
    r"dacă|ha|αν)\b)|如果|もし|만약|إذا|अगर|यदि)[^,.;!?:\n]*$"
)
_CONSEQUENCE: Final = re.compile(
    r"(?i:(?: \w{1,8})?\s?[,،、，]|\s(?:then|dann|alors|entonces|allora|então|то|wtedy|thì|तो)\b|則|则)"
)
_SUPPOSED_BEHIND: Final = re.compile(r"\s?(?:ise\b|なら|と仮定|(?:이)?라면|이면|라고 가정)")
_UNCLEAR_WORDS: Final = (
    tables.APPLIED_BEFORE | tables.BOUNDS_BEFORE | tables.HEDGES_BEFORE | tables.SCALE_BEFORE | tables.REFERENCES_BEFORE
)  # fmt: skip
_ENDS_IN_DIGIT: Final = re.compile(r"\d\W*$")
_ABBREVIATED: Final = re.compile(rf"{LETTER}+\. ?$")


def look_before(reading: Reading, plain: str, language: str) -> None:
    """Take the sign, the currency and a word such as `minus` into the number; spoil it where words say so."""
    before = plain[max(0, reading.start - CONTEXT_CHARS) : reading.start]
    if found := _HAN_NEGATIVE.search(before[-2:]):
        _take(reading, len(found[0]), is_negative=True)
        before = before[: -len(found[0])]
        if not _HAN_MINUS.search(before) or _SCORED.search(before):
            reading.spoil()
    elif found := _NEGATIVE.search(before[-5:]):
        _take(reading, len(found[0]), is_negative=True)
        before = before[: -len(found[0])]
    elif _is_in_word(before):
        before, is_money = _currency(reading, before)
        if not is_money:
            reading.is_aside = True  # H2O, B12
            return
        before = _sign(reading, before)
    else:
        before = _sign(reading, _currency(reading, before)[0])
    _edge(reading, plain, before)
    if _UNCLEAR.search(before[-14:]) or _COMPARED.search(before[-4:]):
        reading.spoil()
    if _is_supposed(before, plain, reading.end):
        reading.spoil()
    if _PERCENT.search(before[-4:]):
        reading.as_percent()
    if _APPROXIMATE.search(before[-7:]):
        reading.is_exact = False
    _words(reading, before.rstrip("({[~≈ \u00a0*\"'" + BOX_OPENS), language)


def _is_supposed(before: str, plain: str, end: int) -> bool:
    if _SUPPOSED.search(before) or _SUPPOSED_BEHIND.match(plain, end):
        return True
    return _CONDITION.search(before) is not None and _CONSEQUENCE.match(plain, end) is not None


def _take(reading: Reading, num_chars: int, *, is_negative: bool) -> None:
    reading.start -= num_chars
    if is_negative:
        reading.change(lambda value: -value)


def _is_in_word(before: str) -> bool:
    return _LATIN_WORD.search(before[-1:]) is not None


def _currency(reading: Reading, before: str) -> tuple[str, bool]:
    """Take `US$`, `EUR` or `$-` into the number; return what stands before it, and whether there was one."""
    found = _CURRENCY.search(before[-7:])
    if found is None:
        return before, False
    money, space, sign = found.groups()
    word = money.rstrip(".").casefold()
    is_sign = money[-1] in tables.CURRENCY_SIGNS
    if not is_sign and not money.startswith("S/") and word not in tables.CURRENCY_CODES:
        return before, False
    if sign and not is_sign:
        return before, False
    del space
    _take(reading, len(found[0]), is_negative=sign in _MINUSES)
    # A$ and HK$ are other dollars
    reading.unit = tables.UNITS.get(word, word.upper())
    return before[: -len(found[0])], True


def _sign(reading: Reading, before: str) -> str:
    """Take a sign into the number where it is one, and neither a dash, a hyphen nor an operator."""
    stripped = before.rstrip(" \u00a0")
    sign = stripped[-1:]
    if sign not in (*_MINUSES, "—", "+"):
        return before
    is_glued, ahead = stripped == before, stripped[:-1]
    left = ahead.rstrip(" \u00a0")
    last = left[-1:]
    if sign == "—":
        if not last or last.isdigit() or last in "=:([\n":
            reading.spoil()
    elif sign == "+":
        if last.isalnum() or last in (")", "]", "}", "+", FRACTION_CLOSES):
            reading.spoil()
    elif last == sign == "-" or _is_operand(last) or (not is_glued and sign == "−" and _is_variable(left)):
        reading.spoil()  # 10 - 5, x − 5
    elif last.isalpha() and left == ahead and is_glued and not _sets_no_spaces(last):
        if not "\u0590" <= last <= "\u05ff":  # a Hebrew preposition has a hyphen
            reading.spoil()  # COVID-19
    elif is_glued or sign == "−":
        _take(reading, len(before) - len(ahead), is_negative=True)
    else:
        reading.spoil()  # a bullet, a dash or a minus
    return ahead


def _is_operand(char: str) -> bool:
    return char.isdigit() or char in (")", "]", "}", "%", "°", "²", "³", ">", FRACTION_CLOSES, "√", "π")


def _is_variable(text: str) -> bool:
    return text[-1:].isalpha() and not text[-2:-1].isalpha()


def _sets_no_spaces(char: str) -> bool:
    return char >= "\u0e00"


def _edge(reading: Reading, plain: str, before: str) -> None:
    char, ahead = before[-1:], before[:-1]
    line = before.rpartition("\n")[2]
    reading.in_brackets = line.count("(") > line.count(")")
    if before.rstrip(" ").endswith(UNREAD):
        reading.spoil()
    if char in ("(", "（"):
        _in_brackets(reading, ahead)
        if not ahead.strip() and plain[reading.end :].strip() in (")", "）"):
            # alone in brackets: accounts write losses so
            reading.perhaps = (*reading.perhaps, *(-value for value in reading.values))
    elif opening := _OPENING_BRACKET.search(before[-2:]):
        _cited(reading, plain, before[: -len(opening[0])])
    elif before.rstrip("{").endswith("_") or (char == "^" and ahead[-1:].isalpha()):
        reading.is_aside = True  # x_1, a_{10}, cm^2
    elif char == "|" == plain[reading.end : reading.end + 1]:
        reading.spoil()  # |-5|
    elif char == "%" and not ahead[-1:].isalnum():
        reading.start -= 1
        reading.as_percent()
    elif char in ("\\", "@", "&", "%", "·", "{", "∛", "∜") or (char == "!" and not ahead):
        reading.spoil()


def _in_brackets(reading: Reading, ahead: str) -> None:
    """f(2) is an argument, 3(5) a product."""
    if word := _LATIN_WORD.search(ahead):
        reading.is_aside = len(word[0]) <= 2
        reading.spoil()
    elif ahead[-1:].isdigit() or ahead[-1:] in tuple(")√^-−–+×*/") or re.search(r"\d\.$", ahead):
        reading.spoil()


def _cited(reading: Reading, plain: str, ahead: str) -> None:
    """[1] beside a text cites; alone it is a list of one."""
    if _CLOSING_BRACKET.match(plain, reading.end) and (ahead.strip() or plain[reading.end + 1 :].strip()):
        reading.is_aside = not ahead.rstrip().endswith(("=", ":"))
    reading.spoil()


def _words(reading: Reading, before: str, language: str) -> None:
    """Words in the same clause: minus, negations, bounds, guesses, references."""
    abbreviated = _ABBREVIATED.search(before)  # ref. 7 is one clause
    clause = abbreviated[0] if abbreviated else CLAUSE_ENDS.split(before)[-1].rpartition("=")[2]
    near = [word.casefold() for word in WORD.findall(clause)][-4:]
    words = [word for word in near if language in tables.ONLY_IN.get(word, (language, "unknown"))]
    if words and words[-1] in tables.MINUS_BEFORE:
        if _ENDS_IN_DIGIT.search(clause[: clause.casefold().rfind(words[-1])]):
            reading.spoil()
        reading.change(lambda value: -value)
        words = words[:-1]
    if not words:
        return
    said = {words[-1], words[-1].rstrip("."), " ".join(words[-2:])}
    if said & tables.PERCENT_BEFORE:
        reading.as_percent()
    if said & tables.APPROXIMATE_BEFORE:
        reading.is_exact = False
    if is_month(words[-1], clause, language):
        reading.joins_next = True
        reading.spoil()
    if (
        said & (_UNCLEAR_WORDS | tables.BOUNDS_IN.get(language, frozenset()))
        or _is_operated_on(words)
        or ({*words[-3:]} | said) & tables.NEGATIONS_BEFORE
    ):
        reading.spoil()


def _is_operated_on(words: list[str]) -> bool:
    """The cube of 48, die Quadratwurzel aus 48: a noun that makes another number of it, and `of`."""
    while words and words[-1] in tables.OF:
        words = words[:-1]
    if not words:
        return False
    # l'opposé de 48
    named = {words[-1], re.split("['’]", words[-1])[-1], " ".join(words[-2:])}
    return not named.isdisjoint(tables.OPERATION_NOUNS | tables.APPLIED_BEFORE)


def is_month(word: str, context: str, language: str) -> bool:
    """Whether a word is a month; `may` and `march` are only with a capital."""
    if word not in tables.MONTHS or (word in ("may", "march") and language not in ("en", "unknown")):
        return False
    return language not in ("en", "unknown") or word.title() in context
