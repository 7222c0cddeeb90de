"""`laar up`: an application from a config, or from nothing but the addresses of servers that run already."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer
import yaml

from profiles.yaml_text import read_yaml
from scripts.client.check import IMPORT_PATH, ConfigFile, ConfigFileError, check_config, read_config_file
from scripts.client.servers import ServedModel, ServerError, served_models
from scripts.demo.run import (
    CONFIG,
    DemoError,
    Signals,
    end_application,
    is_taken,
    on_port,
    start_application,
    stop_signals,
    wait_until_ready,
)
from serve_app.faults import did_you_mean

MOST_MODELS = 20


class UpError(Exception):
    """There is no application to start; the message says what to do."""


def start(
    *,
    config: Path | None,
    remote: Sequence[str],
    remote_key_env: str | None,
    only: Sequence[str],
    max_model_len: int | None,
    profile: str | None,
    port: int | None,
    only_prints: bool,
    log_file: Path,
) -> int:
    """The exit status."""
    if config is not None and remote:
        raise typer.BadParameter("--config and --remote exclude each other", param_hint="--remote")
    of_servers = {"--remote-key-env": remote_key_env, "--only": only, "--max-model-len": max_model_len}
    for option, value in of_servers.items():
        if value and not remote:
            raise typer.BadParameter("it is about the servers of --remote, and there is none", param_hint=option)
    with TemporaryDirectory(prefix="laar-") as folder:
        try:
            path = config or CONFIG
            if remote:
                document = remote_config(
                    remote,
                    api_key_env=remote_key_env,
                    environ=os.environ,
                    only=only,
                    max_model_len=max_model_len,
                    profile=profile,
                    port=port or 8000,
                )
                path = Path(folder) / "remote.yaml"
                path.write_text(yaml.safe_dump(document, sort_keys=False))
            parsed = read_config_file(path)
            if profile is not None and not remote:
                path = _with_profile(path, profile, Path(folder))
            if port is not None and not remote:
                path = on_port(path, port, Path(folder))
            parsed = read_config_file(path)
        except (UpError, ConfigFileError, OSError) as error:
            print(f"laar up: {error}", file=sys.stderr)
            return 1
        if only_prints:
            print(path.read_text(), end="")
            return 0
        if not _is_sound(parsed):
            return 1
        return up(path, parsed, log_path=log_file)


def remote_config(
    urls: Sequence[str],
    *,
    api_key_env: str | None,
    environ: Mapping[str, str],
    only: Sequence[str] = (),
    max_model_len: int | None = None,
    profile: str | None = None,
    port: int = 8000,
) -> dict[str, Any]:
    """A Serve config of the models that these servers list; several servers with the same model share it."""
    key = environ.get(api_key_env, "").strip() if api_key_env is not None else ""
    served = {url: _listed(url, key) for url in map(with_path, urls)}
    known = {model.name for models in served.values() for model in models}
    if missing := [name for name in only if name not in known]:
        raise UpError(f"--only {missing[0]}: no server has it; {did_you_mean(missing[0], known)}")
    names = list(dict.fromkeys(m.name for models in served.values() for m in models))
    chosen = [name for name in names if not only or name in only]
    if not 0 < len(chosen) <= MOST_MODELS:
        raise UpError(f"the servers list {len(chosen)} models; 1 to {MOST_MODELS} are wanted: --only NAME picks some")
    args: dict[str, Any] = {
        "models": [_model(name, served, api_key_env=api_key_env, max_model_len=max_model_len) for name in chosen]
    }
    if profile is not None:
        args["profile"] = profile
    return {
        "http_options": {"host": "127.0.0.1", "port": port},
        "applications": [{"name": "laar", "route_prefix": "/", "import_path": IMPORT_PATH, "args": args}],
    }


def _with_profile(config: Path, profile: str, folder: Path) -> Path:
    """A copy of the config in the folder, with this profile; the config itself stays as it is."""
    document = read_yaml(config.read_bytes())
    if "applications" not in document:
        document["profile"] = profile
    for application in document.get("applications", ()):
        if isinstance(application, dict) and application.get("import_path") == IMPORT_PATH:
            application["args"] = {**application["args"], "profile": profile}
    copy = folder / "with-profile.yaml"
    copy.write_text(yaml.safe_dump(document, sort_keys=False))
    return copy


def with_path(url: str) -> str:
    """The URL with a scheme and, where it has no path, with /v1."""
    full = (url if "://" in url else f"http://{url}").rstrip("/")
    return full if "/" in full.partition("://")[2] else f"{full}/v1"


def up(config: Path, parsed: ConfigFile, *, log_path: Path) -> int:
    """Serve until interrupted; the exit status: 0 after Ctrl-C, 1 where it does not come up or ends by itself."""
    with stop_signals() as signals:
        try:
            _serve(signals, config, parsed, log_path)
        except DemoError as error:
            print(f"laar up: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 128 + signals.received[0]
    return 0


def _serve(signals: Signals, config: Path, parsed: ConfigFile, log_path: Path) -> None:
    if is_taken(parsed.port):
        raise DemoError(f"port {parsed.port} on 127.0.0.1 is in use; stop what runs there, or choose another port")
    # checks of one's own may stand in the current folder
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (os.getcwd(), os.environ.get("PYTHONPATH"))))
    print(f"starting the application; its log goes to {log_path}", file=sys.stderr)
    # held from before the start until the try that ends what was started
    signals.are_held = True
    process = start_application(config, log_path)
    try:
        signals.release()
        wait_until_ready(process, parsed.port, log_path)
        print(f"serving http://127.0.0.1:{parsed.port}/v1 with model 'auto'; laar ask tries it, Ctrl-C stops it")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            process.wait()
            raise DemoError(f"the application ended with status {process.returncode}; see {log_path}")
    finally:
        # first of all and no call, because Python handles signals at calls
        signals.are_held = True
        end_application(process, signals)


def _listed(url: str, key: str) -> list[ServedModel]:
    try:
        return served_models(url, api_key=key)
    except ServerError as error:
        raise UpError(f"--remote {url}: {error}") from error


def _model(
    name: str, served: Mapping[str, Sequence[ServedModel]], *, api_key_env: str | None, max_model_len: int | None
) -> dict[str, Any]:
    cards = {url: model for url, models in served.items() for model in models if model.name == name}
    contexts = [card.context_tokens or max_model_len for card in cards.values()]
    known = [context for context in contexts if context is not None]
    if len(known) < len(contexts):
        raise UpError(f"'{name}': its server does not say how long its context is; --max-model-len TOKENS does")
    remote: dict[str, Any] = {"model_id": name, "urls": list(cards), "max_model_len": min(known)}
    if api_key_env is not None:
        remote["api_key_env"] = api_key_env
    return {"engine": "remote", "remote": remote}


def _is_sound(parsed: ConfigFile) -> bool:
    """Whether it can be started; what stands against it, and what should be known, is printed."""
    # checks of one's own may stand in the current folder
    sys.path.insert(0, os.getcwd())
    table = check_config(parsed, os.environ)
    for finding in table.findings:
        print(f"{finding.level}: {finding}", file=sys.stderr)
    return table.is_sound
