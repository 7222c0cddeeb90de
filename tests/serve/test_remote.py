"""Models served elsewhere: an application whose models, but for one, are those of the other one, over HTTP."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from ray import serve

from deployments.router.attempt.beginnings import PLAIN_ANSWERS
from tests.serve.conftest import AT_HOME, HEADERS, KEY, chat, models, wait_until_every_model_is_seen

pytestmark = pytest.mark.serve
APP, ALL_APP = "front", "all-remote"
PATH = "/v1/chat/completions"
WRONG, RIGHT, SLOW = "simulated-wrong", "simulated-right", "simulated-slow"


def remote(app_url: str, name: str, key_variable: str = "LAAR_TEST_REMOTE_KEY", **fields: Any) -> dict[str, Any]:
    away = {"model_id": name, "urls": [f"{app_url}/v1"], "api_key_env": key_variable, "max_model_len": 8192}
    return {"engine": "remote", "remote": away | fields}


def config(path: str, *served: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {
        "profile": path,
        "models": list(served),
        "router": {
            "num_cpus": 0.1,
            "keep_alive_s": 0.2,
            "status_period_s": 0.5,
            "learning": {"enabled": False},
            "verify": {"type": "auto"},
        },
        "auth": {"api_keys_env": "LAAR_TEST_KEYS"},
        "log": {"enabled": False},
        "verifier": {"num_cpus": 0.1},
        **sections,
    }


@pytest.fixture(scope="module")
def front(app_url: str, profile_path: str) -> Iterator[httpx.Client]:
    """Wrong and slow answers come from far away, right ones from a deployment of its own."""
    from serve_app.app import build_app

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAAR_TEST_REMOTE_KEY", KEY)
        served = (remote(app_url, WRONG), remote(app_url, SLOW), *models(RIGHT))
        serve.run(build_app(config(profile_path, *served)), name=APP, route_prefix=f"/{APP}")
    try:
        wait_until_every_model_is_seen(f"{app_url}/{APP}")
        with httpx.Client(base_url=f"{app_url}/{APP}", headers=HEADERS, timeout=60) as client:
            yield client
    finally:
        serve.delete(APP)


@pytest.fixture(scope="module")
def all_remote(app_url: str, profile_path: str) -> Iterator[httpx.Client]:
    """No model of its own at all; one is away for good, and for one the key is wrong."""
    from serve_app.app import build_app

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAAR_TEST_REMOTE_KEY", KEY)
        patch.setenv("LAAR_TEST_WRONG_KEY", "wrong")
        served = (
            remote(app_url, RIGHT),
            remote(app_url, "judge", served_model=RIGHT),
            remote(app_url, WRONG, "LAAR_TEST_WRONG_KEY"),
            remote("http://127.0.0.1:9", "gone"),
        )
        verifier = {"num_cpus": 0.1, "judge_model": "judge"}
        serve.run(build_app(config(profile_path, *served, verifier=verifier)), name=ALL_APP, route_prefix=f"/{ALL_APP}")
    try:
        with httpx.Client(base_url=f"{app_url}/{ALL_APP}", headers=HEADERS, timeout=60) as client:
            yield client
    finally:
        serve.delete(ALL_APP)


def attempts(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(attempt["model"], attempt["verdict"]) for attempt in answer["laar"]["attempts"]]


def test_wrong_answer_from_elsewhere_is_retried_here(front: httpx.Client) -> None:
    told = front.post(PATH, json=chat(laar=AT_HOME))
    answer = told.json()
    assert told.status_code == 200
    assert attempts(answer) == [(WRONG, "wrong"), (RIGHT, "correct")]
    assert "at home" in answer["choices"][0]["message"]["content"]
    assert told.text.count('"laar":') == 1


def test_answer_from_elsewhere_has_our_name_for_the_model(all_remote: httpx.Client) -> None:
    answer = all_remote.post(PATH, json=chat(model="judge")).json()
    assert answer["model"] == "judge"
    assert "at home" in answer["choices"][0]["message"]["content"]
    assert answer["usage"]["completion_tokens"] > 0
    assert attempts(answer) == [("judge", "unverified")]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"response_format": {"type": "json_object"}}, (True, "matched"), id="check-that-follows"),
        pytest.param({}, (None, "not_requested"), id="no-check-follows"),
        pytest.param(
            {"response_format": {"type": "json_object"}, "laar": {"verify": {"type": "none"}}},
            (None, "not_requested"),
            id="request-wants-none",
        ),
        pytest.param({"laar": AT_HOME}, (True, "matched"), id="check-of-its-own"),
    ],
)
def test_operators_check_is_made_where_the_request_names_none(
    all_remote: httpx.Client, fields: dict[str, Any], expected: tuple[bool | None, str]
) -> None:
    laar = all_remote.post(PATH, json=chat(model=RIGHT, **fields)).raise_for_status().json()["laar"]
    assert (laar["verified"], laar["attempts"][0]["reason"]) == expected


def test_completions_too(all_remote: httpx.Client) -> None:
    body = {"model": RIGHT, "prompt": 'Where? <sim answer="at home">'}
    answer = all_remote.post("/v1/completions", json=body).json()
    assert "at home" in answer["choices"][0]["text"]


@pytest.mark.parametrize("laar", [None, AT_HOME], ids=["straight-through", "held"])
def test_stream_from_elsewhere(all_remote: httpx.Client, laar: dict[str, Any] | None) -> None:
    fields = {"stream": True, "model": RIGHT} | ({"laar": laar} if laar else {})
    told = all_remote.post(PATH, json=chat(**fields)).raise_for_status().text
    events = [line.removeprefix("data: ") for line in told.splitlines() if line.startswith("data: ")]
    chunks = [json.loads(event) for event in events[:-1]]
    assert events[-1] == "[DONE]"
    assert "at home" in "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert {chunk["model"] for chunk in chunks} == {RIGHT}
    assert [bool(chunk.get("laar")) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_models_are_listed(all_remote: httpx.Client) -> None:
    listed = [card["id"] for card in all_remote.get("/v1/models").json()["data"]]
    assert listed == ["auto", RIGHT, "judge", WRONG, "gone"]


def test_server_that_is_away_counts_as_down(all_remote: httpx.Client) -> None:
    told = all_remote.post("/v1/laar/explain", json=chat()).json()
    excluded = {candidate["model"]: candidate["exclusion"] for candidate in told["candidates"]}
    assert excluded["gone"] == "not_running"
    assert excluded[RIGHT] is None


@pytest.mark.parametrize("model", [WRONG, "gone"], ids=["wrong-key", "away"])
def test_client_learns_of_no_key_and_no_address(all_remote: httpx.Client, model: str) -> None:
    told = all_remote.post(PATH, json=chat(model=model))
    assert told.status_code == 503
    assert told.json()["error"]["type"] == "server_error"
    assert not any(word in told.text for word in ("key", "127.0.0.1"))


def test_what_the_server_refuses_is_a_400(all_remote: httpx.Client) -> None:
    told = all_remote.post(PATH, json=chat(model=RIGHT, presence_penalty="much"))
    assert told.status_code == 400
    assert "presence_penalty" in told.json()["error"]["message"]


def test_judge_elsewhere_is_asked(all_remote: httpx.Client) -> None:
    told = all_remote.post(PATH, json=chat(model=RIGHT, laar={"verify": {"type": "judge"}})).json()
    # the simulated judge says neither CORRECT nor WRONG
    assert told["laar"]["attempts"][0]["reason"] == "judge_unclear"


TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
SIMULATED = {"type": "object", "properties": {"[simulated]": {"const": "at home"}}, "additionalProperties": False}


@pytest.fixture(scope="module")
def slow_engine(app_url: str) -> Callable[[], dict[str, int]]:
    """What the slow engine has done so far."""
    handle = serve.get_deployment_handle(f"ModelServer:{SLOW}", "laar")
    # throughput-optimised handles need a running event loop, and a plain test has none
    handle._init(_run_router_in_separate_loop=True)
    return lambda: dict(handle.record_routing_stats.remote().result(timeout_s=10))


def test_model_that_another_one_overtakes_is_cut_where_it_runs_and_stands_so_in_the_log(
    app_url: str, profile_path: str, slow_engine: Callable[[], dict[str, int]], tmp_path: Path
) -> None:
    from serve_app.app import build_app

    profile = json.loads(Path(profile_path).read_text())
    for cell in profile["models"][RIGHT]["cells"]:
        cell["correct"] = 90
    (tmp_path / "profile.json").write_text(json.dumps(profile))
    found = config(str(tmp_path / "profile.json"), remote(app_url, SLOW), remote(app_url, RIGHT))
    found["router"] |= {"overlap": "auto"}
    found["log"] = {"url": f"sqlite:///{tmp_path}/attempts.sqlite", "spool_dir": str(tmp_path / "spool")}

    def rows() -> list[tuple[str, str, str]]:
        with closing(sqlite3.connect(tmp_path / "attempts.sqlite")) as connection:
            query = "SELECT model, verdict, reason FROM attempts WHERE request_id = ? ORDER BY attempt_index"
            return connection.execute(query, [answer["laar"]["request_id"].partition(".")[0]]).fetchall()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAAR_TEST_REMOTE_KEY", KEY)
        serve.run(build_app(found), name="overlapping", route_prefix="/overlapping")
    try:
        before = slow_engine()["cancelled"]
        body = chat(laar=AT_HOME | {"task": "slow"})
        answer = httpx.post(f"{app_url}/overlapping{PATH}", json=body, headers=HEADERS, timeout=60).json()
        assert attempts(answer) == [(SLOW, "cancelled"), (RIGHT, "correct")]
        assert "at home" in answer["choices"][0]["message"]["content"]
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not (rows() and slow_engine()["cancelled"] > before):
            time.sleep(0.1)
        assert rows() == [(SLOW, "cancelled", "overtaken"), (RIGHT, "correct", "matched")]
        assert slow_engine()["cancelled"] == before + 1
    finally:
        serve.delete("overlapping")


@pytest.fixture(scope="module", params=["here", "elsewhere"])
def slow_first(request: pytest.FixtureRequest, app_url: str) -> Iterator[httpx.Client]:
    """An application that has heard whole answers of the slow model: without them it may think in its text."""
    path = "" if request.param == "here" else f"/{APP}"
    if path:
        request.getfixturevalue("front")
    with httpx.Client(base_url=app_url + path, headers=HEADERS, timeout=60) as client, ThreadPoolExecutor(8) as pool:
        for answer in [pool.submit(client.post, PATH, json=chat(model=SLOW)) for _ in range(PLAIN_ANSWERS)]:
            answer.result().raise_for_status()
        yield client


@pytest.mark.parametrize(
    ("verify", "fields", "last"),
    [
        pytest.param({"type": "exact", "value": "[simulated] at home"}, {}, "correct", id="exact-that-goes-on"),
        pytest.param(
            {"type": "json_schema", "schema": SIMULATED},
            {"response_format": {"type": "json_object"}},
            "correct",
            id="json-with-an-unknown-key",
        ),
        pytest.param(
            {"type": "tool_call", "calls": [{"name": "look"}]},
            {"tools": [TOOL], "content": 'Where? <sim call="find">'},
            "wrong",
            id="call-of-another-tool",
        ),
    ],
)
def test_answer_is_stopped_where_it_can_no_longer_be_right(
    slow_first: httpx.Client,
    slow_engine: Callable[[], dict[str, int]],
    verify: dict[str, Any],
    fields: dict[str, Any],
    last: str,
) -> None:
    before = slow_engine()["words"]
    laar = {"verify": verify, "task": "slow", "max_attempts": 2}
    told = slow_first.post(PATH, json=chat(stream=True, laar=laar, **fields)).raise_for_status().text
    closing = next(line for line in told.splitlines() if '"laar"' in line)
    first, second = json.loads(closing.removeprefix("data: "))["laar"]["attempts"]
    assert (first["model"], first["reason"], first["spared"]["tokens"] > 0) == (SLOW, "refuted_early", True)
    assert (second["model"], second["verdict"]) == (RIGHT, last)
    # of 21 and more
    assert 0 < slow_engine()["words"] - before < 15
