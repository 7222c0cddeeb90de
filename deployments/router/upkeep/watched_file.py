"""Files that a running router follows: a Secret or ConfigMap that Kubernetes replaces, or what an operator writes."""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

logger = logging.getLogger("ray.serve")

T = TypeVar("T")


class WatchedFile(Generic[T]):
    """What a file says, as it was last read well; what `parse` refuses with a ValueError leaves it as it was.

    The text of that error is logged, so it must not show what stands in the file.

    `version` is of the content that counts: the same at every replica that has read the same bytes.
    """

    def __init__(self, content: bytes, parse: Callable[[bytes], T]) -> None:
        self._parse, self._seen = parse, _version_of(content)
        self.value, self.version = parse(content), self._seen
        self.is_there = True

    def take(self, content: bytes) -> bool:
        """Whether the content is new and counts from now on. A refused content raises once, not at each reading."""
        version = _version_of(content)
        if version == self._seen:
            return False
        self._seen = version
        value = self._parse(content)
        self.value, self.version = value, version
        return True


class FileObserver(Protocol):
    """Is told of every change of a watched file, and whether it counts."""

    def file_read(self, name: str, *, is_taken: bool) -> None: ...


async def keep_reading(
    path: Path, file: WatchedFile[Any], *, name: str, observer: FileObserver, period_s: float
) -> None:
    """Read the file every `period_s` seconds, for ever."""
    while True:
        await asyncio.sleep(period_s)
        await read_once(path, file, name=name, observer=observer)


async def read_once(path: Path, file: WatchedFile[Any], *, name: str, observer: FileObserver) -> None:
    """A file that is gone or refused leaves the last good one, and tells so once."""
    try:
        content = await asyncio.to_thread(path.read_bytes)
        file.is_there = True
        if file.take(content):
            # without its version: a hash of secrets would let a guess be confirmed
            logger.info("file read anew", extra={"file": name})
            observer.file_read(name, is_taken=True)
    except OSError:
        if file.is_there:
            logger.warning("file cannot be read; what it said last counts", extra={"file": name}, exc_info=True)
        file.is_there = False
    except Exception as error:
        # only a refusal is sure to show nothing that stands in the file
        why = str(error) if isinstance(error, ValueError) else type(error).__name__
        logger.warning("file refused; what it said last counts", extra={"file": name, "error": why})
        observer.file_read(name, is_taken=False)


def _version_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
