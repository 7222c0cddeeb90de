"""The real command in a process of its own, killed by SIGKILL while it measures."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from profiles.profile import Profile
from scripts import commands

ROOT = Path(__file__).parents[4]
# far beyond what the slowest machine takes
LONG_S = 300.0
NUM_BEFORE_KILL = 25


class Answers(BaseHTTPRequestHandler):
    """One model that is always right, and answers only so many questions until it is told to go on."""

    def do_GET(self) -> None:
        self.reply({"data": [{"id": "auto"}, {"id": "small"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert isinstance(self.server, Server)
        self.server.sent[body["messages"][0]["content"]] += 1
        if self.server.sent.total() > NUM_BEFORE_KILL:
            self.server.may_go_on.wait(LONG_S)
        usage = {"prompt_tokens": 100, "completion_tokens": 3}
        self.reply({"usage": usage, "laar": {"attempts": [{"verdict": "correct", "latency_s": 0.5}]}})

    def reply(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.sent: Counter[str] = Counter()
        self.may_go_on = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no error of this server."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def options(server: Server, out: Path) -> list[str]:
    url = f"http://127.0.0.1:{server.server_port}"
    more = "--languages en --tokens 100 --workload lookup --prompts 60 --concurrency 3".split()
    return ["profile", "--out", str(out), "--url", url, *more]


def test_killed_command_goes_on_and_counts_every_prompt_once(tmp_path: Path, server: Server) -> None:
    out, journal = tmp_path / "p.json", tmp_path / "p.json.journal"
    command = [sys.executable, "-m", "scripts.cli", *options(server, out)]
    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    until_s = time.monotonic() + LONG_S
    while not (journal.exists() and journal.read_bytes().count(b"\n") > 20):
        assert time.monotonic() < until_s, "nothing is measured"
        assert first.poll() is None
        time.sleep(0.01)
    first.kill()
    _, told = first.communicate(timeout=LONG_S)
    server.may_go_on.set()
    assert first.returncode == -signal.SIGKILL, told.decode()
    answered = journal.read_bytes().count(b"\n") - 1
    assert 20 <= answered <= NUM_BEFORE_KILL
    assert not out.exists()
    second = CliRunner().invoke(commands.app, options(server, out))
    assert second.exit_code == 0, second.output
    (cell,) = Profile.model_validate_json(out.read_text()).models["small"].cells
    assert (cell.correct, cell.tried) == (60, 60)
    # only what was under way when it was killed was asked twice
    assert len(server.sent) == 60
    assert 60 <= server.sent.total() <= 63
