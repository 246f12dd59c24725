"""Forget deletions that are long past.

Revision ID: 20261126_forget_deletions
Revises: 20261126_rule_the_lists
"""

import sqlalchemy as sa
from alembic import op

revision = "20261126_forget_deletions"
down_revision = "20261126_rule_the_lists"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("project", sa.Column("forgotten_seq", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("project") as batch_op:
        batch_op.alter_column("forgotten_seq", existing_type=sa.BigInteger(), server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("project") as batch_op:
        batch_op.drop_column("forgotten_seq")
