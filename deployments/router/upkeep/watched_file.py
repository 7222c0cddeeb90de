"""Files that a running router follows: a Secret or ConfigMap that Kubernetes replaces, or what an operator writes."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec

from profiles.yaml_text import read_yaml

logger = logging.getLogger("ray.serve")

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_YAML_BYTES = 8 * 1024 * 1024

T = TypeVar("T")


class FileObserver(Protocol):
    """Is told of every change of a watched file, and whether it counts."""

    def file_read(self, name: str, *, is_taken: bool) -> None: ...


class WatchedFile(Generic[T]):
    """A file whose latest content that was not refused counts.

    `parse` runs in a thread, and `use` takes over what it made in the event loop. Either refuses with a ValueError and
    then leaves all as it was. The text of that error is logged, so it must not show a secret.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        parse: Callable[[bytes], T],
        use: Callable[[T], Awaitable[None] | object],
        observer: FileObserver,
    ) -> None:
        self._path, self._name, self._parse, self._use, self._observer = path, name, parse, use, observer
        self._seen: bytes | None = None
        self._is_there = True

    async def take(self) -> bool:
        """Whether its content is new and counts from now on. A refused content raises once, not at each reading."""
        content = await asyncio.to_thread(content_of, self._path)
        self._is_there = True
        digest = hashlib.sha256(content).digest()
        if digest == self._seen:
            return False
        self._seen = digest
        done = self._use(await asyncio.to_thread(self._parse, content))
        if isawaitable(done):
            await done
        return True

    async def look(self) -> None:
        """Take what is new. A file that is gone or refused changes nothing, which is told once."""
        try:
            if await self.take():
                # without its version: a hash of secrets would let a guess be confirmed
                logger.info("file read anew", extra={"file": self._name})
                self._observer.file_read(self._name, is_taken=True)
        except OSError:
            if self._is_there:
                logger.warning(
                    "file cannot be read; what it said last counts", extra={"file": self._name}, exc_info=True
                )
            self._is_there = False
        except Exception as error:
            # only a refusal is sure to show nothing that stands in the file
            why = str(error) if isinstance(error, ValueError) else type(error).__name__
            logger.warning("file refused; what it said last counts", extra={"file": self._name, "error": why})
            self._observer.file_read(self._name, is_taken=False)

    async def keep_looking(self, *, period_s: float) -> None:
        """Look every `period_s` seconds, for ever."""
        while True:
            await asyncio.sleep(period_s)
            await self.look()


def yaml_as_json(content: bytes) -> bytes:
    """A document of YAML or JSON as JSON; ValueError says what is wrong with it, without showing what it holds."""
    if len(content) > MAX_YAML_BYTES:
        raise ValueError(f"has {len(content)} bytes; at most {MAX_YAML_BYTES} are read")
    found = read_yaml(content, is_secret=True, takes_aliases=False)
    try:
        # dates are taken in YAML's form too
        return msgspec.json.encode(found)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise ValueError(
            "holds what JSON has no form for: a key that is no text, or a value that holds itself"
        ) from None


def content_of(path: Path) -> bytes:
    """The bytes of a file; ValueError for one that is larger than any that is meant."""
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"has more than the {MAX_FILE_BYTES} bytes that are read")
    return content
