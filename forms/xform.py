"""XForm XML -> FormDefinition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from forms import xml
from forms.bind import Rules, read_rules
from forms.control import UNSHOWN, Body, Section, external_list, read_body
from forms.definition import (
    Choice,
    DataType,
    EntityDeclaration,
    FormDefinition,
    Group,
    Instance,
    Itemset,
    Node,
    Path,
    Question,
    Remark,
    Repeat,
)
from forms.fault import Fault, broken, fault
from forms.itext import Itext, file_name, read_itext
from forms.lexical import file_name_of

MAX_DEPTH = 128
MAX_NODES = 1_000_000
META = "meta"
ITEMSETS = "itemsets.csv"
"""Collect reads select_one_external from one file with this name, whatever the form calls the list."""
_TEMPLATE = f"{{{xml.JAVAROSA}}}template"
_SHOWN_TYPES = {
    "select1": DataType.SELECT1,
    "select": DataType.SELECT,
    "rank": DataType.RANK,
    "upload": DataType.BINARY,
}


def read(xform: bytes) -> FormDefinition:
    """The form that an XForm describes. UnsafeXml and MalformedXml as `forms.xml.parse`; BrokenForm, with its `faults`,
    when it is not an XForm, has no form id, or shows or binds a question that its instance does not have."""
    html = xml.parse(xform, depth=MAX_DEPTH, nodes=MAX_NODES)
    parts = _parts(html)
    reader = _Reader.of(parts)
    root = Group("", (), tuple(reader.nodes(parts.root, ())))
    definition = _definition(parts, reader, root)
    faults = [*reader.faults, *reader.unknown(), *_misnamed(definition)]
    if faults:
        raise broken(faults)
    return definition


@dataclass(frozen=True, slots=True)
class _Parts:
    """Where an XForm keeps what."""

    title: str
    model: etree._Element
    body: etree._Element | None
    root: etree._Element
    form_id: str
    namespace: str


def _parts(html: etree._Element) -> _Parts:
    head = xml.child(html, "head")
    model = None if head is None else xml.child(head, "model")
    instances = [] if model is None else xml.children(model, "instance")
    if head is None or model is None or not instances or len(instances[0]) == 0:
        raise broken([fault("This is not an XForm: it has no model with an instance.")])
    root = instances[0][0]
    namespace = etree.QName(root).namespace or ""
    namespace = "" if namespace == xml.XFORMS else namespace
    form_id = (root.get("id") or namespace).strip()
    if not form_id:
        raise broken([fault("The form has no id.", column="form_id")])
    title = xml.child(head, "title")
    words = "" if title is None else (title.text or "").strip()
    return _Parts(words or form_id, model, xml.child(html, "body"), root, form_id, namespace)


def _definition(parts: _Parts, reader: _Reader, root: Group) -> FormDefinition:
    itext = reader.itext
    instances = _instances(parts, itext, root)
    return FormDefinition(
        form_id=parts.form_id,
        version=(parts.root.get("version") or "").strip(),
        title=parts.title,
        root=root,
        root_name=xml.local_name(parts.root),
        namespace=parts.namespace,
        languages=itext.languages,
        default_language=itext.default_language,
        instances=instances,
        entities=tuple(reader.entities),
        media=_media(parts, itext, instances, root),
        model=etree.tostring(parts.root, encoding="unicode", with_tail=False),
        instance_name=reader.rules.bind((META, "instanceName")).calculate,
        audit=reader.rules.bind((META, "audit")).parameters if (META, "audit") in reader.known else None,
        public_key=_submission(parts.model, "base64RsaPublicKey"),
        remarks=(*reader.remarks(), *_about_submission(parts.model)),
    )


def _submission(model: etree._Element, attribute: str) -> str:
    element = xml.child(model, "submission")
    return "" if element is None else element.get(attribute, "").strip()


def _about_submission(model: etree._Element) -> Iterator[Remark]:
    if _submission(model, "base64RsaPublicKey"):
        yield Remark("sealed")
    address = _submission(model, "action")
    if address:
        yield Remark("sent-elsewhere", (), {"address": address})


@dataclass(slots=True)
class _Reader:
    """The primary instance, node by node, with what the binds and the body say about each."""

    itext: Itext
    rules: Rules
    body: Body
    faults: list[Fault]
    entities: list[EntityDeclaration]
    known: set[Path]

    @classmethod
    def of(cls, parts: _Parts) -> _Reader:
        itext, root_name = read_itext(parts.model), xml.local_name(parts.root)
        rules = read_rules(parts.model, parts.body, root_name)
        return cls(itext, rules, read_body(parts.body, itext, rules, root_name), [], [], {()})

    def nodes(self, parent: etree._Element, above: Path) -> Iterator[Node]:
        counted = Counter(xml.local_name(element) for element in parent)
        done: set[str] = set()
        for element in _templates_first(parent):
            name = xml.local_name(element)
            path = (*above, name)
            if name == META and (not above or xml.child(element, "entity") is not None):
                self._meta(element, path)
            elif name not in done:
                done.add(name)
                node = self._node(element, path)
                if counted[name] > 1 and not isinstance(node, Repeat):
                    self.faults.append(fault("Two questions in one group have this name.", column="name", path=path))
                yield node

    def _node(self, element: etree._Element, path: Path) -> Node:
        self.known.add(path)
        section = self.body.sections.get(path)
        if section is None and len(element) == 0:
            return self._question(element, path)
        children = tuple(self.nodes(element, path))
        count = self._count(element, section)
        bind = self.rules.bind(path)
        relevant, merge = bind.relevant, bind.merge
        if section is None:
            return Group(path[-1], path, children, relevant=relevant, merge=merge)
        if section.is_repeat:
            return Repeat(path[-1], path, children, section.label, relevant, count, section.appearance, merge)
        return Group(path[-1], path, children, section.label, relevant, section.appearance, merge)

    def _count(self, element: etree._Element, section: Section | None) -> str:
        """jr:count; of a repeat that may not grow, how often it stands in the blank form."""
        if section is None or section.count or not section.is_fixed:
            return "" if section is None else section.count
        parent = element.getparent()
        same = [] if parent is None else xml.children(parent, xml.local_name(element))
        return str(sum(one.get(_TEMPLATE) is None for one in same))

    def _question(self, element: etree._Element, path: Path) -> Question:
        bind, action = self.rules.bind(path), self.rules.actions.get(path)
        control = self.body.controls.get(path, UNSHOWN)
        return Question(
            name=path[-1],
            path=path,
            type=_SHOWN_TYPES.get(control.kind, bind.type),
            default=(element.text or "").strip(),
            dynamic_default=action.value if action and action.begins else "",
            relevant=bind.relevant,
            required=bind.required,
            constraint=bind.constraint,
            calculate=bind.calculate,
            readonly=bind.readonly,
            required_message=self.itext.message(bind.required_message),
            constraint_message=self.itext.message(bind.constraint_message),
            preload=bind.preload,
            saveto=bind.saveto,
            merge=bind.merge,
            is_set_by_action=action is not None,
            control=control.kind,
            label=control.label,
            hint=control.hint,
            guidance=control.guidance,
            media=control.media,
            appearance=control.appearance,
            mediatype=control.mediatype,
            itemset=control.itemset,
            range=control.range,
            parameters={**bind.parameters, **control.parameters},
        )

    def _meta(self, element: etree._Element, path: Path) -> None:
        self.known.add(path)
        for part in element:
            name = xml.local_name(part)
            self.known.add((*path, name))
            if name == "entity":
                self.entities.append(_entity(part, (*path, name), self.rules))

    def unknown(self) -> Iterator[Fault]:
        """Faults of whatever sections, controls or actions name that the instance does not have."""
        for path in self._unknown(self.rules.actions):
            node = {"node": "/".join(path)}
            yield fault("An action sets '{node}', but the form has no such question.", params=node, path=path)
        for path in self._unknown(self.body.sections):
            node = {"node": "/".join(path)}
            yield fault("A group or repeat is about '{node}', but the form has none.", params=node, path=path)
        for path in self._unknown(self.body.controls):
            node = {"node": "/".join(path)}
            yield fault("A control asks '{node}', but the form has no such question.", params=node, path=path)
        for control in self.body.lost:
            yield fault("A control ({control}) does not say which question it asks.", params={"control": control})

    def remarks(self) -> Iterator[Remark]:
        yield from self.rules.remarks
        yield from self.body.remarks
        # Clients leave such rules aside, too; forms from which a question was taken often have them.
        yield from (Remark("bind-without-question", path) for path in self._unknown(self.rules.binds))

    def _unknown(self, named: Iterable[Path]) -> Iterator[Path]:
        return (path for path in named if not self._knows(path))

    def _knows(self, path: Path) -> bool:
        # Attributes and what an <entity> holds are bound too; nothing is asked there.
        if path in self.known:
            return True
        return path[-1].startswith("@") or path[-2:-1] == ("entity",) or META in path[:-1]


def _misnamed(definition: FormDefinition) -> Iterator[Fault]:
    """Devices put the files of a form side by side into one folder, and must not be led out of it."""
    for name in definition.media:
        try:
            file_name_of(name)
        except ValueError:
            said = "The form names a file '{name}'. Use a plain file name, without folders."
            path = next(_users(definition, name), ())
            yield fault(said, params={"name": name}, path=path, column="type" if path else "")


def _users(definition: FormDefinition, name: str) -> Iterator[Path]:
    """The questions that choose from a file."""
    lists = {instance.id for instance in definition.instances.values() if file_name(instance.src) == name}
    return (one.path for one in definition.questions() if one.itemset is not None and one.itemset.instance in lists)


def _templates_first(parent: etree._Element) -> list[etree._Element]:
    """The child elements in order, a repeat's template in the place of its first instance."""
    templates = {xml.local_name(element): element for element in parent if element.get(_TEMPLATE) is not None}
    return [templates.get(xml.local_name(element), element) for element in parent]


def _entity(element: etree._Element, path: Path, rules: Rules) -> EntityDeclaration:
    def source(name: str) -> str:
        return rules.source((*path, f"@{name}"))

    def wanted(name: str) -> str:
        written = element.get(name)
        return "" if written is None else source(name) or written.strip()

    return EntityDeclaration(
        dataset=element.get("dataset", ""),
        path=path,
        create=wanted("create"),
        update=wanted("update"),
        label=rules.source((*path, "label")),
        id=source("id"),
        base_version=source("baseVersion"),
        trunk_version=source("trunkVersion"),
        branch_id=source("branchId"),
    )


def _instances(parts: _Parts, itext: Itext, root: Group) -> Mapping[str, Instance]:
    columns = {itemset.instance: itemset for itemset in _itemsets(root)}
    found: dict[str, Instance] = {}
    for element in xml.children(parts.model, "instance")[1:]:
        id, source = element.get("id", ""), element.get("src", "")
        rows = [] if len(element) == 0 else list(element[0])
        itemset = columns.get(id, Itemset(id))
        found[id] = Instance(id, source, tuple(_choice(row, itemset, itext) for row in rows))
    for control in () if parts.body is None else parts.body.iter():
        name = external_list(control)
        if name and name not in found:
            found[name] = Instance(name, f"jr://file-csv/{ITEMSETS}", list_name=name)
    return found


def _itemsets(root: Group) -> Iterator[Itemset]:
    """The selects' itemsets, those with the usual columns last: they name a shared list's columns best."""
    questions = (node for node in _below(root) if isinstance(node, Question))
    found = [question.itemset for question in questions if question.itemset is not None]
    yield from sorted(found, key=lambda itemset: itemset.value_column == "name")


def _below(parent: Group | Repeat) -> Iterator[Node]:
    for child in parent.children:
        yield child
        if not isinstance(child, Question):
            yield from _below(child)


def _choice(row: etree._Element, itemset: Itemset, itext: Itext) -> Choice:
    columns = {xml.local_name(cell): (cell.text or "").strip() for cell in row}
    id = columns.get("itextId", "")
    words = columns.get(itemset.label_column) or columns.get("label", "")
    id = id or (words if words in itext.texts else "")
    label = itext.by_id(id) if id else {"": words} if words else {}
    return Choice(columns.get(itemset.value_column, ""), label, columns, itext.media_by_id(id))


def _media(parts: _Parts, itext: Itext, instances: Mapping[str, Instance], root: Group) -> tuple[str, ...]:
    """Every attachment that the form names, each once, in order: data first, then pictures and sounds."""
    questions = (node for node in _below(root) if isinstance(node, Question))
    names = [file_name(instance.src) for instance in instances.values()]
    names += itext.file_names()
    names += [file_name(question.default) for question in questions]
    return tuple(dict.fromkeys(name for name in names if name))
