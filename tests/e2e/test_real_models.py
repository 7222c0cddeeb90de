"""Both embedded models on real vLLM, asked through the real `openai` client."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from deployments.router.attempt.beginnings import PLAIN_ANSWERS
from profiles.workloads import workload
from scripts.bench.publish.report import publish, recompute
from scripts.bench.ttca.data import read_trials
from scripts.bench.ttca.plan import TtcaPlan
from scripts.bench.ttca.run import run
from scripts.demo.questions import QUESTIONS

pytestmark = pytest.mark.e2e
MODELS = ("gemma-3-270m", "smollm2-135m")
CAPITAL = "What is the capital of France?"
PARIS = {"verify": {"type": "contains", "value": "Paris"}}


def ask(
    client: openai.OpenAI, text: str, *, model: str = "auto", laar: Any = None, max_tokens: int = 24, **options: Any
) -> Any:
    return client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": text}],
        temperature=0,
        max_tokens=max_tokens,
        extra_body={"laar": laar} if laar else {},
        **options,
    )


@pytest.mark.parametrize("model", [pytest.param(name, id=name) for name in MODELS])
def test_each_model_answers_by_its_name(client: openai.OpenAI, model: str) -> None:
    answer = ask(client, CAPITAL, model=model)
    assert answer.model == model
    assert answer.usage.completion_tokens > 0
    assert "Paris" in answer.choices[0].message.content
    assert answer.laar["attempts"][0]["latency_s"] > 0.01


def test_unverified_question_is_routed(client: openai.OpenAI) -> None:
    answer = ask(client, CAPITAL)
    assert answer.laar["verified"] is None
    assert answer.model in MODELS
    assert len(answer.laar["attempts"]) == 1


def test_verified_question_is_answered_correctly(client: openai.OpenAI) -> None:
    answer = ask(client, CAPITAL, laar=PARIS)
    assert answer.laar["verified"] is True
    assert "Paris" in answer.choices[0].message.content


@pytest.mark.parametrize(
    ("question", "verify"),
    [
        pytest.param(
            "Tell me a long story about a fox.", {"type": "json_schema", "schema": {"type": "object"}}, id="json"
        ),
        pytest.param("Tell me a long story about a fox.", {"type": "exact", "value": "42"}, id="exact"),
    ],
)
def test_answer_whose_beginning_rules_it_out_ends_early(
    client: openai.OpenAI, question: str, verify: dict[str, Any]
) -> None:
    """What it saves is measured against the same model that writes the same answer to its end."""
    for model in MODELS:
        for _ in range(PLAIN_ANSWERS):
            ask(client, "Say yes.", model=model)
    chunks = list(ask(client, question, laar={"verify": verify}, stream=True, max_tokens=100))
    first, last = _laar_in(chunks)["attempts"]
    whole = ask(client, question, model=first["model"], max_tokens=100)
    assert first["reason"] == "refuted_early"
    assert last["reason"] != "refuted_early"
    whole_s = whole.laar["attempts"][0]["latency_s"]
    spent = (
        f"{first['latency_s']:.2f} s of {whole_s:.2f} s, {first['read']!r} of {whole.usage.completion_tokens} tokens"
    )
    print(f"{first['model']}: {spent}")
    assert first["latency_s"] < whole_s / 2


def _laar_in(chunks: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(chunk.laar for chunk in chunks if getattr(chunk, "laar", None))
    return found


def test_wrong_answers_are_retried_on_the_other_model(client: openai.OpenAI) -> None:
    """Over the demo's questions, some that one model gets wrong are answered by the other."""
    results = [ask(client, q.text, laar={"verify": dict(q.verify), "task": q.task}) for q in QUESTIONS]
    retried = [r for r in results if r.laar["verified"] and len(r.laar["attempts"]) > 1]
    assert len(retried) >= 1
    assert {r.laar["attempts"][-1]["model"] for r in results} == set(MODELS)
    for result in retried:
        assert result.laar["attempts"][0]["verdict"] == "wrong"
        assert len({a["model"] for a in result.laar["attempts"]}) == len(result.laar["attempts"])


def test_answer_ends_although_the_request_sets_no_limit(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="gemma-3-270m", messages=[{"role": "user", "content": "Write a haiku about rain."}], temperature=0
    )
    assert answer.usage is not None
    assert answer.usage.completion_tokens <= 256


def test_stream_passes_through(client: openai.OpenAI) -> None:
    chunks = list(ask(client, CAPITAL, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "Paris" in text
    assert len(chunks) > 3


def test_verified_stream_is_held_until_it_is_right(client: openai.OpenAI) -> None:
    chunks = list(ask(client, CAPITAL, stream=True, laar=PARIS))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "Paris" in text
    last = next(chunk for chunk in reversed(chunks) if chunk.choices)
    assert last.model_extra is not None
    assert last.model_extra["laar"]["verified"] is True


def test_completions_work_too(client: openai.OpenAI) -> None:
    answer = client.completions.create(
        model="auto",
        prompt="The capital of France is",
        temperature=0,
        max_tokens=64,
        # the answer ends with its sentence, and not at its limit
        stop=[".", ",", "\n\n"],
        extra_body={"laar": PARIS},
    )
    assert answer.model_extra is not None
    assert answer.model_extra["laar"]["verified"] is True, answer.choices[0].text
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0


def test_lookups_in_three_languages_are_detected_and_mostly_right(client: openai.OpenAI) -> None:
    prompts = workload("lookup", languages=("en", "de", "zh"), target_tokens=(90,), prompts_per_cell=3, seed=77)
    answers = [ask(client, p.text, laar={"verify": dict(p.verify), "task": p.task}) for p in prompts]
    assert [a.laar["language"] for a in answers] == [p.language for p in prompts]
    assert sum(a.laar["verified"] for a in answers) >= 5


def test_prompt_longer_than_the_context_is_a_400(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="context"):
        ask(client, "word " * 4500)
    with pytest.raises(openai.BadRequestError, match="context"):
        ask(client, "word " * 40_000)


def test_unknown_model_is_a_404(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="unknown model 'gpt-9'"):
        ask(client, CAPITAL, model="gpt-9")


def test_judge_model_gives_a_verdict(client: openai.OpenAI) -> None:
    # an answer that its token limit cuts is not shown to a judge
    answer = ask(client, CAPITAL, model="smollm2-135m", laar={"verify": {"type": "judge"}, "max_attempts": 1})
    assert answer.laar["attempts"][0]["reason"] in ("judged_correct", "judged_wrong", "judge_unclear")


def test_explain_uses_the_measured_profile(app_url: str) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": CAPITAL}]}
    told = httpx.post(f"{app_url}/v1/laar/explain", content=json.dumps(body)).json()
    assert {c["model"] for c in told["candidates"]} == set(MODELS)
    assert all(0 < c["probability"] < 1 and c["expected_latency_s"] > 0 for c in told["candidates"])
    assert told["order"][0] == told["chosen"]


def test_tokens_are_known_before_any_attempt_by_the_models_own_tokenizers(client: openai.OpenAI, app_url: str) -> None:
    """In languages that the profile lacks, of which one is written in no Latin letters."""
    texts = [
        workload("prose", languages=[language], target_tokens=[128], prompts_per_cell=1, seed=3)[0].text
        for language in ("fr", "ja")
    ]

    def estimates() -> list[int]:
        told = [
            httpx.post(
                f"{app_url}/v1/laar/explain", json={"model": "auto", "messages": [{"role": "user", "content": text}]}
            ).json()["candidates"]
            for text in texts
        ]
        return [{c["model"]: c["prompt_tokens"] for c in candidates}[m] for candidates in told for m in MODELS]

    counted = [ask(client, text, model=model, max_tokens=1).usage.prompt_tokens for text in texts for model in MODELS]
    expected = pytest.approx(counted, rel=0.15)
    # a model's tokenizer is read when the model has started, which takes seconds
    due_s = time.monotonic() + 30
    while estimates() != expected and time.monotonic() < due_s:
        time.sleep(0.5)
    assert estimates() == expected


def test_policies_are_compared_published_and_recomputed(app_url: str, tmp_path: Path) -> None:
    parts = [
        {"workload": "lookup", "languages": ["en", "zh"], "tokens": [90], "prompts": 2},
        {"workload": "instruct", "languages": ["en"], "prompts": 2},
    ]
    policies = ["laar", "load-aware", "session-affinity"]
    plan = TtcaPlan.model_validate({"parts": parts, "seed": 9, "policies": policies, "blocks": 1, "cap": 2})
    for _ in range(2):  # the second time nothing is left to ask
        assert asyncio.run(run(plan, url=app_url, folder=tmp_path, budget_s=None, api_key=None)) == []
    _, trials = read_trials(tmp_path / "trials.jsonl")
    assert [trial.policy for trial in trials].count("laar") == len(trials) / 3 == 6
    assert all(trial.tries and not trial.error for trial in trials)
    publish(tmp_path)
    bars = {bar.name: bar for bar in recompute(tmp_path).bars}
    assert bars["published_figures_match"].ok
    # six prompts are no comparison
    assert not bars["requests_per_policy"].ok
