"""The loops that follow how many replicas of each model run, and what they have under way."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping

logger = logging.getLogger("ray.serve")

STARTING_PERIOD_S = 1.0
# What takes longer to be read says nothing of what is there now.
MAX_AGE_S = 5.0
Counts = Mapping[str, int]


async def keep_counting(
    count: Callable[[], Awaitable[Counts]], see: Callable[[Counts], None], *, period_s: float
) -> None:
    """Count every `period_s` seconds, for ever, and oftener while a model does not run.

    A count that fails leaves the numbers as they are.
    """
    all_run = False
    while True:
        if (running := await count_once(count, see)) is not None:
            all_run = all(running.values())
        await asyncio.sleep(period_s if all_run else min(period_s, STARTING_PERIOD_S))


async def count_once(count: Callable[[], Awaitable[Counts]], see: Callable[[Counts], None]) -> Counts | None:
    """The numbers, which are told; None where they could not be read in time."""
    try:
        async with asyncio.timeout(MAX_AGE_S):
            running = await count()
        see(running)
    except Exception:
        logger.warning("replica counts could not be read", exc_info=True)
        return None
    return running


async def keep_reading_load(
    models: Collection[str],
    read: Callable[[str], Awaitable[float | None]],
    report: Callable[[str, float | None], None],
    *,
    period_s: float,
) -> None:
    """Report every `period_s` seconds, for ever, what a replica of each model has under way; None where no read did."""

    async def once(model: str) -> None:
        told = None
        try:
            async with asyncio.timeout(MAX_AGE_S):
                told = await read(model)
        except Exception as error:
            logger.debug("the load of model '%s' could not be read: %s", model, type(error).__name__)
        report(model, told)

    while True:
        await asyncio.gather(*map(once, models))
        await asyncio.sleep(period_s)
