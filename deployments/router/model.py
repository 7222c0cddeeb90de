"""What the router knows of a deployed model from the config."""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import NonNegativeFloat

from deployments.engines.engine_configs import DEFAULT_SLOTS
from profiles.strict import Strict


class Medium(StrEnum):
    """What a part of a message can be besides text."""

    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"


class Price(Strict):
    """What a model's tokens cost, in the operator's currency."""

    prompt_per_million: NonNegativeFloat = 0.0
    output_per_million: NonNegativeFloat = 0.0

    def of(self, prompt_tokens: float, output_tokens: float) -> float:
        """What so many tokens cost."""
        return 1e-6 * (prompt_tokens * self.prompt_per_million + output_tokens * self.output_per_million)


FREE = Price()


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """`can_think` if its engine limits thinking; `slots` is how many requests one replica serves at once.

    It reads `media` besides text. With `has_prefix_cache` a prompt that it has read is not read again; with
    `takes_salt` its engine can keep the prompts of tenants apart there. A model of `cold_start_s` may have no replica
    at all; a request starts one, and waits that long. An adapter has a `base`: the model in whose engine it works.
    """

    name: str
    context_tokens: int
    has_prefix_cache: bool = True
    can_think: bool = False
    slots: int = DEFAULT_SLOTS
    cold_start_s: float | None = None
    takes_salt: bool = False
    price: Price = FREE
    media: frozenset[Medium] = frozenset()
    base: str | None = None
