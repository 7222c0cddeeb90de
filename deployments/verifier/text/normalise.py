"""Text brought to one form, so that equal answers compare equal whatever the keyboard, script or markup."""

import re
import unicodedata
from functools import cache
from typing import Literal

# written without spaces between words, so spaces carry no meaning
UNSPACED_LANGUAGES = frozenset({"zh", "yue", "wuu", "ja", "th", "lo", "km", "my"})
TURKIC_LANGUAGES = frozenset({"tr", "az"})
MAX_MARKS = 30  # in one run, as in the stream-safe text format of Unicode (UAX #15, section 13)
_PLANES_WITH_MARKS = range(0x300, 0x20000)

_SAME = {
    **dict.fromkeys("“”„‟«»「」『』《》〝〞〟″", '"'),
    **dict.fromkeys("‘’‚‛‹›´ʼ′", "'"),
    **dict.fromkeys("、،٬", ","),
    **dict.fromkeys("。।॥۔٫።។။", "."),
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
    """Hebrew points, Arabic vowel and reading signs, and variation selectors: they change no letter."""
    return _is_vowel_sign(code) or 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF


def _is_vowel_sign(code: int) -> bool:
    return (
        (0x0591 <= code <= 0x05C7 and code not in (0x05BE, 0x05C0, 0x05C3, 0x05C6))
        or 0x064B <= code <= 0x065F
        or code == 0x0670
        or 0x06D6 <= code <= 0x06ED
    )


_CHARACTERS = _Characters()
_SPACES = re.compile(r" {2,}")
_SPACE_BY_UNSPACED = re.compile(r"(?<![!-~]) | (?![!-~])")
# NFKC would make digits of these that say something else beside a digit: 10³ is not 103, nor 1½ 11/2
_SUPERSCRIPT = re.compile("([⁺⁻]?)([⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_SUBSCRIPT = re.compile(r"(?<=[^\W\d_])([₀-₉]+)(?![\d₀-₉])|(?<=[)\]])([₀-₉]+)(?![\d₀-₉])|([₀-₉]+)")
# Thai and Lao am is typed as one sign before the tone mark, or as two around it
_TONE_BEHIND_VOWEL = re.compile("([\u0e4d\u0ecd])([\u0e48-\u0e4b\u0ec8-\u0ecb])")
_BESIDE_DIGIT = re.compile(r"(?<=\d) ?(?=[¼-¾⅐-⅞↉①-⒛⓪-⓿❶-➓])|(?<=[①-⒛⓪-⓿❶-➓])(?=\d)")
# what is not seen, or only tells of a trade mark
_INVISIBLE = re.compile("[™℠\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff]")
_SPELLED = re.compile("[™℠⁰¹²³⁴-⁹₀-₉¼-¾⅐-⅞↉①-⒛⓪-⓿❶-➓㍱-㏟]")
_EMPHASIS = re.compile(r"(?<![A-Za-z0-9*])(\*{1,3})(?=[^\s*])([^*]+)(?<=\S)\1(?![A-Za-z0-9*])")
_CODE = re.compile(r"`{1,3}+([^`]++)`{1,3}+")
_WITHDRAWN = re.compile(r"~~(?=\S)[^~]{1,2000}~~|<(del|s|strike)>[^<]{1,2000}</\1>", re.IGNORECASE)
_LATEX_GROUP = re.compile(r"(?<=\d)(?:\{([.,])\}|\\([,;:! ]))(?=\d)")
_FENCE = re.compile(r"\s*+(`{3,}|~{3,})[\w+-]*+ *+\n(.*)\n\s*+\1\s*+", re.DOTALL)
_TAGGED = re.compile(r"<(b|i|em|strong|code|u|p|span|mark|div|answer)>(.*)</\1>", re.IGNORECASE)
_COMMANDED = re.compile(
    r"\\(?:boxed|fbox|text|textbf|textit|mathbf|mathrm|emph)\s*\{((?:[^{}]|\{[^{}]*\})*)\}|\\\((.*)\\\)|\\\[(.*)\\\]"
)
_LINE_MARK = re.compile(r"(?:#{1,6}|>|[-*•](?= [^\W\d])) ")
# a mark that belongs to a term: 5!, n!
_TERM_END = re.compile(r"(?:\d|\)|(?<![^\W\d_])[a-zα-ω])!+$", re.IGNORECASE)
_QUOTES = "\"'"
_PAIRS = {'"': '"', "'": "'", "`": "`", "*": "*", "_": "_", "$": "$"}
_MAX_WRAPPINGS = 8
_LOOSE_FORMS = str.maketrans(
    {"^": None, "ё": "е", "œ": "oe", "æ": "ae", "×": "x", "ى": "ي", "ی": "ي", "ة": "ه", "ک": "ك", "ؤ": "و", "ئ": "ي"}
    | dict.fromkeys("أإآٱ", "ا")
)
_GROUPING = re.compile(r"(?<=\d)[,.' ](?=\d{3}(?!\d))|(?<=\d) (?=[^\W\d_]|[%°])")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_LONE_I = re.compile(r"(?<![^\W\d_])([Iİıi])(?![^\W\d_])")
_GREEK_ACCENT = re.compile("(?<=[\u0370-\u03ff\u1f00-\u1fff])[\u0300\u0301\u0342\u0308]+")


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


def compose(text: str, form: Literal["NFC", "NFKC"] = "NFKC") -> str:
    """A normal form in linear time: of a long run of marks, which it would sort in quadratic time, the first stay."""
    if text.isascii():
        return text
    return unicodedata.normalize(form, _long_run_of_marks().sub(r"\1", text))


def fold(text: str, language: str = "unknown", *, ignore_case: bool = True) -> str:
    """One form for width, digits, quotes, dashes, spaces, invisible marks and, if asked, case; markup stays."""
    text = compose(_spell_out(text)).translate(_CHARACTERS)
    if "\u0e4d" in text or "\u0ecd" in text:
        text = _TONE_BEHIND_VOWEL.sub(r"\2\1", text)
    if ignore_case:
        text = _fold_case(text, language)
    if not text.isascii():
        # removing marks and folding case can bring letters together that compose; NFKC may bring new marks
        text = compose(text).translate(_CHARACTERS)
    if "  " in text:
        text = _SPACES.sub(" ", text)
    text = text.strip(" ")
    if language not in UNSPACED_LANGUAGES:
        return text
    return compose(_SPACE_BY_UNSPACED.sub("", text))


def _spell_out(text: str) -> str:
    """Powers as `^3`, bases and indices beside digits as `_2 `, fractions apart from their whole number."""
    if text.isascii() or not _SPELLED.search(text):
        return text
    text = _INVISIBLE.sub("", text).translate(_squared_units())
    text = _SUPERSCRIPT.sub(lambda found: f"^{found[1] and '-' * (found[1] == '⁻')}{found[2]}", text)
    text = _SUBSCRIPT.sub(lambda found: found[1] or found[2] or f"_{found[3]} ", text)
    return _BESIDE_DIGIT.sub(" ", text)


@cache
def _squared_units() -> dict[int, str]:
    """Units of one sign, such as ㎡, with the superscript that NFKC would flatten."""
    parts = {code: unicodedata.decomposition(chr(code)).split()[1:] for code in range(0x3371, 0x33E0)}
    return {code: "".join(chr(int(part, 16)) for part in found) for code, found in parts.items()}


def plain(text: str, language: str = "unknown", *, ignore_case: bool = True) -> str:
    """`fold` without the signs of emphasis and code, and what is struck out: what to search in."""
    text = fold(text, language, ignore_case=ignore_case)
    if "~~" in text or "</" in text:
        text = _WITHDRAWN.sub(" ", text)
    if "\\" in text or "{" in text:
        text = _LATEX_GROUP.sub(lambda found: found[1] or "'", text)
    if "*" in text:
        text = _EMPHASIS.sub(r"\2", text)
    return _CODE.sub(r"\1", text) if "`" in text else text


def normalise(text: str, language: str = "unknown", *, ignore_case: bool = True) -> str:
    """`plain` without what wraps it: outer quotes, markup and closing punctuation. What to compare.

    Signs that belong to a term stay, such as those of `5!`, `f'` and `,5`. Empty only for blank text.
    """
    if fenced := _FENCE.fullmatch(text):
        text = fenced[2]
    folded = plain(text, language, ignore_case=ignore_case)
    return _unwrap(folded) or folded


def _unwrap(text: str) -> str:
    for _ in range(_MAX_WRAPPINGS):
        inner = _inside(text)
        if inner == text:
            break
        text = inner
    return text


def _inside(text: str) -> str:
    """A text without its outermost wrapping."""
    text = text.strip(" ").rstrip(".,;:").rstrip(" ")
    if text.endswith("!") and not _TERM_END.search(text):
        text = text.rstrip("!")
    if text.startswith(("¿", "¡")):
        text = text.lstrip("¿¡").rstrip("?!")
    if text[:1] in (",", ";", ":") and not text[1:2].isdigit():
        text = text[1:]
    if len(text) > 2 and _PAIRS.get(text[0]) == text[-1] and (text[0] in _QUOTES or text[1] != text[0]):
        return text[1:-1]
    if mark := _LINE_MARK.match(text):
        return text[mark.end() :]
    if text.startswith(("<", "\\")) and (found := _TAGGED.fullmatch(text) or _COMMANDED.fullmatch(text)):
        return next(part for part in reversed(found.groups()) if part is not None)
    return text


def loosen(normalised: str, language: str = "unknown") -> str:
    """A normalised text without what one writer leaves out and another does not.

    Equal only in this form, two texts may or may not say the same: accents of Greek, which capitals lack, forms
    of Arabic letters, Russian ё, the dot of a Turkish i, German umlauts in two letters, a raised 2 as a plain one,
    spaces and signs that group digits, a plus sign, brackets, a closing question mark.
    """
    text = normalised.strip("()[]{}<>?!\"'`_* ").removeprefix("+").translate(_LOOSE_FORMS)
    text = _LONE_I.sub("i", _GROUPING.sub("", text))
    if language == "de":
        text = text.translate(_UMLAUTS)
    if any("\u0370" <= char <= "\u1fff" for char in text):
        text = unicodedata.normalize("NFC", _GREEK_ACCENT.sub("", unicodedata.normalize("NFD", text)))
    return text


def without_accents(text: str) -> str:
    """A text without the marks on its letters, as many write capitals."""
    return "".join(char for char in unicodedata.normalize("NFD", text) if unicodedata.category(char) != "Mn")


def vowel_signs(text: str) -> str:
    """The optional signs of a text in their order; two texts that both have some differ where these do."""
    if text.isascii():
        return ""
    return "".join(char for char in compose(text, "NFC") if _is_vowel_sign(ord(char)))


def _fold_case(text: str, language: str) -> str:
    """Unicode case folding; for Turkic languages I and İ fold to ı and i (CaseFolding.txt, status T).

    Alone such a letter keeps its case there: a numeral or a symbol is of no language.
    """
    if language in TURKIC_LANGUAGES:
        parts = _LONE_I.split(text)
        if len(parts) > 1:
            return "".join(part if index % 2 else _fold_case(part, language) for index, part in enumerate(parts))
        text = text.replace("İ", "i").replace("I", "ı")
    # elsewhere İ folds to i and a dot above that is not typed
    return text.casefold().replace("i̇", "i")
