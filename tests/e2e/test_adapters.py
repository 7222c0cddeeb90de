"""LoRA adapters on real vLLM: each is a model of its own, in the engine of its base."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest
import yaml
from safetensors.numpy import save_file

from deployments.engines.embedded import default_cache_dir
from scripts.demo.run import CONFIG
from tests.e2e.conftest import running

pytestmark = pytest.mark.e2e
PORT = 8345
BASE = "smollm2-135m"
# one whose matrices are zero, so that it answers as its base does, and one that does not
SAME, OTHER = "smollm2-same", "smollm2-other"
RANK = 4


def write_adapter(folder: Path, *, scale: float) -> Path:
    """A rank-4 adapter of the embedded model's attention, from random numbers."""
    config = json.loads((default_cache_dir(os.environ) / "models" / BASE / "config.json").read_text())
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    values = hidden // heads * config["num_key_value_heads"]
    draw, tensors = np.random.default_rng(7), {}
    for layer in range(config["num_hidden_layers"]):
        for name, rows in (("q_proj", hidden), ("v_proj", values)):
            place = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            tensors[f"{place}.lora_A.weight"] = draw.normal(size=(RANK, hidden)).astype(np.float32)
            tensors[f"{place}.lora_B.weight"] = (scale * draw.normal(size=(rows, RANK))).astype(np.float32)
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    adapter = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": RANK, "bias": "none"}
    adapter |= {"target_modules": ["q_proj", "v_proj"], "base_model_name_or_path": BASE}
    (folder / "adapter_config.json").write_text(json.dumps(adapter))
    return folder


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("adapters")
    document = yaml.safe_load(CONFIG.read_text())
    (application,) = document["applications"]
    args = application["args"]
    args["models"] = [one for one in args["models"] if one["llm_config"]["model_loading_config"]["model_id"] == BASE]
    args["models"][0]["adapters"] = {
        name: str(write_adapter(folder / name, scale=scale)) for name, scale in ((SAME, 0.0), (OTHER, 0.5))
    }
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(document))
    with running(config, port=PORT, log_path=folder / "serve.log") as found:
        yield found


def test_adapters_are_models_of_their_own_in_one_engine(url: str) -> None:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", timeout=300, max_retries=0)
    assert {BASE, SAME, OTHER} <= {card.id for card in client.models.list()}

    def ask(model: str) -> str:
        answer = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "What is the capital of France?"}],
            temperature=0,
            max_tokens=16,
        )
        assert answer.model == model
        return str(answer.choices[0].message.content)

    base, same, other = map(ask, (BASE, SAME, OTHER))
    print({BASE: base, SAME: same, OTHER: other})
    assert "Paris" in base
    assert same == base
    assert other != base


def test_a_wrong_answer_of_an_adapter_is_retried_on_the_others(url: str) -> None:
    question = [{"role": "user", "content": "What is the capital of France?"}]
    body = {"messages": question, "temperature": 0, "max_tokens": 16}
    with httpx.Client(base_url=f"{url}/v1", timeout=300) as client:
        told = client.post("laar/explain", json=body | {"model": "auto"}).json()
        assert {candidate["model"] for candidate in told["candidates"]} == {BASE, SAME, OTHER}
        first = client.post("chat/completions", json=body | {"model": OTHER, "laar": {"client_retries": True}}).json()
        retry = {"retry_of": first["laar"]["request_id"], "verify": {"type": "contains", "value": "Paris"}}
        answer = client.post("chat/completions", json=body | {"model": "auto", "laar": retry}).json()
    assert answer["model"] in (BASE, SAME)
    assert answer["laar"]["verified"] is True
