"""Server-sent events in the OpenAI shape: reading what an engine streamed, adding what laar says."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

KEEP_ALIVE = b": laar is still verifying\n\n"
DONE = b"data: [DONE]\n\n"
_FINISH = b'"finish_reason":"'
_TOKEN = re.compile(rb'"(?:content|text|reasoning|reasoning_content|arguments)":"(?!")')


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)


def events(data: bytes) -> Iterable[bytes]:
    """The single events of a piece of stream, each with its closing blank line."""
    return (part + b"\n\n" for part in data.split(b"\n\n") if part.strip())


def read_text(data: bytes) -> str:
    """The text that a whole stream of chunks spells out for the first choice."""
    pieces: list[str] = []
    for event in events(data):
        payload = event.removeprefix(b"data: ").strip()
        if not event.startswith(b"data: ") or payload == b"[DONE]":
            continue
        for choice in _CHUNK.decode(payload).choices[:1]:
            pieces.append((choice.delta.content if choice.delta else choice.text) or "")
    return "".join(pieces)


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
