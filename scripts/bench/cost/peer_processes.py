"""Other people's proxies, started as they would be in production, in front of endpoints that are up.

They live in `.venv-bench`, because LiteLLM's pins and vLLM's exclude each other; scripts/setup-bench.sh makes it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import httpx

ROOT = Path(__file__).parents[3]
PEERS = ROOT / ".venv-bench"
GROUP = "auto"
START_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 10.0
Strategy = Literal["simple-shuffle", "least-busy"]
# From LiteLLM's page on production, and what a machine without a way out needs. Both it and laar run without keys here.
LITELLM_ENVIRONMENT = {
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
}


class PeersMissingError(Exception):
    """The environment of the peers is not there."""


def tool(name: str) -> Path:
    """A command of the peers' environment."""
    path = PEERS / "bin" / name
    if not path.exists():
        raise PeersMissingError(f"'{name}' is missing in {PEERS.name}; help: scripts/setup-bench.sh makes it")
    return path


def installed_versions(packages: Sequence[str]) -> dict[str, str]:
    """The versions in the peers' environment."""
    program = "import sys, json, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    found = subprocess.run([tool("python"), "-c", program, *packages], check=True, capture_output=True, text=True)
    versions: dict[str, str] = json.loads(found.stdout)
    return versions


def litellm_config(
    deployments: Sequence[tuple[str, str]],
    *,
    strategy: Strategy = "simple-shuffle",
    num_retries: int = 2,
    request_timeout_s: float = 600,
) -> dict[str, Any]:
    """One model group of deployments (base URL, model); each is also a group by itself, to fall back on.

    A retry goes to the group again; when those are spent, the deployments are asked one after another.
    """
    models = list(dict.fromkeys(model for _, model in deployments))
    groups = [(GROUP, url, model) for url, model in deployments] + [(model, url, model) for url, model in deployments]
    return {
        "model_list": [
            {
                "model_name": group,
                "litellm_params": {"model": f"openai/{model}", "api_base": f"{url}/v1", "api_key": "none"},
            }
            for group, url, model in groups
        ],
        "litellm_settings": {"set_verbose": False, "json_logs": True, "request_timeout": request_timeout_s},
        "router_settings": {
            "routing_strategy": strategy,
            "num_retries": num_retries,
            "fallbacks": [{GROUP: models}],
        },
    }


def served_by(headers: Mapping[str, str]) -> str | None:
    """The model that answered, of which LiteLLM's body only says the group."""
    name = headers.get("x-litellm-model-name")
    return name.removeprefix("openai/") if name else None


@contextmanager
def litellm_proxy(
    base_url: str, models: Sequence[str], port: int, *, strategy: Strategy = "simple-shuffle", num_retries: int = 2
) -> Iterator[str]:
    """LiteLLM's proxy in front of a running application's models, all of them behind the model name `auto`."""
    deployments = [(base_url, model) for model in models]
    with litellm(litellm_config(deployments, strategy=strategy, num_retries=num_retries), port) as url:
        yield url


@contextmanager
def litellm(config: Mapping[str, Any], port: int) -> Iterator[str]:
    """LiteLLM's proxy with one worker, as laar has one router replica."""
    with tempfile.TemporaryDirectory(prefix="laar-litellm-") as folder:
        path = Path(folder, "config.yaml")
        path.write_text(json.dumps(config))  # JSON is YAML
        command = [tool("litellm"), "--host", "127.0.0.1", "--port", port, "--num_workers", 1, "--config", path]
        url = f"http://127.0.0.1:{port}"
        with _process(command, ready_url=f"{url}/health/liveliness", environment=LITELLM_ENVIRONMENT):
            yield url


@contextmanager
def vllm_router(urls: Sequence[str], port: int, *, policy: str = "cache_aware") -> Iterator[str]:
    """vLLM's router in front of endpoints that serve the same models.

    It starts only when each answers /health, as vLLM's own server does and laar does not.
    """
    command = [tool("vllm-router"), "--host", "127.0.0.1", "--port", port, "--worker-urls", *urls]
    command += ["--policy", policy, "--prometheus-host", "127.0.0.1", "--prometheus-port", port + 1000]
    command += ["--log-level", "warning"]
    url = f"http://127.0.0.1:{port}"
    with _process(command, ready_url=f"{url}/health"):
        yield url


@contextmanager
def instant_backends(ports: Sequence[int]) -> Iterator[list[str]]:
    """One server for each port, each a process, that answer at once."""
    with ExitStack() as running:
        urls = []
        for port in ports:
            command = [sys.executable, "-m", "uvicorn", "scripts.bench.cost.instant_backend:app", "--port", port]
            command += ["--no-access-log", "--log-level", "warning", "--lifespan", "off"]
            url = f"http://127.0.0.1:{port}"
            running.enter_context(_process(command, ready_url=f"{url}/health"))
            urls.append(url)
        yield urls


@contextmanager
def _process(
    command: Sequence[object], *, ready_url: str, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """A process that answers at `ready_url` when the block begins and is gone when it ends.

    RuntimeError where another one listens there, left over from a run that was killed: that one would be measured.
    """
    if _answers(ready_url):
        raise RuntimeError(f"something answers at {ready_url} already; end it first")
    with tempfile.NamedTemporaryFile(prefix="laar-peer-", suffix=".log") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_ready(process, ready_url, Path(log.name))
            yield
        finally:
            _end(process)


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise RuntimeError(f"{_name(process)} ended with {process.returncode}; its last words:\n{_tail(log)}")
        if _answers(url):
            return
        time.sleep(0.2)
    raise RuntimeError(f"{_name(process)} does not answer within {START_TIMEOUT_S:g} s; it said:\n{_tail(log)}")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _name(process: "subprocess.Popen[bytes]") -> str:
    assert isinstance(process.args, list)
    return Path(str(process.args[0])).name


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
