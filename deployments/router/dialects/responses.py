"""OpenAI's Responses API: `/v1/responses`, for clients that send the whole conversation each time."""

import secrets
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from deployments.router.dialects.chat_message import Messages, function_tool, image_part, json_schema, text_part
from deployments.router.dialects.exchange import NULL, Dialect, Exchange, Passage, ToldCall, Translation, renamed
from deployments.router.http.bounds import refuse_large_fields, refuse_many_objects
from deployments.router.http.request import Fields, decode, refuse_if_asked

# chat has them too, and of them says what it ignores and refuses
_SAME = frozenset(
    """
    model stream temperature top_p parallel_tool_calls user laar metadata store service_tier prompt_cache_key
    prompt_cache_options prompt_cache_retention safety_identifier top_k min_p seed stop presence_penalty
    frequency_penalty repetition_penalty logit_bias ignore_eos skip_special_tokens include_stop_str_in_output
    chat_template_kwargs mm_processor_kwargs media_io_kwargs structured_outputs cache_salt session_id
    thinking_token_budget
    """.split()
)
_NO_STORE = "laar keeps no conversations; send all of it as input"
# as in `fields`: the value that asks for nothing, and what to do instead
_REFUSED: Mapping[str, tuple[object, str]] = {
    "background": (False, "answers are told while the client waits"),
    "context_management": (None, "laar leaves the input as it is"),
    "conversation": (None, _NO_STORE),
    "include": ([], "an answer has all that laar can tell of it"),
    "max_tool_calls": (None, "the client makes the calls"),
    "moderation": (None, "answers are not moderated"),
    "previous_response_id": (None, _NO_STORE),
    "prompt": (None, "laar keeps no prompts; send it as input"),
    "top_logprobs": (0, "use chat completions"),
    "truncation": ("disabled", "an input that is too long is an error"),
}
_TRANSLATED = frozenset({"input", "instructions", "max_output_tokens", "reasoning", "stream_options", "text", "tools"})
_FIELDS = Fields(_SAME | _TRANSLATED | _REFUSED.keys() | {"tool_choice"})
_NAMES = {
    "messages": "input",
    "max_completion_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
}
# a response tells them again
_ECHOED = frozenset(
    """
    instructions metadata temperature top_p max_output_tokens parallel_tool_calls tool_choice tools text reasoning
    """.split()
)
_ENDS = {"length": "max_output_tokens", "content_filter": "content_filter"}


class _Strict(msgspec.Struct, forbid_unknown_fields=True):
    """Has no field but those that are named."""


class _InputText(_Strict, tag="input_text"):
    text: str


class _OutputText(_Strict, tag="output_text"):
    text: str
    annotations: msgspec.Raw = msgspec.Raw(b"[]")
    logprobs: msgspec.Raw = msgspec.Raw(b"[]")


class _Refusal(_Strict, tag="refusal"):
    refusal: str


class _InputImage(_Strict, tag="input_image"):
    image_url: str
    detail: str | None = None
    file_id: None = None


class _Audio(_Strict):
    data: str
    format: str


class _InputAudio(_Strict, tag="input_audio"):
    input_audio: _Audio


_Content = str | list[_InputText | _OutputText | _Refusal | _InputImage | _InputAudio]


class _Message(_Strict):
    role: Literal["user", "system", "developer", "assistant"]
    content: _Content
    type: str = "message"
    id: str | None = None
    status: str | None = None
    phase: str | None = None


class _FunctionCall(_Strict):
    call_id: str
    name: str
    arguments: str
    type: str
    id: str | None = None
    status: str | None = None


class _FunctionCallOutput(_Strict):
    call_id: str
    output: str | list[_InputText | _InputImage]
    type: str
    id: str | None = None
    status: str | None = None


class _ReasoningText(_Strict):
    text: str
    type: str


class _Reasoning(_Strict):
    type: str
    id: str | None = None
    summary: list[_ReasoningText] = []
    content: list[_ReasoningText] | None = None
    encrypted_content: None = None
    status: str | None = None


class _Item(msgspec.Struct):
    type: Literal["message", "function_call", "function_call_output", "reasoning"] = "message"


class _Tool(_Strict):
    type: Literal["function"]
    name: str
    parameters: msgspec.Raw = NULL
    description: str | None = None
    strict: bool | None = None


class _NamedFunction(_Strict):
    type: Literal["function"]
    name: str


class _Format(_Strict):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: msgspec.Raw = NULL
    strict: bool | None = None
    description: str | None = None


class _Text(_Strict):
    format: _Format | None = None
    verbosity: Literal["medium"] | None = None


class _Effort(_Strict):
    effort: str | None = None
    summary: None = None
    generate_summary: None = None


class _StreamOptions(_Strict):
    include_obfuscation: Literal[False] | None = None


_ITEMS: Mapping[str, msgspec.json.Decoder[Any]] = {
    "message": msgspec.json.Decoder(_Message),
    "function_call": msgspec.json.Decoder(_FunctionCall),
    "function_call_output": msgspec.json.Decoder(_FunctionCallOutput),
    "reasoning": msgspec.json.Decoder(_Reasoning),
}
_TYPES = msgspec.json.Decoder(list[_Item])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_STRING = msgspec.json.Decoder(str | None)
_ANY = msgspec.json.Decoder(Any)
_TOOLS = msgspec.json.Decoder(list[_Tool] | None)
_TOOL_CHOICE = msgspec.json.Decoder(Literal["auto", "none", "required"] | _NamedFunction | None)
_TEXT = msgspec.json.Decoder(_Text | None)
_EFFORT = msgspec.json.Decoder(_Effort | None)
_STREAM_OPTIONS = msgspec.json.Decoder(_StreamOptions | None)


def open_responses(body: bytes) -> Exchange:
    """The exchange of a body; a ClientError names the field that cannot be honoured."""
    fields = _FIELDS.read(body)
    refuse_large_fields(fields)
    for name in sorted(fields.keys() & _REFUSED.keys()):
        refuse_if_asked(name, decode(_ANY, fields[name], name), _REFUSED)
    decode(_STREAM_OPTIONS, fields.get("stream_options", NULL), "stream_options")
    messages = Messages()
    if instructions := decode(_STRING, fields.get("instructions", NULL), "instructions"):
        messages.add("system", instructions)
    _read_input(fields.get("input", NULL), messages)
    text = decode(_TEXT, fields.get("text", NULL), "text") or _Text()
    chat: dict[str, Any] = {name: fields[name] for name in sorted(fields.keys() & _SAME)}
    more = {
        "messages": messages.done(),
        "max_completion_tokens": fields.get("max_output_tokens"),
        "reasoning_effort": (decode(_EFFORT, fields.get("reasoning", NULL), "reasoning") or _Effort()).effort,
        "response_format": _response_format(text.format),
        "tools": [
            function_tool(tool.name, tool.description, tool.parameters, tool.strict)
            for tool in decode(_TOOLS, fields.get("tools", NULL), "tools") or ()
        ]
        or None,
        "tool_choice": _tool_choice(fields.get("tool_choice", NULL)),
        # which a response has at its end
        "stream_options": {"include_usage": True} if fields.get("stream") == msgspec.Raw(b"true") else None,
    }
    chat |= {name: value for name, value in more.items() if value is not None}
    return _Response(msgspec.json.encode(chat), fields)


def _read_input(raw: msgspec.Raw, messages: Messages) -> None:
    if bytes(raw)[:1] != b"[":
        if text := decode(_STRING, raw, "input"):
            messages.add("user", text)
        return
    refuse_many_objects(raw, "input")
    # every item is an object, of which no more than so many are taken
    types = decode(_TYPES, raw, "input")
    items: list[msgspec.Raw] = _LIST.decode(raw)
    for index, (item, known) in enumerate(zip(items, types, strict=True)):
        _read_item(decode(_ITEMS[known.type], item, f"input[{index}]"), messages)


def _read_item(item: Any, messages: Messages) -> None:
    match item:
        case _FunctionCall():
            messages.called(item.call_id, item.name, item.arguments)
        case _FunctionCallOutput():
            messages.answered(item.call_id, _content(item.output))
        case _Reasoning():
            if thought := "".join(part.text for part in item.content or item.summary):
                messages.thought(thought)
        case _Message(role="assistant"):
            content = _content(item.content)
            messages.said(content if isinstance(content, str) else "".join(part.get("text", "") for part in content))
        case _Message():
            messages.add(item.role, _content(item.content))


def _content(content: Any) -> Any:
    if isinstance(content, str):
        return content
    parts: list[dict[str, Any]] = []
    for part in content:
        match part:
            case _InputImage():
                parts.append(image_part(part.image_url, part.detail))
            case _InputAudio():
                parts.append({"type": "input_audio", "input_audio": part.input_audio})
            case _Refusal():
                parts.append(text_part(part.refusal))
            case _:
                parts.append(text_part(part.text))
    return parts


def _response_format(asked: _Format | None) -> dict[str, Any] | None:
    if asked is None or asked.type == "text":
        return None
    if asked.type == "json_object":
        return {"type": "json_object"}
    told = {"name": asked.name, "schema": asked.schema, "strict": asked.strict, "description": asked.description}
    return json_schema(told)


def _tool_choice(raw: msgspec.Raw) -> Any:
    asked = decode(_TOOL_CHOICE, raw, "tool_choice")
    return {"type": "function", "function": {"name": asked.name}} if isinstance(asked, _NamedFunction) else asked


class _Response(Translation):
    def __init__(self, body: bytes, fields: Mapping[str, msgspec.Raw]) -> None:
        super().__init__(body)
        # copies: the fields are views that would keep the whole body
        self._echoed = {name: fields[name].copy() for name in _ECHOED & fields.keys()}
        self._items: list[dict[str, Any]] = []
        self._num_events = 0

    def _event(self, type_: str, **fields: Any) -> dict[str, Any]:
        self._num_events += 1
        return {"type": type_, "sequence_number": self._num_events - 1, **fields}

    def _item_event(self, type_: str, item_id: str, **fields: Any) -> dict[str, Any]:
        return self._event(type_, item_id=item_id, output_index=len(self._items), **fields)

    def _opened(self, part: Passage) -> list[dict[str, Any]]:
        self._item_id = _new_id("rs" if part is Passage.REASONING else "msg")
        item = self._item(part, [], "in_progress")
        added = self._event("response.output_item.added", output_index=len(self._items), item=item)
        empty = self._item_event("response.content_part.added", self._item_id, content_index=0, part=_part(part, ""))
        return [added, empty]

    def _piece(self, part: Passage, text: str) -> dict[str, Any]:
        more: dict[str, Any] = {"logprobs": []} if part is Passage.TEXT else {}
        return self._item_event(f"response.{_KINDS[part]}.delta", self._item_id, content_index=0, delta=text, **more)

    def _closed(self, part: Passage, text: str) -> list[dict[str, Any]]:
        name = "refusal" if part is Passage.REFUSAL else "text"
        more: dict[str, Any] = {name: text} | ({"logprobs": []} if part is Passage.TEXT else {})
        item = self._item(part, [_part(part, text)], "completed")
        told = [
            self._item_event(f"response.{_KINDS[part]}.done", self._item_id, content_index=0, **more),
            self._item_event("response.content_part.done", self._item_id, content_index=0, part=_part(part, text)),
            self._event("response.output_item.done", output_index=len(self._items), item=item),
        ]
        self._items.append(item)
        return told

    def _item(self, part: Passage, content: list[dict[str, Any]], status: str) -> dict[str, Any]:
        if part is Passage.REASONING:
            return {"id": self._item_id, "type": "reasoning", "summary": [], "content": content, "status": status}
        return {"id": self._item_id, "type": "message", "role": "assistant", "content": content, "status": status}

    def _called(self, call: ToldCall) -> list[dict[str, Any]]:
        id_ = _new_id("fc")
        item = {"id": id_, "type": "function_call", "call_id": call.id or _new_id("call"), "name": call.name}
        whole = {**item, "arguments": call.arguments, "status": "completed"}
        index = len(self._items)
        begun = {**item, "arguments": "", "status": "in_progress"}
        arguments = "response.function_call_arguments"
        told = [
            self._event("response.output_item.added", output_index=index, item=begun),
            self._item_event(f"{arguments}.delta", id_, delta=call.arguments),
            self._item_event(f"{arguments}.done", id_, name=call.name, arguments=call.arguments),
            self._event("response.output_item.done", output_index=index, item=whole),
        ]
        self._items.append(whole)
        return told

    def _beginning(self) -> list[dict[str, Any]]:
        begun = self._response("in_progress")
        return [self._event(f"response.{name}", response=begun) for name in ("created", "in_progress")]

    def _end(self) -> list[dict[str, Any]]:
        whole = self._whole()
        return [self._event(f"response.{whole['status']}", response=whole)]

    def _failure(self, error: Mapping[str, Any]) -> list[dict[str, Any]]:
        told = {"code": str(error.get("code")), "message": str(error.get("message"))}
        failed = self._response("failed") | {"error": {**told, "code": "server_error"}}
        return [
            self._event("error", **told, param=error.get("param")),
            self._event("response.failed", response=failed),
        ]

    def _whole(self) -> dict[str, Any]:
        reason = _ENDS.get(self._told.finish_reason)
        told = self._response("completed" if reason is None else "incomplete")
        told |= {"incomplete_details": None if reason is None else {"reason": reason}, "output": self._items}
        if self._told.usage:
            read, written = self._told.count("prompt_tokens"), self._told.count("completion_tokens")
            told["usage"] = {
                "input_tokens": read,
                "input_tokens_details": {
                    "cached_tokens": self._told.count("prompt_tokens_details", "cached_tokens"),
                    "cache_write_tokens": 0,
                },
                "output_tokens": written,
                "output_tokens_details": {
                    "reasoning_tokens": self._told.count("completion_tokens_details", "reasoning_tokens")
                },
                "total_tokens": read + written,
            }
        return told | ({} if self._told.laar is None else {"laar": self._told.laar})

    def _response(self, status: str) -> dict[str, Any]:
        asked, told = self._echoed.get, self._told
        return {
            "id": told.id,
            "object": "response",
            "created_at": told.created,
            "status": status,
            "model": told.model,
            "output": [],
            "error": None,
            "incomplete_details": None,
            "instructions": asked("instructions"),
            "metadata": asked("metadata"),
            "temperature": asked("temperature"),
            "top_p": asked("top_p"),
            "max_output_tokens": asked("max_output_tokens"),
            "parallel_tool_calls": asked("parallel_tool_calls", True),
            "tool_choice": asked("tool_choice", "auto"),
            "tools": asked("tools", []),
            "text": asked("text", {"format": {"type": "text"}}),
            "reasoning": asked("reasoning"),
            "previous_response_id": None,
            "truncation": "disabled",
            "store": False,
            "background": False,
        }


_KINDS = {Passage.REASONING: "reasoning_text", Passage.TEXT: "output_text", Passage.REFUSAL: "refusal"}


def _part(part: Passage, text: str) -> dict[str, Any]:
    if part is Passage.TEXT:
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": _KINDS[part], "refusal" if part is Passage.REFUSAL else "text": text}


def _new_id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(16)}"


def _refusal(error: Mapping[str, Any], _status: int, _request_id: str) -> dict[str, Any]:
    return {"error": renamed(error, _NAMES)}


RESPONSES = Dialect(open_responses, _refusal, _FIELDS.names)
