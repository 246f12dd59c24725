"""Who may do what: every permission rule, as data."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from forms.errors import Kind, Problem


class NotAllowed(Problem):
    """You have no permission for this. Ask the project's manager for a role that has it."""

    kind = Kind.FORBIDDEN
    slug = "access/not-allowed"


class Role(enum.Enum):
    """What a person is in a project. An administrator is one on the whole site and needs no membership."""

    MANAGER = "manager"
    SUPERVISOR = "supervisor"
    ENUMERATOR = "enumerator"
    VIEWER = "viewer"


READ = frozenset(
    {
        "project.read",
        "form.list",
        "form.read",
        "submission.list",
        "submission.read",
        "entity.list",
        "entity.read",
        "assignment.list",
        "indicator.read",
        "file.read",
    }
)
COLLECT = frozenset({"project.read", "open_form.read", "submission.create", "entity.read", "sync"})
REVIEW = frozenset(
    {
        "submission.review",
        "submission.update",
        "comment.create",
        "finding.dismiss",
        "conflict.resolve",
        "quarantine.read",
        "quarantine.release",
        "device.list",
        "entity.update",
        "assignment.update",
        "event.read",
        "job.read",
        "job.run",
    }
)
MANAGE = frozenset(
    {
        "project.update",
        "form.create",
        "form.update",
        "form.publish",
        "submission.create",
        "submission.delete",
        "entity_list.create",
        "entity.create",
        "entity.delete",
        "device.create",
        "device.revoke",
        "member.list",
        "member.update",
        "peer.manage",
    }
)
ADMINISTER = frozenset(
    {
        "project.create",
        "project.delete",
        "account.create",
        "account.list",
        "account.update",
        "event.read",
        "server.read",
        "peer.trust",
        "bundle.carry",
    }
)

FORWARD = frozenset(
    {
        "project.read",
        "sync",
        "operation.forward",
        "form.publish",
        "submission.create",
        "submission.delete",
        "submission.review",
        "comment.create",
        "entity.update",
        "entity.delete",
        "assignment.update",
        "entity_list.create",
    }
)
"""What another server may bring: the work of its people, each with the rank that they had there."""

VERBS: Mapping[Role, frozenset[str]] = {
    Role.VIEWER: READ,
    Role.ENUMERATOR: COLLECT,
    Role.SUPERVISOR: READ | COLLECT | REVIEW,
    Role.MANAGER: READ | COLLECT | REVIEW | MANAGE,
}
EVERY_VERB = frozenset.union(ADMINISTER, FORWARD, *VERBS.values())


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person, a device (perhaps on behalf of a person), or the system itself."""

    kind: str
    """"account", "device", "system", "nobody"."""
    id: str = ""
    name: str = ""
    account_id: str | None = None
    device_id: str | None = None
    is_administrator: bool = False
    roles: Mapping[str, Role] = field(default_factory=dict)
    """By project_id. A device has the role ENUMERATOR in its project."""
    serves: str = ""
    """The project_id for which this is another server."""


SYSTEM = Actor("system", name="Lapangan", is_administrator=True)
NOBODY = Actor("nobody")


def may(actor: Actor, verb: str, project_id: str | None = None) -> bool:
    """Whether `actor` may do `verb` in the project, or on the site when `project_id` is None."""
    if verb not in EVERY_VERB:
        raise ValueError(f"there is no verb {verb!r}")
    if actor.is_administrator:
        return True
    if actor.serves and actor.serves == project_id:
        return verb in FORWARD
    role = actor.roles.get(project_id or "")
    return role is not None and verb in VERBS[role]


def require(actor: Actor, verb: str, project_id: str | None = None) -> None:
    """Refuse with NotAllowed unless `may`."""
    if not may(actor, verb, project_id):
        raise NotAllowed(verb=verb)


def rank(actor: Actor, project_id: str) -> int:
    """The rank of the actor's writes in a merge: 1 for those who review, else 0."""
    return int(may(actor, "conflict.resolve", project_id))
