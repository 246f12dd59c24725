"""What the properties of a registry are called: as the form asks for them that registers its entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import select

from forms.definition import FormDefinition, Question
from server.console.answers import Reader
from server.console.words import language
from server.db import session
from sync import publish
from sync.models import Form, Project


@dataclass(frozen=True, slots=True)
class Properties:
    """The words of one registry; what no form asks for keeps its own name."""

    questions: Mapping[str, tuple[Reader, Question]] = field(default_factory=dict)

    def label(self, name: str) -> str:
        found = self.questions.get(name)
        return found[0].label(found[1]) if found else name

    def value(self, name: str, raw: object) -> str:
        """The value in words: the label of a choice, for example."""
        text = "" if raw is None else str(raw)
        found = self.questions.get(name)
        return found[0].value(found[1], text).text or text if found else text


def properties(found: Project, list_name: str) -> Properties:
    """From the newest version of each form that fills the registry; the one that registers has the first word."""
    questions: dict[str, tuple[Reader, Question]] = {}
    for definition in sorted(_definitions(found), key=lambda one: not _registers(one, list_name)):
        if any(declared.dataset == list_name for declared in definition.entities):
            reader = Reader(definition, language())
            for question in definition.questions():
                if question.saveto and question.label:
                    questions.setdefault(question.saveto, (reader, question))
    return Properties(questions)


def _definitions(found: Project) -> Iterator[FormDefinition]:
    forms = session().execute(select(Form.form_id, Form.version).where(Form.project_id == found.project_id)).all()
    for form_id, version in forms:
        definition = publish.definition(session(), found.project_id, form_id, version or "")
        if definition is not None:
            yield definition


def _registers(definition: FormDefinition, list_name: str) -> bool:
    return any(declared.dataset == list_name and declared.create for declared in definition.entities)
