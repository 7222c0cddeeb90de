import asyncio

import pytest

from scripts.bench.emulated.engine import EmulatedEngine, EmulatedHost
from scripts.simulate.core.engine import Engine
from tests.unit.virtual_time import jump

pytestmark = [pytest.mark.asyncio, pytest.mark.virtual_time]


def engine(slots: int = 2, growth: float = 0.5) -> EmulatedEngine:
    """A token in a second, half as long again for each request beside; a prompt token in a tenth."""
    of = Engine(
        overhead_s=0.25,
        prefill_s_per_token=0.1,
        decode_s_per_token=1.0,
        decode_growth=growth,
        slots=slots,
        overlap=0.0,
    )
    return EmulatedEngine(of, EmulatedHost())


async def ended_s(made: EmulatedEngine, at_s: float, prompt_tokens: float, output_tokens: float) -> float:
    await asyncio.sleep(at_s)
    await made.work(prompt_tokens=prompt_tokens, output_tokens=output_tokens)
    return round(asyncio.get_running_loop().time(), 3)


async def test_an_idle_engine_takes_what_the_answer_takes_alone() -> None:
    assert await ended_s(engine(), 0.0, 10, 4) == 5.25


async def test_requests_side_by_side_slow_one_another_and_more_than_slots_wait() -> None:
    made = engine()
    found = await asyncio.gather(ended_s(made, 0, 0, 2), ended_s(made, 0, 0, 4), ended_s(made, 0, 0, 2))
    # two tokens at 1.5 s each, then the third enters beside the second, and both have two left
    assert list(found) == [3.25, 6.25, 6.25]


async def test_a_client_that_leaves_makes_room() -> None:
    made = engine(slots=1)
    first = asyncio.create_task(made.work(prompt_tokens=0, output_tokens=100))
    gone = asyncio.create_task(made.work(prompt_tokens=0, output_tokens=100))
    last = asyncio.create_task(ended_s(made, 0, 0, 2))
    await asyncio.sleep(3.0)
    gone.cancel()
    first.cancel()
    assert await last == 5.25


async def test_an_answer_ends_when_due_although_its_timer_was_late() -> None:
    made = engine(slots=1)
    first, second = (asyncio.create_task(ended_s(made, 0, 0, 2)) for _ in range(2))
    await asyncio.sleep(1.0)
    jump(2.5)
    await first
    # the second began at 2 s and not at 3.5 s
    assert await second == 4.25


async def test_engines_on_one_machine_slow_one_another() -> None:
    host = EmulatedHost()
    of = Engine(
        overhead_s=0.0, prefill_s_per_token=0.0, decode_s_per_token=1.0, decode_growth=0.0, host_share=1.0, slots=2
    )
    one, other = (EmulatedEngine(of, host) for _ in range(2))
    # half as fast while both work: two tokens by 4 s, then the other's third alone
    assert list(await asyncio.gather(ended_s(one, 0, 0, 2), ended_s(other, 0, 0, 3))) == [4.0, 5.0]
