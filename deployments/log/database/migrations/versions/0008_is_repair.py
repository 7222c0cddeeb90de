"""Whether an attempt gave a model its own wrong answer back; not known, that is null, of those that did not."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("attempts", sa.Column("is_repair", sa.Boolean()))


def downgrade() -> None:
    op.drop_column("attempts", "is_repair")
