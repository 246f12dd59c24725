"""One filled-in form: instance XML <-> nested answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

from forms import lexical, xml
from forms.definition import Answers, FormDefinition
from forms.entity_element import EntityElement, elements_in
from forms.errors import UnsafeXml
from forms.finding import Finding, Rule, Severity
from forms.outline import META, Branch, Leaf, outline

MAX_REPEATS = 5_000
"""Instances of one repeat under one parent; more are not read."""
LONGEST_VALUE = 1_000
"""Characters of an answer that a finding quotes."""

_TEMPLATE = f"{{{xml.JAVAROSA}}}template"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_TO_ESCAPE = re.compile('[&<>"\r]')
_IN_ATTRIBUTE = re.compile('[&<>"\r\n\t]')


@dataclass(frozen=True, slots=True)
class Envelope:
    """A submission, opened: what it says about itself. Ids that it lacks are ""."""

    root: etree._Element
    form_id: str
    version: str
    instance_id: str
    deprecated_id: str = ""
    instance_name: str = ""
    started_at: datetime | None = None
    """When the device says that filling in began: `start`, or meta/timeStart; None without a time zone."""
    ended_at: datetime | None = None
    audit: str = ""
    """The file name of the device's own log, "" when it kept none."""
    is_sealed: bool = False
    """The device has encrypted the answers into a file beside this XML (ODK encrypted forms)."""

    @property
    def sealed_files(self) -> tuple[str, ...]:
        """The files that hold a sealed submission: its answers, and each attachment."""
        if not self.is_sealed:
            return ()
        media = [one for element in xml.children(self.root, "media") for one in xml.children(element, "file")]
        named = [*xml.children(self.root, "encryptedXmlFile"), *media]
        return tuple(name for one in named if (name := (one.text or "").strip()))


@dataclass(frozen=True, slots=True)
class Reading:
    """The answers of a submission in the full shape of its form, and what did not fit into it."""

    answers: Answers
    findings: tuple[Finding, ...] = ()


def open_instance(content: bytes | str) -> Envelope:
    """The envelope of one submission. MalformedXml; UnsafeXml for a DOCTYPE, too deep, too many, more than 10 MB."""
    if isinstance(content, str):
        content = content.encode("utf-8", "surrogatepass")
    if len(content) > xml.MAX_BYTES:
        raise UnsafeXml(f"{len(content):,} bytes; at most {xml.MAX_BYTES:,}")
    root = xml.parse(content)
    meta = _meta(root)
    said = {} if meta is None else {xml.local_name(one): (one.text or "").strip() for one in reversed(meta)}
    namespace = etree.QName(root).namespace or ""
    return Envelope(
        root=root,
        form_id=(root.get("id") or ("" if namespace == xml.XFORMS else namespace)).strip(),
        version=(root.get("version") or "").strip(),
        instance_id=said.get("instanceID") or (root.get("instanceID") or "").strip(),
        deprecated_id=said.get("deprecatedID", ""),
        instance_name=said.get("instanceName", ""),
        started_at=_instant(_text(root, "start") or said.get("timeStart", "")),
        ended_at=_instant(_text(root, "end") or said.get("timeEnd", "")),
        audit=said.get("audit", ""),
        is_sealed=(root.get("encrypted") or "").strip().lower() == "yes",
    )


def leaves(envelope: Envelope) -> Iterator[tuple[str, str]]:
    """Path and text of all that it says beside its meta, whichever form that may be of; where one name stands several
    times, each has its position, from 1."""
    yield from _leaves(envelope.root, "")


def _leaves(parent: etree._Element, path: str) -> Iterator[tuple[str, str]]:
    named = [(xml.local_name(element), element) for element in parent if isinstance(element.tag, str)]
    counts, seen = Counter(name for name, _ in named), Counter[str]()
    for name, element in named:
        seen[name] += 1
        here = f"{path}{name}[{seen[name]}]" if counts[name] > 1 else f"{path}{name}"
        if len(element) and name != META:
            yield from _leaves(element, f"{here}/")
        elif (element.text or "").strip() and name != META:
            yield here, (element.text or "").strip()


def read_answers(definition: FormDefinition, envelope: Envelope) -> Reading:
    """Every answer, blank or not, under its name. Unknown and doubled nodes become findings; nothing is refused.

    Of a sealed submission no answer can be read, which is its one finding."""
    if envelope.is_sealed:
        return Reading(outline(definition).blank(), (Finding(Severity.INFO, Rule.SEALED, ""),))
    reader = _Reader(_about_root(definition, envelope.root))
    answers = reader.read(envelope.root, outline(definition), "")
    return Reading(answers, tuple(reader.findings))


def write(
    definition: FormDefinition,
    answers: Answers,
    *,
    instance_id: str,
    instance_name: str = "",
    deprecated_id: str = "",
    entities: Sequence[EntityElement] = (),
) -> str:
    """The instance XML of that form version. What `answers` leave out is left out, as clients leave out what is not
    relevant; a question answered with None is an empty element. Equal arguments give equal text."""
    writer = _Writer([], entities)
    namespace = f' xmlns="{_quoted(definition.namespace)}"' if definition.namespace else ""
    version = f' version="{_quoted(definition.version)}"' if definition.version else ""
    root = f'{definition.root_name}{namespace} xmlns:orx="{xml.OPENROSA}" id="{_quoted(definition.form_id)}"{version}'
    writer.parts.append(f"<{root}>")
    writer.write(outline(definition), answers, "")
    writer.parts.append("<orx:meta>")
    writer.entities("")
    for name, words in (("instanceID", instance_id), ("instanceName", instance_name), ("deprecatedID", deprecated_id)):
        if words:
            writer.parts.append(f"<orx:{name}>{_escaped(words)}</orx:{name}>")
    writer.parts.append(f"</orx:meta></{definition.root_name}>")
    return "".join(writer.parts)


def attachment_names(definition: FormDefinition, answers: Answers, envelope: Envelope | None = None) -> tuple[str, ...]:
    """The files that a submission names, each once, in the form's order; with the envelope, also its audit log and
    what holds sealed answers."""
    names = list(_files(outline(definition), answers))
    if envelope is not None:
        names += [*([envelope.audit] if envelope.audit else []), *envelope.sealed_files]
    return tuple(dict.fromkeys(names))


def entity_elements(
    definition: FormDefinition, envelope: Envelope, answers: Answers | None = None
) -> tuple[EntityElement, ...]:
    """What the submission's <entity> elements say. Blank answers count when their element was sent: an informant who
    no longer has a phone; `answers` cannot tell that from a question that was not asked, so the XML is read."""
    return tuple(elements_in(envelope.root, definition)) if definition.entities else ()


def _about_root(definition: FormDefinition, root: etree._Element) -> list[Finding]:
    name = xml.local_name(root)
    if name == definition.root_name:
        return []
    params = {"expected": definition.root_name}
    return [Finding(Severity.ERROR, Rule.MALFORMED, "", name[:LONGEST_VALUE], params=params)]


@dataclass(slots=True)
class _Reader:
    """Walks the elements along the outline; `where` is the slash path so far, "" or ending in a slash."""

    findings: list[Finding]

    def read(self, parent: etree._Element, branch: Branch, where: str) -> Answers:
        record: Answers = {}
        names = branch.names
        for element in parent:
            name = names.get(element.tag)
            if name is None or name in record:
                self._other(element, branch, record, where)
                continue
            text = element.text
            if text is None or text.isspace():
                text = None
                if len(element):
                    self._blank(element, f"{where}{name}/")
            record[name] = text
        return branch.completed(record)

    def _other(self, element: etree._Element, branch: Branch, record: Answers, where: str) -> None:
        """What is not a question's first element, or is under another namespace than usual."""
        known = branch.tags.get(element.tag) or self._known(element, branch)
        if known is None:
            self._say(Rule.UNKNOWN_NODE, element, where)
        elif isinstance(known, Branch):
            if known is not branch:
                self._branch(element, known, record, where)
        elif known.name in record:
            self._say(Rule.DUPLICATE_NODE, element, where)
        else:
            text = element.text
            record[known.name] = text if text and not text.isspace() else None
            if record[known.name] is None:
                self._blank(element, f"{where}{known.name}/")

    def _branch(self, element: etree._Element, branch: Branch, record: Answers, where: str) -> None:
        if branch.is_repeat:
            self._instance(element, branch, record.setdefault(branch.name, []), where)
        elif branch.name in record:
            self._say(Rule.DUPLICATE_NODE, element, where)
        else:
            record[branch.name] = self.read(element, branch, f"{where}{branch.name}/")

    def _known(self, element: etree._Element, branch: Branch) -> Leaf | Branch | None:
        """The child with that local name; the branch itself for its <meta>, which holds no answers."""
        name = xml.local_name(element)
        if name == META and branch.has_meta and name not in branch.tags:
            return branch
        return branch.tags.get(name)

    def _blank(self, element: etree._Element, where: str) -> None:
        """No answer; what stands there instead of one is found."""
        for inner in element:
            self._say(Rule.UNKNOWN_NODE, inner, where)

    def _instance(self, element: etree._Element, repeat: Branch, instances: list[Answers], where: str) -> None:
        if element.get(_TEMPLATE) is not None:
            return
        number = len(instances) + 1
        if number > MAX_REPEATS:
            self._too_many(f"{where}{repeat.name}")
        else:
            instances.append(self.read(element, repeat, f"{where}{repeat.name}[{number}]/"))

    def _too_many(self, path: str) -> None:
        found = Finding(Severity.ERROR, Rule.REPEAT_COUNT, path, params={"limit": str(MAX_REPEATS)})
        if found not in self.findings[-1:]:
            self.findings.append(found)

    def _say(self, rule: Rule, element: etree._Element, where: str) -> None:
        value = "".join(map(str, element.itertext()))[:LONGEST_VALUE]
        self.findings.append(Finding(Severity.ERROR, rule, f"{where}{xml.local_name(element)}", value))


@dataclass(slots=True)
class _Writer:
    parts: list[str]
    elements: Sequence[EntityElement]

    def write(self, branch: Branch, answers: Answers, where: str) -> None:
        for child in branch.children:
            if child.name not in answers:
                continue
            value = answers[child.name]
            if isinstance(child, Leaf):
                words = _escaped(value)
                self.parts.append(f"<{child.name}>{words}</{child.name}>" if words else f"<{child.name}/>")
            elif child.is_repeat:
                for number, instance in enumerate(value or (), 1):
                    self._container(child, instance, f"{where}{child.name}[{number}]")
            elif value is not None:
                self._container(child, value, f"{where}{child.name}")

    def _container(self, branch: Branch, answers: Answers, path: str) -> None:
        self.parts.append(f"<{branch.name}>")
        self.write(branch, answers, f"{path}/")
        if branch.has_meta and any(element.scope == path for element in self.elements):
            self.parts.append("<orx:meta>")
            self.entities(path)
            self.parts.append("</orx:meta>")
        self.parts.append(f"</{branch.name}>")

    def entities(self, scope: str) -> None:
        for element in self.elements:
            if element.scope == scope:
                self.parts.append(_entity_xml(element))


def _entity_xml(element: EntityElement) -> str:
    said = {
        "dataset": element.dataset,
        "id": element.id,
        "create": "1" if element.create else "",
        "update": "1" if element.update else "",
        "baseVersion": "" if element.base_version is None else str(element.base_version),
        "trunkVersion": "" if element.trunk_version is None else str(element.trunk_version),
        "branchId": element.branch_id,
        "lapangan:seen": element.seen.written() if element.seen is not None else "",
        "xmlns:lapangan": xml.LAPANGAN if element.seen is not None else "",
    }
    attributes = "".join(f' {name}="{_quoted(words)}"' for name, words in said.items() if words)
    label = "" if element.label is None else f"<label>{_escaped(element.label)}</label>"
    return f'<entity xmlns="{xml.ENTITIES}"{attributes}>{label}</entity>'


def _files(branch: Branch, answers: Answers) -> Iterator[str]:
    for child in branch.with_files:
        value = answers.get(child.name)
        if isinstance(child, Leaf):
            # A default picture is the form's attachment, which nobody sends: jr://images/map.png.
            if value and not str(value).startswith("jr://"):
                yield str(value)
        elif child.is_repeat:
            for instance in value or ():
                yield from _files(child, instance)
        elif value:
            yield from _files(child, value)


def _instant(written: str) -> datetime | None:
    if not written:
        return None
    try:
        instant = lexical.datetime_of(written)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None


def _meta(root: etree._Element) -> etree._Element | None:
    """The form's own <meta>. Looked for from the end, where clients write it."""
    return next(root.iterchildren(f"{{*}}{META}", reversed=True), None)


def _text(parent: etree._Element, name: str) -> str:
    element = xml.child(parent, name)
    return "" if element is None else (element.text or "").strip()


def _escaped(value: Any) -> str:
    """Text for an element; characters that XML cannot hold become U+FFFD."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _TO_ESCAPE.sub(_escape, _NO_XML.sub("\ufffd", str(value)))


def _quoted(words: str) -> str:
    return _IN_ATTRIBUTE.sub(_escape, _NO_XML.sub("\ufffd", words))


def _escape(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0]) or f"&#{ord(match[0])};"
