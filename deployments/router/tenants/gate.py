"""How many requests are under way at once, and whose turn is next: no tenant can keep another one out."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from deployments.contract.errors import OverloadedError, QuotaError
from deployments.router.tenants.allowance import Quota
from deployments.router.tenants.tenant import Tenant

# tenants are forgotten when they have nothing under way and there are more than so many
MAX_IDLE_TENANTS = 10_000


@dataclass(slots=True)
class _Account:
    quota: Quota
    running: int = 0
    reading: int = 0
    waiting: deque[tuple["asyncio.Future[None]", int]] = field(default_factory=deque)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """How wide the gate is: `most` sequences under way, and for each tenant `most_waiting` requests that wait for a
    turn, none for longer than `wait_s`, and `most_reading` bodies that are not all here yet.
    """

    most: int
    most_waiting: int
    wait_s: float
    most_reading: int


class Gate:
    """Lets requests in while there is room, and then in the order of who has the least under way.

    A tenant may take all the room that others leave. When another one comes, the next place that is free is its own;
    so it waits for one request to end, not for all that came before. Beyond `most_waiting` the answer is a 429 at once.
    """

    def __init__(self, doors: Doors, *, num_routers: int, clock: Callable[[], float]) -> None:
        self._doors, self._num_routers, self._clock = doors, num_routers, clock
        self._accounts: dict[str, _Account] = {}
        self._running = 0

    @contextmanager
    def reading(self, tenant: Tenant) -> Iterator[None]:
        """A body on its way; it takes no room of others."""
        account = self._account(tenant)
        if account.reading >= self._doors.most_reading:
            raise OverloadedError(f"{account.reading} bodies of this API key are not here yet", retry_after_s=1)
        account.reading += 1
        try:
            yield
        finally:
            account.reading -= 1

    @asynccontextmanager
    async def entered(self, tenant: Tenant, sequences: int = 1) -> AsyncIterator[Quota]:
        """Under way until the block ends. OverloadedError where there is no room in time, QuotaError beyond its own."""
        account, weight = self._account(tenant), min(sequences, self._doors.most)
        if account.running + weight > account.quota.most_concurrent and account.running:
            raise QuotaError(f"this API key has {account.running} requests under way, its most", retry_after_s=1)
        account.quota.begin(self._clock())
        if self._has_room(weight) and not self._is_awaited():
            self._take(account, weight)
        else:
            await self._turn(account, weight)
        try:
            yield account.quota
        finally:
            self._give_back(account, weight)

    async def _turn(self, account: _Account, weight: int) -> None:
        if len(account.waiting) >= self._doors.most_waiting:
            raise OverloadedError(f"{self._doors.most} requests are under way, and the queue is full", retry_after_s=1)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        account.waiting.append((turn, weight))
        try:
            async with asyncio.timeout(self._doors.wait_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                # let in at the very moment when it gave up
                self._give_back(account, weight)
            elif (waiter := (turn, weight)) in account.waiting:
                account.waiting.remove(waiter)
            if isinstance(error, TimeoutError):
                raise OverloadedError(
                    f"{self._doors.most} requests are under way, and none ended in time", retry_after_s=1
                ) from None
            raise

    def _admit(self) -> None:
        """Let in those whose turn it is."""
        while account := min(self._awaiting(), key=lambda account: account.running, default=None):
            turn, weight = account.waiting[0]
            if not turn.done() and not self._has_room(weight):
                return
            account.waiting.popleft()
            # one that is done has given up, and is about to find that out
            if not turn.done():
                self._take(account, weight)
                turn.set_result(None)

    def _take(self, account: _Account, weight: int) -> None:
        account.running += weight
        self._running += weight

    def _give_back(self, account: _Account, weight: int) -> None:
        account.running -= weight
        self._running -= weight
        self._admit()

    def _has_room(self, weight: int) -> bool:
        return self._running + weight <= self._doors.most

    def _is_awaited(self) -> bool:
        return next(self._awaiting(), None) is not None

    def _awaiting(self) -> Iterator[_Account]:
        return (account for account in self._accounts.values() if account.waiting)

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
            if not account.running and not account.reading and not account.waiting:
                del self._accounts[tenant_id]
