"""Whether an entity is approved, whatever its list asks; and whether people ever differed about it.

Revision ID: 20261126_keep_who_is_approved
Revises: 20261126_scope_the_lists
"""

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261126_keep_who_is_approved"
down_revision = "20261126_scope_the_lists"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
OPERATION = sa.table(
    "operation",
    *(sa.column(name) for name in ("project_id", "kind", "record_id", "origin", "n", "prev", "at", "rank")),
    *(sa.column(name) for name in ("state", "cause_id", "instance_id")),
    *(sa.column(name, JSON) for name in ("context", "changes")),
)
ENTITY = sa.table(
    "entity",
    *(sa.column(name) for name in ("project_id", "entity_id", "list_name")),
    *(sa.column(name, sa.Boolean()) for name in ("is_waiting", "is_approved", "was_contested")),
)
ENTITY_LIST = sa.table("entity_list", sa.column("project_id"), sa.column("name"), sa.column("settings", JSON))
ALIAS = sa.table("submission_alias", *(sa.column(name) for name in ("project_id", "alias", "instance_id")))


def upgrade() -> None:
    with op.batch_alter_table("entity") as batch:
        for name in ("is_approved", "was_contested"):
            batch.add_column(sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.drop_column("is_waiting")
    connection = op.get_bind()
    approved = _approved(connection)
    for key, ops in _operations(connection).items():
        values = {"is_approved": _is_approved(ops, approved), "was_contested": _was_contested(ops)}
        if any(values.values()):
            mine = ENTITY.c.project_id == key[0], ENTITY.c.entity_id == key[1]
            connection.execute(sa.update(ENTITY).where(*mine).values(values))


def downgrade() -> None:
    with op.batch_alter_table("entity") as batch:
        batch.add_column(sa.Column("is_waiting", sa.Boolean(), nullable=False, server_default=sa.false()))
    connection = op.get_bind()
    for one in connection.execute(sa.select(ENTITY_LIST)).all():
        if one.settings.get("approval"):
            mine = ENTITY.c.project_id == one.project_id, ENTITY.c.list_name == one.name
            connection.execute(sa.update(ENTITY).where(*mine).values(is_waiting=~ENTITY.c.is_approved))
    with op.batch_alter_table("entity") as batch:
        batch.drop_column("was_contested")
        batch.drop_column("is_approved")


def _operations(connection: sa.Connection) -> dict[tuple[str, str], list[Any]]:
    wanted = sa.select(OPERATION).where(OPERATION.c.kind == "entity", OPERATION.c.state == "ready")
    found = defaultdict(list)
    for row in connection.execute(wanted):
        found[row.project_id, row.record_id].append(row)
    return found


def _approved(connection: sa.Connection) -> set[tuple[str, str]]:
    """The records that were approved at some time and are not rejected now, by each of their instance IDs."""
    reviews = sa.select(OPERATION).where(OPERATION.c.kind == "review", OPERATION.c.state != "held")
    states: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in connection.execute(reviews.order_by(OPERATION.c.rank, OPERATION.c.at, OPERATION.c.origin, OPERATION.c.n)):
        if row.changes.get("state"):
            states[row.project_id, row.record_id].append(row.changes["state"])
    approved = {key for key, told in states.items() if "approved" in told and told[-1] != "rejected"}
    aliases = connection.execute(sa.select(ALIAS)).all()
    return approved | {(row.project_id, row.alias) for row in aliases if (row.project_id, row.instance_id) in approved}


def _is_approved(ops: Iterable[Any], approved: set[tuple[str, str]]) -> bool:
    return any(
        (not one.cause_id and one.changes)
        or (not one.prev and not one.context and (one.project_id, one.instance_id) in approved)
        for one in ops
    )


def _was_contested(ops: Iterable[Any]) -> bool:
    return any(
        not _has_seen(one, other) and not _has_seen(other, one) and one.changes.keys() & other.changes.keys()
        for one, other in combinations(ops, 2)
    )


def _has_seen(one: Any, other: Any) -> bool:
    return bool(other.n <= (one.prev if one.origin == other.origin else one.context.get(other.origin, 0)))
