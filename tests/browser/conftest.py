"""The page in Debian's Chromium, before an application of simulated engines that `laar up` serves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
PORT = 8361
KEY = "browser-key"
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
ACCURACIES = {"simulated-wrong": 0.0, "simulated-right": 1.0}


def model(name: str) -> dict[str, Any]:
    return {
        "engine": "simulated",
        "simulated": {"accuracy": ACCURACIES[name], "padding_words": 5},
        "llm_config": {
            "model_loading_config": {"model_id": name},
            "accelerator_config": {"kind": "cpu"},
            "deployment_config": {"num_replicas": 1, "ray_actor_options": {"num_cpus": 0.1}},
            "placement_group_config": {"bundles": [{"CPU": 0.1}]},
            "log_engine_metrics": False,
        },
    }


def profile() -> dict[str, Any]:
    def cells(name: str) -> list[dict[str, Any]]:
        correct = 18 if name == "simulated-wrong" else 12
        return [
            {"language": language, "bucket": bucket, "correct": correct, "tried": 20}
            for language in ("en", "de")
            for bucket in (0, 1)
        ]

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
                "cells": cells(name),
            }
            for name in ACCURACIES
        },
    }


def config(directory: Path) -> dict[str, Any]:
    (directory / "profile.json").write_text(json.dumps(profile()))
    args = {
        "profile": str(directory / "profile.json"),
        "models": [model(name) for name in ACCURACIES],
        "router": {"num_cpus": 0.1, "status_period_s": 0.5, "learning": {"sync_period_s": 0.2}},
        "verifier": {"num_cpus": 0.1},
        "auth": {"api_keys_env": "LAAR_BROWSER_KEYS"},
        "log": {
            "url": f"sqlite:///{directory}/attempts.sqlite",
            "spool_dir": f"{directory}/spool",
            "flush_period_s": 0.1,
        },
    }
    return {
        "http_options": {"host": "127.0.0.1", "port": PORT},
        "applications": [{"name": "laar", "route_prefix": "/", "import_path": "serve_app.app:build_app", "args": args}],
    }


@pytest.fixture(scope="session")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`laar up` with the config, as a person starts it; Ctrl-C ends it."""
    directory = tmp_path_factory.mktemp("app")
    (directory / "config.yaml").write_text(yaml.safe_dump(config(directory)))
    environment = os.environ | RAY_PORTS | {"LAAR_BROWSER_KEYS": KEY, "PYTHONPATH": str(ROOT)}
    laar = [sys.executable, "-m", "scripts.cli", "up", "--config", str(directory / "config.yaml")]
    laar += ["--log-file", str(directory / "up.log")]
    with subprocess.Popen(laar, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = ""
            while "serving " not in line:
                line = process.stdout.readline()
                assert line, (directory / "up.log").read_text()[-3000:]
            yield f"http://127.0.0.1:{PORT}"
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=120) == 0


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Debian's chromium is not installed; as root: apt-get install chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser, app_url: str) -> Iterator[Page]:
    """The page with its key given; what the browser refuses or cannot do fails the test."""
    context = browser.new_context(locale="en-US", viewport={"width": 1200, "height": 900})
    found = context.new_page()
    troubles: list[str] = []
    found.on("console", lambda said: troubles.append(f"{said.text} {said.location}") if said.type == "error" else None)
    found.on("pageerror", lambda error: troubles.append(str(error)))
    found.add_init_script(f"sessionStorage.setItem('laar-key', '{KEY}')")
    found.goto(f"{app_url}/laar")
    found.wait_for_selector("#models tbody tr")
    yield found
    context.close()
    # a test tries it; a page that did so itself would have a page error
    assert [trouble for trouble in troubles if "'TrustedHTML' assignment" not in trouble] == []


def wait_until(is_so: Any, timeout_s: float = 20) -> None:
    until_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < until_s, "it did not come about in time"
        time.sleep(0.1)
