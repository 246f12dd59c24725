"""The kind of a question in words: the same in the console, on paper and in comparisons."""

from __future__ import annotations

from collections.abc import Mapping

from forms.definition import DataType, Group, Node, Question

KINDS: Mapping[str, str] = {
    "string": "text",
    "int": "whole number",
    "decimal": "number",
    "boolean": "yes or no",
    "date": "date",
    "time": "time",
    "dateTime": "date and time",
    "geopoint": "place",
    "geotrace": "line",
    "geoshape": "area",
    "binary": "file",
    "barcode": "barcode",
    "intent": "another app",
    "select": "several choices",
    "select1": "one choice",
    "rank": "order of choices",
    "group": "group",
    "repeat": "repeat",
    "calculate": "calculated",
}
_TEXTS = (DataType.SELECT, DataType.SELECT1, DataType.RANK)


def kind_of(node: Node) -> str:
    """One of the words of KINDS."""
    if not isinstance(node, Question):
        return KINDS["group" if isinstance(node, Group) else "repeat"]
    return KINDS["calculate" if node.calculate and not node.control else node.type.value]


def stored_as(node: Node) -> str:
    """What ODK Central calls the type: choices are kept as strings, groups are structures."""
    if not isinstance(node, Question):
        return "structure" if isinstance(node, Group) else "repeat"
    return "string" if node.type in _TEXTS else node.type.value


def is_note(question: Question) -> bool:
    """Words that are only read: an input that nobody can fill."""
    is_silent = not (question.calculate or question.default or question.preload or question.is_set_by_action)
    return question.control == "input" and question.readonly.replace(" ", "") == "true()" and is_silent
