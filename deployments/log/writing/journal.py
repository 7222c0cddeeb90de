"""Journals: files in which records wait for the database, safe from the death of the process that wrote them.

A writer holds a lock on each file it writes. The kernel drops the lock when the process dies, and from then on
any other replica on the machine may take the file over.
"""

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

SEGMENT_BYTES = 4 * 1024 * 1024
_SUFFIX = ".journal"
# never the number of a file, whereas that of a closed one may soon be another file's
_CLOSED = -1


class JournalError(Exception):
    """A record could not be written to the disk."""


class Segment:
    """One journal file, locked by this process as long as it is open."""

    def __init__(self, path: Path, fd: int, begun_s: float) -> None:
        self.path, self._fd, self.begun_s = path, fd, begun_s
        self.size_bytes = os.fstat(fd).st_size
        # what lies before the first is drained, what lies before the second has been read
        self._begin_bytes = self._read_bytes = 0

    def append(self, data: bytes) -> None:
        """Write all of `data` or nothing: what follows half a frame could not be read."""
        try:
            # at a place of its own: what a failed write has left behind is written over
            written = os.pwrite(self._fd, data, self.size_bytes)
            if written < len(data):
                raise OSError(errno.ENOSPC, f"{written} of {len(data)} bytes written")
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._fd, self.size_bytes)
            raise JournalError(f"{self.path.parent}: {error.strerror}") from error
        self.size_bytes += written

    def read(self) -> bytes:
        """All that waits, in whole frames: `size_bytes` grows only after a frame is written. Opens no file."""
        self._read_bytes = self.size_bytes
        with open(self._fd, "rb", closefd=False) as file:
            file.seek(self._begin_bytes)
            return file.read(self._read_bytes - self._begin_bytes)

    def drop_read(self) -> None:
        """Keep only what was appended since it was read. A process that is killed meanwhile leaves records twice.

        The rest moves to the front only where it fits there without touching itself: a failed write loses nothing.
        """
        self._begin_bytes = self._read_bytes
        rest = os.pread(self._fd, self.size_bytes - self._begin_bytes, self._begin_bytes)
        if len(rest) <= self._begin_bytes and os.pwrite(self._fd, rest, 0) == len(rest):
            os.ftruncate(self._fd, len(rest))
            self.size_bytes, self._begin_bytes, self._read_bytes = len(rest), 0, 0

    def remove(self) -> None:
        """Delete the file, then unlock it, so that no replica takes over what is done."""
        self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Unlock the file and leave it for another process; to append afterwards is a JournalError."""
        fd, self._fd = self._fd, _CLOSED
        os.close(fd)


class Journal:
    """This process's part of a spool folder; `append` may be called while another thread drains."""

    def __init__(self, directory: Path, *, writer: str, max_bytes: int, wall: Callable[[], float]) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory, self._writer, self._max_bytes, self._wall = directory, writer, max_bytes, wall
        self._lock = threading.Lock()
        self._count = 0
        self._closed: list[Segment] = []
        self._bytes_of_others = 0
        self._current = self._create()
        self.look_around()

    def append(self, data: bytes) -> None:
        """Hand a frame to the kernel, where it outlives this process; raises JournalError when the disk is full."""
        with self._lock:
            if not self._current.size_bytes:
                self._current.begun_s = self._wall()
            self._current.append(data)
            if self._current.size_bytes >= SEGMENT_BYTES:
                # the record is safe; where no new file can be made this one grows on
                with suppress(OSError):
                    self._close_current(self._create())

    @property
    def is_full(self) -> bool:
        return self.size_bytes >= self._max_bytes

    @property
    def size_bytes(self) -> int:
        """Bytes that wait here; those of other processes as they were when last looked at."""
        return self._bytes_of_others + self._current.size_bytes + sum(s.size_bytes for s in self._closed)

    def oldest_s(self) -> float | None:
        """When the oldest record of this process that waits was written, or None if none waits."""
        with self._lock:
            waiting = [s.begun_s for s in (*self._closed, self._current) if s.size_bytes]
        return min(waiting, default=None)

    def waiting(self) -> list[Segment]:
        """Own files to drain, oldest first; the current one is closed only when no other waits.

        Where the disk has no room for another file, it is drained as it is: that makes room.
        """
        if not self._closed and self._current.size_bytes:
            with suppress(OSError):
                fresh = self._create()
                with self._lock:
                    self._close_current(fresh)
        with self._lock:
            return list(self._closed) if self._closed or not self._current.size_bytes else [self._current]

    def drained(self, segment: Segment) -> None:
        """Forget an own file whose records the database has, as far as it was read; it may have grown since."""
        with self._lock:
            segment.drop_read()
            if segment is self._current or segment.size_bytes:
                return
        segment.remove()
        with self._lock:
            self._closed.remove(segment)

    def look_around(self) -> list[Path]:
        """The files of other processes, living and dead; what they hold counts toward a full journal from now on."""
        with self._lock:
            own = {s.path for s in (*self._closed, self._current)}
        others = [path for path in sorted(self._directory.glob(f"*{_SUFFIX}")) if path not in own]
        self._bytes_of_others = sum(map(_size_bytes, others))
        return others

    def orphans(self) -> Iterator[Segment]:
        """Files of processes that have died, each locked for the caller, who removes or releases it."""
        for path in self.look_around():
            if (segment := _take(path, os.O_RDWR, self._wall())) is not None:
                yield segment

    def close(self) -> None:
        """Leave what waits for whoever comes next."""
        with self._lock:
            for segment in (*self._closed, self._current):
                segment.release() if segment.size_bytes else segment.remove()

    def _close_current(self, fresh: Segment) -> None:
        self._closed.append(self._current)
        self._current = fresh

    def _create(self) -> Segment:
        """A new file of our own; the next name if another process was quicker to lock this one."""
        while True:
            self._count += 1
            path = self._directory / f"{self._writer}-{self._count:08d}{_SUFFIX}"
            if (segment := _take(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, self._wall())) is not None:
                return segment


def _take(path: Path, flags: int, now_s: float) -> Segment | None:
    """The file, locked; None if somebody else holds it or has done with it."""
    try:
        fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(fd), path.stat()):
            return Segment(path, fd, now_s)
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(fd)
    return None


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
