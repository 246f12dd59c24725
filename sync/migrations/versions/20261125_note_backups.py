"""Note backups, epochs and forks.

Revision ID: 20261125_note_backups
Revises: 20261125_lay_the_tables
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261125_note_backups"
down_revision = "20261125_lay_the_tables"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "backup",
        sa.Column("backup_id", sa.String(length=64), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cause", sa.String(length=10), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("heads", JSON, nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("files_missing", sa.BigInteger(), nullable=False),
        sa.Column("drilled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("drill_error", sa.Text(), nullable=False),
        sa.CheckConstraint("cause in ('schedule', 'person', 'restore')", name=op.f("ck_backup_cause")),
        sa.PrimaryKeyConstraint("backup_id", name=op.f("pk_backup")),
    )
    op.create_table(
        "epoch",
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("after", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=255), nullable=False),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_epoch")),
    )
    op.create_table(
        "fork",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_fork_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "epoch", name=op.f("pk_fork")),
    )
    with op.batch_alter_table("installation") as batch:
        batch.add_column(sa.Column("durable_by", sa.String(length=10), nullable=False, server_default="backup"))
        batch.create_check_constraint(op.f("ck_installation_durable_by"), "durable_by in ('backup', 'database')")
    op.add_column("project", sa.Column("durable_seq", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("project", "durable_seq")
    with op.batch_alter_table("installation") as batch:
        batch.drop_constraint(op.f("ck_installation_durable_by"), type_="check")
        batch.drop_column("durable_by")
    op.drop_table("fork")
    op.drop_table("epoch")
    op.drop_table("backup")
