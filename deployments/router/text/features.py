"""What the router knows of a request before anyone answers it: language, size, kind of text, task."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice

from deployments.router.text.language import UNDETECTED, Detection, LanguageDetector, ends
from profiles.cell import Cell
from profiles.profile import DEFAULT_TASK, UNKNOWN_LANGUAGE

# The user's latest message counts for the language. If it is only data or code, earlier ones are read, this many.
MAX_DETECTED_TEXTS = 4
# Characters that stand for all texts in `symbol_share`, spread evenly over them.
NUM_SAMPLES = 6
SAMPLE_CHARS = 100

# Signs that take about a token each. Vowel signs and joiners of scripts from Hebrew to Balinese are no \w either,
# but parts of words, so their blocks are left out.
_SIGN = r"[^\w\s\u0300-\u036f\u0590-\u1bff\u200b-\u200f\ufe00-\ufe0f]|_"
# One match a run; its group is empty where it is words. Letters and digits mix in ASCII words only: Chinese and
# Japanese put digits between words without a space.
_SYMBOLS = re.compile(rf"((?:[A-Za-z]*+\d[A-Za-z\d]*+|{_SIGN})++)|[A-Za-z]++(?:\s++[A-Za-z]++(?!\d))*+")
# Letters that are not Latin, with their vowel signs and joiners, and without the digits of their scripts. One class of
# ranges: one that asks of each character what it is takes five times as long.
_OTHER = re.compile(
    "[\u0370-\u065f\u066a-\u06ef\u06fa-\u0965\u0970-\u09e5\u09f0-\u0e4f\u0e5a-\u1dff\u1f00-\u1fff\u200b-\u200f"
    "\u2c00-\u2dff\u3005-\u3007\u3040-\u30fa\u30fc-\ud7ff\uf900-\ufdff\ufe70-\ufefc\uff66-\uffdc\U00020000-\U0003ffff]++"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """`symbol_share` in [0, 1]: digits, punctuation and words that mix in digits, among sampled characters.

    `other_share`: letters that are not Latin. The rest are Latin letters and blanks.
    """

    language: str
    language_confidence: float
    num_chars: int
    symbol_share: float
    task: str
    other_share: float = 0.0

    def cell(self, bucket: int) -> Cell:
        """The cell of such a request on a model for which its length falls into `bucket`."""
        return Cell(self.task, self.language, bucket)


def extract(
    texts: Sequence[str],
    *,
    detector: LanguageDetector,
    user_texts: Sequence[str] = (),
    task: str = DEFAULT_TASK,
    language: str | None = None,
) -> Features:
    """Features of a conversation; the last text is the latest message, a given `language` is taken as it is.

    What the user wrote, `user_texts`, tells the language before what an assistant or a tool wrote.
    """
    detection = (
        _detect(texts, user_texts, detector) if language is None else Detection(language=language, confidence=1.0)
    )
    num_chars = sum(map(len, texts))
    pieces = _samples(texts, num_chars)
    sampled, num_sampled = "\n".join(pieces), max(1, sum(map(len, pieces)))
    return Features(
        language=detection.language,
        language_confidence=detection.confidence,
        num_chars=num_chars,
        symbol_share=_num_in_runs(_SYMBOLS, sampled) / num_sampled,
        other_share=0.0 if sampled.isascii() else _num_in_runs(_OTHER, sampled) / num_sampled,
        task=task,
    )


def _detect(texts: Sequence[str], user_texts: Sequence[str], detector: LanguageDetector) -> Detection:
    """The language of the latest text that has one; a detector is only ever given a text's two ends."""
    asked = user_texts[-MAX_DETECTED_TEXTS:]
    others = (text for text in reversed(texts) if all(text is not by_user for by_user in asked))
    for text in islice(chain(reversed(asked), others), MAX_DETECTED_TEXTS):
        detection = detector.detect(ends(text))
        if detection.language != UNKNOWN_LANGUAGE:
            return detection
    return UNDETECTED


def _samples(texts: Sequence[str], num_chars: int) -> Sequence[str]:
    """Everything when that is little; else pieces around evenly spread places in the texts laid end to end."""
    if num_chars <= NUM_SAMPLES * SAMPLE_CHARS:
        return texts
    stops = list(accumulate(map(len, texts)))
    pieces = []
    for i in range(NUM_SAMPLES):
        place = (2 * i + 1) * num_chars // (2 * NUM_SAMPLES) - SAMPLE_CHARS // 2
        index = bisect_right(stops, place)
        start = place - stops[index] + len(texts[index])
        pieces.append(texts[index][start : start + SAMPLE_CHARS])
    return pieces


def _num_in_runs(kind: re.Pattern[str], sampled: str) -> int:
    """Characters in runs of this kind; no run goes over the end of a line."""
    return len("".join(kind.findall(sampled)))
