"""Thinking budgets on real vLLM: what a request gets, and how traffic moves it."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tokenizers import Tokenizer

from deployments.engines.embedded import default_cache_dir
from scripts.demo.run import CONFIG
from tests.e2e.conftest import running

pytestmark = pytest.mark.e2e
PORT = 8342
MODEL = "smollm2-135m-thinking"
THINKING = CONFIG.with_name("embedded_thinking.yaml")
# so short that a test sees budgets come and go
PERIOD_S, WINDOW_S = 1.0, 5.0
NUM_FLOOD = 6
SUM = "What is 17 + 25?"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    directory = tmp_path_factory.mktemp("thinking")
    config = directory / "config.yaml"
    section = f"thinking:\n        period_s: {PERIOD_S}\n        window_s: {WINDOW_S}\n"
    config.write_text(THINKING.read_text().replace("thinking:\n", section, 1))
    with (
        running(config, port=PORT, log_path=directory / "serve.log") as url,
        httpx.Client(base_url=f"{url}/v1", timeout=120) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def end_ids(client: httpx.Client) -> list[int]:
    """The token ids that end thinking, by the model's own tokenizer."""
    path: Path = default_cache_dir(os.environ) / "models" / "smollm2-135m" / "tokenizer.json"
    ids: list[int] = Tokenizer.from_file(str(path)).encode("</think>", add_special_tokens=False).ids
    return ids


def body(text: str, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": "auto", "messages": messages, "temperature": 0, "max_tokens": 80} | fields


def ask(client: httpx.Client, text: str = SUM, **fields: Any) -> dict[str, Any]:
    given = body(text, return_token_ids=True, ignore_eos=True, **fields)
    response = client.post("/chat/completions", json=given)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def num_thinking_tokens(answer: dict[str, Any], end_ids: list[int]) -> int:
    """Generated tokens before the end of thinking; all of them where it does not end."""
    ids = answer["choices"][0]["token_ids"]
    ends = [i for i in range(len(ids)) if ids[i : i + len(end_ids)] == end_ids]
    return ends[0] if ends else len(ids)


def explained(client: httpx.Client, text: str = SUM, **fields: Any) -> dict[str, Any]:
    response = client.post("/laar/explain", json=body(text, max_tokens=200, **fields))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()["candidates"][0]["thinking"]
    return found


def budgets(client: httpx.Client) -> dict[str, int]:
    return {part["task"]: part["budget"] for part in explained(client)["mix"]}


def flood(client: httpx.Client, task: str) -> None:
    """Some requests of one token each, which count like any others, and the period after them."""
    given = body(SUM, max_tokens=1, laar={"task": task})
    with ThreadPoolExecutor(4) as pool:
        for response in pool.map(lambda _: client.post("/chat/completions", json=given), range(NUM_FLOOD)):
            assert response.status_code == 200
    time.sleep(1.5 * PERIOD_S)


def test_without_a_budget_it_thinks_on(client: httpx.Client, end_ids: list[int]) -> None:
    answer = ask(client, thinking_token_budget=-1)
    assert num_thinking_tokens(answer, end_ids) > 32
    assert "thinking_budget" not in answer["laar"]["attempts"][0]


@pytest.mark.parametrize("budget", [pytest.param(n, id=f"{n} tokens") for n in (0, 8, 32)])
def test_own_budget_of_a_request_is_kept(client: httpx.Client, end_ids: list[int], budget: int) -> None:
    answer = ask(client, thinking_token_budget=budget)
    assert num_thinking_tokens(answer, end_ids) <= budget
    assert answer["laar"]["attempts"][0]["thinking_budget"] == budget


def test_own_budget_is_kept_in_a_stream_of_completions(client: httpx.Client) -> None:
    given = {"model": MODEL, "prompt": "2 + 2?\n<issue_start>", "temperature": 0, "max_tokens": 24, "stream": True}
    with client.stream("POST", "/completions", json={**given, "thinking_token_budget": 8}) as response:
        assert response.status_code == 200
        text = "".join(response.iter_text())
    assert '"thinking_budget":8' in text
    assert "</" in text


def test_planned_budget_is_kept(client: httpx.Client, end_ids: list[int]) -> None:
    answer = ask(client)
    budget = answer["laar"]["attempts"][0]["thinking_budget"]
    assert 0 < budget <= 40
    assert num_thinking_tokens(answer, end_ids) <= budget
    assert answer["laar"]["task"] == "arithmetic"


def test_explain_tells_what_the_budget_rests_on(client: httpx.Client) -> None:
    told = explained(client)
    assert told["source"] == "plan"
    assert told["budget"] == next(part["budget"] for part in told["mix"] if part["task"] == "arithmetic")
    assert sum(part["share"] for part in told["mix"]) == pytest.approx(1, abs=0.001)
    own = explained(client, thinking_token_budget=3)
    assert (own["budget"], own["source"]) == (3, "client")


@pytest.mark.parametrize("budget", [pytest.param(-2, id="negative"), pytest.param(1.5, id="fraction")])
def test_impossible_budget_is_a_400_that_names_the_field(client: httpx.Client, budget: float) -> None:
    response = client.post("/chat/completions", json=body(SUM, thinking_token_budget=budget))
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "thinking_token_budget"


def test_traffic_and_its_mix_move_the_budgets_within_a_period(client: httpx.Client) -> None:
    time.sleep(WINDOW_S + 2 * PERIOD_S)
    idle = budgets(client)
    flood(client, "arithmetic")
    sums = budgets(client)
    time.sleep(WINDOW_S + 2 * PERIOD_S)
    assert budgets(client) == idle
    flood(client, "lookup")
    # as many requests as before, but each takes the engine four times as long
    lookups = budgets(client)
    assert lookups["arithmetic"] < sums["arithmetic"] < idle["arithmetic"]
    shares = {part["task"]: part["share"] for part in explained(client)["mix"]}
    assert shares["lookup"] > 0.7
