"""`laar demo`: start the embedded models, ask questions over HTTP, show who answered them and at which try."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import httpx
import psutil
import yaml
from rich.console import Console
from rich.table import Table

from scripts.demo.questions import QUESTIONS, Question
from serve_app.environment import prepare_environment

CONFIG = Path(__file__).parents[2] / "serve_app" / "embedded.yaml"
START_TIMEOUT_S = 900
# for `serve run` to shut Serve down, then for the raylet and the workers, which end after it
SERVE_END_TIMEOUT_S = 60
REST_END_TIMEOUT_S = 15
KILL_TIMEOUT_S = 10
# a log is not folded to the eighty columns that rich takes a pipe for
console = Console(width=None if sys.stdout.isatty() else 120)


def run_demo(*, once: bool, json_path: Path | None, port: int) -> int:
    """The exit status: 0 when every question was answered, 1 for a failure, 128 + the signal that came before."""
    log_path = Path(os.environ.get("LAAR_DEMO_LOG", "laar-demo.log"))
    with stop_signals() as signals, TemporaryDirectory(prefix="laar-") as folder:
        try:
            config = on_port(CONFIG, port, Path(folder))
            _run(signals, config, log_path=log_path, once=once, json_path=json_path, port=port)
        except DemoError as error:
            console.print(str(error), soft_wrap=True, markup=False)
            return 1
        except KeyboardInterrupt:
            _say("Stopped.")
            return 128 + signals.received[0]
    return 0


def _run(signals: "Signals", config: Path, *, log_path: Path, once: bool, json_path: Path | None, port: int) -> None:
    if is_taken(port):
        raise DemoError(f"Port {port} on 127.0.0.1 is in use. Stop what runs there, or choose another with --port.")
    console.print(f"Starting Ray, Gemma-3-270m and SmolLM2-135M on vLLM (CPU); the log goes to {log_path}.")
    # held from before the start until the try that ends what was started
    signals.are_held = True
    process = start_application(config, log_path)
    try:
        signals.release()
        wait_until_ready(process, port, log_path)
        results = [_ask(question, port, log_path) for question in QUESTIONS]
        _show(results)
        if json_path is not None:
            json_path.write_text(json.dumps({"questions": results}, indent=2, ensure_ascii=False) + "\n")
            console.print(f"Written to {json_path}.")
        if not once:
            with suppress(KeyboardInterrupt):
                _stay_up(process, port, log_path)
    finally:
        # first of all and no call, because Python handles signals at calls
        signals.are_held = True
        end_application(process, signals)


class Signals:
    """SIGINT, SIGTERM and SIGHUP: each raises KeyboardInterrupt, save while they are held; all are counted."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self.are_held = False

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        self.received.append(signum)
        if not self.are_held:
            raise KeyboardInterrupt

    def release(self) -> None:
        self.are_held = False
        if self.received:
            raise KeyboardInterrupt


@contextmanager
def stop_signals() -> Iterator[Signals]:
    signals = Signals()
    stops = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup asks to live on
        stops.append(signal.SIGHUP)
    before = {stop: signal.signal(stop, signals) for stop in stops}
    try:
        yield signals
    finally:
        for stop, handler in before.items():
            signal.signal(stop, handler)


class DemoError(Exception):
    """The application did not come up, or went away; the message says where to look."""


def on_port(config: Path, port: int, folder: Path) -> Path:
    """A copy of the config in the folder that listens on this port; the config itself stays as it is."""
    document = yaml.safe_load(config.read_text())
    if not isinstance(document, dict):
        return config
    document["http_options"] = {**(document.get("http_options") or {}), "port": port}
    copy = folder / f"on-port-{port}.yaml"
    copy.write_text(yaml.safe_dump(document, sort_keys=False))
    return copy


def start_application(config: Path, log_path: Path) -> "subprocess.Popen[bytes]":
    """`serve run` with a config, in a session of its own, so that Ctrl-C does not reach it past us."""
    environment = dict(os.environ)
    prepare_environment(environment)
    # each of a dozen processes would compile the same modules anew
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with log_path.open("wb") as log:
        return subprocess.Popen(
            _command(config), env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def _command(config: Path) -> list[str]:
    return [str(Path(sys.executable).with_name("serve")), "run", str(config), "--app-dir", str(CONFIG.parents[1])]


def end_application(process: "subprocess.Popen[bytes]", signals: Signals) -> None:
    """Ask `serve run` to end and wait for all that it started; what outlasts the time, or a new signal, is killed."""
    known_signals = len(signals.received)
    started = _started_by(process)

    def is_urgent() -> bool:
        return len(signals.received) > known_signals

    if process.poll() is None:
        _say("Shutting down. It takes up to a minute.")
        process.send_signal(signal.SIGINT)
        _wait_for(lambda: process.poll() is not None or is_urgent(), SERVE_END_TIMEOUT_S)
    _wait_for(lambda: not _running(process, started) or is_urgent(), 0 if is_urgent() else REST_END_TIMEOUT_S)
    _wait_for(lambda: not _kill(_running(process, started)), KILL_TIMEOUT_S)
    if left := _running(process, started):
        _say(f"Still running, although killed: {', '.join(str(found.pid) for found in left)}.")


def _running(process: "subprocess.Popen[bytes]", started: set[psutil.Process]) -> list[psutil.Process]:
    """What is left of all that was started, by now or before; a zombie has ended."""
    process.poll()
    started |= _started_by(process)
    return [found for found in started if _is_running(found)]


def _started_by(process: "subprocess.Popen[bytes]") -> set[psutil.Process]:
    """The process, its descendants and its session, which still holds them when their parents have ended."""
    found = {candidate for candidate in psutil.process_iter() if _session(candidate.pid) == process.pid}
    for member in list(found):
        with suppress(psutil.NoSuchProcess):
            found.update(member.children(recursive=True))
    return found


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _is_running(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _kill(processes: list[psutil.Process]) -> list[psutil.Process]:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return processes


def _say(text: str) -> None:
    """Print, although the terminal may be gone; rich exits when a pipe is."""
    with suppress(OSError, SystemExit):
        console.print(text)


def _wait_for(is_over: Callable[[], bool], timeout_s: float) -> None:
    until_s = time.monotonic() + timeout_s
    while not is_over() and time.monotonic() < until_s:
        time.sleep(0.2)


def wait_until_ready(process: "subprocess.Popen[bytes]", port: int, log_path: Path) -> None:
    started, told_s = time.monotonic(), 0.0
    with console.status("") as status:
        while (elapsed_s := time.monotonic() - started) < START_TIMEOUT_S:
            if process.poll() is not None:
                raise DemoError(f"The application ended with status {process.returncode}; see {log_path}.")
            if _is_ready(port):
                console.print(f"Ready after {elapsed_s:.0f} s.")
                return
            status.update(f"loading the models ... {elapsed_s:.0f} s (usually one to three minutes)")
            if not console.is_terminal and elapsed_s >= told_s + 15:
                told_s = elapsed_s
                console.print(f"loading the models ... {elapsed_s:.0f} s")
            time.sleep(1)
    raise DemoError(f"The application was not ready after {START_TIMEOUT_S} s; see {log_path}.")


def _is_ready(port: int) -> bool:
    """Whether every model can be asked: the router is up before its models have loaded. It needs no key."""
    try:
        response = httpx.get(f"http://127.0.0.1:{port}/ready", timeout=10)
        return response.status_code == 200 and response.json()["num_unavailable"] == 0
    except httpx.HTTPError:
        return False


def _url(port: int, path: str) -> str:
    return f"http://127.0.0.1:{port}/v1/{path}"


def _ask(question: Question, port: int, log_path: Path) -> dict[str, Any]:
    body = {
        "model": "auto",
        "messages": [{"role": "user", "content": question.text}],
        "temperature": 0,
        "max_tokens": 32,
        "laar": {"verify": dict(question.verify), "task": question.task},
    }
    console.print(f"asking: {question.title}")
    try:
        response = httpx.post(_url(port, "chat/completions"), json=body, timeout=600)
    except httpx.HTTPError as error:
        raise DemoError(
            f"'{question.title}' got no answer: {type(error).__name__}: {error}; see {log_path}."
        ) from error
    if response.status_code != 200:
        raise DemoError(
            f"'{question.title}' was answered {response.status_code}: {response.text[:500]}; see {log_path}."
        )
    answer = response.json()
    laar = answer["laar"]
    return {
        "question": question.title,
        "answer": answer["choices"][0]["message"]["content"],
        **{key: laar[key] for key in ("language", "bucket", "verified", "ttca_s", "attempts")},
    }


def _show(results: list[dict[str, Any]]) -> None:
    table = Table("question", "lang", "tokens", "attempts: model, latency, verdict", "TTCA", show_lines=True)
    for result in results:
        attempts = "\n".join(
            f"{a['model']}  {a['latency_s']:.2f} s  {a['verdict']} ({a['reason']})" for a in result["attempts"]
        )
        ttca = f"{result['ttca_s']:.2f} s" if result["verified"] else "not verified"
        table.add_row(result["question"], result["language"], result["bucket"], attempts, ttca)
    console.print(table)


def _stay_up(process: "subprocess.Popen[bytes]", port: int, log_path: Path) -> None:
    console.print(f"Serving on http://127.0.0.1:{port}/v1 with model 'auto'. Ctrl-C stops it.")
    process.wait()
    raise DemoError(f"The application ended with status {process.returncode}; see {log_path}.")


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
