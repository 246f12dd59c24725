"""Join the verdicts: two servers may each have taken another one of two operations that claim one number.

Revision ID: 20261126_join_the_verdicts
Revises: 20261126_keep_who_is_approved
"""

from alembic import op
from sqlalchemy import text

revision = "20261126_join_the_verdicts"
down_revision = "20261126_keep_who_is_approved"
branch_labels = None
depends_on = None

OF_RECORD = "uq_operation_project_id_origin_n_kind_record_id"
NUMBERS = "ix_operation_project_id_origin_n"
SAME_PLACE = """other.project_id = operation.project_id AND other.origin = operation.origin AND other.n = operation.n
    AND other.kind = operation.kind AND other.record_id = operation.record_id AND other.op_id <> operation.op_id"""
SECOND_MARKERS = f"""
    DELETE FROM operation WHERE state = 'void' AND EXISTS (SELECT 1 FROM operation AS other WHERE {SAME_PLACE}
        AND (other.state <> 'void' OR other.op_id < operation.op_id))
"""
DOUBLES = f"SELECT count(*) FROM operation WHERE EXISTS (SELECT 1 FROM operation AS other WHERE {SAME_PLACE})"


def upgrade() -> None:
    with op.batch_alter_table("operation") as batch_op:
        batch_op.drop_constraint(OF_RECORD, type_="unique")
        batch_op.create_index(NUMBERS, ["project_id", "origin", "n"])


def downgrade() -> None:
    """Not where one record holds two such operations: the earlier program can hold only one of them."""
    op.execute(SECOND_MARKERS)
    if op.get_bind().scalar(text(DOUBLES)):
        raise ValueError("two operations on one record carry one number: the earlier program cannot keep both")
    with op.batch_alter_table("operation") as batch_op:
        batch_op.drop_index(NUMBERS)
        batch_op.create_unique_constraint(OF_RECORD, ["project_id", "origin", "n", "kind", "record_id"])
