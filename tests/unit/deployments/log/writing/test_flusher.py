import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from deployments.log.database.store import Store
from deployments.log.database.tables import attempts, requests
from deployments.log.settings import LogSettings
from deployments.log.writing.flusher import Flusher
from deployments.log.writing.journal import Journal
from deployments.log.writing.log_records import frame
from tests.unit.logged import NOON_S, asked, kill, tried

DAY_S = 86400.0


class Told:
    """Remembers what a flusher told."""

    def __init__(self) -> None:
        self.written = 0
        self.dropped: Counter[str] = Counter()
        self.waiting = (0, 0.0)
        self.has_flushed = threading.Event()

    def log_written(self, num_records: int) -> None:
        self.written += num_records

    def log_dropped(self, num_records: int, reason: str) -> None:
        self.dropped[reason] += num_records

    def log_waits(self, spool_bytes: int, lag_s: float) -> None:
        self.waiting = (spool_bytes, lag_s)
        self.has_flushed.set()


class Bench:
    """A journal, a database that can be away, and a flusher between them; `r1` of any number of replicas."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.told, self.now_s = directory, Told(), NOON_S
        self.store = Store(f"sqlite:///{directory}/attempts.sqlite")
        self.journals: dict[str, Journal] = {}
        self.journal = self.open("r1")
        self.flusher = self.flusher_of(self.journal)

    def open(self, writer: str) -> Journal:
        journal = Journal(self.directory / "spool", writer=writer, max_bytes=10**6, wall=lambda: self.now_s)
        self.journals[writer] = journal
        return journal

    def flusher_of(self, journal: Journal) -> Flusher:
        settings = LogSettings(batch_requests=2, flush_period_s=0.01)
        return Flusher(journal=journal, store=self.store, settings=settings, metrics=self.told, wall=lambda: self.now_s)

    def kill(self, writer: str) -> None:
        del self.journals[writer]
        kill(writer, self.directory / "spool")

    def rows(self) -> tuple[int, int]:
        with self.store.engine.connect() as connection:
            tables = (requests, attempts)
            first, second = (connection.execute(select(func.count()).select_from(t)).scalar_one() for t in tables)
        return first, second

    def files(self) -> list[str]:
        return sorted(path.name for path in (self.directory / "spool").iterdir())


def away(*_: object) -> NoReturn:
    raise OperationalError("INSERT", {}, OSError("gone"))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    found = Bench(tmp_path)
    yield found
    found.store.close()
    for journal in found.journals.values():
        journal.close()


def test_records_move_in_batches_and_their_file_goes(bench: Bench) -> None:
    for number in range(5):
        bench.journal.append(frame(asked(number, tried("a", "wrong"), tried("b"))))
    bench.flusher.flush()
    assert bench.rows() == (5, 10)
    assert bench.told.written == 5
    assert bench.files() == ["r1-00000002.journal"]


def test_death_between_commit_and_removal_doubles_nothing(bench: Bench) -> None:
    bench.journal.append(frame(asked(1)) + frame(asked(2)))
    bench.store.migrate()
    assert bench.store.write([asked(1), asked(2)]) == 0
    bench.kill("r1")
    heir = bench.open("r2")
    bench.flusher_of(heir).flush()
    assert bench.rows() == (2, 2)
    assert bench.files() == ["r2-00000001.journal"]


def test_half_a_record_of_a_killed_process_is_passed_over(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.journal.append(frame(asked(1)))
    bench.journal.append(frame(asked(2))[:-3])
    bench.kill("r1")
    bench.flusher_of(bench.open("r2")).flush()
    assert bench.rows() == (1, 1)
    assert bench.told.dropped == {}
    ours = [record.message for record in caplog.records if record.name == "ray.serve"]
    assert ours == ["a journal of the attempt log ends in half a record"]


def test_record_that_the_disk_damages_is_counted_as_lost(bench: Bench) -> None:
    damaged, cut_short = bytearray(frame(asked(1))), frame(asked(3))[:-3]
    damaged[-1] ^= 1
    bench.journal.append(bytes(damaged) + frame(asked(2)) + cut_short)
    bench.flusher.flush()
    assert bench.rows() == (1, 1)
    assert bench.told.dropped == {"unreadable": 2}


@pytest.mark.parametrize("is_orphan", [pytest.param(False, id="own"), pytest.param(True, id="of-the-dead")])
def test_records_wait_while_the_database_is_away_and_go_when_it_is_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, is_orphan: bool
) -> None:
    journal = bench.journal
    if is_orphan:
        journal = bench.open("r2")
    journal.append(frame(asked(1)))
    if is_orphan:
        bench.kill("r2")
    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "write", away)
        for _ in range(2):
            with pytest.raises(OperationalError, match="gone"):
                bench.flusher.flush()
    assert bench.told.written == 0
    bench.flusher.flush()
    assert bench.rows() == (1, 1)


def test_what_others_leave_counts_while_the_database_is_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.store, "migrate", away)
    bench.open("r2").append(b"12345678")
    assert bench.journal.size_bytes == 0
    bench.flusher.start()
    assert bench.told.has_flushed.wait(10)
    bench.flusher.close(10)
    del bench.journals["r1"]
    assert bench.told.waiting[0] == 8


def test_closing_flushes_what_waits(bench: Bench) -> None:
    bench.flusher.start()
    bench.journal.append(frame(asked(1)))
    bench.flusher.close(10)
    bench.journals.clear()
    assert not bench.flusher.is_alive()
    assert bench.rows() == (1, 1)
    assert bench.files() == []


def test_rows_beyond_their_time_are_pruned_once_an_hour(bench: Bench) -> None:
    bench.journal.append(frame(asked(1)) + frame(asked(2, at_s=DAY_S)))
    bench.now_s = NOON_S + 90.99 * DAY_S
    bench.flusher.start()
    for days, rows in ((90.99, 1), (91.02, 1), (91.04, 0)):
        bench.now_s = NOON_S + days * DAY_S
        # the round under way may have looked at the clock before
        for _ in range(2):
            bench.told.has_flushed.clear()
            assert bench.told.has_flushed.wait(10)
        assert bench.rows() == (rows, rows), days
    bench.flusher.close(10)
    bench.journals.clear()


def test_new_records_are_written_between_two_batches_of_old_ones(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.now_s, written, prune = NOON_S + 100 * DAY_S, list[int](), bench.store.prune

    def prune_one(before: datetime, *, batch: int) -> int:
        written.append(bench.told.written)
        bench.journal.append(frame(asked(100 + len(written), at_s=100 * DAY_S)))
        return prune(before, batch=1) * batch

    monkeypatch.setattr(bench.store, "prune", prune_one)
    bench.journal.append(b"".join(frame(asked(number)) for number in range(5)))
    bench.flusher.start()
    while len(written) < 5:
        bench.told.has_flushed.clear()
        assert bench.told.has_flushed.wait(10)
    bench.flusher.close(10)
    bench.journals.clear()
    assert written[:5] == [5, 6, 7, 8, 9]


def test_what_waits_is_told_with_its_age(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.store, "migrate", away)
    bench.journal.append(b"12345678")
    bench.now_s += 3.0
    bench.flusher.start()
    assert bench.told.has_flushed.wait(10)
    bench.flusher.close(10)
    bench.journals.clear()
    assert bench.told.waiting == (8, 3.0)
