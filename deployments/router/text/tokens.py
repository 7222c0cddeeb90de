"""How many tokens a prompt has for each model, from its characters; corrected by what tokenizers counted."""

from collections import OrderedDict
from collections.abc import Sequence
from statistics import median

import numpy as np

from deployments.router.text.features import Features
from profiles.arrays import Floats
from profiles.profile import UNKNOWN_LANGUAGE, ModelProfile

_STEP = 0.1
MAX_CORRECTED = 4096
_RANGE = (0.25, 4.0)
# One request counts for no more than this, whatever the estimate has missed in it.
_OBSERVED_RANGE = (0.5, 2.0)
# Languages that are written in no Latin letters, by scripts that tokenizers cut alike.
_SCRIPTS = {
    "han": "zh ja wuu yue",
    "cyrillic": "ru uk be bg sr mk kk ky mn tg tt ba cv ce os sah",
    "arabic": "ar fa ur ps ug sd ckb azb arz",
    "devanagari": "hi mr ne sa bh mai new gom",
}
# Stands for every language that is named nowhere.
_LATIN = "latin"
_SCRIPT_OF = {language: script for script, languages in _SCRIPTS.items() for language in languages.split()}
# Each has a script of its own, and so do texts of no language.
_ALONE = frozenset(
    f"ko th lo my km he yi el hy ka am dv bo dz si bn as bpy or pa gu ta te kn ml {UNKNOWN_LANGUAGE}".split()
)


class TokenEstimator:
    """Estimates for the models of these profiles, in their order; each tenant's prompts correct its own alone.

    A language that a model's profile lacks has as many characters per token as the middle one of its script there.
    """

    def __init__(self, models: Sequence[str], profiles: Sequence[ModelProfile]) -> None:
        self._rows = {model: row for row, model in enumerate(models)}
        self._chars_per_symbol_token = np.array([known.chars_per_symbol_token for known in profiles])
        self._template_tokens = np.array([known.template_tokens for known in profiles])
        languages = {*_SCRIPT_OF, *_ALONE, _LATIN} | {
            language for known in profiles for language in known.chars_per_token
        }
        self._chars_per_token = {language: _chars_per_token(profiles, language) for language in languages}
        # tokens counted over tokens estimated, by tenant and language; those used last are kept
        self._corrections: OrderedDict[tuple[str, str], Floats] = OrderedDict()
        self._uncorrected = np.ones(len(profiles))

    def estimate(self, features: Features, tenant: str = "") -> Floats:
        """Prompt tokens of each model, whole numbers from 1 up, shape (m,)."""
        language = self._known(features.language)
        corrections = self._corrections.get((tenant, features.language), self._uncorrected)
        symbols = features.num_chars * features.symbol_share
        prose = features.num_chars - symbols
        raw = prose / self._chars_per_token[language] + symbols / self._chars_per_symbol_token
        tokens: Floats = np.rint((raw + self._template_tokens) * corrections)
        return np.maximum(tokens, 1.0)

    def learn(self, model: str, language: str, *, estimated: int, counted: int, tenant: str = "") -> None:
        """Correct a model's figure for a language by what its tokenizer counted; 0 says that it told nothing."""
        if counted <= 0:
            return
        row, corrections = self._rows[model], self._corrections.setdefault((tenant, language), self._uncorrected.copy())
        self._corrections.move_to_end((tenant, language))
        if len(self._corrections) > MAX_CORRECTED:
            self._corrections.popitem(last=False)
        current = float(corrections[row])
        observed = current * _clamp(counted / estimated, _OBSERVED_RANGE)
        corrections[row] = _clamp(current + _STEP * (observed - current), _RANGE)

    def _known(self, language: str) -> str:
        return language if language in self._chars_per_token else _LATIN


def _chars_per_token(profiles: Sequence[ModelProfile], language: str) -> Floats:
    return np.array([_rate(known, language) for known in profiles])


def _rate(known: ModelProfile, language: str) -> float:
    rates = known.chars_per_token
    if language in rates or language in _ALONE:
        return rates.get(language, rates[UNKNOWN_LANGUAGE])
    alike = [rate for other, rate in rates.items() if other not in _ALONE and _script(other) == _script(language)]
    return median(alike) if alike else rates[UNKNOWN_LANGUAGE]


def _script(language: str) -> str:
    return _SCRIPT_OF.get(language, _LATIN)


def _clamp(value: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    return min(high, max(low, value))
