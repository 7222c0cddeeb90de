"""Requests, attempts and feedback."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "requests",
        sa.Column("request_id", sa.String(64), primary_key=True),
        sa.Column("arrived_at", moment, nullable=False),
        sa.Column("duration_s", sa.Float, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("verified", sa.Boolean),
        sa.Column("ttca_s", sa.Float),
        sa.Column("answer_index", sa.Integer),
        sa.Column("endpoint", sa.String(32), nullable=False),
        sa.Column("is_stream", sa.Boolean, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("bucket", sa.String(32), nullable=False),
        sa.Column("prompt_chars", sa.BigInteger, nullable=False),
        sa.Column("body_bytes", sa.BigInteger, nullable=False),
        sa.Column("prompt_hash", sa.String(64), nullable=False),
        sa.Column("api_key_hash", sa.String(64), nullable=False),
        sa.Column("replica", sa.String(64), nullable=False),
        sa.Column("retry_of", sa.String(64)),
        sa.Column("prompt_text", sa.Text),
    )
    op.create_index("ix_requests_arrived_at", "requests", ["arrived_at"])
    op.create_index("ix_requests_retry_of", "requests", ["retry_of"])
    op.create_table(
        "attempts",
        sa.Column("request_id", sa.String(64), primary_key=True),
        sa.Column("attempt_index", sa.Integer, primary_key=True),
        sa.Column("arrived_at", moment, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("bucket", sa.String(32), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("latency_s", sa.Float, nullable=False),
        sa.Column("probability", sa.Float, nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger),
        sa.Column("answer_text", sa.Text),
    )
    op.create_index("ix_attempts_arrived_at", "attempts", ["arrived_at"])
    op.create_table(
        "feedback",
        sa.Column("request_id", sa.String(64), primary_key=True),
        sa.Column("correct", sa.Boolean, nullable=False),
        sa.Column("at", moment, nullable=False),
    )
    op.create_index("ix_feedback_at", "feedback", ["at"])


def downgrade() -> None:
    for table in ("feedback", "attempts", "requests"):
        op.drop_table(table)
