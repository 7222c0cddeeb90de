"""Text brought to one form, so that equal answers compare equal whatever the keyboard, script or markup."""

import re
import unicodedata
from functools import cache

# written without spaces between words, so spaces carry no meaning
UNSPACED_LANGUAGES = frozenset({"zh", "yue", "wuu", "ja", "th", "lo", "km", "my"})
TURKIC_LANGUAGES = frozenset({"tr", "az"})
MAX_MARKS = 30  # in one run, as in the stream-safe text format of Unicode (UAX #15, section 13)
MAX_SEARCH_STEPS = 200_000  # false starts in one text; a long needle costs several, as `find` prepares it anew
_NEEDLE_CHARS_PER_STEP = 256
_PLANES_WITH_MARKS = range(0x300, 0x20000)

_SAME = {
    **dict.fromkeys("“”„‟«»「」『』《》〝〞〟″", '"'),
    **dict.fromkeys("‘’‚‛‹›´ʼ′", "'"),
    **dict.fromkeys("、،٬", ","),
    **dict.fromkeys("。।॥۔٫", "."),
    **dict.fromkeys("−⁻", "-"),
    "؛": ";",
    "؟": "?",
    "٪": "%",
    "〜": "~",
    "⁄": "/",
    "ـ": None,  # tatweel only stretches a word
}


class _Characters(dict[int, str | None]):
    """A table for `str.translate` that works out each character once, when it is first met."""

    def __missing__(self, code: int) -> str | None:
        self[code] = result = _simplify(chr(code))
        return result


def _simplify(char: str) -> str | None:
    if char in _SAME:
        return _SAME[char]
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category == "Pd":
        return "-"
    if char.isspace():
        return " "
    if category in ("Cc", "Cf", "Cs") or _is_optional_mark(ord(char)):
        return None
    return char


def _is_optional_mark(code: int) -> bool:
    """Arabic vowel and reading signs, and variation selectors: they change no letter."""
    return (
        0x064B <= code <= 0x065F
        or code == 0x0670
        or 0x06D6 <= code <= 0x06ED
        or 0xFE00 <= code <= 0xFE0F
        or 0xE0100 <= code <= 0xE01EF
    )


_CHARACTERS = _Characters()
_SPACES = re.compile(r" {2,}")
_SPACE_BY_UNSPACED = re.compile(r"(?<![!-~]) | (?![!-~])")
_BOLD = re.compile(r"(?<![A-Za-z0-9*])\*\*(?=[^\s*])([^*]+)(?<=\S)\*\*(?![A-Za-z0-9*])")
_CODE = re.compile(r"`{1,3}+([^`]++)`{1,3}+")
_LEADING = " \"'`*,;:!?¿¡"
_TRAILING = " \"'`*,;:!?."


@cache
def _long_run_of_marks() -> re.Pattern[str]:
    """Made when first needed, since it looks at each character that may be, or decompose to, a mark."""
    marks = "".join(char for char in map(chr, _PLANES_WITH_MARKS) if _is_reordered(char))
    # a class of the first plane alone is a table; the whole one, a list, is asked only where that one matched
    common = "".join(char for char in marks if char < "\U00010000")
    return re.compile(f"(?=[{common}\U00010000-\U0001ffff])([{marks}]{{{MAX_MARKS}}})[{marks}]+")


def _is_reordered(char: str) -> bool:
    """Whether normalisation sorts the character among its neighbours; some Katakana signs become such a mark."""
    return unicodedata.combining(unicodedata.normalize("NFKD", char)[0]) != 0


def compose(text: str) -> str:
    """NFKC in linear time: of a long run of marks, which it would sort in quadratic time, the first stay."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", _long_run_of_marks().sub(r"\1", text))


def fold(text: str, language: str = "unknown", *, ignore_case: bool = True) -> str:
    """One form for width, digits, quotes, dashes, spaces, invisible marks and, if asked, case; markup stays."""
    text = compose(text).translate(_CHARACTERS)
    if ignore_case:
        text = _fold_case(text, language)
    # removing marks and folding case can bring letters together that compose; NFKC may bring new marks
    text = compose(text).translate(_CHARACTERS)
    text = _SPACES.sub(" ", text).strip(" ")
    if language not in UNSPACED_LANGUAGES:
        return text
    return compose(_SPACE_BY_UNSPACED.sub("", text))


def plain(text: str, language: str = "unknown", *, ignore_case: bool = True) -> str:
    """`fold` without the signs of bold and code: what to search in."""
    return _CODE.sub(r"\1", _BOLD.sub(r"\1", fold(text, language, ignore_case=ignore_case)))


def normalise(text: str, language: str = "unknown", *, ignore_case: bool = True) -> str:
    """`plain` without outer quotes, markup and closing punctuation: what to compare; empty only for blank text."""
    folded = plain(text, language, ignore_case=ignore_case)
    return _strip(folded) or folded


def _strip(text: str) -> str:
    return text.rstrip(_TRAILING).lstrip(_LEADING)


def _fold_case(text: str, language: str) -> str:
    """Unicode case folding; for Turkic languages I and İ fold to ı and i (CaseFolding.txt, status T)."""
    if language in TURKIC_LANGUAGES:
        text = text.replace("İ", "i").replace("I", "ı")
    # elsewhere İ folds to i and a dot above that nobody types
    return text.casefold().replace("i̇", "i")


class TooManyFalseStartsError(Exception):
    """What is looked for stands in the text too often as a part of something longer."""


class Haystack:
    """A folded text in which folded texts are looked for, with one account of false starts for all of them."""

    def __init__(self, text: str, *, whole_words: bool = False) -> None:
        self._text = text
        self._whole_words = whole_words
        self._spent = 0

    def holds(self, needle: str) -> bool:
        """Whether `needle` stands in the text, and not as a part of a longer number (or ASCII word)."""
        start = self._text.find(needle) if needle else -1
        while start >= 0 and _is_cut(needle, self._text, start, self._whole_words):
            self._spend(1 + len(needle) // _NEEDLE_CHARS_PER_STEP)
            start = self._text.find(needle, start + 1)
        return start >= 0

    def _spend(self, steps: int) -> None:
        self._spent += steps
        if self._spent > MAX_SEARCH_STEPS:
            raise TooManyFalseStartsError


def _is_cut(needle: str, text: str, start: int, whole_words: bool) -> bool:
    before, after = text[max(0, start - 2) : start], text[start + len(needle) : start + len(needle) + 2]
    return _joins(needle[0], before[::-1], whole_words) or _joins(needle[-1], after, whole_words)


def _joins(edge: str, neighbours: str, whole_words: bool) -> bool:
    """Whether the two characters beyond an edge of the needle belong to the same number (or word)."""
    if whole_words and _is_ascii_word(edge) and _is_ascii_word(neighbours[:1]):
        return True
    if not edge.isdigit():
        return False
    return neighbours[:1].isdigit() or (neighbours[:1] in (".", ",") and neighbours[1:2].isdigit())


def _is_ascii_word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")
