"""Who is let in, and when: greedy and modest tenants at one gate."""

import asyncio
from typing import Any

import pytest

from deployments.contract.errors import OverloadedError, QuotaError
from deployments.router.tenants.fair_queue import Doors
from deployments.router.tenants.gate import Gate
from deployments.router.tenants.tenant import KeyLimits, Tenant

pytestmark = pytest.mark.virtual_time

GREEDY, MODEST, OTHER = (Tenant(id=name, name=name) for name in ("greedy", "modest", "other"))


def doors(most: int, *, most_waiting: int = 2, wait_s: float = 10.0, patience_s: float = 60.0) -> Doors:
    return Doors(most=most, most_waiting=most_waiting, wait_s=wait_s, most_reading=2, patience_s=patience_s)


async def gate(most: int = 2, **more: Any) -> Gate:
    """A gate that has seen requests of a second."""
    found = Gate(doors(most, **more), num_routers=1, clock=asyncio.get_running_loop().time)
    await asyncio.gather(*(works(found, OTHER, []) for _ in range(most)))
    return found


async def works(at: Gate, tenant: Tenant, done: list[str], *, seconds: float = 1.0, sequences: int = 1) -> None:
    async with at.entered(tenant, sequences):
        await asyncio.sleep(seconds)
        done.append(f"{tenant.name} {asyncio.get_running_loop().time():g}")


async def test_place_that_gets_free_goes_to_who_has_the_least_under_way() -> None:
    found, done = await gate(), list[str]()
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(works(found, GREEDY, done))
        await asyncio.sleep(0.5)
        group.create_task(works(found, MODEST, done))
    names = [line.split()[0] for line in done]
    # of the two places that get free after a second, one is the modest tenant's, which came last
    assert (names[:2], sorted(names[2:4]), names[4:]) == (["greedy"] * 2, ["greedy", "modest"], ["greedy"])


async def test_tenant_takes_all_room_while_nobody_else_comes() -> None:
    found, done = await gate(most=8), list[str]()
    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(works(found, GREEDY, done))
    assert asyncio.get_running_loop().time() < 3


async def test_queue_that_is_full_refuses_at_once_and_only_its_own_tenant() -> None:
    found, done = await gate(), list[str]()
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(works(found, GREEDY, done))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError, match="and the queue is full") as refused:
            await works(found, GREEDY, done)
        # three wait for two places, a second each
        assert refused.value.headers == {"retry-after": "2"}
        group.create_task(works(found, MODEST, done))
    assert len(done) == 5


async def test_turn_that_does_not_come_in_time_is_a_429_and_leaves_nothing_behind() -> None:
    found, done = await gate(most=1, patience_s=0.5), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(works(found, GREEDY, done))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError, match="none ended in time"):
            await works(found, MODEST, done)
    await works(found, MODEST, done)
    assert len(done) == 2


async def test_client_that_leaves_the_queue_is_passed_over() -> None:
    found, done = await gate(most=1), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(works(found, GREEDY, done))
        await asyncio.sleep(0)
        leaving = group.create_task(works(found, MODEST, done))
        group.create_task(works(found, GREEDY, done))
        await asyncio.sleep(0.1)
        leaving.cancel()
    assert [line.split()[0] for line in done] == ["greedy", "greedy"]
    await works(found, MODEST, done)


async def test_request_waits_within_the_share_of_its_tenant_and_beyond_it_is_refused_when_it_comes() -> None:
    found, done = await gate(most=4, most_waiting=9, wait_s=0.5), list[str]()
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(works(found, GREEDY, done, seconds=30.0))
        await asyncio.sleep(20)
        with pytest.raises(OverloadedError, match="4 requests are under way, and a turn would come too late"):
            await works(found, GREEDY, done)
        for _ in range(2):
            group.create_task(works(found, MODEST, done))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError, match="a turn would come too late"):
            await works(found, MODEST, done)
        assert asyncio.get_running_loop().time() < 22
    assert len(done) == 6


async def test_waiting_request_makes_way_for_one_within_its_share() -> None:
    found, done = await gate(most=16, most_waiting=99, wait_s=1.0), list[str]()
    refused = 0

    async def tries(tenant: Tenant) -> None:
        nonlocal refused
        try:
            await works(found, tenant, done)
        except OverloadedError:
            assert tenant is GREEDY
            refused += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(16):
            group.create_task(tries(GREEDY))
        await asyncio.sleep(0.5)
        for _ in range(15):
            group.create_task(tries(GREEDY))
        await asyncio.sleep(0)
        assert refused == 0
        for _ in range(4):
            group.create_task(tries(MODEST))
        await asyncio.sleep(0.1)
        # at once, while all of them still wait
        assert (refused, done) == (4, [])
    assert [line.split()[0] for line in done].count("modest") == 4


async def test_own_patience_of_a_request_counts() -> None:
    found, done = await gate(most=1), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(works(found, GREEDY, done, seconds=9.0))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError, match="none ended in time"):
            async with found.entered(MODEST, patience_s=0.1):
                pass
    assert asyncio.get_running_loop().time() == pytest.approx(10, abs=0.01)


async def test_sequences_take_a_place_each_and_one_large_request_still_gets_in() -> None:
    found, done = await gate(most=4), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(works(found, GREEDY, done, sequences=64))
        await asyncio.sleep(0)
        group.create_task(works(found, MODEST, done))
    assert [line.split()[0] for line in done] == ["greedy", "modest"]


async def test_tenant_has_no_more_under_way_than_its_own_limit() -> None:
    found, done = await gate(most=8), list[str]()
    limited = Tenant(id="t", name="t", limits=KeyLimits(concurrent_requests=1))
    async with asyncio.TaskGroup() as group:
        group.create_task(works(found, limited, done))
        await asyncio.sleep(0)
        with pytest.raises(QuotaError, match="has 1 requests under way or waiting, its most"):
            await works(found, limited, done)
    await works(found, limited, done)


async def test_new_limits_count_at_once() -> None:
    found, done = await gate(), list[str]()
    await works(found, Tenant(id="t", name="t", limits=KeyLimits(requests_per_minute=1)), done)
    with pytest.raises(QuotaError, match="requests per minute"):
        await works(found, Tenant(id="t", name="t", limits=KeyLimits(requests_per_minute=1)), done)
    await works(found, Tenant(id="t", name="t", limits=KeyLimits(requests_per_minute=9)), done)


async def test_bodies_that_never_come_take_no_place_and_are_bounded_by_tenant() -> None:
    found, done = await gate(most=1), list[str]()
    with found.reading(GREEDY), found.reading(GREEDY):
        with pytest.raises(OverloadedError, match="2 bodies of this API key are not here yet"), found.reading(GREEDY):
            pass
        with found.reading(MODEST):
            await works(found, MODEST, done)
    with found.reading(GREEDY):
        pass


async def test_heavy_requests_of_one_tenant_do_not_keep_another_one_out() -> None:
    found, done = await gate(most=64, most_waiting=16, wait_s=1.0), list[str]()

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


async def test_large_request_is_passed_only_until_others_have_had_as_much_room() -> None:
    found, done = await gate(most=4, most_waiting=20, wait_s=60.0), list[str]()
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(works(found, MODEST, done))
            if number == 1:
                group.create_task(works(found, GREEDY, done, sequences=4))
            await asyncio.sleep(0.5)
    names = [line.split()[0] for line in done]
    assert 4 <= names.index("greedy") <= 8


async def test_waiter_that_gives_up_lets_those_behind_it_in() -> None:
    found, done = await gate(most=4), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(works(found, MODEST, done, seconds=9.0))
        await asyncio.sleep(0)
        heavy = group.create_task(works(found, GREEDY, done, sequences=4))
        group.create_task(works(found, GREEDY, done))
        await asyncio.sleep(0.5)
        heavy.cancel()
    assert done == ["greedy 2.5", "modest 10"]


async def test_waiting_requests_count_for_the_tenants_own_limit() -> None:
    found, done = await gate(most=2), list[str]()
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
    found, done = await gate(most=8, wait_s=60.0), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(works(found, GREEDY, done))
        await asyncio.sleep(0)
        group.create_task(works(found, MODEST, done, sequences=8))
        await asyncio.sleep(0)
        found.take(doors(4, wait_s=60.0))
        group.create_task(works(found, GREEDY, done, sequences=4))
        group.create_task(works(found, MODEST, done, sequences=4))
    began_s = float(done[0].split()[1])
    assert [float(line.split()[1]) - began_s for line in done] == pytest.approx([0, 1, 2, 3], abs=0.001)


async def test_request_that_waits_while_the_gate_is_narrow_takes_all_that_it_needs_of_a_wider_one() -> None:
    found, done = await gate(most=8), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(works(found, GREEDY, done))
        await asyncio.sleep(0)
        group.create_task(works(found, MODEST, done, sequences=8))
        await asyncio.sleep(0)
        for most in (2, 8):
            found.take(doors(most))
        group.create_task(works(found, GREEDY, done, sequences=2))
    began_s = float(done[0].split()[1])
    # the two pass it while it does not fit; then it runs alone, as eight
    assert [float(line.split()[1]) - began_s for line in done] == pytest.approx([0, 0, 1])
