"""What is asked of a simulated cluster, and when."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profiles.arrays import Floats as Floats
from profiles.measuring.measurement import Record


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulatedPrompt:
    """A prompt, or all of a kind; tokens are those of each model, in the order of the cluster's models."""

    id: str
    task: str
    language: str
    prompt_tokens: tuple[float, ...]
    output_tokens: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Traffic:
    """Request `i` is for `prompts[order[i]]` and comes at `arrival_s[i]`.

    Without arrival times it is a closed loop: each of `clients` sends the next request once its last one has ended.
    `sessions` are by request; where none are given every request is one of its own.
    """

    prompts: Sequence[SimulatedPrompt]
    order: NDArray[np.intp]
    arrival_s: Floats | None = None
    clients: int = 0
    sessions: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if (self.arrival_s is None) == (self.clients < 1):
            raise ValueError(f"arrival times or clients, one of the two; {self.clients} clients given")
        if self.arrival_s is not None and len(self.arrival_s) != len(self.order):
            raise ValueError(f"{len(self.arrival_s)} arrival times for {len(self.order)} requests")
        if self.arrival_s is not None and np.any(np.diff(self.arrival_s) < 0):
            raise ValueError("arrival times must ascend")

    def __len__(self) -> int:
        return len(self.order)


def poisson(
    prompts: Sequence[SimulatedPrompt], shares: Sequence[float], *, requests: int, rate_per_s: float, seed: int
) -> Traffic:
    """Requests at a rate, kinds by their shares; a higher rate brings the same requests closer together."""
    rng = np.random.default_rng(seed)
    gaps = rng.exponential(1.0, requests)
    return Traffic(prompts=prompts, order=_kinds(shares, requests, rng), arrival_s=np.cumsum(gaps) / rate_per_s)


def closed(
    prompts: Sequence[SimulatedPrompt], shares: Sequence[float], *, requests: int, clients: int, seed: int
) -> Traffic:
    """The same kinds, sent by clients that wait for their answers."""
    rng = np.random.default_rng(seed)
    rng.exponential(1.0, requests)
    return Traffic(prompts=prompts, order=_kinds(shares, requests, rng), clients=clients)


def recorded_prompts(records: Sequence[Record], models: Sequence[str]) -> dict[str, SimulatedPrompt]:
    """The prompts that every one of the models answered, by id, in the order of their first record."""
    found: dict[str, dict[str, Record]] = defaultdict(dict)
    for record in records:
        found[record.prompt_id][record.model] = record
    return {key: _prompt(key, [by[m] for m in models]) for key, by in found.items() if by.keys() >= set(models)}


def _prompt(key: str, answers: Sequence[Record]) -> SimulatedPrompt:
    return SimulatedPrompt(
        id=key,
        task=answers[0].task,
        language=answers[0].language,
        prompt_tokens=tuple(r.prompt_tokens for r in answers),
        output_tokens=tuple(r.output_tokens for r in answers),
    )


def _kinds(shares: Sequence[float], requests: int, rng: np.random.Generator) -> NDArray[np.intp]:
    weights = np.asarray(shares, dtype=np.float64)
    return rng.choice(len(weights), size=requests, p=weights / weights.sum())
