"""The wiring: from a checked config to the graph of Ray Serve deployments."""

import logging
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ray import serve
from ray.serve import Application

from deployments.engines.embedded import EMBEDDED_MODELS, default_cache_dir, prepare_embedded_models
from deployments.engines.engine_configs import SimulatedConfig, VllmConfig
from deployments.log.settings import SQLITE, LogPlan, plan_log
from deployments.router.http.ingress import Router
from deployments.router.model import Model
from deployments.router.text.language import language_of
from deployments.verifier.checks.check import Judging
from deployments.verifier.checks.witnesses.custom import load_custom_checks
from deployments.verifier.deployment import Verifier
from profiles.profile import load_profile, profile_path
from serve_app.config import (
    AppConfig,
    ModelAppConfig,
    ModelConfig,
    VerifierAppConfig,
    auth_plan,
    remote_plans,
)
from serve_app.environment import HAPROXY, HARD_STOP, RAYS_HARD_STOP_S
from serve_app.faults import findings_in

logger = logging.getLogger("ray.serve")

EMBEDDED = "embedded:"
# Beyond the deadline: HAProxy may send a router requests for its first 30 s of stopping.
SHUTDOWN_MARGIN_S = 60.0
# Bodies that are not here yet, and explanations, are bounded by key, not in all: no key must take the places of others.
MAX_HELD_BY_SERVE = 100_000
# A new router or verifier runs before an old one stops; rounded up to whole replicas.
SURGE_PERCENT = 50
_Config = TypeVar("_Config", bound=BaseModel)


def build_app(args: Mapping[str, Any]) -> Application:
    """Build the application from the `args` of a Serve config; ValueError names the key that is wrong.

    What names another application of the config runs there, and goes on when this one is changed.
    """
    config = _read(AppConfig, args)
    _check_models(config.models)
    profile = load_profile(config.profile)
    load_custom_checks(config.verifier.custom_checks)
    log = plan_log(config.log, os.environ, default_cache_dir(os.environ))
    _warn_of_logs_apart(config, log)
    _warn_of_cut_requests(config.limits.deadline_s, os.environ)
    if blind := [name for name in config.names if name not in profile.models]:
        logger.warning(
            "profile '%s' has no figures of %s: each is taken to be right half of the time, and as fast as the others;"
            " measure them with `laar profile`",
            config.profile or "none",
            blind,
        )
    if not config.auth.keeps_secrets:
        logger.warning(
            "auth.secrets_env and auth.secrets_file are unset: this build draws a secret of its own, and takes no retry"
            " of an answer, and with API keys no feedback, from before it"
        )
    if config.router.tracing is not None and config.router.tracing.endpoint is not None:
        _refuse_missing_exporter()
    models = _addresses(config)
    return _router(config).bind(
        llm_deployments=models,
        remote=remote_plans(config.models, os.environ),
        models=router_models(config),
        profile=profile,
        profile_file=None if config.profile is None else str(profile_path(config.profile).resolve()),
        settings=config.router,
        limits=config.limits,
        limits_file=config.limits_file,
        thinking=config.thinking,
        verifier=config.verifier.application or _verifier(config, models),
        custom_checks=frozenset(config.verifier.custom_checks),
        auth=auth_plan(config.auth, os.environ, secrets.token_bytes),
        log=log,
    )


def router_models(config: AppConfig) -> list[Model]:
    """What a router knows of each model beside its profile."""
    return [
        Model(
            name=name,
            context_tokens=engine.context_tokens,
            has_prefix_cache=engine.has_prefix_cache,
            can_think=engine.can_think,
            slots=engine.slots,
            takes_salt=model.remote is None or model.remote.takes_cache_salt,
            price=model.price,
            media=model.media,
            cold_start_s=model.cold_start_s if engine.scales_to_zero else None,
            base=None if name == engine.name else engine.name,
        )
        for model, engine in ((model, model.engine_config) for model in config.models)
        for name in model.names
    ]


def build_model(args: Mapping[str, Any]) -> Application:
    """Build an application of one model, which `build_app` reaches by the application's name."""
    config = _read(ModelAppConfig, args)
    _check_models([config.model])
    if not isinstance(engine := config.model.engine_config, VllmConfig):
        raise ValueError(f"'{engine.name}': a remote model runs elsewhere; name it in `build_app` alone")
    return _model_deployment(engine, config.model.adapters, deadline_s=config.deadline_s)


def build_verifier(args: Mapping[str, Any]) -> Application:
    """Build an application of the verifier, which `build_app` reaches by the application's name."""
    config = _read(VerifierAppConfig, args)
    for model in config.models:
        if model.remote is None and model.application is None:
            raise ValueError(f"'{model.engine_config.name}': application is missing; a judge is reached by it")
    load_custom_checks(config.verifier.custom_checks)
    return _verifier(config, _addresses(config))


def _read(kind: type[_Config], args: Mapping[str, Any]) -> _Config:
    """The arguments as a config; ValueError has a line for each finding, in the words of `laar check`."""
    try:
        return kind.model_validate(args)
    except ValidationError as error:
        # without values, since the controller's log has other readers than `laar check` has
        raise ValueError("\n".join(str(replace(found, value=None)) for found in findings_in(error, kind))) from None


def _addresses(config: VerifierAppConfig) -> dict[str, Application | str]:
    """By model: the application where it runs, or the deployment that is bound into this one."""
    found: dict[str, Application | str] = {}
    for model in config.models:
        if isinstance(engine := model.engine_config, VllmConfig):
            made = model.application or _model_deployment(engine, model.adapters, deadline_s=config.limits.deadline_s)
            found |= dict.fromkeys(model.names, made)
    return found


def _router(config: AppConfig) -> serve.Deployment:
    return serve.deployment(
        serve.ingress()(Router),
        name="Router",
        num_replicas=config.router.num_replicas,
        # the router counts what it takes itself and says 429; Serve must not queue before it
        max_ongoing_requests=MAX_HELD_BY_SERVE + 2 * config.limits.max_concurrent_requests,
        max_surge_percent=SURGE_PERCENT,
        graceful_shutdown_timeout_s=config.limits.deadline_s + SHUTDOWN_MARGIN_S,
        ray_actor_options={"num_cpus": config.router.num_cpus},
    )


def _verifier(config: VerifierAppConfig, models: Mapping[str, Application | str]) -> Application:
    engines = [(name, model.engine_config) for model in config.models for name in model.names]
    verifier = config.verifier
    return serve.deployment(
        Verifier,
        name="Verifier",
        num_replicas=verifier.num_replicas,
        max_ongoing_requests=config.limits.max_concurrent_requests,
        max_surge_percent=SURGE_PERCENT,
        graceful_shutdown_timeout_s=config.limits.deadline_s + SHUTDOWN_MARGIN_S,
        ray_actor_options={"num_cpus": verifier.num_cpus},
    ).bind(
        judges=models,
        remote_judges=remote_plans(config.models, os.environ),
        default_judge=verifier.judge_model,
        custom_checks=dict(verifier.custom_checks),
        judge_timeout_s=verifier.judge_timeout_s,
        judging=Judging(
            settings=verifier.judge,
            thinkers=[name for name, engine in engines if engine.can_think],
            sources={name: engine.source for name, engine in engines},
        ),
    )


def _model_deployment(model: VllmConfig, adapters: Mapping[str, str], *, deadline_s: float) -> Application:
    # they load vLLM, which an application of remote models need not have
    from deployments.engines.ray_llm import model_deployment
    from deployments.engines.simulated import simulated_engine

    engine = simulated_engine(model.settings, language_of=language_of) if isinstance(model, SimulatedConfig) else None
    llm_config = _with_embedded_source(model.llm_config)
    stopping = {"graceful_shutdown_timeout_s": deadline_s + SHUTDOWN_MARGIN_S}
    deployment_config = stopping | (llm_config.get("deployment_config") or {})
    return model_deployment({**llm_config, "deployment_config": deployment_config}, engine, adapters=adapters)


def _warn_of_logs_apart(config: AppConfig, log: LogPlan | None) -> None:
    """Routers on one machine share its file, so that this is no error."""
    if log is not None and config.router.num_replicas > 1 and log.url.startswith(f"{SQLITE}:"):
        logger.warning(
            "router.num_replicas is %d and the log is SQLite, a file of one machine: routers on different machines do"
            " not learn from one another, and refuse feedback on each other's answers; name a PostgreSQL database by"
            " log.url or log.url_env",
            config.router.num_replicas,
        )


def _warn_of_cut_requests(deadline_s: float, environ: Mapping[str, str]) -> None:
    """Ray reads the variable where it starts, which may be on another machine: so this is no error."""
    cut_after_s, needed_s = float(environ.get(HARD_STOP, RAYS_HARD_STOP_S)), deadline_s + SHUTDOWN_MARGIN_S
    if environ.get(HAPROXY) == "1" and cut_after_s < needed_s:
        logger.warning(
            "limits.deadline_s is %.0f, but HAProxy cuts requests off that still run %.0f s after a router has come or"
            " gone; start Ray with %s=%.0f",
            deadline_s,
            cut_after_s,
            HARD_STOP,
            needed_s,
        )


def _refuse_missing_exporter() -> None:
    """A server of remote models may be installed without it."""
    try:
        found = find_spec("opentelemetry.exporter.otlp.proto.http")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise ValueError("router.tracing.endpoint needs the package opentelemetry-exporter-otlp-proto-http")


def _check_models(models: Sequence[ModelConfig]) -> None:
    _check_embedded_names(models)
    _check_simulated_profiles(models)


def _check_simulated_profiles(models: Sequence[ModelConfig]) -> None:
    for model in models:
        if model.simulated is not None and model.simulated.profile is not None:
            known = load_profile(model.simulated.profile).models
            if (name := model.engine_config.name) not in known:
                source = model.simulated.profile
                raise ValueError(f"simulated.profile '{source}' has no model '{name}'; known: {sorted(known)}")


def _check_embedded_names(models: Sequence[ModelConfig]) -> None:
    """For all models at once, because making an embedded model ready takes minutes."""
    known = sorted(model.name for model in EMBEDDED_MODELS)
    for model in models:
        name = _embedded_name(model.llm_config)
        if name is not None and name not in known:
            raise ValueError(f"model_source '{EMBEDDED}{name}': no such embedded model; known: {known}")


def _embedded_name(llm_config: Mapping[str, Any]) -> str | None:
    source = str((llm_config.get("model_loading_config") or {}).get("model_source", ""))
    return source.removeprefix(EMBEDDED) if source.startswith(EMBEDDED) else None


def _with_embedded_source(llm_config: Mapping[str, Any]) -> dict[str, Any]:
    """Replace a source of `embedded:<name>` by the directory of that model, prepared first if need be."""
    name = _embedded_name(llm_config)
    if name is None:
        return dict(llm_config)
    ready = prepare_embedded_models(default_cache_dir(os.environ), print)
    loading = {**llm_config["model_loading_config"], "model_source": str(ready[name])}
    return {**llm_config, "model_loading_config": loading}
