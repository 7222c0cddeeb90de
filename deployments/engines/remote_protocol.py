"""What an OpenAI server that runs elsewhere says, made into what the rest of laar relies on.

That is compact JSON, an event a piece, the model under laar's name for it, and errors that tell a client nothing of
what is between laar and the server.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from deployments.contract.errors import error_body, status_in
from deployments.contract.reply import Reply
from deployments.contract.verdict import ToolCall

DONE = b"[DONE]"
# What says something of the request. Other 4xx are between laar and the server: a wrong key, an unknown model.
REFUSALS = frozenset({400, 413, 422, 429})
_MAX_MESSAGE_CHARS = 2000


class RemoteError(Exception):
    """The server could not be reached, broke off, or answered what is no OpenAI answer."""


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    delta: _Message | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None


class _Error(msgspec.Struct):
    message: str
    type: str | None = None
    param: str | None = None
    code: int | str | None = None


_FIELDS = msgspec.json.Decoder(dict[str, Any])
_REQUEST = msgspec.json.Decoder(dict[str, msgspec.Raw])


def request(body: bytes, overrides: Mapping[str, Any], *, model: str, stream: bool) -> bytes:
    """The client's body under the server's name for the model, without what only laar reads; None takes a field out."""
    left_out = {"laar": None} | ({} if stream else {"stream_options": None})
    fields = {**_REQUEST.decode(body), **overrides, **left_out, "model": model, "stream": stream}
    return msgspec.json.encode({name: value for name, value in fields.items() if value is not None})


def reply(answer: bytes, model: str) -> Reply:
    """A whole answer; RemoteError if it is none."""
    fields, found = _read(answer)
    if not found.choices:
        raise RemoteError("no OpenAI answer: it has no choices")
    first, usage = found.choices[0], found.usage or _Usage()
    message = first.message or _Message()
    return Reply(
        status=200,
        body=_written(fields, model),
        text=(message.content if first.message else first.text) or "",
        prompt_tokens=usage.prompt_tokens or 0,
        output_tokens=usage.completion_tokens,
        finish_reason=first.finish_reason,
        tool_calls=_calls(message),
        refusal=message.refusal,
    )


def _calls(message: _Message) -> tuple[ToolCall, ...]:
    functions = [call.function or _Function() for call in message.tool_calls or ()]
    return tuple(ToolCall(name=called.name or "", arguments=called.arguments or "") for called in functions)


def event(payload: bytes, model: str) -> bytes | Reply:
    """A chunk of a stream as an event, or what failed midway; RemoteError if it is neither."""
    fields, found = _read(payload)
    if error := fields.get("error"):
        return failure(status_in(error), payload, model)
    for choice, read in zip(fields.get("choices", ()), found.choices, strict=True):
        if read.finish_reason == "":  # of a chunk that does not close the choice; null is OpenAI's word for it
            choice["finish_reason"] = None
    return b"data: " + _written(fields, model) + b"\n\n"


def failure(status: int, answer: bytes, model: str) -> Reply:
    """An error as the client may see it: in the server's words only where they speak of the request."""
    if status in REFUSALS:
        return Reply(status, _error_in(answer) or _error(status, model))
    return Reply(status if status >= 500 else 502, _error(status, model))


class EventReader:
    """Puts server-sent events together from bytes as they come; RemoteError beyond `max_bytes` in all."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._line = bytearray()
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The data of each event that has now come to its end."""
        self._left -= len(piece)
        if self._left < 0:
            raise RemoteError("the stream is too long")
        *ended, rest = piece.split(b"\n")
        for end in ended:
            self._line += end
            yield from self._next_line()
        self._line += rest

    def end(self) -> Iterator[bytes]:
        """The data of an event that no blank line closes."""
        yield from self._next_line()
        yield from self._next_line()

    def _next_line(self) -> Iterator[bytes]:
        line = bytes(self._line).rstrip(b"\r")
        self._line.clear()
        if line.startswith(b"data:"):
            self._data.append(line[5:].strip())
        elif not line and self._data:
            yield b"\n".join(self._data)
            self._data.clear()


def _read(answer: bytes) -> tuple[dict[str, Any], _Answer]:
    try:
        fields = _FIELDS.decode(answer)
        return fields, msgspec.convert(fields, _Answer)
    except msgspec.MsgspecError as error:
        raise RemoteError(f"no OpenAI answer: {type(error).__name__}") from error


def _written(fields: dict[str, Any], model: str) -> bytes:
    """With laar's name of the model; its `laar` object is not the server's to give."""
    fields.pop("laar", None)
    if "model" in fields:
        fields["model"] = model
    return msgspec.json.encode(fields)


def _error(status: int, model: str) -> bytes:
    message = f"the server of model '{model}' answered with status {status}"
    return error_body(message, type_="invalid_request_error" if status in REFUSALS else "server_error", code=status)


def _error_in(answer: bytes) -> bytes | None:
    """The OpenAI error in an answer, and nothing that stands beside it."""
    try:
        found = msgspec.convert(_FIELDS.decode(answer).get("error"), _Error)
    except msgspec.MsgspecError:
        return None
    message = found.message[:_MAX_MESSAGE_CHARS]
    return error_body(message, type_=found.type or "invalid_request_error", param=found.param, code=found.code)
