import itertools
import json
import pickle
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.contract.reply import CallPart, Chunk, Reply, packed, reply_of, unpacked
from deployments.contract.verdict import ToolCall
from deployments.engines.openai_answers import (
    DONE_EVENT,
    EngineError,
    EventReader,
    StreamReader,
    failure,
    read,
    reply,
    unchanged,
)

STREAM = (
    b': hello\r\n\r\ndata: {"content": "\xc3\xa9"}\r\n\r\nevent: x\ndata:{"a": 1}\nretry: 5\n\n'
    b"\ndata: 1\ndata: 2\n\ndata: [DONE]\n\n"
)
PAYLOADS = [b'{"content": "\xc3\xa9"}', b'{"a": 1}', b"1\n2", b"[DONE]"]


def payloads(*pieces: bytes) -> list[bytes]:
    reader = EventReader(1000)
    return [payload for piece in pieces for payload in reader.feed(piece)] + list(reader.end())


def chunks(*pieces: bytes) -> list[Chunk | Reply]:
    reader = StreamReader(unchanged, failure)
    return [chunk for piece in pieces for chunk in reader.feed(piece)] + list(reader.end())


def held(*pieces: bytes) -> Reply:
    return reply_of(chunk for chunk in chunks(*pieces) if isinstance(chunk, Chunk))


def event(**choice: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def delta(finish_reason: str | None = None, **fields: Any) -> bytes:
    return event(delta=fields, finish_reason=finish_reason)


def cut(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def test_events_are_told_apart_wherever_the_network_cuts_them() -> None:
    assert payloads(*(bytes([byte]) for byte in STREAM)) == PAYLOADS
    for place in range(len(STREAM) + 1):
        assert payloads(STREAM[:place], STREAM[place:]) == PAYLOADS


@pytest.mark.parametrize(
    "end",
    [pytest.param(b"", id="nothing"), pytest.param(b"\n", id="one-line-end"), pytest.param(b"\r", id="half-of-one")],
)
def test_last_event_needs_no_blank_line(end: bytes) -> None:
    assert payloads(STREAM.rstrip() + end) == PAYLOADS


def test_stream_is_bounded_as_a_whole() -> None:
    reader = EventReader(10)
    assert list(reader.feed(b"data: 1\n\n")) == [b"1"]
    with pytest.raises(EngineError, match="too long"):
        list(reader.feed(b"ab"))


@given(
    texts=st.lists(st.text(), max_size=5),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :  ")]),
    ascii_only=st.booleans(),
    line_end=st.sampled_from([b"\n", b"\r\n"]),
    cuts=st.lists(st.integers(0, 400), max_size=6),
)
def test_stream_says_the_same_however_it_is_spaced_and_cut(
    texts: list[str], separators: tuple[str, str], ascii_only: bool, line_end: bytes, cuts: list[int]
) -> None:
    said: list[Any] = [{"choices": [{"delta": {"content": text}, "finish_reason": None}]} for text in texts]
    said.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    lines = [json.dumps(one, separators=separators, ensure_ascii=ascii_only).encode("utf-8", "replace") for one in said]
    data = b"".join(b"data: " + line + 2 * line_end for line in (*lines, b"[DONE]"))
    found = held(*cut(data, [place for place in cuts if place < len(data)]))
    assert found.finish_reason == "stop"
    assert found.text == "".join(json.loads(line)["choices"][0]["delta"].get("content", "") for line in lines)
    assert sum(chunk.num_tokens for chunk in found.chunks) == sum(map(bool, texts))
    assert found.chunks[-1].is_last
    assert b"".join(chunk.events for chunk in found.chunks) == b"".join(
        b"data: " + line + b"\n\n" for line in (*lines, b"[DONE]")
    )


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=3))
def test_reader_takes_any_bytes_or_says_that_they_are_no_answer(noise: bytes, cuts: list[int]) -> None:
    try:
        found = chunks(*cut(b"data: " + noise, cuts), b"\n\n")
    except EngineError:
        return
    assert all(isinstance(one, Reply) or one.events.endswith(b"\n\n") for one in found)


def test_piece_becomes_one_chunk_that_ends_with_what_closes_the_choice() -> None:
    first, last, usage = delta(content="Par"), delta("stop", content="is"), b'data: {"choices":[],"usage":{}}\n\n'
    found = chunks(first + last + usage + DONE_EVENT)
    assert found == [
        Chunk(first + last, "Paris", 2, "stop"),
        Chunk(usage + DONE_EVENT, is_last=True),
    ]


def test_text_that_quotes_a_finish_reason_is_not_one() -> None:
    (found,) = chunks(delta(content='"finish_reason":"stop"'))
    assert isinstance(found, Chunk)
    assert found.finish_reason is None


def test_object_over_several_lines_becomes_one_line() -> None:
    (found,) = chunks(b'data: {"choices":\ndata: []}\n\n')
    assert found == Chunk(b'data: {"choices": []}\n\n')


def test_error_ends_what_is_read_of_a_stream() -> None:
    error = {"message": "out of memory", "code": 507}
    told = b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
    before, failed = chunks(delta(content="a") + told + delta(content="b") + DONE_EVENT, DONE_EVENT)
    assert before == Chunk(delta(content="a"), "a", 1)
    assert isinstance(failed, Reply)
    expected = {"message": "out of memory", "type": "server_error", "param": None, "code": "engine_error"}
    assert (failed.status, json.loads(failed.body)) == (507, {"error": expected})


def test_tool_calls_are_put_together_by_their_index() -> None:
    found = held(
        delta(tool_calls=[{"index": 0, "id": "x", "type": "function", "function": {"name": "find", "arguments": ""}}]),
        delta(tool_calls=[{"index": 1, "function": {"name": "add", "arguments": "{}"}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": '{"a"'}}]),
        delta("tool_calls", tool_calls=[{"index": 0, "function": {"arguments": ":1}"}}]),
    )
    assert found.tool_calls == (ToolCall(name="find", arguments='{"a":1}'), ToolCall(name="add", arguments="{}"))
    assert (found.text, found.finish_reason) == ("", "tool_calls")


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(Chunk(DONE_EVENT, is_last=True), id="end"),
        pytest.param(Chunk(b"x", "a", 2, "tool_calls", False, "No.", (CallPart(1, "find", "{}"),)), id="all-of-it"),
        pytest.param(Reply(500, b"{}"), id="error"),
    ],
)
def test_chunk_arrives_in_another_process_as_it_was_sent(sent: Chunk | Reply) -> None:
    assert unpacked(pickle.loads(pickle.dumps(packed(sent)))) == sent  # noqa: S301, its own bytes


def test_whole_answer_has_its_calls_its_refusal_and_its_end() -> None:
    calls = [{"id": "x", "type": "function", "function": {"name": "find", "arguments": "{}"}}, {"type": "custom"}]
    message = {"role": "assistant", "content": None, "refusal": "No.", "tool_calls": calls}
    body = json.dumps({"choices": [{"message": message, "finish_reason": "tool_calls"}]}).encode()
    found = reply(body, read(body))
    assert found.tool_calls == (ToolCall(name="find", arguments="{}"), ToolCall(name="", arguments=""))
    assert found.refusal == "No."
    assert (found.text, found.finish_reason) == ("", "tool_calls")


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        pytest.param(delta(content="Par") + delta("stop", content="is"), 2, id="two chunks"),
        pytest.param(event(text="Paris"), 1, id="completion"),
        pytest.param(delta(role="assistant", content=""), 0, id="opening"),
        pytest.param(delta(reasoning="Hm"), 1, id="thought"),
        pytest.param(delta(reasoning_content="Hm"), 1, id="thought under its old name"),
        pytest.param(delta(tool_calls=[{"index": 0, "function": {"arguments": "{"}}]), 1, id="call"),
        pytest.param(delta(content='"content":"x'), 1, id="quoting"),
        pytest.param(b": laar is still verifying\n\n" + DONE_EVENT, 0, id="no chunk"),
        pytest.param(b'data: {"choices":[],"usage":{"completion_tokens":7}}\n\n', 0, id="usage"),
    ],
)
def test_token_is_an_event_that_carries_something(piece: bytes, expected: int) -> None:
    assert sum(chunk.num_tokens for chunk in chunks(piece) if isinstance(chunk, Chunk)) == expected


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(b"<html>", id="html"),
        pytest.param(b'{"choices":7}', id="choices-of-another-type"),
        pytest.param(b'{"choices":[{"delta":{"content":[1]}}]}', id="content-of-numbers"),
        pytest.param(b'{"choices":[{"delta":{}, "finish_reason":1}]}', id="odd-finish"),
        pytest.param(b"[1]", id="a-list"),
        pytest.param(b"{", id="cut"),
    ],
)
def test_chunk_that_cannot_be_read_is_a_failure(told: bytes) -> None:
    with pytest.raises(EngineError, match="no OpenAI answer"):
        chunks(b"data: " + told + b"\n\n")


ACCOUNTS = [
    pytest.param(b'{"choices":null,"usage":{"prompt_tokens":1}}', id="null-choices"),
    pytest.param(
        b'{"choices":[],"usage":{"prompt_tokens":1.0,"completion_tokens":"2"}}', id="counts-as-floats-and-text"
    ),
    pytest.param(b'{"choices":[],"usage":[1]}', id="usage-list"),
    pytest.param(b'{"choices":[],"usage":"free"}', id="usage-text"),
    pytest.param(b"null", id="null"),
    pytest.param(b"", id="empty"),
    pytest.param(b'{"error":{"message":"no accounts today","code":500}}', id="error"),
    pytest.param(b"<html>", id="html"),
    pytest.param(b'{"choices":[{"delta":5}]}', id="choice-of-another-type"),
]


@pytest.mark.parametrize("told", ACCOUNTS)
@pytest.mark.parametrize("has_end", [pytest.param(True, id="closed"), pytest.param(False, id="without-done")])
def test_what_follows_a_finished_answer_cannot_spoil_it(told: bytes, has_end: bool) -> None:
    end = b"data: " + told + b"\n\n" + (DONE_EVENT if has_end else b"")
    found = chunks(delta(content="Yes."), delta("stop") + end)
    assert all(isinstance(chunk, Chunk) for chunk in found)
    reply = held(delta(content="Yes."), delta("stop") + end)
    assert (reply.text, reply.finish_reason) == ("Yes.", "stop")
    assert reply.chunks[-1].is_last
    assert reply.chunks[-1].events.endswith(DONE_EVENT)
    assert sum(chunk.events.count(DONE_EVENT) for chunk in reply.chunks) == 1


@pytest.mark.parametrize(
    "told", [pytest.param(b"null", id="null"), pytest.param(b"", id="empty"), pytest.param(b"  ", id="blank")]
)
def test_heartbeat_within_a_stream_is_left_out(told: bytes) -> None:
    beat = b"data:" + told + b"\n\n"
    assert held(delta(content="a") + beat, beat + delta(content="b"), delta("stop")).text == "ab"


def test_stream_that_ends_before_its_answer_gets_no_closing_mark() -> None:
    assert not any(isinstance(chunk, Chunk) and chunk.is_last for chunk in chunks(delta(content="a")))


def test_answer_of_two_choices_is_finished_when_both_are() -> None:
    one, two = {"index": 0, "finish_reason": None}, {"index": 1, "finish_reason": None}
    begun = event(delta={"content": "a"}, **one) + event(delta={"content": "b"}, **two)
    first, second = (
        event(delta={}, **one | {"finish_reason": "stop"}),
        event(delta={}, **two | {"finish_reason": "length"}),
    )
    found = [chunk for chunk in chunks(begun, first, second) if isinstance(chunk, Chunk)]
    assert [chunk.finish_reason for chunk in found] == [None, None, "length", None]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        pytest.param({"prompt_tokens": 3, "completion_tokens": 2}, (3, 2), id="whole"),
        pytest.param({"prompt_tokens": 3.0, "completion_tokens": "2"}, (3, 2), id="float-and-text"),
        pytest.param({"prompt_tokens": None, "completion_tokens": -1}, (0, None), id="null-and-negative"),
        pytest.param({"prompt_tokens": "many", "completion_tokens": [2]}, (0, None), id="word-and-list"),
        pytest.param({"prompt_tokens": 10**400, "completion_tokens": "inf"}, (0, None), id="beyond-any-count"),
        pytest.param([], (0, None), id="a-list"),
    ],
)
def test_counts_are_read_however_they_are_written(usage: Any, expected: tuple[int, int | None]) -> None:
    body = json.dumps({"choices": [{"text": "a"}], "usage": usage}).encode()
    found = reply(body, read(body))
    assert (found.prompt_tokens, found.output_tokens) == expected


@pytest.mark.parametrize("kind", ["chat", "completions"])
@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param(["Hi \ud83d", "\ude00!"], "Hi \U0001f600!", id="joined"),
        pytest.param(["\ud83d", "", "\ude00"], "\U0001f600", id="joined-over-an-empty-one"),
        pytest.param(["\ud83d", "\ude00\ud83d", "\ude01"], "\U0001f600\U0001f601", id="two-in-turn"),
        pytest.param(["a\ud83d", "b"], "a\ufffdb", id="first-half-alone"),
        pytest.param(["a\ude00", "b"], "a\ufffdb", id="second-half-alone"),
        pytest.param(["a", "b\ud83d"], "ab\ufffd", id="half-at-the-end"),
    ],
)
def test_halves_of_a_character_are_joined(kind: str, pieces: list[str], expected: str) -> None:
    def told(text: str) -> bytes:
        return delta(content=text) if kind == "chat" else event(text=text, index=0, finish_reason=None)

    found = held(*map(told, pieces), delta("stop") if kind == "chat" else event(text="", index=0, finish_reason="stop"))
    assert found.text == expected
    assert b'\\ud83d"' not in b"".join(chunk.events for chunk in found.chunks)


def test_bytes_that_are_no_utf_8_become_replacement_characters() -> None:
    told = delta(content="a?").replace(b"?", b"\xf0\x9f")
    assert held(told, delta("stop")).text == "a\ufffd"


def test_parts_with_text_are_the_answer() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    parts = [thinking, {"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]
    body = json.dumps({"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]}).encode()
    assert reply(body, read(body)).text == "Hello"
    assert held(delta(content=parts[:2]), delta(content=parts[2:]), delta("stop")).text == "Hello"


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        pytest.param({"message": "no", "code": "429"}, 429, "rate_limit_error", "overloaded", id="code-in-digits"),
        pytest.param(
            {"message": "no", "code": 400, "type": "BadRequestError"},
            400,
            "invalid_request_error",
            "invalid_value",
            id="vllm",
        ),
        pytest.param(
            {"message": "This model's maximum context length is 8 tokens.", "code": 400},
            400,
            "invalid_request_error",
            "context_length_exceeded",
            id="context",
        ),
        pytest.param({"message": "no", "code": "odd"}, 502, "server_error", "odd", id="a-word"),
        pytest.param({"message": 5, "code": True}, 502, "server_error", "engine_error", id="nothing-told"),
        pytest.param("no", 502, "server_error", "engine_error", id="a-text"),
    ],
)
def test_error_of_an_engine_has_the_form_of_laars_own(error: Any, status: int, kind: str, code: str) -> None:
    found = failure(error)
    told = json.loads(found.body)["error"]
    assert (found.status, told["type"], told["code"]) == (status, kind, code)
    assert isinstance(told["message"], str)
