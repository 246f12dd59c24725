"""Know other servers.

Revision ID: 20261125_know_peers
Revises: 20261125_time_the_feed
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261125_know_peers"
down_revision = "20261125_time_the_feed"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "peer",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("peer_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("base", sa.String(length=255), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("token", sa.String(length=255), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("own_epoch", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.String(length=64), nullable=False),
        sa.Column("head", sa.BigInteger(), nullable=False),
        sa.Column("sent_seq", sa.BigInteger(), nullable=False),
        sa.Column("echo_seq", sa.BigInteger(), nullable=False),
        sa.Column("marks", JSON, nullable=False),
        sa.Column("files_until_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("quarantined", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_peer_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "peer_id", name=op.f("pk_peer")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_peer_project_id_name")),
    )
    op.create_table(
        "remote_name",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.project_id"], name=op.f("fk_remote_name_project_id_project")
        ),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_remote_name")),
    )
    op.add_column("operation", sa.Column("via", sa.String(length=64), nullable=True))
    op.add_column("enrolment", sa.Column("kind", sa.String(length=10), nullable=False, server_default="device"))


def downgrade() -> None:
    op.drop_column("enrolment", "kind")
    op.drop_column("operation", "via")
    op.drop_table("remote_name")
    op.drop_table("peer")
