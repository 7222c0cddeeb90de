import errno
import fcntl
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.synchronize import Event
from pathlib import Path
from zlib import crc32

import pytest

from deployments.log.writing import journal as module
from deployments.log.writing.journal import Journal, JournalError, Segment
from deployments.log.writing.log_records import HEADER_BYTES, FeedbackRecord, LogRecord, frame, read_frames, storable
from tests.unit.logged import asked, kill, request_id

RECORDS: list[LogRecord] = [asked(1), FeedbackRecord(request_id=request_id(1), correct=False, at_s=5.0), asked(2)]
FRAMES = b"".join(map(frame, RECORDS))


@pytest.fixture
def journals(tmp_path: Path) -> Iterator["Journals"]:
    found = Journals(tmp_path)
    yield found
    found.close()


class Journals:
    """Journals that share a spool; all are closed at the end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.opened: list[Journal] = []

    def open(self, writer: str = "r1", max_bytes: int = 10_000) -> Journal:
        found = Journal(self.directory, writer=writer, max_bytes=max_bytes, wall=lambda: 100.0)
        self.opened.append(found)
        return found

    def leave(self, writer: str, data: bytes) -> None:
        """What a process leaves that was killed after it wrote."""
        journal = self.open(writer)
        journal.append(data)
        self.opened.remove(journal)
        kill(writer, self.directory)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir())

    def close(self) -> None:
        for journal in self.opened:
            journal.close()


def texts(segments: Iterator[Segment] | list[Segment]) -> list[bytes]:
    found = []
    for segment in segments:
        found.append(segment.read())
        segment.release()
    return found


@contextmanager
def no_new_file() -> Iterator[None]:
    """Any file that is opened meanwhile is one too many for this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.close(lowest_free := os.dup(0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def drain(journal: Journal, segments: list[Segment] | None = None) -> list[LogRecord]:
    """What a flusher would hand to the database."""
    found: list[LogRecord] = []
    for segment in journal.waiting() if segments is None else segments:
        frames = read_frames(segment.read())
        assert (frames.num_unreadable, frames.torn_bytes) == (0, 0)
        found += frames.records
        journal.drained(segment)
    return found


def test_records_come_back_as_they_were() -> None:
    assert read_frames(FRAMES).records == tuple(RECORDS)


@pytest.mark.parametrize("cut", [1, HEADER_BYTES, len(frame(RECORDS[2])) - 1])
def test_torn_last_frame_is_left_out(cut: int) -> None:
    found = read_frames(FRAMES[:-cut])
    assert found.records == tuple(RECORDS[:2])
    assert found.torn_bytes == len(frame(RECORDS[2])) - cut


def test_damaged_frame_is_counted_and_passed_over() -> None:
    damaged = bytearray(FRAMES)
    damaged[len(frame(RECORDS[0])) + HEADER_BYTES] ^= 1
    found = read_frames(bytes(damaged))
    assert (found.records, found.num_unreadable, found.torn_bytes) == ((RECORDS[0], RECORDS[2]), 1, 0)


def test_frame_of_another_version_is_counted_and_passed_over() -> None:
    payload = b'{"type":"of a later version"}'
    unknown = len(payload).to_bytes(4, "little") + crc32(payload).to_bytes(4, "little") + payload
    found = read_frames(unknown + frame(RECORDS[0]))
    assert (found.records, found.num_unreadable, found.torn_bytes) == ((RECORDS[0],), 1, 0)


def test_text_that_no_database_takes_is_mended() -> None:
    assert storable("a\0b\ud800c") == "a\ufffdb?c"


def test_appended_frames_wait_in_order_and_go_when_drained(journals: Journals) -> None:
    journal = journals.open()
    journal.append(b"one")
    journal.append(b"two")
    (segment,) = journal.waiting()
    journal.append(b"three")
    assert segment.read() == b"onetwo"
    assert journal.size_bytes == 11
    journal.drained(segment)
    assert [s.read() for s in journal.waiting()] == [b"three"]


def test_current_file_grows_while_an_earlier_one_waits(journals: Journals) -> None:
    journal = journals.open()
    journal.append(b"one")
    assert len(journal.waiting()) == 1
    journal.append(b"two")
    assert len(journal.waiting()) == 1


def test_full_disk_is_emptied_though_it_takes_no_new_file(journals: Journals, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = journals.open()
    journal.append(b"one")

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(module, "_take", no_room)
    (segment,) = journal.waiting()
    assert segment.read() == b"one"
    journal.append(b"two")
    journal.drained(segment)
    assert journal.size_bytes == 3
    (segment,) = journal.waiting()
    assert segment.read() == b"two"
    journal.drained(segment)
    journal.append(b"three")
    assert [s.read() for s in journal.waiting()] == [b"three"]


def test_process_that_may_open_no_file_still_drains(journals: Journals) -> None:
    journal = journals.open()
    journal.append(FRAMES)
    with no_new_file():
        assert drain(journal) == RECORDS
    assert journal.size_bytes == 0


def test_frame_that_is_being_written_is_read_later(journals: Journals, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, write = journals.open(), os.pwrite
    journal.append(frame(RECORDS[0]))
    with no_new_file():
        (segment,) = journal.waiting()
    seen = b""

    def read_halfway(fd: int, data: bytes, at: int) -> int:
        nonlocal seen
        half = len(data) // 2
        write(fd, data[:half], at)
        seen = segment.read()
        return half + write(fd, data[half:], at + half)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", read_halfway)
        journal.append(frame(RECORDS[1]))
    journal.append(frame(RECORDS[2]))
    journal.drained(segment)
    assert seen == frame(RECORDS[0])
    assert drain(journal) == RECORDS[1:]


def test_file_that_is_closed_after_it_was_read_keeps_what_came_since(
    journals: Journals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", len(FRAMES))
    journal = journals.open()
    journal.append(frame(RECORDS[0]))
    with no_new_file():
        (segment,) = journal.waiting()
    assert segment.read() == frame(RECORDS[0])
    for record in RECORDS[1:]:
        journal.append(frame(record))
    assert len(journals.files()) == 2
    journal.drained(segment)
    assert drain(journal) == RECORDS[1:]
    assert (journal.size_bytes, len(journals.files())) == (0, 1)


@pytest.mark.parametrize("written_bytes", [pytest.param(5, id="in-part"), pytest.param(None, id="refused")])
def test_rest_that_cannot_be_moved_to_the_front_stays(
    journals: Journals, monkeypatch: pytest.MonkeyPatch, written_bytes: int | None
) -> None:
    def fail(fd: int, data: bytes, at: int) -> int:
        if written_bytes is None:
            raise OSError(errno.EIO, "input/output error")
        return write(fd, data[:written_bytes], at)

    journal, write = journals.open(), os.pwrite
    journal.append(FRAMES)
    with no_new_file():
        (segment,) = journal.waiting()
    segment.read()
    journal.append(frame(asked(3)))
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)
        with suppress(OSError):
            journal.drained(segment)
    assert drain(journal) == [asked(3)]


def test_all_that_is_appended_while_another_thread_drains_arrives_once(
    journals: Journals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 1_000)
    journal = journals.open()
    # ten more records for each round, so that rounds and records meet
    turns = threading.Semaphore(0)
    sent = [FeedbackRecord(request_id=request_id(number), correct=True, at_s=0.0) for number in range(3_000)]

    def append_all() -> None:
        for record in sent:
            turns.acquire()
            journal.append(frame(record))

    found: list[LogRecord] = []
    appender = threading.Thread(target=append_all, daemon=True)
    appender.start()
    while appender.is_alive():
        with no_new_file():
            segments = journal.waiting()
        turns.release(10)
        found += drain(journal, segments)
    while left := drain(journal):
        found += left
    assert found == sent


def test_long_file_is_closed(journals: Journals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 5)
    journal = journals.open()
    for data in (b"1234", b"5678", b"9"):
        journal.append(data)
    assert [s.read() for s in journal.waiting()] == [b"12345678"]


def test_full_is_told_with_what_others_have_waiting(journals: Journals) -> None:
    other = journals.open("r2")
    other.append(b"12345678")
    journal = journals.open("r1", max_bytes=10)
    journal.append(b"12")
    assert journal.is_full


def test_disk_that_takes_half_a_frame_keeps_none_of_it(journals: Journals, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, write = journals.open(), os.pwrite
    journal.append(b"whole")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda fd, data, at: write(fd, data[: len(data) // 2], at))
        with pytest.raises(JournalError, match="3 of 6 bytes written"):
            journal.append(b"broken")
    journal.append(b"ok")
    assert [s.read() for s in journal.waiting()] == [b"wholeok"]


def test_half_a_frame_that_cannot_be_cut_off_is_written_over(
    journals: Journals, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_fd: int, _size: int) -> None:
        raise OSError("input/output error")

    journal, write = journals.open(), os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", refuse)
        patch.setattr(os, "pwrite", lambda fd, data, at: write(fd, data[: len(data) // 2], at))
        with pytest.raises(JournalError, match="bytes written"):
            journal.append(frame(asked(1)))
    journal.append(frame(asked(2)))
    (segment,) = journal.waiting()
    assert read_frames(segment.read()).records == (asked(2),)


def test_closed_journal_writes_to_no_file(journals: Journals) -> None:
    journal = journals.open()
    journals.opened.remove(journal)
    journal.close()
    with (journals.directory / "another").open("wb") as other:
        with pytest.raises(JournalError, match="Bad file descriptor"):
            journal.append(b"late")
        assert os.fstat(other.fileno()).st_size == 0


def test_files_of_a_living_process_are_left_alone(journals: Journals) -> None:
    journals.open("r1").append(b"mine")
    assert texts(journals.open("r2").orphans()) == []


def test_files_of_a_dead_process_are_taken_over(journals: Journals) -> None:
    journals.leave("r1", b"left")
    assert texts(journals.open("r2").orphans()) == [b"left"]


def test_orphan_is_taken_by_one_only(journals: Journals) -> None:
    journals.leave("r1", b"left")
    first, second = journals.open("r2"), journals.open("r3")
    taken = list(first.orphans())
    assert texts(second.orphans()) == []
    assert texts(taken) == [b"left"]


def test_file_removed_between_opening_and_locking_is_not_taken(
    journals: Journals, monkeypatch: pytest.MonkeyPatch
) -> None:
    journals.leave("r1", b"left")
    flock = fcntl.flock

    def remove_first(fd: int, how: int) -> None:
        for path in journals.directory.glob("r1-*"):
            path.unlink()
        flock(fd, how)

    journal = journals.open("r2")
    monkeypatch.setattr(fcntl, "flock", remove_first)
    assert texts(journal.orphans()) == []


def test_closing_leaves_records_and_no_empty_file(journals: Journals) -> None:
    journal, idle = journals.open("r1"), journals.open("r2")
    journal.append(b"left")
    for one in (journal, idle):
        journals.opened.remove(one)
        one.close()
    assert journals.files() == ["r1-00000001.journal"]


def test_age_of_the_oldest_record(journals: Journals) -> None:
    journal = journals.open()
    assert journal.oldest_s() is None
    journal.append(b"one")
    assert journal.oldest_s() == 100.0


def _write_for_ever(directory: Path, has_begun: Event) -> None:
    journal = Journal(directory, writer="killed", max_bytes=10**9, wall=time.time)
    told = os.open(directory / "told", os.O_CREAT | os.O_WRONLY)
    number = 0
    while True:
        number += 1
        journal.append(frame(asked(number)))
        # what a client would have been told by now
        os.pwrite(told, f"{number:010d}".encode(), 0)
        has_begun.set()


def test_killed_process_leaves_all_that_it_had_told(journals: Journals) -> None:
    context = multiprocessing.get_context("fork")
    has_begun = context.Event()
    process = context.Process(target=_write_for_ever, args=(journals.directory, has_begun))
    process.start()
    assert has_begun.wait(10)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    told = int((journals.directory / "told").read_text())
    left = b"".join(texts(journals.open().orphans()))
    numbers = [int(record.request_id.removeprefix("laar-"), 16) for record in read_frames(left).records]
    assert numbers[:told] == list(range(1, told + 1))
    assert len(numbers) - told in (0, 1)
