"""The one reader of what engines answer: OpenAI's JSON and server-sent events in, laar's own types out.

Nothing in here depends on how an engine spaces its JSON, or on where the network cuts a stream.
"""

from collections.abc import Callable, Iterable
from math import inf
from typing import Any

import msgspec

from deployments.contract.reply import CallPart, Chunk, Reply, joined_calls

DONE = b"[DONE]"
DONE_EVENT = b"data: [DONE]\n\n"


class EngineError(Exception):
    """The engine could not be reached, broke off, or answered what is no OpenAI answer."""


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    index: int | None = None
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class Choice(msgspec.Struct):
    """A choice of an answer (`message`), of a chat chunk (`delta`), or of completions (`text`)."""

    message: _Message | None = None
    delta: _Message | None = None
    text: str | None = None
    finish_reason: str | None = None

    @property
    def said(self) -> _Message:
        return self.delta or self.message or _Message(content=self.text)


def _calls(said: _Message) -> tuple[CallPart, ...]:
    parts = []
    for index, call in enumerate(said.tool_calls or ()):
        # a call of another kind than a function is one all the same
        called = call.function or _Function()
        parts.append(CallPart(index if call.index is None else call.index, called.name or "", called.arguments or ""))
    return tuple(parts)


def _carries_token(said: _Message) -> bool:
    """Whether there is text, thought or a part of a call in it."""
    if said.content or said.reasoning or said.reasoning_content:
        return True
    return any(call.function is not None and call.function.arguments for call in said.tool_calls or ())


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Answer(msgspec.Struct):
    """What laar reads of an answer or a chunk; `error` is what an engine that fails midway says in its stream."""

    choices: list[Choice] = []
    usage: _Usage | None = None
    error: Any = None


_ANSWER = msgspec.json.Decoder(Answer)
_BLANK = (b"", b"\r")
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


def reply(body: bytes, found: Answer) -> Reply:
    """A whole answer of which `found` was read; EngineError if it is none."""
    if not found.choices:
        raise EngineError("no OpenAI answer: it has no choices")
    first, usage = found.choices[0], found.usage or _Usage()
    said = first.said
    return Reply(
        status=200,
        body=body,
        text=said.content or "",
        prompt_tokens=usage.prompt_tokens or 0,
        output_tokens=usage.completion_tokens,
        finish_reason=first.finish_reason,
        refusal=said.refusal or None,
        tool_calls=joined_calls(_calls(said)),
    )


def failure(error: object) -> Reply:
    """The reply in an engine's `error` object, in the engine's words."""
    return Reply(status_in(error), msgspec.json.encode({"error": error}))


def status_in(error: object) -> int:
    """The HTTP status that an `error` object names as its code; 502 if it names none."""
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code < 600 else 502


def unchanged(payload: bytes, _found: Answer) -> bytes:
    """Write an event as the engine did."""
    return payload


class StreamReader:
    """Turns the bytes of one stream into chunks; EngineError for what is no stream of OpenAI's.

    All events that a piece completes become one chunk, but none stands behind one that closes a choice. The reader
    `is_done` with the stream's closing mark or with an error, which is given as a reply; what follows is left out.
    """

    def __init__(self, write: Write, fail: Fail, *, max_bytes: float = inf) -> None:
        self._write, self._fail = write, fail
        self._events = EventReader(max_bytes)
        self.is_done = False

    def feed(self, piece: bytes) -> list[Chunk | Reply]:
        return self._read(self._events.feed(piece))

    def end(self) -> list[Chunk | Reply]:
        """What stands in an event that no blank line closes."""
        return self._read(self._events.end())

    def _read(self, payloads: Iterable[bytes]) -> list[Chunk | Reply]:
        chunks: list[Chunk | Reply] = []
        events: list[bytes] = []
        answers: list[Answer] = []
        for payload in payloads:
            if self.is_done:
                break
            if payload == DONE:
                self.is_done = True
                events.append(DONE_EVENT)
                break
            found = read(payload)
            if found.error:
                self.is_done = True
                if events:
                    chunks.append(_chunk(events, answers))
                return [*chunks, self._fail(found.error)]
            # a line's end within it is white space between JSON's values, but would end the event's line
            events.append(b"data: %b\n\n" % self._write(payload.replace(b"\n", b" "), found))
            answers.append(found)
            if (finish_reason := _finish_reason(found)) is not None:
                chunks.append(_chunk(events, answers, finish_reason))
                events, answers = [], []
        if events:
            chunks.append(_chunk(events, answers, is_last=self.is_done))
        return chunks


def _finish_reason(found: Answer) -> str | None:
    for choice in found.choices:
        if choice.finish_reason:  # empty in some servers' chunks that close nothing
            return choice.finish_reason
    return None


def _chunk(
    events: list[bytes], answers: list[Answer], finish_reason: str | None = None, *, is_last: bool = False
) -> Chunk:
    text, refusal, num_tokens = "", "", 0
    calls: tuple[CallPart, ...] = ()
    for found in answers:
        for index, choice in enumerate(found.choices):
            said = choice.said
            num_tokens += _carries_token(said)
            if index == 0:
                text += said.content or ""
                refusal += said.refusal or ""
                calls += _calls(said) if said.tool_calls else ()
    return Chunk(b"".join(events), text, num_tokens, finish_reason, is_last, refusal, calls)


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
