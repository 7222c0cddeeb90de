"""The trace of OpenTelemetry that a request belongs to; not known of requests from before."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("requests", sa.Column("trace_id", sa.String(32)))


def downgrade() -> None:
    op.drop_column("requests", "trace_id")
