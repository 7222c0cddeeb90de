"""Which model would be right: as recorded, or drawn from a profile with failures that go together."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deployments.router.beliefs import Beliefs
from deployments.router.settings import Learning
from profiles.record import Record
from profiles.schema import Profile, bucket_of
from scripts.simulate.traffic import Prompt


class Truth(Protocol):
    def is_right(self, request: int, prompt: Prompt, model: int, wrong: Sequence[int]) -> bool:
        """Whether the model's first answer to the request is right, after the wrong ones of other models."""
        ...


class Recorded:
    """What was seen of every prompt on every model, at temperature 0 the same each time."""

    def __init__(self, records: Sequence[Record], models: Sequence[str]) -> None:
        rows = {name: row for row, name in enumerate(models)}
        self._right = {(r.prompt_id, rows[r.model]): r.correct for r in records if r.model in rows}

    def is_right(self, request: int, prompt: Prompt, model: int, wrong: Sequence[int]) -> bool:
        return self._right[prompt.id, model]


class Drawn:
    """Chances of a profile, each held against a number that belongs to the request and the model.

    So that two policies on the same traffic meet the same luck. A chance falls with each wrong answer before, as the
    profile's pairs say.
    """

    def __init__(self, profile: Profile, models: Sequence[str], *, requests: int, seed: int) -> None:
        self._names = tuple(models)
        self._beliefs = Beliefs(profile, models, Learning(enabled=False))
        self._edges = profile.bucket_edges
        self._luck: NDArray[np.float32] = np.random.default_rng(seed).random((requests, len(models)), dtype=np.float32)
        self._chances: dict[tuple[Prompt, tuple[int, ...]], list[float]] = {}

    def is_right(self, request: int, prompt: Prompt, model: int, wrong: Sequence[int]) -> bool:
        key = prompt, tuple(wrong)
        chances = self._chances.get(key)
        if chances is None:
            failed = [self._names[index] for index in wrong]
            chances = self._beliefs.after_failures(self._first(prompt), prompt.task, failed).tolist()
            self._chances[key] = chances
        return bool(self._luck[request, model] < chances[model])

    def _first(self, prompt: Prompt) -> NDArray[np.float64]:
        buckets = np.array([bucket_of(int(tokens), self._edges) for tokens in prompt.prompt_tokens])
        return self._beliefs.probabilities(prompt.task, prompt.language, buckets)
