"""Characters per token by a model's own tokenizer: what it makes of one sample a language, before any request."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from statistics import median

import numpy as np
import yaml

from deployments.router.text.features import Features, extract
from deployments.router.text.language import UNDETECTED, Detection
from deployments.router.text.tokens import LATIN, ProseRate, TokenRates, script_of
from profiles.profile import UNKNOWN_LANGUAGE

# What a template adds to a text shows where there is next to no text.
_NEXT_TO_NOTHING = "."
_ENGLISH, _SYMBOLS = "en", "symbols"
# No tokenizer has tokens as long as this on average, and none makes more of a character.
_LEAST, _MOST = 0.1, 100.0


@cache
def _samples() -> dict[str, str]:
    """By language, and one of symbols."""
    text = (files("deployments.router.text") / "samples.yaml").read_text(encoding="utf-8")
    return {language: " ".join(paragraphs) for language, paragraphs in yaml.safe_load(text).items()}


@cache
def _features() -> dict[str, Features]:
    return {language: extract([text], detector=_Nothing(), language=language) for language, text in _samples().items()}


class _Nothing:
    def detect(self, _text: str) -> Detection:
        return UNDETECTED


def sample_texts() -> list[str]:
    """What a tokenizer is to count, each as a message of a user by itself."""
    return [_NEXT_TO_NOTHING, *_samples().values()]


def counted_rates(tokens: Sequence[int]) -> TokenRates:
    """The rates of a model whose tokenizer made so many tokens of each of `sample_texts`, its template included."""
    template = max(0, tokens[0] - 1)
    counts = {language: float(count - template) for language, count in zip(_samples(), tokens[1:], strict=True)}
    by_language = _features()
    sizes = [_sizes(by_language[_ENGLISH]), _sizes(by_language[_SYMBOLS])]
    # English and symbols have both letters and symbols in them, so both rates show together
    both = np.array([[latin, symbols] for latin, _, symbols in sizes])
    letter, symbol = np.linalg.solve(both, [counts[_ENGLISH], counts[_SYMBOLS]]).tolist()
    english, symbols = _rate(1, letter), _rate(1, symbol)
    found: dict[str, ProseRate] = {}
    for language in by_language:
        if language == _SYMBOLS:
            continue
        latin_chars, other_chars, symbol_chars = _sizes(by_language[language])
        prose_tokens = counts[language] - symbol_chars / symbols
        if script_of(language) == LATIN:
            found[language] = ProseRate(_rate(latin_chars + other_chars, prose_tokens), 0.0)
        else:
            found[language] = ProseRate(english, _rate(other_chars, prose_tokens - latin_chars / english))
    # what is written in other letters amid a text in Latin ones could be in any of them
    middle = median(rate.other for rate in found.values() if rate.other)
    prose = {language: ProseRate(rate.latin, rate.other or middle) for language, rate in found.items()}
    return TokenRates(
        prose={**prose, UNKNOWN_LANGUAGE: ProseRate(english, middle)}, symbols=symbols, template=float(template)
    )


def _sizes(features: Features) -> tuple[float, float, float]:
    """Characters in Latin letters, in others, and of symbols."""
    other, symbols = features.num_chars * features.other_share, features.num_chars * features.symbol_share
    return features.num_chars - other - symbols, other, symbols


def _rate(chars: float, tokens: float) -> float:
    return min(_MOST, max(_LEAST, chars / tokens)) if tokens > 0 else _MOST
