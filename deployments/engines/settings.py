"""What the operator can set about simulated and remote models; part of the application's config."""

from dataclasses import dataclass, field
from typing import Self

from pydantic import (
    Field,
    HttpUrl,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    field_validator,
    model_validator,
)

from profiles.profile import Latency
from profiles.strict import Discreet, Strict

# What vLLM serves at once where max_num_seqs is not set; its own default depends on the hardware.
DEFAULT_SLOTS = 256


class SimulatedSettings(Strict):
    """How a simulated model behaves; every draw depends only on the seed, the model's name and the prompt."""

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
    spaced_json: bool = Field(default=False, description="Whether streams have blanks in their JSON, as some servers'.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.error_rate + self.hang_rate > 1:
            raise ValueError(f"error_rate ({self.error_rate}) + hang_rate ({self.hang_rate}) must not exceed 1")
        if self.profile is not None and (given := self.model_fields_set & {"accuracy", "latency"}):
            raise ValueError(f"{', '.join(sorted(given))} and profile exclude each other: the profile says it")
        return self


class RemoteSettings(Discreet):
    """An OpenAI server that runs elsewhere, and what the router must know of its model; keys are named as vLLM's."""

    model_id: str = Field(min_length=1, description="The model's name in laar.")
    urls: tuple[HttpUrl, ...] = Field(
        min_length=1, description="Where it is served, as http://host:8000/v1; all alike."
    )
    served_model: str | None = Field(default=None, min_length=1, description="The server's name for it; else model_id.")
    api_key_env: str | None = Field(
        default=None, min_length=1, description="Environment variable with the server's key."
    )
    max_model_len: PositiveInt = Field(description="Tokens of its context.")
    max_num_seqs: PositiveInt = Field(default=DEFAULT_SLOTS, description="Requests that one server works on at once.")
    enable_prefix_caching: bool = True
    can_think: bool = Field(default=False, description="Whether it takes a thinking_token_budget.")
    takes_cache_salt: bool = Field(default=False, description="Whether it takes vLLM's cache_salt.")

    @field_validator("urls")
    @classmethod
    def _are_addresses(cls, urls: tuple[HttpUrl, ...]) -> tuple[HttpUrl, ...]:
        for index, url in enumerate(urls):
            if url.username or url.password:
                raise ValueError(f"urls[{index}] holds a user or password; put a key into the variable of api_key_env")
            if (url.path or "").rstrip("/").endswith("/completions"):
                raise ValueError(
                    f"urls[{index}] (on '{url.host}') goes too far; allowed: what stands before /chat/completions"
                )
            if url.query is not None or url.fragment is not None:
                raise ValueError(
                    f"urls[{index}] (on '{url.host}') has a query or fragment; allowed: http://host:port/path"
                )
        if len({str(url).rstrip("/") for url in urls}) < len(urls):
            raise ValueError("urls: each server counts once, and one stands there twice")
        return urls


@dataclass(frozen=True, slots=True, kw_only=True)
class RemotePlan:
    """A remote model's settings with its key found out."""

    name: str
    settings: RemoteSettings
    api_key: str = field(default="", repr=False)
