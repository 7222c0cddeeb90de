"""`laar check`: what a config would start, and what is wrong with it, found out without starting anything."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from deployments.contract.secret import read_secrets
from deployments.engines.embedded import EMBEDDED_MODELS, default_cache_dir
from deployments.engines.engine_configs import RemoteConfig, SimulatedConfig, VllmConfig
from deployments.log.settings import database_url, default_url, plan_log, shown_url
from deployments.router.tenants.keys import read_key_file
from deployments.router.upkeep.taken_over import limits_in
from deployments.verifier.checks.witnesses.custom import load_custom_checks
from profiles.profile import Profile, load_profile
from profiles.yaml_text import read_yaml
from serve_app.config import (
    AppConfig,
    ModelAppConfig,
    ModelConfig,
    VerifierAppConfig,
    api_keys,
    remote_plans,
    secrets_in,
)
from serve_app.faults import Finding, did_you_mean, findings_in, nearest, nearest_in, shown, unknown_keys

IMPORT_PATH = "serve_app.app:build_app"
MODEL_PATH, VERIFIER_PATH = "serve_app.app:build_model", "serve_app.app:build_verifier"
ARGS: Mapping[str, type[BaseModel]] = {
    IMPORT_PATH: AppConfig,
    MODEL_PATH: ModelAppConfig,
    VERIFIER_PATH: VerifierAppConfig,
}
EMBEDDED = "embedded:"
DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8000
# vLLM's own
DEFAULT_MEMORY_SHARE = 0.92


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """A model as it would be served; `memory` says in words what its engine takes, None where laar starts no engine."""

    name: str
    engine: str
    where: tuple[str, ...]
    context_tokens: int
    slots: int
    replicas: int
    cpus: float
    gpus: float
    memory: str | None
    prompts_in_profile: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTable:
    """Everything that `laar check` says; `cpus` and `gpus` are all that Ray would be asked for."""

    listens: str | None
    profile: str | None
    log: str | None
    models: tuple[ModelRow, ...] = ()
    cpus: float = 0.0
    gpus: float = 0.0
    findings: tuple[Finding, ...] = ()

    @property
    def is_sound(self) -> bool:
        return all(finding.level != "error" for finding in self.findings)


class OtherApplication(NamedTuple):
    """A Serve application beside the routers', with its place in the file."""

    key: str
    import_path: str
    args: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """What stands in a Serve config: the application's arguments, where it would listen, and its `others` by name."""

    args: Any
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    others: Mapping[str, OtherApplication] = field(default_factory=dict)


class ConfigFileError(ValueError):
    """A file that holds no laar application, or more than is read of it; the findings say why."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings


def read_config_file(path: Path) -> ConfigFile:
    """A Serve config with one laar application, or its `args` alone; raises ConfigFileError."""
    try:
        document = read_yaml(path.read_bytes())
    except OSError as error:
        raise _no_config(str(path), f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise _no_config(str(path), str(error)) from error
    if not isinstance(document, dict):
        raise _no_config(str(path), "holds no mapping", "start from serve_app/remote.yaml or serve_app/embedded.yaml")
    if "applications" not in document:
        if "models" in document:
            return ConfigFile(args=document)
        mend = (
            f"did you mean '{found}'?" if (found := _meant(document, "applications")) else "write applications: [...]"
        )
        raise _no_config("applications", "missing", mend)
    return _of_serve(document)


def check_config(config: ConfigFile, environ: Mapping[str, str]) -> CheckTable:
    """The table of a config; nothing is started, and no server is asked."""
    table = CheckTable(listens=f"http://{config.host}:{config.port}/v1", profile=None, log=None)
    try:
        app = AppConfig.model_validate(config.args)
    except ValidationError as error:
        return replace(table, findings=tuple(findings_in(error, AppConfig)))
    profile, findings = _profile(app)
    findings += [*_environment(app, environ), *_models(app), *_profile_findings(app, profile)]
    findings += _applications(app, config.others)
    rows = tuple(row for model in app.models for row in _rows(model, profile))
    own = app.router.num_replicas * app.router.num_cpus + app.verifier.num_replicas * app.verifier.num_cpus
    return replace(
        table,
        profile=app.profile,
        log=_log(app, environ),
        models=rows,
        cpus=own + sum(row.cpus * row.replicas for row in rows),
        gpus=sum(row.gpus * row.replicas for row in rows),
        findings=tuple(findings),
    )


def _of_serve(document: Mapping[str, Any]) -> ConfigFile:
    applications = document["applications"]
    ours = [
        (index, app)
        for index, app in enumerate(applications if isinstance(applications, list) else [])
        if isinstance(app, dict) and app.get("import_path") == IMPORT_PATH
    ]
    if len(ours) != 1:
        given = [app.get("import_path") for app in applications or [] if isinstance(app, dict)]
        message = f"{len(ours)} applications have import_path '{IMPORT_PATH}'; 1 is wanted"
        raise ConfigFileError(
            Finding(
                key="applications",
                value=shown(given),
                message=message,
                mend=f"write import_path: {IMPORT_PATH}" if not ours else None,
            )
        )
    ((index, app),) = ours
    if misplaced := tuple(_misplaced(document, index)):
        raise ConfigFileError(*misplaced)
    if not isinstance(app.get("args"), dict):
        raise _no_config(f"applications.{index}.args", "missing", "write args: {models: [...]}")
    http = document.get("http_options") or {}
    port = http.get("port", DEFAULT_PORT) if isinstance(http, dict) else None
    if not isinstance(port, int) or not 0 < port < 65536:
        raise _no_config("http_options.port", "a port from 1 to 65535 is wanted")
    others = {
        str(other.get("name")): OtherApplication(f"applications.{i}", str(other.get("import_path")), other.get("args"))
        for i, other in enumerate(applications)
        if isinstance(other, dict) and i != index
    }
    return ConfigFile(args=app["args"], host=str(http.get("host", DEFAULT_HOST)), port=port, others=others)


def _misplaced(document: Mapping[str, Any], ours: int) -> Iterator[Finding]:
    """Keys that Ray Serve does not know; it would pass over them in silence, and with them over what they protect."""
    # not at the top, because Ray takes a while to import
    from ray.serve.schema import ServeDeploySchema

    for place, known in unknown_keys(document, ServeDeploySchema):
        *above, key = place
        index = above[1] if above[:1] == ["applications"] and len(above) == 2 else None if above else ours
        args = ARGS.get(str(document["applications"][index].get("import_path"))) if index is not None else None
        is_of_args = args is not None and key in args.model_fields
        yield Finding(
            key=".".join(map(str, place)),
            message=f"belongs under applications.{index}.args" if is_of_args else "Ray Serve knows no such key",
            mend=None if is_of_args else did_you_mean(str(key), known),
        )


def _meant(document: Mapping[str, Any], key: str) -> str | None:
    return next((str(given) for given in document if nearest(str(given), [key])), None)


def _no_config(key: str, message: str, mend: str | None = None) -> ConfigFileError:
    return ConfigFileError(Finding(key=key, message=message, mend=mend))


def _profile(app: AppConfig) -> tuple[Profile | None, list[Finding]]:
    try:
        return load_profile(app.profile), []
    except ValidationError as error:
        found = [Finding(key="profile", value=app.profile, message=str(f)) for f in findings_in(error, Profile)]
        return None, found
    except (ValueError, OSError) as error:
        mend = nearest_in(str(error)) or "give the path of a file that laar profile wrote, or leave the key out"
        return None, [Finding(key="profile", value=app.profile, message=str(error), mend=mend)]


def _environment(app: AppConfig, environ: Mapping[str, str]) -> Iterator[Finding]:
    """What the config takes from elsewhere: variables, code and the database."""
    asked: dict[str, Callable[[], object]] = {
        "auth.api_keys_env": partial(api_keys, app.auth, environ),
        "auth.secrets_env": partial(secrets_in, app.auth, environ),
        "log.url" if app.log.url_env is None else "log.url_env": partial(_open_log, app, environ),
    }
    if app.auth.secrets_file is not None:
        secrets = Path(app.auth.secrets_file)
        asked["auth.secrets_file"] = lambda: read_secrets(secrets.read_bytes())
    if app.auth.keys_file is not None:
        file = Path(app.auth.keys_file)
        asked["auth.keys_file"] = lambda: read_key_file(file.read_bytes())
    if app.limits_file is not None:
        changed = Path(app.limits_file)
        asked["limits_file"] = lambda: limits_in(changed.read_bytes(), app.limits)
    for name, path in app.verifier.custom_checks.items():
        asked[f"verifier.custom_checks.{name}"] = partial(load_custom_checks, {name: path})
    for index, model in enumerate(app.models):
        asked[f"models.{index}.remote.api_key_env"] = partial(remote_plans, [model], environ)
    for key, ask in asked.items():
        yield from _asked(key, ask)


def _asked(key: str, ask: Callable[[], object]) -> Iterator[Finding]:
    try:
        ask()
    except OSError as error:
        yield Finding(key=key, value=error.filename, message=f"it cannot be read: {error.strerror}")
    except (ValueError, ImportError, AttributeError) as error:
        yield _told(key, str(error))


def _open_log(app: AppConfig, environ: Mapping[str, str]) -> None:
    plan = plan_log(app.log, environ, default_cache_dir(os.environ))
    if plan is not None:
        database_url(plan.url)


def _told(key: str, message: str) -> Finding:
    """The finding of a message that names a variable or a value."""
    message = message.removeprefix(f"{key}: ")
    variable = re.search(r"environment variable '([^']*)'", message)
    if variable is not None:
        return Finding(key=key, value=variable[1], message=message, mend=f"export {variable[1]}=...")
    return Finding(key=key, message=message, mend=nearest_in(message))


def _applications(app: AppConfig, others: Mapping[str, OtherApplication]) -> Iterator[Finding]:
    """Whether what runs in an application of its own has one, with arguments that are sound and say the same."""
    wanted: list[tuple[str, str | None, str]] = [
        (f"models.{i}.application", model.application, MODEL_PATH) for i, model in enumerate(app.models)
    ]
    wanted.append(("verifier.application", app.verifier.application, VERIFIER_PATH))
    named = {name for _, name, _ in wanted if name is not None}
    for key, name, path in wanted:
        if name is None:
            continue
        if (other := others.get(name)) is None:
            message = "the file has no application of this name"
            yield Finding(key=key, value=name, message=message, mend=did_you_mean(name, others))
        elif other.import_path != path:
            told = Finding(key=f"{other.key}.import_path", value=other.import_path, message=f"'{name}' is not built so")
            yield replace(told, mend=f"write import_path: {path}")
    for name, other in others.items():
        if other.import_path not in (MODEL_PATH, VERIFIER_PATH):
            continue
        if name not in named:
            told = Finding(level="warning", key=f"{other.key}.name", value=name, message="no application asks this one")
            yield replace(told, mend=did_you_mean(name, named) if named else f"name it in the args of {IMPORT_PATH}")
        for finding in _other_findings(app, name, other):
            yield replace(finding, key=f"{other.key}.args.{finding.key}".rstrip("."))


def _other_findings(app: AppConfig, name: str, other: OtherApplication) -> Iterator[Finding]:
    """What is wrong with the arguments of an application beside the routers."""
    kind = ModelAppConfig if other.import_path == MODEL_PATH else VerifierAppConfig
    try:
        config = kind.model_validate(other.args)
    except ValidationError as error:
        yield from findings_in(error, kind)
        return
    if isinstance(config, ModelAppConfig):
        engine = config.model.engine_config
        yield from _of_model("model", config.model)
        if config.model.remote is not None:
            message = "a remote model runs elsewhere, and needs no application"
            yield Finding(key="model", value=engine.name, message=message, mend=f"name it in {IMPORT_PATH} alone")
        for meant in (m.engine_config for m in app.models if m.application == name):
            if meant.name != engine.name:
                message = f"the routers ask this application for '{meant.name}'"
                yield Finding(key="model", value=engine.name, message=message, mend="give both the same model_id")
            elif meant.context_tokens != engine.context_tokens:
                message = f"the routers reckon with a context of {meant.context_tokens} tokens"
                yield Finding(key="model", value=str(engine.context_tokens), message=message, mend="give both the same")
    else:
        for index, model in enumerate(config.models):
            if model.remote is None and model.application is None:
                message = "missing: a judge of another application is reached by its name"
                yield Finding(key=f"models.{index}.application", message=message, mend="write application: NAME")
        missing = sorted(app.verifier.custom_checks.keys() - config.verifier.custom_checks.keys())
        if app.verifier.application == name and missing:
            message = f"the verifier's own application has not the check '{missing[0]}' of the routers"
            yield Finding(key="verifier.custom_checks", message=message, mend="give both the same")
        for check, path in config.verifier.custom_checks.items():
            yield from _asked(f"verifier.custom_checks.{check}", partial(load_custom_checks, {check: path}))


def _models(app: AppConfig) -> Iterator[Finding]:
    for index, model in enumerate(app.models):
        yield from _of_model(f"models.{index}", model)


def _of_model(key: str, model: ModelConfig) -> Iterator[Finding]:
    embedded = sorted(model.name for model in EMBEDDED_MODELS)
    engine = model.engine_config
    if model.remote is not None:
        yield from _urls(f"{key}.remote.urls", [str(url) for url in model.remote.urls])
    if engine.source.startswith(EMBEDDED) and (name := engine.source.removeprefix(EMBEDDED)) not in embedded:
        place = f"{key}.llm_config.model_loading_config.model_source"
        mend = did_you_mean(name, embedded)
        yield Finding(key=place, value=engine.source, message="no such embedded model", mend=mend)
    for name, folder in model.adapters.items():
        if not (Path(folder) / "adapter_config.json").is_file():
            place, message = f"{key}.adapters.{name}", "there is no adapter_config.json here; its engine needs it"
            yield Finding(level="warning", key=place, value=folder, message=message)
    if model.simulated is not None and model.simulated.profile is not None:
        yield from _simulated(f"{key}.simulated.profile", model.simulated.profile, engine.name)


def _urls(key: str, urls: list[str]) -> Iterator[Finding]:
    for index, url in enumerate(urls):
        if urlsplit(url).path.rstrip("/") == "":
            yield Finding(
                level="warning",
                key=f"{key}.{index}",
                value=url,
                message="servers with OpenAI's protocol mostly have a path /v1",
                mend=f"did you mean '{url.rstrip('/')}/v1'?",
            )


def _simulated(key: str, source: str, name: str) -> Iterator[Finding]:
    try:
        known = load_profile(source).models
    except (ValueError, OSError) as error:
        yield Finding(key=key, value=source, message=str(error), mend=nearest_in(str(error)))
        return
    if name not in known:
        yield Finding(key=key, value=source, message=f"it has no model '{name}'", mend=did_you_mean(name, known))


def _profile_findings(app: AppConfig, profile: Profile | None) -> Iterator[Finding]:
    """Models that the profile has no figures for: they count like an average of the others."""
    if app.profile is None or profile is None:
        return
    for index, name in ((i, name) for i, model in enumerate(app.models) for name in model.names):
        if _prompts(profile, name) == 0:
            yield Finding(
                level="warning",
                key=f"models.{index}",
                value=name,
                message=f"profile '{app.profile}' has no figures for this model, so laar does not know how good it is",
                mend=f"{did_you_mean(name, profile.models)}; or measure it: laar profile --out profile.json",
            )


def _rows(model: ModelConfig, profile: Profile | None) -> Iterator[ModelRow]:
    """The engine with its own weights, and each adapter in it, which takes no machine more."""
    engine = model.engine_config
    cpus, gpus = _resources(engine) if isinstance(engine, VllmConfig) else (0.0, 0.0)
    row = ModelRow(
        name=engine.name,
        engine=model.engine,
        where=tuple(str(url) for url in model.remote.urls) if model.remote is not None else (_source(engine),),
        context_tokens=engine.context_tokens,
        slots=engine.slots,
        replicas=_replicas(model),
        cpus=cpus,
        gpus=gpus,
        memory=_memory(engine, gpus) if type(engine) is VllmConfig else None,
        prompts_in_profile=_prompts(profile, engine.name) if profile is not None else 0,
    )
    yield row
    for name, folder in model.adapters.items():
        prompts = _prompts(profile, name) if profile is not None else 0
        yield replace(row, name=name, where=(folder,), cpus=0.0, gpus=0.0, memory=None, prompts_in_profile=prompts)


def _source(engine: Any) -> str:
    return "simulated" if isinstance(engine, SimulatedConfig) else str(engine.source)


def _prompts(profile: Profile, name: str) -> int:
    found = profile.models.get(name)
    return sum(cell.tried for cell in found.cells) if found is not None else 0


def _replicas(model: ModelConfig) -> int:
    if model.remote is not None:
        return len(model.remote.urls)
    deployment = model.llm_config.get("deployment_config") or {}
    scaling = deployment.get("autoscaling_config") or {}
    count = deployment.get("num_replicas") or scaling.get("initial_replicas") or scaling.get("min_replicas") or 1
    return int(count) if isinstance(count, int) else 1


def _resources(engine: VllmConfig) -> tuple[float, float]:
    """CPUs and GPUs of one replica: the bundles that are given, else one GPU for each rank, and the actor's own."""
    placement = engine.llm_config.get("placement_group_config") or {}
    bundles = placement.get("bundles")
    if bundles is None:
        ranks = 1
        for name in ("tensor_parallel_size", "pipeline_parallel_size"):
            ranks *= int(engine.engine_kwargs.get(name) or 1)
        is_cpu = (engine.llm_config.get("accelerator_config") or {}).get("kind") == "cpu"
        bundles = [{"CPU": 1.0} if is_cpu or isinstance(engine, SimulatedConfig) else {"GPU": 1.0}] * ranks
    actor = (engine.llm_config.get("deployment_config") or {}).get("ray_actor_options") or {}
    return (
        float(actor.get("num_cpus", 0)) + sum(float(bundle.get("CPU", 0)) for bundle in bundles),
        sum(float(bundle.get("GPU", 0)) for bundle in bundles),
    )


def _memory(engine: VllmConfig, gpus: float) -> str:
    share = float(engine.engine_kwargs.get("gpu_memory_utilization") or DEFAULT_MEMORY_SHARE)
    if gpus:
        return f"{share:.0%} of each GPU's memory"
    variables = (engine.llm_config.get("runtime_env") or {}).get("env_vars") or {}
    cache_gib = variables.get("VLLM_CPU_KVCACHE_SPACE")
    return f"its weights and {cache_gib} GiB of KV cache" if cache_gib else f"{share:.0%} of the machine's memory"


def _log(app: AppConfig, environ: Mapping[str, str]) -> str | None:
    if not app.log.enabled:
        return None
    if app.log.url_env is not None:
        return f"${app.log.url_env}"
    return shown_url(app.log.url or default_url(default_cache_dir(environ)))


def remote_models(app_args: Any) -> list[tuple[int, RemoteConfig]]:
    """The models of a sound config that are served elsewhere, with their places in it."""
    models = AppConfig.model_validate(app_args).models
    return [(i, m.engine_config) for i, m in enumerate(models) if isinstance(m.engine_config, RemoteConfig)]
