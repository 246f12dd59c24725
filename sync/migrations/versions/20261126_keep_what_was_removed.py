"""Keep what is known of a file that was deleted on purpose.

Revision ID: 20261126_keep_what_was_removed
Revises: 20261126_find_what_waits
"""

import sqlalchemy as sa
from alembic import op

revision = "20261126_keep_what_was_removed"
down_revision = "20261126_find_what_waits"
branch_labels = None
depends_on = None

RULES = "rule in ('orphan', 'superseded', 'rejected', 'deleted', 'approved', 'elsewhere')"


def upgrade() -> None:
    op.create_table(
        "removed_blob",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("media_type", sa.String(length=255), nullable=False),
        sa.Column("rule", sa.String(length=12), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_refused", sa.Boolean(), nullable=False),
        sa.Column("is_on_disk", sa.Boolean(), nullable=False),
        sa.CheckConstraint(RULES, name=op.f("ck_removed_blob_rule")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.project_id"], name=op.f("fk_removed_blob_project_id_project")
        ),
        sa.PrimaryKeyConstraint("project_id", "sha256", name=op.f("pk_removed_blob")),
    )


def downgrade() -> None:
    op.drop_table("removed_blob")
