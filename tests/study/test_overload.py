"""Two tenants at one gate, one of them sending five times what the models can serve."""

import asyncio
import random
from collections.abc import Callable

import pytest

from deployments.contract.errors import OverloadedError
from deployments.router.tenants.gate import Doors, Gate
from deployments.router.tenants.tenant import Tenant
from tests.unit.virtual_time import VirtualTimeLoop

PLACES, SECONDS = 32, 120.0
GREEDY, MODEST = Tenant(id="greedy", name="greedy"), Tenant(id="modest", name="modest")
Taken = dict[str, list[float]]


async def offered(rates: dict[str, float], seed: int) -> tuple[Taken, Taken]:
    """Seconds of the answers and of the refusals of each tenant, at these requests per second."""
    loop, rng = asyncio.get_running_loop(), random.Random(seed)
    doors = Doors(most=PLACES, most_waiting=16, wait_s=1.0, most_reading=128)
    gate = Gate(doors, num_routers=1, clock=loop.time)
    answered: Taken = {name: [] for name in rates}
    refused: Taken = {name: [] for name in rates}

    async def ask(tenant: Tenant, serves_s: float) -> None:
        began_s = loop.time()
        try:
            async with gate.entered(tenant):
                await asyncio.sleep(serves_s)
            answered[tenant.name].append(loop.time() - began_s)
        except OverloadedError:
            refused[tenant.name].append(loop.time() - began_s)

    async def send(tenant: Tenant, rate: float) -> None:
        async with asyncio.TaskGroup() as group:
            while loop.time() < SECONDS:
                group.create_task(ask(tenant, rng.uniform(0.5, 1.5)))
                await asyncio.sleep(rng.expovariate(rate))

    async with asyncio.TaskGroup() as group:
        for tenant in (GREEDY, MODEST):
            if tenant.name in rates:
                group.create_task(send(tenant, rates[tenant.name]))
    return answered, refused


def run(rates: dict[str, float], seed: int) -> tuple[Taken, Taken]:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(offered(rates, seed))


def p99(taken_s: list[float]) -> float:
    return sorted(taken_s)[int(0.99 * len(taken_s))]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_greedy_tenant_hardly_slows_the_other_and_waits_little_itself(
    seed: int, record_property: Callable[[str, object], None]
) -> None:
    alone, _ = run({"modest": 3.0}, seed)
    answered, refused = run({"modest": 3.0, "greedy": 5.0 * PLACES}, seed)
    modest = p99(answered["modest"]) / p99(alone["modest"])
    accepted = p99(answered["greedy"]) / p99(alone["modest"])
    record_property("modest", modest)
    record_property("accepted", accepted)
    print(f"the modest tenant's p99 {modest:.2f} times that alone; accepted requests {accepted:.2f} times")
    assert not refused["modest"]
    assert modest <= 1.5
    assert accepted <= 2.0
    assert p99(refused["greedy"]) <= 1.0
    assert sorted(refused["greedy"])[len(refused["greedy"]) // 2] == 0.0
    # nothing is left idle for it: all places are busy all the time
    assert len(answered["greedy"]) + len(answered["modest"]) >= 0.95 * PLACES * SECONDS
