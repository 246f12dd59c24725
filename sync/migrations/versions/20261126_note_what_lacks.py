"""Note which records another server has without their attachments, instead of until when it has read attachments.

Revision ID: 20261126_note_what_lacks
Revises: 20261126_forget_deletions
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261126_note_what_lacks"
down_revision = "20261126_forget_deletions"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("peer", sa.Column("lacks", JSON, nullable=False, server_default="[]"))
    op.drop_column("peer", "files_read_at")


def downgrade() -> None:
    op.add_column("peer", sa.Column("files_read_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_column("peer", "lacks")
