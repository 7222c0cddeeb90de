import json

import pytest

from deployments.router.http import sse

CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"Par"},"finish_reason":null}]}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{"content":"is"},"finish_reason":"stop"}]}\n\n'
QUOTING = b'data: {"choices":[{"delta":{"content":"\\"finish_reason\\":\\"stop\\""},"finish_reason":null}]}\n\n'


def test_text_is_spelled_out_over_all_chunks() -> None:
    assert sse.read_answer(CHUNK + LAST + sse.DONE).text == "Paris"


def test_why_a_stream_ended_what_it_calls_and_what_it_declines_are_read() -> None:
    deltas = [
        {"tool_calls": [{"index": 0, "function": {"name": "find", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a":'}}]},
        {"tool_calls": [{"index": 1, "function": {"name": "stop", "arguments": "{}"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}], "refusal": "no"},
    ]
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    found = sse.read_answer(b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in [*chunks, last]))
    assert (found.text, found.refusal, found.finish_reason) == ("", "no", "tool_calls")
    assert [(call.name, call.arguments) for call in found.tool_calls] == [("find", '{"a":1}'), ("stop", "{}")]


def test_completion_chunks_are_read_too() -> None:
    assert sse.read_answer(b'data: {"choices":[{"text":"Paris"}]}\n\n').text == "Paris"


def test_laar_goes_into_the_chunk_that_closes_the_choice() -> None:
    out = sse.with_laar(CHUNK + LAST + sse.DONE, b'{"verified":true}')
    first, last, done, _ = out.split(b"\n\n")
    assert first + b"\n\n" == CHUNK
    assert json.loads(last.removeprefix(b"data: "))["laar"] == {"verified": True}
    assert done + b"\n\n" == sse.DONE


def test_text_that_quotes_the_mark_is_not_taken_for_it() -> None:
    assert not sse.has_finish(QUOTING)
    assert sse.with_laar(QUOTING, b"{}") == QUOTING


def test_error_in_the_stream_is_found() -> None:
    assert sse.read_error(b'data: {"error":{"message":"out of memory","code":500}}\n\n' + sse.DONE) == {
        "message": "out of memory",
        "code": 500,
    }
    assert sse.read_error(b'data: {"choices":[{"delta":{"content":"an \\"error\\" happened"}}]}\n\n') is None


def test_laar_is_appended_to_a_json_object() -> None:
    assert json.loads(sse.json_with_laar(b'{"id":"x"}\n', b'{"verified":null}')) == {
        "id": "x",
        "laar": {"verified": None},
    }


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        pytest.param(CHUNK + LAST, 2, id="two chunks"),
        pytest.param(b'data: {"choices":[{"text":"Paris"}]}\n\n', 1, id="completion"),
        pytest.param(b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n', 0, id="opening"),
        pytest.param(b'data: {"choices":[{"delta":{"reasoning":"Hm"}}]}\n\n', 1, id="thought"),
        pytest.param(
            b'data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{"}}]}}]}\n\n', 1, id="call"
        ),
        pytest.param(b'data: {"choices":[{"delta":{"content":"\\"content\\":\\"x"}}]}\n\n', 1, id="quoting"),
        pytest.param(sse.KEEP_ALIVE + sse.DONE, 0, id="no chunk"),
        pytest.param(b'data: {"choices":[],"usage":{"completion_tokens":7}}\n\n', 0, id="usage"),
    ],
)
def test_token_is_a_chunk_that_carries_something(piece: bytes, expected: int) -> None:
    assert sse.num_tokens(piece) == expected
