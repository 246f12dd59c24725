"""Find what one device has in quarantine without a look at what the others have there: each push asks it.

Revision ID: 20261126_weigh_by_device
Revises: 20261126_keep_what_was_removed
"""

from alembic import op

revision = "20261126_weigh_by_device"
down_revision = "20261126_keep_what_was_removed"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_inbox_item_project_id_state", table_name="inbox_item")
    op.create_index("ix_inbox_item_project_id_state_device_id", "inbox_item", ["project_id", "state", "device_id"])


def downgrade() -> None:
    op.drop_index("ix_inbox_item_project_id_state_device_id", table_name="inbox_item")
    op.create_index("ix_inbox_item_project_id_state", "inbox_item", ["project_id", "state"])
