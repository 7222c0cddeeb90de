"""The embedded application as a user starts it: `serve run serve_app/embedded.yaml`, on a port of its own."""

import signal
from collections.abc import Iterator

import openai
import pytest

from scripts.demo import Signals, end_application, start_application, wait_until_ready

PORT = 8341
# ports of their own, so that the tests run beside an application that is up
RAY_PORTS = {
    "RAY_SERVE_HAPROXY_METRICS_PORT": "9192",
    "RAY_SERVE_HAPROXY_STATS_PORT": "8495",
    "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": "33000",
    "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": "33999",
}


@pytest.fixture(scope="session")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log_path = tmp_path_factory.mktemp("app") / "serve.log"
    # started in the background, a process has SIGINT ignored, and its children too: `serve run` would not end
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.MonkeyPatch.context() as patch:
        for name, port in RAY_PORTS.items():
            patch.setenv(name, port)
        process = start_application(PORT, log_path)
        try:
            wait_until_ready(process, PORT, log_path)
            yield f"http://127.0.0.1:{PORT}"
        finally:
            end_application(process, Signals())


@pytest.fixture
def client(app_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{app_url}/v1", api_key="none", timeout=300, max_retries=0) as found:
        yield found
