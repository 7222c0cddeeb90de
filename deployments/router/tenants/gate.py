"""How many requests are under way at once, and whose turn is next: no tenant can keep another one out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

from deployments.contract.errors import OverloadedError, QuotaError
from deployments.router.tenants.allowance import Quota
from deployments.router.tenants.fair_queue import Doors, FairQueue, Turn, Waiter
from deployments.router.tenants.tenant import Tenant

# beyond this number, tenants with nothing under way are forgotten
MAX_IDLE_TENANTS = 10_000


@dataclass(slots=True)
class _Account:
    """What a tenant may take, and how many of its bodies are on their way."""

    quota: Quota
    reading: int = 0


class Gate:
    """Requests wait here for their turn in a `FairQueue`, within the limits of their tenant."""

    def __init__(self, doors: Doors, *, num_routers: int, clock: Callable[[], float]) -> None:
        self._num_routers, self._clock = num_routers, clock
        self._queue = FairQueue(doors)
        self._accounts: dict[str, _Account] = {}

    def take(self, doors: Doors) -> None:
        """Be this wide from now on; see `FairQueue.take`."""
        self._queue.take(doors, self._clock())

    @contextmanager
    def reading(self, tenant: Tenant) -> Iterator[None]:
        """A body on its way; it takes no room of others."""
        account = self._account(tenant)
        if account.reading >= self._queue.doors.most_reading:
            raise OverloadedError(f"{account.reading} bodies of this API key are not here yet", retry_after_s=1)
        account.reading += 1
        try:
            yield
        finally:
            account.reading -= 1

    @asynccontextmanager
    async def entered(
        self, tenant: Tenant, sequences: int = 1, *, patience_s: float | None = None
    ) -> AsyncIterator[Quota]:
        """Under way until the block ends. OverloadedError where there is no room in time, QuotaError beyond its own.

        It waits for no longer than `patience_s`, by default that of the doors.
        """
        doors, account = self._queue.doors, self._account(tenant)
        if (wanted := self._queue.wanted(tenant.id)) and (
            wanted + min(sequences, doors.most) > account.quota.most_concurrent
        ):
            raise QuotaError(f"this API key has {wanted} requests under way or waiting, its most", retry_after_s=1)
        account.quota.begin(self._clock())
        waiter = self._queue.join(tenant.id, sequences, self._clock())
        try:
            if waiter.turn is Turn.WAITING:
                await _told(waiter, doors.patience_s if patience_s is None else patience_s)
            if waiter.turn is Turn.WAITING:
                raise OverloadedError(f"{doors.most} requests are under way, and none ended in time", retry_after_s=1)
            if waiter.turn is Turn.REFUSED:
                raise OverloadedError(waiter.refusal, retry_after_s=waiter.retry_after_s)
            yield account.quota
        finally:
            self._queue.leave(waiter, self._clock())

    def _account(self, tenant: Tenant) -> _Account:
        """The tenant's account; new where its limits have been changed meanwhile."""
        known = self._accounts.get(tenant.id)
        if known is None:
            self._forget_idle()
            known = self._accounts[tenant.id] = _Account(self._quota(tenant))
        elif known.quota.limits != tenant.limits:
            known.quota = self._quota(tenant)
        return known

    def _quota(self, tenant: Tenant) -> Quota:
        return Quota(tenant.limits, num_routers=self._num_routers, now_s=self._clock())

    def _forget_idle(self) -> None:
        if len(self._accounts) < MAX_IDLE_TENANTS:
            return
        for tenant_id, account in list(self._accounts.items()):
            if not account.reading and not self._queue.wanted(tenant_id):
                del self._accounts[tenant_id]


async def _told(waiter: Waiter, patience_s: float) -> None:
    """Wait until its turn has come or it is refused; neither, where that takes longer than `patience_s`."""
    told = asyncio.Event()
    waiter.tell = told.set
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            await told.wait()
