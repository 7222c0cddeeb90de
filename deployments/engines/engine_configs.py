"""One class per engine that a model can be configured with: what the router must know of the model, and its rules.

A new engine is a class here, a line in ENGINES, its section in the application's config, and its way to a deployment.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deployments.engines.settings import DEFAULT_SLOTS, RemoteSettings, SimulatedSettings


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
        if self.context_tokens > 0:
            return None
        return f"'{self.name}': llm_config.engine_kwargs.max_model_len must be set (tokens)"


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
    def fault(self) -> str | None:
        if "simulated" in self.name:
            return None
        return f"model_id '{self.name}' of a simulated engine must contain 'simulated'"


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
