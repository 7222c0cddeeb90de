"""What a model deployment hands back to whoever asked it: a whole answer, or a stream of chunks."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import astuple

from deployments.contract.verdict import ToolCall

# of one answer, whole or as a stream, that is read or held
MAX_ANSWER_BYTES = 64 * 1024 * 1024


class CallPart(msgspec.Struct, frozen=True):
    """What a chunk adds to the tool call at `index`."""

    index: int
    name: str = ""
    arguments: str = ""


class Chunk(msgspec.Struct, frozen=True):
    """Some whole server-sent events of a stream as they go to the client, and what stands in them.

    `text`, `refusal` and `calls` add to the first choice. With a `finish_reason` the last of the events is the JSON
    object that closes a choice, and ends in a brace and a blank line. `is_last` if the stream ends with it.
    `num_tokens` counts one for each choice of an event that carries text, thought or a part of a call: an engine that
    falls behind puts several tokens into an event.
    """

    events: bytes
    text: str = ""
    num_tokens: int = 0
    finish_reason: str | None = None
    is_last: bool = False
    refusal: str = ""
    calls: tuple[CallPart, ...] = ()


class Reply(msgspec.Struct, frozen=True):
    """The end of one attempt: an OpenAI JSON body, or with a status from 400 up an OpenAI error body.

    `text` is what the model said, without what its engine keeps apart: its reasoning, its calls of tools, and the
    `refusal` with which it declined to answer. `finish_reason` says why it stopped. An answer that was streamed has
    `chunks` in the place of a body. `invalid_request` marks a body that no model would take, so that it is not tried
    elsewhere. `retry_after_s` is after what time an engine that is full wants to be asked again. `in_flight` is how
    many requests the replica that answered still has under way.
    """

    status: int
    body: bytes
    text: str = ""
    prompt_tokens: int = 0
    output_tokens: int | None = None
    invalid_request: bool = False
    retry_after_s: int | None = None
    finish_reason: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    chunks: tuple[Chunk, ...] = ()
    in_flight: int | None = None


# a chunk on its way between processes: pickle takes a tenth of the time for a tuple that it takes for a struct
PackedChunk = tuple[Any, ...]


def packed(chunk: Chunk | Reply) -> PackedChunk | Reply:
    return astuple(chunk) if isinstance(chunk, Chunk) else chunk


def unpacked(chunk: PackedChunk | Reply) -> Chunk | Reply:
    return Chunk(*chunk) if isinstance(chunk, tuple) else chunk


def reply_of(chunks: Iterable[Chunk]) -> Reply:
    """The answer that the chunks of a stream spell out together."""
    held = tuple(chunks)
    return Reply(
        status=200,
        body=b"",
        text="".join(chunk.text for chunk in held),
        finish_reason=next((chunk.finish_reason for chunk in held if chunk.finish_reason is not None), None),
        refusal="".join(chunk.refusal for chunk in held) or None,
        tool_calls=joined_calls(part for chunk in held for part in chunk.calls),
        chunks=held,
    )


def joined_calls(parts: Iterable[CallPart]) -> tuple[ToolCall, ...]:
    """The calls that the parts make up, by their index."""
    calls: dict[int, ToolCall] = {}
    for part in parts:
        before = calls.get(part.index, ToolCall(name="", arguments=""))
        calls[part.index] = ToolCall(name=before.name + part.name, arguments=before.arguments + part.arguments)
    return tuple(calls[index] for index in sorted(calls))
