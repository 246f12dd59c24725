"""Declare entity lists: new ones, their properties, and what these ask of every entity.

The settings of a list are an operation, so that other servers follow the same rules; its name and the names of its
properties need none: whoever writes to a list makes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from forms.compared import choices_of
from forms.definition import FormDefinition, Question
from forms.errors import Kind, Problem
from forms.expression.names import nearest
from forms.policy import POLICIES, Policy
from sync import access, author
from sync.access import Actor
from sync.entities import entity_lists, list_rules
from sync.entities.apply import LABEL
from sync.entities.list_rules import OF_ANSWERS, TYPES, PropertyRule, PropertyType
from sync.errors import NoSuchProperty
from sync.lock import lock_project
from sync.models import EntityList, Project
from sync.record import record

LIST_NAME = re.compile(r"(?!__)[^\W\d][\w-]{0,99}")
PROPERTY_NAME = re.compile(r"(?!__)[^\W\d][\w.-]{0,99}")
"""XML names (ODK entities specification); two underscores at the start and the own columns are reserved."""


class BadListName(Problem):
    """This cannot be the name of a list. Use letters, digits, - and _; begin with a letter, not __."""

    slug = "entity/bad-list-name"


class ListTaken(Problem):
    """There is a list of this name already. Choose another name, or add to that list."""

    kind = Kind.CONFLICT
    slug = "entity/list-taken"


class BadProperty(Problem):
    """This cannot be a property. Use letters, digits, - and _; "name" and "label" are there already."""

    slug = "entity/bad-property"


class PropertyTaken(Problem):
    """This list has a property of this name already. Choose another name."""

    kind = Kind.CONFLICT
    slug = "entity/property-taken"


class BadType(Problem):
    """This is no type that a property can have. Choose one of those that are listed."""

    slug = "entity/bad-type"


class BadFilter(Problem):
    """A filter names a property of the list, and the property of a device that it must be equal to."""

    slug = "entity/bad-filter"


class BadMerge(Problem):
    """Values of this type cannot be merged so. Largest and smallest are for numbers and dates, all choices for a
    property with several choices, all lines for text."""

    slug = "entity/bad-merge"


@dataclass(frozen=True, slots=True)
class Declared:
    """What somebody says about a property; None leaves it as it is."""

    type: str | None = None
    choices: Sequence[str] | None = None
    merge: str | None = None


def create_list(
    session: Session, project: Project, name: str, properties: Iterable[str] = (), *, actor: Actor, now: datetime
) -> EntityList:
    """A new list without entities. Refuses NotAllowed, BadListName, ListTaken, BadProperty."""
    access.require(actor, "entity_list.create", project.project_id)
    if LIST_NAME.fullmatch(name) is None:
        raise BadListName(name[:100], field="name")
    named = [_property_name(one) for one in properties]
    lock_project(session, project.project_id)
    if session.get(EntityList, (project.project_id, name)) is not None:
        raise ListTaken(name, field="name")
    made = entity_lists.ensure_list(session, project.project_id, name, named, now=now)
    _note(session, "entity_list.create", project, name, {"properties": named}, actor, now)
    return made


def add_property(
    session: Session,
    project: Project,
    list_name: str,
    name: str,
    declared: Declared | None = None,
    *,
    actor: Actor,
    now: datetime,
) -> EntityList:
    """The list has one more property. Refuses NotAllowed, NoSuchList, BadProperty, PropertyTaken, BadType, BadMerge."""
    access.require(actor, "entity_list.create", project.project_id)
    found = entity_lists.named(session, project, list_name)
    if _property_name(name) in found.properties:
        raise PropertyTaken(name, field="name")
    changed = entity_lists.ensure_list(session, project.project_id, list_name, [name], now=now)
    if declared is not None:
        declare(session, project, list_name, {name: declared}, actor=actor, now=now)
    _note(session, "entity_list.update", project, list_name, {"property": name}, actor, now)
    return changed


def declare(
    session: Session,
    project: Project,
    list_name: str,
    properties: Mapping[str, Declared],
    *,
    actor: Actor,
    now: datetime,
) -> EntityList:
    """The properties have these types and policies from now on, and all entities follow.

    Values that are there already stay as they are. Refuses NotAllowed, NoSuchList, NoSuchProperty, BadType and
    BadMerge."""
    access.require(actor, "entity_list.create", project.project_id)
    lock_project(session, project.project_id)
    found = entity_lists.named(session, project, list_name)
    session.refresh(found)
    rules, wanted = list_rules.read(found.settings), dict[str, str | None]()
    for name, said in properties.items():
        if name not in found.properties:
            raise _no_property(found, name)
        wanted |= list_rules.written(name, _rule(name, said, rules.of(name)))
    return _set(session, project, found, wanted, actor=actor, now=now)


@dataclass(frozen=True, slots=True)
class Access:
    """Who gets the entities of a list; None leaves it as it is."""

    needs_approval: bool | None = None
    is_owner_only: bool | None = None
    filters: Mapping[str, str] | None = None
    """Property of the list -> property of a device. All that were there before are replaced."""


def restrict(
    session: Session, project: Project, list_name: str, said: Access, *, actor: Actor, now: datetime
) -> EntityList:
    """Devices get what they are to see from now on, and drop the rest, at their next sync.

    Refuses NotAllowed, NoSuchList, NoSuchProperty, BadFilter."""
    access.require(actor, "entity_list.create", project.project_id)
    lock_project(session, project.project_id)
    found = entity_lists.named(session, project, list_name)
    session.refresh(found)
    wanted = dict[str, str | None]()
    for path, flag in ((list_rules.APPROVAL, said.needs_approval), (list_rules.OWNER_ONLY, said.is_owner_only)):
        if flag is not None:
            wanted[path] = list_rules.YES if flag else None
    if said.filters is not None:
        wanted |= {path: None for path in found.settings if path.startswith(list_rules.FILTER)}
        wanted |= {list_rules.FILTER + name: _filter(found, name, key) for name, key in said.filters.items()}
    return _set(session, project, found, wanted, actor=actor, now=now)


def _no_property(found: EntityList, name: str) -> NoSuchProperty:
    return NoSuchProperty(f"{name[:100]}{nearest(name, map(str, found.properties))}", field=name[:100])


def _filter(found: EntityList, name: str, key: str) -> str:
    if name not in found.properties:
        raise _no_property(found, name)
    if PROPERTY_NAME.fullmatch(key) is None:
        raise BadFilter(key[:100], field=name)
    return key


def take_types(
    session: Session, project: Project, form: FormDefinition, lists: Iterable[str], *, actor: Actor, now: datetime
) -> None:
    """What nobody has declared takes the type of the question that fills it, and the way in which the form merges its
    answers; a select that has its choices from a form also takes those that are new."""
    for list_name in dict.fromkeys(lists):
        found = entity_lists.named(session, project, list_name)
        session.refresh(found)
        rules, wanted = list_rules.read(found.settings), dict[str, str | None]()
        for question in form.questions():
            asked = _asked(form, question, list_name)
            if asked is not None:
                wanted |= list_rules.written(question.saveto, _joined(rules.of(question.saveto), asked))
        _set(session, project, found, wanted, actor=actor, now=now)


def _rule(name: str, said: Declared, before: PropertyRule) -> PropertyRule:
    if said.type is not None and said.type not in TYPES:
        raise BadType(said.type[:100], field=name, types=list(TYPES))
    if said.merge is not None and said.merge not in POLICIES:
        raise BadMerge(said.merge[:100], field=name, policies=list(POLICIES))
    type_ = before.type if said.type is None else TYPES[said.type]
    choices = before.choices if said.choices is None else tuple(" ".join(said.choices).split())
    is_select = type_ in (PropertyType.SELECT_ONE, PropertyType.SELECT_MULTIPLE)
    policy = before.policy if said.merge is None else POLICIES[said.merge]
    rule = PropertyRule(type_, choices if is_select else (), policy)
    if not rule.can_merge:
        raise BadMerge(f"{name}: {policy.value}, {type_.value}", field=name)
    return rule


def _asked(form: FormDefinition, question: Question, list_name: str) -> PropertyRule | None:
    """What the question says about the property that it fills; None when it says nothing, or fills another list's."""
    type_ = OF_ANSWERS.get(question.type, PropertyType.TEXT)
    policy = POLICIES.get(question.merge, Policy.FLAG)
    if not question.saveto or (type_ is PropertyType.TEXT and policy is Policy.FLAG):
        return None
    around = [one for one in form.entities if question.path[: len(one.path) - 2] == one.path[:-2]]
    nearest = max(around, key=lambda one: len(one.path), default=None)
    if nearest is None or nearest.dataset != list_name:
        return None
    rule = PropertyRule(type_, tuple(choice.name for choice in choices_of(form, question)), policy)
    return rule if rule.can_merge else replace(rule, policy=Policy.FLAG)


def _joined(known: PropertyRule, asked: PropertyRule) -> PropertyRule:
    if known.type is PropertyType.TEXT and known.policy is Policy.FLAG:
        return asked
    if known.type is not asked.type or not known.choices:
        return known
    return PropertyRule(known.type, tuple(dict.fromkeys((*known.choices, *asked.choices))), known.policy)


def _set(
    session: Session,
    project: Project,
    found: EntityList,
    wanted: Mapping[str, str | None],
    *,
    actor: Actor,
    now: datetime,
) -> EntityList:
    """Only what is different is said."""
    changes = {path: value for path, value in wanted.items() if found.settings.get(path) != value}
    if not changes:
        return found
    author.write(
        session,
        project,
        kind="list",
        record_id=found.name,
        changes=changes,
        actor=actor,
        now=now,
        form_id=found.name,
    )
    session.refresh(found)
    _note(session, "entity_list.update", project, found.name, {"settings": dict(changes)}, actor, now)
    return found


def _property_name(name: str) -> str:
    if PROPERTY_NAME.fullmatch(name) is None or name.lower() in ("name", LABEL):
        raise BadProperty(name[:100], field="name")
    return name


def _note(
    session: Session,
    action: str,
    project: Project,
    list_name: str,
    detail: Mapping[str, object],
    actor: Actor,
    now: datetime,
) -> None:
    target = ("entity_list", list_name)
    record(session, action, actor=actor, at=now, project_id=project.project_id, target=target, detail=dict(detail))
