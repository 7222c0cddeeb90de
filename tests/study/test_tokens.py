"""Tokens of prompts that the samples do not have, by the tokenizers of the embedded models, in all languages."""

import json
import os
from collections.abc import Callable
from statistics import fmean
from typing import Any

import jinja2
import pytest

from deployments.engines.embedded import EMBEDDED_MODELS, default_cache_dir
from deployments.router.text.counted import counted_rates, sample_texts
from deployments.router.text.features import extract
from deployments.router.text.language import FastTextDetector
from deployments.router.text.tokens import TokenEstimator
from profiles.profile import load_profile
from profiles.workloads import LANGUAGES, workload

KINDS = {"prose": (256,), "lookup": (256,), "instruct": ()}
PROMPTS = 4


def _counter(name: str) -> Callable[[str], int]:
    """The tokens of a prompt with the model's template, by the files that vLLM reads."""
    directory = default_cache_dir(os.environ) / "models" / name
    if not (directory / "tokenizer.json").is_file():
        pytest.skip(f"{directory} is not prepared")
    tokenizer: Any = pytest.importorskip("tokenizers").Tokenizer.from_file(str(directory / "tokenizer.json"))
    template = jinja2.Template((directory / "chat_template.jinja").read_text())
    bos = json.loads((directory / "tokenizer_config.json").read_text()).get("bos_token")

    def count(text: str) -> int:
        messages = [{"role": "user", "content": text}]
        prompt = template.render(messages=messages, add_generation_prompt=True, bos_token=bos)
        return len(tokenizer.encode(prompt, add_special_tokens=False).ids)

    return count


@pytest.mark.parametrize("name", [pytest.param(model.name, id=model.name) for model in EMBEDDED_MODELS])
def test_estimates_are_within_a_tenth_of_the_tokenizer_in_each_language(name: str) -> None:
    count, detector = _counter(name), FastTextDetector()
    rates = counted_rates([count(text) for text in sample_texts()])
    estimator = TokenEstimator([name], [load_profile("embedded").models[name]], {name: rates})
    ratios = {}
    for language in LANGUAGES["prose"]:
        prompts = [
            prompt.text
            for kind, tokens in KINDS.items()
            for prompt in workload(kind, languages=[language], target_tokens=tokens, prompts_per_cell=PROMPTS, seed=11)
        ]
        estimates = [
            float(estimator.estimate(extract([text], detector=detector, user_texts=[text]))[0]) for text in prompts
        ]
        ratios[language] = fmean(estimate / count(text) for estimate, text in zip(estimates, prompts, strict=True))
    assert len(ratios) >= 12
    assert {language: ratio for language, ratio in ratios.items() if not 0.9 <= ratio <= 1.1} == {}
