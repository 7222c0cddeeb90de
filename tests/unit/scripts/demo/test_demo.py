"""No Ray and no models: a tree of sleeping processes stands in for `serve run` and what it starts."""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from scripts.demo import run as demo
from scripts.demo.questions import QUESTIONS

# The children ignore SIGINT, each in a process group or a session of its own. All pids are told once all are ready.
TREE = """
import os, signal, sys, time
ending, separations, told = sys.argv[1:]
signal.signal(signal.SIGINT, signal.SIG_IGN)
pids, (ready, tell) = [os.getpid()], os.pipe()
for separate in separations.split():
    pids.append(os.fork())
    if pids[-1] == 0:
        getattr(os, separate)()
        os.write(tell, b".")
        time.sleep(60)
        os._exit(0)
for _ in pids[1:]:
    os.read(ready, 1)
if ending != "stubborn":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
with open(told, "w") as pipe:
    pipe.write(" ".join(map(str, pids)))
if ending != "crashing":
    time.sleep(60)
"""
# The tests may run under nohup, whose wish to live on is none of the demo's.
DEMO = """
import signal, sys, time
from scripts.demo import run as demo
signal.signal(signal.SIGHUP, signal.SIG_DFL)
tree, phase, port, *arguments = sys.argv[1:]
demo.REST_END_TIMEOUT_S = 0.1
demo._command = lambda config: [sys.executable, "-c", tree, *arguments]
demo.wait_until_ready = lambda *_: time.sleep(60 if phase == "loading" else 0)
demo._ask = lambda *_: {}
demo._show = lambda results: None
sys.exit(demo.run_demo(once=phase == "loading", json_path=None, port=int(port)))
"""


@dataclass
class Stage:
    """A demo in a process of its own, over a tree of processes that is gone after the test, whatever the demo did."""

    directory: Path
    pids: list[int] = field(default_factory=list)
    demo: "subprocess.Popen[str] | None" = None

    def play(self, *, phase: str = "loading", ending: str = "willing", children: str = "setpgrp setsid") -> None:
        """Start the demo; its tree stands and its signals are set when this returns."""
        told = self.directory / "told"
        os.mkfifo(told)
        pipe = os.open(told, os.O_RDWR)
        self.demo = subprocess.Popen(
            [sys.executable, "-c", DEMO, TREE, phase, str(free_port()), ending, children, str(told)],
            cwd=demo.CONFIG.parents[1],
            env=os.environ | {"LAAR_DEMO_LOG": str(self.directory / "demo.log")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        is_told, _, _ = select.select([pipe], [], [], 10)
        assert is_told, "the tree did not come up"
        self.pids = [int(pid) for pid in os.read(pipe, 1000).split()]
        os.close(pipe)

    def signal(self, signum: int) -> None:
        assert self.demo is not None
        self.demo.send_signal(signum)

    def read_until(self, text: str) -> None:
        assert self.demo is not None
        assert self.demo.stdout is not None
        assert any(text in line for line in self.demo.stdout), f"the demo did not say {text!r}"

    def close_output(self) -> None:
        assert self.demo is not None
        assert self.demo.stdout is not None
        self.demo.stdout.close()

    def end(self) -> int:
        """The exit status, well before any of the long time limits."""
        assert self.demo is not None
        return self.demo.wait(timeout=10)

    def running(self) -> list[int]:
        return [pid for pid in self.pids if is_running(pid)]

    def clear(self) -> None:
        for pid in self.running():
            os.kill(pid, signal.SIGKILL)
        if self.demo is not None:
            self.demo.kill()
            self.demo.wait()
            self.close_output()


def is_running(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.clear()


@pytest.mark.parametrize(
    ("signum", "status"),
    [
        pytest.param(signal.SIGINT, 130, id="SIGINT"),
        pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
        pytest.param(signal.SIGHUP, 129, id="SIGHUP"),
    ],
)
def test_signal_before_the_table_ends_everything_and_is_no_success(stage: Stage, signum: int, status: int) -> None:
    stage.play()
    assert len(stage.running()) == 3
    stage.signal(signum)
    assert (stage.end(), stage.running()) == (status, [])


def test_ctrl_c_while_serving_ends_everything_and_is_the_proper_end(stage: Stage) -> None:
    stage.play(phase="serving")
    stage.read_until("Serving on")
    stage.signal(signal.SIGINT)
    assert (stage.end(), stage.running()) == (0, [])


def test_second_signal_kills_what_does_not_end(stage: Stage) -> None:
    stage.play(ending="stubborn")
    stage.signal(signal.SIGINT)
    stage.read_until("Shutting down.")
    stage.signal(signal.SIGINT)
    assert (stage.end(), stage.running()) == (130, [])


def test_everything_ends_also_when_nobody_reads_the_output(stage: Stage) -> None:
    stage.play()
    stage.read_until("Starting")
    stage.close_output()
    stage.signal(signal.SIGTERM)
    assert (stage.end(), stage.running()) == (143, [])


def test_what_a_crashed_application_leaves_is_ended(stage: Stage) -> None:
    stage.play(phase="serving", ending="crashing", children="setpgrp")
    stage.read_until("The application ended with status 0")
    assert (stage.end(), stage.running()) == (1, [])


def test_lost_connection_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    log = tmp_path / "a-path-so-long-that-a-terminal-of-eighty-columns-would-fold-it" / "demo.log"
    log.parent.mkdir()
    monkeypatch.setenv("LAAR_DEMO_LOG", str(log))
    monkeypatch.setattr(demo, "_command", lambda config: ["sleep", "60"])
    monkeypatch.setattr(demo, "wait_until_ready", lambda *_: None)
    assert demo.run_demo(once=True, json_path=None, port=free_port()) == 1
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"'{QUESTIONS[0].title}' got no answer: ConnectError: [Errno 111] Connection refused; see {log}."
    )
    assert signal.getsignal(signal.SIGTERM) is before
