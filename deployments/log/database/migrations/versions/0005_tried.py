"""Which models the client had tried before; not known of requests from before."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("requests", sa.Column("tried", sa.JSON(none_as_null=True)))


def downgrade() -> None:
    op.drop_column("requests", "tried")
