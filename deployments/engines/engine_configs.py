"""Each engine that a model can be configured with: its settings, what the router must know of the model, its rules.

A new engine is its settings and a class here, a line in ENGINES, its section in the application's config, its own
module, and its way to a deployment in `serve_app.app`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Self

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
# What laar passes on to Ray Serve LLM, by section; it has nothing that honours other keys.
PASSED_ON: Mapping[str, Collection[str]] = {
    "llm_config": (
        "model_loading_config",
        "llm_engine",
        "engine_kwargs",
        "accelerator_type",
        "accelerator_config",
        "placement_group_config",
        "deployment_config",
        "runtime_env",
        "experimental_configs",
        "log_engine_metrics",
        "callback_config",
    ),
    "llm_config.model_loading_config": ("model_id", "model_source", "tokenizer_source"),
    "llm_config.experimental_configs": ("stream_batching_interval_ms",),
}
_ELSEWHERE = "or serve the model by itself, and name it here with engine: remote"
_ADAPTERS = (
    "write models[].adapters: {NAME: FOLDER}, and laar tells vLLM; what vLLM fetches from a bucket is not served"
)
_POOLING = "laar serves models that generate text; serve one that pools, such as for embeddings, without laar"
# Keys that laar refuses, by section and key: the values that say nothing, and what to do.
REFUSED: Mapping[tuple[str, str], tuple[Collection[Any], str]] = {
    ("llm_config", "lora_config"): ((None,), _ADAPTERS),
    ("llm_config", "server_cls"): ((None,), f"laar's own server class is used; leave the key out, {_ELSEWHERE}"),
    ("llm_config.engine_kwargs", "enable_lora"): ((None, False), _ADAPTERS),
    ("llm_config.engine_kwargs", "lora_modules"): ((None,), _ADAPTERS),
    ("llm_config.engine_kwargs", "data_parallel_size"): (
        (None, 1),
        f"an engine of laar's is one replica; set deployment_config.num_replicas, {_ELSEWHERE}",
    ),
    ("llm_config.engine_kwargs", "task"): ((None, "auto", "generate"), _POOLING),
    ("llm_config.engine_kwargs", "runner"): ((None, "auto", "generate"), _POOLING),
    ("llm_config.engine_kwargs", "convert"): ((None, "auto", "none"), _POOLING),
    ("llm_config.engine_kwargs", "pooler_config"): ((None,), _POOLING),
    ("llm_config.engine_kwargs", "override_pooler_config"): ((None,), _POOLING),
}
# Ray's routers that look into the prompt; laar hands on bytes, in which they find none.
_PROMPT_ROUTERS = ("ray.serve.llm", "ray.llm")
# Connectors that keep what one engine has read; others need a second engine.
_LONE_CONNECTORS = (
    "OffloadingConnector",
    "SimpleCPUOffloadConnector",
    "LMCacheConnectorV1",
    "LMCacheMPConnector",
    "MooncakeStoreConnector",
    "HF3FSKVConnector",
)


# Numbers of the engine that laar reckons with, each with what is wanted.
_NUMBERS: Mapping[str, tuple[Callable[[Any], float], str]] = {
    "max_model_len": (int, "a whole number of tokens"),
    "max_num_seqs": (int, "a whole number"),
    "tensor_parallel_size": (int, "a whole number"),
    "pipeline_parallel_size": (int, "a whole number"),
    "gpu_memory_utilization": (float, "a number"),
}


def refusals(llm_config: Mapping[str, Any]) -> Iterator[str]:
    """What in an LLMConfig laar cannot pass on to Ray Serve LLM: the key, and what to do."""
    sections: dict[str, Mapping[str, Any]] = {"llm_config": llm_config}
    for name in ("model_loading_config", "engine_kwargs", "deployment_config", "experimental_configs"):
        sections[f"llm_config.{name}"] = llm_config.get(name) or {}
    for (section, key), (neutral, what_to_do) in REFUSED.items():
        if (value := sections[section].get(key)) not in neutral:
            yield f"{section}.{key}: {_shown(value)} is not supported: {what_to_do}"
    for key, (number, wanted) in _NUMBERS.items():
        given = sections["llm_config.engine_kwargs"].get(key)
        if given is not None and not _is_above_0(given, number):
            yield f"llm_config.engine_kwargs.{key}: {wanted} above 0 is wanted, {_shown(given)} given"
    for section, known in PASSED_ON.items():
        refused = [key for place, key in REFUSED if place == section]
        for key in sections[section]:
            if key not in known and key not in refused:
                near = get_close_matches(str(key).lower(), (*known, *refused), n=1)
                mend = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(map(repr, known))}"
                yield f"{section}.{key}: laar does not know this key; {mend}"
    yield from _cooperating(sections["llm_config.deployment_config"], sections["llm_config.engine_kwargs"])


def _cooperating(deployment: Mapping[str, Any], engine: Mapping[str, Any]) -> Iterator[str]:
    """Refuse what works only with another of Ray's deployments beside the model's."""
    routing = deployment.get("request_router_config")
    router = routing.get("request_router_class") if isinstance(routing, Mapping) else None
    if any(module in str(router) for module in _PROMPT_ROUTERS):
        yield (
            f"llm_config.deployment_config.request_router_config: {_shown(router)} reads prompts, and laar sends bytes;"
            " leave the key out"
        )
    transfer = engine.get("kv_transfer_config")
    if transfer is None:
        return
    found = transfer if isinstance(transfer, Mapping) else {}
    if found.get("kv_connector") not in _LONE_CONNECTORS or found.get("kv_role") != "kv_both":
        yield (
            "llm_config.engine_kwargs.kv_transfer_config: laar does not part prefill from decode; allowed: kv_role"
            f" 'kv_both' with a kv_connector of {', '.join(_LONE_CONNECTORS)}, {_ELSEWHERE}"
        )


def _is_above_0(value: Any, number: Callable[[Any], float]) -> bool:
    try:
        return number(value) > 0
    except (TypeError, ValueError, OverflowError):
        return False


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str | int | float) else f"a {type(value).__name__}"


class EngineConfig(ABC):
    """A model as it is configured; `fault` says in words why it cannot be served so."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The model's name in laar; empty if the config gives none."""

    @property
    @abstractmethod
    def source(self) -> str:
        """What the model is called where it comes from, which tells its family better than its name here."""

    @property
    @abstractmethod
    def context_tokens(self) -> int: ...

    @property
    @abstractmethod
    def slots(self) -> int:
        """Requests that one replica serves at once."""

    @property
    @abstractmethod
    def can_think(self) -> bool:
        """Whether the engine can tell thinking from the answer, and so end it."""

    @property
    @abstractmethod
    def has_prefix_cache(self) -> bool:
        """Whether the engine keeps a prompt that it has read."""

    @property
    def scales_to_zero(self) -> bool:
        """Whether it may have no replica until a request wants one."""
        return False

    @property
    def fault(self) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class VllmConfig(EngineConfig):
    """vLLM, started by Ray Serve LLM; `llm_config` holds the fields of its LLMConfig."""

    llm_config: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self._loading.get("model_id", ""))

    @property
    def source(self) -> str:
        return str(self._loading.get("model_source") or self.name)

    @property
    def _loading(self) -> Mapping[str, Any]:
        return self.llm_config.get("model_loading_config") or {}

    @property
    def engine_kwargs(self) -> Mapping[str, Any]:
        return self.llm_config.get("engine_kwargs") or {}

    @property
    def context_tokens(self) -> int:
        return int(self.engine_kwargs.get("max_model_len") or 0)

    @property
    def slots(self) -> int:
        return int(self.engine_kwargs.get("max_num_seqs") or DEFAULT_SLOTS)

    @property
    def can_think(self) -> bool:
        return bool(self.engine_kwargs.get("reasoning_config") or self.engine_kwargs.get("reasoning_parser"))

    @property
    def has_prefix_cache(self) -> bool:
        # vLLM does unless told otherwise
        return bool(self.engine_kwargs.get("enable_prefix_caching", True))

    @property
    def scales_to_zero(self) -> bool:
        scaling = (self.llm_config.get("deployment_config") or {}).get("autoscaling_config")
        return isinstance(scaling, Mapping) and scaling.get("min_replicas") == 0

    @property
    def fault(self) -> str | None:
        return next(refusals(self.llm_config), None) or self._own_fault

    @property
    def _own_fault(self) -> str | None:
        if self.context_tokens > 0:
            return None
        return "llm_config.engine_kwargs.max_model_len: missing; write max_model_len: TOKENS"


class SimulatedSettings(Strict):
    """How a simulated model behaves; every draw depends only on the seed, the model's name and the prompt."""

    seed: int = 0
    profile: str | None = Field(
        default=None,
        description="A profile that has this model: its latency, and accuracy by language and length, are taken.",
    )
    accuracy: float = Field(default=1.0, ge=0, le=1, description="Chance that a prompt is answered correctly.")
    repair_accuracy: float | None = Field(
        default=None, ge=0, le=1, description="The same where an earlier answer is in the prompt; else `accuracy`."
    )
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


@dataclass(frozen=True, slots=True)
class SimulatedConfig(VllmConfig):
    """An engine that answers from its settings, in the place of vLLM."""

    settings: SimulatedSettings

    @property
    def context_tokens(self) -> int:
        return self.settings.context_tokens

    @property
    def slots(self) -> int:
        return self.settings.max_running

    @property
    def has_prefix_cache(self) -> bool:
        return False

    @property
    def _own_fault(self) -> str | None:
        if "simulated" in self.name:
            return None
        return f"model_id '{self.name}' of a simulated engine must contain 'simulated'"


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


@dataclass(frozen=True, slots=True)
class RemoteConfig(EngineConfig):
    """An OpenAI server that runs elsewhere."""

    llm_config: Mapping[str, Any]
    settings: RemoteSettings

    @property
    def name(self) -> str:
        return self.settings.model_id

    @property
    def source(self) -> str:
        return self.settings.served_model or self.name

    @property
    def context_tokens(self) -> int:
        return self.settings.max_model_len

    @property
    def slots(self) -> int:
        return self.settings.max_num_seqs

    @property
    def can_think(self) -> bool:
        return self.settings.can_think

    @property
    def has_prefix_cache(self) -> bool:
        return self.settings.enable_prefix_caching

    @property
    def fault(self) -> str | None:
        if not self.llm_config:
            return None
        return f"'{self.name}': llm_config is for engines that laar starts, and 'remote' for others"


# by the word for `engine`; each takes `llm_config` and, but for vLLM, the section that has the engine's name
ENGINES: Mapping[str, Callable[..., EngineConfig]] = {
    "vllm": VllmConfig,
    "simulated": SimulatedConfig,
    "remote": RemoteConfig,
}
