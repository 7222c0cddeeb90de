"""From the options of `laar up` to an application that runs."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import typer
import yaml

from scripts.client.check import ConfigFile, ConfigFileError, check_config, read_config_file
from scripts.client.up import UpError, api_key_of, remote_config, up
from scripts.demo.run import CONFIG, on_port


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
            path = log_file.with_suffix(".yaml")
            path.write_text(yaml.safe_dump(document, sort_keys=False))
        elif port is not None:
            path = on_port(path, port, log_file)
        parsed = read_config_file(path)
    except (UpError, ConfigFileError, OSError) as error:
        print(f"laar up: {error}", file=sys.stderr)
        return 1
    if only_prints:
        print(path.read_text(), end="")
        return 0
    if not _is_sound(parsed):
        return 1
    return up(path, parsed, log_path=log_file, api_key=api_key_of(parsed.args, os.environ))


def _is_sound(parsed: ConfigFile) -> bool:
    """Whether it can be started; what stands against it, and what should be known, is printed."""
    table = check_config(parsed, os.environ)
    for finding in table.findings:
        print(f"{finding.level}: {finding}", file=sys.stderr)
    return table.is_sound
