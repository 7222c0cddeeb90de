"""The wiring: from a checked config to the graph of Ray Serve deployments."""

import os
from collections.abc import Mapping
from typing import Any

from ray import serve
from ray.serve import Application

from deployments.engines.embedded import EMBEDDED_MODELS, default_cache_dir, prepare_embedded_models
from deployments.engines.engine_configs import SimulatedConfig, VllmConfig
from deployments.log.settings import plan_log
from deployments.router.http.ingress import Router
from deployments.router.model import Model
from deployments.router.text.language import language_of
from deployments.verifier.checks.check import Judging
from deployments.verifier.checks.witnesses.custom import load_custom_checks
from deployments.verifier.deployment import Verifier
from profiles.profile import load_profile
from serve_app.config import AppConfig, api_key_hashes, remote_plans

EMBEDDED = "embedded:"


def build_app(args: Mapping[str, Any]) -> Application:
    """Build the application from the `args` of a Serve config; ValueError names the key that is wrong."""
    config = AppConfig.model_validate(args)
    _check_embedded_names(config)
    _check_simulated_profiles(config)
    profile = load_profile(config.profile)
    load_custom_checks(config.verifier.custom_checks)
    engines = [model.engine_config for model in config.models]
    models = {engine.name: _model_deployment(engine) for engine in engines if isinstance(engine, VllmConfig)}
    remote = remote_plans(config.models, os.environ)
    return _router(config).bind(
        llm_deployments=models,
        remote=remote,
        models=[
            Model(
                name=engine.name,
                context_tokens=engine.context_tokens,
                has_prefix_cache=engine.has_prefix_cache,
                can_think=engine.can_think,
                slots=engine.slots,
            )
            for engine in engines
        ],
        profile=profile,
        settings=config.router,
        limits=config.limits,
        thinking=config.thinking,
        verifier=_verifier(config).bind(
            judges=models,
            remote_judges=remote,
            default_judge=config.verifier.judge_model,
            custom_checks=dict(config.verifier.custom_checks),
            judge_timeout_s=config.verifier.judge_timeout_s,
            judging=Judging(
                settings=config.verifier.judge,
                thinkers=[engine.name for engine in engines if engine.can_think],
                sources={engine.name: engine.source for engine in engines},
            ),
        ),
        custom_checks=frozenset(config.verifier.custom_checks),
        api_key_hashes=api_key_hashes(config.auth, os.environ),
        log=plan_log(config.log, os.environ, default_cache_dir(os.environ)),
    )


def _router(config: AppConfig) -> serve.Deployment:
    return serve.deployment(
        serve.ingress()(Router),
        name="Router",
        num_replicas=config.router.num_replicas,
        # the router counts what it takes itself and says 429; Serve must not queue before it
        max_ongoing_requests=2 * config.limits.max_concurrent_requests,
        ray_actor_options={"num_cpus": config.router.num_cpus},
    )


def _verifier(config: AppConfig) -> serve.Deployment:
    return serve.deployment(
        Verifier,
        name="Verifier",
        num_replicas=config.verifier.num_replicas,
        max_ongoing_requests=config.limits.max_concurrent_requests,
        ray_actor_options={"num_cpus": config.verifier.num_cpus},
    )


def _model_deployment(model: VllmConfig) -> Application:
    # they load vLLM, which an application of remote models need not have
    from deployments.engines.ray_llm import model_deployment
    from deployments.engines.simulated import simulated_engine

    engine = simulated_engine(model.settings, language_of=language_of) if isinstance(model, SimulatedConfig) else None
    return model_deployment(_with_embedded_source(model.llm_config), engine)


def _check_simulated_profiles(config: AppConfig) -> None:
    for model in config.models:
        if model.simulated is not None and model.simulated.profile is not None:
            known = load_profile(model.simulated.profile).models
            if (name := model.engine_config.name) not in known:
                source = model.simulated.profile
                raise ValueError(f"simulated.profile '{source}' has no model '{name}'; known: {sorted(known)}")


def _check_embedded_names(config: AppConfig) -> None:
    """For all models at once, because making an embedded model ready takes minutes."""
    known = sorted(model.name for model in EMBEDDED_MODELS)
    for model in config.models:
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
