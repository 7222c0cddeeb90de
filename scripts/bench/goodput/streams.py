"""An open loop of streamed requests: each is sent when it is due, however many are under way, and every token is timed.

A request that could not be sent in time is no less late: its tokens count from the moment at which it was due.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import aiohttp

from deployments.contract.reply import MAX_ANSWER_BYTES, Chunk
from deployments.engines.openai_answers import Answer, EngineError, StreamReader, failure, unchanged
from profiles.measures.goodput import Delivery
from scripts.bench.goodput.arrivals import Arrival

PATH = "/v1/chat/completions"
# full, or not ready: the server says so itself
REFUSALS = frozenset({429, 503})
# as there are too many under way at the client
NOT_SENT = "not sent"
# of seconds, as they are kept: finer than a loop under load can tell
_DIGITS = 5

How = Literal["complete", "refused", "cut off", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedRequest:
    """One request and what became of it; times are seconds since it was due.

    `how` it ended: *refused* by the server or as too many were open, *cut off* by the client's time limit, or an
    *error*; `reason` names it. `late_s` is how late it was sent. The tokens are counted by the server where it counts
    them (`is_counted`), else one for each event.
    """

    arrival: Arrival
    how: How
    reason: str = ""
    late_s: float = 0.0
    token_times_s: tuple[float, ...] = ()
    num_events: int = 0
    prompt_tokens: int | None = None
    is_counted: bool = False

    @property
    def delivery(self) -> Delivery:
        return Delivery(token_times_s=self.token_times_s, is_complete=self.how == "complete")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """What bounds the client: seconds since a request was due, and requests under way."""

    timeout_s: float
    most_open: int


class RefusalError(Exception):
    """The server answered with a status that is no 200."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class StreamServer(Protocol):
    """A server that answers a chat in pieces."""

    def stream(self, body: Mapping[str, Any]) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The bytes of the answer as they come; RefusalError, or an OSError or aiohttp.ClientError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServer:
    session: aiohttp.ClientSession
    url: str

    @asynccontextmanager
    async def stream(self, body: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[bytes]]:
        async with self.session.post(self.url + PATH, json=body) as response:
            if response.status != 200:
                raise RefusalError(response.status)
            yield response.content.iter_any()


# The body of a request, by its number.
BodyOf = Callable[[int, Arrival], Mapping[str, Any]]


async def play(
    server: StreamServer, arrivals: Sequence[Arrival], body_of: BodyOf, limits: StreamLimits
) -> list[StreamedRequest]:
    """Every request, in the order given; returns when the last one has ended."""
    clock = asyncio.get_running_loop().time
    begun_s, num_open = clock(), 0

    async def when_due(number: int, arrival: Arrival) -> StreamedRequest:
        nonlocal num_open
        due_s = begun_s + arrival.at_s
        await asyncio.sleep(max(0.0, due_s - clock()))
        if num_open >= limits.most_open:
            return StreamedRequest(
                arrival=arrival, how="refused", reason=NOT_SENT, late_s=round(clock() - due_s, _DIGITS)
            )
        num_open += 1
        try:
            return await _asked(server, arrival, body_of(number, arrival), due_s=due_s, timeout_s=limits.timeout_s)
        finally:
            num_open -= 1

    return await asyncio.gather(*(when_due(number, arrival) for number, arrival in enumerate(arrivals)))


async def _asked(
    server: StreamServer, arrival: Arrival, body: Mapping[str, Any], *, due_s: float, timeout_s: float
) -> StreamedRequest:
    clock = asyncio.get_running_loop().time
    late_s, tokens = clock() - due_s, _Tokens()
    how: How = "error"
    reason = ""
    try:
        async with asyncio.timeout_at(due_s + timeout_s), server.stream(body) as pieces:
            async for piece in pieces:
                tokens.add(piece, clock() - due_s)
            tokens.end(clock() - due_s)
        how, reason = ("complete", "") if tokens.is_finished else ("error", tokens.failure or "no end")
    except TimeoutError:
        how, reason = "cut off", "timeout"
    except RefusalError as error:
        how, reason = "refused" if error.status in REFUSALS else "error", str(error)
    except (aiohttp.ClientError, OSError, EngineError) as error:
        reason = type(error).__name__
    if tokens.is_finished and how != "complete":
        how, reason = "complete", ""  # all tokens have come; what went wrong after them is no loss
    return StreamedRequest(
        arrival=arrival,
        how=how,
        reason=reason,
        late_s=round(late_s, _DIGITS),
        token_times_s=tokens.times_s(),
        num_events=len(tokens.events),
        prompt_tokens=tokens.prompt_tokens,
        is_counted=tokens.output_tokens is not None,
    )


class _Tokens:
    """The tokens of one stream: for each event that brings some its time and how many are known to be in it."""

    def __init__(self) -> None:
        self.events: list[tuple[float, int]] = []
        self.prompt_tokens: int | None = None
        self.output_tokens: int | None = None
        self.failure = ""
        self._reader = StreamReader(self._write, failure, max_bytes=MAX_ANSWER_BYTES)
        self._counted = 0

    @property
    def is_finished(self) -> bool:
        return self._reader.is_finished

    def add(self, piece: bytes, at_s: float) -> None:
        self._take(self._reader.feed(piece), at_s)

    def end(self, at_s: float) -> None:
        self._take(self._reader.end(), at_s)

    def times_s(self) -> tuple[float, ...]:
        """The time of each token; tokens that no event was seen to bring are spread over all that brought some."""
        total = sum(number for _, number in self.events)
        counted = max(total, self.output_tokens or 0)
        times: list[float] = []
        seen = 0
        for at_s, number in self.events:
            seen += number
            times += [at_s] * (counted * seen // total - len(times))
        return tuple(times)

    def _take(self, chunks: Sequence[Any], at_s: float) -> None:
        number = 0
        for chunk in chunks:
            if isinstance(chunk, Chunk):
                number += chunk.num_tokens
            else:
                self.failure = f"status {chunk.status} in the stream"
        # where each event has a usage, the server itself says how many tokens these events brought
        if number and self.output_tokens is not None:
            number = max(number, self.output_tokens - self._counted)
        if number:
            self.events.append((round(at_s, _DIGITS), number))
            self._counted += number

    def _write(self, payload: bytes, found: Answer) -> bytes:
        self.prompt_tokens = found.counted("prompt_tokens") or self.prompt_tokens
        if (counted := found.counted("completion_tokens")) is not None:
            self.output_tokens = counted
        return unchanged(payload, found)
