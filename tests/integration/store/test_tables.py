"""The rules that let a project become a shard, checked on the tables themselves."""

from __future__ import annotations

import pytest
from sqlalchemy import ForeignKeyConstraint, Table, UniqueConstraint

from sync.models import Base

SITE_WIDE = frozenset({"account", "login", "login_failure", "installation", "project"})
SITE_WIDE |= {"job_lease", "job_run", "backup", "epoch"}
TABLES = Base.metadata.sorted_tables
TENANT_TABLES = [table for table in TABLES if table.name not in SITE_WIDE]


def first_column(columns: object) -> str:
    return next(iter(columns)).name  # type: ignore[call-overload, no-any-return]


def foreign_keys(table: Table) -> list[ForeignKeyConstraint]:
    return [constraint for constraint in table.constraints if isinstance(constraint, ForeignKeyConstraint)]


@pytest.mark.parametrize("table", TENANT_TABLES, ids=lambda table: table.name)
def test_every_key_of_a_project_s_table_begins_with_the_project(table: Table) -> None:
    keys = [table.primary_key, *(one for one in table.constraints if isinstance(one, UniqueConstraint))]

    assert {first_column(key.columns) for key in keys} == {"project_id"}
    assert {first_column(index.columns) for index in table.indexes if index.unique} <= {"project_id"}


@pytest.mark.parametrize("table", TENANT_TABLES, ids=lambda table: table.name)
def test_every_reference_between_projects_tables_begins_with_the_project(table: Table) -> None:
    within = [key for key in foreign_keys(table) if key.referred_table.name not in SITE_WIDE]

    assert all(key.column_keys[0] == "project_id" for key in within)
    assert all(key.elements[0].column.name == "project_id" for key in within)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_constraint_and_index_has_a_name(table: Table) -> None:
    assert all(constraint.name for constraint in table.constraints)
    assert all(index.name for index in table.indexes)
    assert all(len(str(one.name)) <= 63 for one in (*table.constraints, *table.indexes))  # PostgreSQL cuts longer ones


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_id_comes_from_the_database(table: Table) -> None:
    numbers = [column for column in table.primary_key if column.type.python_type is int]

    assert [column.name for column in numbers if column is table.autoincrement_column] == []
