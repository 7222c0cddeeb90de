"""L(m, x): how long one attempt on each model takes now, from its profiled speed and what is queued there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from profiles.arrays import Floats as Floats
from profiles.profile import Latency

# Of the prompts that are under way, this share is taken to be still unread.
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
    def slowing_s(self) -> Floats:
        """Seconds more for each token written, by each request that runs beside."""
        return self.decode_s_per_token * self.decode_growth


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is under way on each model, shape (m,): requests and their prompt tokens, on all of its replicas."""

    in_flight: NDArray[np.int64]
    prompt_tokens: NDArray[np.int64]
    replicas: NDArray[np.int64]

    @classmethod
    def none(cls, count: int) -> Self:
        """Nothing under way on so many models of one replica each."""

        def every(number: int) -> NDArray[np.int64]:
            return np.full(count, number, dtype=np.int64)

        return cls(in_flight=every(0), prompt_tokens=every(0), replicas=every(1))


def idle_latency_s(speeds: Speeds, *, prompt_tokens: Floats, output_tokens: Floats) -> Floats:
    """Seconds an attempt takes on engines that have nothing else to do, shape (m,)."""
    return speeds.overhead_s + speeds.prefill_s_per_token * prompt_tokens + speeds.decode_s_per_token * output_tokens


def unread_tokens(prompt_tokens: Floats, *, has_answered: NDArray[np.bool_], load: Load) -> Floats:
    """Prompt tokens that each engine still has to read, shape (m,).

    A model that answered this very prompt has it in the prefix cache of the replica that did; that the next
    attempt gets there is as likely as any other replica.
    """
    return prompt_tokens * (1.0 - has_answered / load.replicas)


def queueing_s(speeds: Speeds, *, output_tokens: Floats, load: Load) -> Floats:
    """Seconds that an attempt takes longer because of the other requests at its model, shape (m,).

    It waits for the prefill of what is already there, and each running request slows its decoding:
    `prefill * unread + decode * growth * n * output`, with n and the unread prompt tokens counted per replica.
    """
    unread = UNREAD_SHARE * load.prompt_tokens / load.replicas
    return speeds.prefill_s_per_token * unread + speeds.slowing_s * (load.in_flight / load.replicas) * output_tokens


def loaded_latency_s(speeds: Speeds, *, idle_s: Floats, output_tokens: Floats, load: Load) -> Floats:
    """Seconds that an attempt takes now, shape (m,): those on an idle engine and those for the others there."""
    return idle_s + queueing_s(speeds, output_tokens=output_tokens, load=load)
