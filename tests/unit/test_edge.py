from collections.abc import AsyncGenerator, MutableMapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from deployments.router import sse
from deployments.router.edge import End, GuardedStream
from profiles.goodput import Meter

TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}]}\n\n'


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


async def pieces(*parts: bytes) -> AsyncGenerator[bytes, None]:
    for part in parts:
        yield part


async def send(client: Client, end: End, *parts: bytes) -> None:
    stream = GuardedStream(pieces(*parts), end, AsyncExitStack(), {}, since_arrival_s=lambda: client.now_s)
    await stream({"type": "http", "asgi": {"spec_version": "2.4"}}, client.receive, client.send)


async def sent(client: Client, *parts: bytes) -> End:
    end = End(Meter(pace_s=0.5))
    await send(client, end, *parts)
    return end


async def test_token_counts_from_when_it_has_been_sent() -> None:
    end = await sent(Client(), sse.KEEP_ALIVE, TOKEN, TOKEN + TOKEN, LAST, sse.DONE)
    # tokens at 2 s, 3 s and 3 s; due after 0.5, 1 and 1.5
    assert (end.meter.num_tokens, end.meter.ttft_s, end.meter.tpot_s, end.meter.idle_s) == (3, 2.0, 0.5, 2.0)
    assert end.meter.is_complete


async def test_stream_that_breaks_off_is_not_complete() -> None:
    end = await sent(Client(), TOKEN, sse.error_event(b'{"error":{"message":"broke off"}}'))
    assert (end.meter.num_tokens, end.meter.is_complete) == (1, False)


async def test_what_a_client_that_left_was_not_sent_does_not_count() -> None:
    client, end = Client(stays_for=1), End(Meter(pace_s=0.5))
    with pytest.raises(ClientDisconnect, match=r"^$"):
        await send(client, end, TOKEN, TOKEN, LAST)
    assert (end.meter.num_tokens, end.meter.is_complete) == (1, False)
