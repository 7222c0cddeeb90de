"""What the operator can set about a simulated model; part of the application's config."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from profiles.schema import Latency


class SimulatedSettings(BaseModel):
    """How a simulated model behaves; every draw depends only on the seed, the model's name and the prompt."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    seed: int = 0
    profile: str | None = Field(
        default=None,
        description="A profile that has this model: its latency, and accuracy by language and length, are taken.",
    )
    accuracy: float = Field(default=1.0, ge=0, le=1, description="Chance that a prompt is answered correctly.")
    error_rate: float = Field(default=0.0, ge=0, le=1, description="Chance that a prompt ends in an engine error.")
    hang_rate: float = Field(default=0.0, ge=0, le=1, description="Chance that a prompt is never answered.")
    latency: Latency = Latency(overhead_s=0, prefill_s_per_token=0, decode_s_per_token=0)
    max_running: PositiveInt = Field(default=256, description="Requests served at once; more of them queue.")
    context_tokens: PositiveInt = 131072
    startup_s: NonNegativeFloat = 0.0
    thinking_words: NonNegativeInt = Field(
        default=0, description="Words thought before each answer, by a model with a reasoning_config."
    )
    padding_words: NonNegativeInt = Field(default=0, description="Words put behind each answer.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.error_rate + self.hang_rate > 1:
            raise ValueError(f"error_rate ({self.error_rate}) + hang_rate ({self.hang_rate}) must not exceed 1")
        if self.profile is not None and (given := self.model_fields_set & {"accuracy", "latency"}):
            raise ValueError(f"{', '.join(sorted(given))} and profile exclude each other: the profile says it")
        return self
