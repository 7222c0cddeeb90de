"""The loops that follow how many replicas of each model run, what they have under way, and how they cut texts."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from deployments.engines.remote import CONNECT_TIMEOUT_S
from deployments.router.text.counted import counted_rates
from deployments.router.text.tokens import TokenRates

logger = logging.getLogger("ray.serve")

STARTING_PERIOD_S = 1.0
# What takes longer to be read says nothing of what is there now. A server that is silent ends its own probe before.
MAX_AGE_S = CONNECT_TIMEOUT_S + 1.0
# All models together; each has ended by itself before.
COUNT_TIMEOUT_S = MAX_AGE_S + 1.0
# All samples of one model together.
TOKENS_TIMEOUT_S = 30.0
# A server may be given another model under the same name.
RECOUNT_S = 3600.0
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
        async with asyncio.timeout(COUNT_TIMEOUT_S):
            running = await count()
        see(running)
    except Exception:
        logger.warning("replica counts could not be read", exc_info=True)
        return None
    return running


async def count_each(models: Mapping[str, Callable[[], Awaitable[int]]]) -> Counts:
    """How many run of each model, each counted by itself: one that cannot be counted in time has none."""

    async def once(model: str) -> int:
        try:
            async with asyncio.timeout(MAX_AGE_S):
                return await models[model]()
        except Exception:
            logger.warning("the servers of model '%s' could not be counted", model, exc_info=True)
            return 0

    return dict(zip(models, await asyncio.gather(*map(once, models)), strict=True))


async def keep_reading_load(
    models: Collection[str],
    read: Callable[[str], Awaitable[float | None]],
    report: Callable[[str, float | None], None],
    *,
    runs: Callable[[str], bool],
    period_s: float,
) -> None:
    """Report every `period_s` seconds, for ever, what a replica of each model has under way; None where no read did.

    A model that does not run is not read: a call would start one that scales to zero.
    """

    async def once(model: str) -> None:
        told = None
        try:
            if runs(model):
                async with asyncio.timeout(MAX_AGE_S):
                    told = await read(model)
        except Exception as error:
            logger.debug("the load of model '%s' could not be read: %s", model, type(error).__name__)
        report(model, told)

    while True:
        await asyncio.gather(*map(once, models))
        await asyncio.sleep(period_s)


async def keep_counting_tokens(
    models: Collection[str],
    count: Callable[[str], Awaitable[Sequence[int] | None]],
    take: Callable[[str, TokenRates], None],
    *,
    runs: Callable[[str], bool],
    period_s: float,
) -> None:
    """Take over every RECOUNT_S seconds, for ever, what each model's tokenizer makes of the samples.

    One that cannot be asked or does not run is looked at again after `period_s`.
    """

    async def is_heard(model: str) -> bool:
        if not runs(model):
            return False
        try:
            async with asyncio.timeout(TOKENS_TIMEOUT_S):
                told = await count(model)
            if told is not None:
                take(model, counted_rates(told))
        except Exception as error:
            logger.debug("the tokens of model '%s' could not be counted: %s", model, type(error).__name__)
            return False
        return True

    async def keep(model: str) -> None:
        while True:
            pause_s = RECOUNT_S if await is_heard(model) else period_s
            await asyncio.sleep(pause_s)

    await asyncio.gather(*map(keep, models))
