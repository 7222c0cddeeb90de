"""The readers of the attempt log, through the views' own routes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event, Semaphore
from typing import Any
from unittest.mock import MagicMock

import httpx
from starlette.applications import Starlette

from deployments.contract.secret import Secrets
from deployments.router.http.http_io import EXCEPTION_HANDLERS
from deployments.router.page.views import Views
from deployments.router.settings import Limits
from deployments.router.tenants.gate import Gate
from deployments.router.tenants.keys import ApiKeys, key_digest, read_key_file

SECRET = Secrets(b"of the operator")
ENTRIES: list[dict[str, Any]] = [{"name": name, "hash": key_digest(SECRET, f"key-{name}")} for name in "abc"]
ENTRIES[2]["limits"] = {"requests_per_minute": 1}
ENTRIES[1]["roles"] = ["admin", "ask"]


class SlowLog:
    """A log whose readers wait until they are let go."""

    def __init__(self) -> None:
        self.started, self.is_free = Semaphore(0), Event()
        self.scrapes = 0
        self.is_scraped = asyncio.Event()

    def attempts(self, wanted: Any, limit: int) -> list[dict[str, Any]]:
        self.started.release()
        assert self.is_free.wait(10)
        return []

    async def node_metrics(self) -> list[str | None]:
        """Nodes as slow as the log."""
        self.scrapes += 1
        self.is_scraped.set()
        assert await asyncio.to_thread(self.is_free.wait, 10)
        return [None]


@asynccontextmanager
async def served() -> AsyncIterator[tuple[httpx.AsyncClient, SlowLog]]:
    keys, log = ApiKeys(SECRET, entries=()), SlowLog()
    keys.replace(read_key_file(json.dumps({"keys": ENTRIES}).encode()))
    gate = Gate(Limits().doors, num_routers=1, clock=lambda: 0.0)
    others: dict[str, Any] = {name: MagicMock() for name in ("routing", "recent", "versions", "settings")}
    others["log"] = log
    views = Views(
        **others,
        keys=keys,
        gate=gate,
        replica="r",
        node_metrics=log.node_metrics,
        clock=lambda: 0.0,
        wall=lambda: 0.0,
    )
    app = Starlette(routes=views.routes(), exception_handlers=EXCEPTION_HANDLERS)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://laar") as client:
        try:
            yield client, log
        finally:
            log.is_free.set()


async def read(client: httpx.AsyncClient, name: str) -> int:
    answer = await client.get("/v1/laar/attempts", headers={"authorization": f"Bearer key-{name}"})
    return answer.status_code


async def test_tenant_that_reads_the_log_keeps_no_other_from_it() -> None:
    async with served() as (client, log), asyncio.timeout(10):
        first = asyncio.create_task(read(client, "a"))
        assert await asyncio.to_thread(log.started.acquire, timeout=10)
        assert [await read(client, "a") for _ in range(3)] == [429] * 3
        other = asyncio.create_task(read(client, "b"))
        assert await asyncio.to_thread(log.started.acquire, timeout=10)
        log.is_free.set()
        assert (await first, await other) == (200, 200)


async def test_reader_that_went_away_counts_until_its_thread_ends() -> None:
    async with served() as (client, log), asyncio.timeout(10):
        first = asyncio.create_task(read(client, "a"))
        assert await asyncio.to_thread(log.started.acquire, timeout=10)
        first.cancel()
        await asyncio.wait([first])
        assert await read(client, "a") == 429
        log.is_free.set()
        while await read(client, "a") == 429:
            await asyncio.to_thread(bool)


async def test_reading_the_log_takes_of_the_quota() -> None:
    async with served() as (client, log), asyncio.timeout(10):
        log.is_free.set()
        assert [await read(client, "c") for _ in range(2)] == [200, 429]


async def test_metrics_are_for_admins_and_read_once_for_all_who_wait() -> None:
    async with served() as (client, log), asyncio.timeout(10):

        async def scrape(name: str) -> httpx.Response:
            return await client.get("/metrics", headers={"authorization": f"Bearer key-{name}"})

        assert (await scrape("a")).status_code == 403
        both = [asyncio.create_task(scrape("b")) for _ in range(2)]
        await log.is_scraped.wait()
        log.is_free.set()
        assert [(await one).status_code for one in both] == [200, 200]
        assert log.scrapes == 1
        assert 'laar_exporters{read="false"} 1' in (await scrape("b")).text
        assert log.scrapes == 2
