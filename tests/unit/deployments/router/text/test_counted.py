"""Rates by what a tokenizer makes of the samples, with tokenizers that are made up."""

import re

import pytest

from deployments.router.text.counted import counted_rates, sample_texts
from deployments.router.text.features import extract
from deployments.router.text.tokens import TokenEstimator, TokenRates
from profiles.profile import Latency, ModelProfile
from tests.unit.deployments.router.text.test_features import CountingDetector

PROFILE = ModelProfile(
    latency=Latency(overhead_s=0, prefill_s_per_token=0, decode_s_per_token=0),
    chars_per_token={"unknown": 9.0},
    chars_per_symbol_token=9.0,
)
TEMPLATE_TOKENS = 20
RECORDS = '{"4f9c1a": 58213, "customer name": "held back"}, ' * 10


def num_tokens(text: str) -> int:
    """Four Latin letters or blanks a token, two tokens for each other letter, and one for each sign and digit."""
    latin = len(re.findall("[A-Za-z\u00c0-\u024f\\s]", text))
    other = len(re.findall("[\u0370-\U0003ffff]", text))
    return round(TEMPLATE_TOKENS + latin / 4 + 2 * other + (len(text) - latin - other))


@pytest.fixture(scope="module")
def rates() -> TokenRates:
    return counted_rates([num_tokens(text) for text in sample_texts()])


@pytest.mark.parametrize(
    ("language", "text"),
    [
        pytest.param("fr", "Combien de temps faut-il pour aller au marché ce matin ?", id="a language of the samples"),
        pytest.param("ca", "Quant de temps cal per anar al mercat aquest matí?", id="another one of their script"),
        pytest.param("zh", "今天早上去市场要多长时间，请告诉我。", id="other letters"),
        pytest.param("zh", RECORDS + "这个客户的号码是多少？", id="other letters behind Latin ones"),
        pytest.param("en", "今天早上去市场要多长时间 " * 20 + "Summarise this.", id="Latin letters behind others"),
        pytest.param("unknown", RECORDS, id="no language"),
    ],
)
def test_tokens_are_estimated_by_the_letters_that_are_there(rates: TokenRates, language: str, text: str) -> None:
    estimator = TokenEstimator(["m"], [PROFILE], {"m": rates})
    features = extract([text], detector=CountingDetector(), language=language)
    assert float(estimator.estimate(features)[0]) == pytest.approx(num_tokens(text), rel=0.1)


def test_what_the_template_adds_is_known(rates: TokenRates) -> None:
    assert rates.template == TEMPLATE_TOKENS


def test_a_model_whose_tokenizer_tells_nothing_goes_by_its_profile(rates: TokenRates) -> None:
    estimator = TokenEstimator(["m", "silent"], [PROFILE, PROFILE], {"m": rates})
    features = extract(["a b c " * 150], detector=CountingDetector(), language="en")
    assert estimator.estimate(features).tolist() == [pytest.approx(245, rel=0.1), 100]


@pytest.mark.parametrize("count", [pytest.param(1, id="next to none"), pytest.param(10**6, id="far too many")])
def test_a_count_that_cannot_be_leaves_a_rate_that_can(count: int) -> None:
    rates = counted_rates([count] * len(sample_texts()))
    estimator = TokenEstimator(["m"], [PROFILE], {"m": rates})
    found = [
        float(estimator.estimate(extract(["a1, é 中 " * 9], detector=CountingDetector(), language=language))[0])
        for language in ("en", "zh", "unknown")
    ]
    assert all(0 < tokens < 2 * 10**6 for tokens in found)
