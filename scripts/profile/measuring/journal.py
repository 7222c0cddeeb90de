"""What a measurement has found so far, one line an outcome, so that it can go on after a kill."""

import fcntl
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from pydantic import TypeAdapter, ValidationError

from profiles.measuring.measurement import Record
from scripts.profile.measuring.plan import Key, ProfileError

VERSION = 2
_HEAD = b'{"laar_profile_journal"'


class Result(StrEnum):
    """Refused is final: the same question gets the same answer. What failed may be asked again by another run."""

    ANSWERED = "answered"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How one question ended: with a record, or without one for a reason."""

    model: str
    prompt_id: str
    thinking_tokens: int | None
    result: Result
    record: Record | None = None
    reason: str = ""

    @property
    def key(self) -> Key:
        return Key(self.model, self.prompt_id, self.thinking_tokens)


_OUTCOME = TypeAdapter(Entry)


class MeasurementJournal:
    """An append-only file whose first line holds the plan; one process at a time has it.

    `resumed` are the final outcomes found on opening, `outcomes` all of this measurement, the latest by question;
    `rounds` are the questions that were decided on, in rounds, where they do not follow from the plan.
    """

    def __init__(self, path: Path, plan: Mapping[str, Any], *, fresh: bool) -> None:
        """Raises ProfileError when another plan's journal lies there, or another process writes it."""
        self.path = path
        self.outcomes: dict[Key, Entry] = {}
        self.rounds: list[list[Key]] = []
        self._file: BinaryIO = path.open("a+b")
        try:
            self._open(plan, fresh=fresh)
        except BaseException:
            self._file.close()
            raise
        self.resumed = frozenset(self.outcomes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._file.close()

    def add(self, outcome: Entry) -> None:
        self.outcomes[outcome.key] = outcome
        self._write(_OUTCOME.dump_json(outcome))

    def add_round(self, keys: Sequence[Key]) -> None:
        self.rounds.append(list(keys))
        self._write(json.dumps({"round": keys}).encode())

    def _open(self, plan: Mapping[str, Any], *, fresh: bool) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ProfileError(f"another measurement writes the journal {self.path}; wait for it or end it") from None
        self._file.seek(0)
        content = self._file.read()
        if not _HEAD.startswith(content[: len(_HEAD)]):
            raise ProfileError(f"{self.path} is no journal of laar profile; move it away")
        # a torn last line does not count
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole.splitlines()
        # where nothing was measured yet any plan may take the place
        if fresh or len(lines) < 2:
            self._file.truncate(0)
            self._write(json.dumps({"laar_profile_journal": VERSION, "plan": plan}).encode())
            return
        self._check_head(lines[0], plan)
        self._file.truncate(len(whole))
        for number, line in enumerate(lines[1:], start=2):
            self._read(number, line)
        # what failed is asked again, and counts as nothing until then
        self.outcomes = {k: found for k, found in self.outcomes.items() if found.result is not Result.FAILED}

    def _check_head(self, line: bytes, plan: Mapping[str, Any]) -> None:
        try:
            head = json.loads(line)
            version, before = head["laar_profile_journal"], dict(head["plan"])
        except (ValueError, KeyError, TypeError):
            raise ProfileError(f"{self.path} is no journal of laar profile; move it away") from None
        if version != VERSION:
            raise ProfileError(
                f"the journal {self.path} has version {version}; only {VERSION} can be gone on with. "
                "Start over with --fresh"
            )
        if differing := [name for name in {**before, **plan} if before.get(name) != plan.get(name)]:
            told = "; ".join(f"{name} was {before.get(name)}, is now {plan.get(name)}" for name in differing)
            raise ProfileError(
                f"the journal {self.path} belongs to another plan: {told}. "
                "Repeat the former command to go on with it, or start over with --fresh"
            )

    def _read(self, number: int, line: bytes) -> None:
        try:
            if line.startswith(b'{"round"'):
                self.rounds.append([Key(*key) for key in json.loads(line)["round"]])
                return
            outcome = _OUTCOME.validate_json(line)
        except (ValidationError, ValueError, TypeError):
            raise ProfileError(f"line {number} of the journal {self.path} is damaged; --fresh starts over") from None
        self.outcomes[outcome.key] = outcome

    def _write(self, line: bytes) -> None:
        self._file.write(line + b"\n")
        self._file.flush()


def journal_path(out: Path) -> Path:
    return out.with_name(f"{out.name}.journal")
