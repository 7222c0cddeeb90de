"""The loop that follows how many replicas of each model run."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

logger = logging.getLogger("ray.serve")

STARTING_PERIOD_S = 1.0
Counts = Mapping[str, int]


async def keep_counting(
    count: Callable[[], Awaitable[Counts]], see: Callable[[Counts], None], *, period_s: float
) -> None:
    """Count every `period_s` seconds, for ever, and oftener while a model does not run.

    A count that fails leaves the numbers as they are.
    """
    all_run = False
    while True:
        try:
            running = await count()
            all_run = all(running.values())
            see(running)
        except Exception:
            logger.warning("replica counts could not be read", exc_info=True)
        await asyncio.sleep(period_s if all_run else min(period_s, STARTING_PERIOD_S))
