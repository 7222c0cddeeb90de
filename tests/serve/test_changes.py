"""A Serve config of several applications, changed under load: nothing under way is lost, and no engine restarts."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
import yaml
from ray import serve
from ray.util.state import list_actors

from deployments.contract.secret import Secrets
from deployments.router.tenants.keys import key_digest
from tests.serve.conftest import AT_HOME, DASHBOARD_PORT, SECRET, chat, llm_config
from tests.served import assumed_profile

pytestmark = pytest.mark.serve
ROUTERS, CHECKS = "changed", "changed-checks"
# of a request that is under way while things change
LONG_S = float(os.environ.get("LAAR_TEST_LONG_S", "20"))
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


class Files:
    """What running routers follow: keys, secrets, limits and a profile."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "secrets").write_bytes(SECRET)
        self.take_keys("first")
        self.take_profile(90)
        self.take_limits("{}")

    def take_keys(self, *keys: str) -> None:
        entries = [
            {"name": "a", "hash": key_digest(Secrets(SECRET), key), "roles": ["ask", "feedback", "admin"]}
            for key in keys
        ]
        (self.folder / "keys").write_text(json.dumps({"keys": entries}))

    def take_profile(self, correct: int | None) -> None:
        cells = [{"language": "en", "bucket": 0, "correct": correct, "tried": 100}]
        # a model that is profiled to be quick would be taken to hang
        latency = {"overhead_s": LONG_S, "prefill_s_per_token": 0, "decode_s_per_token": 0}
        models = {name: {"cells": cells, "latency": latency} for name in ("simulated-kept", "simulated-removed")}
        (self.folder / "profile.json").write_text("{}" if correct is None else json.dumps(assumed_profile(models)))

    def take_limits(self, text: str) -> None:
        (self.folder / "limits").write_text(text)

    @property
    def args(self) -> dict[str, Any]:
        named = {f"{kind}_file": f"{self.folder}/{kind}" for kind in ("keys", "secrets")}
        files = {"profile": f"{self.folder}/profile.json", "limits_file": f"{self.folder}/limits"}
        return files | {"auth": named | {"refresh_s": 0.2}}


def applications(
    *models: dict[str, Any], files: Files, policy: str, deadline_s: float, judge_timeout_s: float = 60.0
) -> list[dict[str, Any]]:
    args = {
        "models": models,
        "verifier": {"application": CHECKS, "num_cpus": 0.1, "judge_timeout_s": judge_timeout_s},
        "limits": {"deadline_s": deadline_s, "attempt_timeout_s": deadline_s},
    }
    router = {"num_cpus": 0.1, "policy": policy, "status_period_s": 0.5}
    routers = args | files.args | {"router": router, "log": {"enabled": False}}
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
    """Apply a whole config, as an operator does."""
    command = [str(Path(sys.executable).with_name("serve")), "deploy", "-a", f"http://127.0.0.1:{DASHBOARD_PORT}"]

    def deployed(applications: list[dict[str, Any]]) -> None:
        config = tmp_path / "config.yaml"
        config.write_text(yaml.safe_dump({"applications": applications}))
        subprocess.run([*command, str(config)], check=True, capture_output=True, timeout=60)

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
    cluster: str, deploy: Callable[[list[dict[str, Any]]], None], tmp_path: Path
) -> None:
    url, files, headers = f"{cluster}/{ROUTERS}/v1", Files(tmp_path), {"authorization": "Bearer first"}

    def ask(body: dict[str, Any], path: str = "chat/completions") -> httpx.Response:
        return httpx.post(f"{url}/{path}", json=body, headers=headers, timeout=4 * LONG_S)

    def is_taken(key: str) -> bool:
        told = httpx.get(f"{url}/laar/status", headers={"authorization": f"Bearer {key}"}, timeout=10)
        return told.status_code == 200

    def until(holds: Callable[[], bool], seconds: float = 120) -> None:
        due_s = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < due_s
            time.sleep(0.2)

    def all_run() -> bool:
        statuses = {name: app.status for name, app in serve.status().applications.items()}
        return {statuses.get(name) for name in (ROUTERS, CHECKS, "simulated-kept", "simulated-removed")} == {"RUNNING"}

    def asks_by(policy: str, *models: str) -> bool:
        """Whether new routers answer, and know that each of these models runs; old ones have their requests still."""
        told = httpx.get(f"{url}/laar/status", headers=headers, timeout=10).json()
        running = {model["model"] for model in told["models"] if model["replicas"]}
        return told["policy"] == policy and running == {*models}

    def versions() -> Any:
        return ask(chat(), "laar/explain").json()["versions"]

    with ThreadPoolExecutor(200) as pool:
        asked: list[Future[httpx.Response]] = []
        is_over = Event()

        def ask_each() -> None:
            """Long requests to both models that were there."""
            for name in ("simulated-kept", "simulated-removed"):
                asked.extend(pool.submit(ask, chat(model=name, laar=AT_HOME)) for _ in range(2))
            asked.append(pool.submit(ask, chat(model="simulated-kept", stream=True, laar=AT_HOME)))

        def keep_asking() -> None:
            """All the while, of whichever model laar chooses."""
            while not is_over.wait(0.5):
                asked.append(pool.submit(ask, chat(laar=AT_HOME)))

        deploy(applications(KEPT, REMOVED, files=files, policy="laar", deadline_s=3 * LONG_S))
        until(all_run)
        # routers know of a model within a second after it runs, and refuse until then what only it could answer
        until(lambda: asks_by("laar", "simulated-kept", "simulated-removed"))
        before, first = engine_pids(), versions()
        ask_each()
        asking = pool.submit(keep_asking)
        # what routers follow
        files.take_profile(None)
        files.take_limits("max_attempts: 0")
        time.sleep(1)
        assert versions() == first
        files.take_profile(40)
        files.take_limits("max_attempts: 2\nmax_tokens: 7")
        until(lambda: versions()["profile"] != first["profile"] and versions()["limits"] != first["limits"])
        assert ask(chat(max_tokens=8)).status_code == 400
        files.take_limits("{}")
        files.take_keys("first", "second")
        ask_each()
        # requests under load go on with the first key until routers take the other one
        until(lambda: is_taken("second"))
        headers["authorization"] = "Bearer second"
        # what is deployed
        deploy(
            applications(
                KEPT, REMOVED, ADDED, files=files, policy="load-aware", deadline_s=2.5 * LONG_S, judge_timeout_s=50
            )
        )
        until(lambda: asks_by("load-aware", "simulated-kept", "simulated-removed", "simulated-added"))
        # by now no request is on its way that was sent with the first key
        files.take_keys("second")
        ask_each()
        deploy(applications(KEPT, ADDED, files=files, policy="fastest", deadline_s=3 * LONG_S))
        until(lambda: asks_by("fastest", "simulated-kept", "simulated-added"))
        is_over.set()
        asking.result()
        codes = [future.result().status_code for future in asked]
    after = engine_pids()
    failed = [code for code in codes if code != 200]
    print(f"{len(codes)} requests, most of {LONG_S:.0f} s: {failed=}; {before=}, {after=}")
    assert codes == [200] * len(codes)
    assert after["simulated-kept"] == before["simulated-kept"]
    assert len(after["simulated-added"]) == 1
    assert ask(chat(model="simulated-removed")).status_code == 404


def test_key_is_rotated_under_load_without_a_failed_request(app_url: str, keys_file: Path) -> None:
    def accept(*keys: str) -> None:
        """Write the file anew, as an operator does: whole, or not at all."""
        entries = [{"name": "rotated", "hash": key_digest(Secrets(SECRET), key)} for key in keys]
        new = keys_file.with_suffix(".new")
        new.write_text(json.dumps({"keys": entries}))
        os.replace(new, keys_file)

    def ask(key: str) -> int:
        headers = {"authorization": f"Bearer {key}"}
        return httpx.post(f"{app_url}/v1/chat/completions", json=chat(), headers=headers, timeout=30).status_code

    def wait_for(key: str, status: int) -> None:
        deadline = time.monotonic() + 20
        while ask(key) != status:
            assert time.monotonic() < deadline, f"'{key}' does not become {status}"

    used, is_over, statuses = ["first"], False, []

    def load() -> None:
        while not is_over:
            statuses.append(ask(used[0]))

    try:
        accept("first")
        wait_for("first", 200)
        with ThreadPoolExecutor(4) as pool:
            running = [pool.submit(load) for _ in range(4)]
            try:
                accept("first", "second")
                wait_for("second", 200)
                used[0], before = "second", len(statuses)
                while len(statuses) < before + 8:
                    time.sleep(0.05)
                accept("second")
                wait_for("first", 401)
                keys_file.write_text("keys: &all [*all]")
                time.sleep(0.5)
            finally:
                is_over = True
        for each in running:
            each.result()
        assert len(statuses) > 20
        assert set(statuses) == {200}
    finally:
        accept()
