import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from deployments.errors import BrokenStreamError, LaarError, LateStreamError, LogUnavailableError
from deployments.router.edge import End, GuardedStream, with_late_errors
from deployments.router.sse import DONE

SCOPE: dict[str, Any] = {"type": "http", "asgi": {"spec_version": "2.3"}}


async def pieces(*found: bytes | LaarError) -> AsyncGenerator[bytes, None]:
    for piece in found:
        await asyncio.sleep(0)
        if isinstance(piece, LaarError):
            raise piece
        yield piece


async def sent(end: End, *found: bytes | LaarError, is_client_gone: bool = False) -> bytes:
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

    stream = GuardedStream(with_late_errors(pieces(*found), end), end, AsyncExitStack(), {})
    await stream(SCOPE, receive, send)
    return b"".join(got)


async def test_whole_stream_ends_well() -> None:
    end = End()
    assert await sent(end, b"data: {}\n\n", DONE) == b"data: {}\n\n" + DONE
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
    end = End()
    body = await sent(end, b"data: {}\n\n", error)
    assert end.status == status
    assert code in body
    assert body.count(DONE) == 1


async def test_client_that_left_counts_as_such() -> None:
    end = End()
    assert await sent(end, b"data: {}\n\n", DONE, is_client_gone=True) == b""
    assert end.status == 499
