"""Unit tests start no Ray and reach nothing outside this machine; a test that tries fails, whatever it catches."""

import asyncio
import builtins
import gc
import ipaddress
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from hypothesis import settings

from tests.unit.virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    from deployments.log.database.store import Store

# before numpy is loaded: on busy cores the threads of small matrix operations wait for one another
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# the same examples in every run, and no failure because a core was busy
settings.register_profile("unit", derandomize=True, database=None, deadline=None, max_examples=20)
settings.load_profile("unit")


# modules and collected tests stay; to look through them again and again is a tenth of a run
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 20)


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.get_closest_marker("virtual_time"):
        return {"virtual": VirtualTimeLoop}
    return {"real": asyncio.new_event_loop}


def _refuse_ray(*_args: object, **_kwargs: object) -> NoReturn:
    pytest.fail("ray.init was called in a unit test")


@pytest.fixture(scope="session", autouse=True)
def no_ray() -> Iterator[None]:
    """`ray.init` fails, whether ray was loaded before the test or by it; loading it here would cost seconds."""
    monkeypatch = pytest.MonkeyPatch()
    real_import = builtins.__import__

    def guard() -> None:
        ray = sys.modules.get("ray")
        if getattr(ray, "init", _refuse_ray) is not _refuse_ray:
            # setattr would import, and so come back here
            monkeypatch.setitem(vars(ray), "init", _refuse_ray)

    def guarded_import(*args: Any, **kwargs: Any) -> Any:
        module = real_import(*args, **kwargs)
        guard()
        return module

    guard()
    monkeypatch.setattr(builtins, "__import__", guarded_import)
    yield
    monkeypatch.undo()


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Connections and name look-ups fail, loopback and sockets in the file system excepted."""
    real_connect, real_connect_ex, real_lookup = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.getaddrinfo,
    )

    def connect(self: socket.socket, address: Any) -> None:
        _require_local(self.family, address)
        real_connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        _require_local(self.family, address)
        return real_connect_ex(self, address)

    def lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        _require_loopback(host)
        return real_lookup(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(socket.socket, "connect", connect)
        monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)
        monkeypatch.setattr(socket, "getaddrinfo", lookup)
        yield


@pytest.fixture(scope="session", autouse=True)
def commands_built_once() -> Iterator[None]:
    """Typer's runner builds all commands anew each time, which takes longer than most tests of them."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        if testing := sys.modules.get("typer.testing"):
            monkeypatch.setattr(testing, "_get_command", cache(vars(testing)["_get_command"]))
        yield


def _require_local(family: int, address: Any) -> None:
    if family in (socket.AF_INET, socket.AF_INET6):
        _require_loopback(address[0])


def _require_loopback(host: str | bytes | None) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    try:
        is_loopback = ipaddress.ip_address(str(name)).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        pytest.fail(f"a unit test reached for {name!r}; only loopback is allowed")


@pytest.fixture(scope="session")
def empty_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an attempt log in SQLite with its tables."""
    from deployments.log.database.store import Store

    path = tmp_path_factory.mktemp("log") / "empty.sqlite"
    made = Store(f"sqlite:///{path}")
    made.migrate()
    made.close()
    return path


@pytest.fixture
def store(empty_log: Path, tmp_path: Path) -> "Iterator[Store]":
    """An empty attempt log in SQLite."""
    from deployments.log.database.store import Store

    path = tmp_path / "attempts.sqlite"
    shutil.copyfile(empty_log, path)
    found = Store(f"sqlite:///{path}")
    yield found
    found.close()
