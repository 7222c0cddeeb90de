"""The application's config: one typed object, checked at the start, unknown keys refused."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, field_validator, model_validator

from deployments.budgets.settings import ThinkingSettings
from deployments.engines.settings import DEFAULT_SLOTS, RemotePlan, RemoteSettings, SimulatedSettings
from deployments.log.settings import LogSettings
from deployments.router.http.request import AUTO
from deployments.router.settings import Limits, RouterSettings
from deployments.verifier.settings import JudgeSettings

SIMULATED, REMOTE = "simulated", "remote"
# No router replica learns later than 5 s after another; of these, one is for writing and reading.
MAX_LEARNING_LAG_S = 4.0


class _Strict(BaseModel):
    # the log's URL may hold a password, by mistake
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class ModelConfig(_Strict):
    """One model: a `ray.serve.llm` LLMConfig for vLLM or for a simulated engine, or a server that runs elsewhere."""

    engine: Literal["vllm", "simulated", "remote"] = "vllm"
    llm_config: Mapping[str, Any] = Field(
        default_factory=dict,
        description="Fields of ray.serve.llm.LLMConfig. `model_source: embedded:<name>` takes an embedded model.",
    )
    simulated: SimulatedSettings | None = None
    remote: RemoteSettings | None = None

    @field_validator("llm_config")
    @classmethod
    def _sections_are_mappings(cls, llm_config: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in ("model_loading_config", "engine_kwargs"):
            section = llm_config.get(name)
            if section is not None and not isinstance(section, Mapping):
                raise ValueError(f"{name} is of type {type(section).__name__}; allowed: a mapping")
        return llm_config

    @property
    def name(self) -> str:
        if self.remote is not None:
            return self.remote.model_id
        loading = self.llm_config.get("model_loading_config") or {}
        return str(loading.get("model_id", ""))

    @property
    def source(self) -> str:
        """What the model is called where it comes from, which tells its family better than its name here."""
        if self.remote is not None:
            return self.remote.served_model or self.name
        loading = self.llm_config.get("model_loading_config") or {}
        return str(loading.get("model_source") or self.name)

    @property
    def context_tokens(self) -> int:
        if self.remote is not None:
            return self.remote.max_model_len
        if self.simulated is not None:
            return self.simulated.context_tokens
        return int(self.engine_kwargs.get("max_model_len") or 0)

    @property
    def engine_kwargs(self) -> Mapping[str, Any]:
        """What vLLM is started with; nothing is known of a remote one."""
        return self.llm_config.get("engine_kwargs") or {}

    @property
    def can_think(self) -> bool:
        """Whether the engine can tell thinking from the answer, and so end it."""
        if self.remote is not None:
            return self.remote.can_think
        return bool(self.engine_kwargs.get("reasoning_config") or self.engine_kwargs.get("reasoning_parser"))

    @property
    def slots(self) -> int:
        if self.remote is not None:
            return self.remote.max_num_seqs
        if self.simulated is not None:
            return self.simulated.max_running
        return int(self.engine_kwargs.get("max_num_seqs") or DEFAULT_SLOTS)

    @property
    def has_prefix_cache(self) -> bool:
        """Whether the engine keeps a prompt that it has read; vLLM does unless told otherwise."""
        if self.remote is not None:
            return self.remote.enable_prefix_caching
        return self.simulated is None and bool(self.engine_kwargs.get("enable_prefix_caching", True))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.engine == REMOTE) != (self.remote is not None):
            raise ValueError(f"engine '{self.engine}' and the section 'remote' must go together")
        if self.remote is not None and self.llm_config:
            raise ValueError(f"'{self.name}': llm_config is for engines that laar starts, and 'remote' for others")
        if not self.name:
            raise ValueError("llm_config.model_loading_config.model_id is missing; every model needs a name")
        if self.name == AUTO:
            raise ValueError(f"model_id '{AUTO}' is taken: it stands for laar's own choice")
        if (self.engine == SIMULATED) != (self.simulated is not None):
            raise ValueError(f"'{self.name}': engine '{self.engine}' and a 'simulated' section must go together")
        if self.engine == SIMULATED and SIMULATED not in self.name:
            raise ValueError(f"model_id '{self.name}' of a simulated engine must contain '{SIMULATED}'")
        if self.context_tokens <= 0:
            raise ValueError(f"'{self.name}': llm_config.engine_kwargs.max_model_len must be set (tokens)")
        return self


class VerifierConfig(_Strict):
    judge_model: str | None = Field(default=None, description="Model that judges when a request names none.")
    judge: JudgeSettings = JudgeSettings()
    judge_timeout_s: PositiveFloat = 60.0
    custom_checks: Mapping[str, str] = Field(
        default_factory=dict, description="Checks of your own, by name: import path 'module:attribute'."
    )
    num_replicas: PositiveInt = 1
    num_cpus: float = Field(default=0.5, ge=0, description="Logical CPUs of one verifier replica.")

    @property
    def judges(self) -> list[tuple[str, str]]:
        """Every model that is to judge, with the key that says so."""
        default = [("judge_model", self.judge_model)] if self.judge_model is not None else []
        return [*default, *(("judge.panel", judge) for judge in self.judge.panel)]


class AuthConfig(_Strict):
    api_keys_env: str | None = Field(
        default=None,
        min_length=1,
        description="Environment variable with the accepted API keys, separated by commas; unset means no check.",
    )


class AppConfig(_Strict):
    profile: str | None = Field(
        default=None,
        description="Path of a capability profile, or name of one that ships with laar; else all are alike.",
    )
    models: tuple[ModelConfig, ...] = Field(min_length=1)
    router: RouterSettings = RouterSettings()
    verifier: VerifierConfig = VerifierConfig()
    limits: Limits = Limits()
    thinking: ThinkingSettings = ThinkingSettings()
    auth: AuthConfig = AuthConfig()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [model.name for model in self.models]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"model_id must be unique; more than once: {twice}")
        for key, judge in self.verifier.judges:
            if judge not in names:
                raise ValueError(f"verifier.{key} '{judge}' is not a configured model; known: {names}")
        return self

    @model_validator(mode="after")
    def _replicas_learn_in_time(self) -> Self:
        sync_s, flush_s = self.router.learning.sync_period_s, self.log.flush_period_s
        if self.router.learning.enabled and self.log.enabled and sync_s + flush_s > MAX_LEARNING_LAG_S:
            raise ValueError(
                f"router.learning.sync_period_s ({sync_s}) and log.flush_period_s ({flush_s}) together must not"
                f" exceed {MAX_LEARNING_LAG_S} s"
            )
        return self


def api_key_hashes(auth: AuthConfig, environ: Mapping[str, str]) -> frozenset[str]:
    """SHA-256 of the accepted keys; raises ValueError when keys are asked for and none is there."""
    if auth.api_keys_env is None:
        return frozenset()
    keys = [key.strip() for key in environ.get(auth.api_keys_env, "").split(",") if key.strip()]
    if not keys:
        raise ValueError(f"auth.api_keys_env: environment variable '{auth.api_keys_env}' holds no key")
    return frozenset(hashlib.sha256(key.encode()).hexdigest() for key in keys)


def remote_plans(models: Sequence[ModelConfig], environ: Mapping[str, str]) -> list[RemotePlan]:
    """How to ask the remote models; ValueError where the environment lacks a key that one names."""
    return [
        RemotePlan(name=model.name, settings=model.remote, api_key=_remote_key(model.name, model.remote, environ))
        for model in models
        if model.remote is not None
    ]


def _remote_key(name: str, remote: RemoteSettings, environ: Mapping[str, str]) -> str:
    if remote.api_key_env is None:
        return ""
    key = environ.get(remote.api_key_env, "").strip()
    if not key:
        raise ValueError(f"'{name}': remote.api_key_env: environment variable '{remote.api_key_env}' holds no key")
    if not (key.isascii() and key.isprintable()):
        raise ValueError(f"'{name}': remote.api_key_env: '{remote.api_key_env}' holds what no HTTP header can carry")
    return key
