"""What the attempt log can be asked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, exists, func, select

from deployments.log.database.tables import attempts, changes, feedback, requests
from deployments.log.reading.attempts import Filter, is_since, judged, matches, shown
from deployments.log.reading.chains import Chain, ChainLink, chains
from profiles.cell import Buckets, Cell
from profiles.chances.intervals import wilson

MAX_LINKS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Attempts with what is thought of them, the position up to which they go, and whether there are none after it."""

    attempts: tuple[dict[str, Any], ...]
    position: int
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Of `tried` attempts with a verdict `correct` were so; `low` to `high` is the 95 % interval after Wilson."""

    model: str
    language: str
    bucket: str
    correct: int
    tried: int
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedArrivals:
    """Requests of a window: `rate_per_s` of all, and the share of each task in them."""

    window_s: float
    num_requests: int
    rate_per_s: float
    task_shares: Mapping[str, float]


def requests_like(connection: Connection, beginning: str) -> list[dict[str, Any]]:
    """The requests whose id begins so, two at most, each with its `attempts` and what is thought of them."""
    columns = [column for column in requests.c if column.name != "api_key_hash"]
    matching = requests.c.request_id.startswith(beginning, autoescape=True)
    attempted = judged()
    found = []
    for row in connection.execute(select(*columns).where(matching).limit(2)).mappings().all():
        own = select(attempted).where(attempted.c.request_id == row["request_id"]).order_by(attempted.c.attempt_index)
        tried = [shown(attempt) for attempt in connection.execute(own).mappings()]
        found.append({**row, "attempts": tried})
    return found


def new_attempts(connection: Connection, wanted: Filter, *, after: int, limit: int) -> Page:
    """The attempts on the next requests past the position `after`, in the order in which the database got them."""
    position = changes.c.position
    is_next = and_(position > after, changes.c.correct.is_(None))
    found = connection.execute(select(position).where(is_next).order_by(position).limit(limit)).scalars().all()
    last = found[-1] if found else after
    attempted = judged()
    statement = (
        select(attempted)
        .join(changes, changes.c.request_id == attempted.c.request_id)
        # what came since the positions were read is the next page's
        .where(is_next, position <= last, matches(attempted, wanted))
        .order_by(position, attempted.c.attempt_index)
    )
    rows = connection.execute(statement).mappings().all()
    return Page(attempts=tuple(map(shown, rows)), position=last, is_last=len(found) < limit)


def accuracy(connection: Connection, wanted: Filter) -> list[Accuracy]:
    """Accuracy by model, language and bucket, of attempts that somebody has judged: laar or the client."""
    attempted = judged()
    group = (attempted.c.model, attempted.c.language, attempted.c.bucket)
    correct = func.sum(case((attempted.c.outcome == "correct", 1), else_=0))
    rows = connection.execute(
        select(*group, correct, func.count())
        .where(matches(attempted, wanted), attempted.c.outcome.in_(("correct", "wrong")))
        .group_by(*group)
        .order_by(*group)
    )
    return [_accuracy(model, language, bucket, int(right), tried) for model, language, bucket, right, tried in rows]


def request_chains(connection: Connection, wanted: Filter) -> list[Chain]:
    """Requests and their retries within the window, of at most the first million requests."""
    return chains(_links(connection, wanted))


def arrivals(connection: Connection, *, since: datetime, before: datetime) -> LoggedArrivals:
    """Arrival rate and task mix of the requests that came from `since` to before `before`."""
    window_s = (before - since).total_seconds()
    if window_s <= 0:
        raise ValueError(f"since ({since}) must come before before ({before})")
    counts = connection.execute(
        select(requests.c.task, func.count())
        .where(requests.c.arrived_at >= since, requests.c.arrived_at < before)
        .group_by(requests.c.task)
        .order_by(requests.c.task)
    ).all()
    total = sum(count for _, count in counts)
    return LoggedArrivals(
        window_s=window_s,
        num_requests=total,
        rate_per_s=total / window_s,
        task_shares={task: count / total for task, count in counts},
    )


def count_by_cell(
    connection: Connection,
    model: str,
    *,
    since: datetime,
    before: datetime,
    buckets: Buckets,
    is_first_only: bool = False,
) -> dict[Cell, int]:
    """What one model was asked, by cell; of each request all attempts on it, or the first alone."""
    tokens, edges = attempts.c.prompt_tokens, buckets.edges
    bucket = case(*((tokens <= edge, index) for index, edge in enumerate(edges)), else_=len(edges))
    asked = select(attempts.c.task, attempts.c.language, bucket.label("bucket")).where(
        attempts.c.model == model, attempts.c.arrived_at >= since, attempts.c.arrived_at < before
    )
    if is_first_only:
        earlier = attempts.alias("earlier")
        asked = asked.where(
            ~exists().where(
                earlier.c.request_id == attempts.c.request_id,
                earlier.c.model == attempts.c.model,
                earlier.c.attempt_index < attempts.c.attempt_index,
            )
        )
    # a subquery, as PostgreSQL does not see that an expression with parameters is the one it groups by
    cells = asked.subquery("cells")
    counted = select(*cells.c, func.count()).group_by(*cells.c).order_by(*cells.c)
    return {Cell(*cell): count for *cell, count in connection.execute(counted)}


def _accuracy(model: str, language: str, bucket: str, correct: int, tried: int) -> Accuracy:
    low, high = wilson(correct, tried)
    return Accuracy(model=model, language=language, bucket=bucket, correct=correct, tried=tried, low=low, high=high)


def _links(connection: Connection, wanted: Filter) -> Iterator[ChainLink]:
    columns = requests.c
    matching: Sequence[ColumnElement[bool]] = [
        columns[name] == value
        for name in ("task", "language", "policy")
        if (value := getattr(wanted, name)) is not None
    ]
    statement: Select[Any] = (
        select(
            columns.request_id,
            columns.retry_of,
            columns.api_key_hash,
            columns.duration_s,
            columns.verified,
            feedback.c.correct,
        )
        .select_from(requests.outerjoin(feedback, feedback.c.request_id == columns.request_id))
        .where(is_since(columns.arrived_at, wanted), *matching)
        .order_by(columns.arrived_at, columns.request_id)
        .limit(MAX_LINKS)
    )
    for request_id, retry_of, key, duration_s, verified, said in connection.execute(
        statement, execution_options={"yield_per": 1000}
    ):
        yield ChainLink(
            request_id=request_id,
            retry_of=retry_of,
            api_key_hash=key,
            duration_s=duration_s,
            correct=said if said is not None else verified,
        )
