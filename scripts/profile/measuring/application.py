"""Brings up the application of a config, measures it and ends it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from scripts.client.check import ConfigFileError, read_config_file
from scripts.demo.run import (
    DemoError,
    Signals,
    end_application,
    is_taken,
    start_application,
    stop_signals,
    wait_until_ready,
)
from scripts.profile.measuring.plan import ProfileError
from serve_app.config import AppConfig
from serve_app.faults import in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationConfig:
    """What a Serve config says of the application: where it listens, and how many requests each engine runs at once."""

    path: Path
    port: int
    capacities: dict[str, int]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def read_config(path: Path) -> ApplicationConfig:
    """Raises ProfileError when the file is no Serve config of one laar application."""
    try:
        config = read_config_file(path)
        app = AppConfig.model_validate(config.args)
    except ValidationError as error:
        told = in_words(error, AppConfig)
        raise ProfileError(f"{path} is no config of a laar application: {told}") from error
    except ConfigFileError as error:
        raise ProfileError(f"{path} is no config of a laar application: {error}") from error
    capacities = {name: model.engine_config.slots for model in app.models for name in model.names}
    return ApplicationConfig(path=path, port=config.port, capacities=capacities)


def with_application(config: ApplicationConfig, log_path: Path, *, measure: Callable[[], int]) -> int:
    """The exit status of `measure`, which is called once the application is ready; 1 where it does not come up."""
    with stop_signals() as signals:
        try:
            return _with_application(signals, config, log_path, measure)
        except DemoError as error:
            print(f"laar profile: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("laar profile: stopped", file=sys.stderr)
            return 128 + signals.received[0]


def _with_application(signals: Signals, config: ApplicationConfig, log_path: Path, measure: Callable[[], int]) -> int:
    if is_taken(config.port):
        raise DemoError(f"port {config.port} on 127.0.0.1 is in use; --url measures what runs there")
    print(f"starting the application of {config.path}; the log goes to {log_path}", file=sys.stderr)
    # held from before the start until the try that ends what was started
    signals.are_held = True
    process = start_application(config.path, log_path)
    try:
        signals.release()
        wait_until_ready(process, config.port, log_path)
        return measure()
    finally:
        # first of all and no call, because Python handles signals at calls
        signals.are_held = True
        end_application(process, signals)
