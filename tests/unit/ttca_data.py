"""Four prompts on two models, small (1 s) and big (4 s), under LAAR and round-robin; all sums can be done by eye."""

from collections.abc import Mapping, Sequence
from typing import Any

from profiles.measures.trial import Trial, TrialAttempt
from profiles.measuring.measurement import Record
from scripts.bench.ttca.data import ComparedTrials, compare

SECONDS = {"big": 4.0, "small": 1.0}
PARAMETERS: Mapping[str, Any] = {
    "policies": {"laar": {"loop": "server"}, "round-robin": {"loop": "server"}},
    "cap": 2,
    "seed": 3,
    "environment": {"cores": 2},
}
# language and who answers it; all lookups of 90 tokens
PROMPTS = {"a": ("en", "big small"), "b": ("en", "big"), "c": ("de", "big"), "d": ("de", "")}
ASKED = {
    "laar": {"a": "small", "b": "small big", "c": "big", "d": "small big"},
    "round-robin": {"a": "big", "b": "small big", "c": "small big", "d": "small big"},
}


def record(prompt_id: str, model: str, *, correct: bool, language: str = "en", prompt_tokens: int = 90) -> Record:
    return Record(
        prompt_id=prompt_id,
        model=model,
        task="lookup",
        language=language,
        correct=correct,
        latency_s=99.0,
        concurrency=1,
        prompt_tokens=prompt_tokens,
        output_tokens=8,
        num_chars=200,
        symbol_share=0.1,
    )


def trial(policy: str, prompt_id: str, *tries: tuple[str, float, bool], language: str = "en", error: str = "") -> Trial:
    """Attempts one after another without a pause: model, seconds, verdict."""
    made: list[TrialAttempt] = []
    now_s = 0.0
    for model, took_s, correct in tries:
        made.append(TrialAttempt(model=model, started_s=now_s, latency_s=took_s, correct=correct))
        now_s += took_s
    return Trial(
        policy=policy,
        block=0,
        prompt_id=prompt_id,
        task="lookup",
        language=language,
        target_tokens=90,
        session="s",
        sent_s=0.0,
        elapsed_s=now_s,
        tries=tuple(made),
        error=error,
    )


def records() -> list[Record]:
    return [
        record(prompt_id, model, correct=model in right.split(), language=language)
        for prompt_id, (language, right) in PROMPTS.items()
        for model in SECONDS
    ]


def trials(asked: Mapping[str, Mapping[str, str]] = ASKED) -> list[Trial]:
    return [
        trial(policy, prompt_id, *_tries(prompt_id, models.split()), language=PROMPTS[prompt_id][0])
        for policy, by_prompt in asked.items()
        for prompt_id, models in by_prompt.items()
    ]


def compared(parameters: Mapping[str, Any] = PARAMETERS) -> ComparedTrials:
    return compare(parameters, trials(), records())


def _tries(prompt_id: str, models: Sequence[str]) -> list[tuple[str, float, bool]]:
    return [(model, SECONDS[model], model in PROMPTS[prompt_id][1].split()) for model in models]
