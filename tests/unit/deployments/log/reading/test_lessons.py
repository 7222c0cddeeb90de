"""What the log teaches, read from a real SQLite."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import delete

from deployments.log.database.store import Store
from deployments.log.database.tables import changes, requests
from deployments.log.reading.lessons import Lesson
from deployments.log.writing.log_records import LogRecord
from profiles.measuring.logged_attempt import LoggedAttempt
from tests.unit.logged import NOON, asked, request_id, said, tried

WRONG, RIGHT = tried("a", "wrong"), tried("b", "correct")
UNVERIFIED, UNKNOWN = tried("a", "unverified"), tried("a", "unknown")


def lessons(store: Store, *, limit: int = 100) -> list[Lesson]:
    found: list[Lesson] = []
    position, is_last = 0, False
    while not is_last:
        batch = store.lessons(position, limit=limit)
        found += batch.lessons
        position, is_last = batch.position, batch.is_last
    return found


def verdicts(store: Store, *records: LogRecord) -> list[tuple[str, bool | None, bool]]:
    """Model, verdict and whether a router gave it, of what these records teach, written one after another."""
    for record in records:
        store.write([record])
    return [(lesson.model, lesson.correct, lesson.replica is not None) for lesson in lessons(store)]


def test_verdicts_are_taught_in_order_with_the_models_that_failed_before(store: Store) -> None:
    store.write([asked(1, WRONG, tried("c", "error"), tried("a", "wrong"), RIGHT, task="sums", language="de")])
    first = Lesson(
        model="a",
        task="sums",
        language="de",
        bucket="<=128",
        prompt_tokens=9,
        correct=False,
        replica="r1",
        tenant="key",
    )
    second = replace(first, failed=("a",))
    assert lessons(store) == [first, second, replace(second, model="b", correct=True)]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_batches_teach_the_same_whatever_their_size(store: Store, limit: int) -> None:
    told: list[LogRecord] = [
        said(1, True),
        asked(2, WRONG, RIGHT),
        said(1, False, 11),
        said(2, False),
        said(1, False, 12),
    ]
    for record in (asked(1, UNVERIFIED), *told):
        store.write([record])
    assert [(one.model, one.correct) for one in lessons(store, limit=limit)] == [
        ("a", True),
        ("a", False),
        ("b", True),
    ]


def test_records_written_again_teach_nothing_again(store: Store) -> None:
    replayed: list[LogRecord] = [asked(1, UNVERIFIED), said(1, True)]
    for _ in range(3):
        store.write(replayed)
    assert verdicts(store) == [("a", True, False)]


@pytest.mark.parametrize("answer", [pytest.param(UNVERIFIED, id="unverified"), pytest.param(UNKNOWN, id="unknown")])
@pytest.mark.parametrize("correct", [True, False])
def test_client_judges_what_laar_could_not(store: Store, answer: LoggedAttempt, correct: bool) -> None:
    assert verdicts(store, asked(1, answer), said(1, correct)) == [("a", correct, False)]


RETRY = asked(2, tried("c", "error"), retry_of=request_id(1), at_s=1)


@pytest.mark.parametrize(
    ("answer", "words", "taught"),
    [
        pytest.param(tried("a"), [said(1, False), RETRY], [(True, None)], id="verdict"),
        pytest.param(tried("a"), [said(1, True), said(1, False, 11)], [(True, None)], id="verdict-before-two-words"),
        pytest.param(UNVERIFIED, [RETRY, said(1, True)], [(False, "feedback")], id="retry-before-a-word"),
        pytest.param(UNVERIFIED, [said(1, True), RETRY], [(True, "feedback")], id="word-before-a-retry"),
        pytest.param(UNVERIFIED, [said(1, True), said(1, False, 11)], [(True, "feedback")], id="word-taken-back"),
        pytest.param(UNKNOWN, [said(1, False), RETRY], [(False, "feedback")], id="unknown"),
    ],
)
def test_of_one_answer_a_verdict_that_does_not_err_teaches_or_else_the_clients_first_word(
    store: Store, answer: LoggedAttempt, words: list[LogRecord], taught: list[tuple[bool, str | None]]
) -> None:
    for record in (asked(1, answer), *words):
        store.write([record])
    assert [(lesson.correct, lesson.check) for lesson in lessons(store)] == taught


def test_feedback_teaches_of_the_answer_given_after_the_failures_before_it(store: Store) -> None:
    store.write([asked(1, WRONG, tried("b", "unknown")), said(1, True)])
    assert lessons(store)[-1] == Lesson(
        model="b",
        task="default",
        language="en",
        bucket="<=128",
        prompt_tokens=9,
        correct=True,
        check="feedback",
        failed=("a",),
        tenant="key",
    )


def test_models_that_were_wrong_in_earlier_requests_have_failed_before(store: Store) -> None:
    store.write([asked(1, WRONG, tried("b"), tried=("c", "a"))])
    assert [lesson.failed for lesson in lessons(store)] == [("c", "a"), ("c", "a")]


def test_feedback_in_front_of_its_request_counts_when_the_request_comes(store: Store) -> None:
    assert verdicts(store, said(1, True), said(2, True), asked(1, UNVERIFIED)) == [("a", True, False)]


def test_asking_again_says_wrong_of_what_nobody_judged_and_once_only(store: Store) -> None:
    retries = [asked(number, RIGHT, retry_of=request_id(1), at_s=number) for number in (2, 3)]
    assert verdicts(store, asked(1, UNVERIFIED), *retries) == [
        ("b", True, True),
        ("a", False, False),
        ("b", True, True),
    ]
    assert verdicts(store, said(1, False))[3:] == []
    # a client that takes its word back could do so for ever
    assert verdicts(store, said(1, True, 11))[3:] == []


@pytest.mark.parametrize(
    ("first", "retry_key"),
    [
        pytest.param([asked(1, WRONG)], "key", id="verdict"),
        pytest.param([asked(1, UNVERIFIED), said(1, False, 0)], "key", id="feedback"),
        pytest.param([asked(1, UNVERIFIED)], "other", id="another-key"),
        pytest.param([asked(1, UNVERIFIED, answer_index=None)], "key", id="no-answer"),
        pytest.param([], "key", id="unknown-request"),
    ],
)
def test_asking_again_says_nothing_else(store: Store, first: list[LogRecord], retry_key: str) -> None:
    before = verdicts(store, *first)
    retry = asked(2, tried("c", "unverified"), retry_of=request_id(1), api_key_hash=retry_key, at_s=1)
    assert verdicts(store, retry) == before


def test_retry_in_front_of_its_request_counts_when_the_request_comes(store: Store) -> None:
    assert verdicts(store, asked(2, RIGHT, retry_of=request_id(1)), asked(1, UNVERIFIED)) == [
        ("b", True, True),
        ("a", False, False),
    ]


def test_pruned_requests_teach_nothing(store: Store) -> None:
    store.write([asked(1, RIGHT), asked(2, RIGHT)])
    with store.engine.begin() as connection:
        connection.execute(delete(requests).where(requests.c.request_id == request_id(1)))
    assert verdicts(store) == [("b", True, True)]


def test_positions_are_not_given_again_when_all_rows_are_gone(store: Store) -> None:
    store.write([asked(1), asked(2)])
    position = store.lessons(0, limit=9).position
    store.prune(NOON + timedelta(days=1), batch=9)
    store.write([asked(3, RIGHT)])
    assert [lesson.model for lesson in store.lessons(position, limit=9).lessons] == ["b"]


@pytest.mark.parametrize(
    ("most", "since_s", "expected"),
    [
        pytest.param(2, 0, [3, 4], id="number"),
        pytest.param(9, 3, [3, 4], id="time"),
        pytest.param(9, 0, [1, 2, 3, 4], id="all"),
        pytest.param(9, 99, [], id="none-is-young-enough"),
    ],
)
def test_history_begins_with_the_latest(store: Store, most: int, since_s: float, expected: list[int]) -> None:
    store.write([asked(number, tried(str(number)), at_s=number) for number in (1, 2, 3, 4)])
    first = store.first_position(since=NOON + timedelta(seconds=since_s), most=most)
    assert [int(lesson.model) for lesson in store.lessons(first, limit=9).lessons] == expected


def test_history_of_an_empty_log_begins_at_its_start(store: Store) -> None:
    assert store.first_position(since=NOON, most=5) == 0


def test_log_of_an_earlier_version_can_be_learned_from(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/old.sqlite")
    store.migrate()
    store.write([asked(2, RIGHT, at_s=2), asked(1, UNVERIFIED, at_s=1), said(1, True)])
    with store.engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", "deployments.log.database:migrations")
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        assert not connection.dialect.has_table(connection, changes.name)
    store.migrate()
    assert verdicts(store) == [("b", True, True), ("a", True, False)]
    store.close()


def test_a_check_that_may_err_stands_beside_what_it_said(store: Store) -> None:
    judged = [tried("a", verdict, check="judge") for verdict in ("unknown", "wrong", "correct")]
    store.write([asked(1, *judged, tried("b", "unknown"))])
    assert [(lesson.correct, lesson.check) for lesson in lessons(store)] == [
        (None, "judge"),
        (False, "judge"),
        (True, "judge"),
    ]


def test_a_clients_word_tells_what_a_check_that_may_err_said_of_the_same_answer(store: Store) -> None:
    judged = asked(1, tried("a", "correct", check="judge"))
    assert verdicts(store, judged, said(1, False)) == [("a", True, True), ("a", False, False)]
    assert [(lesson.check, lesson.beside) for lesson in lessons(store)] == [
        ("judge", None),
        ("feedback", ("judge", True)),
    ]


def test_what_a_model_made_of_its_own_wrong_answer_teaches_nothing(store: Store) -> None:
    mended = (tried("a", "wrong"), tried("a", "wrong", is_repair=True), tried("b"))
    store.write([asked(1, *mended), asked(2, tried("a", "wrong"), tried("a", is_repair=True)), said(2, False)])
    found = [(lesson.model, lesson.correct, lesson.failed) for lesson in lessons(store)]
    assert found == [("a", False, ()), ("b", True, ("a",)), ("a", False, ())]
