"""What a form's model says about its nodes: binds, and the actions that set values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from forms import xml
from forms.definition import DataType, Path

_JR = f"{{{xml.JAVAROSA}}}"
_SAVETO = f"{{{xml.ENTITIES}}}saveto"

_TYPES = {type.value: type for type in DataType} | {
    "integer": DataType.INT,
    "long": DataType.INT,
    "short": DataType.INT,
    "byte": DataType.INT,
    "float": DataType.DECIMAL,
    "double": DataType.DECIMAL,
    "datetime": DataType.DATETIME,
    "geotrack": DataType.GEOTRACE,
    "base64Binary": DataType.BINARY,
    "anyURI": DataType.STRING,
}
_ACTIONS = frozenset({"setvalue", "setgeopoint", "recordaudio"})
_DATA = frozenset({"instance", "itext", "bind"})
_BEGINNINGS = frozenset({"odk-instance-first-load", "odk-new-repeat", "xforms-ready"})


@dataclass(frozen=True, slots=True)
class Bind:
    """The rules of one node, XPath sources as written."""

    type: DataType = DataType.STRING
    relevant: str = ""
    required: str = ""
    constraint: str = ""
    calculate: str = ""
    readonly: str = ""
    required_message: str = ""
    constraint_message: str = ""
    preload: str = ""
    saveto: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that fills a node on an event."""

    value: str
    """XPath source; "" when the device fills it (a place, a recording)."""
    begins: bool
    """Whether it happens once, when the form or a repeat begins."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Binds and actions by path; a last step that begins with @ is an attribute."""

    binds: Mapping[Path, Bind] = field(default_factory=dict)
    actions: Mapping[Path, Action] = field(default_factory=dict)

    def bind(self, path: Path) -> Bind:
        return self.binds.get(path, NO_RULES)

    def source(self, path: Path) -> str:
        """What fills the node: its calculation, else what sets it at the beginning."""
        action = self.actions.get(path)
        return self.bind(path).calculate or (action.value if action and action.begins else "")


NO_RULES = Bind()


def read_rules(model: etree._Element, body: etree._Element | None, root_name: str) -> Rules:
    """Every bind of the model, and every action wherever it stands."""
    binds = {}
    for element in xml.children(model, "bind"):
        nodeset = element.get("nodeset") or element.get("ref") or ""
        binds[steps(nodeset, root_name)] = _bind(element)
    places = [place for place in (model, body) if place is not None]
    actions: dict[Path, Action] = {}
    for path, action in (found for place in places for found in _actions(place, root_name)):
        before = actions.get(path)
        actions[path] = action if before is None or action.begins else before
    return Rules(binds, actions)


def steps(reference: str, root_name: str, context: Path = ()) -> Path:
    """A reference as the path below the root: /data/income/after -> ("income", "after"). Namespaces are dropped."""
    reference = reference.strip()
    names = [part.strip() for part in reference.split("/")]
    path: list[str] = []
    if reference.startswith("/"):
        names = names[2:] if names[1:2] == [root_name] else names[1:]
    else:
        path = list(context)
    for name in names:
        if name == "..":
            path = path[:-1]
        elif name not in {"", "."}:
            path.append(name if name.startswith("@") else name.rpartition(":")[2])
    return tuple(path)


def data_type(written: str | None) -> DataType:
    """The type that a bind names, with or without a prefix; an unknown one is text."""
    return _TYPES.get((written or "").rpartition(":")[2], DataType.STRING)


def _bind(element: etree._Element) -> Bind:
    def say(name: str) -> str:
        return (element.get(name) or "").strip()

    return Bind(
        type=data_type(element.get("type")),
        relevant=say("relevant"),
        required=say("required"),
        constraint=say("constraint"),
        calculate=say("calculate"),
        readonly=say("readonly"),
        required_message=say(_JR + "requiredMsg"),
        constraint_message=say(_JR + "constraintMsg"),
        preload=f"{say(_JR + 'preload')} {say(_JR + 'preloadParams')}".strip(),
        saveto=say(_SAVETO),
    )


def _actions(place: etree._Element, root_name: str, context: Path = ()) -> Iterator[tuple[Path, Action]]:
    """A relative reference starts from the control, group or repeat that the action stands in."""
    for element in place:
        if xml.local_name(element) in _ACTIONS:
            target = steps(element.get("ref") or "", root_name, context)
            events = set((element.get("event") or "").split())
            yield target, Action(_value(element), bool(events & _BEGINNINGS))
        elif xml.local_name(element) not in _DATA:
            reference = element.get("nodeset") or element.get("ref")
            inside = context if reference is None else steps(reference, root_name, context)
            yield from _actions(element, root_name, inside)


def _value(element: etree._Element) -> str:
    source = (element.get("value") or "").strip()
    words = (element.text or "").strip()
    if source or not words:
        return source
    return f'"{words}"' if "'" in words else f"'{words}'"
