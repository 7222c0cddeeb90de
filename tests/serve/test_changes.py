"""A Serve config of several applications, changed under load: nothing under way is lost, and no engine restarts."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from ray import serve
from ray.util.state import list_actors

from tests.serve.conftest import AT_HOME, DASHBOARD_PORT, chat, llm_config

pytestmark = pytest.mark.serve
ROUTERS, CHECKS = "changed", "changed-checks"
LONG_S = 12.0
Pids = dict[str, list[int]]


def model(name: str, overhead_s: float) -> dict[str, Any]:
    latency = {"overhead_s": overhead_s, "prefill_s_per_token": 0, "decode_s_per_token": 0}
    simulated = {"context_tokens": 8192, "latency": latency}
    return {"application": name, "engine": "simulated", "simulated": simulated, "llm_config": llm_config(name)}


KEPT, REMOVED, ADDED = (
    model("simulated-kept", LONG_S),
    model("simulated-removed", LONG_S),
    model("simulated-added", 0.0),
)


def applications(*models: dict[str, Any], policy: str, deadline_s: float) -> list[dict[str, Any]]:
    args = {
        "models": models,
        "verifier": {"application": CHECKS, "num_cpus": 0.1},
        "limits": {"deadline_s": deadline_s, "attempt_timeout_s": deadline_s},
    }
    router = {"num_cpus": 0.1, "policy": policy, "status_period_s": 0.5}
    routers = args | {"router": router, "log": {"enabled": False}}
    return [
        *(
            _application(each["application"], "build_model", {"model": each, "deadline_s": 3 * LONG_S})
            for each in models
        ),
        _application(CHECKS, "build_verifier", args),
        _application(ROUTERS, "build_app", routers, route_prefix=f"/{ROUTERS}"),
    ]


def _application(name: str, builder: str, args: Any, route_prefix: str | None = None) -> dict[str, Any]:
    return {"name": name, "route_prefix": route_prefix, "import_path": f"serve_app.app:{builder}", "args": args}


@pytest.fixture
def deploy(cluster: str, tmp_path: Path) -> Iterator[Callable[[list[dict[str, Any]]], None]]:
    """Apply a whole config, as an operator does, and wait until all of it runs."""
    command = [str(Path(sys.executable).with_name("serve")), "deploy", "-a", f"http://127.0.0.1:{DASHBOARD_PORT}"]

    def deployed(applications: list[dict[str, Any]]) -> None:
        config = tmp_path / "config.yaml"
        config.write_text(yaml.safe_dump({"applications": applications}))
        subprocess.run([*command, str(config)], check=True, capture_output=True, timeout=60)
        wanted = {application["name"] for application in applications}
        deadline = time.monotonic() + 120
        while True:
            statuses = {name: app.status for name, app in serve.status().applications.items()}
            if all(statuses.get(name) == "RUNNING" for name in wanted):
                return
            assert time.monotonic() < deadline, statuses
            time.sleep(0.3)

    yield deployed
    for name in (ROUTERS, CHECKS, *(each["application"] for each in (KEPT, REMOVED, ADDED))):
        serve.delete(name, _blocking=False)


def engine_pids() -> Pids:
    found: Pids = {}
    for actor in list_actors(filters=[("state", "=", "ALIVE")], limit=1000):
        if "ModelServer" in actor.class_name:
            found.setdefault(actor.class_name.split(":")[1], []).append(actor.pid)
    return found


def test_changes_lose_no_request_and_restart_no_engine(
    cluster: str, deploy: Callable[[list[dict[str, Any]]], None]
) -> None:
    url = f"{cluster}/{ROUTERS}/v1/chat/completions"

    def ask(body: dict[str, Any]) -> int:
        return httpx.post(url, json=body, timeout=4 * LONG_S).status_code

    with ThreadPoolExecutor(64) as pool:
        asked: list[Future[int]] = []

        def ask_for(seconds: float) -> None:
            """Long requests to both models that were there, and one of them to whichever model laar chooses."""
            for name in ("simulated-kept", "simulated-removed"):
                asked.extend(pool.submit(ask, chat(model=name, laar=AT_HOME)) for _ in range(2))
            asked.append(pool.submit(ask, chat(model="simulated-kept", stream=True, laar=AT_HOME)))
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                asked.append(pool.submit(ask, chat(laar=AT_HOME)))
                time.sleep(0.5)

        deploy(applications(KEPT, REMOVED, policy="laar", deadline_s=3 * LONG_S))
        before = engine_pids()
        ask_for(2)
        deploy(applications(KEPT, REMOVED, ADDED, policy="load-aware", deadline_s=2.5 * LONG_S))
        ask_for(1)
        deploy(applications(KEPT, ADDED, policy="fastest", deadline_s=3 * LONG_S))
        assert ask(chat(laar=AT_HOME)) == 200
        codes = [future.result() for future in asked]
    assert codes == [200] * len(codes)
    after = engine_pids()
    assert after["simulated-kept"] == before["simulated-kept"]
    assert len(after["simulated-added"]) == 1
    assert httpx.post(url, json=chat(model="simulated-removed")).status_code == 404
