"""L(m, x): how long one attempt on each model takes now, from its profiled speed and what is queued there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import add
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from profiles.profile import Latency

Floats = NDArray[np.float64]

# Of the prompts that are under way so much is taken to be still unread.
UNREAD_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class Speeds:
    """The latency coefficients of `m` models, shape (m,); what they mean stands at `Latency`."""

    overhead_s: Floats
    prefill_s_per_token: Floats
    decode_s_per_token: Floats
    decode_growth: Floats

    @classmethod
    def of(cls, latencies: Sequence[Latency]) -> Self:
        def column(name: str) -> Floats:
            return np.array([getattr(latency, name) for latency in latencies], dtype=np.float64)

        return cls(
            overhead_s=column("overhead_s"),
            prefill_s_per_token=column("prefill_s_per_token"),
            decode_s_per_token=column("decode_s_per_token"),
            decode_growth=column("decode_growth"),
        )

    @cached_property
    def reading_s(self) -> list[float]:
        """Seconds for each token read."""
        found: list[float] = self.prefill_s_per_token.tolist()
        return found

    @cached_property
    def slowing_s(self) -> list[float]:
        """Seconds more for each token written, by each request that runs beside."""
        found: list[float] = (self.decode_s_per_token * self.decode_growth).tolist()
        return found


class ReplicaLoad(Protocol):
    """What one replica of each model has under way, if all have alike: requests, and prompt tokens not read yet."""

    @property
    def running(self) -> Sequence[float]: ...

    @property
    def unread(self) -> Sequence[float]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What this router has under way on each model, shape (m,): requests and their prompt tokens, all replicas."""

    in_flight: Floats
    prompt_tokens: Floats
    replicas: Floats

    @property
    def running(self) -> list[float]:
        found: list[float] = (self.in_flight / self.replicas).tolist()
        return found

    @property
    def unread(self) -> list[float]:
        found: list[float] = (UNREAD_SHARE * self.prompt_tokens / self.replicas).tolist()
        return found


def idle_latency_s(speeds: Speeds, *, prompt_tokens: Floats, output_tokens: Floats) -> Floats:
    """Seconds an attempt takes on engines that have nothing else to do, shape (m,)."""
    return speeds.overhead_s + speeds.prefill_s_per_token * prompt_tokens + speeds.decode_s_per_token * output_tokens


def unread_tokens(prompt_tokens: Floats, *, has_answered: NDArray[np.bool_], load: Load) -> Floats:
    """Prompt tokens that each engine still has to read, shape (m,).

    A model that answered this very prompt has it in the prefix cache of the replica that did; that the next
    attempt gets there is as likely as any other replica.
    """
    return prompt_tokens * (1.0 - has_answered / load.replicas)


def queueing_s(speeds: Speeds, *, output_tokens: Iterable[float], load: ReplicaLoad) -> list[float]:
    """Seconds more that an attempt takes for the company it has, by model.

    It waits for the prefill of what is already there, and each running request slows its decoding:
    `prefill * unread + decode * growth * n * output`, with n and the unread prompt tokens counted per replica.
    """
    # numbers of Python: for a handful of models arrays take twice as long
    columns = zip(speeds.reading_s, load.unread, speeds.slowing_s, load.running, output_tokens, strict=True)
    return [
        reading_s * unread + slowing_s * running * output for reading_s, unread, slowing_s, running, output in columns
    ]


def loaded_latency_s(
    speeds: Speeds, *, idle_s: Iterable[float], output_tokens: Iterable[float], load: ReplicaLoad
) -> list[float]:
    """Seconds that an attempt takes now, by model: those on idle engines and those for company."""
    return list(map(add, idle_s, queueing_s(speeds, output_tokens=output_tokens, load=load)))
