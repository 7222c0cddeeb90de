from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from deployments.log.database.store import Store
from deployments.log.reading.attempts import Filter, list_attempts
from deployments.log.reading.chains import ChainLink, chains, ttcas_s
from deployments.log.reading.queries import LoggedArrivals, accuracy, arrivals, request_chains
from deployments.log.writing.log_records import FeedbackRecord, LogRecord
from tests.unit.logged import NOON, NOON_S, asked, request_id, tried

ALL = Filter()


@pytest.fixture
def connection(store: Store) -> Iterator[Connection]:
    with store.engine.connect() as found:
        yield found


def said(number: int, correct: bool) -> FeedbackRecord:
    return FeedbackRecord(request_id=request_id(number), correct=correct, at_s=NOON_S)


def link(
    number: int, duration_s: float, correct: bool | None, retry_of: int | None = None, key: str = "k"
) -> ChainLink:
    earlier = request_id(retry_of) if retry_of is not None else None
    return ChainLink(
        request_id=request_id(number), retry_of=earlier, api_key_hash=key, duration_s=duration_s, correct=correct
    )


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        pytest.param([link(1, 2.0, True)], [2.0], id="one-request"),
        pytest.param([link(1, 2.0, None)], [], id="nobody-knows"),
        pytest.param([link(1, 2.0, None), link(2, 3.0, True, 1)], [5.0], id="retry"),
        pytest.param([link(1, 2.0, False), link(2, 3.0, None, 1), link(3, 4.0, True, 2)], [9.0], id="retry-of-retry"),
        pytest.param([link(1, 2.0, True), link(2, 3.0, True, 1)], [2.0], id="asked-again-though-correct"),
        pytest.param([link(1, 2.0, None), link(2, 3.0, True, 1, "other")], [3.0], id="of-another-key"),
        pytest.param([link(2, 3.0, True, 1)], [3.0], id="earlier-request-not-in-the-window"),
    ],
)
def test_ttca_counts_all_requests_up_to_the_first_correct_answer(links: list[ChainLink], expected: list[float]) -> None:
    assert ttcas_s(chains(links)) == expected


def test_latest_attempts_come_oldest_first(store: Store, connection: Connection) -> None:
    store.write([asked(1), asked(2, tried("a", "wrong"), tried("b"), at_s=1)])
    rows = list_attempts(connection, ALL, limit=2)
    assert [(row["request_id"], row["model"]) for row in rows] == [(request_id(2), "a"), (request_id(2), "b")]


@pytest.mark.parametrize(
    ("wanted", "models"),
    [
        pytest.param(Filter(model="b"), ["b"], id="model"),
        pytest.param(Filter(task="sums"), ["c"], id="task"),
        pytest.param(Filter(language="de"), ["c"], id="language"),
        pytest.param(Filter(verdict="wrong"), ["a"], id="verdict"),
        pytest.param(Filter(policy="fastest"), ["c"], id="policy"),
        pytest.param(Filter(since=NOON + timedelta(seconds=1)), ["c"], id="since"),
    ],
)
def test_filters(store: Store, connection: Connection, wanted: Filter, models: list[str]) -> None:
    other = asked(2, tried("c"), at_s=1, task="sums", language="de", policy="fastest")
    store.write([asked(1, tried("a", "wrong"), tried("b"), policy="laar"), other])
    assert [row["model"] for row in list_attempts(connection, wanted, limit=9)] == models


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param([asked(1, tried("a", "wrong"), tried("a"))], (1, 2), id="verdicts"),
        pytest.param([asked(1, tried("a", "unverified"))], None, id="unverified-is-not-judged"),
        pytest.param([asked(1, tried("a", "error"))], None, id="error-is-no-answer"),
        pytest.param([asked(1, tried("a", "unverified")), said(1, True)], (1, 1), id="feedback"),
        pytest.param([asked(1, tried("a", "correct")), said(1, False)], (0, 1), id="feedback-beats-verdict"),
        pytest.param(
            [asked(1, tried("a", "error"), tried("a")), said(1, False)], (0, 1), id="wrong-is-the-answer-only"
        ),
        pytest.param([asked(1, tried("a", "wrong"), tried("a")), said(1, True)], (1, 2), id="right-is-the-answer-only"),
        pytest.param(
            [asked(1, tried("a", "unverified")), asked(2, tried("a"), retry_of=request_id(1))], (1, 2), id="asked-again"
        ),
        pytest.param(
            [asked(1, tried("a")), asked(2, tried("a"), retry_of=request_id(1))], (2, 2), id="verified-and-asked-again"
        ),
        pytest.param(
            [asked(1, tried("a", "unverified")), asked(2, retry_of=request_id(1), api_key_hash="other")],
            (1, 1),
            id="another-key-cannot-judge",
        ),
    ],
)
def test_client_has_the_last_word_on_the_answer_it_got(
    store: Store, connection: Connection, records: list[LogRecord], expected: tuple[int, int] | None
) -> None:
    store.write(records)
    assert [(cell.correct, cell.tried) for cell in accuracy(connection, ALL)] == ([expected] if expected else [])


def test_accuracy_stands_by_model_language_and_bucket(store: Store, connection: Connection) -> None:
    store.write([asked(1, tried("a", bucket=">128"), tried("a", "wrong"), tried("b")), asked(2, language="de")])
    cells = [(cell.model, cell.language, cell.bucket, cell.correct, cell.tried) for cell in accuracy(connection, ALL)]
    assert cells == [
        ("a", "de", "<=128", 1, 1),
        ("a", "en", "<=128", 0, 1),
        ("a", "en", ">128", 1, 1),
        ("b", "en", "<=128", 1, 1),
    ]


def test_chains_of_the_log_know_retries_and_feedback(store: Store, connection: Connection) -> None:
    store.write(
        [
            asked(1, tried("a", "unverified"), duration_s=2.0, verified=None),
            asked(2, tried("a", "unverified"), duration_s=3.0, verified=None, retry_of=request_id(1), at_s=1),
            said(2, True),
        ]
    )
    assert ttcas_s(request_chains(connection, ALL)) == [5.0]


def test_policies_are_compared_each_by_its_own_requests(store: Store, connection: Connection) -> None:
    store.write([asked(1, policy="laar", duration_s=2.0), asked(2, policy="fastest", duration_s=3.0), asked(3)])
    times = {policy: ttcas_s(request_chains(connection, Filter(policy=policy))) for policy in ("laar", "fastest")}
    assert times == {"laar": [2.0], "fastest": [3.0]}
    assert [row["policy"] for row in list_attempts(connection, ALL, limit=9)] == ["laar", "fastest", None]


def test_arrival_rate_and_task_mix_of_a_window(store: Store, connection: Connection) -> None:
    tasks = ("sums", "sums", "default", "sums", "late")
    store.write([asked(number, task=task, at_s=number * 10) for number, task in enumerate(tasks)])
    found = arrivals(connection, since=NOON, before=NOON + timedelta(seconds=40))
    assert found == LoggedArrivals(
        window_s=40.0, num_requests=4, rate_per_s=0.1, task_shares={"default": 0.25, "sums": 0.75}
    )


def test_window_that_ends_before_it_begins_is_refused(connection: Connection) -> None:
    with pytest.raises(ValueError, match="must come before"):
        arrivals(connection, since=NOON, before=NOON)
