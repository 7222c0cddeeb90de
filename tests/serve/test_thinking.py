"""Thinking budgets on their way through the application, to a simulated engine that thinks word by word."""

import time
from typing import Any

import httpx
import pytest

from tests.serve.conftest import AT_HOME, chat

pytestmark = pytest.mark.serve
SUMS = {"task": "sums"}


def thoughts(text: str) -> int:
    return text.partition("</think>")[0].split().count("hm")


def ask(client: httpx.Client, **fields: Any) -> tuple[int, dict[str, Any]]:
    """Words of thinking in the answer, and the attempt that gave it."""
    response = client.post("/v1/chat/completions", json=chat(**fields))
    assert response.status_code == 200, response.text
    answer = response.json()
    return thoughts(answer["choices"][0]["message"]["content"]), answer["laar"]["attempts"][-1]


@pytest.fixture(autouse=True)
def planned(client: httpx.Client) -> dict[str, Any]:
    """What explain says of the thinking model once its budgets are planned."""
    until_s = time.monotonic() + 10
    while True:
        told = client.post("/v1/laar/explain", json=chat(laar=SUMS)).json()["candidates"]
        found: dict[str, Any] = next(c["thinking"] for c in told if c["model"] == "simulated-thinking")
        if found["source"] == "plan":
            return found
        assert time.monotonic() < until_s, found
        time.sleep(0.1)


def test_planned_budget_reaches_the_engine(client: httpx.Client) -> None:
    count, attempt = ask(client, model="simulated-thinking", laar=SUMS)
    assert attempt["model"] == "simulated-thinking"
    assert count == attempt["thinking_budget"]
    assert 0 < count <= 50


def test_own_budget_counts_before_the_planned_one(client: httpx.Client) -> None:
    count, attempt = ask(client, model="simulated-thinking", laar=SUMS, thinking_token_budget=3)
    assert (count, attempt["thinking_budget"]) == (3, 3)


def test_held_stream_is_limited_too(client: httpx.Client) -> None:
    body = chat(laar={**SUMS, **AT_HOME}, thinking_token_budget=3, stream=True)
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        text = "".join(response.iter_text())
    assert text.count("hm") == 3
    assert '"thinking_budget":3' in text


def test_model_that_cannot_think_is_asked_without_the_budget(client: httpx.Client) -> None:
    count, attempt = ask(client, thinking_token_budget=3)
    assert (count, attempt["model"]) == (0, "simulated-wrong")
    assert "thinking_budget" not in attempt


def test_named_model_that_cannot_honour_a_budget_is_a_400(client: httpx.Client) -> None:
    body = chat(model="simulated-right", thinking_token_budget=3)
    response = client.post("/v1/chat/completions", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "thinking_token_budget"


def test_explain_shows_arrivals_and_mix(client: httpx.Client, planned: dict[str, Any]) -> None:
    assert planned["arrivals_per_s"] >= 0
    assert [(part["task"], part["budget"]) for part in planned["mix"]] == [("sums", planned["budget"])]
    told = client.post("/v1/laar/explain", json=chat()).json()["candidates"]
    assert {c["model"] for c in told if c["thinking"] is not None} == {"simulated-thinking"}
