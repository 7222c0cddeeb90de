"""An index for the latest requests of one API key."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_index("ix_requests_api_key_hash_arrived_at", "requests", ["api_key_hash", "arrived_at"])


def downgrade() -> None:
    op.drop_index("ix_requests_api_key_hash_arrived_at", "requests")
