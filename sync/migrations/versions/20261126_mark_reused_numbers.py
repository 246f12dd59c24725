"""Mark reused numbers: what was put aside under a number that is taken leaves its void marker on its own record.

Revision ID: 20261126_mark_reused_numbers
Revises: 20261125_know_peers
"""

from alembic import op

revision = "20261126_mark_reused_numbers"
down_revision = "20261125_know_peers"
branch_labels = None
depends_on = None

OF_PROJECT = "uq_operation_project_id_origin_n"
OF_RECORD = "uq_operation_project_id_origin_n_kind_record_id"
SECOND_MARKERS = """
    DELETE FROM operation WHERE state = 'void' AND EXISTS (
        SELECT 1 FROM operation AS other WHERE other.project_id = operation.project_id
        AND other.origin = operation.origin AND other.n = operation.n AND other.op_id <> operation.op_id
        AND (other.state <> 'void' OR other.op_id < operation.op_id))
"""


def upgrade() -> None:
    with op.batch_alter_table("operation") as batch_op:
        batch_op.drop_constraint(OF_PROJECT, type_="unique")
        batch_op.create_unique_constraint(OF_RECORD, ["project_id", "origin", "n", "kind", "record_id"])


def downgrade() -> None:
    op.execute(SECOND_MARKERS)
    with op.batch_alter_table("operation") as batch_op:
        batch_op.drop_constraint(OF_RECORD, type_="unique")
        batch_op.create_unique_constraint(OF_PROJECT, ["project_id", "origin", "n"])
