"""What the attempt log tells of the models, for a profile."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, Select, or_, select

from deployments.contract.verdict import was_right
from deployments.log.database.tables import attempts, feedback, requests, undone_keys
from profiles.measuring.logged_attempt import JudgedAttempt

_COLUMNS = (
    *("request_id", "attempt_index", "arrived_at", "model", "task", "language"),
    *("bucket", "verdict", "check", "reason", "latency_s", "probability", "prompt_tokens", "output_tokens"),
)


def logged_attempts(connection: Connection, *, since: datetime, limit: int) -> list[JudgedAttempt]:
    """The latest attempts, at most `limit`, in the order of their requests' arrival.

    A client's feedback comes before the verdict on the answer it was given. That a client asked again is no verdict
    here: content clients say nothing, so only wrong answers would count where nothing else judged them. Keys that were
    undone say nothing at all.
    """
    statement: Select[Any] = (
        select(
            *(attempts.c[name] for name in _COLUMNS),
            requests.c.answer_index,
            or_(requests.c.retry_of.is_not(None), requests.c.tried.is_not(None)).label("is_retry"),
            requests.c.prompt_chars,
            feedback.c.correct.label("said"),
        )
        .join_from(attempts, requests, requests.c.request_id == attempts.c.request_id)
        .outerjoin(feedback, feedback.c.request_id == attempts.c.request_id)
        .where(attempts.c.arrived_at >= since, requests.c.api_key_hash.not_in(select(undone_keys.c.api_key_hash)))
        .order_by(attempts.c.arrived_at.desc(), attempts.c.request_id.desc(), attempts.c.attempt_index.desc())
        .limit(limit)
    )
    return list(_in_order(connection.execute(statement).all()[::-1]))


def _in_order(rows: Sequence[Row[Any]]) -> Iterator[JudgedAttempt]:
    """An attempt begins when those before it have ended, the first one when the request arrives."""
    for _, tried in groupby(rows, key=lambda row: row.request_id):
        spent_s = 0.0
        for row in tried:
            yield _attempt(row, spent_s)
            spent_s += row.latency_s


def _attempt(row: Row[Any], spent_s: float) -> JudgedAttempt:
    is_answer = row.attempt_index == row.answer_index
    return JudgedAttempt(
        request_id=row.request_id,
        num_before=row.attempt_index,
        is_retry=row.is_retry,
        began_s=row.arrived_at.timestamp() + spent_s,
        model=row.model,
        bucket=row.bucket,
        verdict=row.verdict,
        reason=row.reason,
        probability=row.probability,
        task=row.task,
        language=row.language,
        correct=row.said if is_answer and row.said is not None else was_right(row.verdict, row.reason),
        check=None if is_answer and row.said is not None else row.check,
        latency_s=row.latency_s,
        prompt_tokens=row.prompt_tokens,
        output_tokens=row.output_tokens,
        num_chars=row.prompt_chars,
    )
