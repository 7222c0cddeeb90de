"""The order in which requests and feedback came, for replicas that learn from one another."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    position = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "changes",
        sa.Column("position", position, primary_key=True, autoincrement=True),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("correct", sa.Boolean),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_changes_request_id", "changes", ["request_id"])
    op.create_index("ix_changes_at", "changes", ["at"])
    op.execute(
        "INSERT INTO changes (request_id, at)"
        " SELECT request_id, arrived_at FROM requests ORDER BY arrived_at, request_id"
    )
    op.execute(
        "INSERT INTO changes (request_id, correct, at)"
        " SELECT request_id, correct, at FROM feedback ORDER BY at, request_id"
    )


def downgrade() -> None:
    op.drop_table("changes")
