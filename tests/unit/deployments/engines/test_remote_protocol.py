import json
from typing import Any

import msgspec
import pytest

from deployments.contract.reply import Reply
from deployments.engines.remote_protocol import EventReader, RemoteError, event, failure, reply

STREAM = (
    b': hello\r\n\r\ndata: {"content": "\xc3\xa9"}\r\n\r\nevent: x\ndata:{"a": 1}\nretry: 5\n\n'
    b"\ndata: 1\ndata: 2\n\ndata: [DONE]\n\n"
)
PAYLOADS = [b'{"content": "\xc3\xa9"}', b'{"a": 1}', b"1\n2", b"[DONE]"]


def read(*pieces: bytes) -> list[bytes]:
    reader = EventReader(1000)
    return [payload for piece in pieces for payload in reader.feed(piece)] + list(reader.end())


def test_events_are_told_apart_wherever_the_network_cuts_them() -> None:
    assert read(*(bytes([byte]) for byte in STREAM)) == PAYLOADS
    for cut in range(len(STREAM) + 1):
        assert read(STREAM[:cut], STREAM[cut:]) == PAYLOADS


@pytest.mark.parametrize(
    "end",
    [pytest.param(b"", id="nothing"), pytest.param(b"\n", id="one-line-end"), pytest.param(b"\r", id="half-of-one")],
)
def test_last_event_needs_no_blank_line(end: bytes) -> None:
    assert read(STREAM.rstrip() + end) == PAYLOADS


def test_stream_is_bounded_as_a_whole() -> None:
    reader = EventReader(10)
    assert list(reader.feed(b"data: 1\n\n")) == [b"1"]
    with pytest.raises(RemoteError, match="too long"):
        list(reader.feed(b"ab"))


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(b"<html>", id="html"),
        pytest.param(b"{}", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"choices":[]}', id="no-choices"),
        pytest.param(b'{"choices":[{"message":{"content":[1]}}]}', id="content-in-parts"),
    ],
)
def test_what_is_no_answer_is_a_failure(told: bytes) -> None:
    with pytest.raises(RemoteError, match="no OpenAI answer"):
        reply(told, "big")


def test_answer_without_counts_is_one() -> None:
    found = reply(b'{"choices":[{"text":"on"}],"usage":{"prompt_tokens":null}}', "big")
    assert (found.text, found.prompt_tokens, found.output_tokens) == ("on", 0, None)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(b'{"choices":null}', id="null-choices"),
        pytest.param(b'{"choices":[{"delta":{"content":["a"]}}]}', id="content-in-parts"),
        pytest.param(b'{"choices":[{"delta":{}, "finish_reason":1}]}', id="odd-finish"),
        pytest.param(b"[1]", id="a-list"),
        pytest.param(b"{", id="cut"),
    ],
)
def test_chunk_that_nobody_could_read_is_a_failure(told: bytes) -> None:
    with pytest.raises(RemoteError, match="no OpenAI answer"):
        event(told, "big")


def test_chunk_is_written_compactly_under_our_name() -> None:
    told = b'{"model": "org/big", "laar": 1, "choices": [{"delta": {"content": "a"}, "finish_reason": ""}]}'
    expected = b'data: {"model":"big","choices":[{"delta":{"content":"a"},"finish_reason":null}]}\n\n'
    assert event(told, "big") == expected


@pytest.mark.parametrize(
    ("error", "status", "is_told"),
    [
        pytest.param({"message": "secret", "code": 401}, 502, False, id="wrong-key"),
        pytest.param({"message": "secret", "code": 400}, 400, True, id="refused"),
        pytest.param({"message": "secret", "code": 503}, 503, False, id="broken"),
        pytest.param({"message": "secret"}, 502, False, id="no-code"),
        pytest.param({"message": "secret", "code": 200}, 502, False, id="odd-code"),
        pytest.param({"message": "secret", "code": 99999}, 502, False, id="code-beyond-http"),
        pytest.param("secret", 502, False, id="a-text"),
    ],
)
def test_error_within_a_stream_is_treated_as_one_before_it(error: Any, status: int, is_told: bool) -> None:
    found = event(msgspec.json.encode({"error": error}), "big")
    assert isinstance(found, Reply)
    assert (found.status, b"secret" in found.body) == (status, is_told)


@pytest.mark.parametrize("status", [400, 413, 422, 429])
def test_refusal_keeps_the_servers_words_and_nothing_beside_them(status: int) -> None:
    error = {"message": "too long", "type": "x", "param": "messages", "code": status}
    found = failure(status, msgspec.json.encode({"error": error | {"url": "http://10.0.0.7"}, "key": "k"}), "big")
    assert (found.status, json.loads(found.body)) == (status, {"error": error})


def test_refusal_is_bounded() -> None:
    found = failure(400, msgspec.json.encode({"error": {"message": "x" * 10_000}}), "big")
    assert len(found.body) < 2200


@pytest.mark.parametrize(
    ("status", "expected"),
    [pytest.param(status, 502, id=str(status)) for status in (302, 401, 403, 404)]
    + [pytest.param(status, status, id=str(status)) for status in (500, 503)],
)
def test_other_failures_are_the_servers_and_tell_the_client_nothing(status: int, expected: int) -> None:
    found = failure(status, b'{"error":{"message":"key sk-123 is wrong"}}', "big")
    assert found.status == expected
    assert json.loads(found.body)["error"]["message"] == f"the server of model 'big' answered with status {status}"


@pytest.mark.parametrize(
    "told",
    [pytest.param(b"<html>", id="html"), pytest.param(b"[]", id="list"), pytest.param(b'{"error":"m"}', id="text")],
)
def test_refusal_of_another_shape_gets_openais(told: bytes) -> None:
    assert json.loads(failure(400, told, "big").body)["error"]["type"] == "invalid_request_error"


def test_why_it_ended_what_it_calls_and_what_it_declines_are_read() -> None:
    function = {"name": "find", "arguments": '{"a": 1}'}
    message = {"content": None, "refusal": "no", "tool_calls": [{"id": "1", "type": "function", "function": function}]}
    told = {"choices": [{"message": message, "finish_reason": "tool_calls"}]}
    found = reply(json.dumps(told).encode(), "big")
    assert (found.text, found.refusal, found.finish_reason) == ("", "no", "tool_calls")
    assert [(call.name, call.arguments) for call in found.tool_calls] == [("find", '{"a": 1}')]
