"""From answers to a record: completed, checked and written by the very rules that the server applies."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias

from forms import flat, instance
from forms.check import CompiledForm, Context, compile_form
from forms.definition import (
    Answers,
    DataType,
    EntityDeclaration,
    FormDefinition,
    Group,
    Node,
    Path,
    Question,
    Repeat,
)
from forms.derived import Derived
from forms.entity_element import EntityElement, Seen
from forms.expression.table import Table
from forms.finding import Finding, Rule, Severity
from forms.program import spread
from schemas.answers import judge
from sync.device.errors import BreaksRules, FileNotHere, NotAnswers, SealedForm
from sync.device.outbox import Draft, EntityChange

META = "meta"
Branch: TypeAlias = Group | Repeat
SAID_BY_SERVER = (Rule.CLOCK, Rule.VERSION)
"""Rules that only mean something where the record arrives."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who fills in, on which device."""

    device_id: str
    user: str


@dataclass(frozen=True, slots=True)
class Work:
    """What is known about one piece of work beside its answers; everything may be left out."""

    version: str = ""
    """Of the form; the one to use now unless named."""
    instance_id: str = ""
    entity_id: str = ""
    """Of the entity that the record creates."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    as_is: bool = False
    """Keep it although it breaks rules: a supervisor will see that."""
    deprecated_id: str = ""
    is_edited: bool = False


@dataclass(frozen=True, slots=True)
class Filled:
    """A record, ready to be kept."""

    definition: FormDefinition
    answers: Answers
    findings: tuple[Finding, ...]
    instance_id: str
    instance_name: str
    xml: str
    file_names: tuple[str, ...]
    entities: tuple[EntityElement, ...]

    def draft(self) -> Draft:
        """As the first operation on a new record."""
        set_ = {path: value for path, value in flat.flatten(self.definition, self.answers).items() if value is not None}
        return self._draft(self.instance_id, set_, {})

    def correction(self, record_id: str, base: Mapping[str, Any], seen: Mapping[str, int]) -> Draft:
        """As an operation on a record that its author saw in the state `base` (`seen` is that state's vector)."""
        before = flat.flatten(self.definition, dict(base))
        after = flat.flatten(self.definition, self.answers)
        return self._draft(record_id, flat.differences(before, after), seen)

    def _draft(self, record_id: str, changes: Mapping[str, str | None], seen: Mapping[str, int]) -> Draft:
        return Draft(
            kind="submission",
            record_id=record_id,
            form_id=self.definition.form_id,
            version=self.definition.version,
            instance_id=self.instance_id,
            instance_name=self.instance_name,
            changes=changes,
            xml=self.xml,
            context=seen,
            entities=[
                EntityChange(one.dataset, one.id, one.label, one.properties)
                for one in self.entities
                if one.create or one.update
            ],
        )


def fill_in(
    compiled: CompiledForm,
    answers: Answers,
    file_names: frozenset[str],
    lists: Mapping[str, Table],
    author: Author,
    work: Work,
    *,
    seen: Callable[[str], Seen | None] = lambda _entity_id: None,
    now: datetime,
) -> Filled:
    """The record of these answers: defaults, calculations and the device's own answers filled in, irrelevant ones
    left out, findings as the server will have them. `seen` is what its author knows of an entity.

    Refuses SealedForm."""
    definition = compiled.definition
    if definition.public_key:
        raise SealedForm(definition.form_id)
    context = _context(work, file_names, lists, now)
    given = _preloaded(definition, answers, author, work.started_at or now, work.ended_at or now)
    completer = _completer(definition)
    # An edit adds no defaults: what its author saw blank was left blank.
    whole = (completer.calculate if work.is_edited else completer.complete)(given, context)
    whole, told = _lifted(definition, whole)
    meta = told.get("", {})
    instance_id = f"uuid:{uuid.uuid4()}" if work.deprecated_id or not work.instance_id else work.instance_id
    # An edit says nothing of them: the record has spoken of its entities when it was made.
    said = () if work.is_edited else _entities(definition, told, work.entity_id)
    findings = judge(compiled, whole, context)
    name = str(meta.get("instanceName") or "")
    xml = instance.write(
        definition,
        whole,
        instance_id=instance_id,
        instance_name=name,
        deprecated_id=work.deprecated_id,
        entities=tuple(replace(one, seen=seen(one.id)) if one.update else one for one in said),
    )
    return Filled(
        definition=definition,
        answers=whole,
        findings=tuple(one for one in findings if one.rule not in SAID_BY_SERVER),
        instance_id=instance_id,
        instance_name=name,
        xml=xml,
        file_names=_known_files(instance.attachment_names(definition, whole), file_names, as_is=work.as_is),
        # Read back from what is sent: the list on this device then changes exactly as the server's will.
        entities=instance.entity_elements(definition, instance.open_instance(xml)),
    )


def _context(work: Work, file_names: frozenset[str], lists: Mapping[str, Table], now: datetime) -> Context:
    return Context(
        started_at=work.started_at or now,
        ended_at=work.ended_at or now,
        received_at=now,
        attachments=file_names,
        is_edited=work.is_edited,
        lists=lists,
    )


def require_answers(definition: FormDefinition, answers: Answers) -> None:
    """Refuse with NotAnswers what no record of the form could hold: nobody would ever see it."""
    misplaced = spread.misplaced(definition, answers)
    if misplaced:
        raise NotAnswers(", ".join(misplaced), paths=misplaced)


def require_kept_rules(filled: Filled, *, as_is: bool) -> None:
    """Refuse with BreaksRules what the server would flag as an error, unless it is to be kept as it is."""
    wrong = tuple(one for one in filled.findings if one.severity is Severity.ERROR)
    if wrong and not as_is:
        raise BreaksRules(filled.instance_name, filled.findings)


def overlay(base: dict[str, Any], changes: Mapping[str, Any]) -> Answers:
    """`base` with the answers of `changes` in the place of its own; a repeat is replaced as a whole."""
    for name, value in changes.items():
        inner = base.get(name)
        base[name] = overlay(dict(inner), value) if isinstance(value, dict) and isinstance(inner, dict) else value
    return base


def _known_files(named: tuple[str, ...], here: frozenset[str], *, as_is: bool) -> tuple[str, ...]:
    """The files to keep. A record whose photo is lost is still worth sending, if its author says so."""
    missing = [name for name in named if name not in here]
    if missing and not as_is:
        raise FileNotHere(", ".join(missing), names=missing)
    return tuple(name for name in named if name in here)


def _preloaded(
    definition: FormDefinition, answers: Answers, author: Author, started_at: datetime, ended_at: datetime
) -> Answers:
    """What the device itself answers, where nobody has (ODK XForms specification, jr:preload)."""
    told = {
        "timestamp start": _stamp(started_at),
        "timestamp end": _stamp(ended_at),
        "date today": started_at.astimezone().date().isoformat(),
        "property deviceid": author.device_id,
        "property username": author.user,
    }
    given = dict(answers)
    for question in definition.questions():
        if question.preload in told and len(question.path) == 1 and not given.get(question.name):
            given[question.name] = told[question.preload] or None
    return given


def _stamp(at: datetime) -> str:
    local = at if at.tzinfo is None or at.utcoffset() else at.astimezone()
    return local.isoformat(timespec="milliseconds")


def _with_meta(definition: FormDefinition) -> CompiledForm:
    """The form with what its meta blocks calculate (name, entities) as questions, so that `complete` answers them.

    The block of an entity stands where the form has it: in a repeat there is one for each turn."""
    planted: dict[Path, list[Node]] = {path: [] for path in _places(definition)}
    if definition.instance_name:
        planted[()].append(_calculated((META, "instanceName"), definition.instance_name))
    for index, declared in enumerate(definition.entities):
        path = (*declared.path[:-2], META, f"entity_{index}")
        planted[path[:-2]].append(Group(path[-1], path, tuple(_of_entity(declared, path))))
    root = replace(definition.root, children=_with_blocks(definition.root, planted))
    return compile_form(replace(definition, root=root))


def _places(definition: FormDefinition) -> frozenset[Path]:
    """The parts of the form with a meta block: the form itself, and wherever it declares an entity."""
    return frozenset({(), *(declared.path[:-2] for declared in definition.entities)})


def _with_blocks(branch: Branch, planted: Mapping[Path, Sequence[Node]]) -> tuple[Node, ...]:
    """The children of the branch, with what is planted in it and below it."""
    children: list[Node] = [
        child if isinstance(child, Question) else replace(child, children=_with_blocks(child, planted))
        for child in branch.children
    ]
    if branch.path in planted:
        children.append(Group(META, (*branch.path, META), tuple(planted[branch.path])))
    return tuple(children)


def _lifted(definition: FormDefinition, answers: Answers) -> tuple[Answers, dict[str, Answers]]:
    """The answers without the meta blocks, and these by where they stood: "", "household[1]/person[2]"."""
    told: dict[str, Answers] = {}
    places = _places(definition)

    def without(branch: Branch, given: Answers, where: str) -> Answers:
        rest = dict(given)
        if branch.path in places:
            told[where] = rest.pop(META, None) or {}
        for child in branch.children:
            inner = rest.get(child.name)
            here = f"{where}/{child.name}" if where else child.name
            if isinstance(child, Group) and isinstance(inner, dict):
                rest[child.name] = without(child, inner, here)
            elif isinstance(child, Repeat) and isinstance(inner, list):
                rest[child.name] = [without(child, one, f"{here}[{turn}]") for turn, one in enumerate(inner, 1)]
        return rest

    return without(definition.root, answers, ""), told


_completer: Derived[CompiledForm] = Derived(_with_meta)
"""Made once for each form version."""


def _of_entity(declared: EntityDeclaration, path: Path) -> list[Question]:
    sources = {
        "create": declared.create,
        "update": declared.update,
        "label": declared.label,
        "id": declared.id,
        "base_version": declared.base_version,
        "trunk_version": declared.trunk_version,
        "branch_id": declared.branch_id,
    }
    return [_calculated((*path, name), source) for name, source in sources.items() if source]


def _calculated(path: tuple[str, ...], source: str) -> Question:
    return Question(name=path[-1], path=path, type=DataType.STRING, calculate=source)


def _text(meta: Mapping[str, Any], name: str) -> dict[str, str]:
    return {key: str(value or "") for key, value in (meta.get(name) or {}).items()}


def _entities(definition: FormDefinition, told: Mapping[str, Answers], entity_id: str) -> Iterator[EntityElement]:
    """What the record says about entities, in each of its meta blocks."""
    for where, meta in told.items():
        for index, declared in enumerate(definition.entities):
            said = _text(meta, f"entity_{index}")
            element = _entity(declared, said, "" if where else entity_id) if said else None
            if element is not None:
                yield replace(element, scope=where)


def _entity(declared: EntityDeclaration, told: Mapping[str, str], entity_id: str) -> EntityElement | None:
    """What a block says about its entity, None where it says nothing."""
    creates, updates = _is_true(told.get("create", "")), _is_true(told.get("update", ""))
    if not creates and not updates:
        return None
    id_ = (entity_id if creates else "") or told.get("id") or str(uuid.uuid4())
    return EntityElement(
        dataset=declared.dataset,
        id=id_,
        create=creates,
        update=updates,
        base_version=_number(told.get("base_version", "")) if updates else None,
        trunk_version=_number(told.get("trunk_version", "")) if updates else None,
        branch_id=told.get("branch_id", "") if updates else "",
        label=told.get("label") or None,
    )


def _is_true(text: str) -> bool:
    return text.strip().lower() in ("1", "true", "true()")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
