"""Entity lists have rules, and entities know how many changes stand side by side in them.

Revision ID: 20261126_rule_the_lists
Revises: 20261126_carry_bundles
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261126_rule_the_lists"
down_revision = "20261126_carry_bundles"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("entity_list") as batch:
        batch.add_column(sa.Column("settings", JSON, nullable=False, server_default="{}"))
    with op.batch_alter_table("entity") as batch:
        batch.add_column(sa.Column("heads", sa.Integer(), nullable=False, server_default="1"))
        batch.create_index(op.f("ix_entity_project_id_seq"), ["project_id", "seq"])


def downgrade() -> None:
    with op.batch_alter_table("entity") as batch:
        batch.drop_index(op.f("ix_entity_project_id_seq"))
        batch.drop_column("heads")
    with op.batch_alter_table("entity_list") as batch:
        batch.drop_column("settings")
