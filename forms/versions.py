"""Two versions of a form, compared in plain words: what is asked now, what is asked no more, which rules differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from forms.definition import Choice, FormDefinition, Node, Path, Question, Text
from forms.fault import Fault, fault
from forms.finding import Severity
from forms.kind import kind_of, stored_as

SENTENCES: Mapping[str, str] = {
    "added": "New ({becomes}).",
    "removed": "Not asked any more. Answers that were given stay in their records.",
    "renamed": "Now called {new}. Answers under the old name stay there.",
    "moved": "Now in {new}. Answers in the old place stay there.",
    "type": "Was {was}, is {becomes} now.",
    "conflict": "Was {was} and would become {becomes}: the answers that exist could not be exported in one column. Give"
    " the question its old type back, or another name.",
    "choice-added": "New choice “{choice}” in the list {list}.",
    "choice-removed": "The choice “{choice}” of the list {list} is gone: records that chose it are noticed when they"
    " are edited.",
    "choice-label": "The choice “{choice}” says “{new}” in {language}, not “{old}”.",
    "list": "Takes its choices from {new}, not from {old}.",
    "rule-added": "{column} is new: {new}",
    "rule-removed": "{column} is gone. It was: {old}",
    "rule": "{column} was {old} and is {new} now.",
    "words": "{column} in {language} was “{old}” and is “{new}” now.",
    "words-added": "{column} in {language} is new: “{new}”.",
    "words-removed": "{column} in {language} is gone. It was “{old}”.",
    "order": "The questions stand in another order.",
    "language-added": "The form speaks {language} now.",
    "language-removed": "The form does not speak {language} any more.",
    "title": "The form is called “{new}”, not “{old}”.",
    "version-not-above": "The version {new} is not above {old}: lists of versions will be in the wrong order.",
    "other-form": "The form ID was {old} and is {new} now: for devices and the server this is another form.",
}
_RULES: Mapping[str, str] = {
    "relevant": "relevant",
    "required": "required",
    "constraint": "constraint",
    "calculate": "calculation",
    "readonly": "readonly",
    "default": "default",
    "dynamic_default": "default",
    "count": "repeat_count",
    "saveto": "save_to",
    "merge": "merge",
    "pii": "pii",
    "appearance": "appearance",
}
_WORDS: Mapping[str, str] = {
    "label": "label",
    "hint": "hint",
    "guidance": "guidance_hint",
    "constraint_message": "constraint_message",
    "required_message": "required_message",
}
_JUDGING = frozenset({"relevant", "required", "constraint", "calculation", "readonly", "repeat_count"})
"""Columns whose rules judge answers."""
_STRING = re.compile(r"('[^']*'|\"[^\"]*\")")
_PATH = re.compile(r"(?<![\w.)/])(?:\.\./|\.\.|/)[\w./-]*")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `severity`: ERROR cannot be published, WARNING touches answers that exist, INFO does not."""

    code: str
    path: str
    label: Text = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    severity: Severity = Severity.INFO

    def as_fault(self) -> Fault:
        """As it goes over a wire, with the question's label beside its name."""
        path = tuple(self.path.split("/")) if self.path else ()
        told = fault(SENTENCES[self.code], params=self.params, severity=self.severity, code=self.code, path=path)
        return told | {"label": dict(self.label)}


def compare(old: FormDefinition, new: FormDefinition) -> tuple[Change, ...]:
    """Every difference that an author would name, in the order of the new form; what is gone comes last."""
    before, after = _nodes(old), _nodes(new)
    gone = [node for path, node in before.items() if path not in after]
    added = [node for path, node in after.items() if path not in before]
    successors = _successors(gone, added)
    found = [*_about_form(old, new)]
    for path, node in after.items():
        if path in before:
            found += _about_node(before[path], node)
        elif path not in successors.values():
            found.append(_change("added", node, becomes=kind_of(node)))
    found += _about_lists(old, new)
    for node in gone:
        found += _about_gone(node, after.get(successors.get(node.path, ())), successors)
    return tuple(found)


def conflicts(old: Iterable[FormDefinition], new: FormDefinition) -> tuple[Change, ...]:
    """Questions whose type changes so that earlier answers do not fit: only a question may become a text, and nothing
    else may become another type (ODK Central refuses the same, 400.17). `old` are the versions, the oldest first."""
    known: dict[Path, Node] = {node.path: node for version in old for node in version.walk()}
    return tuple(
        _change("conflict", node, Severity.ERROR, was=kind_of(known[node.path]), becomes=kind_of(node))
        for node in new.walk()
        if node.path in known and _clashes(stored_as(known[node.path]), stored_as(node))
    )


def readable(expression: str) -> str:
    """An expression as an author writes it: ${age} for /data/person/age."""
    parts = _STRING.split(" ".join(expression.split()))
    return "".join(part if at % 2 else _PATH.sub(_named, part) for at, part in enumerate(parts))


def _named(match: re.Match[str]) -> str:
    last = match[0].rstrip("/").rpartition("/")[2]
    return match[0] if last in ("", ".", "..") else f"${{{last}}}"


def _clashes(was: str, becomes: str) -> bool:
    if becomes == "string":
        return was in ("structure", "repeat")
    return was != becomes


def _nodes(form: FormDefinition) -> dict[Path, Node]:
    return {node.path: node for node in form.walk()}


def _change(code: str, node: Node, severity: Severity = Severity.INFO, **params: str) -> Change:
    return Change(code, "/".join(node.path), node.label, params, severity)


def _successors(gone: list[Node], added: list[Node]) -> dict[Path, Path]:
    """Which new node took the place of which: the same name elsewhere, or the same words under another name."""
    found: dict[Path, Path] = {}
    for node in gone:
        free = [one for one in added if one.path not in found.values() and stored_as(one) == stored_as(node)]
        same = [one for one in free if one.name == node.name] or [
            one for one in free if one.path[:-1] == node.path[:-1] and node.label and one.label == node.label
        ]
        if len(same) == 1:
            found[node.path] = same[0].path
    return found


def _about_gone(node: Node, successor: Node | None, successors: Mapping[Path, Path]) -> Iterator[Change]:
    if successor is None:
        yield _change("removed", node, Severity.WARNING)
    elif successor.name != node.name:
        yield _change("renamed", node, Severity.WARNING, new=successor.name)
    elif successors.get(node.path[:-1]) != successor.path[:-1]:
        # What moved along with its group needs no line of its own.
        yield _change("moved", node, Severity.WARNING, new="/".join(successor.path[:-1]) or "/")


def _about_form(old: FormDefinition, new: FormDefinition) -> Iterator[Change]:
    if old.form_id != new.form_id:
        yield Change("other-form", "", params={"old": old.form_id, "new": new.form_id}, severity=Severity.WARNING)
    elif old.version.isdigit() and new.version.isdigit() and int(new.version) <= int(old.version):
        told = {"old": old.version, "new": new.version}
        yield Change("version-not-above", "", params=told, severity=Severity.WARNING)
    if old.title != new.title:
        yield Change("title", "", params={"old": old.title, "new": new.title})
    yield from _about_languages(old, new)
    kept = _nodes(old).keys() & _nodes(new).keys()
    if [path for path in _nodes(old) if path in kept] != [path for path in _nodes(new) if path in kept]:
        yield Change("order", "")


def _about_languages(old: FormDefinition, new: FormDefinition) -> Iterator[Change]:
    for language in new.languages:
        if language not in old.languages:
            yield Change("language-added", "", params={"language": language})
    for language in old.languages:
        if language not in new.languages:
            yield Change("language-removed", "", params={"language": language}, severity=Severity.WARNING)


def _about_node(old: Node, new: Node) -> Iterator[Change]:
    if kind_of(old) != kind_of(new):
        yield _change("type", new, Severity.WARNING, was=kind_of(old), becomes=kind_of(new))
    for attribute, column in _RULES.items():
        severity = Severity.WARNING if column in _JUDGING else Severity.INFO
        yield from _about_rule(new, column, _rule(old, attribute), _rule(new, attribute), severity)
    for attribute, column in _WORDS.items():
        yield from _about_words(new, column, getattr(old, attribute, {}), getattr(new, attribute, {}))
    if isinstance(old, Question) and isinstance(new, Question):
        yield from _about_itemset(old, new)


def _rule(node: Node, attribute: str) -> str:
    return readable(str(getattr(node, attribute, "")))


def _about_rule(node: Node, column: str, old: str, new: str, severity: Severity) -> Iterator[Change]:
    if old == new:
        return
    code = "rule-added" if not old else "rule-removed" if not new else "rule"
    # A rule that is gone makes no answer wrong.
    yield _change(code, node, severity if new else Severity.INFO, column=column, old=old, new=new)


def _about_words(node: Node, column: str, old: Text, new: Text) -> Iterator[Change]:
    for language in dict.fromkeys((*old, *new)):
        was, now = old.get(language, ""), new.get(language, "")
        if was != now:
            code = "words-added" if not was else "words-removed" if not now else "words"
            yield _change(code, node, column=column, language=language or "–", old=was, new=now)


def _about_itemset(old: Question, new: Question) -> Iterator[Change]:
    was, now = old.itemset, new.itemset
    if was is None or now is None:
        return
    if was.instance != now.instance:
        yield _change("list", new, Severity.WARNING, old=was.instance or "–", new=now.instance or "–")
    filters = readable(was.predicate), readable(now.predicate)
    yield from _about_rule(new, "choice_filter", *filters, Severity.WARNING)
    if not was.instance and not now.instance:
        yield from _about_choices(new, new.name, was.choices, now.choices)


def _about_lists(old: FormDefinition, new: FormDefinition) -> Iterator[Change]:
    """The choices of each list once, at the first question that offers them."""
    for id_, instance in new.instances.items():
        asked = next((one for one in new.questions() if one.itemset and one.itemset.instance == id_), None)
        before = old.instances.get(id_)
        if asked is not None and before is not None and not (before.src or instance.src):
            yield from _about_choices(asked, id_, before.choices, instance.choices)


def _about_choices(node: Node, list_name: str, old: Iterable[Choice], new: Iterable[Choice]) -> Iterator[Change]:
    before, after = ({choice.name: choice for choice in choices} for choices in (old, new))
    for name, choice in after.items():
        if name not in before:
            yield _change("choice-added", node, choice=name, list=list_name)
            continue
        for language in dict.fromkeys((*before[name].label, *choice.label)):
            was, now = before[name].label.get(language, "–"), choice.label.get(language, "–")
            if was != now:
                yield _change("choice-label", node, choice=name, language=language or "–", old=was, new=now)
    for name in before:
        if name not in after:
            yield _change("choice-removed", node, Severity.WARNING, choice=name, list=list_name)
