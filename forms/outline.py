"""The bare shape of a form: which names stand where. Made once for each form version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from forms import xml
from forms.definition import Answers, DataType, FormDefinition, Group, Path, Question, Repeat
from forms.derived import Derived
from forms.policy import keys_of

META = "meta"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A question."""

    name: str
    path: str
    """Slash path without positions: "income/after"."""
    is_file: bool


@dataclass(frozen=True, slots=True)
class Branch:
    """A group, a repeat, or the form itself."""

    name: str
    path: str
    is_repeat: bool
    has_meta: bool
    """Whether a <meta> element belongs here that is no question: of the form, or of an entity."""
    children: tuple[Leaf | Branch, ...]
    tags: Mapping[str, Leaf | Branch] = field(repr=False)
    """The children by element name, with the namespaces that devices write."""
    names: Mapping[str, str] = field(repr=False)
    """Of the leaves among them, the names: nearly every element of a record is one."""
    nothing: Mapping[str, None] = field(repr=False)
    """Every child's name, in order, without an answer."""
    leaves: tuple[Leaf, ...] = field(repr=False)
    branches: tuple[Branch, ...] = field(repr=False)
    with_files: tuple[Leaf | Branch, ...] = field(repr=False)
    """The children that are files or hold some."""
    key: Path = ()
    """Of a repeat: where in an entry the answer is that tells it from the others; () when there is none."""

    def blank(self) -> Answers:
        """This part of the form, not filled in: new dicts and lists, for the caller to keep."""
        record: Answers = dict(self.nothing)
        for branch in self.branches:
            record[branch.name] = [] if branch.is_repeat else branch.blank()
        return record

    def completed(self, record: Answers) -> Answers:
        """The record with every name in it, in the form's order; `record` is used up."""
        for branch in self.branches:
            if branch.name not in record:
                record[branch.name] = [] if branch.is_repeat else branch.blank()
        return {**self.nothing, **record}


def _outline(definition: FormDefinition) -> Branch:
    namespaces = {xml.XFORMS, definition.namespace} - {""}
    with_meta = {entity.path[:-2] for entity in definition.entities} | {()}
    return _branch(definition.root, namespaces, with_meta)


def _branch(node: Group | Repeat, namespaces: set[str], with_meta: set[Path]) -> Branch:
    children = tuple(
        Leaf(child.name, "/".join(child.path), child.type is DataType.BINARY)
        if isinstance(child, Question)
        else _branch(child, namespaces, with_meta)
        for child in node.children
    )
    tags = {child.name: child for child in children}
    tags |= {f"{{{namespace}}}{child.name}": child for namespace in namespaces for child in children}
    return Branch(
        node.name,
        "/".join(node.path),
        isinstance(node, Repeat),
        node.path in with_meta,
        children,
        tags,
        {tag: child.name for tag, child in tags.items() if isinstance(child, Leaf)},
        {child.name: None for child in children},
        tuple(child for child in children if isinstance(child, Leaf)),
        tuple(child for child in children if isinstance(child, Branch)),
        tuple(child for child in children if (child.is_file if isinstance(child, Leaf) else child.with_files)),
        next((key.path[len(node.path) :] for key in keys_of(node)), ()) if isinstance(node, Repeat) else (),
    )


outline: Derived[Branch] = Derived(_outline)
"""The outline of a definition."""
