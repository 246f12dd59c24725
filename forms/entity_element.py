"""What a submission says about entities: its <entity> elements, and the answers saved to their properties."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from forms import xml
from forms.definition import FormDefinition, Path, Question
from forms.derived import Derived


@dataclass(frozen=True, slots=True)
class Seen:
    """What its author had before the eyes of the entity: beyond the specification, whose versions are one server's own.

    `vector` as the server told it; `after` are the operations on records by which this device has changed it since."""

    vector: Mapping[str, int]
    after: tuple[str, ...] = ()

    def written(self) -> str:
        return json.dumps({"vector": dict(self.vector), "after": list(self.after)}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class EntityElement:
    """One <entity> element (ODK entities specification, 2022.1 to 2025.1)."""

    dataset: str
    id: str
    create: bool = False
    update: bool = False
    base_version: int | None = None
    trunk_version: int | None = None
    branch_id: str = ""
    label: str | None = None
    """None: the submission says nothing about the label."""
    properties: Mapping[str, str] = field(default_factory=dict)
    """By property: what was answered, "" where it was asked and left blank; what was not asked is not in it."""
    scope: str = ""
    """The repeat instance that it stands in: "household[2]"; "" for the form's own."""
    seen: Seen | None = None
    """None: its author could not say."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """A part of the form with an entity of its own."""

    dataset: str
    path: Path
    savings: tuple[tuple[str, Path], ...]
    """Properties, and where below the path their answers are."""


def elements_in(root: etree._Element, definition: FormDefinition) -> Iterator[EntityElement]:
    """The entity elements of a submission that its form declares, in document order of the declarations."""
    for scope in _scopes(definition):
        for where, place in _places(root, scope.path, ""):
            meta = xml.child(place, "meta")
            element = None if meta is None else xml.child(meta, "entity")
            if element is not None:
                yield _read(element, scope, place, where)


def _places(parent: etree._Element, path: Path, where: str) -> Iterator[tuple[str, etree._Element]]:
    if not path:
        yield where, parent
        return
    found = xml.children(parent, path[0])
    for number, place in enumerate(found, 1):
        name = f"{path[0]}[{number}]" if len(found) > 1 or len(path) == 1 else path[0]
        yield from _places(place, path[1:], f"{where}/{name}" if where else name)


def _read(element: etree._Element, scope: _Scope, place: etree._Element, where: str) -> EntityElement:
    label = xml.child(element, "label")
    return EntityElement(
        dataset=element.get("dataset") or scope.dataset,
        id=(element.get("id") or "").strip(),
        create=_is_true(element.get("create")),
        update=_is_true(element.get("update")),
        base_version=_number(element.get("baseVersion")),
        trunk_version=_number(element.get("trunkVersion")),
        branch_id=(element.get("branchId") or "").strip(),
        label=None if label is None else (label.text or "").strip(),
        properties=dict(_saved(scope, place)),
        scope=where,
        seen=_seen(element.get(f"{{{xml.LAPANGAN}}}seen")),
    )


def _seen(written: str | None) -> Seen | None:
    try:
        told = json.loads(written) if written else None
    except (ValueError, RecursionError):
        return None
    vector, after = (told.get("vector"), told.get("after")) if isinstance(told, dict) else (None, None)
    if not isinstance(vector, dict) or not isinstance(after, list) or not all(isinstance(one, str) for one in after):
        return None
    is_sound = all(_is_place(origin, n) for origin, n in vector.items())
    return Seen(vector, tuple(after)) if is_sound else None


def _is_place(origin: str, n: object) -> bool:
    return 0 < len(origin) <= 255 and not origin.startswith("@") and type(n) is int and 0 <= n < 2**53


def _saved(scope: _Scope, place: etree._Element) -> Iterator[tuple[str, str]]:
    for name, path in scope.savings:
        node: etree._Element | None = place
        for step in path:
            node = None if node is None else xml.child(node, step)
        # An irrelevant question's element is not in the submission: nothing is said about the property.
        if node is not None:
            yield name, node.text or ""


def _is_true(written: str | None) -> bool:
    return written in {"1", "true"}


def _number(written: str | None) -> int | None:
    digits = (written or "").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def _find_scopes(definition: FormDefinition) -> tuple[_Scope, ...]:
    paths = {entity.path[:-2]: entity.dataset for entity in definition.entities}
    savings: dict[Path, list[tuple[str, Path]]] = {path: [] for path in paths}
    for question in definition.questions():
        nearest = _nearest(question, savings)
        if question.saveto and nearest is not None:
            savings[nearest].append((question.saveto, question.path[len(nearest) :]))
    return tuple(_Scope(dataset, path, tuple(savings[path])) for path, dataset in paths.items())


def _nearest(question: Question, scopes: Mapping[Path, object]) -> Path | None:
    above = (question.path[:length] for length in range(len(question.path) - 1, -1, -1))
    return next((path for path in above if path in scopes), None)


_scopes: Derived[tuple[_Scope, ...]] = Derived(_find_scopes)
