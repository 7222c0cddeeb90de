from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from deployments.log.database.store import SchemaError, Store
from deployments.log.database.tables import attempts, changes, feedback, metadata, requests
from deployments.log.reading.attempts import Filter, judged, matches
from deployments.log.writing.log_records import FeedbackRecord
from tests.unit.logged import NOON, NOON_S, asked, request_id, tried


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(f"sqlite:///{tmp_path}/log/attempts.sqlite")
    found.migrate()
    yield found
    found.close()


def count(store: Store, table: Any) -> int:
    with store.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def said(number: int, correct: bool, at_s: float) -> FeedbackRecord:
    return FeedbackRecord(request_id=request_id(number), correct=correct, at_s=NOON_S + at_s)


def test_migrations_lead_to_the_tables_that_the_code_knows(store: Store) -> None:
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_attempts_of_one_key_are_found_by_an_index(store: Store) -> None:
    found = judged()
    query = select(found).where(matches(found, Filter(api_key_hash="k"))).order_by(found.c.arrived_at.desc()).limit(50)
    told = str(query.compile(store.engine, compile_kwargs={"literal_binds": True}))
    with store.engine.connect() as connection:
        plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {told}")]
    assert any("ix_requests_api_key_hash" in step for step in plan), plan


def test_stores_that_migrate_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    stores = [Store(f"sqlite:///{tmp_path}/attempts.sqlite") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Store.migrate, stores))
    assert stores[0].is_migrated()
    for one in stores:
        one.close()


def test_tables_of_a_later_version_are_an_error_of_the_database(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaError, match=r"not of this version of laar: .*'9999'"):
        store.migrate()


def test_nobody_else_may_read_an_sqlite_file(store: Store) -> None:
    store.write([asked(1)])
    folder = Path(str(store.engine.url.database)).parent
    modes = {path.name: path.stat().st_mode & 0o077 for path in folder.iterdir() if "lock" not in path.name}
    assert modes == {"attempts.sqlite": 0, "attempts.sqlite-wal": 0, "attempts.sqlite-shm": 0}


def test_sqlite_writes_ahead(store: Store) -> None:
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"


def test_request_and_attempts_are_written_with_times_in_utc(store: Store) -> None:
    store.write([asked(1, tried("a", "wrong"), tried("b", "correct"), at_s=30)])
    with store.engine.connect() as connection:
        request = connection.execute(select(requests)).mappings().one()
        rows = connection.execute(select(attempts).order_by(attempts.c.attempt_index)).mappings().all()
    assert (request["request_id"], request["arrived_at"]) == (request_id(1), NOON + timedelta(seconds=30))
    assert [(row["attempt_index"], row["model"], row["verdict"]) for row in rows] == [
        (0, "a", "wrong"),
        (1, "b", "correct"),
    ]
    assert rows[1]["arrived_at"] == NOON + timedelta(seconds=30)


def test_records_written_twice_are_there_once(store: Store) -> None:
    for _ in range(2):
        assert store.write([asked(1), asked(2, tried("a", "wrong"), tried("b"))]) == 0
    assert (count(store, requests), count(store, attempts)) == (2, 3)


@pytest.mark.parametrize(
    "order", [pytest.param([0, 1], id="as-sent"), pytest.param([1, 0, 1], id="journals-in-another-order")]
)
def test_latest_feedback_counts(store: Store, order: list[int]) -> None:
    told = [said(1, False, 10), said(1, True, 20)]
    for index in order:
        store.write([told[index]])
    with store.engine.connect() as connection:
        assert connection.execute(select(feedback.c.correct)).scalars().all() == [True]


def test_record_that_the_database_cannot_take_does_not_hold_up_the_others(store: Store) -> None:
    impossible = asked(2, prompt_chars=2**70)
    assert store.write([asked(1), impossible, asked(3)]) == 1
    assert count(store, requests) == 2


def test_database_that_is_not_ready_is_no_fault_of_the_records(tmp_path: Path) -> None:
    empty = Store(f"sqlite:///{tmp_path}/empty.sqlite")
    with pytest.raises(OperationalError, match="no such table"):
        empty.write([asked(1)])
    empty.close()


def test_errors_do_not_show_what_was_to_be_written(tmp_path: Path) -> None:
    empty = Store(f"sqlite:///{tmp_path}/empty.sqlite")
    with pytest.raises(OperationalError, match="hide_parameters") as raised:
        empty.write([asked(1, prompt_text="a secret")])
    assert "a secret" not in str(raised.value)
    empty.close()


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_rows_older_than_the_limit_are_pruned_and_no_others(store: Store, batch: int) -> None:
    store.write([asked(number, tried("a", "wrong"), tried("b"), at_s=number) for number in (1, 2, 3, 4)])
    store.write([said(1, True, 1), said(4, True, 4)])
    counts = list(iter(lambda: store.prune(NOON + timedelta(seconds=3), batch=batch), 0))
    assert sum(counts) == 2 + 4 + 1 + 3
    assert all(number <= 4 * batch for number in counts)
    assert [count(store, table) for table in (requests, attempts, feedback, changes)] == [2, 4, 1, 3]


def test_key_of_a_request(store: Store) -> None:
    store.write([asked(1, api_key_hash="abc")])
    assert store.key_hash_of(request_id(1)) == "abc"
    assert store.key_hash_of(request_id(2)) is None
