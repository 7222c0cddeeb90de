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
    assert (failed.status, json.loads(failed.body)) == (507, {"error": error})


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
        pytest.param(b'{"choices":null}', id="null-choices"),
        pytest.param(b'{"choices":[{"delta":{"content":["a"]}}]}', id="content-in-parts"),
        pytest.param(b'{"choices":[{"delta":{}, "finish_reason":1}]}', id="odd-finish"),
        pytest.param(b"[1]", id="a-list"),
        pytest.param(b"{", id="cut"),
    ],
)
def test_chunk_that_cannot_be_read_is_a_failure(told: bytes) -> None:
    with pytest.raises(EngineError, match="no OpenAI answer"):
        chunks(b"data: " + told + b"\n\n")
