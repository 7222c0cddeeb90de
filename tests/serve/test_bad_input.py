"""Malformed requests: each gets a 4xx in the OpenAI error shape that names the field, and nothing breaks."""

import gzip
import json
import os
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from deployments.router.settings import Limits
from tests.serve.conftest import AT_HOME, KEY, chat
from tests.serve.verifications import adversarial, random_ones

pytestmark = pytest.mark.serve
CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
EXPLAIN = "/v1/laar/explain"


def laar(**options: Any) -> dict[str, Any]:
    return chat(laar=options)


def verify(**spec: Any) -> dict[str, Any]:
    return laar(verify=spec)


def messages(value: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": value}


def prompt(value: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "auto", "prompt": value, **fields}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


# path, body (bytes as they are, the rest as JSON), words the message must have, and its id
ROWS: list[tuple[str, Any, str, str]] = [
    # not JSON, not an object, not text
    (CHAT, b"", "body", "empty"),
    (CHAT, b"{", "body", "cut-off"),
    (CHAT, b"null", "body", "null"),
    (CHAT, b'"text"', "body", "a-string"),
    (CHAT, b"[]", "body", "a-list"),
    (CHAT, b"\xff\xfe\x00", "body", "binary"),
    (CHAT, b'{"model":"auto","messages":[{"role":"user","content":"\xff"}]}', "messages", "bad-utf8-in-content"),
    (CHAT, b'{"model":"auto","messages":[{"role":"user","content":"\\ud800"}]}', "body", "lone-surrogate"),
    (CHAT, b'{"model":"auto","messages":[{"role":"user","content":"x"}],"temperature":NaN}', "body", "nan"),
    (CHAT, b'{"model":"auto",' + b'"messages":' + b"[" * 50_000, "body", "bracket-bomb"),
    (CHAT, b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "a: ", "object-bomb"),
    (CHAT, b" " * 300_001, "body", "too-many-bytes"),
    # model
    (CHAT, {"messages": []}, "model", "model-missing"),
    (CHAT, {"model": None, "messages": []}, "model", "model-null"),
    (CHAT, {"model": 7, "messages": []}, "model", "model-number"),
    (CHAT, chat(model="no-such-model"), "known: 'auto'", "model-unknown"),
    (CHAT, chat(model=""), "model", "model-empty"),
    (CHAT, chat(model="x" * 10_000), "model", "model-long"),
    # messages and prompt
    (CHAT, {"model": "auto"}, "messages", "messages-missing"),
    (CHAT, messages("hi"), "messages", "messages-string"),
    (CHAT, messages([]), "messages", "messages-empty"),
    (CHAT, messages([{"role": "user", "content": "x"}] * 4097), "messages", "messages-too-many"),
    (CHAT, messages(["hi"]), "messages", "message-string"),
    (CHAT, messages([{"content": "hi"}]), "role", "role-missing"),
    (CHAT, messages([{"role": "user"}]), "messages[0].content", "content-missing"),
    (CHAT, messages([{"role": 3, "content": "hi"}]), "role", "role-number"),
    (CHAT, messages([{"role": "user", "content": {"text": "hi"}}]), "content", "content-object"),
    (CHAT, messages([{"role": "user", "content": [{"text": "hi"}]}]), "type", "part-without-type"),
    (CHAT, messages([{"role": "user", "content": [{"type": "text"}]}]), "body", "part-without-text"),
    (CHAT, messages([{"role": "user", "content": "word " * 50_000}]), "messages", "prompt-over-every-context"),
    (COMPLETIONS, {"model": "auto"}, "prompt", "prompt-missing"),
    (COMPLETIONS, prompt(5), "prompt", "prompt-number"),
    (COMPLETIONS, prompt(["a", "b"]), "prompt", "prompt-list-routed"),
    (COMPLETIONS, prompt([1, 2]), "prompt", "prompt-tokens-routed"),
    (COMPLETIONS, prompt("x", model=None), "model", "completion-model-null"),
    (COMPLETIONS, prompt("x", messages=[]), "messages", "completion-with-messages"),
    (COMPLETIONS, prompt(""), "prompt", "prompt-empty"),
    (COMPLETIONS, prompt(["a", "b"], model="simulated-right", laar=AT_HOME), "prompt", "prompt-list-verified"),
    (COMPLETIONS, prompt("x", echo=True, laar=AT_HOME), "echo", "echo-verified"),
    (COMPLETIONS, prompt("x", prompt_embeds="AAAA"), "prompt_embeds", "prompt-embeds"),
    # fields that reach into the engine
    (CHAT, chat(chat_template="{{ 7 * 7 }}"), "chat_template", "chat-template"),
    (CHAT, chat(priority=-1), "priority", "priority"),
    (CHAT, chat(kv_transfer_params={"remote_host": "x"}), "kv_transfer_params", "kv-transfer"),
    (CHAT, chat(structured_outputs={"regex": "a" * 40_000}), "structured_outputs", "grammar-long"),
    (CHAT, chat(structured_outputs="x"), "structured_outputs", "structured-outputs-string"),
    # what only the engine's own validators refuse
    (CHAT, chat(tool_choice="required"), "tool_choice", "tool-choice-without-tools"),
    (CHAT, chat(stream_options={"include_usage": True}), "stream", "stream-options-without-stream"),
    (CHAT, chat(top_logprobs="x"), "top_logprobs", "top-logprobs-string"),
    (CHAT, chat(response_format={"type": "json_schema"}), "response_format", "response-format-without-schema"),
    (CHAT, chat(tools=[{"type": "function"}]), "function", "tool-without-function"),
    (CHAT, messages([{"role": "user", "content": "x", "tool_calls": 5}]), "tool_calls", "tool-calls-number"),
    # OpenAI fields of a wrong type or range
    (CHAT, chat(colour="red"), "colour", "unknown-field"),
    (CHAT, chat(temperature="hot"), "temperature", "temperature-string"),
    (CHAT, chat(temperature=-1), "temperature", "temperature-negative"),
    (CHAT, chat(max_tokens="many"), "max_tokens", "max-tokens-string"),
    (CHAT, chat(max_tokens=1.5), "max_tokens", "max-tokens-fraction"),
    (CHAT, chat(max_tokens=-5), "max_tokens", "max-tokens-negative"),
    (CHAT, chat(max_tokens=10**400), "max_tokens", "max-tokens-of-400-digits"),
    (CHAT, chat(n="two"), "n", "n-string"),
    (CHAT, chat(n=0), "n", "n-zero"),
    (CHAT, chat(n=1000), "n", "n-huge"),
    (CHAT, chat(stream="yes"), "stream", "stream-string"),
    (CHAT, chat(seed="x"), "seed", "seed-string"),
    (CHAT, chat(top_p="x"), "top_p", "top-p-string"),
    (CHAT, chat(top_p=7), "top_p", "top-p-over-one"),
    (CHAT, chat(stop={"a": 1}), "stop", "stop-object"),
    (CHAT, chat(stop=list("abcde")), "stop: List should have at most 4 items", "stop-too-many"),
    (CHAT, chat(max_tokens=0), "max_tokens: 0 tokens are no answer", "max-tokens-zero"),
    (CHAT, chat(verbosity="low"), "verbosity: laar has nothing that honours this field: say", "verbosity"),
    (
        CHAT,
        chat(functions=[{"name": "f"}]),
        "functions: laar has nothing that honours this field: use tools",
        "functions",
    ),
    (CHAT, chat(logit_bias=[1]), "logit_bias", "logit-bias-list"),
    (CHAT, chat(tools="hammer"), "tools", "tools-string"),
    (CHAT, chat(response_format="json"), "response_format", "response-format-string"),
    (CHAT, chat(n=2, laar=AT_HOME), "n", "n-verified"),
    # the laar object
    (CHAT, chat(laar=[]), "laar", "laar-list"),
    (CHAT, chat(laar="x"), "laar", "laar-string"),
    (CHAT, laar(verfy={}), "laar.verfy", "laar-unknown-key"),
    (CHAT, laar(max_attempts=0), "laar.max_attempts", "attempts-zero"),
    (CHAT, laar(max_attempts=1_000_000), "laar.max_attempts", "attempts-huge"),
    (CHAT, laar(max_attempts="3"), "laar.max_attempts", "attempts-string"),
    (CHAT, laar(deadline_s=0), "laar.deadline_s", "deadline-zero"),
    (CHAT, laar(deadline_s="soon"), "laar.deadline_s", "deadline-string"),
    (CHAT, laar(task="../../etc"), "laar.task", "task-path"),
    (CHAT, laar(language="Deutsch"), "laar.language", "language-name"),
    (CHAT, laar(session=""), "laar.session", "session-empty"),
    # verification
    (CHAT, laar(verify="exact"), "laar.verify", "verify-string"),
    (CHAT, verify(), "laar.verify.type", "verify-without-type"),
    (CHAT, verify(type="python", code="1+1"), "laar.verify.type", "verify-unknown-type"),
    (CHAT, verify(type="exact"), "laar.verify.value", "exact-without-value"),
    (CHAT, verify(type="exact", value=[]), "laar.verify.value", "exact-empty-list"),
    (CHAT, verify(type="exact", value="x", typo=1), "laar.verify.typo", "exact-unknown-key"),
    (CHAT, verify(type="contains", value="x", mode="some"), "laar.verify.mode", "contains-bad-mode"),
    (CHAT, verify(type="regex", pattern="("), "laar.verify.pattern", "regex-broken"),
    (CHAT, verify(type="regex", pattern="((((a{30}){30}){30}){30})"), "laar.verify.pattern", "regex-bomb"),
    (CHAT, verify(type="regex", pattern="(a)\\1"), "laar.verify.pattern", "regex-back-reference"),
    (CHAT, verify(type="regex", pattern="a" * 5000), "laar.verify.pattern", "regex-long"),
    (CHAT, verify(type="numeric", value="three"), "laar.verify.value", "numeric-word"),
    (CHAT, verify(type="numeric", value=3, tolerance=-1), "laar.verify.tolerance", "numeric-tolerance"),
    (CHAT, verify(type="json_schema"), "laar.verify.schema", "schema-missing"),
    (CHAT, verify(type="json_schema", schema={"type": "strin"}), "laar.verify.schema", "schema-broken"),
    (CHAT, verify(type="json_schema", schema=nested(50)), "laar.verify.schema", "schema-deep"),
    (CHAT, verify(type="json_schema", schema={"enum": list(range(5000))}), "laar.verify.schema", "schema-wide"),
    (CHAT, verify(type="json_schema", schema={"$ref": "file:///etc/passwd"}), "laar.verify.schema", "schema-ref"),
    (CHAT, verify(type="json_schema", schema={"pattern": "(a"}), "laar.verify.schema", "schema-pattern"),
    (CHAT, verify(type="grounded", min_share=2), "laar.verify.min_share", "grounded-share"),
    (CHAT, verify(type="agreement", by="luck"), "laar.verify.by", "agreement-by"),
    (CHAT, verify(type="judge", model="nobody"), "laar.verify.model", "judge-unknown"),
    (
        CHAT,
        chat(model="simulated-right", laar={"verify": {"type": "judge", "model": "simulated-right"}}),
        "laar.verify.model",
        "judge-of-itself",
    ),
    (
        CHAT,
        chat(model="simulated-right", laar={"verify": {"type": "agreement"}}),
        "laar.verify.by",
        "agreement-with-nobody",
    ),
    (CHAT, verify(type="custom", name="os:system"), "laar.verify.name", "custom-import-path"),
    (CHAT, verify(type="custom", name="nobody"), "laar.verify.name", "custom-unknown"),
    # the other endpoint
    (EXPLAIN, b"{", "body", "explain-cut-off"),
    (EXPLAIN, {"model": "auto"}, "prompt", "explain-nothing"),
    (EXPLAIN, chat(model="no-such-model"), "model", "explain-unknown-model"),
]


@pytest.mark.parametrize(("path", "body", "words", "_id"), ROWS, ids=[row[3] for row in ROWS])
def test_bad_input_is_a_4xx_that_names_the_field(
    client: httpx.Client, path: str, body: Any, words: str, _id: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = client.post(path, content=content, headers={"content-type": "application/json"})
    assert 400 <= response.status_code < 500, response.text[:300]
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert words in error["message"]
    assert len(error["message"]) < 1000


def test_compressed_body_is_refused_as_such(client: httpx.Client) -> None:
    response = client.post(
        CHAT, content=gzip.compress(json.dumps(chat()).encode()), headers={"content-encoding": "gzip"}
    )
    assert (response.status_code, response.json()["error"]["code"]) == (415, "unsupported_encoding")


def test_bodies_that_stop_take_nothing_from_the_key(client: httpx.Client, app_url: str) -> None:
    at = urlsplit(app_url)
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: 100\r\n\r\n{{"
    with ExitStack() as held:
        # more than a router reads of one key at once
        for _ in range(2 * Limits().max_bodies_per_key):
            half = held.enter_context(socket.create_connection((at.hostname, at.port)))
            half.sendall(head.encode())
        assert [client.post(CHAT, json=chat()).status_code for _ in range(5)] == [200] * 5
        # and they are not held for long
        half.settimeout(60)
        assert half.recv(1000).startswith(b"HTTP/1.1 408 ")


HEAD = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\n"
WITH_KEY = f"{HEAD}Authorization: Bearer {KEY}\r\n"
GET = "GET /health HTTP/1.1\r\nHost: x\r\n"
# HAProxy writes this itself where it cannot parse a request, before any of its rules
HTML = "html"
RAW = [
    ("\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, HTML, "tls"),
    ("GET /health\r\n\r\n", 400, HTML, "no-version"),
    (GET + "Bad Name: 1\r\n\r\n", 400, HTML, "header-name"),
    (GET + "A: \x00\r\n\r\n", 400, HTML, "nul"),
    (GET + "A: " + "a" * 20_000 + "\r\n\r\n", 400, HTML, "long-header"),
    (GET + "".join(f"A{n}: 1\r\n" for n in range(300)) + "\r\n", 400, HTML, "many-headers"),
    ("GET / b HTTP/1.1\r\nHost: x\r\n\r\n", 400, HTML, "blank-in-path"),
    (WITH_KEY + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400, HTML, "two-lengths"),
    (WITH_KEY + "Content-Length: -1\r\n\r\n", 400, HTML, "negative-length"),
    (WITH_KEY + "Transfer-Encoding: x\r\n\r\n", 400, HTML, "transfer-encoding"),
    (WITH_KEY + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, HTML, "bad-chunk"),
    # this has no path that leads to a router
    ("CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", 404, "not_found", "connect"),
    # HAProxy passes this on, and the router's server cannot take it
    ("BREW /v1/models HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_http", "no-method"),
    # and these the router refuses itself
    (WITH_KEY + "\r\n", 400, "invalid_value", "no-body"),
    (WITH_KEY + "Content-Length: 0\r\n\r\n", 400, "invalid_value", "empty-body"),
    (WITH_KEY + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "invalid_value", "no-chunk"),
    (WITH_KEY + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415, "unsupported_encoding", "gzip"),
    (WITH_KEY + "Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}", 415, "unsupported_encoding", "brotli"),
    (WITH_KEY + "Content-Length: 300001\r\n\r\n" + " " * 20_000, 413, "body_too_large", "large-body"),
    (HEAD + "Content-Length: 2\r\n\r\n{}", 401, "invalid_api_key", "no-key"),
    (HEAD + "Authorization: Basic eDp4\r\nContent-Length: 2\r\n\r\n{}", 401, "invalid_api_key", "basic"),
    ("DELETE /v1/models HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed", "wrong-method"),
    ("TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found", "trace"),
    ("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found", "bad-percent"),
    ("GET /laar/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found", "traversal"),
    ("GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found", "no-path"),
    # what is half here is waited for
    ("GET /health HTTP/1.1\r\nHost: x\r\nA: ", 408, HTML, "half-a-header"),
    (WITH_KEY + "Content-Length: 9\r\n\r\n{", 408, "request_timeout", "half-a-body"),
]


def answer_to(app_url: str, data: str) -> tuple[int, dict[str, str], bytes]:
    """What comes back on a connection of its own: status, headers, body."""
    at = urlsplit(app_url)
    with socket.create_connection((at.hostname, at.port), timeout=30) as connection:
        connection.sendall(data.encode("latin-1"))
        with connection.makefile("rb") as answer:
            status = int(answer.readline().split()[1])
            lines = iter(lambda: answer.readline().decode().strip(), "")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            length = headers.get("content-length")
            return status, headers, answer.read(None if length is None else int(length))


@pytest.mark.parametrize(("data", "status", "code", "_id"), RAW, ids=[row[3] for row in RAW])
def test_bytes_on_the_wire_get_an_error_and_its_shape(
    app_url: str, data: str, status: int, code: str, _id: str
) -> None:
    found, headers, body = answer_to(app_url, data)
    assert found == status, body
    if code == HTML:
        assert headers["content-type"] == "text/html"
    else:
        error = json.loads(body)["error"]
        assert (set(error), error["code"]) == ({"message", "type", "param", "code"}, code)
    assert headers.get("www-authenticate") == ("Bearer" if status == 401 else None)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", CHAT, 405, id="get-chat"),
        pytest.param("POST", "/v1/embeddings", 404, id="embeddings"),
        pytest.param("POST", "/v1/laar", 404, id="laar-root"),
        pytest.param("DELETE", "/v1/models", 405, id="delete-models"),
        pytest.param("POST", CHAT + "/", 404, id="trailing-slash"),
    ],
)
def test_unknown_route_is_an_openai_error(client: httpx.Client, method: str, path: str, status: int) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}


# LAAR_VERIFICATIONS=5000,500 runs as many as releases are held to
NUM_RANDOM, NUM_ADVERSARIAL = map(int, os.environ.get("LAAR_VERIFICATIONS", "250,60").split(","))
MOST_S = 20.0


@pytest.mark.parametrize(
    "requests",
    [
        pytest.param(random_ones(NUM_RANDOM, seed=15), id="random"),
        pytest.param(adversarial(NUM_ADVERSARIAL, seed=15), id="adversarial"),
    ],
)
def test_no_verification_breaks_or_holds_up_the_server(client: httpx.Client, requests: list[bytes]) -> None:
    def ask(body: bytes) -> tuple[int, str, float, bytes]:
        began_s = time.monotonic()
        response = client.post(CHAT, content=body)
        told = response.json()
        assert set(told["error"]) == {"message", "type", "param", "code"} if "error" in told else "laar" in told
        what = told["error"]["code"] if "error" in told else told["laar"]["attempts"][-1]["verdict"]
        return response.status_code, what, time.monotonic() - began_s, body

    with ThreadPoolExecutor(max_workers=8) as pool:
        found = list(pool.map(ask, requests))
    assert [(status, what, body[:500]) for status, what, _, body in found if status >= 500] == []
    assert [(took_s, body[:500]) for _, _, took_s, body in found if took_s > MOST_S] == []
    told = Counter((status, what) for status, what, _, _ in found)
    slowest = sorted(((took_s, body) for _, _, took_s, body in found), reverse=True)
    median_s, (longest_s, body) = slowest[len(found) // 2][0], slowest[0]
    print(f"{len(found)} requests: {dict(told)}; median {median_s:.3f} s, longest {longest_s:.3f} s: {body[:400]!r}")
    # neither all refused nor all taken, or the test would show little
    assert {status for status, _ in told} >= {200, 400}


def test_server_still_answers_after_all_that(client: httpx.Client) -> None:
    answer = client.post(CHAT, json=chat(laar=AT_HOME)).json()
    assert answer["laar"]["verified"] is True
