"""An application of simulated engines that `laar up` serves, as a person starts it: for the page and for clients."""

import json
import os
import signal
import subprocess
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
KEY = "served-key"
# ports of their own, so that the tests run beside an application that is up
RAY_PORTS = {
    "RAY_SERVE_HAPROXY_METRICS_PORT": "9193",
    "RAY_SERVE_HAPROXY_STATS_PORT": "8496",
    "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": "8503",
    "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": "9503",
    "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": "30400",
    "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": "31099",
}
# by its profile the first choice, and always wrong
WRONG_THEN_RIGHT: Mapping[str, Mapping[str, Any]] = {
    "simulated-wrong": {"accuracy": 0.0},
    "simulated-right": {"accuracy": 1.0},
}


def model(name: str, behaviour: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "engine": "simulated",
        "price": {"prompt_per_million": 0.5, "output_per_million": 2},
        "simulated": {"padding_words": 5, **behaviour},
        "llm_config": {
            "model_loading_config": {"model_id": name},
            "accelerator_config": {"kind": "cpu"},
            "deployment_config": {"num_replicas": 1, "ray_actor_options": {"num_cpus": 0.1}},
            "placement_group_config": {"bundles": [{"CPU": 0.1}]},
            "log_engine_metrics": False,
        },
    }


def assumed_profile(models: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A profile of models that are quick and alike; each one's cells, and what else is its own, are given."""
    return {
        "version": 1,
        "measured": {
            "assumed": True,
            "at": "never",
            "hardware": "none",
            "software": {},
            "command": "",
            "workloads": [],
            "seed": 0,
            "temperature": 0,
            "prompts_per_cell": 0,
        },
        "bucket_edges": [128, 1024],
        "models": {
            name: {
                "latency": {"overhead_s": 0.01, "prefill_s_per_token": 0, "decode_s_per_token": 0.001},
                "chars_per_token": {"unknown": 4.0},
                "chars_per_symbol_token": 4.0,
                **own,
            }
            for name, own in models.items()
        },
    }


def profile(names: Collection[str]) -> dict[str, Any]:
    def cells(name: str) -> list[dict[str, Any]]:
        correct = {"simulated-wrong": 18, "simulated-right": 12}.get(name, 1)
        return [
            {"language": language, "bucket": bucket, "correct": correct, "tried": 20}
            for language in ("en", "de")
            for bucket in (0, 1)
        ]

    return assumed_profile({name: {"cells": cells(name)} for name in names})


def config(
    directory: Path, port: int, behaviours: Mapping[str, Mapping[str, Any]], router: Mapping[str, Any]
) -> dict[str, Any]:
    (directory / "profile.json").write_text(json.dumps(profile(behaviours)))
    args = {
        "profile": str(directory / "profile.json"),
        "models": [model(name, behaviour) for name, behaviour in behaviours.items()],
        "router": {**router, "num_cpus": 0.1, "status_period_s": 0.5, "learning": {"sync_period_s": 0.2}},
        "verifier": {"num_cpus": 0.1},
        "auth": {"api_keys_env": "LAAR_SERVED_KEYS"},
        "log": {
            "url": f"sqlite:///{directory}/attempts.sqlite",
            "spool_dir": f"{directory}/spool",
            "flush_period_s": 0.1,
        },
    }
    return {
        "http_options": {"host": "127.0.0.1", "port": port},
        "applications": [{"name": "laar", "route_prefix": "/", "import_path": "serve_app.app:build_app", "args": args}],
    }


def write_tokenizer(directory: Path) -> Path:
    """The folder of a tokenizer of a hundred words, which `vllm bench serve` makes prompts of."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {word: id_ for id_, word in enumerate(["?", *(f"word{number}" for number in range(100))])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    folder = directory / "tokenizer"
    folder.mkdir()
    words.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    return folder


@contextmanager
def served(
    directory: Path,
    *,
    port: int,
    behaviours: Mapping[str, Mapping[str, Any]] = WRONG_THEN_RIGHT,
    router: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[str]:
    """The URL of `laar up` with a config of these engines; Ctrl-C ends it."""
    (directory / "config.yaml").write_text(yaml.safe_dump(config(directory, port, behaviours, router)))
    environment = os.environ | RAY_PORTS | {"LAAR_SERVED_KEYS": KEY, "PYTHONPATH": str(ROOT)}
    laar = [
        str(ROOT / ".venv" / "bin" / "python"),
        "-m",
        "scripts.cli",
        "up",
        "--config",
        str(directory / "config.yaml"),
    ]
    laar += ["--log-file", str(directory / "up.log")]
    with subprocess.Popen(laar, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = ""
            while "serving " not in line:
                line = process.stdout.readline()
                assert line, (directory / "up.log").read_text()[-3000:]
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=120) == 0
