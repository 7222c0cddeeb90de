"""Two tenants at one gate, one of them sending five times what the models can serve."""

import asyncio
import random
from collections.abc import Callable, Mapping

import pytest

from deployments.contract.errors import OverloadedError
from deployments.router.tenants.fair_queue import Doors
from deployments.router.tenants.gate import Gate
from deployments.router.tenants.tenant import Tenant
from tests.unit.virtual_time import VirtualTimeLoop

PLACES, SECONDS = 32, 120.0
GREEDY, MODEST = Tenant(id="greedy", name="greedy"), Tenant(id="modest", name="modest")
Taken = dict[str, list[float]]
Served = Callable[[random.Random], float]
# seconds of a request; those of one length end in bursts, and of the last most are short and some very long
SERVED: Mapping[str, Served] = {
    "even": lambda rng: rng.uniform(0.5, 1.5),
    "equal": lambda rng: 2.0,
    "exponential": lambda rng: rng.expovariate(1.0),
    "few long": lambda rng: 11.0 if rng.random() < 0.05 else 0.5,
}


async def offered(rates: Mapping[str, float], serves: Served, seed: int) -> tuple[Taken, Taken]:
    """Seconds that answered requests waited, and refused ones, of each tenant, at these requests per second."""
    loop, rng = asyncio.get_running_loop(), random.Random(seed)
    doors = Doors(most=PLACES, most_waiting=16, wait_s=1.0, most_reading=128, patience_s=60.0)
    gate = Gate(doors, num_routers=1, clock=loop.time)
    waited: Taken = {name: [] for name in rates}
    refused: Taken = {name: [] for name in rates}

    async def ask(tenant: Tenant, serves_s: float) -> None:
        began_s = loop.time()
        try:
            async with gate.entered(tenant):
                waited[tenant.name].append(loop.time() - began_s)
                await asyncio.sleep(serves_s)
        except OverloadedError:
            refused[tenant.name].append(loop.time() - began_s)

    async def send(tenant: Tenant, rate: float) -> None:
        async with asyncio.TaskGroup() as group:
            while loop.time() < SECONDS:
                group.create_task(ask(tenant, serves(rng)))
                await asyncio.sleep(rng.expovariate(rate))

    async with asyncio.TaskGroup() as group:
        for tenant in (GREEDY, MODEST):
            if tenant.name in rates:
                group.create_task(send(tenant, rates[tenant.name]))
    return waited, refused


def run(rates: Mapping[str, float], served: str, seed: int) -> tuple[Taken, Taken]:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(offered(rates, SERVED[served], seed))


def quantile(taken_s: list[float], share: float) -> float:
    return sorted(taken_s)[int(share * len(taken_s))]


def mean_s(served: str) -> float:
    rng = random.Random(0)
    return sum(SERVED[served](rng) for _ in range(10_000)) / 10_000


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("served", SERVED)
def test_modest_tenant_is_never_refused_and_the_greedy_one_at_once(
    served: str, seed: int, record_property: Callable[[str, object], None]
) -> None:
    typical_s = mean_s(served)
    per_s = PLACES / typical_s
    waited, refused = run({"modest": per_s / 8, "greedy": 5 * per_s}, served, seed)
    modest_s, greedy_s = (quantile(waited[name], 0.99) for name in ("modest", "greedy"))
    record_property("modest_waits_p99_s", modest_s)
    record_property("greedy_waits_p99_s", greedy_s)
    print(f"{served}: p99 of waiting {modest_s:.2f} s of the modest tenant, {greedy_s:.2f} s of the greedy one")
    assert not refused["modest"]
    # by less than one request of others; where these end in bursts that is the time between two
    assert modest_s <= 0.7 * typical_s
    assert greedy_s <= max(1.2, typical_s)
    assert quantile(refused["greedy"], 0.99) <= 0.1
    # next to nothing is left idle for it
    assert sum(map(len, waited.values())) >= 0.95 * per_s * SECONDS
