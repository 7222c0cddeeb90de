import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts.demo.run import DemoError
from scripts.profile.measuring import application
from scripts.profile.measuring.application import ApplicationConfig, read_config, with_application
from scripts.profile.measuring.plan import ProfileError

EMBEDDED = Path(__file__).parents[4] / "serve_app" / "embedded.yaml"


def test_capacity_and_address_are_read_from_the_config() -> None:
    found = read_config(EMBEDDED)
    assert found.url == "http://127.0.0.1:8000"
    assert found.capacities == {"gemma-3-270m": 8, "smollm2-135m": 8}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[1, 2", id="no YAML"),
        pytest.param("just text", id="no mapping"),
        pytest.param("applications: []", id="no application"),
        pytest.param("models: []", id="no models"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ProfileError, match=r"c\.yaml is no config of a laar application"):
        read_config(tmp_path / "c.yaml")


class Started:
    """Notes what is done to the application; nothing is started."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, is_taken: bool = False, never_ready: bool = False) -> None:
        self.calls: list[str] = []
        self.never_ready = never_ready
        monkeypatch.setattr(application, "is_taken", lambda port: is_taken)
        for name in ("start_application", "wait_until_ready", "end_application"):
            monkeypatch.setattr(application, name, getattr(self, name))

    def start_application(self, config: Path, log_path: Path) -> "subprocess.Popen[bytes] | None":
        self.calls.append(f"start {config.name}")
        return None

    def wait_until_ready(self, process: Any, port: int, log_path: Path) -> None:
        self.calls.append("wait")
        if self.never_ready:
            raise DemoError("The application ended with status 1.")

    def end_application(self, process: Any, signals: Any) -> None:
        self.calls.append("end")

    def measure(self) -> int:
        self.calls.append("measure")
        return 7

    def run(self) -> int:
        config = ApplicationConfig(path=Path("c.yaml"), port=8123, capacities={})
        return with_application(config, Path("log"), measure=self.measure)


def test_application_is_started_measured_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(monkeypatch)
    assert started.run() == 7
    assert started.calls == ["start c.yaml", "wait", "measure", "end"]


def test_application_that_does_not_come_up_is_ended_and_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started = Started(monkeypatch, never_ready=True)
    assert started.run() == 1
    assert started.calls[-1] == "end"
    assert "laar profile: The application ended with status 1." in capsys.readouterr().err


def test_application_is_ended_when_the_measurement_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(monkeypatch)
    monkeypatch.setattr(started, "measure", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError, match="by zero"):
        started.run()
    assert started.calls[-1] == "end"


def test_port_in_use_is_told_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started = Started(monkeypatch, is_taken=True)
    assert started.run() == 1
    assert started.calls == []
    assert "port 8123 on 127.0.0.1 is in use; --url measures what runs there" in capsys.readouterr().err
