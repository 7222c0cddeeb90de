"""Which policy chose for a request; not known of those from before, nor of those that named a model."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("requests", sa.Column("policy", sa.String(32)))


def downgrade() -> None:
    op.drop_column("requests", "policy")
