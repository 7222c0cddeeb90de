"""The way to Ray's handles, with handles that end as Ray's do when a client leaves or a replica dies."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any

import pytest

from deployments.router.attempt.backend import ServeBackend
from deployments.router.attempt.runner import BackendError

pytestmark = pytest.mark.virtual_time


class Call:
    """A call under way: one that waits until it is cancelled, as Ray does with the calls of a request."""

    def __init__(self) -> None:
        self._end = asyncio.get_running_loop().create_future()

    def cancel(self) -> None:
        self._end.cancel()

    def __await__(self) -> Any:
        return self._end.__await__()

    def __aiter__(self) -> "Call":
        return self

    async def __anext__(self) -> Any:
        return await self._end


class Handle:
    def __init__(self) -> None:
        self.calls: list[Call] = []

    def options(self, **_: object) -> "Handle":
        return self

    def remote(self, _endpoint: str, _body: bytes, overrides: Mapping[str, Any]) -> Call:
        assert overrides["model"] == "m"
        self.calls.append(Call())
        return self.calls[-1]


async def read_all(chunks: AsyncGenerator[object, None]) -> None:
    async for _ in chunks:
        pass


def stream(backend: ServeBackend) -> Awaitable[object]:
    return read_all(backend.stream("m", "chat", b"", {}))


def generate(backend: ServeBackend) -> Awaitable[object]:
    return backend.generate("m", "chat", b"", {})


WAYS = [pytest.param(stream, id="stream"), pytest.param(generate, id="whole")]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("turns", [pytest.param(turns, id=f"{turns}-turns-later") for turns in (0, 1, 2, 5)])
async def test_client_that_leaves_is_not_the_models_failure(
    way: Callable[[ServeBackend], Awaitable[object]], turns: int
) -> None:
    """Ray cancels the calls of the request before the task that waits for them."""
    handle: Any = Handle()
    task = asyncio.ensure_future(way(ServeBackend({"m": handle}, handle)))
    await asyncio.sleep(1)
    handle.calls[0].cancel()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("way", WAYS)
async def test_call_that_is_cancelled_on_the_other_side_is_a_failure(
    way: Callable[[ServeBackend], Awaitable[object]],
) -> None:
    handle: Any = Handle()
    task = asyncio.ensure_future(way(ServeBackend({"m": handle}, handle)))
    await asyncio.sleep(1)
    handle.calls[0].cancel()
    with pytest.raises(BackendError, match="model 'm': CancelledError"):
        await task
