"""Time the feed.

Revision ID: 20261125_time_the_feed
Revises: 20261125_note_backups
"""

import sqlalchemy as sa
from alembic import op

revision = "20261125_time_the_feed"
down_revision = "20261125_note_backups"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("feed", sa.Column("at", sa.DateTime(timezone=True), nullable=True))
    # What had to wait took part later than it was received; nobody has noted when.
    op.execute(
        "UPDATE feed SET at = (SELECT received_at FROM operation"
        " WHERE operation.project_id = feed.project_id AND operation.op_id = feed.op_id)"
    )
    with op.batch_alter_table("feed") as batch_op:
        batch_op.alter_column("at", existing_type=sa.DateTime(timezone=True), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("feed") as batch_op:
        batch_op.drop_column("at")
