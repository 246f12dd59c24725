"""A form as values: what is asked, in which order, under which rules. Read from the XForm, never changed."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Text: TypeAlias = Mapping[str, str]
"""Words by language, keyed as the form names its languages; "" is the key of a form without languages."""

Path: TypeAlias = tuple[str, ...]
"""Element names below the root, without positions: ("income", "after")."""

Answers: TypeAlias = dict[str, Any]
"""One filled-in form, nested as the form is: name -> str | None, group -> Answers, repeat -> list[Answers].

Leaves are the lexical strings of the XML, None when blank; `schemas.answers` turns them into typed values."""


def say(text: Text, language: str, default: str = "") -> str:
    """The words in `language`, else in `default`, else in any language, else "".

    A form says "Bahasa Indonesia (id)" where a reader asks for "id": both spellings match."""
    for wanted in (language, default):
        for name, words in text.items():
            if words and (name == wanted or name.endswith(f"({wanted})")):
                return words
    return next((words for words in text.values() if words), "")


class DataType(enum.Enum):
    """The data types of ODK XForms."""

    STRING = "string"
    INT = "int"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    TIME = "time"
    DATETIME = "dateTime"
    GEOPOINT = "geopoint"
    GEOTRACE = "geotrace"
    GEOSHAPE = "geoshape"
    BINARY = "binary"
    BARCODE = "barcode"
    INTENT = "intent"
    SELECT = "select"
    SELECT1 = "select1"
    RANK = "rank"


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a list: `name` is stored, `label` is shown, `columns` filter."""

    name: str
    label: Text
    columns: Mapping[str, str] = field(default_factory=dict)
    media: Mapping[str, Text] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Itemset:
    """Where a select takes its choices: an instance by id and the predicate (XPath source) that filters it.

    `instance` is "" for choices written in the control itself; then `choices` holds them. It is a path ("/data/person")
    when the choices are what was answered in a repeat."""

    instance: str
    predicate: str = ""
    value_column: str = "name"
    label_column: str = "label"
    choices: tuple[Choice, ...] = ()
    randomized: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A leaf: something asked, calculated or recorded by the device. XPath sources are as written in the XForm."""

    name: str
    path: Path
    type: DataType
    control: str = ""
    """"input", "select1", "select", "upload", "trigger", "range", "rank"; "" when nothing is shown."""
    label: Text = field(default_factory=dict)
    hint: Text = field(default_factory=dict)
    guidance: Text = field(default_factory=dict)
    media: Mapping[str, Text] = field(default_factory=dict)
    appearance: str = ""
    mediatype: str = ""
    default: str = ""
    """What the blank form already holds, as text."""
    dynamic_default: str = ""
    """XPath source that fills it once, when the form or a new repeat begins."""
    relevant: str = ""
    required: str = ""
    constraint: str = ""
    calculate: str = ""
    readonly: str = ""
    required_message: Text = field(default_factory=dict)
    constraint_message: Text = field(default_factory=dict)
    itemset: Itemset | None = None
    preload: str = ""
    """jr:preload and its parameter: "timestamp start", "property deviceid", "uid"."""
    range: tuple[str, str, str] | None = None
    """start, end, step of a range control, as written."""
    saveto: str = ""
    """The entity property that this answer fills."""
    is_set_by_action: bool = False
    """A setvalue, setgeopoint or recordaudio targets it: its value cannot be recomputed."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """What only the device acts on, as written: rows, max-pixels, quality, accuracyThreshold ..."""
    merge: str = ""
    """How answers of people who had not seen each other are merged, as written: see forms.policy."""

    @property
    def pii(self) -> str:
        """What the answer tells about a person ("name", "contact" ...: a workbook's column pii), "" for nothing."""
        return self.parameters.get("pii", "")


@dataclass(frozen=True, slots=True)
class Group:
    """Questions that belong together; the root of a form is a group with the path ()."""

    name: str
    path: Path
    children: tuple[Node, ...]
    label: Text = field(default_factory=dict)
    relevant: str = ""
    appearance: str = ""
    merge: str = ""


@dataclass(frozen=True, slots=True)
class Repeat:
    """A group that may occur any number of times."""

    name: str
    path: Path
    children: tuple[Node, ...]
    label: Text = field(default_factory=dict)
    relevant: str = ""
    count: str = ""
    """jr:count, an XPath source evaluated in the context of the repeat; "" when people add and remove. A repeat that
    may not grow (jr:noAddRemove) is as long as it is in the blank form."""
    appearance: str = ""
    merge: str = ""


Node: TypeAlias = Question | Group | Repeat


@dataclass(frozen=True, slots=True)
class Instance:
    """A secondary instance: choices in the form itself (`src` is "") or in an attachment (jr://file-csv/x.csv)."""

    id: str
    src: str = ""
    choices: tuple[Choice, ...] = ()
    list_name: str = ""
    """Only the rows of this list, where the attachment holds several: itemsets.csv of select_one_external."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that the form says and no check acts on; `code` is its name, `params` fill its sentence."""

    code: str
    path: Path = ()
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EntityDeclaration:
    """What a submission does to an entity list (ODK entities specification, namespace .../xforms/entities)."""

    dataset: str
    path: Path
    """Where the <entity> element is: () + ("meta", "entity")."""
    create: str = ""
    """XPath source, "" = never, "1" or "true()" = always."""
    update: str = ""
    label: str = ""
    """XPath source of the label."""
    id: str = ""
    """XPath source of the id; for a new entity usually uuid()."""
    base_version: str = ""
    trunk_version: str = ""
    branch_id: str = ""


@dataclass(frozen=True, slots=True)
class FormDefinition:
    """One version of one form."""

    form_id: str
    version: str
    title: str
    root: Group
    root_name: str
    namespace: str
    """Of the root element in the primary instance, "" usually."""
    languages: tuple[str, ...]
    default_language: str
    instances: Mapping[str, Instance]
    entities: tuple[EntityDeclaration, ...] = ()
    media: tuple[str, ...] = ()
    """Attachments that the form names by jr:// addresses: file names."""
    model: str = ""
    """The primary instance as written, XML source: the blank form."""
    instance_name: str = ""
    """XPath source of meta/instanceName."""
    audit: Mapping[str, str] | None = None
    """Parameters of the log that the device keeps of the interview; None when it keeps none."""
    public_key: str = ""
    """Devices seal the answers with it (ODK encrypted forms): whoever lacks the private key cannot read them."""
    remarks: tuple[Remark, ...] = ()

    def walk(self) -> Iterator[Node]:
        """Every node below the root, parents first, in document order."""
        yield from _walk(self.root)

    def questions(self) -> Iterator[Question]:
        return (node for node in self.walk() if isinstance(node, Question))

    def repeats(self) -> Iterator[Repeat]:
        return (node for node in self.walk() if isinstance(node, Repeat))

    def at(self, path: Path) -> Node | None:
        """The node at a path without positions, or None."""
        return next((node for node in self.walk() if node.path == path), None)


def _walk(parent: Group | Repeat) -> Iterator[Node]:
    for child in parent.children:
        yield child
        if not isinstance(child, Question):
            yield from _walk(child)
