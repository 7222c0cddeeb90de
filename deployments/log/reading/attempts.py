"""Attempts in the log with what is thought of them now; a router reads them too."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Subquery, and_, case, exists, select, true

from deployments.log.database.tables import attempts, feedback, requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which attempts are meant; None lets everything through.

    `policy` is the one that chose for the request; a request that named a model has none, so it is left out.
    """

    since: datetime | None = None
    model: str | None = None
    task: str | None = None
    language: str | None = None
    verdict: str | None = None
    policy: str | None = None
    api_key_hash: str | None = None


def list_attempts(connection: Connection, wanted: Filter, *, limit: int) -> list[dict[str, Any]]:
    """The latest attempts, oldest first, each with what is thought of it now."""
    found = judged()
    newest = (
        select(found)
        .where(matches(found, wanted))
        .order_by(found.c.arrived_at.desc(), found.c.request_id.desc(), found.c.attempt_index.desc())
        .limit(limit)
    )
    return [shown(row) for row in reversed(connection.execute(newest).mappings().all())]


def judged() -> Subquery:
    """Attempts with policy and key of their request, whether the client got them (`is_answer`), and an `outcome`: the
    client's word on its answer, else the verdict.

    A client that asks again found the answer wrong, where laar had no verdict of its own.
    """
    retry = requests.alias("retry")
    is_answer = attempts.c.attempt_index == requests.c.answer_index
    was_retried = exists().where(
        retry.c.retry_of == attempts.c.request_id, retry.c.api_key_hash == requests.c.api_key_hash
    )
    outcome = case(
        (and_(is_answer, feedback.c.correct.is_(True)), "correct"),
        (and_(is_answer, feedback.c.correct.is_(False)), "wrong"),
        (and_(is_answer, attempts.c.verdict.in_(("unverified", "unknown")), was_retried), "wrong"),
        else_=attempts.c.verdict,
    )
    joined = attempts.outerjoin(requests, requests.c.request_id == attempts.c.request_id).outerjoin(
        feedback, feedback.c.request_id == attempts.c.request_id
    )
    asked = (requests.c.policy, requests.c.api_key_hash)
    return (
        select(attempts, *asked, is_answer.label("is_answer"), outcome.label("outcome"))
        .select_from(joined)
        .subquery("judged")
    )


def matches(judged: Subquery, wanted: Filter) -> ColumnElement[bool]:
    found: list[ColumnElement[bool]] = []
    for name in ("model", "task", "language", "verdict", "policy", "api_key_hash"):
        if (value := getattr(wanted, name)) is not None:
            found.append(judged.c[name] == value)
    return and_(is_since(judged.c.arrived_at, wanted), *found)


def is_since(time: ColumnElement[datetime], wanted: Filter) -> ColumnElement[bool]:
    return time >= wanted.since if wanted.since is not None else true()


def shown(row: RowMapping) -> dict[str, Any]:
    """An attempt as people see it: whose key its request came with serves only to find it."""
    return {name: value for name, value in row.items() if name != "api_key_hash"}
