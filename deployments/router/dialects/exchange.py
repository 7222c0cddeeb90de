"""One request and its answer in a client's own API, translated to OpenAI's chat and back."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from deployments.contract.errors import UnknownFieldError
from deployments.engines.openai_answers import Answer, AnswerChoice

NULL = msgspec.Raw(b"null")


class Passage(StrEnum):
    """What a text of an answer is."""

    REASONING = "reasoning"
    TEXT = "text"
    REFUSAL = "refusal"


class _Answer(Answer):
    """A whole answer of OpenAI's chat, or a chunk of one, with what stands beside the choices."""

    id: Any = None
    created: Any = 0
    model: Any = ""
    laar: Any = None

    @property
    def first(self) -> list[AnswerChoice]:
        """The first choice, if there is one."""
        return (self.choices or [])[:1]


@dataclass(slots=True)
class ToldCall:
    """A tool call, as far as it has been told."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class _Heard:
    """What the chunks of an answer have said so far, besides its texts."""

    id: str = ""
    created: int = 0
    model: str = ""
    finish_reason: str = "stop"
    stop_reason: Any = None
    usage: dict[str, Any] = field(default_factory=dict)
    laar: dict[str, Any] | None = None
    calls: dict[int, ToldCall] = field(default_factory=dict)

    def count(self, name: str, detail: str = "") -> int:
        """A count of the usage or of its details; 0 where the engine does not tell it."""
        found = self.usage.get(name)
        if detail:
            found = found.get(detail) if isinstance(found, dict) else None
        return found if isinstance(found, int) else 0


_ANSWER = msgspec.json.Decoder(_Answer)


class Exchange:
    """A request and its answer, whole or as a stream, as they stand in OpenAI's chat or completions."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def answer(self, body: bytes) -> bytes:
        """The whole answer as the client reads it."""
        return body

    def events(self, events: bytes) -> bytes:
        """Some whole events of a stream as the client reads them."""
        return events


class Translation(Exchange, ABC):
    """A request of another API, as the chat request that asks for the same, and its answer in that API's words.

    An answer is a row of parts, one after the other, and then its tool calls, which are told when they are whole: no
    API but OpenAI's chat can tell parts of several calls by turns. `ignored` are fields that change nothing.
    """

    def __init__(self, body: bytes, ignored: tuple[str, ...] = ()) -> None:
        super().__init__(body)
        self._ignored = ignored
        self._told = _Heard()
        self._part: Passage | None = None
        self._pieces: list[str] = []
        self._has_begun = self._has_ended = False

    def answer(self, body: bytes) -> bytes:
        heard = _ANSWER.decode(body)
        self._note(heard)
        self._spoken(heard)
        self._finish()
        return msgspec.json.encode(self._whole())

    def events(self, events: bytes) -> bytes:
        told: list[bytes] = []
        for event in filter(None, events.split(b"\n\n")):
            if event.startswith(b":"):
                told.append(event + b"\n\n")
            data = b"".join(line[5:] for line in event.split(b"\n") if line.startswith(b"data:")).strip()
            if data:
                told += map(_event, self._heard(data))
        return b"".join(told)

    def _heard(self, data: bytes) -> list[dict[str, Any]]:
        if self._has_ended:
            return []
        if data == b"[DONE]":
            return [*self._begin(), *self._finish(), *self._end()]
        heard = _ANSWER.decode(data)
        if heard.error:
            self._has_ended = True
            error = heard.error if isinstance(heard.error, dict) else {"message": str(heard.error)}
            return [*self._begin(), *self._failure(error)]
        self._note(heard)
        return [*self._begin(), *self._spoken(heard)]

    def _begin(self) -> list[dict[str, Any]]:
        begins, self._has_begun = not self._has_begun, True
        return self._beginning() if begins else []

    def _note(self, heard: _Answer) -> None:
        """Keep what is said beside the answer itself."""
        told = self._told
        told.id, told.model = told.id or _text(heard.id), told.model or heard.model
        told.created = told.created or heard.created
        told.usage = heard.usage if isinstance(heard.usage, dict) else told.usage
        if isinstance(heard.laar, dict):
            told.laar = heard.laar
            known = heard.laar.get("ignored")
            if ignored := sorted({*map(str, known if isinstance(known, list) else ()), *self._ignored}):
                told.laar["ignored"] = ignored
        for choice in heard.first:
            told.finish_reason = choice.finish_reason or told.finish_reason
            told.stop_reason = choice.stop_reason or told.stop_reason

    def _spoken(self, heard: _Answer) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        for choice in heard.first:
            said = choice.said
            passages = (
                (Passage.REASONING, said.reasoning or said.reasoning_content),
                (Passage.TEXT, said.text),
                (Passage.REFUSAL, said.refusal),
            )
            for part, text in passages:
                if text:
                    events += self._say(part, text)
            for index, call in enumerate(said.tool_calls or ()):
                known = self._told.calls.setdefault(index if call.index is None else call.index, ToldCall())
                known.id = known.id or _text(call.id)
                if call.function is not None:
                    known.name += call.function.name or ""
                    known.arguments += call.function.written_arguments
        return events

    def _say(self, part: Passage, text: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        if part is not self._part:
            events += [*self._close(), *self._opened(part)]
            self._part = part
        self._pieces.append(text)
        return [*events, self._piece(part, text)]

    def _close(self) -> list[dict[str, Any]]:
        part, text = self._part, "".join(self._pieces)
        self._part, self._pieces = None, []
        return [] if part is None else self._closed(part, text)

    def _finish(self) -> list[dict[str, Any]]:
        events = self._close()
        for index in sorted(self._told.calls):
            events += self._called(self._told.calls[index])
        self._has_ended = True
        return events

    @abstractmethod
    def _opened(self, part: Passage) -> list[dict[str, Any]]:
        """The events before the first piece of a part."""

    @abstractmethod
    def _piece(self, part: Passage, text: str) -> dict[str, Any]: ...

    @abstractmethod
    def _closed(self, part: Passage, text: str) -> list[dict[str, Any]]:
        """The part is whole: keep it for the answer, and tell its end."""

    @abstractmethod
    def _called(self, call: ToldCall) -> list[dict[str, Any]]: ...

    @abstractmethod
    def _beginning(self) -> list[dict[str, Any]]: ...

    @abstractmethod
    def _end(self) -> list[dict[str, Any]]: ...

    @abstractmethod
    def _failure(self, error: Mapping[str, Any]) -> list[dict[str, Any]]: ...

    @abstractmethod
    def _whole(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """An API that laar speaks: how its requests are read, how it tells an error, the fields that it knows.

    `refusal` makes the error's body of an OpenAI error, its status and the request's id.
    """

    open: Callable[[bytes], Exchange]
    refusal: Callable[[Mapping[str, Any], int, str], dict[str, Any]]
    fields: tuple[str, ...]


def renamed(error: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """An OpenAI error that names the client's field, by the name of the chat field that was made of it."""
    param, message = error.get("param"), str(error.get("message", ""))
    # the chat request has no unknown field, so that is the client's own
    for name, own in names.items() if error.get("code") != UnknownFieldError.code else ():
        if param == name or str(param).startswith((name + ".", name + "[")):
            message = own + message.removeprefix(str(param)) if message.startswith(str(param)) else message
            param = own
            break
    return {**error, "param": param, "message": message}


def _text(id_: Any) -> str:
    """An id as text, also where a server counts its ids."""
    return "" if id_ is None else str(id_)


def _event(fields: Mapping[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (fields["type"].encode(), msgspec.json.encode(fields))
