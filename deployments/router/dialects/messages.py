"""Anthropic's Messages API: `/v1/messages`."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from deployments.contract.errors import ClientError
from deployments.router.dialects.chat_message import Messages, function_tool, image_part, json_schema, text_part
from deployments.router.dialects.exchange import NULL, Dialect, Exchange, Passage, ToldCall, Translation, renamed
from deployments.router.http.bounds import refuse_large_fields, refuse_many_objects
from deployments.router.http.request import Fields, decode, refuse_if_asked

# chat has them too, and of them says what it ignores and refuses
_SAME = frozenset(
    "model stream temperature top_p top_k max_tokens metadata service_tier laar cache_salt chat_template_kwargs".split()
)
# as in `fields`: the value that asks for nothing, and what to do instead
_REFUSED: Mapping[str, tuple[object, str]] = {
    "container": (None, "laar runs no code"),
    "context_management": (None, "laar leaves the messages as they are"),
    "diagnostics": (None, "see the laar object of the answer"),
    "inference_geo": (None, "name a model that runs where it should"),
    "mcp_servers": (None, "the client makes the calls"),
    "speed": ("standard", "see laar.policy"),
}
_TRANSLATED = frozenset(
    {"messages", "system", "stop_sequences", "tools", "tool_choice", "thinking", "output_config", "cache_control"}
)
_FIELDS = Fields(_SAME | _TRANSLATED | _REFUSED.keys())
_NAMES = {
    "stop": "stop_sequences",
    "response_format": "output_config.format",
    "reasoning_effort": "output_config.effort",
    "thinking_token_budget": "thinking.budget_tokens",
}
_ENDS = {"length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


class _Strict(msgspec.Struct, forbid_unknown_fields=True):
    """Has no field but those that are named."""


class _Cached(_Strict, kw_only=True):
    """May carry a mark of Anthropic's prompt cache; an engine's prefix cache needs none."""

    cache_control: msgspec.Raw = NULL


class _Text(_Cached, tag="text"):
    text: str
    citations: None = None


class _Source(_Strict):
    type: Literal["base64", "url"]
    media_type: str | None = None
    data: str | None = None
    url: str | None = None


class _Image(_Cached, tag="image"):
    source: _Source


class _ToolUse(_Cached, tag="tool_use"):
    id: str
    name: str
    input: msgspec.Raw
    caller: msgspec.Raw = NULL


class _ToolResult(_Cached, tag="tool_result"):
    tool_use_id: str
    content: str | list[_Text | _Image] = ""
    is_error: bool | None = None


class _Thinking(_Strict, tag="thinking"):
    thinking: str
    signature: str | None = None


class _Message(_Strict):
    role: Literal["user", "assistant", "system"]
    content: str | list[_Text | _Image | _ToolUse | _ToolResult | _Thinking]


class _Tool(_Cached):
    name: str
    input_schema: msgspec.Raw
    description: str | None = None
    type: Literal["custom"] | None = None
    strict: bool | None = None


class _ToolChoice(_Strict):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _ThinkingConfig(_Strict):
    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: int | None = None


class _Format(_Strict):
    type: Literal["json_schema"]
    schema: msgspec.Raw


class _OutputConfig(_Strict):
    effort: str | None = None
    format: _Format | None = None


_ANY = msgspec.json.Decoder(Any)
_MESSAGES = msgspec.json.Decoder(list[_Message])
_SYSTEM = msgspec.json.Decoder(str | list[_Text] | None)
_STOP = msgspec.json.Decoder(list[str] | None)
_TOOLS = msgspec.json.Decoder(list[_Tool] | None)
_TOOL_CHOICE = msgspec.json.Decoder(_ToolChoice | None)
_THINKING = msgspec.json.Decoder(_ThinkingConfig | None)
_OUTPUT_CONFIG = msgspec.json.Decoder(_OutputConfig | None)
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def open_messages(body: bytes) -> Exchange:
    """The exchange of a body; a ClientError names the field that cannot be honoured."""
    fields = _FIELDS.read(body)
    refuse_large_fields(fields)
    for name in sorted(fields.keys() & _REFUSED.keys()):
        refuse_if_asked(name, decode(_ANY, fields[name], name), _REFUSED)
    for name in ("messages", "max_tokens"):
        if name not in fields:
            raise ClientError(f"{name}: this field is needed", param=name)
    ignored = {"cache_control"} & fields.keys()
    messages = Messages()
    refuse_many_objects(fields.get("system", NULL), "system")
    if system := _content(decode(_SYSTEM, fields.get("system", NULL), "system") or "", ignored):
        messages.add("system", system)
    refuse_many_objects(fields["messages"], "messages")
    for message in decode(_MESSAGES, fields["messages"], "messages"):
        _read_message(message, messages, ignored)
    chosen = decode(_TOOL_CHOICE, fields.get("tool_choice", NULL), "tool_choice")
    tools = decode(_TOOLS, fields.get("tools", NULL), "tools") or []
    ignored |= _marks(tools)
    thinking = decode(_THINKING, fields.get("thinking", NULL), "thinking")
    output = decode(_OUTPUT_CONFIG, fields.get("output_config", NULL), "output_config") or _OutputConfig()
    chat: dict[str, Any] = {name: fields[name] for name in sorted(fields.keys() & _SAME)}
    more = {
        "messages": messages.done(),
        "stop": decode(_STOP, fields.get("stop_sequences", NULL), "stop_sequences"),
        "tools": [function_tool(t.name, t.description, t.input_schema, t.strict) for t in tools] or None,
        "tool_choice": _tool_choice(chosen),
        "parallel_tool_calls": False if chosen is not None and chosen.disable_parallel_tool_use else None,
        "thinking_token_budget": _thinking_budget(thinking),
        "reasoning_effort": output.effort,
        "response_format": json_schema({"name": "answer", "schema": output.format.schema}) if output.format else None,
        # which a message has at its end
        "stream_options": {"include_usage": True} if fields.get("stream") == msgspec.Raw(b"true") else None,
    }
    chat |= {name: value for name, value in more.items() if value is not None}
    return _Reply(msgspec.json.encode(chat), tuple(sorted(ignored)))


def _read_message(message: _Message, messages: Messages, ignored: set[str]) -> None:
    if isinstance(message.content, str):
        if message.role == "assistant":
            messages.said(message.content)
        else:
            messages.add(message.role, message.content)
        return
    ignored |= _marks(message.content)
    said: list[_Text | _Image] = []
    for block in message.content:
        match block:
            case _ToolUse():
                messages.called(block.id, block.name, bytes(block.input).decode())
            case _ToolResult():
                ignored |= {"messages.is_error"} if block.is_error else set()
                messages.answered(block.tool_use_id, _content(block.content, ignored))
            case _Thinking():
                messages.thought(block.thinking)
            case _Text() if message.role == "assistant":
                messages.said(block.text)
            case _ if message.role == "assistant":
                raise ClientError("messages: an image in an assistant's message has no place in chat", param="messages")
            case _:
                said.append(block)
    if said:
        messages.add(message.role, _content(said, ignored))


def _content(content: str | list[_Text] | list[_Text | _Image], ignored: set[str]) -> Any:
    if isinstance(content, str):
        return content
    ignored |= _marks(content)
    return [text_part(part.text) if isinstance(part, _Text) else image_part(_url(part.source)) for part in content]


def _url(source: _Source) -> str:
    needed = ("url",) if source.type == "url" else ("media_type", "data")
    for name in needed:
        if getattr(source, name) is None:
            field = f"messages.source.{name}"
            raise ClientError(f"{field}: an image of type '{source.type}' needs this field", param=field)
    return source.url or f"data:{source.media_type};base64,{source.data}"


def _marks(parts: Iterable[Any]) -> set[str]:
    marked = any(isinstance(part, _Cached) and part.cache_control != NULL for part in parts)
    return {"cache_control"} if marked else set()


def _tool_choice(chosen: _ToolChoice | None) -> Any:
    if chosen is None:
        return None
    if chosen.type != "tool":
        return _CHOICES[chosen.type]
    if chosen.name is None:
        raise ClientError("tool_choice.name: a choice of type 'tool' needs this field", param="tool_choice.name")
    return {"type": "function", "function": {"name": chosen.name}}


def _thinking_budget(thinking: _ThinkingConfig | None) -> int | None:
    """Models think as they are made to: a budget holds them to it, and without thinking they have none."""
    if thinking is None or thinking.type == "adaptive":
        return None
    if thinking.type == "enabled" and thinking.budget_tokens is None:
        field = "thinking.budget_tokens"
        raise ClientError(f"{field}: thinking of type 'enabled' needs this field", param=field)
    return thinking.budget_tokens if thinking.type == "enabled" else None


class _Reply(Translation):
    def __init__(self, body: bytes, ignored: tuple[str, ...]) -> None:
        super().__init__(body, ignored)
        self._blocks: list[dict[str, Any]] = []
        self._has_refused = False

    def _block_event(self, name: str, **fields: Any) -> dict[str, Any]:
        return {"type": f"content_block_{name}", "index": len(self._blocks), **fields}

    def _opened(self, part: Passage) -> list[dict[str, Any]]:
        return [self._block_event("start", content_block=_block(part, ""))]

    def _piece(self, part: Passage, text: str) -> dict[str, Any]:
        kind = "thinking" if part is Passage.REASONING else "text"
        return self._block_event("delta", delta={"type": f"{kind}_delta", kind: text})

    def _closed(self, part: Passage, text: str) -> list[dict[str, Any]]:
        self._has_refused = self._has_refused or part is Passage.REFUSAL
        return self._ended(_block(part, text))

    def _called(self, call: ToldCall) -> list[dict[str, Any]]:
        block = {"type": "tool_use", "id": call.id, "name": call.name}
        told = [
            self._block_event("start", content_block={**block, "input": {}}),
            self._block_event("delta", delta={"type": "input_json_delta", "partial_json": call.arguments}),
        ]
        return told + self._ended({**block, "input": _object(call.arguments)})

    def _ended(self, block: dict[str, Any]) -> list[dict[str, Any]]:
        told = [self._block_event("stop")]
        self._blocks.append(block)
        return told

    def _beginning(self) -> list[dict[str, Any]]:
        begun = {**self._message(), "content": [], "stop_reason": None, "stop_sequence": None}
        return [{"type": "message_start", "message": begun}]

    def _end(self) -> list[dict[str, Any]]:
        return [
            {"type": "message_delta", "delta": self._stop(), "usage": self._usage(), **self._laar()},
            {"type": "message_stop"},
        ]

    def _failure(self, error: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [_refusal(error, 500, self._told.id)]

    def _whole(self) -> dict[str, Any]:
        return {**self._message(), "content": self._blocks, **self._stop(), **self._laar()}

    def _message(self) -> dict[str, Any]:
        told = self._told
        return {"id": told.id, "type": "message", "role": "assistant", "model": told.model, "usage": self._usage()}

    def _stop(self) -> dict[str, Any]:
        told = self._told
        by_sequence = isinstance(told.stop_reason, str) and told.finish_reason == "stop"
        reason = "stop_sequence" if by_sequence else _ENDS.get(told.finish_reason, "end_turn")
        if told.calls and reason == "end_turn":
            reason = "tool_use"
        return {
            "stop_reason": "refusal" if self._has_refused else reason,
            "stop_sequence": told.stop_reason if by_sequence else None,
        }

    def _usage(self) -> dict[str, Any]:
        cached = self._told.count("prompt_tokens_details", "cached_tokens")
        return {
            "input_tokens": self._told.count("prompt_tokens") - cached,
            "output_tokens": self._told.count("completion_tokens"),
            "cache_read_input_tokens": cached,
        }

    def _laar(self) -> dict[str, Any]:
        return {} if self._told.laar is None else {"laar": self._told.laar}


def _block(part: Passage, text: str) -> dict[str, Any]:
    if part is Passage.REASONING:
        # nothing signs what an open model thought
        return {"type": "thinking", "thinking": text, "signature": ""}
    return {"type": "text", "text": text}


def _object(arguments: str) -> dict[str, Any]:
    """A call's input, which is an object here; what a model wrote that is none stands in it as text."""
    try:
        found = json.loads(arguments or "{}")
    except ValueError:
        found = arguments
    return found if isinstance(found, dict) else {"arguments": arguments}


def _refusal(error: Mapping[str, Any], status: int, request_id: str) -> dict[str, Any]:
    told = renamed(error, _NAMES)
    type_ = _ERRORS.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {
        "type": "error",
        "error": {"type": type_, "message": told["message"], "param": told["param"], "code": told.get("code")},
        "request_id": request_id,
    }


MESSAGES = Dialect(open_messages, _refusal, _FIELDS.names)
