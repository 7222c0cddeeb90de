"""What the log teaches about its models: verdicts, and what clients made of them, in the order it got them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from deployments.contract.verdict import was_right
from deployments.log.database.tables import attempts, changes, requests, undone_keys
from profiles.chances.trust import FEEDBACK

# The model of a request that leaves the choice to laar.
AUTO = "auto"
# A check that may err, and whether it found an answer right.
CheckSaid = tuple[str, bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Whether a model was right; `failed` models were wrong on the request before.

    `bucket` is the label that its length had in the router that asked it, `prompt_tokens` is the length.
    `check` names the check that says so, where it is one that may err; only such a one tells something by being unable
    to tell (`correct` is None). `beside` is what such a check had said of the same answer before a client did.
    `replica` is the router that gave the verdict and so knows it already; None for a client's word. `tenant` stands for
    the holder of the key that asked.
    """

    model: str
    task: str
    language: str
    bucket: str
    prompt_tokens: int
    correct: bool | None
    check: str | None = None
    beside: CheckSaid | None = None
    failed: tuple[str, ...] = ()
    replica: str | None = None
    tenant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Lessons in order, the position up to which they go, and whether the log has no further ones now.

    `undone` are the keys of which nothing is to be learned, whatever was read of them before.
    """

    lessons: tuple[Lesson, ...]
    position: int
    is_last: bool
    undone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A request with its verdicts (`correct` is None), or what its client said of it."""

    position: int
    request_id: str
    correct: bool | None


@dataclass(slots=True, kw_only=True)
class LoggedRequest:
    """A request that the log has; `attempts` are rows by index, which pruning may have taken away.

    A client that named its `model` chose what would be learned of it: that teaches nothing.
    `tried` are models that were wrong before it, in the client's earlier requests.
    """

    request_id: str
    position: int
    replica: str
    retry_of: str | None
    api_key_hash: str
    answer_index: int | None
    model: str
    tried: Sequence[str] | None = None
    attempts: dict[int, Any] = field(default_factory=dict)

    def verdicts(self) -> Iterator[Lesson]:
        if self.model != AUTO:
            return
        for index, attempt in sorted(self.attempts.items()):
            said = was_right(attempt.verdict, attempt.reason)
            if not attempt.is_repair and (said is not None or attempt.check is not None):
                yield self._lesson(index, correct=said, check=attempt.check, replica=self.replica)

    def word(self, correct: bool) -> Iterator[Lesson]:
        """What a client's word on the answer teaches: nothing where a check has judged it that does not err."""
        answer = self.attempts.get(self.answer_index) if self.answer_index is not None else None
        if self.model != AUTO or answer is None or answer.is_repair:
            return
        said = was_right(answer.verdict, answer.reason)
        if said is None or answer.check is not None:
            beside = None if answer.check is None else (answer.check, said)
            assert self.answer_index is not None
            yield self._lesson(self.answer_index, correct=correct, check=FEEDBACK, beside=beside, replica=None)

    def _lesson(
        self,
        index: int,
        *,
        correct: bool | None,
        check: str | None,
        replica: str | None,
        beside: CheckSaid | None = None,
    ) -> Lesson:
        attempt = self.attempts[index]
        before = [tried for i, tried in sorted(self.attempts.items()) if i < index and not tried.is_repair]
        wrong = [tried.model for tried in before if tried.verdict == "wrong"]
        return Lesson(
            model=attempt.model,
            task=attempt.task,
            language=attempt.language,
            bucket=attempt.bucket,
            prompt_tokens=attempt.prompt_tokens,
            correct=correct,
            check=check,
            beside=beside,
            failed=tuple(dict.fromkeys([*(self.tried or ()), *wrong])),
            replica=replica,
            tenant=self.api_key_hash,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that changes rest on. What they teach depends on what came before them alone, not on when they are read.

    `said` is the first word on each request, and `retried` where it was first asked again, by its id and the hash of
    its API key.
    """

    asked: Mapping[str, LoggedRequest]
    said: Mapping[str, Change]
    retried: Mapping[tuple[str, str], int]

    def lessons(self, change: Change) -> Iterator[Lesson]:
        asked = self.asked.get(change.request_id)
        if asked is None or asked.position > change.position:
            return
        if change.correct is None:
            yield from asked.verdicts()
        for one in (asked, self.asked.get(asked.retry_of or "") if change.correct is None else None):
            # a client's first word on an answer counts, or one request could teach for ever
            if one is not None and (word := self._first_word(one)) is not None and word.position == change.position:
                assert word.correct is not None
                yield from one.word(word.correct)

    def _first_word(self, asked: LoggedRequest) -> Change | None:
        """What the client said first, once its request is there too; who asks again says wrong."""
        words = [self.said[asked.request_id]] if asked.request_id in self.said else []
        if (position := self.retried.get((asked.request_id, asked.api_key_hash))) is not None:
            words.append(Change(position=position, request_id=asked.request_id, correct=False))
        first = min(words, key=lambda word: word.position, default=None)
        return first and replace(first, position=max(first.position, asked.position))


def first_position(connection: Connection, *, since: datetime, most: int) -> int:
    """The position after which the latest `most` changes begin, none of them from before `since`."""
    latest = (
        select(changes.c.position)
        .where(changes.c.at >= since)
        .order_by(changes.c.position.desc())
        .limit(most)
        .subquery()
    )
    first = connection.execute(select(func.min(latest.c.position))).scalar_one()
    return last_position(connection) if first is None else int(first) - 1


def last_position(connection: Connection) -> int:
    """The position of the latest change; 0 before the first."""
    return int(connection.execute(select(func.coalesce(func.max(changes.c.position), 0))).scalar_one())


def read_lessons(connection: Connection, *, after: int, limit: int, every: int = 1) -> Batch:
    """What at most `limit` changes past the position `after` teach; of verdicts one in `every`, of clients all words.

    Which ones are left out goes by their positions, so that all who read with the same `every` read the same.
    """
    upto = last_position(connection)
    rows = connection.execute(
        select(changes.c.position, changes.c.request_id, changes.c.correct)
        .where(changes.c.position > after, changes.c.position <= upto)
        .where(or_(changes.c.position % every == 0, changes.c.correct.is_not(None)))
        .order_by(changes.c.position)
        .limit(limit)
    )
    found = [Change(position=position, request_id=id_, correct=correct) for position, id_, correct in rows]
    history = _history(connection, found)
    return Batch(
        lessons=tuple(lesson for change in found for lesson in history.lessons(change)),
        position=found[-1].position if len(found) == limit else max(after, upto),
        is_last=len(found) < limit,
        undone=undone(connection),
    )


def undone(connection: Connection) -> frozenset[str]:
    """The keys, by their hashes, of which nothing is learned."""
    return frozenset(connection.execute(select(undone_keys.c.api_key_hash)).scalars())


def _history(connection: Connection, found: Sequence[Change]) -> History:
    asked = _asked(connection, {change.request_id for change in found})
    asked |= _asked(connection, {one.retry_of for one in asked.values() if one.retry_of} - asked.keys())
    return History(asked=asked, said=_said(connection, asked), retried=_retried(connection, asked))


def _asked(connection: Connection, ids: Iterable[str]) -> dict[str, LoggedRequest]:
    wanted = sorted(ids)
    if not wanted:
        return {}
    columns = requests.c
    rows = connection.execute(
        select(
            columns.request_id,
            changes.c.position,
            columns.replica,
            columns.retry_of,
            columns.api_key_hash,
            columns.answer_index,
            columns.model,
            columns.tried,
        )
        .join(changes, and_(changes.c.request_id == columns.request_id, changes.c.correct.is_(None)))
        .where(columns.request_id.in_(wanted))
    )
    found = {row["request_id"]: LoggedRequest(**row) for row in rows.mappings()}
    shown = attempts.c
    names = (
        "request_id",
        "attempt_index",
        "model",
        "task",
        "language",
        "bucket",
        "prompt_tokens",
        "verdict",
        "reason",
        "check",
        "is_repair",
    )
    tried = select(*(shown[name] for name in names)).where(shown.request_id.in_(wanted))
    for row in connection.execute(tried):
        if row.request_id in found:
            found[row.request_id].attempts[row.attempt_index] = row
    return found


def _said(connection: Connection, ids: Iterable[str]) -> dict[str, Change]:
    """The first word on each request."""
    known = changes.c.request_id.in_(sorted(ids)), changes.c.correct.is_not(None)
    first = select(func.min(changes.c.position)).where(*known).group_by(changes.c.request_id)
    rows = connection.execute(
        select(changes.c.position, changes.c.request_id, changes.c.correct).where(changes.c.position.in_(first))
    )
    return {id_: Change(position=position, request_id=id_, correct=correct) for position, id_, correct in rows}


def _retried(connection: Connection, ids: Iterable[str]) -> dict[tuple[str, str], int]:
    rows = connection.execute(
        select(requests.c.retry_of, requests.c.api_key_hash, func.min(changes.c.position))
        .join(changes, and_(changes.c.request_id == requests.c.request_id, changes.c.correct.is_(None)))
        .where(requests.c.retry_of.in_(sorted(ids)))
        .group_by(requests.c.retry_of, requests.c.api_key_hash)
    )
    return {(retry_of, key): position for retry_of, key, position in rows}
