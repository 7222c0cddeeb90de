"""Trials on disk: a first line that says what was asked, then one trial a line, a block at a time."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from profiles.measures.trial import Trial
from profiles.measuring.measurement import Record

# how a line begins that tells where a run was gone on with
RESUMED = '{"resumed": '


class _Appended:
    """A file of lines that is only added to; `found` are those it had, less what a kill tore."""

    def __init__(self, path: Path) -> None:
        self._file, self.found = _opened(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._file.close()

    def _write(self, *lines: Mapping[str, Any]) -> None:
        """All in one write."""
        self._file.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        self._file.flush()


class TrialFile(_Appended):
    """Goes on with a run of the same parameters; ValueError for another one's.

    Before what it adds to a file that it found stands a line `{"resumed": ENVIRONMENT}`.
    """

    def __init__(self, path: Path, head: Mapping[str, Any]) -> None:
        super().__init__(path)
        self._resumed: list[Mapping[str, Any]] = []
        if self.found:
            try:
                check_same(path, self.found[0]["parameters"], head["parameters"])
            except ValueError:
                self._file.close()
                raise
            self._resumed = [{"resumed": head["environment"]}]
        else:
            self._write(head)
        self._known = {(line["policy"], line["block"]) for line in self.found[1:] if "resumed" not in line}

    def has(self, policy: str, block: int) -> bool:
        return (policy, block) in self._known

    def add(self, trials: Sequence[Trial]) -> None:
        """Keep a block."""
        self._write(*self._resumed, *map(asdict, trials))
        self._resumed = []
        self._known |= {(trial.policy, trial.block) for trial in trials}


class OutcomeFile(_Appended):
    """The full table of outcomes, one record a line as it comes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._known = {(record["model"], record["prompt_id"]) for record in self.found}

    def has(self, model: str, prompt_id: str) -> bool:
        return (model, prompt_id) in self._known

    def add(self, record: Record) -> None:
        self._write(asdict(record))
        self._known.add((record.model, record.prompt_id))


def _opened(path: Path) -> tuple[TextIO, list[dict[str, Any]]]:
    """A file to append to and its lines; one that a kill tore, and with it the rest of its block, is cut off."""
    file = path.open("a+")
    file.seek(0)
    lines = file.readlines()
    if lines and not lines[-1].endswith("\n"):
        whole, torn = lines[:-1], lines[-1]
        # no trial begins like this; a shorter piece could be anything
        is_resumed = torn.startswith(RESUMED[:3])
        block = _block_of(whole[-1]) if whole and not is_resumed else None
        while whole and block is not None and _block_of(whole[-1]) == block:
            whole.pop()
        if whole and whole[-1].startswith(RESUMED):
            # nothing was added then
            whole.pop()
        file.truncate(sum(len(line.encode()) for line in whole))
        lines = whole
    return file, [json.loads(line) for line in lines]


def _block_of(line: str) -> tuple[str, int] | None:
    found = json.loads(line)
    return (found["policy"], found["block"]) if "block" in found else None


def check_same(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """ValueError where the parameters of a run are not those of another."""
    if differing := [key for key in {**before, **now} if before.get(key) != now.get(key)]:
        told = "; ".join(f"{key} was {before.get(key)}, is now {now.get(key)}" for key in sorted(differing))
        raise ValueError(f"{path} belongs to another plan: {told}")
