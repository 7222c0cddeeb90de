"""The edge to HTTP: how a body is read, how a stream gives back what it holds, how errors become answers."""

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import Protocol

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from deployments.contract.errors import (
    BodyTooLargeError,
    EncodedBodyError,
    EngineRefusalError,
    LaarError,
    LogUnavailableError,
    error_body,
)
from deployments.contract.reply import Chunk
from deployments.router.attempt.served_request import ServedRequest
from deployments.router.dialects.dialects import DIALECTS, in_dialect
from deployments.router.http import sse
from deployments.router.http.request import MAX_SHOWN_CHARS, request_id_in
from profiles.measures.goodput import Meter

logger = logging.getLogger("ray.serve")

JSON = "application/json"
_SSE = "text/event-stream"
CLIENT_LEFT = 499
SERVED = ", ".join(("/v1/chat/completions", "/v1/completions", *DIALECTS))


@dataclass(slots=True)
class Ending:
    """How a request ended, as a status and an error's code, and what was delivered; streams may still learn better."""

    meter: Meter
    served: ServedRequest | None = None
    status: int = 200
    code: str = ""

    def failed(self, error: LaarError) -> None:
        self.status, self.code = status_of(error), error.code


class GuardedStream(StreamingResponse):
    """Server-sent events whose resources are given back however the sending ends, even if it never begins."""

    def __init__(
        self,
        chunks: AsyncGenerator[Chunk, None],
        end: Ending,
        guard: AsyncExitStack,
        headers: dict[str, str],
        *,
        told: Callable[[bytes], bytes],
        since_arrival_s: Callable[[], float],
    ) -> None:
        """`told` makes of a chunk's events those that the client reads."""
        super().__init__(self._watched(chunks), media_type=_SSE, headers=headers)
        self._guard, self._end, self._is_complete = guard, end, False
        self._told, self._since_arrival_s = told, since_arrival_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._guard:
            await super().__call__(scope, receive, send)
            if not self._is_complete:
                # Starlette takes a client that leaves for the end of its work
                self._end.status = CLIENT_LEFT

    async def _watched(self, chunks: AsyncGenerator[Chunk, None]) -> AsyncGenerator[bytes, None]:
        async with aclosing(chunks):
            async for chunk in chunks:
                if events := self._told(chunk.events):
                    yield events
                self._sent(chunk)

    def _sent(self, chunk: Chunk) -> None:
        """Meter what the client has been sent."""
        meter = self._end.meter
        meter.add(self._since_arrival_s(), chunk.num_tokens)
        meter.is_complete = meter.is_complete or chunk.finish_reason is not None
        # after this a client may close at once, before the generator has ended
        self._is_complete = chunk.is_last


class RequestObserver(Protocol):
    """Is told how every request ended, also of one that was refused before it could be routed, and how many go on."""

    def under_way(self, number: int) -> None: ...

    def request_ended(
        self, served: ServedRequest | None, status: int, duration_s: float, meter: Meter, code: str = ""
    ) -> None: ...


class EndedRequests(Protocol):
    """Keeps requests; may raise LogUnavailableError, which comes too late for the client."""

    def request_ended(self, served: ServedRequest, status: int) -> None: ...


class Endings:
    """Reports how each request ended."""

    def __init__(
        self, *, pace_s: float, log: EndedRequests, metrics: RequestObserver, clock: Callable[[], float]
    ) -> None:
        self._pace_s, self._log, self._metrics, self._clock = pace_s, log, metrics, clock
        self._active = 0

    @contextmanager
    def told(self, arrived_s: float) -> Iterator[Ending]:
        """A request, which has ended with the block; the block is told of, and may say better, how."""
        end = Ending(Meter(self._pace_s))
        self._active += 1
        self._metrics.under_way(self._active)
        try:
            yield end
        except LaarError as error:
            end.failed(error)
            raise
        except (asyncio.CancelledError, GeneratorExit, ClientDisconnect):
            end.status = CLIENT_LEFT
            raise
        except BaseException:
            end.status = 500
            raise
        finally:
            self._active -= 1
            self._metrics.under_way(self._active)
            if end.served is not None:
                with suppress(LogUnavailableError):  # it has been counted
                    self._log.request_ended(end.served, end.status)
                if end.served.trace is not None:
                    end.served.trace.ended(end.served, end.status, end.code)
            self._metrics.request_ended(end.served, end.status, self._clock() - arrived_s, end.meter, end.code)


def status_of(error: LaarError) -> int:
    return error.status if isinstance(error, EngineRefusalError) else error.http_status


async def with_late_errors(chunks: AsyncGenerator[Chunk, None], end: Ending) -> AsyncGenerator[Chunk, None]:
    """The chunks; an error among them comes too late for the answer's status: it is told by an event, and counted."""
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk
    except LaarError as error:
        end.failed(error)
        yield sse.error_chunk(error.body())


def name_request(http: Request, told_id: str) -> None:
    """Let an error answer have the id that the client is told, too."""
    http.scope.setdefault("laar", {})["request_id"] = told_id


def request_id_of(http: Request) -> str:
    """The id of a request from arrival to end: that of the header x-request-id if it is a UUID, else a new one."""
    state: dict[str, str] = http.scope.setdefault("laar", {})
    if "request_id" not in state:
        state["request_id"] = request_id_in(http.headers.get("x-request-id", "").lower()) or f"laar-{uuid.uuid4().hex}"
    return state["request_id"]


def id_header(http: Request) -> dict[str, str]:
    return {"x-laar-request-id": request_id_of(http)}


def _error(http: Request, body: bytes, status: int, headers: Mapping[str, str]) -> Response:
    """The answer that an OpenAI error becomes in the API that was asked."""
    told = in_dialect(http.url.path, body, status, request_id_of(http))
    return Response(told, status, {**headers, **id_header(http)}, JSON)


def _laar_error(http: Request, error: Exception) -> Response:
    assert isinstance(error, LaarError)
    return _error(http, error.body(), status_of(error), error.headers)


def _http_error(http: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    told = error.detail
    if told == HTTPStatus.NOT_FOUND.phrase:
        path = http.url.path[:MAX_SHOWN_CHARS]
        told = f"{path}: laar has no such endpoint; it serves {SERVED} and /v1/models"
    return _error(http, error_body(told, code=code), error.status_code, error.headers or {})


def _client_gone(_http: Request, _error: Exception) -> Response:
    return Response(status_code=CLIENT_LEFT)


def _internal_error(http: Request, error: Exception) -> Response:
    logger.error("request failed", exc_info=error)
    return _error(http, error_body("internal error", type_="server_error", code="internal_error"), 500, {})


def cors(origins: Sequence[str]) -> list[Middleware]:
    """Lets pages of these origins ask and read the answers; none of it where there are no origins.

    Cookies play no part, so any header may come and go.
    """
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=("*",),
            expose_headers=("*",),
        )
    ]


async def read_body(http: Request, limit: int) -> bytes:
    """The body, or a 413 as soon as it is known to be too long, or a 415 if it is compressed."""
    encoding = http.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        shown = encoding[:MAX_SHOWN_CHARS]
        raise EncodedBodyError(f"body: encoded as {shown!r}; only bodies without content-encoding are read")
    announced = http.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > limit:
        raise BodyTooLargeError(f"body: {announced} bytes; at most {limit} are allowed", param="body")
    # pieces in a list would be here twice when they are joined
    body = BytesIO()
    async for piece in http.stream():
        if body.tell() + len(piece) > limit:
            raise BodyTooLargeError(f"body: more than the {limit} bytes allowed", param="body")
        body.write(piece)
    return body.getvalue()


EXCEPTION_HANDLERS: dict[type[Exception], Callable[[Request, Exception], Response]] = {
    LaarError: _laar_error,
    HTTPException: _http_error,
    ClientDisconnect: _client_gone,
    Exception: _internal_error,
}
