"""The embedded applications as a user starts them: `serve run` with their config, on a port of its own."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest

from scripts.demo.run import CONFIG, Signals, end_application, on_port, start_application, wait_until_ready

PORT = 8341
# ports of their own, so that the tests run beside an application that is up
RAY_PORTS = {
    "RAY_SERVE_HAPROXY_METRICS_PORT": "9192",
    "RAY_SERVE_HAPROXY_STATS_PORT": "8495",
    # HAProxy asks this one while no router is up, and would so ask that of the other application
    "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": "8502",
    "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": "9502",
    # below those from 32768 on, of which the system gives any to whatever else a replica listens with
    "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": "31200",
    "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": "31899",
}


@contextmanager
def running(config: Path, *, port: int, log_path: Path) -> Iterator[str]:
    """The URL of an application that is up; it is gone when the block is left."""
    # started in the background, a process has SIGINT ignored, and its children too: `serve run` would not end
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in RAY_PORTS.items():
            patch.setenv(name, value)
        process = start_application(on_port(config, port, log_path.parent), log_path)
        try:
            wait_until_ready(process, port, log_path)
            yield f"http://127.0.0.1:{port}"
        finally:
            end_application(process, Signals())


# one application after the other: two would not fit into the memory of a small machine
@pytest.fixture(scope="module")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(CONFIG, port=PORT, log_path=tmp_path_factory.mktemp("app") / "serve.log") as url:
        yield url


@pytest.fixture
def client(app_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{app_url}/v1", api_key="none", timeout=300, max_retries=0) as found:
        yield found
