"""vLLM's own command, of the build for CPUs: it starts, and its load generator can ask laar."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serve.conftest import AT_HOME, KEY
from tests.served import write_tokenizer

pytestmark = pytest.mark.serve
VLLM = Path(sys.executable).with_name("vllm")


@pytest.mark.parametrize("model", [pytest.param("auto", id="auto"), pytest.param("simulated-right", id="named")])
def test_vllm_bench_serve_measures_laar(app_url: str, tmp_path: Path, model: str) -> None:
    options = {
        "backend": "openai-chat",
        "base-url": app_url,
        "endpoint": "/v1/chat/completions",
        "model": model,
        "tokenizer": write_tokenizer(tmp_path),
        "dataset-name": "random",
        "num-prompts": 4,
        "random-input-len": 8,
        "random-output-len": 8,
        "extra-body": json.dumps({"laar": AT_HOME | {"max_attempts": 2}}),
        "result-dir": tmp_path,
        "result-filename": "found.json",
    }
    told = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    done = subprocess.run(
        [VLLM, "bench", "serve", *told, "--save-result"],
        env=os.environ | {"OPENAI_API_KEY": KEY, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["completed"], found["failed"]) == (4, 0)
