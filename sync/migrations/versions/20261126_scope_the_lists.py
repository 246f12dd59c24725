"""Who made an entity, whether it waits for approval, and what a device is to see.

Revision ID: 20261126_scope_the_lists
Revises: 20261126_note_what_lacks
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261126_scope_the_lists"
down_revision = "20261126_note_what_lacks"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
CAUSED = sa.text("cause_id <> ''")

# Who wrote the first of the operations that had seen no other.
FIRST = (
    "UPDATE entity SET {column} = (SELECT operation.{column} FROM operation WHERE operation.project_id ="
    " entity.project_id AND operation.kind = 'entity' AND operation.record_id = entity.entity_id AND"
    " operation.state = 'ready' AND operation.prev = 0 AND CAST(operation.context AS TEXT) = '{{}}'"
    " ORDER BY operation.at, operation.origin, operation.n LIMIT 1)"
)


def upgrade() -> None:
    with op.batch_alter_table("entity") as batch:
        batch.add_column(sa.Column("account_id", sa.String(length=64), nullable=True))
        batch.add_column(sa.Column("device_id", sa.String(length=64), nullable=True))
        batch.add_column(sa.Column("is_waiting", sa.Boolean(), nullable=False, server_default=sa.false()))
    for column in ("account_id", "device_id"):
        op.execute(FIRST.format(column=column))
    with op.batch_alter_table("device") as batch:
        batch.add_column(sa.Column("properties", JSON, nullable=False, server_default="{}"))
    op.create_index(
        "ix_operation_cause",
        "operation",
        ["project_id", "cause_id"],
        postgresql_where=CAUSED,
        sqlite_where=CAUSED,
    )


def downgrade() -> None:
    op.drop_index("ix_operation_cause", table_name="operation")
    with op.batch_alter_table("device") as batch:
        batch.drop_column("properties")
    with op.batch_alter_table("entity") as batch:
        batch.drop_column("is_waiting")
        batch.drop_column("device_id")
        batch.drop_column("account_id")
