"""Server-sent events in the OpenAI shape: reading what an engine streamed, adding what laar says."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from deployments.contract.reply import Reply
from deployments.contract.verdict import ToolCall

KEEP_ALIVE = b": laar is still verifying\n\n"
DONE = b"data: [DONE]\n\n"
_FINISH = b'"finish_reason":"'
_TOKEN = re.compile(rb'"(?:content|text|reasoning|reasoning_content|arguments)":"(?!")')


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    index: int = 0
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)


def events(data: bytes) -> Iterable[bytes]:
    """The single events of a piece of stream, each with its closing blank line."""
    return (part + b"\n\n" for part in data.split(b"\n\n") if part.strip())


def read_answer(data: bytes) -> Reply:
    """What a whole stream of chunks spells out for the first choice, with the stream as its body."""
    text: list[str] = []
    refusal: list[str] = []
    finish_reason: str | None = None
    calls: dict[int, _Function] = {}
    for choice in _first_choices(data):
        delta = choice.delta or _Delta()
        text.append((delta.content if choice.delta else choice.text) or "")
        refusal.append(delta.refusal or "")
        finish_reason = choice.finish_reason or finish_reason
        for call in delta.tool_calls or ():
            said, piece = calls.setdefault(call.index, _Function()), call.function or _Function()
            said.name = (said.name or "") + (piece.name or "")
            said.arguments = (said.arguments or "") + (piece.arguments or "")
    tool_calls = tuple(ToolCall(name=said.name or "", arguments=said.arguments or "") for said in calls.values())
    return Reply(
        200,
        data,
        text="".join(text),
        finish_reason=finish_reason,
        tool_calls=tool_calls,
        refusal="".join(refusal) or None,
    )


def _first_choices(data: bytes) -> Iterable[_Choice]:
    for event in events(data):
        payload = event.removeprefix(b"data: ").strip()
        if event.startswith(b"data: ") and payload != b"[DONE]":
            yield from _CHUNK.decode(payload).choices[:1]


def read_error(data: bytes) -> Any:
    """The `error` object if a piece of stream carries one: an engine that fails midway says so in the stream."""
    if b'"error"' not in data:
        return None
    for event in events(data):
        payload = event.removeprefix(b"data: ").strip()
        if event.startswith(b"data: {") and (error := _CHUNK.decode(payload).error):
            return error
    return None


def has_finish(data: bytes) -> bool:
    """Whether a chunk that closes a choice is in this piece.

    The marker cannot stand inside generated text: there the quotes are escaped.
    """
    return _FINISH in data


def num_tokens(data: bytes) -> int:
    """How many tokens are delivered by a piece: one per chunk with text, thought or a part of a call.

    An engine that falls behind puts several tokens into a chunk; they count as one.
    """
    return len(_TOKEN.findall(data))


def with_laar(data: bytes, laar: bytes) -> bytes:
    """Put the `laar` object into the chunk that closes the choice; the piece unchanged if none does."""
    mark = data.find(_FINISH)
    end = data.find(b"}\n\n", mark) if mark >= 0 else -1
    if end < 0:
        return data
    return data[:end] + b',"laar":' + laar + data[end:]


def error_event(body: bytes) -> bytes:
    """An error that came after the stream had begun, and the end of the stream."""
    return b"data: " + body + b"\n\n" + DONE


def json_with_laar(body: bytes, laar: bytes) -> bytes:
    """Append the `laar` object to a JSON object's bytes without reading the rest of it."""
    return body.rstrip()[:-1] + b',"laar":' + laar + b"}"
