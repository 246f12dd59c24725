"""The project that an address names."""

from __future__ import annotations

from forms.errors import Kind, Problem
from server.auth import actor, device, identity, require_login
from server.db import session
from sync.access import may
from sync.models import Project
from sync.projects import by_number


class NoSuchProject(Problem):
    """There is no such project, or you do not work in it. Ask its manager to add you."""

    kind = Kind.NOT_FOUND
    slug = "project/not-found"


def project(number: int) -> Project:
    """The project of this number, read in this request's session.

    Refuses NoSuchProject also when it exists but the actor may not read it: the number tells a stranger nothing.
    A revoked device still finds its own project, and is then refused by what it asks for."""
    require_login()
    home = identity().home
    # A view that writes has a session of its own, to which this one does not belong.
    found = home if home is not None and home in session() else by_number(session(), number)
    if found is None or not (may(actor(), "project.read", found.project_id) or _is_home(found)):
        raise NoSuchProject
    return found


def _is_home(found: Project) -> bool:
    own = device()
    return own is not None and own.project_id == found.project_id
