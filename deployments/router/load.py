"""What the router knows of each model from its own traffic: what is under way, and whether it answers."""

from collections.abc import Iterable
from dataclasses import dataclass

from deployments.router.latency import Load

FAILURES_TO_OPEN = 3
COOLDOWN_S = 5.0
MAX_COOLDOWN_S = 60.0


@dataclass(slots=True)
class _Track:
    in_flight: int = 0
    prompt_tokens: int = 0
    replicas: int = 1
    is_deployed: bool = True
    failures: int = 0
    open_until_s: float = 0.0


class LoadTracker:
    """Counts requests per model and keeps a model that fails again and again out of the choice for a while.

    After `FAILURES_TO_OPEN` failures in a row a model counts as unhealthy for `COOLDOWN_S`, doubled with each
    further failure up to `MAX_COOLDOWN_S`; one success closes the account.
    """

    def __init__(self, models: Iterable[str]) -> None:
        self._tracks = {model: _Track() for model in models}

    def start(self, model: str, prompt_tokens: int) -> None:
        track = self._tracks[model]
        track.in_flight += 1
        track.prompt_tokens += prompt_tokens

    def finish(self, model: str, prompt_tokens: int) -> None:
        track = self._tracks[model]
        track.in_flight -= 1
        track.prompt_tokens -= prompt_tokens

    def succeeded(self, model: str) -> None:
        self._tracks[model].failures = 0
        self._tracks[model].open_until_s = 0.0

    def failed(self, model: str, now_s: float) -> None:
        track = self._tracks[model]
        track.failures += 1
        beyond = track.failures - FAILURES_TO_OPEN
        if beyond >= 0:
            track.open_until_s = now_s + min(COOLDOWN_S * 2.0 ** min(beyond, 10), MAX_COOLDOWN_S)

    def set_replicas(self, model: str, running: int) -> None:
        """Take over what the Serve controller says; no running replica means not healthy."""
        track = self._tracks[model]
        track.is_deployed = running > 0
        track.replicas = max(1, running)

    def is_healthy(self, model: str, now_s: float) -> bool:
        track = self._tracks[model]
        return track.is_deployed and now_s >= track.open_until_s

    def load(self, model: str) -> Load:
        track = self._tracks[model]
        return Load(in_flight=track.in_flight, prompt_tokens=track.prompt_tokens, replicas=track.replicas)
