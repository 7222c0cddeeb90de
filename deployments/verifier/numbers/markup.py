"""An answer as plain running text: signs in one form, LaTeX and markdown replaced by what they mean."""

import re
import unicodedata
from typing import Final

BOX_OPENS: Final = "\ue001"
BOX_CLOSES: Final = "\ue002"
UNREAD: Final = "\ue003"  # stands for LaTeX that is not understood
FRACTION_OPENS: Final = "\ue005"
FRACTION_CLOSES: Final = "\ue006"

_SIGNS: Final[dict[str, str | None]] = {
    **dict.fromkeys("’‘ʼ´′ʹ＇", "'"),
    **dict.fromkeys("“”„«»「」『』″", '"'),
    **dict.fromkeys("\u00a0\u2007\u2009\u202f\u2008\u200a", "\u00a0"),
    **dict.fromkeys("،﹐，", ","),
    **dict.fromkeys("。।॥۔።", "。"),
    **dict.fromkeys("؟", "?"),
    **dict.fromkeys("‐‑﹣⁃", "-"),
    **dict.fromkeys("−➖", "−"),
    **dict.fromkeys("–‒", "–"),
    **dict.fromkeys("—―⸺", "—"),
    **dict.fromkeys("－", "−"),
    **dict.fromkeys("٪％﹪", "%"),
    **dict.fromkeys("✕✖⨯", "×"),
    **dict.fromkeys("⋅∙", "·"),
    **dict.fromkeys("⁄∕", "/"),
    **dict.fromkeys("〜～∼˜", "~"),
    **dict.fromkeys("≒≃≅", "≈"),
    **dict.fromkeys("⇒➜➡⟶", "→"),
    **dict.fromkeys("\r\u2028\u2029\u0085\x0b\x0c", "\n"),
    "！": "！",  # an exclamation, never a factorial
    "、": "、",
    "؛": ";",
    "⩽": "≤",
    "⩾": "≥",
}


class _Characters(dict[int, str | None]):
    """A table for `str.translate` that works out each character once, when it is first met."""

    def __missing__(self, code: int) -> str | None:
        self[code] = result = _simplify(chr(code))
        return result


def _simplify(char: str) -> str | None:
    if char in _SIGNS:
        return _SIGNS[char]
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if "\uff01" <= char <= "\uff5e":
        return chr(ord(char) - 0xFEE0)
    if char.isspace() and char != "\n":
        return " "
    if category in ("Cf", "Cs", "Cc", "Co") and char != "\n":
        return None
    return char


_CHARACTERS: Final = _Characters()
_MARKED: Final = re.compile("\\w[\u0300-\u036f]{1,4}|[\u1100-\u11ff]{2,3}")
_MORE_MARKS: Final = re.compile("(?<=[\u0300-\u036f]{4})[\u0300-\u036f]+")
_VARIATION: Final = re.compile("[\ufe00-\ufe0f]")

_COMMANDS: Final = {
    **dict.fromkeys(
        "left right displaystyle mathrm text textbf mathbf textrm mbox bf rm boldsymbol textstyle "
        "big Big unit mathit operatorname textit emph underline underbrace large Large bm "
        "".split(),
        "",
    ),
    "times": "×",
    "cdot": "·",
    "div": "÷",
    **dict.fromkeys(["pm", "mp"], "±"),
    **dict.fromkeys(["approx", "simeq"], "≈"),
    "sim": "~",
    **dict.fromkeys(["neq", "ne"], "≠"),
    **dict.fromkeys(["leq", "le"], "≤"),
    **dict.fromkeys(["geq", "ge"], "≥"),
    "lt": "<",
    "gt": ">",
    "pi": "π",
    **dict.fromkeys(["to", "rightarrow", "Rightarrow", "implies"], "→"),
    **dict.fromkeys(["therefore", "quad", "qquad"], " "),
    **dict.fromkeys(["degree", "circ"], "°"),
    **dict.fromkeys(["ldots", "dots"], "…"),
    "euro": "€",
    "pounds": "£",
    "infty": "∞",
}
_ESCAPED: Final = re.compile(r"\\([$%#&_{}])")
_THIN: Final = re.compile(r"(?<=\d)(?:\\[,;:! ]|\{,\})(?=\d)")
_BRACED_COMMA: Final = re.compile(r"(?<=\d)\{([.,])\}(?=\d)")
_FRAC: Final = re.compile(
    r"\\[dtc]?frac\s?(?:\{\s?([-−]?\d{1,60})\s?\}\s?\{\s?(\d{1,60})\s?\}|(\d)\s?(\d)|(\d)\s?\{(\d{1,60})\}|\{(\d{1,60})\}(\d))"
)
_DEGREE: Final = re.compile(r"\^\s?(?:\{\s?\\?circ(?:\s?\\text\{[CF]\})?\s?\}|\\circ|\{\s?°\s?\}|°)")
_SQRT: Final = re.compile(
    r"\\sqrt\s?(?:\{\s?(\d[\d.]{0,60})\s?\}|(\d)(?!\d))|\bsqrt\((\d[\d.]{0,60})\)|√\s?(?:\((\d[\d.]{0,60})\)|(?=\d))"
)
_STYLED: Final = re.compile(
    r"\\(?:text|mathrm|textbf|mathbf|textrm|mbox|boldsymbol|operatorname|mathit|textit|emph|bm)\s?\{([^{}]{0,120})\}"
)
_BOXED: Final = re.compile(r"\\(?:f?boxed|fbox)\s?\{((?:[^{}]|\{[^{}]{0,60}\}){0,200}?)\}")
_COMMAND: Final = re.compile(r"\\([A-Za-z]{1,24})")
_SPACING: Final = re.compile(r"\\[,;:! ]")
_MATH_FENCE: Final = re.compile(r"\\[()\[\]]|\$\$")
_MATH: Final = re.compile(r"(?<![\w$])\$(?=[^\s$])([^$\n]{1,120}?)(?<=\S)\$(?![\w$])")
_TAGS: Final = re.compile(
    r"</?(?:b|strong|i|em|u|span|p|div|code|mark|answer|result|final|font|center|big|small)(?: [^<>]{0,80})?>",
    re.IGNORECASE,
)
_BREAKS: Final = re.compile(r"<(?:br|hr|li|/li|/tr|/td)\s?/?>", re.IGNORECASE)
_SUP_TAG: Final = re.compile(r"<sup>([^<>]{1,20})</sup>", re.IGNORECASE)
_TAG_FRACTION: Final = re.compile(r"<sup>(\d{1,60})</sup>\s?/\s?<sub>(\d{1,60})</sub>", re.IGNORECASE)
_SMALL_FRACTION: Final = re.compile("([⁰¹²³⁴⁵⁶⁷⁸⁹]{1,60})/([₀-₉]{1,60})")
_SMALL_DIGITS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "01234567890123456789")
_SUB_TAG: Final = re.compile(r"<sub>([^<>]{1,20})</sub>", re.IGNORECASE)
_STARS: Final = re.compile(r"(?<!\d)\*{2,3}|\*{2,3}(?!\d)")
_STAR: Final = re.compile(r"(?<![\w*)])\*(?=[^\s*])([^*\n]{1,80}?)(?<=\S)\*(?![\w*(])")
_UNDERSCORES: Final = re.compile(r"(?<![\w])_{1,2}(?=[^\s_])([^_\n]{1,80}?)(?<=\S)_{1,2}(?!\w)")
_QUOTED_LINE: Final = re.compile(r"(?m)^[ ]{0,3}>[ ]?(?=\S)")
_HEADING: Final = re.compile(r"(?m)^[ ]{0,3}#{1,6} (?=\S)")


def to_plain(text: str) -> str:
    """The text with one sign for each meaning; marks of the private use area stand for boxes and fractions."""
    if not text.isascii():
        text = _MARKED.sub(lambda found: unicodedata.normalize("NFC", found[0]), _MORE_MARKS.sub("", text))
        text = _VARIATION.sub("", text).translate(_CHARACTERS)
        text = _SMALL_FRACTION.sub(lambda found: _marked(*found.groups()), text)
    text = text.replace("\r", "\n").replace("\t", " ").replace("\x00", "")
    if "<" in text:
        text = _tags(text)
    if "\\" in text or "{" in text or "√" in text or "sqrt" in text or "^" in text:
        text = _latex(text)
    if "$" in text:
        text = _MATH.sub(_math, text)
    if "*" in text:
        text = _STAR.sub(r"\1", _STARS.sub("", text))
    if "_" in text:
        text = _UNDERSCORES.sub(r"\1", text)
    if "`" in text:
        text = text.replace("`", "")
    if "#" in text:
        text = _HEADING.sub("", text)
    return text


def _tags(text: str) -> str:
    text = _TAG_FRACTION.sub(rf"{FRACTION_OPENS}\1/\2{FRACTION_CLOSES}", text)
    text = _BREAKS.sub("\n", _TAGS.sub("", text))
    return _SUB_TAG.sub(r"_{\1}", _SUP_TAG.sub(r"^{\1}", text))


def _math(found: re.Match[str]) -> str:
    """The formula between two dollar signs; amounts such as `$5 and $6` have none between them."""
    return found[1]


def _latex(text: str) -> str:
    text = _THIN.sub(lambda found: "," if found[0] == "{,}" else "\u00a0", text)
    text = _BRACED_COMMA.sub(r"\1", text)
    text = _DEGREE.sub("°", text)
    text = _MATH_FENCE.sub("", text)
    text = _ESCAPED.sub(r"\1", text)
    text = _STYLED.sub(r"\1", text)
    text = _FRAC.sub(_fraction, text)
    text = _SQRT.sub(lambda found: "√" + (found[1] or found[2] or found[3] or found[4] or ""), text)
    text = _SPACING.sub(" ", text)
    text = _BOXED.sub(rf"{BOX_OPENS}\1{BOX_CLOSES}", text)
    return _COMMAND.sub(lambda found: _COMMANDS.get(found[1], UNREAD), text)


def _marked(above: str, below: str) -> str:
    return f"{FRACTION_OPENS}{above}/{below}{FRACTION_CLOSES}".translate(_SMALL_DIGITS)


def _fraction(found: re.Match[str]) -> str:
    above, below = [group for group in found.groups() if group is not None]
    sign, above = ("-", above[1:]) if above[0] in "-−" else ("", above)
    return f"{sign}{FRACTION_OPENS}{above}/{below}{FRACTION_CLOSES}"
