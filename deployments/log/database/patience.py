"""A connection to PostgreSQL that gives a silent server up.

The server's own time limits hold only while it lives, and TCP's only while its machine does not answer. A server that
was stopped, or that waits for its disk, keeps the connection and says nothing: libpq would wait for ever.
"""

import time
from collections.abc import Callable, Generator
from math import inf
from typing import Any

import psycopg

# beyond the server's own limits for a statement and for a lock, of which it tells by itself
SILENCE_S = 35.0


class ImpatientConnection(psycopg.Connection[Any]):
    """Closes itself, with an OperationalError, where one exchange with the server takes longer than `patience_s`."""

    patience_s = SILENCE_S

    def wait(self, gen: Generator[Any, int, Any], *args: Any, **options: Any) -> Any:
        try:
            return super().wait(within(gen, self.patience_s, time.monotonic), *args, **options)
        except SilentServerError:
            self.pgconn.finish()
            raise


class SilentServerError(psycopg.OperationalError):
    """The server has not answered in time."""


def within(exchange: Generator[Any, int, Any], seconds: float, clock: Callable[[], float]) -> Generator[Any, int, Any]:
    """An exchange as psycopg drives it, which is sent 0 now and then while nothing has come; SilentServerError late."""
    due_s = clock() + seconds if seconds < inf else inf
    try:
        wanted = next(exchange)
        while True:
            ready = yield wanted
            if not ready and clock() > due_s:
                raise SilentServerError(f"the server has said nothing for {seconds:.0f} s")
            wanted = exchange.send(ready)
    except StopIteration as end:
        return end.value
