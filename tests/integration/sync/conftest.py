"""A project with one published form."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.conftest import NOW, Team
from tests.integration.sync.field import Field, Tablet, xform


@pytest.fixture
def field(engine: Engine, a_project: Team) -> Field:
    field = Field(engine, a_project.project_id, a_project.manager, a_project.supervisor, NOW)
    field.publish(xform())
    return field


@pytest.fixture
def tablet(field: Field) -> Tablet:
    return field.tablet("d-siti")


@pytest.fixture
def other_tablet(field: Field) -> Tablet:
    return field.tablet("d-budi")
