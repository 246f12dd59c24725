"""A form's questions to read, in every language side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from forms.definition import FormDefinition, Group, Question, Repeat, Text
from forms.kind import is_note, kind_of
from server.auth import actor
from server.console.blueprint import bp
from server.console.forms import version_of
from server.db import session
from server.projects import project
from sync import form_list, publish
from sync.access import require
from sync.consolidate.table import choices_of
from sync.errors import NoSuchVersion

MOST_CHOICES = 30
"""More are counted, not listed."""


@dataclass(frozen=True, slots=True)
class Item:
    """A question as the page shows it."""

    question: Question
    kind: str
    is_required: bool
    choices: dict[str, Text]
    more_choices: int
    rules: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Section:
    """Questions that stand together; `trail` are the labels of the groups around them, outermost first."""

    trail: tuple[Text, ...]
    name: str
    is_repeat: bool
    relevant: str
    items: list[Item]


@bp.get("/projects/<int:number>/forms/<form_id>/preview")
def form_preview(number: int, form_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "form.read", found.project_id)
    kept = form_list.form(session(), found, form_id, actor=actor())
    row = version_of(found, form_id, request.args.get("version", kept.version or ""))
    definition = publish.definition(session(), found.project_id, form_id, row.version, with_draft=True)
    if definition is None:
        raise NoSuchVersion(row.version)
    return render_template(
        "console/form_preview.html",
        project=found,
        form=kept,
        row=row,
        definition=definition,
        languages=definition.languages or ("",),
        sections=[section for section in _sections(definition, definition.root, ()) if section.items],
    )


def _sections(
    definition: FormDefinition, parent: Group | Repeat, trail: tuple[Text, ...], relevant: str = ""
) -> Iterator[Section]:
    """The parent's own questions, and then each group below it, in the form's order."""
    is_repeat = isinstance(parent, Repeat)
    current = Section(trail, parent.name, is_repeat, relevant, [])
    for child in parent.children:
        if isinstance(child, Question):
            if _is_shown(child):
                current.items.append(_item(definition, child))
            continue
        if current.items:
            yield current
            current = Section(trail, parent.name, is_repeat, relevant, [])
        yield from _sections(definition, child, (*trail, child.label or {"": child.name}), child.relevant)
    yield current


def _is_shown(question: Question) -> bool:
    return bool(question.control or question.calculate)


def _item(definition: FormDefinition, question: Question) -> Item:
    choices = choices_of(definition, question, {})
    kept = dict(list(choices.items())[:MOST_CHOICES])
    return Item(
        question, _kind(question), _is_always_required(question), kept, len(choices) - len(kept), list(_rules(question))
    )


def _is_always_required(question: Question) -> bool:
    return question.required == "true()"


def _kind(question: Question) -> str:
    if is_note(question):
        return str(gettext("note"))
    if question.mediatype:
        media = {"image": gettext("photo"), "audio": gettext("sound"), "video": gettext("video")}
        return str(media.get(question.mediatype.partition("/")[0], gettext("file")))
    return str(gettext(kind_of(question)))


def _rules(question: Question) -> Iterator[tuple[str, str]]:
    if question.required and not _is_always_required(question):
        yield gettext("required if"), question.required
    if question.relevant:
        yield gettext("asked if"), question.relevant
    if question.constraint:
        yield gettext("must hold"), question.constraint
    if question.calculate:
        yield gettext("calculated as"), question.calculate
