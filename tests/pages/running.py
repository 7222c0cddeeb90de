"""Runs the code blocks of a page in their order, as a reader would, and compares the output with what is shown."""

import os
import re
import shlex
import signal
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from serve_app.config import AppConfig
from serve_app.faults import in_words
from tests.served import RAY_PORTS, ROOT

CONFIG = "my_models.yaml"
SHELL = frozenset({"", "bash"})
REMOTES = " ".join(f"--remote http://127.0.0.1:{port}/v1" for port in (8001, 8002))
# the embedded models are those of two servers, so that nothing is loaded; the set-up has been made
INSTEAD = {
    r"^(scripts/setup\.sh|python3\.11 -m venv|pip install) .*": "true",
    r"^source \.venv/bin/activate$": "true",
    r"^laar up( --print.*)?$": rf"laar up {REMOTES} --profile embedded\1",
}
TIMEOUT_S = 240
_BLOCK = re.compile(r'^( *)```(\w*)(?: title="([^"]+)")?\n(.*?)^ *```$', re.MULTILINE | re.DOTALL)
_ID = re.compile(r"laar-[0-9a-f]{32}")


class Block(NamedTuple):
    """A code block: its language, the file that it is, if any, and its text."""

    language: str
    title: str
    text: str


def blocks(page: str) -> list[Block]:
    return [Block(language, title, textwrap.dedent(text)) for _, language, title, text in _BLOCK.findall(page)]


def is_shown(shown: str, output: str) -> str | None:
    """The first line that is shown and did not come, in this order.

    Numbers, ids, what stands in quotes and what `...` stands for may differ.
    """
    lines = iter(filter(None, map(_bare, output.splitlines())))
    for line in filter(None, map(_bare, shown.splitlines())):
        pattern = re.compile(_pattern(line))
        if not any(pattern.fullmatch(found) for found in lines):
            return line
    return None


def _bare(line: str) -> str:
    """Without the rules of a table and without what only lays out."""
    return " ".join(re.sub(r"[\u2500-\u257f]", " ", line).split())


def _pattern(line: str) -> str:
    parts = re.split(r"(\.\.\.|…|laar-[0-9a-f]+[\w.-]*|\"[^\"]*\"|'[^']*'|\d+(?:\.\d+)?)", line)
    return "".join(_part(part) for part in parts)


def _part(part: str) -> str:
    if part in ("...", "…"):
        return ".*"
    if _ID.match(part):
        return r"laar-\S+"
    if re.fullmatch(r"\d+(\.\d+)?", part):
        return r"\d+(\.\d+)?"
    # what a model wrote
    return ".*" if part[:1] in "\"'" and part else re.escape(part)


class Reader:
    """Someone who works through a page in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: subprocess.Popen[str] | None = None
        self._state = folder / ".state"
        self._state.write_text("")
        self._output = ""
        self._last_id = ""

    def follow(self, page: str) -> Iterator[str]:
        """Work through all blocks; what went wrong of each, if anything."""
        for number, block in enumerate(blocks(page), start=1):
            for wrong in self._do(block):
                yield f"block {number}, {block.text.splitlines()[0]}: {wrong}"

    def run(self, commands: str) -> Iterator[str]:
        """What went wrong with these lines of a shell; `laar up` goes on running until the next one."""
        script: list[str] = []
        self._output = ""
        for line in map(self._as_run, re.sub(r"\\\n\s*", " ", commands).splitlines()):
            if line.startswith("laar up") and "--print" not in line:
                yield from self._shell(script)
                yield from self._up(line)
                script = []
            else:
                script.append(line)
        yield from self._shell(script)

    def stop(self) -> None:
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            # reads what was not read, and closes the pipe
            self._server.communicate(timeout=120)
            self._server = None

    def _as_run(self, line: str) -> str:
        for pattern, instead in INSTEAD.items():
            line = re.sub(pattern, instead, line)
        return re.sub(r"\bID\b", self._last_id, line)

    def _do(self, block: Block) -> Iterator[str]:
        if block.language in SHELL:
            yield from self.run(block.text)
        elif block.language == "text":
            if (line := is_shown(block.text, self._output)) is not None:
                yield f"the output has not the line {line!r}, but is\n{self._output}"
        elif block.language == "yaml":
            yield from self._config(block)
        elif block.language in ("json", "txt") and not block.title:
            pass  # a part of an answer
        else:
            assert block.title, f"a block of {block.language} needs the title of its file"
            (self._folder / block.title).write_text(block.text)

    def _config(self, block: Block) -> Iterator[str]:
        """A part of a config: with a title it goes into the file, else it is only read, as its files are elsewhere."""
        document = yaml.safe_load((self._folder / CONFIG).read_text())
        args = document["applications"][0]["args"]
        part = yaml.safe_load(block.text)
        if "applications" in part:
            part = part["applications"][0]["args"]
        for key, value in part.items():
            args[key] = [*args[key], *value] if isinstance(value, list) else value
        if block.title:
            (self._folder / block.title).write_text(yaml.safe_dump(document, sort_keys=False))
        try:
            AppConfig.model_validate(args)
        except ValidationError as error:
            yield in_words(error, AppConfig)

    def _shell(self, script: list[str]) -> Iterator[str]:
        if not script:
            return
        lines = [f". {self._state}", *script, f"export -p > {self._state}"]
        done = subprocess.run(
            ["bash", "-euc", "\n".join(lines)],
            cwd=self._folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        self._output += done.stdout
        self._last_id = (_ID.findall(done.stdout) or [self._last_id])[-1]
        if done.returncode:
            yield f"status {done.returncode}\n{done.stdout[-2000:]}"

    def _up(self, line: str) -> Iterator[str]:
        self.stop()
        # in the environment that the page has made
        command = f". {self._state}; exec {shlex.join(shlex.split(line))}"
        self._server = subprocess.Popen(
            ["bash", "-euc", command],
            cwd=self._folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._server.stdout is not None
        for told in self._server.stdout:
            self._output += told
            if told.startswith("serving "):
                return
        log = self._folder / "laar-up.log"
        yield f"laar up ended\n{log.read_text()[-2000:] if log.exists() else ''}"

    def _environment(self) -> dict[str, str]:
        path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        more: dict[str, Any] = {"PATH": path, "PYTHONPATH": str(ROOT), "LAAR_CACHE_DIR": str(self._folder / "cache")}
        return os.environ | RAY_PORTS | more | {"COLUMNS": "160"}
