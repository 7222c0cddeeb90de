"""From the bytes of an HTTP body to a request that can be routed, or to an error that names the field.

Only what routing needs is decoded: the prompt's texts and a handful of scalars. Everything else is checked
once, by the engine's own request type, in the model deployment.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from msgspec.structs import astuple, replace
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from deployments.contract.errors import BodyTooLargeError, ClientError, UnknownFieldError
from deployments.router.attempt.earlier import MAX_TRIED
from deployments.router.choice.objective import AnswerTarget
from deployments.router.choice.policy import PolicyName
from deployments.router.http.bounds import (
    MAX_OBJECTS,
    most_texts,
    num_ids,
    refuse_large_fields,
    refuse_many_objects,
)
from deployments.router.http.fields import CLOSED_FIELDS, IGNORED_FIELDS, OPEN_FIELDS, REFUSED_FIELDS
from deployments.router.model import Medium
from deployments.router.settings import Limits
from deployments.router.tenants.tenant import ANYBODY, Tenant
from deployments.verifier.checks import Asked, NoVerify, Spec, VerifySpec
from deployments.verifier.checks.values.numeric import numbers_as_written
from profiles.strict import Strict, what_is_wrong

AUTO = "auto"
MAX_MESSAGES = 4096
MAX_LAAR_KEYS = 32
# About what vision models make of an image; only its order of magnitude counts.
PART_TOKENS = 1000
# by the type of a message's part, in the words of OpenAI and vLLM
_MEDIA = {
    **dict.fromkeys(("image_url", "image_pil", "image_embeds", "input_image"), Medium.IMAGE),
    **dict.fromkeys(("input_audio", "audio_url", "audio_embeds"), Medium.AUDIO),
    **dict.fromkeys(("video_url", "input_video", "video_embeds"), Medium.VIDEO),
}
MAX_SHOWN_CHARS = 64
_HEX_32 = re.compile("[0-9a-f]{32}")
RETRY_FIELD = "laar.retry_of"
RETRY_HEADER = "x-laar-retry-of"
_ARM = re.compile(r"constrained-str$|tuple\[")
_UNKNOWN = "Object contains unknown field "
# vLLM's word for thinking without a budget.
UNLIMITED = -1
_SAYS_OF_ANSWER = ("response_format", "tools", "tool_choice")
_PROMPT_EXTRAS = ("tools", "documents", "chat_template_kwargs")
_CHARS_PER_TOKEN = 4
_NEEDS_CONTENT = frozenset({"user", "system", "developer"})
_T = TypeVar("_T")


NOT_VERIFIED = NoVerify(type="none")


def request_id_in(given: str) -> str:
    """laar's id of a request that is named by it, or by the UUID in it as in the header x-request-id; else empty."""
    digits = given.removeprefix("laar-").replace("-", "")
    return f"laar-{digits}" if _HEX_32.fullmatch(digits) else ""


def _with_state(given: str) -> str:
    """laar's id with what it says of the tries, if it says anything."""
    plain, dot, state = given.partition(".")
    return request_id_in(plain) + dot + state


# with what was tried, as `attempt.retries` writes it
_ID_PATTERN = r"^(laar-)?[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}(\.[A-Za-z0-9_-]{34,480})?$"
ToldId = Annotated[str, StringConstraints(pattern=_ID_PATTERN), AfterValidator(_with_state)]
RequestId = Annotated[ToldId, AfterValidator(lambda told: told.partition(".")[0])]
_TOLD_ID: TypeAdapter[str] = TypeAdapter(ToldId)
_ModelName = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Endpoint(StrEnum):
    CHAT = "chat"
    COMPLETIONS = "completions"


class LaarOptions(Strict):
    """The `laar` object of a request; every key is optional, none can name code."""

    model_config = ConfigDict(strict=True)

    verify: VerifySpec = NOT_VERIFIED
    max_attempts: int | None = Field(default=None, ge=1, le=100)
    deadline_s: Annotated[float, Field(gt=0, le=86400)] | None = None
    task: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] | None = None
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$|^unknown$")] | None = None
    session: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    policy: PolicyName | None = None
    retry_of: ToldId | None = None
    tried: Annotated[tuple[_ModelName, ...], Field(max_length=MAX_TRIED, strict=False)] = ()
    worth_s: Annotated[float, Field(ge=0, le=86400)] | None = None
    client_retries: bool = False
    notice_s: Annotated[float, Field(ge=0, le=3600)] | None = None
    target: AnswerTarget | None = None


class Feedback(Strict):
    """The body of `/v1/laar/feedback`: what a client found of an answer it got."""

    model_config = ConfigDict(strict=True)

    request_id: RequestId
    correct: bool


class _Part(msgspec.Struct):
    type: str
    text: str | None = None


class _FunctionCall(msgspec.Struct):
    name: str = ""
    arguments: str = ""


class _ToolCall(msgspec.Struct):
    function: _FunctionCall


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None
    tool_calls: list[_ToolCall] | None = None


class _Function(msgspec.Struct):
    name: str


class _Tool(msgspec.Struct):
    function: _Function
    type: str = "function"


_TokenLimit = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_ThinkingBudget = Annotated[int, msgspec.Meta(ge=UNLIMITED, le=2**31 - 1)]


class _Scalars(msgspec.Struct):
    """Fields of either endpoint that steer routing or decide how much work a request is, with their bounds."""

    model: str
    stream: bool | None = None
    n: Annotated[int, msgspec.Meta(ge=1)] | None = None
    min_tokens: _TokenLimit | None = None
    logprobs: bool | int | None = None
    top_logprobs: int | None = None
    prompt_logprobs: int | None = None
    logprob_token_ids: list[int] | None = None
    use_beam_search: bool | None = None
    cache_salt: str | None = None
    max_tokens: _TokenLimit | None = None
    max_completion_tokens: _TokenLimit | None = None
    thinking_token_budget: _ThinkingBudget | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    seed: int | None = None
    echo: bool | None = None
    truncate_prompt_tokens: int | None = None
    tools: list[_Tool] | None = None
    stream_options: dict[str, Any] | None = None
    structured_outputs: dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None


class RoutedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as the router sees it; `body` is what the client sent, without the fields that are `ignored`.

    `user_texts` are those of `texts` that the user wrote, not an assistant or a tool;
    `other_tokens` estimates what the prompt holds besides `texts`, such as tools or token ids;
    `num_sequences` is how many answers an engine makes: prompts times n; without a `has_token_limit` of its own,
    `max_tokens` is the operator's. `sampling` tells which draw of a model's answers is asked for, and is empty where it
    is left to chance. `is_plain_text` tells that the prompt is the texts, all of them and nothing else.
    `verify` is the check to be made, which `options.verify`, the operator's default and the request's own fields lead
    to. A model must read all of its `media`.
    """

    endpoint: Endpoint
    body: bytes
    model: str
    texts: tuple[str, ...]
    user_texts: tuple[str, ...] = ()
    other_tokens: int = 0
    num_sequences: int = 1
    is_plain_text: bool = True
    media: frozenset[Medium] = frozenset()
    stream: bool
    max_tokens: int | None
    has_token_limit: bool = True
    thinking_token_budget: int | None = None
    is_repeatable: bool
    sampling: str = ""
    has_tools: bool = False
    options: LaarOptions
    verify: Spec = NOT_VERIFIED
    ignored: tuple[str, ...] = ()
    tenant: Tenant = ANYBODY
    cache_salt: str | None = None

    @property
    def wants_verification(self) -> bool:
        return not isinstance(self.verify, NoVerify)


_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NOT_HONOURED = "is unknown, or asks for what laar has not"


class Fields:
    """Reads a body as its fields, each as it came; the first one that is not among the known ones ends the reading.

    A dict would take all of them.
    """

    def __init__(self, known: Collection[str]) -> None:
        self.names = tuple(sorted(known))
        fields = [(name, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for name in self.names]
        self._decoder = msgspec.json.Decoder(msgspec.defstruct("_Body", fields, forbid_unknown_fields=True))

    def read(self, body: bytes) -> dict[str, msgspec.Raw]:
        found = decode(self._decoder, body)
        fields = {name: raw for name, raw in zip(self.names, astuple(found), strict=True) if raw is not msgspec.UNSET}
        for name, raw in fields.items():
            _refuse_no_utf8(raw, name)
        return fields


def _refuse_no_utf8(raw: msgspec.Raw, name: str) -> None:
    """msgspec leaves the bytes of a text unread until something decodes them."""
    try:
        str(memoryview(raw), "utf-8")
    except UnicodeDecodeError as error:
        raise ClientError(f"{name}: not valid JSON: {error}", param=name) from None


_BODY = Fields({"laar"}.union(*OPEN_FIELDS.values(), IGNORED_FIELDS, REFUSED_FIELDS, CLOSED_FIELDS))
_SCALARS = msgspec.json.Decoder(_Scalars)
_MESSAGES = msgspec.json.Decoder(list[_Message])
_ANY = msgspec.json.Decoder(Any)
_TEXT = msgspec.json.Decoder(str)
_TEXTS = msgspec.json.Decoder(list[str])
_NO_OPTIONS = LaarOptions()
_NO_NAMES: Mapping[str, Spec] = MappingProxyType({})
_VERIFY_TYPES = ", ".join(arm.model_fields["type"].annotation.__args__[0] for arm in get_args(get_args(VerifySpec)[0]))


def parse_request(
    body: bytes,
    *,
    endpoint: Endpoint,
    limits: Limits,
    default_verify: Spec = NOT_VERIFIED,
    names: Mapping[str, Spec] = _NO_NAMES,
) -> RoutedRequest:
    """Decode a body; raise a ClientError with status 400 or 413 that names the field at fault.

    `default_verify` is the check of a request that says nothing of one. Each of `names` in the place of a model means
    'auto', and that the request asks for the check of that name, unless it asks for one itself.
    """
    if len(body) > limits.max_body_bytes:
        raise BodyTooLargeError(f"body: {len(body)} bytes; at most {limits.max_body_bytes} are allowed", param="body")
    fields = _BODY.read(body)
    refuse_large_fields(fields)
    unsent = _unsent_fields(fields)
    if unsent:
        fields = {name: raw for name, raw in fields.items() if name not in unsent}
        body = msgspec.json.encode(fields)
    _refuse_fields(fields, OPEN_FIELDS[endpoint])
    steering = {name: fields[name] for name in _Scalars.__struct_fields__ if name in fields}
    scalars = decode(_SCALARS, msgspec.json.encode(steering))
    _refuse_no_tokens(scalars, endpoint)
    _refuse_expensive(scalars, limits)
    options = parse_options(fields.get("laar"))
    if (named := names.get(scalars.model)) is not None:
        scalars.model = AUTO
        if "verify" not in options.model_fields_set:
            options = options.model_copy(update={"verify": named})
    if options.policy is not None and scalars.model != AUTO:
        message = (
            f"laar.policy: there is nothing to choose for model '{scalars.model[:MAX_SHOWN_CHARS]}'; 'auto' is needed"
        )
        raise ClientError(message, param="laar.policy")
    read = _read_chat if endpoint is Endpoint.CHAT else _read_completion
    prompt = read(fields, scalars.model)
    _refuse_many(prompt, scalars.n or 1, limits)
    asked_tokens = scalars.max_completion_tokens or scalars.max_tokens
    request = RoutedRequest(
        endpoint=endpoint,
        body=body,
        model=scalars.model,
        texts=prompt.texts,
        user_texts=prompt.user_texts,
        other_tokens=(other_tokens := prompt.other_tokens + _extra_tokens(fields)),
        num_sequences=prompt.num_prompts * (scalars.n or 1),
        media=prompt.media,
        is_plain_text=not other_tokens and scalars.truncate_prompt_tokens is None,
        stream=bool(scalars.stream),
        max_tokens=limits.max_tokens if asked_tokens is None else asked_tokens,
        has_token_limit=asked_tokens is not None,
        thinking_token_budget=scalars.thinking_token_budget,
        is_repeatable=scalars.temperature == 0 or scalars.seed is not None,
        sampling=_sampling(scalars),
        has_tools=bool(scalars.tools),
        options=options,
        cache_salt=scalars.cache_salt,
        ignored=tuple(name for name, says_something in unsent.items() if says_something),
    )
    return _with_check(request, fields, scalars, default_verify)


def with_turns(request: RoutedRequest, turns: Sequence[Mapping[str, Any]]) -> bytes:
    """The body of a chat with further messages behind its own."""
    fields = _BODY.read(request.body)
    messages = bytes(fields["messages"]).rstrip()[:-1]
    fields["messages"] = msgspec.Raw(messages + b"," + msgspec.json.encode(turns)[1:])
    return msgspec.json.encode(fields)


def with_retry_header(request: RoutedRequest, header: str | None) -> RoutedRequest:
    """The request as a retry of the one that the header names, unless its body names one."""
    if header is None or request.options.retry_of is not None:
        return request
    try:
        retry_of = _TOLD_ID.validate_python(header.strip())
    except ValidationError as error:
        raise _client_error(error, prefix=RETRY_HEADER, known=()) from None
    return replace(request, options=request.options.model_copy(update={"retry_of": retry_of}))


def _sampling(scalars: _Scalars) -> str:
    if scalars.temperature == 0:
        return "greedy"
    return "" if scalars.seed is None else f"{scalars.seed} {scalars.temperature} {scalars.top_p}"


def _with_check(
    request: RoutedRequest, fields: dict[str, msgspec.Raw], scalars: _Scalars, default: Spec
) -> RoutedRequest:
    """The request with the check that it asks for, else with the operator's where that can be made."""
    is_asked_for = "verify" in request.options.model_fields_set
    wanted = request.options.verify if is_asked_for else default
    if isinstance(wanted, NoVerify):
        return request
    try:
        _refuse_unverifiable(fields, scalars)
    except ClientError:
        if is_asked_for:
            raise
        return request
    derived = wanted.derived(lambda: _asked(request.texts, fields))
    return replace(request, verify=derived or (wanted if is_asked_for else NOT_VERIFIED))


def _asked(texts: Sequence[str], fields: dict[str, msgspec.Raw]) -> Asked:
    """What a request says of the answer that it wants."""
    said: dict[str, Any] = {name: decode(_ANY, fields[name], name) for name in _SAYS_OF_ANSWER if name in fields}
    return Asked(
        prompt="\n".join(texts),
        response_format=said.get("response_format"),
        tools=said.get("tools") or (),
        tool_choice=said.get("tool_choice"),
    )


def endpoint_of(body: bytes) -> Endpoint:
    """The endpoint that a body was meant for, by what it is a prompt in."""
    fields = _BODY.read(body)
    if not fields.keys() & {"messages", "prompt"}:
        raise ClientError("messages: this field is needed, or `prompt` for a completion", param="messages")
    return Endpoint.CHAT if "messages" in fields else Endpoint.COMPLETIONS


def body_schema(endpoint: Endpoint, ref_template: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The JSON Schema of a body, and by name what it refers to; a field that is empty there is typed by the engine."""
    _, named = msgspec.json.schema_components((_Scalars, _Message), ref_template=ref_template)
    typed: dict[str, Any] = named.pop(_Scalars.__name__)["properties"]
    fields = {name: typed.get(name, {}) for name in sorted(OPEN_FIELDS[endpoint])}
    fields |= {name: {"description": "Changes nothing in an answer."} for name in sorted(IGNORED_FIELDS)}
    fields |= {
        name: {"enum": [neutral] if neutral is None else [neutral, None], "description": f"Not honoured: {instead}."}
        for name, (neutral, instead) in REFUSED_FIELDS.items()
    }
    item = {"$ref": ref_template.format(name=_Message.__name__)}
    text = {"type": "string", "minLength": 1}
    prompts: dict[str, Any] = {
        "messages": {"type": "array", "minItems": 1, "maxItems": MAX_MESSAGES, "items": item},
        "prompt": {"anyOf": [text, {"type": "array"}]},
    }
    prompt = "messages" if endpoint is Endpoint.CHAT else "prompt"
    fields |= {prompt: prompts[prompt], "laar": {"$ref": ref_template.format(name=LaarOptions.__name__)}}
    return {
        "type": "object",
        "properties": fields,
        "required": ["model", prompt],
        "additionalProperties": False,
    }, named


def parse_options(raw: msgspec.Raw | None) -> LaarOptions:
    if raw is None:
        return _NO_OPTIONS
    options = _keys(raw, "laar")
    verify = _keys(options.get("verify"), "laar.verify")
    try:
        return LaarOptions.model_validate_json(bytes(raw), context=numbers_as_written(verify))
    except ValidationError as error:
        raise _client_error(error, prefix="laar", known=LaarOptions.model_fields) from None


def _keys(raw: msgspec.Raw | None, field: str) -> dict[str, msgspec.Raw]:
    """An object's values as they came; raises UnknownFieldError where it has many, as pydantic makes an error of each.

    Of what is no object there are none: pydantic says what is wrong with it.
    """
    try:
        keys = {} if raw is None else _FIELDS.decode(raw)
    except msgspec.DecodeError:
        return {}
    if len(keys) > MAX_LAAR_KEYS:
        raise UnknownFieldError(f"{field}: {len(keys)} keys; at most {MAX_LAAR_KEYS} are allowed", param=field)
    return keys


def parse_feedback(body: bytes) -> Feedback:
    """Decode a body; raise a ClientError with status 400 that names the field at fault."""
    decode(_FIELDS, body)
    try:
        return Feedback.model_validate_json(body)
    except ValidationError as error:
        raise _client_error(error, prefix="", known=Feedback.model_fields) from None


def decode(decoder: "msgspec.json.Decoder[_T]", data: bytes | msgspec.Raw, field: str = "") -> _T:
    """What `data` holds, which stands in `field`; a ClientError names the place in it that is wrong."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        place = (field + path.rstrip("`")).lstrip(".")
        if message.startswith(_UNKNOWN):
            raise _unknown_field(message.removeprefix(_UNKNOWN)[1:-1], place) from None
        name = place or "body"
        if "missing required field" in message:
            name = ".".join(filter(None, (name.removeprefix("body"), message.split("`")[1])))
        raise ClientError(f"{name}: {message}", param=name) from None
    except RecursionError:
        raise ClientError(f"{field or 'body'}: nested too deeply", param=field or "body") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ClientError(f"{field or 'body'}: not valid JSON: {error}", param=field or "body") from None


def _unsent_fields(fields: dict[str, msgspec.Raw]) -> dict[str, bool]:
    """The fields that change nothing in an answer, and of each whether it says anything at all."""
    unsent: dict[str, bool] = {}
    for name in fields.keys() & (IGNORED_FIELDS | REFUSED_FIELDS.keys()):
        value = decode(_ANY, fields[name], name)
        if name in REFUSED_FIELDS:
            refuse_if_asked(name, value, REFUSED_FIELDS)
        unsent[name] = value is not None
    return dict(sorted(unsent.items()))


def refuse_if_asked(name: str, value: object, refused: Mapping[str, tuple[object, str]]) -> None:
    """Raise a ClientError for a field that asks for what laar has not: any value but null and the neutral one."""
    neutral, instead = refused[name]
    if value is not None and value != neutral:
        only = "" if neutral is None else f"; {msgspec.json.encode(neutral).decode()} alone is taken"
        raise UnknownFieldError(f"{name}: laar has nothing that honours this field: {instead}{only}", param=name)


def _refuse_no_tokens(scalars: _Scalars, endpoint: Endpoint) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        if getattr(scalars, name) == 0 and not (scalars.echo and endpoint is Endpoint.COMPLETIONS):
            message = f"{name}: 0 tokens are no answer; 0 is for completions with echo, which scores the prompt"
            raise ClientError(message, param=name)


def _refuse_fields(fields: dict[str, msgspec.Raw], open_: Collection[str]) -> None:
    for name in fields:
        if name != "laar" and name not in open_:
            raise _unknown_field(name)


def _unknown_field(name: str, place: str = "") -> UnknownFieldError:
    shown = ".".join(filter(None, (place, name[:MAX_SHOWN_CHARS])))
    if place:
        what = _NOT_HONOURED
    else:
        is_closed = name in CLOSED_FIELDS
        what = "is not open to callers" if is_closed else "is unknown; laar takes the fields that vLLM takes"
    return UnknownFieldError(f"{shown}: this field {what}", param=shown)


def _refuse_expensive(scalars: _Scalars, limits: Limits) -> None:
    """What makes one request the work of many is the operator's to allow."""
    if scalars.use_beam_search and not limits.beam_search:
        raise ClientError("use_beam_search: the operator has not turned beam search on", param="use_beam_search")
    num_token_ids = None if scalars.logprob_token_ids is None else len(scalars.logprob_token_ids)
    asked: dict[str, tuple[int | bool | None, int | None]] = {
        "max_tokens": (scalars.max_tokens, limits.max_tokens),
        "max_completion_tokens": (scalars.max_completion_tokens, limits.max_tokens),
        "min_tokens": (scalars.min_tokens, limits.max_tokens),
        "logprobs": (scalars.logprobs, limits.max_logprobs),
        "top_logprobs": (scalars.top_logprobs, limits.max_logprobs),
        "prompt_logprobs": (scalars.prompt_logprobs, limits.max_logprobs),
        "logprob_token_ids": (num_token_ids, limits.max_logprobs),
    }
    for name, (value, most) in asked.items():
        # -1 asks an engine for the whole vocabulary
        if value is not None and not isinstance(value, bool) and most is not None and not 0 <= value <= most:
            raise ClientError(f"{name}: {value} is asked for; 0 to {most} are allowed here", param=name)


def _refuse_many(prompt: "_Prompt", n: int, limits: Limits) -> None:
    """Every prompt is answered n times, and each time is a sequence of the engine's."""
    field = "n" if n > 1 else "prompt"
    if (num_sequences := prompt.num_prompts * n) > limits.max_sequences:
        what = f"{prompt.num_prompts} prompts with {n} answers each are {num_sequences} sequences"
        raise ClientError(f"{field}: {what}; at most {limits.max_sequences} are allowed", param=field)
    if prompt.num_media > limits.max_media:
        message = f"messages: {prompt.num_media} parts that are not text; at most {limits.max_media} are allowed"
        raise ClientError(message, param="messages")


def _refuse_unverifiable(fields: dict[str, msgspec.Raw], scalars: _Scalars) -> None:
    """One answer is verified, so there must be one, and it must be the model's own words."""
    if (scalars.n or 1) > 1:
        raise ClientError(f"n: {scalars.n} answers cannot be verified at once; 1 is allowed", param="n")
    if scalars.echo:
        raise ClientError("echo: an answer that repeats its prompt cannot be verified", param="echo")
    if "prompt" in fields and bytes(fields["prompt"])[:1] != b'"':
        raise ClientError("prompt: to be verified it must be one string", param="prompt")


def _extra_tokens(fields: dict[str, msgspec.Raw]) -> int:
    """About how many tokens the chat template puts into the prompt besides the messages."""
    return sum(len(bytes(fields[name])) for name in _PROMPT_EXTRAS if name in fields) // _CHARS_PER_TOKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prompt:
    """What is asked: all texts, those of the user, about how many tokens the rest has."""

    texts: tuple[str, ...]
    user_texts: tuple[str, ...]
    other_tokens: int = 0
    num_prompts: int = 1
    num_media: int = 0
    media: frozenset[Medium] = frozenset()


def _read_chat(fields: dict[str, msgspec.Raw], _model: str) -> _Prompt:
    raw = fields.get("messages")
    if raw is None:
        raise ClientError("messages: a chat request needs this field", param="messages")
    refuse_many_objects(raw, "messages")
    messages = decode(_MESSAGES, raw, "messages")
    if not 0 < len(messages) <= MAX_MESSAGES:
        raise ClientError(f"messages: {len(messages)} given; 1 to {MAX_MESSAGES} are allowed", param="messages")
    texts: list[str] = []
    user_texts: list[str] = []
    num_chars = num_media = 0
    types: set[str] = set()
    for index, message in enumerate(messages):
        if message.content is None and message.role in _NEEDS_CONTENT:
            field = f"messages[{index}].content"
            raise ClientError(f"{field}: a message of role '{message.role}' needs this field", param=field)
        parts = [] if isinstance(message.content, str | None) else message.content
        said = [message.content] if isinstance(message.content, str) else [p.text for p in parts if p.text is not None]
        num_media += sum(part.text is None for part in parts)
        types.update(part.type for part in parts)
        texts += said
        user_texts += said if message.role == "user" else []
        for call in message.tool_calls or ():
            num_chars += len(call.function.name) + len(call.function.arguments)
    return _Prompt(
        texts=tuple(texts),
        user_texts=tuple(user_texts),
        other_tokens=num_media * PART_TOKENS + num_chars // _CHARS_PER_TOKEN,
        num_media=num_media,
        media=frozenset(_MEDIA[type_] for type_ in types & _MEDIA.keys()),
    )


def _read_completion(fields: dict[str, msgspec.Raw], model: str) -> _Prompt:
    raw = fields.get("prompt")
    if raw is None:
        raise ClientError("prompt: a completion request needs this field", param="prompt")
    data = bytes(raw)
    if data[:1] != b"[":
        text = decode(_TEXT, raw, "prompt")
        if not text:
            raise ClientError("prompt: it is empty", param="prompt")
        return _Prompt(texts=(text,), user_texts=(text,))
    if model == AUTO:
        raise ClientError(
            "prompt: with model 'auto' it must be one string, which laar reads to choose a model; "
            "for token ids or several prompts name a model",
            param="prompt",
        )
    if (ids := num_ids(raw)) is not None:
        # one list, or one of several
        return _Prompt(texts=(), user_texts=(), other_tokens=ids, num_prompts=max(1, data.count(b"[") - 1))
    if (most := most_texts(raw)) > MAX_OBJECTS:
        raise ClientError(f"prompt: {most} texts; at most {MAX_OBJECTS} are allowed", param="prompt")
    found = decode(_TEXTS, raw, "prompt")
    texts = tuple(found)
    return _Prompt(texts=texts, user_texts=texts, num_prompts=len(texts))


def _client_error(error: ValidationError, *, prefix: str, known: Collection[str]) -> ClientError:
    errors = error.errors(include_url=False, include_input=True)
    # where a string or a list may be, what is wrong with the list that was given
    first = next((e for e in errors if e["type"] != "string_type" or not isinstance(e["input"], list)), errors[0])
    # a mistyped key tells more than the key that is missing for it
    first = next((e for e in errors if e["type"] == "extra_forbidden"), first)
    loc = first["loc"]
    # pydantic puts the type of a verification after its key, and names of its own for what a value may be
    path = [part for part in loc[:1] + loc[2:] if not _ARM.match(str(part))] if loc[:1] == ("verify",) else loc
    field = ".".join(filter(None, [prefix, *(str(part)[:MAX_SHOWN_CHARS] for part in path)]))
    kind: Literal["extra_forbidden"] | str = first["type"]
    if kind == "extra_forbidden":
        hint = f"; known: {', '.join(known)}" if len(loc) == 1 else ""
        return UnknownFieldError(f"{field}: unknown key{hint}", param=field)
    if kind == "union_tag_not_found":
        return ClientError(f"{field}.type: is missing; known types are {_VERIFY_TYPES}", param=f"{field}.type")
    if kind == "union_tag_invalid":
        given = repr(first["input"]["type"])[:MAX_SHOWN_CHARS]
        text = f"{field}.type: there is no type {given}; known types are {_VERIFY_TYPES}"
        return ClientError(text, param=f"{field}.type")
    shown = repr(first["input"])
    seen = f", got {shown[:80]}" if isinstance(first["input"], str | int | float | bool | None) else ""
    return ClientError(f"{field}: {what_is_wrong(first)[:400]}{seen}", param=field)
