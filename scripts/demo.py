"""`laar demo`: start the embedded models, ask questions over HTTP, show who answered them and at which try."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from scripts.demo_questions import QUESTIONS, Question
from serve_app.environment import prepare_environment

CONFIG = Path(__file__).parent.parent / "serve_app" / "embedded.yaml"
START_TIMEOUT_S = 900
console = Console()


def run_demo(*, once: bool, json_path: Path | None, port: int) -> int:
    """The exit status: 0 when every question was asked and answered, 1 when the application did not come up."""
    if _is_taken(port):
        console.print(f"Port {port} on 127.0.0.1 is in use. Stop what runs there, or choose another with --port.")
        return 1
    log_path = Path(os.environ.get("LAAR_DEMO_LOG", "laar-demo.log"))
    console.print(f"Starting Ray, Gemma-3-270m and SmolLM2-135M on vLLM (CPU); the log goes to {log_path}.")
    try:
        with _application(port, log_path) as process:
            _wait_until_ready(process, port, log_path)
            results = [_ask(question, port) for question in QUESTIONS]
            _show(results)
            if json_path is not None:
                json_path.write_text(json.dumps({"questions": results}, indent=2, ensure_ascii=False) + "\n")
                console.print(f"Written to {json_path}.")
            if not once:
                _stay_up(process, port)
    except DemoError as error:
        console.print(str(error))
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
    return 0


class DemoError(Exception):
    """The application did not come up, or went away; the message says where to look."""


@contextmanager
def _application(port: int, log_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`serve run` with the embedded config, ended in its own time when the block is left."""
    environment = dict(os.environ)
    prepare_environment(environment)
    config = CONFIG
    if port != 8000:
        config = log_path.with_suffix(".yaml")
        config.write_text(CONFIG.read_text().replace("port: 8000", f"port: {port}"))
    command = [str(Path(sys.executable).with_name("serve")), "run", str(config), "--app-dir", str(CONFIG.parents[1])]
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    console.print("Shutting down.")
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int, log_path: Path) -> None:
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
    """Whether every model has a running replica: the router is up before its models have loaded."""
    try:
        response = httpx.post(_url(port, "laar/explain"), json={"model": "auto", "prompt": "Ready?"}, timeout=10)
        return response.status_code == 200 and all(c["exclusion"] is None for c in response.json()["candidates"])
    except httpx.HTTPError:
        return False


def _url(port: int, path: str) -> str:
    return f"http://127.0.0.1:{port}/v1/{path}"


def _ask(question: Question, port: int) -> dict[str, Any]:
    body = {
        "model": "auto",
        "messages": [{"role": "user", "content": question.text}],
        "temperature": 0,
        "max_tokens": 32,
        "laar": {"verify": dict(question.verify), "task": question.task},
    }
    console.print(f"asking: {question.title}")
    response = httpx.post(_url(port, "chat/completions"), json=body, timeout=600)
    if response.status_code != 200:
        raise DemoError(f"The application answered {response.status_code}: {response.text[:500]}")
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


def _stay_up(process: "subprocess.Popen[bytes]", port: int) -> None:
    console.print(f"Serving on http://127.0.0.1:{port}/v1 with model 'auto'. Ctrl-C stops it.")
    process.wait()
    raise DemoError(f"The application ended with status {process.returncode}.")


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
