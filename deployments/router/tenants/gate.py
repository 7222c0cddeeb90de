"""How many requests are under way at once, and whose turn is next: no tenant can keep another one out."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from deployments.contract.errors import OverloadedError, QuotaError
from deployments.router.tenants.allowance import Quota
from deployments.router.tenants.tenant import Tenant

# beyond this number, tenants with nothing under way are forgotten
MAX_IDLE_TENANTS = 10_000


@dataclass(slots=True, eq=False)
class _Waiter:
    """A request that waits for its turn."""

    turn: "asyncio.Future[None]"
    weight: int


@dataclass(slots=True)
class _Account:
    """What a tenant has under way. `passed` is how much room others took while its first waiter did not fit."""

    quota: Quota
    running: int = 0
    reading: int = 0
    waiting: deque[_Waiter] = field(default_factory=deque)

    passed: int = 0

    @property
    def wanted(self) -> int:
        """Sequences under way or waiting for their turn."""
        return self.running + sum(waiter.weight for waiter in self.waiting)


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
    so it waits for one request to end, not for all that came before. A request of many sequences that does not fit yet
    lets others pass, until they have taken as much room as it needs. Beyond `most_waiting` the answer is a 429 at once.
    """

    def __init__(self, doors: Doors, *, num_routers: int, clock: Callable[[], float]) -> None:
        self._doors, self._num_routers, self._clock = doors, num_routers, clock
        self._accounts: dict[str, _Account] = {}
        self._running = 0

    def take(self, doors: Doors) -> None:
        """Be this wide from now on; what is under way stays, and what waits takes no more than the whole of it."""
        self._doors = doors
        self._admit()

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
        if (wanted := account.wanted) and wanted + weight > account.quota.most_concurrent:
            raise QuotaError(f"this API key has {wanted} requests under way or waiting, its most", retry_after_s=1)
        account.quota.begin(self._clock())
        if self._has_room(weight) and not self._is_awaited():
            self._take(account, weight)
        else:
            weight = await self._turn(account, weight)
        try:
            yield account.quota
        finally:
            self._give_back(account, weight)

    async def _turn(self, account: _Account, weight: int) -> int:
        """The room that it has then taken."""
        if len(account.waiting) >= self._doors.most_waiting:
            raise OverloadedError(f"{self._doors.most} requests are under way, and the queue is full", retry_after_s=1)
        waiter = _Waiter(asyncio.get_running_loop().create_future(), weight)
        account.waiting.append(waiter)
        self._admit()
        try:
            async with asyncio.timeout(self._doors.wait_s):
                await waiter.turn
            return waiter.weight
        except BaseException as error:
            if waiter.turn.done() and not waiter.turn.cancelled():
                # let in at the very moment when it gave up
                self._give_back(account, waiter.weight)
            else:
                if waiter in account.waiting:
                    account.waiting.remove(waiter)
                # others may have waited behind it
                self._admit()
            if isinstance(error, TimeoutError):
                raise OverloadedError(
                    f"{self._doors.most} requests are under way, and none ended in time", retry_after_s=1
                ) from None
            raise

    def _admit(self) -> None:
        """Let in those whose turn it is."""
        while account := self._next():
            weight, waiter = self._first(account), account.waiting.popleft()
            waiter.weight = weight
            for other in self._awaiting():
                if other is not account and not self._has_room(self._first(other)):
                    other.passed += weight
            self._take(account, weight)
            waiter.turn.set_result(None)

    def _next(self) -> _Account | None:
        """Of the tenants whose first waiter fits, the one that then has the least under way.

        A waiter that does not fit is passed over, until others have taken as much room as it needs. Then it is next.
        """
        for account in self._awaiting():
            # one that is done has given up, and is about to find that out
            while account.waiting and account.waiting[0].turn.done():
                account.waiting.popleft()
        heads = list(self._awaiting())
        # others have had as much room as its first waiter needs
        late = max(heads, key=lambda account: account.passed - self._first(account), default=None)
        if late is not None and late.passed >= self._first(late):
            heads = [late]
        fitting = (account for account in heads if self._has_room(self._first(account)))
        return min(fitting, key=lambda account: account.running + self._first(account), default=None)

    def _first(self, account: _Account) -> int:
        """The room that its first waiter takes: no more than the whole gate, which may have been narrowed since."""
        return min(account.waiting[0].weight, self._doors.most)

    def _take(self, account: _Account, weight: int) -> None:
        account.running += weight
        account.passed = 0
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
