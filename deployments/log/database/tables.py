"""The tables of the attempt log, as the latest migration leaves them."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite, which knows no time zones, keeps it without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.replace(tzinfo=UTC)


metadata = MetaData()

requests = Table(
    "requests",
    metadata,
    Column("request_id", String(64), primary_key=True),
    Column("arrived_at", UtcDateTime, nullable=False),
    Column("duration_s", Float, nullable=False),
    Column("status", Integer, nullable=False),
    Column("verified", Boolean),
    Column("ttca_s", Float),
    Column("answer_index", Integer),
    Column("endpoint", String(32), nullable=False),
    Column("is_stream", Boolean, nullable=False),
    Column("model", Text, nullable=False),
    Column("task", String(64), nullable=False),
    Column("language", String(16), nullable=False),
    Column("bucket", String(32), nullable=False),
    Column("prompt_chars", BigInteger, nullable=False),
    Column("body_bytes", BigInteger, nullable=False),
    Column("prompt_hash", String(64), nullable=False),
    Column("api_key_hash", String(64), nullable=False),
    Column("replica", String(64), nullable=False),
    Column("retry_of", String(64)),
    Column("prompt_text", Text),
    Column("policy", String(32)),
    Column("tried", JSON(none_as_null=True)),
    Column("trace_id", String(32)),
    Index("ix_requests_arrived_at", "arrived_at"),
    Index("ix_requests_retry_of", "retry_of"),
    Index("ix_requests_api_key_hash_arrived_at", "api_key_hash", "arrived_at"),
)

# task, language and the time of arrival stand here too: most questions are about attempts alone
attempts = Table(
    "attempts",
    metadata,
    Column("request_id", String(64), primary_key=True),
    Column("attempt_index", Integer, primary_key=True),
    Column("arrived_at", UtcDateTime, nullable=False),
    Column("model", Text, nullable=False),
    Column("task", String(64), nullable=False),
    Column("language", String(16), nullable=False),
    Column("bucket", String(32), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("latency_s", Float, nullable=False),
    Column("probability", Float, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger),
    Column("answer_text", Text),
    Column("check", Text),
    Column("is_repair", Boolean),
    Index("ix_attempts_arrived_at", "arrived_at"),
)

# without a foreign key: another replica may have written the request and not have brought it here yet
feedback = Table(
    "feedback",
    metadata,
    Column("request_id", String(64), primary_key=True),
    Column("correct", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_feedback_at", "at"),
)

# what there is to learn from, in the order in which the database got it: a request with its verdicts, where `correct`
# is null, or what a client said of one; a number is never given twice, and none becomes visible after a higher one
changes = Table(
    "changes",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("request_id", String(64), nullable=False),
    Column("correct", Boolean),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_changes_request_id", "request_id"),
    Index("ix_changes_at", "at"),
    sqlite_autoincrement=True,
)

# keys of which nothing is learned, whatever they have said or say
undone_keys = Table(
    "undone_keys",
    metadata,
    Column("api_key_hash", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)
