"""The embedded application as a user starts it: `serve run serve_app/embedded.yaml`, on a port of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from serve_app.environment import prepare_environment

ROOT = Path(__file__).parents[2]
PORT = 8341
START_TIMEOUT_S = 900
# ports of their own, so that the tests run beside an application that is up
RAY_PORTS = {
    "RAY_SERVE_HAPROXY_METRICS_PORT": "9192",
    "RAY_SERVE_HAPROXY_STATS_PORT": "8495",
    "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": "33000",
    "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": "33999",
}


@pytest.fixture(scope="session")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("app")
    config = directory / "embedded.yaml"
    config.write_text((ROOT / "serve_app/embedded.yaml").read_text().replace("port: 8000", f"port: {PORT}"))
    environment = os.environ | RAY_PORTS
    prepare_environment(environment)
    command = [str(Path(sys.executable).with_name("serve")), "run", str(config), "--app-dir", str(ROOT)]
    log_path = directory / "serve.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _wait_until_ready(process, log_path)
        yield f"http://127.0.0.1:{PORT}"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=90)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _wait_until_ready(process: "subprocess.Popen[bytes]", log_path: Path) -> None:
    """Until explain finds no model unhealthy: then every engine has loaded its weights."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            response = httpx.post(
                f"http://127.0.0.1:{PORT}/v1/laar/explain", json={"model": "auto", "prompt": "ready?"}, timeout=10
            )
            if response.status_code == 200 and all(c["exclusion"] is None for c in response.json()["candidates"]):
                return
        except httpx.HTTPError:
            pass
        time.sleep(2)
    pytest.fail("the application did not come up:\n" + log_path.read_text()[-5000:])


@pytest.fixture
def client(app_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{app_url}/v1", api_key="none", timeout=300, max_retries=0) as found:
        yield found
