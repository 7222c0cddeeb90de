import asyncio
import re
from collections.abc import AsyncGenerator, MutableMapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from deployments.contract.errors import (
    BrokenStreamError,
    EncodedBodyError,
    LaarError,
    LateStreamError,
    LogUnavailableError,
)
from deployments.contract.reply import Chunk
from deployments.router.http import sse
from deployments.router.http.http_io import Ending, GuardedStream, read_body, request_id_of, with_late_errors
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


async def send(client: Client, end: Ending, *parts: Chunk) -> None:
    stream = GuardedStream(
        pieces(*parts), end, AsyncExitStack(), {}, told_id=lambda: "laar-1", since_arrival_s=lambda: client.now_s
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
        told_id=lambda: "laar-1",
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
