"""What a form's body shows: groups, repeats and the controls of questions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lxml import etree

from forms import xml
from forms.bind import Rules, parameters, steps
from forms.definition import Choice, Itemset, Path, Remark, Text
from forms.itext import Itext, text_id

CONTROLS = frozenset({"input", "secret", "select1", "select", "upload", "trigger", "range", "rank"})
_COUNT = f"{{{xml.JAVAROSA}}}count"
_FIXED = f"{{{xml.JAVAROSA}}}noAddRemove"
_KNOWN = CONTROLS | {"group", "repeat", "label", "hint", "help", "alert", "setvalue", "setgeopoint", "recordaudio"}
"""What may stand in a body or a group."""
_READ = frozenset({"ref", "nodeset", "bind", "appearance", "mediatype", "query"})
_SCALE = frozenset({"start", "end", "step"})
_INSTANCE = re.compile(r"\s*instance\(\s*(['\"])([^'\"]+)\1\s*\)\s*(?:/\s*[\w.-]+\s*)*")
_PATH = re.compile(r"\s*(?:current\(\)\s*/\s*)?[\w./:\s-]+")


@dataclass(frozen=True, slots=True)
class Control:
    """How one question is asked."""

    kind: str = ""
    label: Text = field(default_factory=dict)
    hint: Text = field(default_factory=dict)
    guidance: Text = field(default_factory=dict)
    media: Mapping[str, Text] = field(default_factory=dict)
    appearance: str = ""
    mediatype: str = ""
    itemset: Itemset | None = None
    range: tuple[str, str, str] | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


UNSHOWN = Control()


@dataclass(frozen=True, slots=True)
class Section:
    """How a group or a repeat is shown."""

    is_repeat: bool = False
    label: Text = field(default_factory=dict)
    appearance: str = ""
    count: str = ""
    is_fixed: bool = False
    """Nobody may add or remove occurrences."""


@dataclass(frozen=True, slots=True)
class Body:
    """Controls and sections by the path of their node."""

    controls: Mapping[Path, Control]
    sections: Mapping[Path, Section]
    remarks: tuple[Remark, ...] = ()
    lost: tuple[str, ...] = ()
    """Controls that name no node."""


def read_body(body: etree._Element | None, itext: Itext, rules: Rules, root_name: str) -> Body:
    """Everything that is shown; a form without a body shows nothing."""
    reader = _Reader(itext, rules, root_name)
    if body is not None:
        reader.read(body, ())
    return Body(reader.controls, reader.sections, tuple(reader.remarks), tuple(reader.lost))


@dataclass(slots=True)
class _Reader:
    itext: Itext
    rules: Rules
    root_name: str
    controls: dict[Path, Control] = field(default_factory=dict)
    sections: dict[Path, Section] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def read(self, parent: etree._Element, context: Path) -> None:
        for element in parent:
            name = xml.local_name(element)
            if name in {"group", "repeat"}:
                self._section(element, context, is_repeat=name == "repeat")
            elif name in CONTROLS:
                self._control(element, context, name)
            elif name not in _KNOWN:
                self.remarks.append(Remark("unknown-element", context, {"element": name}))

    def _section(self, element: etree._Element, context: Path, *, is_repeat: bool) -> None:
        reference = self.rules.reference(element)
        path = context if reference is None else steps(reference, self.root_name, context)
        if reference is not None:
            around = self.sections.get(path, Section())
            self.sections[path] = Section(
                is_repeat or around.is_repeat,
                self.itext.words(xml.child(element, "label")) or around.label,
                element.get("appearance") or around.appearance,
                (element.get(_COUNT) or around.count).strip(),
                around.is_fixed or element.get(_FIXED, "").replace(" ", "") == "true()",
            )
        self.read(element, path)

    def _control(self, element: etree._Element, context: Path, kind: str) -> None:
        reference = self.rules.reference(element)
        if reference is None:
            self.lost.append(kind)
            return
        path = steps(reference, self.root_name, context)
        control = self._read(element, kind, path)
        before = self.controls.setdefault(path, control)
        if before.itemset != control.itemset:
            # Either may have been the one that was shown: which choices were offered is not known.
            self.controls[path] = replace(before, itemset=None)
            self.remarks.append(Remark("asked-twice", path))

    def _read(self, element: etree._Element, kind: str, path: Path) -> Control:
        label, hint = xml.child(element, "label"), xml.child(element, "hint")
        # What a range holds are the words beside its ticks.
        itemset = None if kind == "range" else read_itemset(element, self.itext)
        if kind != "range" and itemset is None and _nodeset(element):
            self.remarks.append(Remark("choices-not-checked", path, {"nodeset": _nodeset(element)}))
        return Control(
            kind="input" if kind == "secret" else kind,
            label=self.itext.words(label),
            hint=self.itext.words(hint),
            guidance=self.itext.guidance(hint),
            media=self.itext.media(label),
            appearance=element.get("appearance", ""),
            mediatype=element.get("mediatype", ""),
            itemset=itemset,
            range=_range(element) if kind == "range" else None,
            parameters=parameters(element, _READ | _SCALE if kind == "range" else _READ),
        )


def read_itemset(control: etree._Element, itext: Itext) -> Itemset | None:
    """Where the choices of a control come from; None when it offers none, or none that can be looked up."""
    nodeset = _nodeset(control)
    if not nodeset:
        items = xml.children(control, "item")
        return Itemset("", choices=tuple(_choice(item, itext) for item in items)) if items else None
    source, is_randomized = _unshuffled(nodeset)
    found = split_nodeset(source)
    if found is None:
        return None
    itemset = xml.child(control, "itemset")
    value = label = None
    if itemset is not None:
        value, label = xml.child(itemset, "value"), xml.child(itemset, "label")
    return Itemset(
        *found,
        value_column=_column(value, "name"),
        label_column=_column(label, "label"),
        randomized=is_randomized,
    )


def external_list(control: etree._Element) -> str:
    """The list in itemsets.csv from which a control takes its choices (select_one_external); "" when it does not."""
    found = split_nodeset(control.get("query", ""))
    return found[0] if found else ""


def _nodeset(control: etree._Element) -> str:
    itemset = xml.child(control, "itemset")
    return (control.get("query", "") if itemset is None else itemset.get("nodeset", "")).strip()


def split_nodeset(source: str) -> tuple[str, str] | None:
    """The instance (or the path) that a nodeset names, and its predicate; several predicates are joined by "and".

    None for what is neither: a union, or steps that follow a predicate."""
    named = _INSTANCE.match(source)
    match = named or _PATH.match(source)
    if match is None:
        return None
    start = named[2] if named else match[0].strip()
    predicates, rest = top_level(source[match.end() :])
    if rest:
        return None
    if len(predicates) > 1:
        return start, " and ".join(f"({predicate})" for predicate in predicates)
    return start, predicates[0] if predicates else ""


def top_level(source: str) -> tuple[list[str], str]:
    """The contents of `[...][...]`, quotes and inner brackets respected; and what stands outside them."""
    found: list[str] = []
    outside = ""
    depth, begin, quote = 0, 0, ""
    for at, letter in enumerate(source):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "[":
            depth += 1
            begin = at + 1 if depth == 1 else begin
        elif letter == "]":
            depth -= 1
            if depth == 0:
                found.append(source[begin:at].strip())
        elif depth == 0:
            outside += letter
    return found, outside.strip()


def _unshuffled(source: str) -> tuple[str, bool]:
    source = source.strip()
    if not source.startswith("randomize("):
        return source, False
    inner = source.removeprefix("randomize(").removesuffix(")")
    return inner[: _first_comma(inner)], True


def _first_comma(source: str) -> int:
    depth, quote = 0, ""
    for at, letter in enumerate(source):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "([":
            depth += 1
        elif letter in ")]":
            depth -= 1
        elif letter == "," and depth == 0:
            return at
    return len(source)


def _column(element: etree._Element | None, default: str) -> str:
    reference = "" if element is None else (element.get("ref") or "").strip()
    if reference.startswith("jr:itext("):
        reference = reference.removeprefix("jr:itext(").removesuffix(")").strip()
    return reference or default


def _choice(item: etree._Element, itext: Itext) -> Choice:
    label, value = xml.child(item, "label"), xml.child(item, "value")
    reference = "" if label is None else label.get("ref", "")
    name = "" if value is None else (value.text or "").strip()
    return Choice(name, itext.words(label), media=itext.media_by_id(text_id(reference)))


def _range(element: etree._Element) -> tuple[str, str, str]:
    start, end, step = (element.get(name, "").strip() for name in ("start", "end", "step"))
    return start, end, step
