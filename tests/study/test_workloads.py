"""The language and the length that the prompts of the workloads have."""

import os
from collections.abc import Callable

import pytest

from deployments.engines.embedded import default_cache_dir
from deployments.router.text.features import extract
from deployments.router.text.language import FastTextDetector
from tests.unit.profiles.workloads.test_checks import EVERY_KIND, some

GEMMA = default_cache_dir(os.environ) / "models" / "gemma-3-270m" / "tokenizer.json"


@pytest.fixture(scope="module")
def detector() -> FastTextDetector:
    return FastTextDetector()


@pytest.fixture(scope="module")
def num_tokens() -> Callable[[str], int]:
    if not GEMMA.is_file():
        pytest.skip(f"the tokenizer is not at {GEMMA}; scripts/setup.sh puts it there")
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(GEMMA))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize(("name", "language"), EVERY_KIND)
def test_router_sees_the_language(name: str, language: str, detector: FastTextDetector) -> None:
    prompts = [prompt for tokens in (64, 300, 2000) for prompt in some(name, language, tokens, count=20)]
    right = [extract([prompt.text], detector=detector).language == language for prompt in prompts]
    assert sum(right) >= 0.95 * len(right)


@pytest.mark.parametrize(("name", "language"), EVERY_KIND)
def test_length_is_within_a_fifth_of_what_was_asked(name: str, language: str, num_tokens: Callable[[str], int]) -> None:
    if name == "instruct":
        counts = [num_tokens(prompt.text) for prompt in some(name, language, count=16)]
        assert 20 <= min(counts) <= max(counts) <= 72
        return
    # two sentences of Greek, and an object with two of its keys asked for, need more than 64 tokens
    shortest = 128 if name == "needles" or (name, language) == ("prose", "el") else 64
    for target in (shortest, 200, 1500):
        counts = [num_tokens(prompt.text) for prompt in some(name, language, target, count=3)]
        assert 0.8 * target <= sum(counts) / len(counts) <= 1.2 * target
