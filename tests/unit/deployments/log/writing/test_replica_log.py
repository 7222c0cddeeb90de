"""The log of one replica, from its settings to its database."""

import asyncio
import resource
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from deployments.contract.errors import LogUnavailableError, UnknownRequestError
from deployments.log.database.store import Store
from deployments.log.database.tables import feedback, requests
from deployments.log.settings import LogPlan, LogSettings
from deployments.log.writing.journal import Journal, JournalError
from deployments.log.writing.replica_log import ReplicaLog
from tests.unit.deployments.log.writing.test_flusher import Told
from tests.unit.logged import asked, request_id

# alone as long as a spool may be
LONG = "x" * 70_000


class Replicas:
    """Replica logs on one database, each open once it has flushed for the first time, closed at the end."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.told = directory, Told()
        self.opened: list[ReplicaLog] = []

    def open(self, name: str = "r1", **settings: Any) -> ReplicaLog:
        plan = LogPlan(
            settings=LogSettings.model_validate({"flush_period_s": 0.01, **settings}),
            url=f"sqlite:///{self.directory}/attempts.sqlite",
            spool_dir=self.directory / "spool",
        )
        self.told.has_flushed.clear()
        self.opened.append(ReplicaLog(plan, replica=name, metrics=self.told))
        assert self.told.has_flushed.wait(10)
        return self.opened[-1]

    def close(self) -> None:
        while self.opened:
            self.opened.pop().close()

    def column(self, column: Any) -> list[Any]:
        store = Store(f"sqlite:///{self.directory}/attempts.sqlite")
        with store.engine.connect() as connection:
            found = connection.execute(select(column)).scalars().all()
        store.close()
        return list(found)


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[Replicas]:
    found = Replicas(tmp_path)
    yield found
    found.close()


def never_flushing(replicas: Replicas, **settings: Any) -> ReplicaLog:
    return replicas.open(flush_period_s=3600, **settings)


def test_records_are_in_the_database_after_closing(replicas: Replicas) -> None:
    log = never_flushing(replicas)
    for number in range(3):
        log.record(asked(number))
    replicas.close()
    assert sorted(replicas.column(requests.c.request_id)) == [request_id(n) for n in range(3)]


def test_full_journal_drops_and_counts(replicas: Replicas) -> None:
    log = never_flushing(replicas, max_spool_bytes=65536)
    log.record(asked(1, prompt_text=LONG))
    log.record(asked(2))
    replicas.close()
    assert replicas.told.dropped == {"full": 1}
    assert replicas.column(requests.c.request_id) == [request_id(1)]


def test_full_journal_refuses_new_requests_and_keeps_those_under_way(replicas: Replicas) -> None:
    log = never_flushing(replicas, max_spool_bytes=65536, when_full="refuse")
    log.refuse_if_full()
    log.record(asked(1, prompt_text=LONG))
    with pytest.raises(LogUnavailableError, match="the attempt log is full") as refused:
        log.refuse_if_full()
    assert (refused.value.http_status, refused.value.retry_after_s) == (503, 5)
    log.record(asked(2))
    replicas.close()
    assert len(replicas.column(requests.c.request_id)) == 2


@contextmanager
def files_no_larger_than(size_bytes: int) -> Iterator[None]:
    """The system refuses what this process writes beyond, as a full disk does; what just fits is half a record."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


def test_system_that_takes_no_more_costs_whole_records_that_are_counted(replicas: Replicas) -> None:
    log = never_flushing(replicas)
    log.record(asked(1))
    (journal,) = (replicas.directory / "spool").iterdir()
    with files_no_larger_than(journal.stat().st_size + 10):
        log.record(asked(2))
        log.record(asked(3))
    log.record(asked(4))
    replicas.close()
    assert replicas.told.dropped == {"disk": 2}
    assert sorted(replicas.column(requests.c.request_id)) == [request_id(1), request_id(4)]


async def test_feedback_on_a_request_that_has_just_been_answered(replicas: Replicas) -> None:
    log = never_flushing(replicas)
    log.record(asked(1, api_key_hash="mine"))
    await log.feedback(request_id(1), correct=False, api_key_hashes=["mine"])
    replicas.close()
    assert replicas.column(feedback.c.correct) == [False]


async def test_feedback_waits_for_a_request_that_another_replica_has_still_in_its_journal(
    replicas: Replicas,
) -> None:
    other = never_flushing(replicas, name="r2")
    other.record(asked(1, api_key_hash="mine"))
    log = replicas.open(flush_period_s=0.5)
    telling = asyncio.create_task(log.feedback(request_id(1), correct=True, api_key_hashes=["since then", "mine"]))
    # the first look-up finds nothing yet
    await asyncio.sleep(0.05)
    replicas.opened.remove(other)
    other.close()
    await telling
    replicas.close()
    assert replicas.column(feedback.c.correct) == [True]


@pytest.mark.parametrize(
    ("number", "key"), [pytest.param(2, "mine", id="unknown"), pytest.param(1, "other", id="of-another-key")]
)
async def test_feedback_on_somebody_elses_request_is_refused(replicas: Replicas, number: int, key: str) -> None:
    log = replicas.open()
    log.record(asked(1, api_key_hash="mine"))
    with pytest.raises(UnknownRequestError, match=f"no request '{request_id(number)}' is known"):
        await log.feedback(request_id(number), correct=True, api_key_hashes=[key])


async def test_an_id_stays_with_the_key_that_had_it_first(replicas: Replicas) -> None:
    log = never_flushing(replicas)
    log.record(asked(1, api_key_hash="mine"))
    log.record(asked(1, api_key_hash="thief"))
    with pytest.raises(UnknownRequestError, match="no request"):
        await log.feedback(request_id(1), correct=False, api_key_hashes=["thief"])


async def test_feedback_is_refused_where_it_cannot_be_kept(replicas: Replicas) -> None:
    log = never_flushing(replicas, max_spool_bytes=65536)
    log.record(asked(1, prompt_text=LONG))
    with pytest.raises(LogUnavailableError, match="full"):
        await log.feedback(request_id(1), correct=True, api_key_hashes=["key"])


async def test_lookups_in_a_silent_database_leave_the_threads_of_others(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, goes_on = never_flushing(replicas), threading.Event()
    monkeypatch.setattr(Store, "key_hash_of", lambda *_: goes_on.wait(10) and None)
    with ThreadPoolExecutor(1) as others:
        asyncio.get_running_loop().set_default_executor(others)
        lookup = asyncio.create_task(log.feedback(request_id(1), correct=True, api_key_hashes=["key"]))
        await asyncio.sleep(0)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "not held up"), 5) == "not held up"
        goes_on.set()
        lookup.cancel()


def test_records_that_are_lost_are_an_error_once_until_one_is_kept(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log, append = never_flushing(replicas), Journal.append
    caplog.set_level("INFO")

    def no_room(*_: object) -> None:
        raise JournalError("no space left on device")

    for number, does in enumerate((append, no_room, no_room, append, no_room)):
        monkeypatch.setattr(Journal, "append", does)
        log.record(asked(number))
    told = [(record.levelname, record.message) for record in caplog.records if "attempt log" in record.message]
    loses, keeps = ("ERROR", "the attempt log loses records"), ("INFO", "the attempt log keeps records again")
    assert told == [loses, keeps, loses]
    assert replicas.told.dropped["disk"] == 3
