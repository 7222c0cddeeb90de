"""An event loop whose clock jumps to the next thing that is due, so that no test depends on the machine's speed."""

import asyncio
import selectors
from typing import Any

# A timer is never early, also after times were added up with rounding.
_LATE_S = 1e-6


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Time stands still while code runs and passes at once while all of it waits; for tests without sockets."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self._now_s

    def jump(self, seconds: float) -> None:
        self._now_s += seconds


class _Jumping(selectors.DefaultSelector):
    """Does not wait for as long as it is told, but moves the clock on; waiting for ever would be a deadlock."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        if found or timeout == 0:
            return found
        if timeout is None:
            raise RuntimeError("everything waits, and nothing is due")
        self._loop.jump(timeout + _LATE_S)
        return found


def jump(seconds: float) -> None:
    """Let time pass while code runs, as on a machine that is held up."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.jump(seconds)
