"""What a form's model says about its nodes: binds, and the actions that set values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from lxml import etree

from forms import xml
from forms.definition import DataType, Path, Remark

_JR = f"{{{xml.JAVAROSA}}}"
_SAVETO = f"{{{xml.ENTITIES}}}saveto"
_MERGE = f"{{{xml.LAPANGAN}}}merge"

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
_READ = frozenset(
    {"id", "nodeset", "ref", "type", "relevant", "required", "constraint", "calculate", "readonly"}
    | {f"{{{xml.JAVAROSA}}}{name}" for name in ("requiredMsg", "constraintMsg", "preload", "preloadParams")}
    | {_SAVETO, _MERGE}
)


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
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Every other attribute, by its name without the namespace: what only the device acts on."""
    merge: str = ""


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
    named: Mapping[str, str] = field(default_factory=dict)
    """The node of each bind that has an id: old forms name it in their controls instead of the node."""
    remarks: tuple[Remark, ...] = ()

    def reference(self, element: etree._Element) -> str | None:
        """The node that a control, a group or a repeat is about, as written; None when it names none."""
        written = element.get("nodeset") or element.get("ref")
        return self.named.get(element.get("bind", "")) if written is None else written

    def bind(self, path: Path) -> Bind:
        return self.binds.get(path, NO_RULES)

    def source(self, path: Path) -> str:
        """What fills the node: its calculation, else what sets it at the beginning."""
        action = self.actions.get(path)
        return self.bind(path).calculate or (action.value if action and action.begins else "")


NO_RULES = Bind()


def read_rules(model: etree._Element, body: etree._Element | None, root_name: str) -> Rules:
    """Every bind of the model, and every action wherever it stands."""
    binds: dict[Path, Bind] = {}
    remarks: list[Remark] = []
    named: dict[str, str] = {}
    for element in xml.children(model, "bind"):
        nodeset = element.get("nodeset") or element.get("ref") or ""
        path = steps(nodeset, root_name)
        if element.get("id"):
            named[element.get("id", "")] = nodeset
        remarks += _remarks(element, path, is_second=path in binds)
        binds[path] = _bind(element)
    rules = Rules(binds, {}, named, tuple(remarks))
    places = [place for place in (model, body) if place is not None]
    actions: dict[Path, Action] = {}
    for path, action in (found for place in places for found in _actions(rules, place, root_name)):
        before = actions.get(path)
        actions[path] = action if before is None or action.begins else before
    return replace(rules, actions=actions)


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
        parameters=parameters(element, _READ),
        merge=say(_MERGE).lower(),
    )


def parameters(element: etree._Element, read: frozenset[str]) -> dict[str, str]:
    """The attributes that are not in `read`, by their names without namespaces."""
    return {str(name).rpartition("}")[2]: str(said) for name, said in element.attrib.items() if name not in read}


def _remarks(element: etree._Element, path: Path, *, is_second: bool) -> Iterator[Remark]:
    written = (element.get("type") or "").strip()
    if written and written.rpartition(":")[2] not in _TYPES:
        yield Remark("unknown-type", path, {"type": written})
    if is_second:
        yield Remark("bound-twice", path)


def _actions(rules: Rules, place: etree._Element, root_name: str, context: Path = ()) -> Iterator[tuple[Path, Action]]:
    """A relative reference starts from the control, group or repeat that the action stands in."""
    for element in place:
        if xml.local_name(element) in _ACTIONS:
            target = steps(element.get("ref") or "", root_name, context)
            events = set((element.get("event") or "").split())
            yield target, Action(_value(element), bool(events & _BEGINNINGS))
        elif xml.local_name(element) not in _DATA:
            reference = rules.reference(element)
            inside = context if reference is None else steps(reference, root_name, context)
            yield from _actions(rules, element, root_name, inside)


def _value(element: etree._Element) -> str:
    source = (element.get("value") or "").strip()
    words = (element.text or "").strip()
    return source if source or not words else literal(words)


def literal(words: str) -> str:
    """The words as XPath: it has no escapes, so that both kinds of quotation marks take a concat()."""
    if '"' not in words:
        return f'"{words}"' if "'" in words else f"'{words}'"
    if "'" not in words:
        return f"'{words}'"
    return "concat(" + """, '"', """.join(f'"{part}"' for part in words.split('"')) + ")"
