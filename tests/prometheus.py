"""A Prometheus, where `scripts/setup.sh` has put it, and what it is asked by alerts and dashboard."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

ROOT = Path(__file__).parents[1]
BIN = ROOT / ".venv/prometheus/usr/bin"
MONITORING = ROOT / "k8s/overlays/monitoring"
needs_prometheus = pytest.mark.skipif(not BIN.exists(), reason="scripts/setup.sh unpacks Prometheus where apt has it")


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["spec"]["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def queries() -> dict[str, str]:
    """Of alerts and dashboard, by what they are called."""
    panels = json.loads((MONITORING / "laar.json").read_text())["panels"]
    shown = {f"{panel['title']} {target['refId']}": target["expr"] for panel in panels for target in panel["targets"]}
    return {rule["alert"]: rule["expr"] for rule in rules()} | shown


def promtool(*args: str, cwd: Path, text: str | None = None) -> str:
    """What it says; fails the test where something is wrong."""
    done = subprocess.run(
        [BIN / "promtool", *args], cwd=cwd, input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Prometheus:
    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The series of an instant query; fails the test where it is not valid."""
        answer = self._http.get("/api/v1/query", params={"query": query})
        assert answer.status_code == 200, (query, answer.text)
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def is_firing(self, alert: str, **labels: str) -> bool:
        wanted = {"alertname": alert, "alertstate": "firing", **labels}
        return bool(self.ask("ALERTS{" + ",".join(f'{name}="{value}"' for name, value in wanted.items()) + "}"))

    def is_ready(self) -> bool:
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def running(folder: Path, *, targets: list[str], rules: list[dict[str, Any]], port: int) -> Iterator[Prometheus]:
    """Scrapes and evaluates once a second."""
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "laar", "rules": rules}]}))
    scraped = {"job_name": "ray", "static_configs": [{"targets": targets}]}
    every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config = {"global": every, "rule_files": ["rules.yaml"], "scrape_configs": [scraped]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{port}"
    command = [str(BIN / "prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"]
    process = subprocess.Popen([*command, f"--web.listen-address={address}"], cwd=folder)
    try:
        with httpx.Client(base_url=f"http://{address}", timeout=10) as http:
            found, due_s = Prometheus(http), time.monotonic() + 30
            while not found.is_ready():
                assert time.monotonic() < due_s
                time.sleep(0.2)
            yield found
    finally:
        process.terminate()
        process.wait(30)
