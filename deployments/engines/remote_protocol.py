"""What goes to an OpenAI server that runs elsewhere, and what of its answer a client may see.

The model has laar's name there, and errors tell a client nothing of what is between laar and the server.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from deployments.contract.errors import error_body
from deployments.contract.reply import Reply
from deployments.engines import openai_answers
from deployments.engines.openai_answers import Answer, StreamReader, status_in

# What says something of the request. Other 4xx are between laar and the server: a wrong key, an unknown model.
REFUSALS = frozenset({400, 413, 422, 429})
_MAX_MESSAGE_CHARS = 2000


class _Error(msgspec.Struct):
    message: str
    type: str | None = None
    param: str | None = None
    code: int | str | None = None


_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CHOICES = msgspec.json.Decoder(list[dict[str, Any]])


class _Refusal(msgspec.Struct):
    error: _Error


_REFUSAL = msgspec.json.Decoder(_Refusal)


def request(body: bytes, overrides: Mapping[str, Any], *, model: str, stream: bool) -> bytes:
    """The client's body under the server's name for the model, without what only laar reads; None takes a field out."""
    left_out = {"laar": None} | ({} if stream else {"stream_options": None})
    fields = {**_FIELDS.decode(body), **overrides, **left_out, "model": model, "stream": stream}
    return msgspec.json.encode({name: value for name, value in fields.items() if value is not None})


def reply(answer: bytes, model: str) -> Reply:
    """A whole answer; EngineError if it is none."""
    found = openai_answers.read(answer)
    return openai_answers.reply(_written(answer, found, model), found)


def stream_reader(model: str, max_bytes: int) -> StreamReader:
    """A reader of the server's stream, whose chunks have laar's name of the model."""

    def write(payload: bytes, found: Answer) -> bytes:
        return _written(payload, found, model)

    def fail(error: object) -> Reply:
        return failure(status_in(error), msgspec.json.encode({"error": error}), model)

    return StreamReader(write, fail, max_bytes=max_bytes)


def failure(status: int, answer: bytes, model: str) -> Reply:
    """An error as the client may see it: in the server's words only where they speak of the request."""
    if status in REFUSALS:
        return Reply(status, _error_in(answer) or _error(status, model))
    return Reply(status if status >= 500 else 502, _error(status, model))


def _written(answer: bytes, found: Answer, model: str) -> bytes:
    """With laar's name of the model; its `laar` object is not the server's to give."""
    fields = _FIELDS.decode(answer)
    fields.pop("laar", None)
    if "model" in fields:
        fields["model"] = msgspec.Raw(msgspec.json.encode(model))
    if any(choice.finish_reason == "" for choice in found.choices):
        fields["choices"] = _with_null_for_empty(fields["choices"])
    return msgspec.json.encode(fields)


def _with_null_for_empty(raw: msgspec.Raw) -> msgspec.Raw:
    """The choices of a chunk with OpenAI's word for one that is not closed."""
    choices = _CHOICES.decode(raw)
    for choice in choices:
        choice["finish_reason"] = choice.get("finish_reason") or None
    return msgspec.Raw(msgspec.json.encode(choices))


def _error(status: int, model: str) -> bytes:
    message = f"the server of model '{model}' answered with status {status}"
    return error_body(message, type_="invalid_request_error" if status in REFUSALS else "server_error", code=status)


def _error_in(answer: bytes) -> bytes | None:
    """The OpenAI error in an answer, and nothing that stands beside it."""
    try:
        found = _REFUSAL.decode(answer).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    message = found.message[:_MAX_MESSAGE_CHARS]
    return error_body(message, type_=found.type or "invalid_request_error", param=found.param, code=found.code)
