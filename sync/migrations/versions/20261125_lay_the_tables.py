"""Lay the tables.

Revision ID: 20261125_lay_the_tables
Revises: nothing
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261125_lay_the_tables"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("is_administrator", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account")),
        sa.UniqueConstraint("email", name=op.f("uq_account_email")),
        sa.UniqueConstraint("number", name=op.f("uq_account_number")),
    )
    op.create_table(
        "event",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("actor_kind", sa.String(length=12), nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("actor_name", sa.String(length=255), nullable=False),
        sa.Column("target_kind", sa.String(length=20), nullable=False),
        sa.Column("target_id", sa.String(length=255), nullable=False),
        sa.Column("detail", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "event_id", name=op.f("pk_event")),
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_event_project_id_at"), ["project_id", "at"], unique=False)
        batch_op.create_index(batch_op.f("ix_event_project_id_target_id"), ["project_id", "target_id"], unique=False)

    op.create_table(
        "installation",
        sa.Column("server_id", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("server_id", name=op.f("pk_installation")),
    )
    op.create_table(
        "job_lease",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_job_lease")),
    )
    op.create_table(
        "job_run",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("slot", sa.String(length=40), nullable=False),
        sa.Column("cause", sa.String(length=10), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=True),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("summary", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("files", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("cause in ('schedule', 'catch_up', 'person')", name=op.f("ck_job_run_cause")),
        sa.CheckConstraint("outcome in ('running', 'done', 'failed')", name=op.f("ck_job_run_outcome")),
        sa.PrimaryKeyConstraint("name", "slot", name=op.f("pk_job_run")),
    )
    op.create_table(
        "login_failure",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_login_failure")),
    )
    op.create_table(
        "project",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("is_synthetic", sa.Boolean(), nullable=False),
        sa.Column("head", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_project")),
        sa.UniqueConstraint("number", name=op.f("uq_project_number")),
    )
    op.create_table(
        "batch",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("batch_id", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=True),
        sa.Column("account_id", sa.String(length=64), nullable=True),
        sa.Column("door", sa.String(length=10), nullable=False),
        sa.Column("user_agent", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("verdicts", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("skew_ms", sa.Integer(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_batch_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "batch_id", name=op.f("pk_batch")),
    )
    with op.batch_alter_table("batch", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_batch_project_id_device_id"), ["project_id", "device_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_batch_project_id_received_at"), ["project_id", "received_at"], unique=False
        )

    op.create_table(
        "blob",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_blob_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "sha256", name=op.f("pk_blob")),
    )
    op.create_table(
        "comment",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("comment_id", sa.String(length=64), nullable=False),
        sa.Column("instance_id", sa.String(length=255), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_comment_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "comment_id", name=op.f("pk_comment")),
    )
    with op.batch_alter_table("comment", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_comment_project_id_instance_id"), ["project_id", "instance_id"], unique=False
        )

    op.create_table(
        "conflict",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("record_id", sa.String(length=255), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("siblings", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("base", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_conflict_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "kind", "record_id", "path", name=op.f("pk_conflict")),
    )
    op.create_table(
        "device",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=True),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("token", sa.String(length=255), nullable=False),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("skew_ms", sa.Integer(), nullable=True),
        sa.Column("waiting", sa.Integer(), nullable=True),
        sa.Column("user_agent", sa.String(length=255), nullable=False),
        sa.CheckConstraint("kind in ('client', 'tablet', 'collect', 'server')", name=op.f("ck_device_kind")),
        sa.ForeignKeyConstraint(["account_id"], ["account.account_id"], name=op.f("fk_device_account_id_account")),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_device_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "device_id", name=op.f("pk_device")),
        sa.UniqueConstraint("project_id", "number", name=op.f("uq_device_project_id_number")),
        sa.UniqueConstraint("project_id", "token_sha256", name=op.f("uq_device_project_id_token_sha256")),
    )
    op.create_table(
        "entity_list",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("properties", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_entity_list_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "name", name=op.f("pk_entity_list")),
    )
    op.create_table(
        "feed",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("op_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("record_id", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_feed_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "seq", name=op.f("pk_feed")),
        sa.UniqueConstraint("project_id", "op_id", name=op.f("uq_feed_project_id_op_id")),
    )
    op.create_table(
        "form",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("form_id", sa.String(length=255), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state in ('open', 'closing', 'closed')", name=op.f("ck_form_state")),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_form_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "form_id", name=op.f("pk_form")),
    )
    op.create_table(
        "inbox_item",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("item_id", sa.String(length=64), nullable=False),
        sa.Column("batch_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=True),
        sa.Column("account_id", sa.String(length=64), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("op_id", sa.String(length=64), nullable=False),
        sa.Column("why", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("landed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('landed', 'quarantined', 'released', 'discarded')", name=op.f("ck_inbox_item_state")
        ),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_inbox_item_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "item_id", name=op.f("pk_inbox_item")),
    )
    with op.batch_alter_table("inbox_item", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_inbox_item_project_id_op_id"), ["project_id", "op_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_inbox_item_project_id_state"), ["project_id", "state"], unique=False)

    op.create_table(
        "indicator",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("dimension", sa.String(length=40), nullable=False),
        sa.Column("category", sa.String(length=255), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("mean", sa.Float(), nullable=True),
        sa.Column("median", sa.Float(), nullable=True),
        sa.Column("least", sa.Float(), nullable=True),
        sa.Column("most", sa.Float(), nullable=True),
        sa.Column("evidence", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_indicator_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "name", "dimension", "category", name=op.f("pk_indicator")),
    )
    op.create_table(
        "login",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.account_id"], name=op.f("fk_login_account_id_account")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_login")),
    )
    with op.batch_alter_table("login", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_account_id"), ["account_id"], unique=False)

    op.create_table(
        "membership",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("since_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role in ('manager', 'supervisor', 'enumerator', 'viewer')", name=op.f("ck_membership_role")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.account_id"], name=op.f("fk_membership_account_id_account")),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_membership_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "account_id", name=op.f("pk_membership")),
    )
    op.create_table(
        "operation",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("op_id", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("prev", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("record_id", sa.String(length=255), nullable=False),
        sa.Column("context", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=True),
        sa.Column("device_id", sa.String(length=64), nullable=True),
        sa.Column("form_id", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=False),
        sa.Column("changes", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("is_delete", sa.Boolean(), nullable=False),
        sa.Column("xml", sa.Text(), nullable=True),
        sa.Column("instance_id", sa.String(length=255), nullable=False),
        sa.Column("attachments", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("cause_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("why", sa.String(length=40), nullable=False),
        sa.Column("verdict", sa.String(length=12), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("batch_id", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state in ('ready', 'held', 'void')", name=op.f("ck_operation_state")),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_operation_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "op_id", name=op.f("pk_operation")),
        sa.UniqueConstraint("project_id", "origin", "n", name=op.f("uq_operation_project_id_origin_n")),
    )
    with op.batch_alter_table("operation", schema=None) as batch_op:
        batch_op.create_index(
            "ix_operation_held",
            ["project_id", "state"],
            unique=False,
            postgresql_where=sa.text("state = 'held'"),
            sqlite_where=sa.text("state = 'held'"),
        )
        batch_op.create_index(batch_op.f("ix_operation_project_id_batch_id"), ["project_id", "batch_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_operation_project_id_kind_record_id"), ["project_id", "kind", "record_id"], unique=False
        )

    op.create_table(
        "submission_alias",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("alias", sa.String(length=255), nullable=False),
        sa.Column("instance_id", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.project_id"], name=op.f("fk_submission_alias_project_id_project")
        ),
        sa.PrimaryKeyConstraint("project_id", "alias", name=op.f("pk_submission_alias")),
    )
    op.create_table(
        "upload",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_upload_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "sha256", name=op.f("pk_upload")),
    )
    op.create_table(
        "enrolment",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("code_sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.account_id"], name=op.f("fk_enrolment_account_id_account")),
        sa.ForeignKeyConstraint(
            ["project_id", "device_id"],
            ["device.project_id", "device.device_id"],
            name=op.f("fk_enrolment_project_id_device_id_device"),
        ),
        sa.ForeignKeyConstraint(["project_id"], ["project.project_id"], name=op.f("fk_enrolment_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "code_sha256", name=op.f("pk_enrolment")),
    )
    with op.batch_alter_table("enrolment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_enrolment_code_sha256"), ["code_sha256"], unique=False)

    op.create_table(
        "entity",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("entity_id", sa.String(length=64), nullable=False),
        sa.Column("list_name", sa.String(length=255), nullable=False),
        sa.Column("label", sa.String(length=255), nullable=False),
        sa.Column("data", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("vector", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("op_id", sa.String(length=64), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("conflicts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "list_name"],
            ["entity_list.project_id", "entity_list.name"],
            name=op.f("fk_entity_project_id_list_name_entity_list"),
        ),
        sa.PrimaryKeyConstraint("project_id", "entity_id", name=op.f("pk_entity")),
    )
    with op.batch_alter_table("entity", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_entity_project_id_list_name"), ["project_id", "list_name"], unique=False)

    op.create_table(
        "form_version",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("form_id", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("xform", sa.LargeBinary(), nullable=False),
        sa.Column("md5", sa.String(length=32), nullable=False),
        sa.Column("workbook", sa.LargeBinary(), nullable=True),
        sa.Column("workbook_name", sa.String(length=255), nullable=False),
        sa.Column("warnings", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("account_id", sa.String(length=64), nullable=True),
        sa.CheckConstraint("state in ('draft', 'published')", name=op.f("ck_form_version_state")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.account_id"], name=op.f("fk_form_version_account_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["project_id", "form_id"],
            ["form.project_id", "form.form_id"],
            name=op.f("fk_form_version_project_id_form_id_form"),
        ),
        sa.PrimaryKeyConstraint("project_id", "form_id", "version", name=op.f("pk_form_version")),
    )
    op.create_table(
        "submission",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("instance_id", sa.String(length=255), nullable=False),
        sa.Column("form_id", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=False),
        sa.Column("instance_name", sa.String(length=255), nullable=False),
        sa.Column("answers", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("xml", sa.Text(), nullable=True),
        sa.Column("op_id", sa.String(length=64), nullable=False),
        sa.Column("vector", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("review_state", sa.String(length=12), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=True),
        sa.Column("device_id", sa.String(length=64), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("warnings", sa.Integer(), nullable=False),
        sa.Column("conflicts", sa.Integer(), nullable=False),
        sa.Column("attachments_missing", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "review_state in ('received', 'edited', 'has_issues', 'rejected', 'approved')",
            name=op.f("ck_submission_review_state"),
        ),
        sa.ForeignKeyConstraint(
            ["project_id", "form_id"],
            ["form.project_id", "form.form_id"],
            name=op.f("fk_submission_project_id_form_id_form"),
        ),
        sa.PrimaryKeyConstraint("project_id", "instance_id", name=op.f("pk_submission")),
    )
    with op.batch_alter_table("submission", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_submission_project_id_form_id_received_at"),
            ["project_id", "form_id", "received_at"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_submission_project_id_received_at"), ["project_id", "received_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_submission_project_id_review_state"), ["project_id", "review_state"], unique=False
        )

    op.create_table(
        "entity_version",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("entity_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=255), nullable=False),
        sa.Column("data", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("vector", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("op_id", sa.String(length=64), nullable=False),
        sa.Column("instance_id", sa.String(length=255), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "entity_id"],
            ["entity.project_id", "entity.entity_id"],
            name=op.f("fk_entity_version_project_id_entity_id_entity"),
        ),
        sa.PrimaryKeyConstraint("project_id", "entity_id", "version", name=op.f("pk_entity_version")),
    )
    op.create_table(
        "form_attachment",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("form_id", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("md5", sa.String(length=32), nullable=False),
        sa.Column("media_type", sa.String(length=255), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "form_id", "version"],
            ["form_version.project_id", "form_version.form_id", "form_version.version"],
            name=op.f("fk_form_attachment_project_id_form_id_version_form_version"),
        ),
        sa.ForeignKeyConstraint(
            ["project_id", "sha256"],
            ["blob.project_id", "blob.sha256"],
            name=op.f("fk_form_attachment_project_id_sha256_blob"),
        ),
        sa.PrimaryKeyConstraint("project_id", "form_id", "version", "name", name=op.f("pk_form_attachment")),
    )
    op.create_table(
        "submission_attachment",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("instance_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("is_expected", sa.Boolean(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("media_type", sa.String(length=255), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id", "instance_id"],
            ["submission.project_id", "submission.instance_id"],
            name=op.f("fk_submission_attachment_project_id_instance_id_submission"),
        ),
        sa.PrimaryKeyConstraint("project_id", "instance_id", "name", name=op.f("pk_submission_attachment")),
    )
    with op.batch_alter_table("submission_attachment", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_submission_attachment_project_id_sha256"), ["project_id", "sha256"], unique=False
        )

    op.create_table(
        "submission_finding",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("instance_id", sa.String(length=255), nullable=False),
        sa.Column("rule", sa.String(length=20), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("message", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("params", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("is_certain", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state in ('open', 'dismissed')", name=op.f("ck_submission_finding_state")),
        sa.ForeignKeyConstraint(
            ["project_id", "instance_id"],
            ["submission.project_id", "submission.instance_id"],
            name=op.f("fk_submission_finding_project_id_instance_id_submission"),
        ),
        sa.PrimaryKeyConstraint(
            "project_id", "instance_id", "rule", "path", "position", name=op.f("pk_submission_finding")
        ),
    )


def downgrade() -> None:
    op.drop_table("submission_finding")
    with op.batch_alter_table("submission_attachment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_submission_attachment_project_id_sha256"))

    op.drop_table("submission_attachment")
    op.drop_table("form_attachment")
    op.drop_table("entity_version")
    with op.batch_alter_table("submission", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_submission_project_id_review_state"))
        batch_op.drop_index(batch_op.f("ix_submission_project_id_received_at"))
        batch_op.drop_index(batch_op.f("ix_submission_project_id_form_id_received_at"))

    op.drop_table("submission")
    op.drop_table("form_version")
    with op.batch_alter_table("entity", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_entity_project_id_list_name"))

    op.drop_table("entity")
    with op.batch_alter_table("enrolment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_enrolment_code_sha256"))

    op.drop_table("enrolment")
    op.drop_table("upload")
    op.drop_table("submission_alias")
    with op.batch_alter_table("operation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_operation_project_id_kind_record_id"))
        batch_op.drop_index(batch_op.f("ix_operation_project_id_batch_id"))
        batch_op.drop_index(
            "ix_operation_held", postgresql_where=sa.text("state = 'held'"), sqlite_where=sa.text("state = 'held'")
        )

    op.drop_table("operation")
    op.drop_table("membership")
    with op.batch_alter_table("login", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_login_account_id"))

    op.drop_table("login")
    op.drop_table("indicator")
    with op.batch_alter_table("inbox_item", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_inbox_item_project_id_state"))
        batch_op.drop_index(batch_op.f("ix_inbox_item_project_id_op_id"))

    op.drop_table("inbox_item")
    op.drop_table("form")
    op.drop_table("feed")
    op.drop_table("entity_list")
    op.drop_table("device")
    op.drop_table("conflict")
    with op.batch_alter_table("comment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_comment_project_id_instance_id"))

    op.drop_table("comment")
    op.drop_table("blob")
    with op.batch_alter_table("batch", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_batch_project_id_received_at"))
        batch_op.drop_index(batch_op.f("ix_batch_project_id_device_id"))

    op.drop_table("batch")
    op.drop_table("project")
    op.drop_table("login_failure")
    op.drop_table("job_run")
    op.drop_table("job_lease")
    op.drop_table("installation")
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_event_project_id_target_id"))
        batch_op.drop_index(batch_op.f("ix_event_project_id_at"))

    op.drop_table("event")
    op.drop_table("account")
