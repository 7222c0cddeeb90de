"""What the router knows of each model: what is under way there, its own and that of others, and whether it answers."""

from collections.abc import Hashable, Iterable, Mapping
from types import MappingProxyType

from deployments.router.attempt.breaker import Breaker, BreakerState
from deployments.router.latency.expected import Load

# The newest prompt counts for this much in a model's mean length.
_NEWEST_SHARE = 0.05


class LoadTracker:
    """Counts requests per model, and has a breaker for each that keeps it out of the choice after failures.

    `load` is what is under way in all, in the order of `models`; `num_changes` says how often it has changed. The other
    ones of `num_routers` are taken to have as much under way as this one: each then spreads a burst as if it were
    alone, and no two routers see quite the same, so that they do not all turn to one model. What engines report beyond
    that is added, the more slowly the more routers there are, as their shares differ by chance.

    Every model is taken to run until the first count of its replicas; the rows in `not_running` are known not to.
    A model of `cold_start_s` scales to zero: where none of its replicas runs it can be asked, and takes so long to
    start. Adapters work in the engine of the model that `bases` names: what is under way there is that of all of them.
    """

    def __init__(
        self,
        models: Iterable[str],
        *,
        num_routers: int = 1,
        cold_start_s: Mapping[str, float] = MappingProxyType({}),
        bases: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._rows = {model: row for row, model in enumerate(models)}
        self.engines = [model for model in self._rows if model not in bases]
        # by row: that of the model whose engine it is, and by that row all that share the engine
        self._engine = [self._rows[bases.get(model, model)] for model in self._rows]
        self._sharing = [[row for row, engine in enumerate(self._engine) if engine == own] for own in self._engine]
        self._num_routers, self._cold_start_s = num_routers, cold_start_s
        count = len(self._rows)
        self.load, self.num_changes = Load.none(count), 0
        self._own, self._own_tokens = [0] * count, [0] * count
        # requests beyond what the routers have, by the reports
        self._beyond = [0.0] * count
        # of a request, as far as this router has seen
        self._mean_tokens = [0.0] * count
        self._breakers = [Breaker() for _ in self._rows]
        # the rows of those that have failed since they last succeeded
        self._failing: set[int] = set()
        self.not_running: set[int] = set()

    def start(self, model: str, prompt_tokens: int) -> None:
        row = self._rows[model]
        self._breakers[row].started()
        engine = self._engine[row]
        self._own[engine] += 1
        self._own_tokens[engine] += prompt_tokens
        mean = self._mean_tokens[engine]
        self._mean_tokens[engine] = mean + _NEWEST_SHARE * (prompt_tokens - mean) if mean else float(prompt_tokens)
        self._add_up(engine)

    def finish(self, model: str, prompt_tokens: int) -> None:
        row = self._rows[model]
        self._breakers[row].finished()
        engine = self._engine[row]
        self._own[engine] -= 1
        self._own_tokens[engine] -= prompt_tokens
        self._add_up(engine)

    def report(self, model: str, in_flight: float | None) -> None:
        """Take over how many requests a replica of a model has under way by its engine; None: it does not tell."""
        engine = self._engine[self._rows[model]]
        if in_flight is None:
            self._beyond[engine] = 0.0
        else:
            routers, told = self._num_routers, in_flight * float(self.load.replicas[engine])
            self._beyond[engine] += (told - routers * self._own[engine] - self._beyond[engine]) / routers
        self._add_up(engine)

    def _add_up(self, engine: int) -> None:
        own = self._own[engine]
        others = max(0.0, (self._num_routers - 1) * own + self._beyond[engine])
        self.num_changes += 1
        for row in self._sharing[engine]:
            self.load.in_flight[row] = own + others
            self.load.prompt_tokens[row] = self._own_tokens[engine] + others * self._mean_tokens[engine]

    def succeeded(self, model: str) -> None:
        row = self._rows[model]
        self._breakers[row].succeeded()
        self._failing.discard(row)

    def failed(self, model: str, now_s: float, *, tenant: str = "", body: Hashable = None) -> None:
        """Book a failure of the model on a tenant's request; without a body, on one that was never seen before."""
        row = self._rows[model]
        self._breakers[row].failed(now_s, tenant, object() if body is None else body)
        self._failing.add(row)

    def breaker_states(self, now_s: float, tenant: str | None = None) -> dict[str, BreakerState]:
        """Whether each model may be asked, as a tenant sees it, or all of them."""
        return {model: self._breakers[row].state(now_s, tenant) for model, row in self._rows.items()}

    def set_replicas(self, model: str, running: int) -> None:
        """Take over what the Serve controller says; with no replica it is cold if it can wake, else it does not run."""
        row = self._rows[model]
        self.num_changes += 1
        self.load.replicas[row] = max(1, running)
        cold_start_s = self._cold_start_s.get(model)
        self.load.starting_s[row] = 0.0 if running > 0 else cold_start_s or 0.0
        (self.not_running.discard if running > 0 or cold_start_s is not None else self.not_running.add)(row)

    def replicas(self) -> dict[str, float]:
        """How many replicas each model runs, at least one."""
        return {model: float(self.load.replicas[row]) for model, row in self._rows.items()}

    def running(self, model: str) -> int:
        """How many replicas a model runs, none included."""
        row = self._rows[model]
        is_cold = row in self.not_running or self.load.starting_s[row] > 0
        return 0 if is_cold else int(self.load.replicas[row])

    def unhealthy(self, now_s: float, tenant: str = "") -> set[int]:
        """The rows of models that do not run, or are kept from the tenant for their failures."""
        return self.not_running.union(row for row in self._failing if self._breakers[row].is_shut(now_s, tenant))
