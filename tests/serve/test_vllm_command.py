"""vLLM's own command, of the build for CPUs: it starts, and its load generator can ask laar."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from tests.serve.conftest import AT_HOME, KEY

pytestmark = pytest.mark.serve
VLLM = Path(sys.executable).with_name("vllm")
WORDS = [f"word{number}" for number in range(100)]


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    words = Tokenizer(models.WordLevel({word: id_ for id_, word in enumerate(["?", *WORDS])}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    directory = tmp_path / "tokenizer"
    directory.mkdir()
    words.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    return directory


@pytest.mark.parametrize("model", [pytest.param("auto", id="auto"), pytest.param("simulated-right", id="named")])
def test_vllm_bench_serve_measures_laar(app_url: str, tokenizer: Path, tmp_path: Path, model: str) -> None:
    options = {
        "backend": "openai-chat",
        "base-url": app_url,
        "endpoint": "/v1/chat/completions",
        "model": model,
        "tokenizer": tokenizer,
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
