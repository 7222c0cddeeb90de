"""Keeps a model that has failed often from being asked for a while, by one key or by all."""

from collections.abc import Hashable
from enum import StrEnum

FAILURES_TO_OPEN = 3
COOLDOWN_S = 5.0
MAX_COOLDOWN_S = 60.0
# what is remembered of failures since the last success
MAX_TENANTS = 64
MAX_BODIES = 16


class BreakerState(StrEnum):
    """Closed: it is asked; open: it is not; half-open: one request is let through to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Opens after failures that no single tenant and no single request can have caused.

    `FAILURES_TO_OPEN` bodies of one tenant close a model to that tenant alone; to close it to all, a second tenant's
    request must have failed too. The same body counts once, however often it is sent. One success forgets all.
    """

    def __init__(self) -> None:
        self._failures: dict[str, set[Hashable]] = {}
        self._until_s: dict[str | None, float] = {}
        self._cooldowns: dict[str | None, int] = {}
        self._probes = 0

    def succeeded(self) -> None:
        self._failures.clear()
        self._until_s.clear()
        self._cooldowns.clear()

    def failed(self, now_s: float, tenant: str, body: Hashable) -> None:
        is_kept = tenant in self._failures or len(self._failures) < MAX_TENANTS
        bodies = self._failures.setdefault(tenant, set()) if is_kept else set()
        if len(bodies) < MAX_BODIES:
            bodies.add(body)
        if len(bodies) >= FAILURES_TO_OPEN:
            self._open(tenant, now_s)
        if len(self._failures) > 1 and sum(map(len, self._failures.values())) >= FAILURES_TO_OPEN:
            self._open(None, now_s)

    def state(self, now_s: float, tenant: str | None = None) -> BreakerState:
        """As the tenant sees it; without one, what all tenants see."""
        until_s = max((self._until_s[scope] for scope in (tenant, None) if scope in self._until_s), default=None)
        if until_s is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now_s < until_s else BreakerState.HALF_OPEN

    def is_shut(self, now_s: float, tenant: str) -> bool:
        """Whether the tenant's next request should go elsewhere."""
        state = self.state(now_s, tenant)
        return state is BreakerState.OPEN or (state is BreakerState.HALF_OPEN and self._probes > 0)

    def started(self) -> None:
        """A request was sent; while the breaker is half open it is the probe, and others wait for its outcome."""
        if self._until_s:
            self._probes += 1

    def finished(self) -> None:
        self._probes = max(0, self._probes - 1)

    def _open(self, scope: str | None, now_s: float) -> None:
        """For longer each time that a probe fails; failures of requests that were under way already change nothing."""
        if now_s < self._until_s.get(scope, now_s):
            return
        times = self._cooldowns.get(scope, 0)
        self._cooldowns[scope] = times + 1
        self._until_s[scope] = now_s + min(COOLDOWN_S * 2.0 ** min(times, 10), MAX_COOLDOWN_S)
