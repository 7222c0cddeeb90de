"""Moves records from the journals to the database, in a thread of its own, for as long as it takes."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from deployments.log.database.store import Store
from deployments.log.settings import LogSettings
from deployments.log.writing.journal import Journal, Segment
from deployments.log.writing.log_records import read_frames

logger = logging.getLogger("ray.serve")

MAX_PAUSE_S = 5.0
PRUNE_PERIOD_S = 3600.0
PRUNE_BATCH = 5000


class LogMetrics(Protocol):
    """Is told how the log fares; called from several threads."""

    def log_written(self, num_records: int) -> None: ...

    def log_dropped(self, num_records: int, reason: str) -> None: ...

    def log_waits(self, spool_bytes: int, lag_s: float) -> None: ...


class Flusher:
    """One thread; `wall` gives seconds since 1970."""

    def __init__(
        self,
        *,
        journal: Journal,
        store: Store,
        settings: LogSettings,
        metrics: LogMetrics,
        wall: Callable[[], float],
    ) -> None:
        self._journal, self._store, self._settings = journal, store, settings
        self._metrics, self._wall = metrics, wall
        self._is_ready, self._pruned_s = False, 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="laar-log", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def close(self, timeout_s: float) -> None:
        """Flush once more; what the database does not take in time stays in the journal for the next process."""
        self._stop.set()
        self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._journal.close()
            self._store.close()

    def flush(self) -> None:
        """Move what waits now, the journals of dead processes included; raises what the database raises."""
        if not self._is_ready:
            self._store.migrate()
            self._is_ready = True
        for segment in self._journal.waiting():
            self._move(segment, may_be_torn=False)
            self._journal.drained(segment)
        for segment in self._journal.orphans():
            try:
                self._move(segment, may_be_torn=True)
            except BaseException:
                segment.release()
                raise
            segment.remove()

    def _move(self, segment: Segment, *, may_be_torn: bool) -> None:
        frames = read_frames(segment.read())
        batch = self._settings.batch_requests
        for start in range(0, len(frames.records), batch):
            records = frames.records[start : start + batch]
            num_refused = self._store.write(records)
            if len(records) > num_refused:
                self._metrics.log_written(len(records) - num_refused)
            self._lose(num_refused, "refused_by_database")
        # a living process reads whole frames: where one is torn the disk is at fault, and at least one record is lost
        is_lost = frames.torn_bytes > 0 and not may_be_torn
        self._lose(frames.num_unreadable + is_lost, "unreadable")
        if frames.torn_bytes:
            # a process was killed as it wrote them, before it told anybody; if not, the disk is at fault
            logger.warning("a journal of the attempt log ends in half a record", extra={"bytes": frames.torn_bytes})

    def _lose(self, num_records: int, reason: str) -> None:
        if num_records:
            self._metrics.log_dropped(num_records, reason)
            logger.error("records of the attempt log are lost", extra={"count": num_records, "reason": reason})

    def _prune_if_due(self) -> None:
        """Delete one batch, so that new records wait for no more than that; once an hour it begins anew."""
        days, now_s = self._settings.retention_days, self._wall()
        if days is None or now_s - self._pruned_s < PRUNE_PERIOD_S:
            return
        before = datetime.fromtimestamp(now_s, UTC) - timedelta(days=days)
        if self._store.prune(before, batch=PRUNE_BATCH) < PRUNE_BATCH:
            self._pruned_s = now_s

    def _run(self) -> None:
        period_s = self._settings.flush_period_s
        # at once: there are tables to make, and journals of the dead to take over
        pause_s, is_last = 0.0, False
        while not is_last:
            is_last = self._stop.wait(pause_s)
            try:
                self.flush()
                if not is_last:
                    self._prune_if_due()
                pause_s = period_s
            except Exception:
                pause_s = min(MAX_PAUSE_S, 2 * max(pause_s, period_s))
                logger.warning("the attempt log's database cannot be written; the journal keeps it", exc_info=True)
            self._report()

    def _report(self) -> None:
        self._journal.look_around()
        oldest_s = self._journal.oldest_s()
        lag_s = max(0.0, self._wall() - oldest_s) if oldest_s is not None else 0.0
        self._metrics.log_waits(self._journal.size_bytes, lag_s)
