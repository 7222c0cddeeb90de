"""What a tenant may take per time, and what it has taken: it refills steadily, and a debt is paid off first."""

from dataclasses import dataclass
from math import ceil, inf

from deployments.contract.errors import QuotaError
from deployments.router.tenants.tenant import KeyLimits

MINUTE_S = 60.0
DAY_S = 86_400.0


class Allowance:
    """At most `amount` at once and `amount` per `period_s`. What a request costs may be known only when it has ended.

    So a request is let in while anything is left, and takes what it did cost afterwards, be it more than there was.
    """

    def __init__(self, amount: float, period_s: float, now_s: float) -> None:
        self._amount, self._rate = amount, amount / period_s
        self._left, self._at_s = amount, now_s

    def wait_s(self, now_s: float, need: float = 0.0) -> float:
        """Seconds until `need` is there, or anything at all; 0 if it is."""
        self._refill(now_s)
        missing = need - self._left
        return max(0.0, missing / self._rate) if need else (0.0 if self._left > 0 else -self._left / self._rate + 1e-3)

    def take(self, amount: float, now_s: float) -> None:
        self._refill(now_s)
        self._left -= amount

    def _refill(self, now_s: float) -> None:
        self._left = min(self._amount, self._left + (now_s - self._at_s) * self._rate)
        self._at_s = now_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a request has cost with all its attempts."""

    tokens: int = 0
    spend: float = 0.0


class Quota:
    """The allowances of one tenant at one of `num_routers` router replicas, each of which has an equal share."""

    def __init__(self, limits: KeyLimits, *, num_routers: int, now_s: float) -> None:
        self.limits = limits

        def share(amount: float | None, period_s: float, least: float = 0.0) -> Allowance | None:
            return None if amount is None else Allowance(max(amount / num_routers, least), period_s, now_s)

        self.most_concurrent = inf if (most := limits.concurrent_requests) is None else max(1, ceil(most / num_routers))
        self._requests = share(limits.requests_per_minute, MINUTE_S, least=1.0)
        self._tokens = share(limits.tokens_per_minute, MINUTE_S)
        self._spend = share(limits.spend_per_day, DAY_S)

    def begin(self, now_s: float) -> None:
        """Count a request; QuotaError says when to come again."""
        named = (("requests per minute", self._requests, 1.0), ("tokens per minute", self._tokens, 0.0))
        for what, allowance, need in (*named, ("spend per day", self._spend, 0.0)):
            if allowance is not None and (wait_s := allowance.wait_s(now_s, need)) > 0:
                raise QuotaError(f"this API key has used up its {what}", retry_after_s=ceil(wait_s))
        if self._requests is not None:
            self._requests.take(1.0, now_s)

    def charge(self, cost: Cost, now_s: float) -> None:
        """Take what a request has cost."""
        if self._tokens is not None:
            self._tokens.take(cost.tokens, now_s)
        if self._spend is not None:
            self._spend.take(cost.spend, now_s)
