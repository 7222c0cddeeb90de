import json
from typing import Any

import msgspec
import pytest

from deployments.contract.reply import Chunk, Reply
from deployments.engines.openai_answers import EngineError
from deployments.engines.remote_protocol import failure, in_flight, reply, retry_after_s, stream_reader


def event(payload: bytes) -> bytes | Reply:
    (found,) = stream_reader("big", 1000).feed(b"data: " + payload + b"\n\n")
    return found.events if isinstance(found, Chunk) else found


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(b"<html>", id="html"),
        pytest.param(b"{}", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"choices":[]}', id="no-choices"),
        pytest.param(b'{"choices":[{"message":{"content":[1]}}]}', id="content-of-numbers"),
    ],
)
def test_what_is_no_answer_is_a_failure(told: bytes) -> None:
    with pytest.raises(EngineError, match="no OpenAI answer"):
        reply(told, "big")


def test_answer_without_counts_is_one() -> None:
    found = reply(b'{"choices":[{"text":"on"}],"usage":{"prompt_tokens":null}}', "big")
    assert (found.text, found.prompt_tokens, found.output_tokens) == ("on", 0, None)


def test_chunk_is_written_under_our_name() -> None:
    told = b'{"model": "org/big", "laar": 1, "choices": [{"delta": {"content": "a"}, "finish_reason": null}]}'
    expected = b'data: {"model":"big","choices":[{"delta": {"content": "a"}, "finish_reason": null}]}\n\n'
    assert event(told) == expected


def test_empty_word_for_a_choice_that_is_not_closed_becomes_openais() -> None:
    told = b'{"choices": [{"delta": {"content": "a"}, "finish_reason": ""}]}'
    assert event(told) == b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":null}]}\n\n'


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
    found = event(msgspec.json.encode({"error": error}))
    assert isinstance(found, Reply)
    assert (found.status, b"secret" in found.body) == (status, is_told)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        pytest.param(400, "invalid_request_error", "invalid_value", id="400"),
        pytest.param(413, "invalid_request_error", "body_too_large", id="413"),
        pytest.param(422, "invalid_request_error", "invalid_value", id="422"),
        pytest.param(429, "rate_limit_error", "overloaded", id="429"),
    ],
)
def test_refusal_keeps_the_servers_words_and_nothing_beside_them(status: int, kind: str, code: str) -> None:
    error = {"message": "too long", "type": "x", "param": "messages", "code": status}
    found = failure(status, msgspec.json.encode({"error": error | {"url": "http://10.0.0.7"}, "key": "k"}), "big")
    told = {"message": "too long", "type": kind, "param": "messages", "code": code}
    assert (found.status, json.loads(found.body)) == (status, {"error": told})


@pytest.mark.parametrize(
    ("told", "message"),
    [
        pytest.param({"object": "error", "message": "too long", "code": 400}, "too long", id="flat"),
        pytest.param({"detail": "too long"}, "too long", id="fastapi"),
        pytest.param(
            {"detail": [{"loc": ["body", "stop"], "msg": "too long", "input": "secret"}]},
            "stop: too long",
            id="pydantic",
        ),
        pytest.param({"error": "too long"}, "too long", id="a-text"),
        pytest.param({"error": {"detail": "too long"}}, "too long", id="detail-within"),
        pytest.param({"error": {"message": None}}, "the server of model 'big' answered with status 400", id="nothing"),
        pytest.param({"detail": []}, "the server of model 'big' answered with status 400", id="empty-detail"),
    ],
)
def test_refusal_is_read_in_the_forms_that_are_in_use(told: Any, message: str) -> None:
    assert json.loads(failure(400, msgspec.json.encode(told), "big").body)["error"]["message"] == message


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"retry-after": "30"}, 30, id="seconds"),
        pytest.param({"retry-after": "0.2"}, 1, id="part-of-a-second"),
        pytest.param({"retry-after-ms": "2500", "retry-after": "9"}, 3, id="milliseconds-tell-more"),
        pytest.param({"retry-after": "Thu, 01 Jan 1970 00:17:10 GMT"}, 30, id="date"),
        pytest.param({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 1, id="date-gone-by"),
        pytest.param({"retry-after": "99999999999"}, 3600, id="bounded"),
        pytest.param({"retry-after": "inf"}, None, id="infinite"),
        pytest.param({"retry-after": "nan"}, None, id="nan"),
        pytest.param({"retry-after": "soon"}, None, id="word"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_time_to_wait_is_read_in_every_form_that_servers_use(headers: dict[str, str], expected: int | None) -> None:
    assert retry_after_s(headers, wall_s=1000.0) == expected


def test_content_in_parts_is_written_as_openai_does() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Hello"}]
    told = {"choices": [{"index": 0, "message": {"role": "assistant", "content": parts}, "finish_reason": "stop"}]}
    (choice,) = json.loads(reply(json.dumps(told).encode(), "big").body)["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Hello", "reasoning": "Hm."}


def test_arguments_as_an_object_are_written_as_text() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "find", "arguments": {"a": 1}}}
    told = {"choices": [{"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    found = reply(json.dumps(told).encode(), "big")
    assert found.tool_calls[0].arguments == '{"a": 1}'
    (choice,) = json.loads(found.body)["choices"]
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'


def test_no_choices_are_written_as_a_list_that_is_empty() -> None:
    assert event(b'{"choices":null,"usage":{}}') == b'data: {"choices":[],"usage":{}}\n\n'


def test_half_a_character_in_a_whole_answer_is_replaced() -> None:
    found = reply(b'{"choices":[{"message":{"content":"a\\ud83d"},"finish_reason":"stop"}]}', "big")
    assert found.text == "a\ufffd"
    assert json.loads(found.body)["choices"][0]["message"]["content"] == "a\ufffd"


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


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        pytest.param(
            b"# TYPE vllm:num_requests_running gauge\n"
            b'vllm:num_requests_running{engine="0",model_name="org/big"} 3.0\n'
            b'vllm:num_requests_waiting{engine="0",model_name="org/big"} 2.0\n'
            b'vllm:num_requests_running{engine="0",model_name="org/small"} 40.0\n',
            5.0,
            id="vllm, of this model",
        ),
        pytest.param(b"sglang:num_running_reqs 4\nsglang:num_queue_reqs 1e1\n", 14.0, id="sglang, without labels"),
        pytest.param(b"vllm:num_requests_running_total 7\nprocess_open_fds 12\n", None, id="nothing of it"),
        pytest.param(b"<html>", None, id="no metrics"),
    ],
)
def test_load_of_a_server_is_what_it_runs_and_queues(metrics: bytes, expected: float | None) -> None:
    assert in_flight(metrics, "org/big") == expected
