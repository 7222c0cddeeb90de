import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest
from ray import serve

from tests.serve.conftest import AT_HOME, KEY, chat

pytestmark = pytest.mark.serve
PATH = "/v1/chat/completions"


def tried(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(a["model"], a["verdict"]) for a in answer["laar"]["attempts"]]


def test_unverified_answer_carries_laar_object_and_headers(client: httpx.Client) -> None:
    response = client.post(PATH, json=chat())
    answer = response.json()
    assert response.status_code == 200
    assert answer["object"] == "chat.completion"
    assert answer["laar"]["verified"] is None
    assert answer["laar"]["language"] == "en"
    assert answer["laar"]["bucket"] == "<=128"
    assert response.headers["x-laar-request-id"] == answer["laar"]["request_id"]
    assert response.headers["x-laar-model"] == answer["model"]
    assert "x-laar-verified" not in response.headers


def test_request_may_name_its_policy(client: httpx.Client) -> None:
    told = [client.post("/v1/laar/explain", json=chat(laar={"policy": p})).json() for p in ("laar", "round-robin")]
    assert [t["reason"] for t in told] == ["lowest_expected_cost", "round_robin"]


def test_wrong_answer_is_retried_to_a_verified_one(client: httpx.Client) -> None:
    response = client.post(PATH, json=chat(laar=AT_HOME))
    answer = response.json()
    assert tried(answer) == [("simulated-wrong", "wrong"), ("simulated-right", "correct")]
    assert answer["laar"]["verified"] is True
    assert answer["choices"][0]["message"]["content"] == "[simulated] at home"
    assert response.headers["x-laar-verified"] == "true"
    assert response.headers["x-laar-attempts"] == "2"
    attempts_s = sum(a["latency_s"] for a in answer["laar"]["attempts"])
    assert attempts_s <= answer["laar"]["ttca_s"] < attempts_s + 1


def test_target_is_promised_explained_and_met(client: httpx.Client) -> None:
    body = chat(laar=AT_HOME | {"target": {"probability": 0.5, "by_s": 60}})
    response = client.post(PATH, json=body)
    told = response.json()["laar"]["target"]
    assert (told["probability"], told["by_s"], told["met"]) == (0.5, 60, True)
    assert response.headers["x-laar-promised"] == f"{told['promised']:.4f}"
    explained = client.post("/v1/laar/explain", json=body).json()["target"]
    assert explained["is_reached"] is (explained["chosen"]["probability"] >= 0.5)
    assert explained["surest"]["probability"] >= explained["chosen"]["probability"]


def test_auto_takes_its_check_from_the_response_format(client: httpx.Client) -> None:
    schema = {"type": "object", "required": ["place"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}}
    body = chat(response_format=wanted, laar={"verify": {"type": "auto"}, "max_attempts": 1})
    answer = client.post(PATH, json=body).json()
    assert {a["reason"] for a in answer["laar"]["attempts"]} == {"schema_violation"}


@pytest.mark.parametrize("stream", [pytest.param(False, id="whole"), pytest.param(True, id="held")])
@pytest.mark.parametrize(
    ("verify", "fields"),
    [
        pytest.param(
            {
                "type": "json_schema",
                "schema": {"required": ["[simulated]"], "additionalProperties": {"const": "at home"}},
            },
            {"response_format": {"type": "json_object"}},
            id="json",
        ),
        pytest.param({"type": "regex", "pattern": "at home$"}, {}, id="regex"),
    ],
)
def test_model_gets_its_wrong_answer_back_once(
    client: httpx.Client, verify: dict[str, Any], fields: dict[str, Any], stream: bool
) -> None:
    told = client.post(PATH, json=chat(stream=stream, laar={"verify": verify}, **fields)).raise_for_status().text
    laar = json.loads(told if not stream else next(line[6:] for line in told.splitlines() if '"laar"' in line))["laar"]
    seen = [(a["model"], a["verdict"], a.get("repair")) for a in laar["attempts"]]
    assert seen == [("simulated-wrong", "wrong", None), ("simulated-wrong", "correct", True)]


def test_words_where_a_call_is_expected_are_wrong(client: httpx.Client) -> None:
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    body = chat(tools=tools, laar={"verify": {"type": "tool_call", "calls": [{"name": "look"}]}, "max_attempts": 1})
    answer = client.post(PATH, json=body).json()
    assert {(a["verdict"], a["reason"]) for a in answer["laar"]["attempts"]} == {("wrong", "no_call")}


def test_completions_are_routed_too(client: httpx.Client) -> None:
    body = {"model": "auto", "prompt": 'Where? <sim answer="at home">', "temperature": 0, "laar": AT_HOME}
    answer = client.post("/v1/completions", json=body).json()
    assert answer["object"] == "text_completion"
    assert answer["choices"][0]["text"] == "[simulated] at home"


def test_named_model_gets_the_request(client: httpx.Client) -> None:
    answer = client.post(PATH, json=chat(model="simulated-right")).json()
    assert tried(answer) == [("simulated-right", "unverified")]


def test_unverified_within_the_limits_is_marked(client: httpx.Client) -> None:
    answer = client.post(PATH, json=chat(laar=AT_HOME | {"max_attempts": 1})).json()
    assert answer["laar"]["verified"] is False
    assert tried(answer) == [("simulated-wrong", "wrong")]


def test_engine_error_is_taken_over_in_the_same_request(client: httpx.Client) -> None:
    answer = client.post(PATH, json=chat(laar=AT_HOME | {"task": "broken"})).json()
    assert tried(answer)[0] == ("simulated-broken", "error")
    assert answer["laar"]["verified"] is True


def test_hanging_model_runs_into_the_deadline(client: httpx.Client) -> None:
    began = time.monotonic()
    response = client.post(PATH, json=chat(model="simulated-hanging", laar={"deadline_s": 1}))
    assert response.status_code == 504
    assert response.json()["error"]["code"] == "deadline_exceeded"
    # so that a client which retries by itself does not multiply the attempts
    assert response.headers["x-should-retry"] == "false"
    assert time.monotonic() - began < 5


def test_agreement_asks_a_second_model(client: httpx.Client) -> None:
    body = chat(laar={"verify": {"type": "agreement"}, "max_attempts": 2})
    answer = client.post(PATH, json=body).json()
    assert [verdict for _, verdict in tried(answer)] == ["unknown", "unknown"]


def test_judge_is_another_deployed_model(client: httpx.Client) -> None:
    body = chat(
        content='<sim answer="CORRECT">',
        model="simulated-slow",
        laar={"verify": {"type": "judge", "model": "simulated-right"}},
    )
    answer = client.post(PATH, json=body).json()
    assert answer["laar"]["attempts"][0]["reason"] in ("judged_correct", "judge_unclear")


def test_custom_check_of_the_operator_runs(client: httpx.Client) -> None:
    answer = client.post(PATH, json=chat(laar={"verify": {"type": "custom", "name": "short"}})).json()
    assert answer["laar"]["attempts"][0]["reason"] == "check_passed"


def test_verified_stream_shows_only_the_right_answer(client: httpx.Client) -> None:
    with client.stream("POST", PATH, json=chat(stream=True, laar=AT_HOME)) as response:
        lines = [line for line in response.iter_lines() if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == "[simulated] at home"
    assert {chunk["model"] for chunk in chunks} == {"simulated-right"}
    assert chunks[-1]["laar"]["verified"] is True
    assert len(chunks[-1]["laar"]["attempts"]) == 2


def test_stream_of_an_engine_that_spaces_its_json_passes_with_laar_at_its_end(client: httpx.Client) -> None:
    with client.stream("POST", PATH, json=chat(model="simulated-right", stream=True)) as response:
        lines = [line for line in response.iter_lines() if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]"
    assert '"finish_reason": "stop"' in lines[-2]
    closing = json.loads(lines[-2].removeprefix("data: "))
    assert tried(closing) == [("simulated-right", "unverified")]


def test_held_stream_is_kept_alive_by_comments(client: httpx.Client) -> None:
    body = chat(model="simulated-slow", stream=True, laar=AT_HOME)
    with client.stream("POST", PATH, json=body) as response:
        lines = list(response.iter_lines())
    first_data = next(index for index, line in enumerate(lines) if line.startswith("data: "))
    assert sum(line.startswith(":") for line in lines[:first_data]) >= 5


def test_unverified_stream_passes_tokens_as_they_come(client: httpx.Client) -> None:
    with client.stream("POST", PATH, json=chat(model="simulated-slow", stream=True)) as response:
        times = [time.monotonic() for line in response.iter_lines() if line.startswith("data: ")]
    assert response.headers["x-laar-model"] == "simulated-slow"
    # some twenty words at 0.2 s each
    assert times[-1] - times[0] > 2


def test_stream_that_fails_before_its_first_token_is_taken_over(client: httpx.Client) -> None:
    body = chat(stream=True, laar={"task": "broken"})
    with client.stream("POST", PATH, json=body) as response:
        assert response.status_code == 200
        assert response.headers["x-laar-model"] != "simulated-broken"
        text = response.read().decode()
    last = [line for line in text.splitlines() if '"laar"' in line]
    assert tried(json.loads(last[0].removeprefix("data: ")))[0] == ("simulated-broken", "error")


def test_failed_stream_is_an_error_with_a_status(client: httpx.Client) -> None:
    response = client.post(PATH, json=chat(model="simulated-broken", stream=True))
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "models_unavailable"


def test_name_of_the_operators_brings_its_check(client: httpx.Client) -> None:
    answer = client.post(PATH, json=chat(model="auto-at-home")).raise_for_status().json()
    assert tried(answer) == [("simulated-wrong", "wrong"), ("simulated-right", "correct")]


def test_models_are_listed_with_auto(client: httpx.Client) -> None:
    ids = [card["id"] for card in client.get("/v1/models").json()["data"]]
    assert ids[0] == "auto"
    assert "simulated-right" in ids
    assert client.get("/v1/models/simulated-right").json()["id"] == "simulated-right"
    assert client.get("/v1/models/nobody").status_code == 404
    assert client.get("/v1/models/").json() == client.get("/v1/models").json()
    named = client.get("/v1/models/auto-at-home").json()
    assert (named["root"], named["id"] in ids) == ("auto", True)
    assert {card["max_model_len"] for card in client.get("/v1/models").json()["data"]} == {8192}


@pytest.mark.parametrize("stream", [pytest.param(False, id="whole"), pytest.param(True, id="stream")])
@pytest.mark.parametrize("laar", [pytest.param({}, id="as-it-comes"), pytest.param(AT_HOME, id="verified")])
@pytest.mark.parametrize("endpoint", [pytest.param("chat", id="chat"), pytest.param("completions", id="completions")])
def test_request_has_one_id_everywhere(client: httpx.Client, stream: bool, laar: dict[str, Any], endpoint: str) -> None:
    body = chat(stream=stream, laar=laar)
    if endpoint == "completions":
        (message,) = body.pop("messages")
        body["prompt"] = message["content"]
    response = client.post(PATH if endpoint == "chat" else "/v1/completions", json=body)
    events = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: {")]
    answers = [json.loads(event) for event in events] if stream else [response.json()]
    request_id = response.headers["x-laar-request-id"]
    assert {answer["id"] for answer in answers} == {request_id}
    assert [answer["laar"]["request_id"] for answer in answers if "laar" in answer] == [request_id]
    assert {answer["model"] for answer in answers} == {answers[-1]["laar"]["attempts"][-1]["model"]}
    told = response.headers["x-request-id"]
    plain, _, _ = request_id.partition(".")
    assert "laar-" + told.replace("-", "").lower() == plain
    feedback = {"request_id": told, "correct": True}
    assert client.post("/v1/laar/feedback", json=feedback).json()["request_id"] == plain


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        pytest.param(PATH, {"model": "auto"}, 400, id="refused"),
        pytest.param("/v1/nothing", {}, 404, id="unknown-path"),
        pytest.param(PATH, chat(model="simulated-broken"), 503, id="failed"),
    ],
)
def test_error_names_the_request(client: httpx.Client, path: str, body: dict[str, Any], status: int) -> None:
    response = client.post(path, json=body)
    assert response.status_code == status
    plain, _, _ = response.headers["x-laar-request-id"].partition(".")
    assert plain == "laar-" + response.headers["x-request-id"].replace("-", "").lower()


def test_fields_that_change_no_answer_are_named_and_not_sent(client: httpx.Client) -> None:
    fields = {"store": True, "metadata": {"a": "b"}, "modalities": ["text"], "verbosity": None}
    answer = client.post(PATH, json=chat(**fields)).json()
    assert answer["laar"]["ignored"] == ["metadata", "modalities", "store"]
    assert "ignored" not in client.post(PATH, json=chat()).json()["laar"]


@pytest.mark.parametrize("laar", [pytest.param({}, id="as-it-comes"), pytest.param(AT_HOME, id="verified")])
def test_stream_ends_with_the_usage_that_was_asked_for(client: httpx.Client, laar: dict[str, Any]) -> None:
    body = chat(model="simulated-right", stream=True, stream_options={"include_usage": True}, laar=laar)
    events = [line.removeprefix("data: ") for line in client.post(PATH, json=body).text.splitlines() if line]
    usage = json.loads([event for event in events if event.startswith("{")][-1])
    assert (usage["choices"], usage["usage"]["completion_tokens"]) == ([], 3)
    assert events[-1] == "[DONE]"


def test_explain_gives_the_numbers_and_runs_nothing(client: httpx.Client) -> None:
    told = client.post("/v1/laar/explain", json=chat(laar={"task": "slow"})).json()
    assert told["chosen"] == "simulated-slow"
    assert told["reason"] == "lowest_expected_cost"
    first = next(c for c in told["candidates"] if c["model"] == "simulated-slow")
    cost_s = first["expected_latency_s"] + first["others_wait_s"]
    assert first["score_s"] == pytest.approx(cost_s / first["probability"], rel=1e-3)
    assert len(told["candidates"]) == 6
    low, high = first["interval"]
    assert 0 < low < first["probability"] <= high <= 1
    assert first["is_extrapolated"] is False


def test_explain_says_where_no_length_like_the_prompts_was_measured(client: httpx.Client) -> None:
    told = client.post("/v1/laar/explain", json=chat("Where is it? " * 600, laar={"task": "slow"})).json()
    assert {c["is_extrapolated"] for c in told["candidates"]} == {True}


@pytest.mark.parametrize(
    "headers",
    [pytest.param({}, id="none"), pytest.param({"authorization": "Bearer wrong"}, id="wrong")],
)
def test_request_without_a_valid_key_is_refused(app_url: str, headers: dict[str, str]) -> None:
    response = httpx.post(app_url + PATH, json=chat(), headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["error"]["type"] == "authentication_error"


def test_openai_client_works_streaming_and_not(app_url: str) -> None:
    with openai.OpenAI(base_url=f"{app_url}/v1", api_key=KEY) as client:
        messages: Any = [{"role": "user", "content": 'Where? <sim answer="at home">'}]
        whole = client.chat.completions.create(
            model="auto", messages=messages, temperature=0, extra_body={"laar": AT_HOME}
        )
        assert whole.choices[0].message.content == "[simulated] at home"
        stream = client.chat.completions.create(
            model="auto", messages=messages, temperature=0, stream=True, extra_body={"laar": AT_HOME}
        )
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        assert text == "[simulated] at home"


def test_openai_client_does_not_repeat_what_came_too_late(app_url: str) -> None:
    asked: list[httpx.Request] = []
    with (
        httpx.Client(event_hooks={"request": [asked.append]}) as http,
        openai.OpenAI(base_url=f"{app_url}/v1", api_key=KEY, http_client=http, max_retries=2) as client,
        pytest.raises(openai.InternalServerError, match="no answer in time"),
    ):
        client.chat.completions.create(
            model="simulated-hanging",
            messages=[{"role": "user", "content": "Hi"}],
            extra_body={"laar": {"deadline_s": 0.3}},
        )
    assert len(asked) == 1


@pytest.fixture(scope="module")
def cancelled(app_url: str) -> Callable[[], int]:
    """How many generations of the hanging engine were cancelled so far."""
    handle = serve.get_deployment_handle("ModelServer:simulated-hanging", "laar")
    # throughput-optimised handles need a running event loop, and a plain test has none
    handle._init(_run_router_in_separate_loop=True)
    return lambda: int(handle.record_routing_stats.remote().result(timeout_s=10)["cancelled"])


@pytest.mark.parametrize("stream", [pytest.param(False, id="whole"), pytest.param(True, id="stream")])
def test_client_that_leaves_cancels_the_engine(
    client: httpx.Client, cancelled: Callable[[], int], stream: bool
) -> None:
    before = cancelled()
    with pytest.raises(httpx.ReadTimeout):
        client.post(PATH, json=chat(model="simulated-hanging", stream=stream), timeout=1)
    for _ in range(50):
        if cancelled() == before + 1:
            return
        time.sleep(0.1)
    assert cancelled() == before + 1, "the engine still works for a client that has gone"
