"""From the bytes of an HTTP body to a request that can be routed, or to an error that names the field.

Only what routing needs is decoded: the prompt's texts and a handful of scalars. Everything else is checked
once, by the engine's own request type, in the model deployment.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from deployments.errors import BodyTooLargeError, ClientError, UnknownFieldError
from deployments.verifier.spec import NoVerify, VerifySpec

AUTO = "auto"
MAX_MESSAGES = 4096
MAX_ANSWERS = 64
_T = TypeVar("_T")


class Endpoint(StrEnum):
    CHAT = "chat"
    COMPLETIONS = "completions"


class LaarOptions(BaseModel):
    """The `laar` object of a request; every key is optional, none can name code."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    verify: VerifySpec = NoVerify(type="none")
    max_attempts: int | None = Field(default=None, ge=1, le=100)
    deadline_s: Annotated[float, Field(gt=0, le=86400)] | None = None
    task: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] | None = None
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$|^unknown$")] | None = None
    session: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None


class _Part(msgspec.Struct):
    type: str
    text: str | None = None


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None


_TokenLimit = Annotated[int, msgspec.Meta(ge=1)]


class _Scalars(msgspec.Struct):
    """Fields of either endpoint that steer routing or decide how much work a request is, with their bounds."""

    model: str
    stream: bool | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=MAX_ANSWERS)] | None = None
    max_tokens: _TokenLimit | None = None
    max_completion_tokens: _TokenLimit | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedRequest:
    """A request as the router sees it; `body` is what the client sent, untouched."""

    endpoint: Endpoint
    body: bytes
    model: str
    texts: tuple[str, ...]
    stream: bool
    max_tokens: int | None
    is_repeatable: bool
    options: LaarOptions

    @property
    def wants_verification(self) -> bool:
        return not isinstance(self.options.verify, NoVerify)


_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SCALARS = msgspec.json.Decoder(_Scalars)
_MESSAGES = msgspec.json.Decoder(list[_Message])
_PROMPT = msgspec.json.Decoder(str | list[Any])
_NO_OPTIONS = LaarOptions()


def parse_request(
    body: bytes, *, endpoint: Endpoint, allowed_fields: Collection[str], max_body_bytes: int
) -> RoutedRequest:
    """Decode a body; raise a ClientError with status 400 or 413 that names the field at fault."""
    if len(body) > max_body_bytes:
        raise BodyTooLargeError(f"body: {len(body)} bytes; at most {max_body_bytes} are allowed", param="body")
    fields = _decode(_FIELDS, body)
    _refuse_unknown_fields(fields, allowed_fields)
    scalars = _decode(_SCALARS, body)
    options = parse_options(fields.get("laar"))
    texts = _chat_texts(fields) if endpoint is Endpoint.CHAT else _completion_texts(fields, scalars.model)
    request = RoutedRequest(
        endpoint=endpoint,
        body=body,
        model=scalars.model,
        texts=texts,
        stream=bool(scalars.stream),
        max_tokens=scalars.max_completion_tokens or scalars.max_tokens,
        is_repeatable=scalars.temperature == 0 or scalars.seed is not None,
        options=options,
    )
    if request.wants_verification and (scalars.n or 1) > 1:
        raise ClientError(f"n: {scalars.n} answers cannot be verified at once; 1 is allowed", param="n")
    return request


def parse_options(raw: msgspec.Raw | None) -> LaarOptions:
    if raw is None:
        return _NO_OPTIONS
    try:
        return LaarOptions.model_validate_json(bytes(raw))
    except ValidationError as error:
        raise _client_error(error, prefix="laar") from None


def _decode(decoder: "msgspec.json.Decoder[_T]", data: bytes | msgspec.Raw, field: str = "") -> _T:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        name = (field + path.rstrip("`")).lstrip(".") or "body"
        if "missing required field" in message:
            name = ".".join(filter(None, (name.removeprefix("body"), message.split("`")[1])))
        raise ClientError(f"{name}: {message}", param=name) from None
    except RecursionError:
        raise ClientError(f"{field or 'body'}: nested too deeply", param=field or "body") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ClientError(f"{field or 'body'}: not valid JSON: {error}", param=field or "body") from None


def _refuse_unknown_fields(fields: dict[str, msgspec.Raw], allowed: Collection[str]) -> None:
    for name in fields:
        if name != "laar" and name not in allowed:
            shown = name[:64]
            raise UnknownFieldError(f"unknown field '{shown}'; laar takes the fields that vLLM takes", param=shown)


def _chat_texts(fields: dict[str, msgspec.Raw]) -> tuple[str, ...]:
    raw = fields.get("messages")
    if raw is None:
        raise ClientError("messages: a chat request needs this field", param="messages")
    messages = _decode(_MESSAGES, raw, "messages")
    if not 0 < len(messages) <= MAX_MESSAGES:
        raise ClientError(f"messages: {len(messages)} given; 1 to {MAX_MESSAGES} are allowed", param="messages")
    texts: list[str] = []
    for message in messages:
        if isinstance(message.content, str):
            texts.append(message.content)
        elif message.content is not None:
            texts.extend(part.text for part in message.content if part.text is not None)
    return tuple(texts)


def _completion_texts(fields: dict[str, msgspec.Raw], model: str) -> tuple[str, ...]:
    raw = fields.get("prompt")
    if raw is None:
        raise ClientError("prompt: a completion request needs this field", param="prompt")
    prompt = _decode(_PROMPT, raw, "prompt")
    if isinstance(prompt, str):
        return (prompt,)
    if model == AUTO:
        raise ClientError(
            "prompt: with model 'auto' it must be one string, since a list cannot be routed", param="prompt"
        )
    return tuple(text for text in prompt if isinstance(text, str))


def _client_error(error: ValidationError, *, prefix: str) -> ClientError:
    first = error.errors(include_url=False, include_input=True)[0]
    field = ".".join([prefix, *(str(part) for part in first["loc"])])
    kind: Literal["extra_forbidden"] | str = first["type"]
    if kind == "extra_forbidden":
        return UnknownFieldError(f"{field}: unknown key", param=field)
    shown = repr(first["input"])
    seen = f", got {shown[:80]}" if isinstance(first["input"], str | int | float | bool | None) else ""
    return ClientError(f"{field}: {first['msg']}{seen}", param=field)
