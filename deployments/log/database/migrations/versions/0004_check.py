"""Which check gave a verdict, where it is one that may err; not known of those from before."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("attempts", sa.Column("check", sa.Text()))


def downgrade() -> None:
    op.drop_column("attempts", "check")
