"""What the router knows of each model from its own traffic: what is under way, and whether it answers."""

from collections.abc import Iterable

from deployments.router.choice.latency import Load

FAILURES_TO_OPEN = 3
COOLDOWN_S = 5.0
MAX_COOLDOWN_S = 60.0


class LoadTracker:
    """Counts requests per model and keeps a model that fails again and again out of the choice for a while.

    After `FAILURES_TO_OPEN` failures in a row a model counts as unhealthy for `COOLDOWN_S`, doubled with each
    further failure up to `MAX_COOLDOWN_S`; one success closes the account. `load` is the account itself, in the order
    of `models`, and changes with every request.
    """

    def __init__(self, models: Iterable[str]) -> None:
        self._rows = {model: row for row, model in enumerate(models)}
        self.load = Load.none(len(self._rows))
        self._failures = [0] * len(self._rows)
        self._open_until_s: dict[int, float] = {}
        self._not_deployed: set[int] = set()

    def start(self, model: str, prompt_tokens: int) -> None:
        row = self._rows[model]
        self.load.in_flight[row] += 1
        self.load.prompt_tokens[row] += prompt_tokens

    def finish(self, model: str, prompt_tokens: int) -> None:
        row = self._rows[model]
        self.load.in_flight[row] -= 1
        self.load.prompt_tokens[row] -= prompt_tokens

    def succeeded(self, model: str) -> None:
        row = self._rows[model]
        self._failures[row] = 0
        self._open_until_s.pop(row, None)

    def failed(self, model: str, now_s: float) -> None:
        row = self._rows[model]
        self._failures[row] += 1
        beyond = self._failures[row] - FAILURES_TO_OPEN
        if beyond >= 0:
            self._open_until_s[row] = now_s + min(COOLDOWN_S * 2.0 ** min(beyond, 10), MAX_COOLDOWN_S)

    def set_replicas(self, model: str, running: int) -> None:
        """Take over what the Serve controller says; no running replica means not healthy."""
        row = self._rows[model]
        self.load.replicas[row] = max(1, running)
        (self._not_deployed.discard if running > 0 else self._not_deployed.add)(row)

    def replicas(self) -> dict[str, float]:
        """How many replicas each model runs, at least one."""
        return {model: float(self.load.replicas[row]) for model, row in self._rows.items()}

    def unhealthy(self, now_s: float) -> set[int]:
        """The rows of models that do not run, or are kept out for their failures."""
        return self._not_deployed | {row for row, until_s in self._open_until_s.items() if until_s > now_s}
