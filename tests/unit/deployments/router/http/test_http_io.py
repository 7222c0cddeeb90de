import asyncio
import re
import tracemalloc
from collections.abc import AsyncGenerator, MutableMapping
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.contract.errors import (
    AuthenticationError,
    BrokenStreamError,
    EncodedBodyError,
    LaarError,
    LateStreamError,
    LogUnavailableError,
)
from deployments.contract.reply import Chunk
from deployments.router.http import sse
from deployments.router.http.http_io import (
    EXCEPTION_HANDLERS,
    Ending,
    GuardedStream,
    cors,
    read_body,
    request_id_of,
    with_late_errors,
)
from profiles.measures.goodput import Meter

TOKEN = Chunk(b"data: {}\n\n", "a", 1)
TWO_TOKENS = Chunk(b"data: {}\n\ndata: {}\n\n", "aa", 2)
LAST = Chunk(b"data: {}\n\n", finish_reason="stop")
DONE = Chunk(b"data: [DONE]\n\n", is_last=True)


class Client:
    """Takes one second for each piece that it is sent, and may leave after some."""

    def __init__(self, stays_for: int = 100) -> None:
        self.now_s = 0.0
        self._num_left = stays_for

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            if not self._num_left:
                raise OSError
            self._num_left -= 1
            self.now_s += 1.0

    async def receive(self) -> MutableMapping[str, Any]:
        raise AssertionError("nothing more is read")


async def pieces(*parts: Chunk) -> AsyncGenerator[Chunk, None]:
    for part in parts:
        yield part


def named(events: bytes) -> bytes:
    return sse.with_id(events, "laar-1")


async def send(client: Client, end: Ending, *parts: Chunk) -> None:
    stream = GuardedStream(
        pieces(*parts),
        end,
        AsyncExitStack(),
        {},
        told=named,
        since_arrival_s=lambda: client.now_s,
    )
    await stream({"type": "http", "asgi": {"spec_version": "2.4"}}, client.receive, client.send)


async def sent(client: Client, *parts: Chunk) -> Ending:
    end = Ending(Meter(pace_s=0.5))
    await send(client, end, *parts)
    return end


async def test_token_counts_from_when_it_has_been_sent() -> None:
    end = await sent(Client(), sse.KEEP_ALIVE, TOKEN, TWO_TOKENS, LAST, DONE)
    # tokens at 2 s, 3 s and 3 s; due after 0.5, 1 and 1.5
    assert (end.meter.num_tokens, end.meter.ttft_s, end.meter.tpot_s, end.meter.idle_s) == (3, 2.0, 0.5, 2.0)
    assert end.meter.is_complete


async def test_stream_that_breaks_off_is_not_complete() -> None:
    end = await sent(Client(), TOKEN, sse.error_chunk(b'{"error":{"message":"broke off"}}'))
    assert (end.meter.num_tokens, end.meter.is_complete) == (1, False)


async def test_what_a_client_that_left_was_not_sent_does_not_count() -> None:
    client, end = Client(stays_for=1), Ending(Meter(pace_s=0.5))
    with pytest.raises(ClientDisconnect, match=r"^$"):
        await send(client, end, TOKEN, TOKEN, LAST)
    assert (end.meter.num_tokens, end.meter.is_complete) == (1, False)


SCOPE: dict[str, Any] = {"type": "http", "asgi": {"spec_version": "2.3"}}


async def pieces_or_error(*found: Chunk | LaarError) -> AsyncGenerator[Chunk, None]:
    for piece in found:
        await asyncio.sleep(0)
        if isinstance(piece, LaarError):
            raise piece
        yield piece


async def delivered(end: Ending, *found: Chunk | LaarError, is_client_gone: bool = False) -> bytes:
    """What a client is sent of a stream; one that has gone takes nothing."""
    got: list[bytes] = []
    never = asyncio.Event()

    async def receive() -> dict[str, str]:
        if not is_client_gone:
            await never.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if is_client_gone:
            await never.wait()
        got.append(message.get("body", b""))

    stream = GuardedStream(
        with_late_errors(pieces_or_error(*found), end),
        end,
        AsyncExitStack(),
        {},
        told=named,
        since_arrival_s=lambda: 0.0,
    )
    await stream(SCOPE, receive, send)
    return b"".join(got)


async def test_whole_stream_ends_well() -> None:
    end = Ending(Meter(pace_s=0.5))
    assert await delivered(end, TOKEN, DONE) == TOKEN.events + DONE.events
    assert end.status == 200


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        pytest.param(BrokenStreamError("engine_500"), 503, b'"code":"engine_500"', id="broken"),
        pytest.param(LateStreamError("timed_out"), 504, b'"code":"timed_out"', id="late"),
        pytest.param(LogUnavailableError("full"), 503, b'"code":"log_unavailable"', id="log"),
    ],
)
async def test_stream_that_breaks_midway_tells_so_and_counts_as_its_error(
    error: LaarError, status: int, code: bytes
) -> None:
    end = Ending(Meter(pace_s=0.5))
    body = await delivered(end, TOKEN, error)
    assert end.status == status
    assert code in body
    assert body.count(DONE.events) == 1


async def test_client_that_left_counts_as_such() -> None:
    end = Ending(Meter(pace_s=0.5))
    assert await delivered(end, TOKEN, DONE, is_client_gone=True) == b""
    assert end.status == 499


def request(**headers: str) -> Request:
    told = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": told})


def test_id_of_a_request_is_that_of_the_header_where_it_is_a_uuid() -> None:
    uuid = "5B1F2E3D-0000-4abc-8def-0123456789ab"
    assert request_id_of(request(x_request_id=uuid)) == "laar-5b1f2e3d00004abc8def0123456789ab"
    assert request_id_of(request(x_request_id="laar-5b1f2e3d00004abc8def0123456789ab")) == request_id_of(
        request(x_request_id=uuid)
    )


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"x_request_id": "order-7"}, id="a-word"),
        pytest.param({"x_request_id": "5b1f2e3d"}, id="too-short"),
        pytest.param({"x_request_id": "laar-" + "z" * 32}, id="no-hex"),
    ],
)
def test_request_without_an_id_gets_one_that_stays(headers: dict[str, str]) -> None:
    http = request(**headers)
    found = request_id_of(http)
    assert re.fullmatch("laar-[0-9a-f]{32}", found)
    assert request_id_of(http) == found
    assert request_id_of(Request(http.scope)) == found


@pytest.mark.parametrize(
    "encoding", [pytest.param("gzip", id="gzip"), pytest.param("BR", id="br"), pytest.param("x" * 10_000, id="long")]
)
async def test_compressed_body_is_refused_by_name(encoding: str) -> None:
    with pytest.raises(EncodedBodyError, match=f"^body: encoded as '{encoding[:64].lower()}'; only bodies without"):
        await read_body(request(content_encoding=encoding), 100)


async def test_body_in_pieces_is_held_once() -> None:
    num_left = 64

    async def receive() -> dict[str, Any]:
        nonlocal num_left
        num_left -= 1
        return {"type": "http.request", "body": bytes(64 * 1024), "more_body": num_left > 0}

    tracemalloc.start()
    try:
        body = await read_body(Request({"type": "http", "headers": []}, receive), 10**7)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(body) == 64 * 64 * 1024
    assert peak_bytes < 1.5 * len(body)


PAGE = "https://chat.example"


async def asked_by_a_page(origin: str, *allowed: str) -> tuple[httpx.Response, httpx.Response]:
    """What a browser gets that asks first whether a page may ask, and then asks without a key."""

    async def refuse(_http: Request) -> Response:
        raise AuthenticationError("no key")

    app = Starlette(
        routes=[Route("/v1/chat/completions", refuse, methods=["POST"])],
        middleware=cors(allowed),
        exception_handlers=EXCEPTION_HANDLERS,
    )
    asks_for = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,x-stainless-os",
    }
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://laar", headers={"origin": origin}) as browser:
        first = await browser.options("/v1/chat/completions", headers=asks_for)
        return first, await browser.post("/v1/chat/completions")


@pytest.mark.parametrize("allowed", [pytest.param((PAGE,), id="named"), pytest.param(("*",), id="all")])
async def test_page_of_an_allowed_origin_may_ask_and_reads_errors(allowed: tuple[str, ...]) -> None:
    first, answer = await asked_by_a_page(PAGE, *allowed)
    assert (first.status_code, answer.status_code) == (200, 401)
    assert "authorization" in first.headers["access-control-allow-headers"]
    for response in (first, answer):
        assert response.headers["access-control-allow-origin"] in ("*", PAGE)
        assert "access-control-allow-credentials" not in response.headers
    assert answer.headers["access-control-expose-headers"] == "*"


@pytest.mark.parametrize(
    ("allowed", "status"),
    [pytest.param((), 405, id="off"), pytest.param((PAGE,), 400, id="another")],
)
async def test_page_of_another_origin_may_not_ask(allowed: tuple[str, ...], status: int) -> None:
    first, answer = await asked_by_a_page("https://evil.example", *allowed)
    assert first.status_code == status
    for response in (first, answer):
        assert "access-control-allow-origin" not in response.headers
