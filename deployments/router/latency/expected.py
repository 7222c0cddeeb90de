"""L(m, x): how long one attempt on each model takes now, from its profiled speed and what is queued there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from profiles.arrays import Floats as Floats
from profiles.profile import Latency


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

    def full_s(self, slots: Floats) -> Floats:
        """Seconds between two tokens of an engine that works on as many requests as it has slots."""
        return (self.decode_s_per_token + self.slowing_s * (slots - 1.0)) / slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is under way on each model, shape (m,): requests and their prompt tokens, on all of its replicas.

    `replicas` are those that run, or one where none does; such a model takes `starting_s` until it can begin.
    """

    in_flight: Floats
    prompt_tokens: Floats
    replicas: Floats
    starting_s: Floats

    @classmethod
    def none(cls, count: int) -> Self:
        """Nothing under way on this many models of one replica each."""
        return cls(
            in_flight=np.zeros(count),
            prompt_tokens=np.zeros(count),
            replicas=np.ones(count),
            starting_s=np.zeros(count),
        )


def idle_latency_s(speeds: Speeds, *, prompt_tokens: Floats, output_tokens: Floats) -> Floats:
    """Seconds an attempt takes on engines that have nothing else to do, shape (m,)."""
    return speeds.overhead_s + speeds.prefill_s_per_token * prompt_tokens + speeds.decode_s_per_token * output_tokens


def unread_tokens(prompt_tokens: Floats, *, read_tokens: Floats, load: Load) -> Floats:
    """Prompt tokens that each engine still has to read, shape (m,).

    What a model has read is in the prefix cache of the replica that did; that the next attempt gets there is as
    likely as any other replica.
    """
    return prompt_tokens - np.minimum(read_tokens, prompt_tokens) / load.replicas


def others_s(speeds: Speeds, *, load: Load, slots: Floats) -> tuple[Floats, Floats, Floats]:
    """What the other requests at a model cost an attempt, in seconds, shape (m,) each.

    The first is for reading their prompts. The second, times the tokens of an answer, is the wait for a slot, and the
    third, times the tokens, is how much those beside slow its decoding. Of the `n` others at a replica up to
    `slots - 1` run beside it; the rest leave before it begins, one after another. All their prompts are read in its
    time. Those that are read already are replaced by those that come later: in a steady state as many come during an
    attempt as it has met.
    """
    others = load.in_flight / load.replicas
    beside = np.minimum(others, slots - 1.0)
    reads_s = speeds.prefill_s_per_token * load.prompt_tokens / load.replicas
    return reads_s, (others - beside) * speeds.full_s(slots), speeds.slowing_s * beside


def loaded_latency_s(
    others: tuple[Floats, Floats, Floats],
    *,
    idle_s: Floats,
    output_tokens: Floats,
    load: Load,
    factor: Floats | float = 1.0,
) -> Floats:
    """Seconds that an attempt takes now, shape (m,): those on an idle engine, and `factor` times those for others.

    `others` is what `others_s` makes of the load.
    """
    reads_s, waits_s, slows_s = others
    found: Floats = idle_s + load.starting_s + factor * (reads_s + (waits_s + slows_s) * output_tokens)
    return found
