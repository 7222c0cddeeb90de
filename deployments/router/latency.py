"""L(m, x): how long one attempt on each model takes now, from its profiled speed and what is queued there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from profiles.schema import Latency

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What this router has under way on each model, shape (m,): requests and their prompt tokens, all replicas."""

    in_flight: Floats
    prompt_tokens: Floats
    replicas: Floats


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
    """Seconds more that an attempt takes for the company it has, shape (m,).

    It waits for the prefill of what is already there, and each running request slows its decoding:
    `prefill * queued + decode * growth * n * output`, with n and the queued prompt tokens counted per replica.
    Half of the queued prompts are taken to have been read already.
    """
    running = load.in_flight / load.replicas
    queued_tokens = 0.5 * load.prompt_tokens / load.replicas
    slowing = speeds.decode_s_per_token * speeds.decode_growth * running * output_tokens
    return speeds.prefill_s_per_token * queued_tokens + slowing
