"""What goes to an OpenAI server that runs elsewhere, and what of its answer a client may see.

The model has laar's name there, and errors tell a client nothing of what is between laar and the server.
"""

import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from math import ceil
from typing import Any

import msgspec
from msgspec.structs import replace

from deployments.contract.reply import Reply
from deployments.engines import openai_answers
from deployments.engines.openai_answers import Answer, AnswerChoice, StreamReader, status_in

# What says something of the request. Other 4xx are between laar and the server: a wrong key, an unknown model.
REFUSALS = frozenset({400, 413, 422, 429})
_MAX_WAIT_S = 3600
# What servers call the requests that they run, and those that wait, in their Prometheus metrics: vLLM's and SGLang's.
_UNDER_WAY = re.compile(
    rb"^(?:vllm:num_requests_(?:running|waiting)|sglang:num_(?:running|queue)_reqs)(\{[^}\n]*\})? +([0-9.eE+]+)", re.M
)
_MODEL_LABEL = re.compile(rb'model_name="((?:[^"\\]|\\.)*)"')

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CHOICES = msgspec.json.Decoder(list[dict[str, Any]])


def request(body: bytes, overrides: Mapping[str, Any], *, model: str, stream: bool) -> bytes:
    """The client's body under the server's name for the model, without what only laar reads; None takes a field out."""
    left_out = {"laar": None} | ({} if stream else {"stream_options": None})
    fields = {**_FIELDS.decode(body), **overrides, **left_out, "model": model, "stream": stream}
    return msgspec.json.encode({name: value for name, value in fields.items() if value is not None})


def reply(answer: bytes, model: str) -> Reply:
    """A whole answer; EngineError if it is none."""
    mended, found = openai_answers.read_whole(answer)
    return openai_answers.reply(_written(mended, found, model), found)


def stream_reader(model: str, max_bytes: int) -> StreamReader:
    """A reader of the server's stream, whose chunks have laar's name of the model."""

    def write(payload: bytes, found: Answer) -> bytes:
        return _written(payload, found, model)

    def fail(error: object) -> Reply:
        return failure(status_in(error), msgspec.json.encode({"error": error}), model)

    return StreamReader(write, fail, max_bytes=max_bytes)


def failure(status: int, answer: bytes, model: str) -> Reply:
    """An error as the client may see it: in the server's words only where they speak of the request."""
    told = _told_in(answer) if status in REFUSALS else {}
    unsaid = {"message": f"the server of model '{model}' answered with status {status}"}
    return openai_answers.refusal(status if status in REFUSALS or status >= 500 else 502, unsaid | told)


def full(wait_s: float, model: str) -> Reply:
    """The answer of a server that has said for how long it takes nothing."""
    message = f"the server of model '{model}' takes no more requests for {ceil(wait_s)} s"
    return replace(openai_answers.refusal(429, {"message": message}), retry_after_s=ceil(wait_s))


def retry_after_s(headers: Mapping[str, str], wall_s: float) -> int | None:
    """For how long a server wants to be left alone, in whole seconds up to an hour; None if it does not say."""
    told = headers.get("retry-after", "")
    try:
        if "retry-after-ms" in headers:
            wait_s = float(headers["retry-after-ms"]) / 1000
        elif told[:1].isalpha():
            wait_s = parsedate_to_datetime(told).timestamp() - wall_s
        else:
            wait_s = float(told)
        return min(_MAX_WAIT_S, max(1, ceil(wait_s)))
    except (ValueError, OverflowError):
        return None


def in_flight(metrics: bytes, model: str) -> float | None:
    """How many requests for a model the server runs and queues by its metrics; None where they do not say."""
    found = [
        float(number)
        for labels, number in _UNDER_WAY.findall(metrics)
        if not (named := _MODEL_LABEL.search(labels)) or named.group(1) == model.encode()
    ]
    return sum(found) if found else None


def token_count(answer: bytes, status: int) -> int | None:
    """How many tokens a text has by vLLM's `/tokenize`; None where the answer is none of that."""
    try:
        found = msgspec.json.decode(answer, type=dict[str, Any]).get("count") if status == 200 else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, int) and found > 0 else None


def _written(answer: bytes, found: Answer, model: str) -> bytes:
    """With laar's name of the model; its `laar` object is not the server's to give."""
    fields = _FIELDS.decode(answer)
    # the id that a client sees is laar's
    fields.pop("id", None)
    fields.pop("laar", None)
    if "model" in fields:
        fields["model"] = msgspec.Raw(msgspec.json.encode(model))
    if any(map(_is_odd, found.choices or ())):
        fields["choices"] = _as_openai_writes(fields["choices"])
    elif found.choices is None and "choices" in fields:
        fields["choices"] = msgspec.Raw(b"[]")
    return msgspec.json.encode(fields)


def _is_odd(choice: AnswerChoice) -> bool:
    said = choice.said
    has_object = any(call.function and isinstance(call.function.arguments, dict) for call in said.tool_calls or ())
    return choice.finish_reason == "" or isinstance(said.content, list) or has_object


def _as_openai_writes(raw: msgspec.Raw) -> msgspec.Raw:
    """The choices with null for a choice that is not closed, one text as content, and arguments as text."""
    choices = _CHOICES.decode(raw)
    for choice in choices:
        choice["finish_reason"] = choice.get("finish_reason") or None
        said = choice.get("delta") or choice.get("message") or {}
        if isinstance(parts := said.get("content"), list):
            said["content"] = "".join(part if isinstance(part, str) else part.get("text") or "" for part in parts)
            if thoughts := "".join(map(_thought, parts)):
                said["reasoning"] = thoughts
        for call in said.get("tool_calls") or ():
            function = call.get("function") or {}
            if isinstance(function.get("arguments"), dict):
                function["arguments"] = json.dumps(function["arguments"])
    return msgspec.Raw(msgspec.json.encode(choices))


def _thought(part: Any) -> str:
    """What a part of a content says that is no answer."""
    thinking = part.get("thinking") if isinstance(part, dict) else None
    if isinstance(thinking, list):
        return "".join(str(inner.get("text") or "") for inner in thinking if isinstance(inner, dict))
    return thinking if isinstance(thinking, str) else ""


def _told_in(answer: bytes) -> dict[str, Any]:
    """What a server says of an error, in OpenAI's form or in another that is in use; nothing that stands beside it."""
    try:
        body = msgspec.json.decode(answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    error = body.get("error", body) if isinstance(body, dict) else {}
    if isinstance(error, str):
        error = {"message": error}
    elif not isinstance(error, dict):
        return {}
    detail = error.get("detail")
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):  # FastAPI's
        path = [str(part) for part in detail[0].get("loc") or () if part != "body"]
        detail = ": ".join(filter(None, [".".join(path), str(detail[0].get("msg") or "")]))
    found = {"message": error.get("message") or detail, "param": error.get("param"), "code": error.get("code")}
    return {name: value for name, value in found.items() if isinstance(value, str)}
