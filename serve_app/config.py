"""The application's config: one typed object, checked at the start, unknown keys refused."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from deployments.budgets.settings import ThinkingSettings
from deployments.contract.secret import Secrets, read_secrets
from deployments.engines.engine_configs import ENGINES, EngineConfig, RemotePlan, RemoteSettings, SimulatedSettings
from deployments.log.settings import LogSettings
from deployments.router.http.request import AUTO
from deployments.router.model import FREE, Medium, Price
from deployments.router.settings import Limits, RouterSettings
from deployments.router.tenants.keys import AuthPlan, key_digest
from deployments.verifier.checks import Catalogue
from deployments.verifier.settings import JudgeSettings
from profiles.strict import Discreet

# No router replica learns later than 5 s after another; of these, one is for writing and reading.
MAX_LEARNING_LAG_S = 4.0
_DRAWN_BYTES = 32
_Named = Annotated[str, Field(min_length=1)]


class ModelConfig(Discreet):
    """One model: a `ray.serve.llm` LLMConfig for vLLM or for a simulated engine, or a server that runs elsewhere."""

    engine: Literal["vllm", "simulated", "remote"] = "vllm"
    llm_config: Mapping[str, Any] = Field(
        default_factory=dict,
        description="Fields of ray.serve.llm.LLMConfig. `model_source: embedded:<name>` takes an embedded model.",
    )
    cold_start_s: PositiveFloat = Field(
        default=120.0, description="Seconds to the first token of a model that scales to zero and has no replica."
    )
    simulated: SimulatedSettings | None = None
    remote: RemoteSettings | None = None
    adapters: Mapping[_Named, _Named] = Field(
        default_factory=dict,
        description="LoRA adapters that vLLM loads beside the weights, by name: their folders. Each is a model too.",
    )
    media: frozenset[Medium] = Field(
        default=frozenset(), description="What it reads besides text; a request with anything else never goes there."
    )
    price: Price = Field(default=FREE, description="What its tokens cost, for the keys' limits of spend.")
    application: str | None = Field(
        default=None,
        min_length=1,
        description="Serve application that runs this model by `build_model`; else this one.",
    )

    @field_validator("llm_config")
    @classmethod
    def _sections_are_mappings(cls, llm_config: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in ("model_loading_config", "engine_kwargs", "deployment_config", "experimental_configs"):
            section = llm_config.get(name)
            if section is not None and not isinstance(section, Mapping):
                raise ValueError(f"{name} is of type {type(section).__name__}; allowed: a mapping")
        return llm_config

    @cached_property
    def engine_config(self) -> EngineConfig:
        """The config of the engine that is named; each but vLLM's has a section of its name, which must be there."""
        given = {name: section for name in ENGINES if (section := getattr(self, name, None)) is not None}
        needed = {self.engine} & type(self).model_fields.keys()
        if odd := given.keys() - needed:
            section = min(odd)
            raise ValueError(f"there is a section '{section}', and engine is '{self.engine}'; write engine: {section}")
        if needed - given.keys():
            raise ValueError(f"engine is '{self.engine}', so the section '{self.engine}' is needed")
        return ENGINES[self.engine](self.llm_config, *given.values())

    @property
    def names(self) -> list[str]:
        """The models that its engine serves: its own weights, and each adapter."""
        return [self.engine_config.name, *self.adapters]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        engine = self.engine_config
        if not engine.name:
            raise ValueError("llm_config.model_loading_config.model_id: missing; write model_id: NAME")
        if AUTO in self.names:
            raise ValueError(f"model_id '{AUTO}' is taken: it stands for laar's own choice")
        if self.adapters and self.engine != "vllm":
            raise ValueError(
                f"'{engine.name}': adapters are for vLLM; a server elsewhere has each as a model of its own"
            )
        if engine.fault is not None:
            raise ValueError(engine.fault)
        if self.remote is not None and self.application is not None:
            raise ValueError(f"'{engine.name}': application is for models that laar starts, and 'remote' for others")
        return self


class VerifierConfig(Discreet):
    judge_model: str | None = Field(default=None, description="Model that judges when a request names none.")
    judge: JudgeSettings = JudgeSettings()
    judge_timeout_s: PositiveFloat = 60.0
    custom_checks: Mapping[str, str] = Field(
        default_factory=dict, description="Checks of your own, by name: import path 'module:attribute'."
    )
    num_replicas: PositiveInt = 1
    num_cpus: float = Field(default=0.5, ge=0, description="Logical CPUs of one verifier replica.")
    application: str | None = Field(
        default=None, min_length=1, description="Serve application that runs it by `build_verifier`; else this one."
    )

    @property
    def judges(self) -> list[tuple[str, str]]:
        """Every model that is to judge, with the key that says so."""
        default = [("judge_model", self.judge_model)] if self.judge_model is not None else []
        return [*default, *(("judge.panel", judge) for judge in self.judge.panel)]


class AuthConfig(Discreet):
    api_keys_env: str | None = Field(
        default=None,
        min_length=1,
        description="Environment variable with API keys that may do everything, separated by commas.",
    )
    keys_file: str | None = Field(
        default=None, min_length=1, description="File of named keys; read again when it changes."
    )
    refresh_s: float = Field(
        default=5.0, ge=0.1, le=3600, description="How often routers look at the files that they follow."
    )
    secrets_env: str | None = Field(
        default=None,
        min_length=1,
        description=(
            "Environment variable with the operator's secrets, separated by commas: the first one marks ids, keys,"
            " prompts and salts, and all are accepted. Without variable and file, one is drawn at each build."
        ),
    )
    secrets_file: str | None = Field(
        default=None, min_length=1, description="File with the secrets, one a line; read again when it changes."
    )

    @model_validator(mode="after")
    def _secrets_are_in_one_place(self) -> Self:
        if self.secrets_env is not None and self.secrets_file is not None:
            raise ValueError("secrets_env and secrets_file are both named; allowed: one of them")
        if self.keys_file is not None and not self.keeps_secrets:
            raise ValueError("keys_file needs secrets_env or secrets_file: its hashes are made with the secret")
        return self

    @property
    def keeps_secrets(self) -> bool:
        """Whether a later build has the same secrets."""
        return self.secrets_env is not None or self.secrets_file is not None


class ModelAppConfig(Discreet):
    """A Serve application of one model."""

    model: ModelConfig
    deadline_s: PositiveFloat = Field(
        default=Limits().deadline_s, description="A replica that stops gives its requests this long, and a minute more."
    )


class VerifierAppConfig(Discreet):
    """A Serve application of the verifier, and what it must know of the models that may judge."""

    models: tuple[ModelConfig, ...] = Field(min_length=1)
    verifier: VerifierConfig = VerifierConfig()
    limits: Limits = Limits()

    @property
    def names(self) -> list[str]:
        """Every model that can be asked, adapters among them."""
        return [name for model in self.models for name in model.names]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = self.names
        applications = [model.application for model in self.models if model.application is not None]
        for key, values in (("model_id", names), ("application", applications)):
            if twice := sorted({value for value in values if values.count(value) > 1}):
                raise ValueError(f"{key} must be unique; more than once: {twice}")
        for key, judge in self.verifier.judges:
            if judge not in names:
                raise ValueError(f"verifier.{key} '{judge}' is not a configured model; known: {names}")
        return self


class AppConfig(VerifierAppConfig):
    """The whole of laar, or the routers where models and verifier run in applications of their own."""

    profile: str | None = Field(
        default=None,
        description=(
            "Path of a capability profile, or name of one that ships with laar; else all are alike. Running routers"
            " read a file again when it changes."
        ),
    )
    router: RouterSettings = RouterSettings()
    thinking: ThinkingSettings = ThinkingSettings()
    auth: AuthConfig = AuthConfig()
    log: LogSettings = LogSettings()
    limits_file: str | None = Field(
        default=None, min_length=1, description="File with limits that replace those of `limits`; read again likewise."
    )

    @model_validator(mode="after")
    def _can_verify_by_default(self) -> Self:
        names = self.names
        has = Catalogue(models=names, answering=names, custom_checks=self.verifier.custom_checks, has_tools=True)
        if (refusal := self.router.verify.refusal(has)) is not None:
            raise ValueError(f"router.verify.{refusal.field}: {refusal.message}")
        for name, named in self.router.names.items():
            if name in (AUTO, *names):
                raise ValueError(f"router.names: '{name}' is taken; a name must be none of {[AUTO, *names]}")
            if (refusal := named.verify.refusal(has)) is not None:
                raise ValueError(f"router.names.{name}.verify.{refusal.field}: {refusal.message}")
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


def auth_plan(auth: AuthConfig, environ: Mapping[str, str], draw: Callable[[int], bytes]) -> AuthPlan:
    """Who may ask; ValueError where keys or secrets are asked for and the environment has none that will do."""
    plain_secret = Secrets(draw(_DRAWN_BYTES))
    return AuthPlan(
        secrets=Secrets(*(secrets_in(auth, environ) or [draw(_DRAWN_BYTES)])),
        secrets_file=auth.secrets_file,
        plain_secret=plain_secret,
        plain=frozenset(key_digest(plain_secret, key) for key in api_keys(auth, environ)),
        keys_file=auth.keys_file,
        refresh_s=auth.refresh_s,
    )


def api_keys(auth: AuthConfig, environ: Mapping[str, str]) -> list[str]:
    """The keys in the environment; ValueError when they are asked for and none is there."""
    if auth.api_keys_env is None:
        return []
    keys = [key.strip() for key in environ.get(auth.api_keys_env, "").split(",") if key.strip()]
    if not keys:
        raise ValueError(f"auth.api_keys_env: environment variable '{auth.api_keys_env}' holds no key")
    return keys


def secrets_in(auth: AuthConfig, environ: Mapping[str, str]) -> tuple[bytes, ...]:
    """The secrets in the environment, none where they are not there to be; ValueError where they will not do."""
    if auth.secrets_env is None:
        return ()
    try:
        return read_secrets(environ.get(auth.secrets_env, "").encode())
    except ValueError as error:
        raise ValueError(f"auth.secrets_env: environment variable '{auth.secrets_env}' {error}") from None


def remote_plans(models: Sequence[ModelConfig], environ: Mapping[str, str]) -> list[RemotePlan]:
    """How to ask the remote models; ValueError where the environment lacks a key that one names."""
    return [
        RemotePlan(
            name=model.remote.model_id,
            settings=model.remote,
            api_key=_remote_key(model.remote.model_id, model.remote, environ),
        )
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
