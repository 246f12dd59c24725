"""What an author should know before a form is published: nothing here stops it unless its severity is ERROR."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from forms.compared import choices_of, compared
from forms.convention import conventions
from forms.definition import DataType, FormDefinition, Node, Path, Question, Repeat
from forms.expression.deep import Deep, run
from forms.expression.syntax import Binary, Call, Expression
from forms.expression.syntax import Path as PathExpression
from forms.finding import Severity
from forms.notice import Notice, notice
from forms.policy import KEY, POLICIES, Policy, fits, keys_of
from forms.program.build import Builder, prepare
from forms.program.rules import rules
from forms.program.source import COLUMNS

MOST_TYPED = 999_999_999
"""Collect's field for whole numbers takes nine digits."""
LARGEST_PRINTED = 2_147_483_647
"""Above it, Collect prints 2.5E9."""

_NO_CLIENT = frozenset({"osm/*"})
"""Collect dropped OpenStreetMap questions."""
_OUTSIDE_APP = re.compile(r"\b(?:ex|printer|intent):\s*([\w.]+)")
_NONE = ("none", "tidak_ada")
_REMARKED = {
    "unknown-type": ("", "type"),
    "choices-not-checked": ("", "choice_filter"),
    "sealed": ("settings", "public_key"),
    "sent-elsewhere": ("settings", "submission_url"),
}
"""Where in a workbook an author wrote what is remarked upon: sheet ("" for the survey's) and column."""
_DIGITS = re.compile(r"\d{10,}")
_MANY = (DataType.SELECT, DataType.RANK)
_JUDGED = {name: COLUMNS[name] for name in ("relevant", "required", "constraint", "calculate", "readonly", "count")} | {
    "choice": "type",
    "range": "parameters",
}
CHOICES = "choices"
_LABELLED = frozenset({"input", "select", "select1", "upload", "range", "rank"})


def lint(definition: FormDefinition) -> tuple[Notice, ...]:
    """Every notice, in the order of the form."""
    builder = prepare(definition)
    found = [
        *conventions(definition),
        *_about_remarks(definition),
        *_about_expressions(builder),
        *compared(builder.sources),
        *_about_undecidable(builder),
        *_about_nodes(builder),
        *_about_merging(definition),
        *_about_lists(definition),
    ]
    places = {"/".join(node.path): at for at, node in enumerate(definition.walk())}
    return tuple(sorted(found, key=lambda notice: places.get(notice.path, len(places))))


def _about_remarks(definition: FormDefinition) -> Iterator[Notice]:
    """What was read and does nothing, or not what it seems to."""
    for remark in definition.remarks:
        sheet, column = _REMARKED.get(remark.code, ("", ""))
        params = {"path": "/".join(remark.path), **remark.params}
        yield notice(remark.code, remark.path, column=column, sheet=sheet, params=params)


def _about_expressions(builder: Builder) -> Iterator[Notice]:
    for (path, attribute), variants in builder.variants.items():
        column = COLUMNS.get(attribute, attribute)
        for code, params in variants.notes.notices.items():
            yield notice(code, path, column=column, params=params)
    for (path, attribute), expression in builder.sources.parsed.items():
        if attribute == "calculate":
            for name in sorted(set(run(_added(expression))) & _optional(builder, path)):
                yield notice("optional-in-sum", path, Severity.INFO, column="calculation", params={"question": name})


def _about_undecidable(builder: Builder) -> Iterator[Notice]:
    """Rules that nobody can judge from a record alone: no finding will ever say so."""
    if not builder.sources.faults:
        rules(builder)
    for (path, attribute), reasons in builder.undecidable().items():
        if attribute in _JUDGED:
            for reason in reasons:
                yield notice(f"unjudged-{reason}", path, Severity.INFO, column=_JUDGED[attribute])


def _added(expression: Expression) -> Deep[list[str]]:
    """The names of the questions that are added up as they are."""
    if isinstance(expression, Binary) and expression.operator == "+":
        left: list[str] = yield _added(expression.left)
        right: list[str] = yield _added(expression.right)
        return [*left, *right, *(_name(side) for side in (expression.left, expression.right))]
    if isinstance(expression, Call) and expression.name in ("round", "int", "number", "string"):
        inner: list[list[str]] = []
        for one in expression.arguments:
            inner.append((yield _added(one)))
        return [name for names in inner for name in names]
    return []


def _name(expression: Expression) -> str:
    is_path = isinstance(expression, PathExpression) and bool(expression.steps)
    return expression.steps[-1].name if is_path and isinstance(expression, PathExpression) else ""


def _optional(builder: Builder, path: Path) -> set[str]:
    """The questions that may be blank while the calculation at `path` is worked out."""
    own = set(builder.order.relevances(path))
    return {
        question.name
        for question in builder.definition.questions()
        if question.control
        and (not question.required or set(builder.order.relevances(question.path)) - own)
        and question.type in (DataType.INT, DataType.DECIMAL)
    }


def _about_nodes(builder: Builder) -> Iterator[Notice]:
    for node in builder.definition.walk():
        if isinstance(node, Question):
            yield from _about_question(builder.definition, node)
        elif isinstance(node, Repeat) and node.count:
            yield from _about_count(builder, node)


def _about_question(definition: FormDefinition, question: Question) -> Iterator[Notice]:
    if question.required and not question.control and not question.calculate:
        yield notice("required-unseen", question.path, column="required")
    if question.control in _LABELLED and not question.label and not question.media:
        yield notice("no-label", question.path, column="label")
    if question.is_set_by_action and not question.control and question.type in (DataType.GEOPOINT, DataType.BINARY):
        yield notice("before-consent", question.path, column="type")
    yield from _about_apps(question)
    yield from _about_digits(question)
    yield from _about_none(definition, question)


def _about_apps(question: Question) -> Iterator[Notice]:
    """Who could fill it in."""
    if question.type is DataType.INTENT or question.mediatype in _NO_CLIENT:
        yield notice(
            "no-client", question.path, column="type", params={"type": question.mediatype or question.type.value}
        )
    app = _OUTSIDE_APP.search(question.appearance)
    if app:
        yield notice("outside-app", question.path, Severity.INFO, column="appearance", params={"app": app[1]})


def _about_digits(question: Question) -> Iterator[Notice]:
    numbers = [int(digits) for digits in _DIGITS.findall(question.constraint)]
    if question.type is DataType.INT and any(number > MOST_TYPED for number in numbers):
        yield notice("long-number", question.path, column="constraint")
    large = [int(digits) for digits in _DIGITS.findall(question.calculate)]
    if any(number > LARGEST_PRINTED for number in large):
        yield notice("large-number", question.path, column="calculation")


def _about_none(definition: FormDefinition, question: Question) -> Iterator[Notice]:
    if question.type is DataType.SELECT:
        for choice in choices_of(definition, question):
            if choice.name in _NONE and choice.name not in question.constraint:
                yield notice("none-with-others", question.path, column="constraint", params={"choice": choice.name})


def _about_count(builder: Builder, repeat: Repeat) -> Iterator[Notice]:
    variants = builder.variants.get((repeat.path, "count"))
    for read in variants.notes.reads if variants else ():
        counted = builder.definition.at(read.path)
        if _is_unbounded(counted):
            yield notice("count-without-bound", repeat.path, column="repeat_count", params={"question": read.path[-1]})


def _is_unbounded(node: Node | None) -> bool:
    is_typed = isinstance(node, Question) and node.control == "input" and node.type is DataType.INT
    return is_typed and isinstance(node, Question) and not node.constraint


def _about_merging(definition: FormDefinition) -> Iterator[Notice]:
    keyed = [repeat for repeat in definition.repeats() if keys_of(repeat)]
    keys = {key.path for repeat in keyed for key in keys_of(repeat)}
    unkeyed = [repeat.path for repeat in definition.repeats() if repeat not in keyed]
    for node in definition.walk():
        if node.merge == KEY:
            if node.path not in keys:
                yield notice("merge-key-alone", node.path, Severity.ERROR, column="merge")
        elif node.merge:
            is_inside = any(node.path[: len(path)] == path != node.path for path in unkeyed)
            yield from _about_policy(node, is_inside=is_inside)
    for repeat in keyed:
        if len(keys_of(repeat)) > 1:
            yield notice("merge-key-twice", repeat.path, Severity.ERROR, column="merge")


def _about_policy(node: Node, *, is_inside: bool) -> Iterator[Notice]:
    policy = POLICIES.get(node.merge)
    if policy is None:
        yield notice("merge-unknown", node.path, Severity.ERROR, column="merge", params={"policy": node.merge})
    elif not fits(node, policy):
        kind = node.type.value if isinstance(node, Question) and node.control else _kind(node)
        params = {"policy": policy.value, "type": kind}
        yield notice("merge-misfit", node.path, Severity.ERROR, column="merge", params=params)
    elif is_inside and policy is not Policy.FLAG:
        yield notice("merge-without-key", node.path, column="merge", params={"policy": policy.value})


def _kind(node: Node) -> str:
    return "calculate" if isinstance(node, Question) else type(node).__name__.lower()


def _about_lists(definition: FormDefinition) -> Iterator[Notice]:
    several = {one.itemset.instance for one in definition.questions() if one.itemset and one.type in _MANY}
    asked = {one.itemset.instance for one in definition.questions() if one.itemset}
    for instance in definition.instances.values():
        if instance.src:
            continue
        if not instance.choices and instance.id in asked:
            yield notice("no-choices", sheet=CHOICES, column="list_name", params={"list": instance.id})
        counted = Counter((choice.name, tuple(sorted(choice.columns.items()))) for choice in instance.choices)
        for (name, _), times in counted.items():
            where = {"list": instance.id, "choice": name}
            if times > 1:
                yield notice("choice-twice", sheet=CHOICES, column="name", params=where)
            if instance.id in several and len(name.split()) > 1:
                yield notice("choice-space", sheet=CHOICES, column="name", params=where)
            elif instance.id in asked and re.search(r"[\s,]", name):
                yield notice("choice-comma", severity=Severity.INFO, sheet=CHOICES, column="name", params=where)
