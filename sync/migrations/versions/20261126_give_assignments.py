"""Give assignments.

Revision ID: 20261126_give_assignments
Revises: 20261126_mark_reused_numbers
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261126_give_assignments"
down_revision = "20261126_mark_reused_numbers"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "assignment",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("assignment_id", sa.String(length=64), nullable=False),
        sa.Column("form_id", sa.String(length=255), nullable=False),
        sa.Column("assignee_id", sa.String(length=64), nullable=False),
        sa.Column("entity_id", sa.String(length=64), nullable=False),
        sa.Column("due", sa.String(length=10), nullable=False),
        sa.Column("target", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=True),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("vector", JSON, nullable=False),
        sa.Column("op_id", sa.String(length=64), nullable=False),
        sa.Column("conflicts", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state in ('open', 'withdrawn')", name=op.f("ck_assignment_state")),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_assignment_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "assignment_id", name=op.f("pk_assignment")),
    )
    op.create_index(
        op.f("ix_assignment_project_id_assignee_id"), "assignment", ["project_id", "assignee_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_assignment_project_id_assignee_id"), table_name="assignment")
    op.drop_table("assignment")
