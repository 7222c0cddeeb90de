"""One laar application on a real Ray Serve, with simulated engines that answer, err, refuse or hang."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from serve_app.environment import prepare_environment
from tests.served import assumed_profile

# ports of their own, so that the tests run beside an application that is up
RAY_PORTS = {
    "RAY_SERVE_HAPROXY_METRICS_PORT": "9191",
    "RAY_SERVE_HAPROXY_STATS_PORT": "8494",
    # HAProxy asks this one while no router is up, and would so ask that of the other application
    "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": "8501",
    "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": "9501",
    # below those from 32768 on, of which the system gives any to whatever else a replica listens with
    "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": "32000",
    "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": "32699",
}
# replicas of a deleted application wait so long for HAProxy to forget them, by default 30 s
DRAINING = {"RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "2"}
os.environ.update(RAY_PORTS | DRAINING)
prepare_environment(os.environ)

PORT = 8231
DASHBOARD_PORT = 8266
KEY, OTHER_KEY = "test-key", "another-key"
HONEST_KEYS, LIAR = [f"honest-key-{number}" for number in range(10)], "lying-key"
SECRET = b"s" * 32
HEADERS = {"authorization": f"Bearer {KEY}"}
MODELS: dict[str, dict[str, Any]] = {
    # by its profile the first choice for tasks without a name, and always wrong
    "simulated-wrong": {"accuracy": 0.0, "repair_accuracy": 1.0},
    # with blanks in the JSON of its streams
    "simulated-right": {"accuracy": 1.0, "spaced_json": True},
    # first choices of the tasks "broken" and "hanging", the last ones of all others
    "simulated-broken": {"error_rate": 1.0},
    "simulated-hanging": {"hang_rate": 1.0},
    "simulated-slow": {
        "latency": {"overhead_s": 0.2, "prefill_s_per_token": 0, "decode_s_per_token": 0.2},
        "padding_words": 20,
    },
    # the only one that can be held to a budget, and by its profile good at sums
    "simulated-thinking": {"thinking_words": 100},
}
THINKING_CURVE = {
    "task": "sums",
    "base_s": 0.001,
    "token_s": 0.0001,
    "gain": 0.8,
    "rate": 0.1,
    "floor": 0.1,
    "max_tokens": 50,
}
FIRST_CHOICE_OF = {
    "simulated-wrong": "default",
    "simulated-broken": "broken",
    "simulated-hanging": "hanging",
    "simulated-slow": "slow",
}


def llm_config(model: str) -> dict[str, Any]:
    return {
        "model_loading_config": {"model_id": model},
        "accelerator_config": {"kind": "cpu"},
        "engine_kwargs": {"max_model_len": 8192}
        | ({"reasoning_config": {"reasoning_end_str": "</think>"}} if "thinking" in model else {}),
        "deployment_config": {"num_replicas": 1, "ray_actor_options": {"num_cpus": 0.1}},
        "placement_group_config": {"bundles": [{"CPU": 0.1}]},
        "log_engine_metrics": False,
    }


def _profile() -> dict[str, Any]:
    def cells(model: str) -> list[dict[str, Any]]:
        tasks = ("default", "broken", "hanging", "slow")
        usually = 10 if model == "simulated-right" else 1
        return [
            {
                "task": task,
                "language": "en",
                "bucket": 0,
                "correct": 100 if FIRST_CHOICE_OF.get(model) == task else usually,
                "tried": 100,
            }
            for task in tasks
        ]

    return assumed_profile(
        {
            model: {"cells": cells(model), "thinking": [THINKING_CURVE] if "thinking" in model else []}
            for model in MODELS
        }
    )


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """A Ray with Serve for all applications of these tests; yields where it listens."""
    import ray
    from ray import serve

    os.environ |= {
        "LAAR_TEST_KEYS": ", ".join([OTHER_KEY, KEY, *HONEST_KEYS, LIAR]),
        "LAAR_TEST_SECRETS": SECRET.decode(),
    }
    ray.init(
        num_cpus=4,
        include_dashboard=True,
        dashboard_port=DASHBOARD_PORT,
        log_to_driver=False,
        configure_logging=False,
    )
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": PORT})
        yield f"http://127.0.0.1:{PORT}"
    finally:
        serve.shutdown()
        ray.shutdown()


def models(*names: str) -> list[dict[str, Any]]:
    return [
        {"engine": "simulated", "simulated": {"context_tokens": 8192, **MODELS[name]}, "llm_config": llm_config(name)}
        for name in names
    ]


@pytest.fixture(scope="session")
def profile_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    profile = tmp_path_factory.mktemp("profile") / "profile.json"
    profile.write_text(json.dumps(_profile()))
    return str(profile)


@pytest.fixture(scope="session")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The application's file of keys, which it follows; it has none at first."""
    path = tmp_path_factory.mktemp("keys") / "keys.yaml"
    path.write_text("keys: []")
    return path


@pytest.fixture(scope="session")
def log_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log")


@pytest.fixture(scope="session")
def app_url(cluster: str, profile_path: str, keys_file: Path, log_folder: Path) -> str:
    from ray import serve

    from serve_app.app import build_app

    log = log_folder
    config = {
        "profile": profile_path,
        "models": models(*MODELS),
        # without learning, so that no test changes what the next one is answered by
        "router": {
            "num_cpus": 0.1,
            "keep_alive_s": 0.2,
            "status_period_s": 0.5,
            "learning": {"enabled": False},
            "names": {"auto-at-home": AT_HOME},
            "repair": "always",
        },
        "thinking": {"period_s": 0.5, "window_s": 5},
        "verifier": {"num_cpus": 0.1, "custom_checks": {"short": "tests.serve.checks:is_short"}},
        "limits": {"max_body_bytes": 300_000, "attempt_timeout_s": 20, "deadline_s": 60},
        "auth": {
            "api_keys_env": "LAAR_TEST_KEYS",
            "secrets_env": "LAAR_TEST_SECRETS",
            "keys_file": str(keys_file),
            "refresh_s": 0.2,
        },
        "log": {"url": f"sqlite:///{log}/attempts.sqlite", "spool_dir": f"{log}/spool"},
    }
    serve.run(build_app(config), name="laar", route_prefix="/")
    wait_until_every_model_is_seen(cluster)
    return cluster


def wait_until_every_model_is_seen(url: str) -> None:
    """The router reads now and then which models run, and may have read it last before the slowest one did."""
    for _ in range(100):
        told = httpx.post(f"{url}/v1/laar/explain", json=chat(), headers=HEADERS).raise_for_status().json()
        if all(candidate["exclusion"] is None for candidate in told["candidates"]):
            return
        time.sleep(0.1)
    raise TimeoutError(f"not every model runs: {told['candidates']}")


@pytest.fixture
def client(app_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app_url, headers=HEADERS, timeout=60) as found:
        yield found


def chat(content: str = 'Where is it? <sim answer="at home">', **fields: Any) -> dict[str, Any]:
    """The body of a routed chat request whose right answer is "at home"."""
    return {"model": "auto", "messages": [{"role": "user", "content": content}], "temperature": 0, **fields}


AT_HOME = {"verify": {"type": "contains", "value": "at home"}}
