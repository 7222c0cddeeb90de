"""How many tokens a prompt has for each model, from its characters; corrected by what tokenizers counted."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from types import MappingProxyType
from typing import NamedTuple, Self

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
LATIN = "latin"
_SCRIPT_OF = {language: script for script, languages in _SCRIPTS.items() for language in languages.split()}
# Each has a script of its own, and so do texts of no language.
_ALONE = frozenset(
    f"ko th lo my km he yi el hy ka am dv bo dz si bn as bpy or pa gu ta te kn ml {UNKNOWN_LANGUAGE}".split()
)


class ProseRate(NamedTuple):
    """Characters per token of a language's prose: where letters are Latin, and in other scripts."""

    latin: float
    other: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRates:
    """Characters per token of one model, by language and in symbols, and the tokens of its template.

    `prose` has a rate for `UNKNOWN_LANGUAGE`; a language that it lacks has that of the middle one of its script there.
    """

    prose: Mapping[str, ProseRate]
    symbols: float
    template: float

    @classmethod
    def of_profile(cls, known: ModelProfile) -> Self:
        """A profile does not tell the scripts in a text apart."""
        prose = {language: ProseRate(rate, rate) for language, rate in known.chars_per_token.items()}
        return cls(prose=prose, symbols=known.chars_per_symbol_token, template=known.template_tokens)

    def of(self, language: str) -> ProseRate:
        if language in self.prose or language in _ALONE:
            return self.prose.get(language, self.prose[UNKNOWN_LANGUAGE])
        alike = [
            rate
            for other, rate in self.prose.items()
            if other not in _ALONE and script_of(other) == script_of(language)
        ]
        return ProseRate(*map(median, zip(*alike, strict=True))) if alike else self.prose[UNKNOWN_LANGUAGE]


class TokenEstimator:
    """Estimates for the models of these profiles, in their order; each tenant's prompts correct its own alone.

    Rates that a model's own tokenizer has shown, `counted`, take the place of those of its profile.
    """

    def __init__(
        self,
        models: Sequence[str],
        profiles: Sequence[ModelProfile],
        counted: Mapping[str, TokenRates] = MappingProxyType({}),
    ) -> None:
        self._rows = {model: row for row, model in enumerate(models)}
        rates = [
            counted.get(model) or TokenRates.of_profile(known) for model, known in zip(models, profiles, strict=True)
        ]
        self._symbols = np.array([of.symbols for of in rates])
        self._template = np.array([of.template for of in rates])
        languages = {*_SCRIPT_OF, *_ALONE, LATIN}.union(*(of.prose for of in rates))
        # rows: in Latin letters, in others
        self._prose = {language: np.array([of.of(language) for of in rates]).T for language in languages}
        # tokens counted over tokens estimated, by tenant and language; those used last are kept
        self._corrections: OrderedDict[tuple[str, str], Floats] = OrderedDict()
        self._uncorrected = np.ones(len(profiles))

    def estimate(self, features: Features, tenant: str = "") -> Floats:
        """Prompt tokens of each model, whole numbers from 1 up, shape (m,)."""
        latin, others = self._prose[self._known(features.language)]
        corrections = self._corrections.get((tenant, features.language), self._uncorrected)
        symbols, other = features.num_chars * features.symbol_share, features.num_chars * features.other_share
        raw = (features.num_chars - symbols - other) / latin + other / others + symbols / self._symbols
        tokens: Floats = np.rint((raw + self._template) * corrections)
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
        return language if language in self._prose else LATIN


def script_of(language: str) -> str:
    """Of a language that shares its script with others; those that do not are named by themselves."""
    return language if language in _ALONE else _SCRIPT_OF.get(language, LATIN)


def _clamp(value: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    return min(high, max(low, value))
