"""What the router knows of each model from its own traffic: what is under way, and whether it answers."""

from collections.abc import Hashable, Iterable

from deployments.router.attempt.breaker import Breaker, BreakerState
from deployments.router.choice.latency import Load


class LoadTracker:
    """Counts requests per model, and has a breaker for each that keeps it out of the choice after failures.

    `load` is the account itself, in the order of `models`, and changes with every request.
    """

    def __init__(self, models: Iterable[str]) -> None:
        self._rows = {model: row for row, model in enumerate(models)}
        self.load = Load.none(len(self._rows))
        self._breakers = [Breaker() for _ in self._rows]
        self._not_deployed: set[int] = set()

    def start(self, model: str, prompt_tokens: int) -> None:
        row = self._rows[model]
        self._breakers[row].started()
        self.load.in_flight[row] += 1
        self.load.prompt_tokens[row] += prompt_tokens

    def finish(self, model: str, prompt_tokens: int) -> None:
        row = self._rows[model]
        self._breakers[row].finished()
        self.load.in_flight[row] -= 1
        self.load.prompt_tokens[row] -= prompt_tokens

    def succeeded(self, model: str) -> None:
        self._breakers[self._rows[model]].succeeded()

    def failed(self, model: str, now_s: float, *, tenant: str = "", body: Hashable = None) -> None:
        """Book a failure of the model on a tenant's request; without a body, on one that was never seen before."""
        self._breakers[self._rows[model]].failed(now_s, tenant, object() if body is None else body)

    def breaker_states(self, now_s: float, tenant: str | None = None) -> dict[str, BreakerState]:
        """Whether each model may be asked, as a tenant sees it, or all of them."""
        return {model: self._breakers[row].state(now_s, tenant) for model, row in self._rows.items()}

    def set_replicas(self, model: str, running: int) -> None:
        """Take over what the Serve controller says; no running replica means not healthy."""
        row = self._rows[model]
        self.load.replicas[row] = max(1, running)
        (self._not_deployed.discard if running > 0 else self._not_deployed.add)(row)

    def replicas(self) -> dict[str, float]:
        """How many replicas each model runs, at least one."""
        return {model: float(self.load.replicas[row]) for model, row in self._rows.items()}

    def running(self, model: str) -> int:
        """How many replicas a model runs, none included."""
        row = self._rows[model]
        return 0 if row in self._not_deployed else int(self.load.replicas[row])

    def unhealthy(self, now_s: float, tenant: str = "") -> set[int]:
        """The rows of models that do not run, or are kept from the tenant for their failures."""
        shut = (row for row, breaker in enumerate(self._breakers) if breaker.is_shut(now_s, tenant))
        return self._not_deployed.union(shut)
