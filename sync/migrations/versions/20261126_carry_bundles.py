"""Know other servers by their keys, and what they have by the bundles that were carried.

Revision ID: 20261126_carry_bundles
Revises: 20261126_give_assignments
"""

import sqlalchemy as sa
from alembic import op

revision = "20261126_carry_bundles"
down_revision = "20261126_give_assignments"
branch_labels = None
depends_on = None

INSTANTS = ("files_read_at", "told_at", "exported_at", "imported_at")


def upgrade() -> None:
    op.add_column("peer", sa.Column("here_id", sa.String(length=64), nullable=True))
    op.add_column("peer", sa.Column("public_key", sa.String(length=64), nullable=False, server_default=""))
    for name in INSTANTS:
        op.add_column("peer", sa.Column(name, sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for name in reversed(INSTANTS):
        op.drop_column("peer", name)
    op.drop_column("peer", "public_key")
    op.drop_column("peer", "here_id")
    # What was met by bundles alone has no address to exchange with.
    op.execute("DELETE FROM peer WHERE base = ''")
