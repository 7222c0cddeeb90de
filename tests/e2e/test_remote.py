"""A vLLM server of somebody else's as a model: what its real HTTP says is what clients of laar get."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import yaml

from deployments.engines.embedded import default_cache_dir
from tests.e2e.conftest import running

pytestmark = pytest.mark.e2e
PORT, VLLM_PORT = 8343, 8344
MODEL, SERVED, KEY = "elsewhere", "somebody/smollm2", "the-servers-key"
CONTEXT_TOKENS, START_TIMEOUT_S = 1024, 300
QUESTION = [{"role": "user", "content": "What is the opposite of happy?"}]
SAD = {"laar": {"verify": {"type": "contains", "value": "sad"}}}


@contextmanager
def vllm(log_path: Path) -> Iterator[str]:
    """The URL of vLLM's own server with one of the embedded models, which asks for a key."""
    model = default_cache_dir(os.environ) / "models" / "smollm2-135m"
    # the module, as the command `vllm` does not find itself in the package for CPUs
    command: list[object] = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model]
    command += [
        "--served-model-name",
        SERVED,
        "--api-key",
        KEY,
        "--host",
        "127.0.0.1",
        "--port",
        VLLM_PORT,
        "--dtype",
        "float32",
        "--enforce-eager",
    ]
    command += ["--max-model-len", CONTEXT_TOKENS, "--max-num-seqs", 8, "--gpu-memory-utilization", 0.15]
    url = f"http://127.0.0.1:{VLLM_PORT}"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_ready(process, f"{url}/health", log_path)
            yield f"{url}/v1"
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log_path: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log_path.read_text(errors="replace")[-2000:]
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise TimeoutError(f"vLLM is not up within {START_TIMEOUT_S} s: {log_path.read_text(errors='replace')[-2000:]}")


def _config(url: str) -> dict[str, Any]:
    # laar is told of a longer context than the server has, so that it is the server that refuses
    elsewhere = {"model_id": MODEL, "urls": [url], "served_model": SERVED, "max_model_len": 8 * CONTEXT_TOKENS}
    args = {
        "models": [{"engine": "remote", "remote": {**elsewhere, "api_key_env": "LAAR_TEST_VLLM_KEY"}}],
        "router": {"num_cpus": 0.2, "keep_alive_s": 0.2},
        "verifier": {"num_cpus": 0.1},
        "log": {"enabled": False},
    }
    application = {"name": "laar", "route_prefix": "/", "import_path": "serve_app.app:build_app", "args": args}
    return {"http_options": {"host": "127.0.0.1", "port": PORT}, "applications": [application]}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    directory = tmp_path_factory.mktemp("remote")
    config = directory / "config.yaml"
    with vllm(directory / "vllm.log") as vllm_url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAAR_TEST_VLLM_KEY", KEY)
        config.write_text(yaml.safe_dump(_config(vllm_url)))
        with (
            running(config, port=PORT, log_path=directory / "serve.log") as url,
            openai.OpenAI(base_url=f"{url}/v1", api_key="none", timeout=120, max_retries=0) as found,
        ):
            yield found


def ask(client: openai.OpenAI, **fields: Any) -> Any:
    return client.chat.completions.create(
        **{"model": "auto", "messages": QUESTION, "temperature": 0, "max_tokens": 24} | fields
    )


def test_answer_is_the_servers_and_verified(client: openai.OpenAI) -> None:
    answer = ask(client, extra_body=SAD)
    assert answer.model == MODEL
    assert "sad" in answer.choices[0].message.content.lower()
    assert answer.laar["verified"] is True
    assert answer.usage.completion_tokens > 0


@pytest.mark.parametrize("extra", [{}, SAD], ids=["straight-through", "held"])
def test_stream_says_what_the_answer_says(client: openai.OpenAI, extra: dict[str, Any]) -> None:
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}, extra_body=extra))
    told = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert told == ask(client).choices[0].message.content
    assert {chunk.model for chunk in chunks} == {MODEL}
    assert len(chunks) > 5
    assert chunks[-1].usage.completion_tokens > 0


def test_completion(client: openai.OpenAI) -> None:
    answer = client.completions.create(model=MODEL, prompt="The opposite of happy is", max_tokens=8, temperature=0)
    assert answer.choices[0].text.strip()


@pytest.mark.parametrize("stream", [False, True])
def test_prompt_too_long_for_the_server_is_a_400_with_its_words(client: openai.OpenAI, stream: bool) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, messages=[{"role": "user", "content": "word " * 2 * CONTEXT_TOKENS}], stream=stream)
    assert str(CONTEXT_TOKENS) in str(refused.value)


def test_bad_value_is_a_400_that_names_it(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="presence_penalty"):
        ask(client, presence_penalty=7)
