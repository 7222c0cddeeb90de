"""Who is let in, and when: greedy and modest tenants at one gate."""

import asyncio

import pytest

from deployments.contract.errors import OverloadedError, QuotaError
from deployments.router.tenants.gate import Doors, Gate
from deployments.router.tenants.tenant import KeyLimits, Tenant

pytestmark = pytest.mark.virtual_time

GREEDY, MODEST = Tenant(id="greedy", name="greedy"), Tenant(id="modest", name="modest")


def gate(most: int = 2, *, most_waiting: int = 2, wait_s: float = 10.0, most_reading: int = 2) -> Gate:
    doors = Doors(most=most, most_waiting=most_waiting, wait_s=wait_s, most_reading=most_reading)
    return Gate(doors, num_routers=1, clock=asyncio.get_running_loop().time)


async def works(at: Gate, tenant: Tenant, done: list[str], *, seconds: float = 1.0, sequences: int = 1) -> None:
    async with at.entered(tenant, sequences):
        await asyncio.sleep(seconds)
        done.append(f"{tenant.name} {asyncio.get_running_loop().time():g}")


async def test_place_that_gets_free_goes_to_who_has_the_least_under_way() -> None:
    found, done = gate(), list[str]()
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(works(found, GREEDY, done))
        await asyncio.sleep(0.5)
        group.create_task(works(found, MODEST, done))
    names = [line.split()[0] for line in done]
    # of the two places that get free after a second, one is the modest tenant's, which came last
    assert (names[:2], sorted(names[2:4]), names[4:]) == (["greedy"] * 2, ["greedy", "modest"], ["greedy"])


async def test_tenant_takes_all_room_while_nobody_else_comes() -> None:
    found, done = gate(most=8), list[str]()
    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(works(found, GREEDY, done))
    assert asyncio.get_running_loop().time() < 2


async def test_queue_that_is_full_refuses_at_once_and_only_its_own_tenant() -> None:
    found, done = gate(), list[str]()
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(works(found, GREEDY, done))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError, match="and the queue is full") as refused:
            await works(found, GREEDY, done)
        assert refused.value.headers == {"retry-after": "1"}
        group.create_task(works(found, MODEST, done))
    assert len(done) == 5


async def test_turn_that_does_not_come_in_time_is_a_429_and_leaves_nothing_behind() -> None:
    found, done = gate(most=1, wait_s=0.5), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(works(found, GREEDY, done))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError, match="none ended in time"):
            await works(found, MODEST, done)
    await works(found, MODEST, done)
    assert len(done) == 2


async def test_client_that_leaves_the_queue_is_passed_over() -> None:
    found, done = gate(most=1), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(works(found, GREEDY, done))
        await asyncio.sleep(0)
        leaving = group.create_task(works(found, MODEST, done))
        group.create_task(works(found, GREEDY, done))
        await asyncio.sleep(0.1)
        leaving.cancel()
    assert [line.split()[0] for line in done] == ["greedy", "greedy"]
    await works(found, MODEST, done)


async def test_sequences_take_a_place_each_and_one_large_request_still_gets_in() -> None:
    found, done = gate(most=4), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(works(found, GREEDY, done, sequences=64))
        await asyncio.sleep(0)
        group.create_task(works(found, MODEST, done))
    assert [line.split()[0] for line in done] == ["greedy", "modest"]


async def test_tenant_has_no_more_under_way_than_its_own_limit() -> None:
    found, done = gate(most=8), list[str]()
    limited = Tenant(id="t", name="t", limits=KeyLimits(concurrent_requests=1))
    async with asyncio.TaskGroup() as group:
        group.create_task(works(found, limited, done))
        await asyncio.sleep(0)
        with pytest.raises(QuotaError, match="has 1 requests under way or waiting, its most"):
            await works(found, limited, done)
    await works(found, limited, done)


async def test_new_limits_count_at_once() -> None:
    found, done = gate(), list[str]()
    await works(found, Tenant(id="t", name="t", limits=KeyLimits(requests_per_minute=1)), done)
    with pytest.raises(QuotaError, match="requests per minute"):
        await works(found, Tenant(id="t", name="t", limits=KeyLimits(requests_per_minute=1)), done)
    await works(found, Tenant(id="t", name="t", limits=KeyLimits(requests_per_minute=9)), done)


async def test_bodies_that_never_come_take_no_place_and_are_bounded_by_tenant() -> None:
    found, done = gate(most=1), list[str]()
    with found.reading(GREEDY), found.reading(GREEDY):
        with pytest.raises(OverloadedError, match="2 bodies of this API key are not here yet"), found.reading(GREEDY):
            pass
        with found.reading(MODEST):
            await works(found, MODEST, done)
    with found.reading(GREEDY):
        pass


async def test_heavy_requests_of_one_tenant_do_not_keep_another_one_out() -> None:
    found, done = gate(most=64, most_waiting=16, wait_s=1.0), list[str]()

    async def tries(tenant: Tenant, sequences: int) -> None:
        try:
            await works(found, tenant, done, seconds=0.5, sequences=sequences)
        except OverloadedError:
            done.append("refused " + tenant.name)

    async with asyncio.TaskGroup() as group:
        for _ in range(100):
            group.create_task(tries(GREEDY, 64))
            group.create_task(tries(MODEST, 1))
            await asyncio.sleep(0.1)
    assert done.count("refused modest") == 0
    # and it is not kept out either
    assert sum(line.startswith("greedy") for line in done) >= 2


async def test_waiter_that_gives_up_lets_those_behind_it_in() -> None:
    found, done = gate(most=4, wait_s=1.0), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(works(found, MODEST, done, seconds=9.0))
        await asyncio.sleep(0)
        heavy = group.create_task(works(found, GREEDY, done, sequences=4))
        group.create_task(works(found, GREEDY, done))
        await asyncio.sleep(0.5)
        heavy.cancel()
    assert done == ["greedy 1.5", "modest 9"]


async def test_waiting_requests_count_for_the_tenants_own_limit() -> None:
    found, done = gate(most=2), list[str]()
    limited = Tenant(id="t", name="t", limits=KeyLimits(concurrent_requests=1))
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(works(found, GREEDY, done))
        await asyncio.sleep(0)
        group.create_task(works(found, limited, done))
        await asyncio.sleep(0)
        with pytest.raises(QuotaError, match="has 1 requests under way or waiting"):
            await works(found, limited, done)


async def test_request_that_waits_when_the_gate_narrows_still_fits_and_gives_back_what_it_took() -> None:
    found, done = gate(most=8), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(works(found, GREEDY, done))
        await asyncio.sleep(0)
        group.create_task(works(found, MODEST, done, sequences=8))
        await asyncio.sleep(0)
        found.take(Doors(most=4, most_waiting=2, wait_s=10.0, most_reading=2))
        group.create_task(works(found, GREEDY, done, sequences=4))
        group.create_task(works(found, MODEST, done, sequences=4))
    began_s = float(done[0].split()[1])
    assert [float(line.split()[1]) - began_s for line in done] == pytest.approx([0, 1, 2, 3])


async def test_request_that_waits_while_the_gate_is_narrow_takes_all_that_it_needs_of_a_wider_one() -> None:
    found, done = gate(most=8), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(works(found, GREEDY, done))
        await asyncio.sleep(0)
        group.create_task(works(found, MODEST, done, sequences=8))
        await asyncio.sleep(0)
        for most in (2, 8):
            found.take(Doors(most=most, most_waiting=2, wait_s=10.0, most_reading=2))
        group.create_task(works(found, GREEDY, done, sequences=2))
    began_s = float(done[0].split()[1])
    # the two pass it while it does not fit; then it runs alone, as eight
    assert [float(line.split()[1]) - began_s for line in done] == pytest.approx([0, 0, 1])
