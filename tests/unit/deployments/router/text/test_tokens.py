"""Tokens of a prompt by its characters."""

import pytest

from deployments.router.text.features import Features
from deployments.router.text.tokens import MAX_CORRECTED, TokenEstimator
from profiles.profile import Latency, ModelProfile

PROFILE = ModelProfile(
    latency=Latency(overhead_s=0, prefill_s_per_token=0, decode_s_per_token=0, decode_growth=0),
    chars_per_token={"unknown": 4.0, "zh": 1.0},
    chars_per_symbol_token=2.0,
    template_tokens=5,
)


def estimate(found: TokenEstimator, num_chars: int = 1000, symbol_share: float = 0.0, language: str = "en") -> float:
    features = Features(
        language=language, language_confidence=0.9, num_chars=num_chars, symbol_share=symbol_share, task="default"
    )
    return float(found.estimate(features)[0])


@pytest.mark.parametrize(
    ("num_chars", "symbol_share", "tokens"),
    [
        pytest.param(1000, 0.0, 255, id="prose"),
        pytest.param(1000, 1.0, 505, id="symbols"),
        pytest.param(1000, 0.5, 380, id="half-half"),
        pytest.param(1003, 0.0, 256, id="whole-tokens"),
        pytest.param(0, 0.0, 5, id="nothing-but-the-template"),
    ],
)
def test_prose_and_symbols_each_have_their_characters_per_token(
    num_chars: int, symbol_share: float, tokens: float
) -> None:
    assert estimate(TokenEstimator(["m"], [PROFILE]), num_chars, symbol_share) == tokens


def test_counts_correct_the_language_that_they_were_made_in() -> None:
    found = TokenEstimator(["m"], [PROFILE])
    for _ in range(100):
        found.learn("m", "zh", estimated=round(estimate(found, language="zh")), counted=2010)
    assert estimate(found, language="zh") == pytest.approx(2010, rel=0.01)
    assert estimate(found) == 255


ASKED = [("tr", "a"), ("tr", "b"), ("fr", "a")]


def test_one_tenants_prompts_change_no_estimate_of_another_nor_of_another_language() -> None:
    found = TokenEstimator(["m"], [PROFILE])
    for _ in range(100):
        found.learn("m", "tr", estimated=100, counted=1000, tenant="a")
    features = {
        language: Features(language=language, language_confidence=1, num_chars=1000, symbol_share=0.0, task="default")
        for language in ("tr", "fr")
    }
    untouched = float(TokenEstimator(["m"], [PROFILE]).estimate(features["tr"])[0])
    estimates = [float(found.estimate(features[language], tenant)[0]) for language, tenant in ASKED]
    assert estimates == [4 * untouched, untouched, untouched]


def test_corrections_are_kept_for_so_many_tenants() -> None:
    found = TokenEstimator(["m"], [PROFILE])
    for number in range(MAX_CORRECTED + 1):
        found.learn("m", "zh", estimated=1005, counted=2010, tenant=str(number))
    features = Features(language="zh", language_confidence=1, num_chars=1000, symbol_share=0.0, task="default")
    first, second = (float(found.estimate(features, tenant)[0]) for tenant in ("0", "1"))
    assert first < second


def test_engine_that_counts_nothing_teaches_nothing() -> None:
    found = TokenEstimator(["m"], [PROFILE])
    found.learn("m", "zh", estimated=1005, counted=0)
    assert estimate(found, language="zh") == 1005


@pytest.mark.parametrize(
    ("language", "tokens"),
    [
        pytest.param("ja", 1005, id="as Chinese"),
        pytest.param("fr", 205, id="as the middle one of the Latin ones"),
        pytest.param("ru", 255, id="as unknown, where none of its script is there"),
        pytest.param("ko", 255, id="as unknown, as no other has its script"),
        pytest.param("unknown", 255, id="unknown itself"),
    ],
)
def test_language_that_a_profile_lacks_is_cut_as_those_of_its_script(language: str, tokens: float) -> None:
    rates = {"unknown": 4.0, "zh": 1.0, "en": 8.0, "de": 5.0, "es": 3.0, "th": 1.0}
    profile = PROFILE.model_copy(update={"chars_per_token": rates})
    assert estimate(TokenEstimator(["m"], [profile]), language=language) == tokens
