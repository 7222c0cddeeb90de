"""The application that the benches of faults load: simulated engines, a remote model, two routers, a disk of its own.

It is `laar up` in a process of its own, and what it starts is found among that process' descendants. So no process of
another application is ever touched.
"""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import psutil
import yaml

ROOT = Path(__file__).parents[3]
APP, PORT = "chaos", 8124
KEYS_ENV = "LAAR_CHAOS_KEYS"
FIRST, SECOND, REMOTE = "simulated-first", "simulated-second", "remote"
# its first choice is the remote model
REMOTE_TASK = "remote"
ENGINE_S = 0.5
DISK_BYTES = 4 * 1024 * 1024
START_TIMEOUT_S, END_TIMEOUT_S = 180.0, 120.0
# ports of their own, so that it runs beside an application that is up
_RAY = {
    "RAY_SERVE_HAPROXY_METRICS_PORT": "9195",
    "RAY_SERVE_HAPROXY_STATS_PORT": "8498",
    "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": "8505",
    "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": "9505",
    "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": "29000",
    "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": "29699",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "2",
}


@dataclass(slots=True, kw_only=True)
class Application:
    """One application, from `started` to the end of that block; `keys` are those of two tenants."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    keys: Sequence[str] = field(repr=False)
    url: str = f"http://127.0.0.1:{PORT}"

    def all(self) -> list[psutil.Process]:
        """Everything that it has started and that still runs."""
        with suppress(psutil.NoSuchProcess):
            return list(psutil.Process(self.process.pid).children(recursive=True))
        return []

    def named(self, name: str) -> list[psutil.Process]:
        """Processes with this text in their command line."""
        return [process for process in self.all() if name in command_of(process)]

    def replicas(self, deployment: str) -> list[psutil.Process]:
        return self.named(f"ServeReplica:{APP}:{deployment}")

    def kill(self, processes: Sequence[psutil.Process]) -> None:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def metric(self, name: str) -> float:
        """The sum of all series of a metric as its node exports them; Ray collects them only once in some seconds."""
        found = re.findall(rf"^ray_{name}(?:{{.*}})? (\S+)$", self._exported(), re.MULTILINE)
        return sum(map(float, found))

    def _exported(self) -> str:
        """What Ray's agent of the node exports, on a port that the system gave it."""
        for process in self.named("DashboardAgent"):
            ports = [c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
            for port in ports:
                with suppress(httpx.HTTPError):
                    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
                    if "\nray_" in text:
                        return text
        return ""

    def logged(self, words: str) -> int:
        """Lines with these words in the logs of the router replicas."""
        found = re.search(r"--session[-_]dir[= ](\S+)", " ".join(map(command_of, self.named("--session"))))
        logs = Path(found[1]).glob("logs/serve/replica_*Router*.log") if found else ()
        return sum(path.read_text(errors="replace").count(words) for path in logs)

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """No byte is free in the file system of the journals; what is given back meanwhile is taken at once."""
        is_over = threading.Event()

        def fill() -> None:
            with self._filler.open("wb", buffering=0) as filler:
                while not is_over.is_set():
                    try:
                        filler.write(bytes(4096))
                    except OSError:
                        is_over.wait(0.005)

        filling = threading.Thread(target=fill, name="filler")
        filling.start()
        try:
            yield
        finally:
            is_over.set()
            filling.join()
            self._filler.unlink()

    @property
    def _filler(self) -> Path:
        """In the mount namespace of the application, where the file system is."""
        return Path(f"/proc/{self.process.pid}/root{self.folder}/disk/filler")


def command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@contextmanager
def started(folder: Path, document: Mapping[str, Any]) -> Iterator[Application]:
    """`laar up` with this Serve config, until the block ends."""
    (folder / "disk").mkdir(exist_ok=True)
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(dict(document)))
    keys = [secrets.token_hex(32) for _ in range(2)]
    environment = os.environ | _RAY | {KEYS_ENV: ",".join(keys), "PYTHONPATH": str(ROOT)}
    up = [sys.executable, "-m", "scripts.cli", "up", "--config", str(config), "--log-file", str(folder / "up.log")]
    # a mount namespace of its own, for which nobody has to be root
    script = f'mount -t tmpfs -o size={DISK_BYTES} tmpfs "$0" && exec "$@"'
    space = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--mount"]
    command = [*space, "sh", "-c", script, str(folder / "disk"), *up]
    with (folder / "out.log").open("wb") as out:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
    application = Application(folder=folder, process=process, keys=keys)
    try:
        wait_until_ready(application)
        yield application
    finally:
        end(application)


def wait_until_ready(application: Application) -> None:
    due_s = time.monotonic() + START_TIMEOUT_S
    while not is_ready(application.url):
        if application.process.poll() is not None or time.monotonic() > due_s:
            logs = (application.folder / name for name in _LOGS)
            said = "".join(log.read_text(errors="replace")[-2000:] for log in logs if log.exists())
            raise RuntimeError(f"the application did not start:\n{said}")
        time.sleep(0.5)


_LOGS = ("up.log", "out.log")


def is_ready(url: str) -> bool:
    try:
        response = httpx.get(f"{url}/ready", timeout=5)
        return response.status_code == 200 and response.json()["num_unavailable"] == 0
    except (httpx.HTTPError, ValueError, LookupError):
        return False


def end(application: Application) -> None:
    """Ctrl-C, and SIGKILL for what outlasts it."""
    left = application.all()
    application.process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        application.process.wait(END_TIMEOUT_S)
    application.kill([*left, *application.all()])
    application.process.kill()
    application.process.wait()


def document(
    folder: Path,
    *,
    database_url: str,
    remote_url: str | None = None,
    engine_s: float = ENGINE_S,
    accuracy: float = 0.9,
    routers: int = 2,
    limits: Mapping[str, Any] | None = None,
    spool: Path | None = None,
) -> dict[str, Any]:
    """A Serve config whose journals lie on the small disk, which goes with the application, or in `spool`.

    The first model has two replicas, and answers with `accuracy`; the second is right. They are equally quick, so that
    the chance decides between them.
    """
    (folder / "profile.json").write_text(json.dumps(_profile(engine_s)))
    models = [_simulated(FIRST, engine_s, replicas=2, accuracy=accuracy), _simulated(SECOND, engine_s)]
    if remote_url is not None:
        models.append({"engine": "remote", "remote": {"model_id": REMOTE, "urls": [remote_url], "max_model_len": 8192}})
    args = {
        "profile": str(folder / "profile.json"),
        "models": models,
        "router": {"num_cpus": 0.1, "num_replicas": routers, "status_period_s": 1.0},
        "verifier": {"num_cpus": 0.1, "custom_checks": {"at_home": "scripts.bench.chaos.traffic:is_at_home"}},
        "auth": {"api_keys_env": KEYS_ENV},
        "limits": dict(limits or {}),
        "log": {"url": database_url, "spool_dir": str(spool or folder / "disk" / "spool"), "flush_period_s": 0.2},
    }
    return {
        "http_options": {"host": "127.0.0.1", "port": PORT},
        "applications": [{"name": APP, "route_prefix": "/", "import_path": "serve_app.app:build_app", "args": args}],
    }


def _simulated(name: str, engine_s: float, *, replicas: int = 1, accuracy: float = 1.0) -> dict[str, Any]:
    latency = {"overhead_s": engine_s, "prefill_s_per_token": 0, "decode_s_per_token": 0}
    return {
        "engine": "simulated",
        "simulated": {"accuracy": accuracy, "latency": latency, "context_tokens": 8192},
        "llm_config": {
            "model_loading_config": {"model_id": name},
            "accelerator_config": {"kind": "cpu"},
            "engine_kwargs": {"max_model_len": 8192},
            "deployment_config": {"num_replicas": replicas, "ray_actor_options": {"num_cpus": 0.1}},
            "placement_group_config": {"bundles": [{"CPU": 0.1}]},
            "log_engine_metrics": False,
        },
    }


def _profile(engine_s: float) -> dict[str, Any]:
    chances: Mapping[str, Mapping[Literal["default", "remote"], int]] = {
        FIRST: {"default": 90, "remote": 50},
        SECOND: {"default": 60, "remote": 45},
        REMOTE: {"default": 30, "remote": 95},
    }
    latency = {"overhead_s": engine_s, "prefill_s_per_token": 0, "decode_s_per_token": 0}
    return {
        "version": 1,
        "measured": {"assumed": True, "at": "never", "hardware": "none", "software": {}, "command": ""}
        | {"workloads": [], "seed": 0, "temperature": 0, "prompts_per_cell": 0},
        "bucket_edges": [128, 1024],
        "models": {
            name: {
                "latency": latency,
                "chars_per_token": {"unknown": 4.0},
                "chars_per_symbol_token": 4.0,
                "cells": [
                    {"task": task, "language": "en", "bucket": 0, "correct": correct, "tried": 100}
                    for task, correct in by_task.items()
                ],
            }
            for name, by_task in chances.items()
        },
    }
