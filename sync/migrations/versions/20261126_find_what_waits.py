"""Find the attachments that have not arrived without a look at all the others.

Revision ID: 20261126_find_what_waits
Revises: 20261126_join_the_verdicts
"""

import sqlalchemy as sa
from alembic import op

revision = "20261126_find_what_waits"
down_revision = "20261126_join_the_verdicts"
branch_labels = None
depends_on = None

WAITING, TABLE = "ix_submission_attachment_waiting", "submission_attachment"


def upgrade() -> None:
    waits = sa.text("arrived_at IS NULL")
    op.create_index(WAITING, TABLE, ["project_id", "instance_id"], postgresql_where=waits, sqlite_where=waits)


def downgrade() -> None:
    op.drop_index(WAITING, TABLE)
