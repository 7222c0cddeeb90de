import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

import httpx
import pytest

from deployments.router.text.language import FastTextDetector
from profiles.workloads import Prompt
from scripts.profile.measuring.asking import NoAnswerError, ask, model_names
from scripts.profile.measuring.journal import Entry
from scripts.profile.measuring.plan import Case, ProfileError

T = TypeVar("T")
PROMPT = Prompt(
    id="p",
    language="en",
    task="t",
    target_tokens=0,
    text="1 + 1?",
    answer="2",
    verify={"type": "contains", "value": "2"},
)
CASE = Case(model="small", prompt=PROMPT, thinking_tokens=None, concurrency=1)


def answered(body: str, question: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
    """What comes of a question whose every answer is a 200 with this body."""

    async def asked() -> T:
        transport = httpx.MockTransport(lambda request: httpx.Response(200, text=body))
        async with httpx.AsyncClient(base_url="http://it", transport=transport) as client:
            return await question(client)

    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param("<html>", "its body: Invalid JSON", id="no JSON"),
        pytest.param("[]", "its body: Input should be an object", id="no object"),
        pytest.param('{"usage": {"prompt_tokens": 1, "completion_tokens": 1}}', "laar: Field required", id="no laar"),
        pytest.param('{"laar": {"attempts": []}}', "laar.attempts: Tuple should have at least 1", id="no attempt"),
        pytest.param('{"laar": {"attempts": [{"verdict": "correct"}]}}', "laar.attempts.0.latency_s", id="no latency"),
        pytest.param(
            '{"laar": {"attempts": [{"verdict": "correct", "latency_s": 1}]}}', "usage: Field required", id="no usage"
        ),
    ],
)
def test_answer_that_is_none_of_laars_is_told_and_counts_as_none(body: str, told: str) -> None:
    with pytest.raises(NoAnswerError) as found:
        answered(body, lambda client: ask(client, CASE, detector=FastTextDetector()))
    assert found.value.reason == "no answer of laar"
    assert found.value.detail.startswith(f"http://it/v1/chat/completions answered 200, but {told}")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param("<html>", "its body: Invalid JSON", id="no JSON"),
        pytest.param("{}", "data: Field required", id="no models"),
        pytest.param('{"data": [{}]}', "data.0.id: Field required", id="no name"),
    ],
)
def test_models_of_another_server_are_a_clear_error(body: str, told: str) -> None:
    with pytest.raises(ProfileError, match=f"http://it/v1/models is no laar application: {told}"):
        answered(body, model_names)


def test_latency_is_what_the_router_measured() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 3}
    body = json.dumps({"laar": {"attempts": [{"verdict": "wrong", "latency_s": 0.25}]}, "usage": usage})
    outcome = answered(body, lambda client: ask(client, CASE, detector=FastTextDetector()))
    assert outcome.record is not None
    assert outcome.record.latency_s == 0.25


@pytest.mark.parametrize(
    ("states_language", "sent", "counted"),
    [pytest.param(True, "fr", "fr", id="stated"), pytest.param(False, None, "unknown", id="left to the router")],
)
def test_a_language_that_the_prompts_file_states_is_sent_and_counted(
    states_language: bool, sent: str | None, counted: str
) -> None:
    bodies: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        usage = {"prompt_tokens": 9, "completion_tokens": 3}
        return httpx.Response(
            200, json={"laar": {"attempts": [{"verdict": "correct", "latency_s": 1.0}]}, "usage": usage}
        )

    async def asked() -> Entry:
        async with httpx.AsyncClient(base_url="http://it", transport=httpx.MockTransport(answer)) as client:
            prompt = replace(PROMPT, language="fr", states_language=states_language)
            return await ask(client, replace(CASE, prompt=prompt), detector=FastTextDetector())

    outcome = asyncio.run(asked())
    assert outcome.record is not None
    assert (bodies[0]["laar"].get("language"), outcome.record.language) == (sent, counted)
