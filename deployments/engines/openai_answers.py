"""The one reader of what engines answer: OpenAI's JSON and server-sent events in, laar's own types out.

Nothing in here depends on how an engine spaces its JSON, or on where the network cuts a stream. Servers differ in what
they send beside the answer; none of that costs a client an answer that is complete.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Any

import msgspec

from deployments.contract.errors import error_body
from deployments.contract.reply import CallPart, Chunk, Reply, joined_calls

DONE = b"[DONE]"
DONE_EVENT = b"data: [DONE]\n\n"


class EngineError(Exception):
    """The engine could not be reached, broke off, or answered what is no OpenAI answer."""


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None

    @property
    def written_arguments(self) -> str:
        """The arguments as text, also where a server sends them as an object."""
        given = self.arguments
        return json.dumps(given) if isinstance(given, dict) else given or ""


class _Part(msgspec.Struct):
    text: str | None = None


class _Call(msgspec.Struct):
    index: int | None = None
    id: Any = None
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: str | list[str | _Part] | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None

    @property
    def text(self) -> str:
        """The answer. Of a content in parts it is the parts with text: a part with thoughts has none."""
        if isinstance(self.content, list):
            return "".join(part if isinstance(part, str) else part.text or "" for part in self.content)
        return self.content or ""


class AnswerChoice(msgspec.Struct):
    """A choice of an answer (`message`), of a chat chunk (`delta`), or of completions (`text`)."""

    message: _Message | None = None
    delta: _Message | None = None
    text: str | None = None
    finish_reason: str | None = None
    stop_reason: Any = None
    index: int = 0

    @property
    def said(self) -> _Message:
        return self.delta or self.message or _Message(content=self.text)


def _calls(said: _Message) -> tuple[CallPart, ...]:
    parts = []
    for index, call in enumerate(said.tool_calls or ()):
        # a call of another kind than a function is one all the same
        called = call.function or _Function()
        parts.append(CallPart(index if call.index is None else call.index, called.name or "", called.written_arguments))
    return tuple(parts)


def _carries_token(said: _Message) -> bool:
    """Whether there is text, thought or a part of a call in it."""
    if said.content or said.reasoning or said.reasoning_content:
        return True
    return any(call.function is not None and call.function.arguments for call in said.tool_calls or ())


class Answer(msgspec.Struct):
    """What laar reads of an answer or a chunk; `error` is what an engine that fails midway says in its stream."""

    choices: list[AnswerChoice] | None = None
    usage: Any = None
    error: Any = None

    def counted(self, what: str) -> int | None:
        """How many tokens `usage` counts, in whatever way it writes a number; None if it counts none."""
        given = self.usage.get(what) if isinstance(self.usage, Mapping) else None
        try:
            number = float(given) if isinstance(given, int | float | str) else -1.0
        except (ValueError, OverflowError):
            return None
        return int(number) if 0 <= number < 2**53 else None


_ANSWER = msgspec.json.Decoder(Answer)
_BLANK = (b"", b"\r")
# heartbeats
_EMPTY = (b"", b"null")
_TOLD = ("message", "param", "code")
_MAX_MESSAGE_CHARS = 2000
_CODES = {400: "invalid_value", 413: "body_too_large", 429: "overloaded", 500: "engine_error"}
# how the event that goes to the client is written, from the engine's own bytes and what was read in them
Write = Callable[[bytes, Answer], bytes]
# what becomes of the `error` object of a stream
Fail = Callable[[object], Reply]


def read(answer: bytes) -> Answer:
    """EngineError if it is no OpenAI answer."""
    try:
        return _ANSWER.decode(answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EngineError(f"no OpenAI answer: {type(error).__name__}") from error


def read_whole(answer: bytes) -> tuple[bytes, Answer]:
    """An answer in one piece, mended if it holds halves of characters; EngineError if it is no OpenAI answer."""
    return _Halves(in_stream=False).read(answer)


def reply(body: bytes, found: Answer) -> Reply:
    """A whole answer of which `found` was read; EngineError if it is none."""
    if not found.choices:
        raise EngineError("no OpenAI answer: it has no choices")
    first = found.choices[0]
    said = first.said
    return Reply(
        status=200,
        body=body,
        text=said.text,
        prompt_tokens=found.counted("prompt_tokens") or 0,
        output_tokens=found.counted("completion_tokens"),
        finish_reason=first.finish_reason,
        refusal=said.refusal or None,
        tool_calls=joined_calls(_calls(said)),
    )


def failure(error: object) -> Reply:
    """The reply in an engine's `error` object: the engine's words in laar's form."""
    told = error if isinstance(error, Mapping) else {"message": error}
    return refusal(status_in(error), told)


def refusal(status: int, told: Mapping[str, Any]) -> Reply:
    """An error reply of which an engine has `told` the message, and perhaps `param` and a `code` that is a word."""
    message, param, code = (value if isinstance(value, str) else None for value in map(told.get, _TOLD))
    message = (message or f"the engine answered with status {status}")[:_MAX_MESSAGE_CHARS]
    if code is None or code.isdecimal():
        is_too_long = status < 500 and "maximum context length" in message
        code = "context_length_exceeded" if is_too_long else _CODES.get(status, _CODES[400 if status < 500 else 500])
    return Reply(status, error_body(message, type_=type_of(status), param=param, code=code))


def type_of(status: int) -> str:
    """OpenAI's `type` of an error."""
    if status == 429:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"


def status_in(error: object) -> int:
    """The HTTP status that an `error` object names as its code, as a number or in digits; 502 if it names none."""
    code = error.get("code") if isinstance(error, Mapping) else None
    if isinstance(code, str) and code.isdecimal():
        code = int(code[:4])
    return code if isinstance(code, int) and 400 <= code < 600 else 502


def unchanged(payload: bytes, _found: Answer) -> bytes:
    """Write an event as the engine did."""
    return payload


class _Halves:
    """Puts characters together of which JSON spells each half in an event of its own, as `\\ud83d` and then `\\ude00`.

    A half that stays alone, and bytes that are no UTF-8, become U+FFFD.
    """

    def __init__(self, *, in_stream: bool) -> None:
        self._in_stream = in_stream
        self._held: dict[int, str] = {}

    def read(self, payload: bytes) -> tuple[bytes, Answer]:
        """The payload with whole characters, and what stands in it; EngineError if it is no OpenAI answer."""
        if not self._held:
            try:
                return payload, _ANSWER.decode(payload)
            except (msgspec.DecodeError, UnicodeDecodeError):
                pass  # perhaps only for a half; if not, it fails again
            except RecursionError as error:
                raise EngineError("no OpenAI answer: RecursionError") from error
        try:
            data = json.loads(payload.decode(errors="replace"))
            for choice in (data.get("choices") or ()) if isinstance(data, dict) else ():
                self._join(choice)
            payload = json.dumps(_whole(data)).encode()
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise EngineError(f"no OpenAI answer: {type(error).__name__}") from error
        return payload, read(payload)

    def _join(self, choice: dict[str, Any]) -> None:
        said, name = (choice, "text") if choice.get("delta") is None else (choice["delta"], "content")
        index, text = choice.get("index", 0), said.get(name) or ""
        text = self._held.pop(index, "") + text
        if self._in_stream and not choice.get("finish_reason") and "\ud800" <= text[-1:] <= "\udbff":
            self._held[index], text = text[-1], text[:-1]
        if text or said.get(name):
            said[name] = text


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return {_whole(key): _whole(item) for key, item in value.items()} if isinstance(value, dict) else value


class StreamReader:
    """Turns the bytes of one stream into chunks; EngineError for what is no stream of OpenAI's.

    All events that a piece completes become one chunk, but none stands behind one that closes the last open choice.
    From then on the stream `is_finished`: what cannot be read, an error or a missing end no longer matter. The reader
    `is_done` with the stream's closing mark or with an error, which is given as a reply; what follows is left out.
    """

    def __init__(self, write: Write, fail: Fail, *, max_bytes: float = inf) -> None:
        self._write, self._fail = write, fail
        self._events = EventReader(max_bytes)
        self._halves = _Halves(in_stream=True)
        self._open: set[int] = set()
        self.is_finished = self.is_done = False

    def feed(self, piece: bytes) -> list[Chunk | Reply]:
        return self._read(self._events.feed(piece))

    def end(self) -> list[Chunk | Reply]:
        """What stands in an event that no blank line closes, and the closing mark where it is missing."""
        return self._read([*self._events.end(), *([DONE] if self.is_finished else [])])

    def _read(self, payloads: Iterable[bytes]) -> list[Chunk | Reply]:
        chunks: list[Chunk | Reply] = []
        events: list[bytes] = []
        answers: list[Answer] = []
        for payload in payloads:
            if self.is_done:
                break
            if payload in _EMPTY or (found := self._found(payload)) is None:
                continue
            event, answer = found
            if answer.error:
                self.is_done = True
                return [*chunks, *([_chunk(events, answers)] if events else []), self._fail(answer.error)]
            events.append(event)
            answers.append(answer)
            if (finish_reason := self._finish_reason(answer)) is not None:
                chunks.append(_chunk(events, answers, finish_reason))
                events, answers = [], []
        if events:
            chunks.append(_chunk(events, answers, is_last=self.is_done))
        return chunks

    def _found(self, payload: bytes) -> tuple[bytes, Answer] | None:
        """The event as it is to be written, and what was read in it; None for one that no longer matters."""
        if payload == DONE:
            self.is_done = True
            return DONE_EVENT, Answer()
        try:
            mended, answer = self._halves.read(payload)
        except EngineError:
            if self.is_finished:
                return None
            raise
        if answer.error and self.is_finished:
            self.is_done = True
            return DONE_EVENT, Answer()
        # a line's end within it is white space between JSON's values, but would end the event's line
        return b"data: %b\n\n" % self._write(mended.replace(b"\n", b" "), answer), answer

    def _finish_reason(self, found: Answer) -> str | None:
        """Why the choices ended, with the event that closes the last of those that have begun."""
        reason = None
        for choice in found.choices or ():
            if choice.finish_reason:  # empty in some servers' chunks that close nothing
                reason = choice.finish_reason
                self._open.discard(choice.index)
            elif not self.is_finished:
                self._open.add(choice.index)
        if reason is None or self._open:
            return None
        self.is_finished = True
        return reason


def _chunk(
    events: list[bytes], answers: list[Answer], finish_reason: str | None = None, *, is_last: bool = False
) -> Chunk:
    text, refused, num_tokens = "", "", 0
    calls: tuple[CallPart, ...] = ()
    for found in answers:
        for index, choice in enumerate(found.choices or ()):
            said = choice.said
            num_tokens += _carries_token(said)
            if index == 0:
                text += said.text
                refused += said.refusal or ""
                calls += _calls(said) if said.tool_calls else ()
    return Chunk(b"".join(events), text, num_tokens, finish_reason, is_last, refused, calls)


class EventReader:
    """Puts server-sent events together from bytes as they come; EngineError beyond `max_bytes` in all."""

    def __init__(self, max_bytes: float) -> None:
        self._left = max_bytes
        self._line: list[bytes] = []
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of each event that has now come to its end."""
        self._left -= len(piece)
        if self._left < 0:
            raise EngineError("the stream is too long")
        *lines, rest = piece.split(b"\n")
        if lines and self._line:
            lines[0] = b"".join(self._line) + lines[0]
            self._line.clear()
        if rest:
            self._line.append(rest)
        ended: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:].strip())
            elif self._data and line in _BLANK:
                ended.append(b"\n".join(self._data))
                self._data.clear()
        return ended

    def end(self) -> list[bytes]:
        """The data of an event that no blank line closes."""
        return self.feed(b"\n\n")
