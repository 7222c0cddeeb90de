"""What the router knows of each model from its own traffic: what is under way, and whether it answers."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from deployments.router.choice.latency import UNREAD_SHARE, Load

FAILURES_TO_OPEN = 3
COOLDOWN_S = 5.0
MAX_COOLDOWN_S = 60.0


class LoadTracker:
    """Counts requests per model and keeps a model that fails again and again out of the choice for a while.

    After `FAILURES_TO_OPEN` failures in a row a model counts as unhealthy for `COOLDOWN_S`, doubled with each
    further failure up to `MAX_COOLDOWN_S`; one success closes the account. `healthy` and all lists are in the
    order of `models`; the lists are the account itself, to be read at once: requests under way on all replicas, and
    what a `ReplicaLoad` tells.
    """

    def __init__(self, models: Iterable[str]) -> None:
        self._index = {model: index for index, model in enumerate(models)}
        count = len(self._index)
        self.in_flight = [0] * count
        self.running = [0.0] * count
        self.unread = [0.0] * count
        self._prompt_tokens = [0] * count
        self._replicas = [1] * count
        self._is_deployed = np.ones(count, dtype=np.bool_)
        self._failures = [0] * count
        self._open_until_s = np.zeros(count)

    def start(self, model: str, prompt_tokens: int) -> None:
        self._add(self._index[model], 1, prompt_tokens)

    def finish(self, model: str, prompt_tokens: int) -> None:
        self._add(self._index[model], -1, -prompt_tokens)

    def succeeded(self, model: str) -> None:
        index = self._index[model]
        self._failures[index] = 0
        self._open_until_s[index] = 0.0

    def failed(self, model: str, now_s: float) -> None:
        index = self._index[model]
        self._failures[index] += 1
        beyond = self._failures[index] - FAILURES_TO_OPEN
        if beyond >= 0:
            self._open_until_s[index] = now_s + min(COOLDOWN_S * 2.0 ** min(beyond, 10), MAX_COOLDOWN_S)

    def set_replicas(self, model: str, running: int) -> None:
        """Take over what the Serve controller says; no running replica means not healthy."""
        index = self._index[model]
        self._is_deployed[index] = running > 0
        self._replicas[index] = max(1, running)
        self._add(index, 0, 0)

    @property
    def load(self) -> Load:
        """The account as it is now."""
        return Load(
            in_flight=np.array(self.in_flight, dtype=np.float64),
            prompt_tokens=np.array(self._prompt_tokens, dtype=np.float64),
            replicas=np.array(self._replicas, dtype=np.float64),
        )

    def replicas(self) -> dict[str, float]:
        """How many replicas each model runs, at least one."""
        return {model: float(self._replicas[index]) for model, index in self._index.items()}

    def healthy(self, now_s: float) -> NDArray[np.bool_]:
        """Whether each model runs and is not shut out for its failures."""
        return self._is_deployed & (self._open_until_s <= now_s)

    def _add(self, index: int, requests: int, prompt_tokens: int) -> None:
        self.in_flight[index] += requests
        self._prompt_tokens[index] += prompt_tokens
        replicas = self._replicas[index]
        self.running[index] = self.in_flight[index] / replicas
        self.unread[index] = UNREAD_SHARE * self._prompt_tokens[index] / replicas
