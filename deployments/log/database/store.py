"""The attempt log in SQL: SQLite or PostgreSQL, written in batches, every record once."""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Engine,
    Insert,
    Table,
    and_,
    create_engine,
    delete,
    event,
    exists,
    func,
    insert,
    null,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from deployments.log.database.patience import SILENCE_S, ImpatientConnection
from deployments.log.database.tables import attempts, changes, feedback, requests, undone_keys
from deployments.log.reading.attempts import Filter, list_attempts
from deployments.log.reading.lessons import Batch, first_position, last_position, read_lessons
from deployments.log.settings import SQLITE, database_url
from deployments.log.writing.log_records import FeedbackRecord, LogRecord, RequestRecord

_TIME_OF = (
    (attempts, attempts.c.arrived_at),
    (requests, requests.c.arrived_at),
    (feedback, feedback.c.at),
    (changes, changes.c.at),
)
_SQLITE_BUSY_S = 15
# what takes too long is an error, and the journal keeps what was not taken; of a silent server says it the connection
_POSTGRESQL = {
    "connect_timeout": 5,
    "options": "-c statement_timeout=30000 -c lock_timeout=30000 -c idle_in_transaction_session_timeout=10000",
    "tcp_user_timeout": 30000,
}
# what drivers raise, past the errors of databases, about a value that they cannot send
_DRIVER_FAULTS = (ValueError, TypeError, ArithmeticError)
# any numbers that no other program locks in the database
_MIGRATION_LOCK, _ORDER_LOCK = 0x6C616172, 0x6C616173


class SchemaError(SQLAlchemyError):
    """The tables are of another version of laar, mostly of a later one."""


class Store:
    """One database. Every method may block, and raises SQLAlchemyError while the database is away."""

    def __init__(self, url: str) -> None:
        parsed = database_url(url)
        self.engine = _sqlite(parsed) if parsed.get_backend_name() == SQLITE else _postgresql(parsed)
        self._insert = sqlite.insert if self.engine.dialect.name == SQLITE else postgresql.insert

    def migrate(self) -> None:
        """Bring the tables up to date; any number of processes may do so at once."""
        with _alone(self.engine), self.engine.begin() as connection:
            if self.engine.dialect.name != SQLITE:
                connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
                # what changes millions of rows takes its time
                connection.execute(text("SET LOCAL statement_timeout = 0"))
            with _patient(connection):
                config = _migrations()
                config.attributes["connection"] = connection
                try:
                    command.upgrade(config, "head")
                except CommandError as error:
                    raise SchemaError(f"the attempt log's tables are not of this version of laar: {error}") from error

    def is_migrated(self) -> bool:
        """Whether the tables are there, and are those of this version."""
        with self.engine.connect() as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
        return revision == ScriptDirectory.from_config(_migrations()).get_current_head()

    def attempts(self, wanted: Filter, *, limit: int) -> list[dict[str, Any]]:
        """The latest attempts, oldest first, each with what is thought of it now."""
        with self.engine.connect() as connection:
            return list_attempts(connection, wanted, limit=limit)

    def write(self, records: Sequence[LogRecord]) -> int:
        """Write records in one transaction and return how many the database can never take.

        A record that is there already changes nothing, so that a journal may be replayed.
        """
        try:
            with self.engine.begin() as connection:
                self._write(connection, records)
            return 0
        except (StatementError, *_DRIVER_FAULTS) as error:
            if not _is_about_data(error):
                raise
        if len(records) == 1:
            return 1
        return sum(self.write([record]) for record in records)

    def prune(self, before: datetime, *, batch: int) -> int:
        """Delete at most `batch` rows older than `before` of each table, and return how many that were in all."""
        return sum(self._prune(table, time, before, batch) for table, time in _TIME_OF)

    def key_hash_of(self, request_id: str) -> str | None:
        """Hash of the API key that a request came with, or None for an unknown request."""
        with self.engine.connect() as connection:
            found = connection.execute(select(requests.c.api_key_hash).where(requests.c.request_id == request_id))
            return found.scalar_one_or_none()

    def first_position(self, *, since: datetime, most: int) -> int:
        """The position after which the latest `most` changes begin, none of them from before `since`."""
        with self.engine.connect() as connection:
            return first_position(connection, since=since, most=most)

    def lessons(self, after: int, *, limit: int, every: int = 1) -> Batch:
        """What the next `limit` changes teach; of verdicts one in `every`."""
        with self.engine.connect() as connection:
            return read_lessons(connection, after=after, limit=limit, every=every)

    def undo_key(self, key_hash: str, at: datetime) -> None:
        """Let nothing be learned of a key, neither of what it has said nor of what it says."""
        with self.engine.begin() as connection:
            connection.execute(self._once(undone_keys), {"api_key_hash": key_hash, "at": at})

    def redo_key(self, key_hash: str) -> None:
        """Let a key teach again, what it has said before included."""
        with self.engine.begin() as connection:
            connection.execute(delete(undone_keys).where(undone_keys.c.api_key_hash == key_hash))

    def last_position(self) -> int:
        with self.engine.connect() as connection:
            return last_position(connection)

    def close(self) -> None:
        self.engine.dispose()

    def _write(self, connection: Connection, records: Sequence[LogRecord]) -> None:
        asked = [record for record in records if isinstance(record, RequestRecord)]
        told = [record for record in records if isinstance(record, FeedbackRecord)]
        if asked:
            connection.execute(self._once(requests), [_request_row(record) for record in asked])
        if tried := [row for record in asked for row in _attempt_rows(record)]:
            connection.execute(self._once(attempts), tried)
        if told:
            connection.execute(self._latest(), [_feedback_row(record) for record in told])
        self._number(connection, [r.request_id for r in asked], [r.request_id for r in told])

    def _number(self, connection: Connection, asked: Sequence[str], told: Sequence[str]) -> None:
        """Give what is new its positions, last of all in a transaction, so that others wait only for its commit.

        PostgreSQL would let a later transaction commit its higher numbers first, and who reads in between miss these.
        """
        if self.engine.dialect.name != SQLITE:
            connection.execute(select(func.pg_advisory_xact_lock(_ORDER_LOCK)))
        if asked:
            is_request = changes.c.correct.is_(None)
            connection.execute(_unnumbered(requests, requests.c.arrived_at, null(), asked, is_request))
        if told:
            is_said = and_(changes.c.correct.is_not(None), changes.c.at >= feedback.c.at)
            connection.execute(_unnumbered(feedback, feedback.c.at, feedback.c.correct, told, is_said))

    def _once(self, table: Table) -> Insert:
        return self._insert(table).on_conflict_do_nothing(index_elements=list(table.primary_key))

    def _latest(self) -> Insert:
        insert = self._insert(feedback)
        new = insert.excluded
        return insert.on_conflict_do_update(
            index_elements=[feedback.c.request_id],
            set_={"correct": new.correct, "at": new.at},
            where=or_(feedback.c.at < new.at, and_(feedback.c.at == new.at, feedback.c.correct < new.correct)),
        )

    def _prune(self, table: Table, time: Any, before: datetime, batch: int) -> int:
        key = list(table.primary_key)
        # rows that another router deletes at the same time are left to it
        old = select(*key).where(time < before).limit(batch).with_for_update(skip_locked=True)
        statement = delete(table).where((tuple_(*key) if len(key) > 1 else key[0]).in_(old))
        with self.engine.begin() as connection:
            found: CursorResult[Any] = connection.execute(statement)
        return found.rowcount


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", "deployments.log.database:migrations")
    return config


def _sqlite(url: URL) -> Engine:
    path = Path(str(url.database))
    path.parent.mkdir(parents=True, exist_ok=True)
    # prompts may be in it; what SQLite puts beside it gets the same permissions
    path.touch(mode=0o600)
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": _SQLITE_BUSY_S})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # with a write-ahead log readers do not wait for writers, and what was committed survives the process
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine


def _postgresql(url: URL) -> Engine:
    engine = create_engine(url, hide_parameters=True, pool_pre_ping=True, pool_size=2, connect_args=_POSTGRESQL)

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, args: Sequence[Any], options: dict[str, Any]) -> ImpatientConnection:
        return ImpatientConnection.connect(*args, **options)

    return engine


@contextmanager
def _patient(connection: Connection) -> Iterator[None]:
    """What takes its time in this block is waited for."""
    driver = connection.connection.driver_connection
    if isinstance(driver, ImpatientConnection):
        driver.patience_s = inf
    try:
        yield
    finally:
        if isinstance(driver, ImpatientConnection):
            driver.patience_s = SILENCE_S


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """One migration of an SQLite file at a time; PostgreSQL has a lock of its own for that."""
    if engine.dialect.name != SQLITE:
        yield
        return
    with Path(f"{engine.url.database}.migration-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_about_data(error: Exception) -> bool:
    """Whether the database, or the driver, finds fault with the values rather than being away or not ready."""
    return isinstance(error, DataError | IntegrityError) or not isinstance(error, DBAPIError)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _request_row(record: RequestRecord) -> dict[str, Any]:
    fields = {name: getattr(record, name) for name in record.__struct_fields__}
    del fields["attempts"]
    tried = list(fields.pop("tried")) or None
    return {"arrived_at": _moment(fields.pop("arrived_at_s")), "tried": tried, **fields}


def _attempt_rows(record: RequestRecord) -> Iterator[dict[str, Any]]:
    shared = {
        "request_id": record.request_id,
        "arrived_at": _moment(record.arrived_at_s),
        "task": record.task,
        "language": record.language,
    }
    for index, attempt in enumerate(record.attempts):
        fields = {name: getattr(attempt, name) for name in attempt.__struct_fields__}
        yield {**shared, "attempt_index": index, **fields}


def _unnumbered(
    table: Table, at: Column[Any], correct: ColumnElement[Any], ids: Sequence[str], is_known: ColumnElement[bool]
) -> Insert:
    """Into `changes`, in order of time, those of the rows that are not there yet."""
    known = exists().where(changes.c.request_id == table.c.request_id, is_known)
    new = select(table.c.request_id, correct, at).where(table.c.request_id.in_(ids), ~known)
    return insert(changes).from_select(["request_id", "correct", "at"], new.order_by(at, table.c.request_id))


def _feedback_row(record: FeedbackRecord) -> dict[str, Any]:
    return {"request_id": record.request_id, "correct": record.correct, "at": _moment(record.at_s)}
