"""The loops that run beside the requests of a replica: started in one place, and ended together."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Self


class Background:
    """An asynchronous context; at its end every loop is cancelled and waited for."""

    def __init__(self) -> None:
        self._loops: dict[str, asyncio.Task[Any]] = {}

    def start(self, does: str, loop: Coroutine[Any, Any, None]) -> None:
        """Run a loop that never ends by itself; `does` is what the router does by it, for a health check to name."""
        self._loops[does] = asyncio.create_task(loop)

    def check_health(self) -> None:
        """RuntimeError where a loop has ended."""
        for does, loop in self._loops.items():
            if loop.done():
                raise RuntimeError(f"the router no longer {does}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for loop in self._loops.values():
            loop.cancel()
        await asyncio.gather(*self._loops.values(), return_exceptions=True)
