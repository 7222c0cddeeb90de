"""The attempt log of one router replica: a journal, and a thread that empties it into the database."""

import asyncio
import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from deployments.contract.errors import LogUnavailableError, OverloadedError, UnknownRequestError
from deployments.log.database.store import Store
from deployments.log.reading.attempts import Filter
from deployments.log.reading.lessons import Batch
from deployments.log.settings import LogPlan
from deployments.log.writing.flusher import Flusher, LogMetrics
from deployments.log.writing.journal import Journal, JournalError
from deployments.log.writing.log_records import FeedbackRecord, LogRecord, RequestRecord, frame

logger = logging.getLogger("ray.serve")

# feedback mostly follows its answer at once, before the database has the request
NUM_REMEMBERED = 20_000
MAX_LOOKUPS = 32
# for a request that another replica answered: so often is the database asked, a flush period apart
NUM_LOOKUPS = 4
CLOSE_TIMEOUT_S = 10.0
BATCH_CHANGES = 200
RETRY_AFTER_S = 5


class ReplicaLog:
    """Opened by a replica when it starts, closed when it ends; raises OSError if the spool cannot be written."""

    def __init__(self, plan: LogPlan, *, replica: str, metrics: LogMetrics) -> None:
        self._settings, self._metrics = plan.settings, metrics
        self._store = Store(plan.url)
        self._journal = Journal(plan.spool_dir, writer=replica, max_bytes=plan.settings.max_spool_bytes, wall=time.time)
        self._flusher = Flusher(
            journal=self._journal, store=self._store, settings=plan.settings, metrics=metrics, wall=time.time
        )
        self._keys: OrderedDict[str, str] = OrderedDict()
        self._num_lookups = 0
        self._is_losing = False
        # of its own: a database that says nothing for long must not keep the router from all else that needs a thread
        self._threads = ThreadPoolExecutor(MAX_LOOKUPS, thread_name_prefix="laar-log-lookup")
        self._flusher.start()

    def check_health(self) -> None:
        if not self._flusher.is_alive():
            raise RuntimeError("the thread that writes the attempt log has ended")

    def refuse_if_full(self) -> None:
        """Turn a request away at the door where the operator wants no answer that is not logged."""
        if self._settings.when_full == "refuse" and self._journal.is_full:
            raise _full()

    def record(self, record: RequestRecord) -> None:
        """Keep a request; where that fails it is counted, or refused with LogUnavailableError, by `when_full`.

        Refusing, room is not asked for again: requests under way when the journal fills up still fit in.
        """
        if self._settings.when_full == "drop" and self._journal.is_full:
            self._losing("its journals are full")
            self._metrics.log_dropped(1, "full")
            return
        try:
            self._append(record)
        except LogUnavailableError:
            self._metrics.log_dropped(1, "disk")
            if self._settings.when_full == "refuse":
                raise
            return
        # the first one has the id, as in the database; few keys ask for all the requests
        self._keys.setdefault(record.request_id, sys.intern(record.api_key_hash))
        if len(self._keys) > NUM_REMEMBERED:
            self._keys.popitem(last=False)

    async def feedback(self, request_id: str, *, correct: bool, api_key_hashes: Collection[str]) -> None:
        """Keep what a client says of one of its own requests; on return it is safe."""
        if await self._key_hash_of(request_id) not in api_key_hashes:
            raise UnknownRequestError(f"request_id: no request '{request_id}' is known", param="request_id")
        if self._journal.is_full:
            raise _full()
        self._append(FeedbackRecord(request_id=request_id, correct=correct, at_s=time.time()))

    def attempts(self, wanted: Filter, limit: int) -> list[dict[str, Any]]:
        """The latest attempts that the database has, oldest first. May block; LogUnavailableError while it is away."""
        try:
            return self._store.attempts(wanted, limit=limit)
        except SQLAlchemyError as error:
            message = "the attempt log's database does not answer"
            raise LogUnavailableError(message, retry_after_s=RETRY_AFTER_S) from error

    def history(self, *, replay_days: float) -> "LogHistory":
        """The lessons in the log, back to this many days ago."""
        return LogHistory(self._store, replay_days=replay_days)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._flusher.close(CLOSE_TIMEOUT_S)

    def _append(self, record: LogRecord) -> None:
        try:
            self._journal.append(frame(record))
        except JournalError as error:
            self._losing(str(error))
            raise LogUnavailableError("the attempt log cannot be written", retry_after_s=RETRY_AFTER_S) from error
        if self._is_losing:
            logger.info("the attempt log keeps records again")
        self._is_losing = False

    def _losing(self, why: str) -> None:
        """Say so once, and as an error, which Ray's buffer of log records does not hold back."""
        if not self._is_losing:
            logger.error("the attempt log loses records", extra={"error": why})
        self._is_losing = True

    async def _key_hash_of(self, request_id: str) -> str | None:
        if request_id in self._keys:
            return self._keys[request_id]
        if self._num_lookups >= MAX_LOOKUPS:
            raise OverloadedError("too much feedback on old requests at once", retry_after_s=RETRY_AFTER_S)
        self._num_lookups += 1
        try:
            return await self._look_up(request_id)
        except SQLAlchemyError as error:
            message = "the attempt log's database does not answer, and this request is not among the latest"
            raise LogUnavailableError(message, retry_after_s=RETRY_AFTER_S) from error
        finally:
            self._num_lookups -= 1

    async def _look_up(self, request_id: str) -> str | None:
        loop = asyncio.get_running_loop()
        for number in range(NUM_LOOKUPS):
            if number:
                await asyncio.sleep(self._settings.flush_period_s)
            found = await loop.run_in_executor(self._threads, self._store.key_hash_of, request_id)
            if found is not None:
                return found
        return None


class LogHistory:
    """The changes in the database; every method may block, and raises SQLAlchemyError while it is away."""

    def __init__(self, store: Store, *, replay_days: float) -> None:
        self._store, self._replay_days = store, replay_days

    def begin(self, most: int) -> int:
        """Where the latest `most` changes begin; there may be no tables yet."""
        self._store.migrate()
        since = datetime.fromtimestamp(time.time(), UTC) - timedelta(days=self._replay_days)
        return self._store.first_position(since=since, most=most)

    def last(self) -> int:
        """The position of the latest change."""
        return self._store.last_position()

    def lessons(self, after: int, every: int) -> Batch:
        return self._store.lessons(after, limit=BATCH_CHANGES, every=every)


def _full() -> LogUnavailableError:
    return LogUnavailableError("the attempt log is full, as its database takes nothing", retry_after_s=RETRY_AFTER_S)
