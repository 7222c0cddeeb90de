"""What the router knows of a request before anyone answers it: language, size, kind of text, task."""

import math
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from deployments.router.language import LanguageDetector
from profiles.schema import DEFAULT_TASK

# Enough to tell data from prose; taken from head, middle and tail of the longest text.
SAMPLE_CHARS = 200
# The latest message counts for the language; a text much longer than the window is only looked at by its ends.
_SYMBOL_WORD = re.compile(r"\w*\d\w*|[^\w\s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """`symbol_share` in [0, 1]: digits, punctuation and words that mix in digits, among sampled characters."""

    language: str
    language_confidence: float
    num_chars: int
    symbol_share: float
    task: str


def extract(
    texts: Sequence[str],
    *,
    detector: LanguageDetector,
    task: str = DEFAULT_TASK,
    language: str | None = None,
) -> Features:
    """Features of a conversation; the last text is the latest message, a given `language` is taken as it is."""
    longest = max(texts, key=len, default="")
    if language is None:
        detection = detector.detect(texts[-1] if texts else "")
        found, confidence = detection.language, detection.confidence
    else:
        found, confidence = language, 1.0
    return Features(
        language=found,
        language_confidence=confidence,
        num_chars=sum(map(len, texts)),
        symbol_share=symbol_share(longest),
        task=task,
    )


def symbol_share(text: str) -> float:
    """Share of characters that tokenizers cut finely, from three samples of bounded size."""
    middle = max(0, (len(text) - SAMPLE_CHARS) // 2)
    sample = text
    if len(text) > 3 * SAMPLE_CHARS:
        sample = text[:SAMPLE_CHARS] + text[middle : middle + SAMPLE_CHARS] + text[-SAMPLE_CHARS:]
    symbols = sum(map(len, _SYMBOL_WORD.findall(sample)))
    return symbols / len(sample) if sample else 0.0


def estimate_tokens(features: Features, *, chars_per_token: float, chars_per_symbol_token: float) -> int:
    """Prompt tokens, at least 1: prose and symbols each at their own characters per token."""
    symbols = features.num_chars * features.symbol_share
    prose = features.num_chars - symbols
    return max(1, math.ceil(prose / chars_per_token + symbols / chars_per_symbol_token))


def bucket_index(num_tokens: int, edges: Sequence[int]) -> int:
    """The length bucket: edges are inclusive upper ends, `len(edges)` is everything above the last one."""
    return bisect_left(edges, num_tokens)


def bucket_label(index: int, edges: Sequence[int]) -> str:
    """A bucket as people write it: '<=128', '129-512', '>512'."""
    if index == 0:
        return f"<={edges[0]}"
    if index == len(edges):
        return f">{edges[-1]}"
    return f"{edges[index - 1] + 1}-{edges[index]}"
