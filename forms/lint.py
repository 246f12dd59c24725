"""What an author should know before a form is published: nothing here stops it unless its severity is ERROR."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from forms.definition import Choice, DataType, FormDefinition, Node, Path, Question, Repeat
from forms.expression.deep import Deep, run
from forms.expression.syntax import Binary, Call, Expression
from forms.expression.syntax import Path as PathExpression
from forms.finding import Severity
from forms.policy import KEY, POLICIES, Policy, fits, keys_of
from forms.program.build import Builder, prepare
from forms.program.source import COLUMNS

MOST_TYPED = 999_999_999
"""Collect's field for whole numbers takes nine digits."""
LARGEST_PRINTED = 2_147_483_647
"""Above it, Collect prints 2.5E9."""

SENTENCES: Mapping[str, str] = {
    "date-literal": "In {column}, '{literal}' is compared as text: write date('{literal}').",
    "date-text": "In {column}, a date is compared with a text; apps differ on that. Make the text a date with date().",
    "bare-path": "In {column}, an answer stands where a condition is expected; apps differ on what is true. Compare it,"
    " for example with != ''.",
    "several-nodes": "In {column}, a path finds several answers where one is expected; some apps refuse it.",
    "absolute-in-repeat": "In {column}, {path} is read from inside its own repeat; apps differ on whose answer is"
    " meant. Write ../ for the same occurrence.",
    "regex-not-anchored": "In {column}, some apps look for {pattern} anywhere in the answer: begin it with ^ and end it"
    " with $.",
    "numeric-predicate": "In {column}, [number] does not work in Collect: write [position() = ...].",
    "optional-in-sum": "In {column}, {question} may be blank, and then the result is blank: write"
    " coalesce(${{{question}}}, 0).",
    "large-number": "In {column}, numbers above 2,147,483,647 are printed with an exponent by Collect.",
    "choice-space": "The choice {choice!r} has a space in its name: a question with several answers cannot tell it from"
    " two choices.",
    "choice-twice": "The choice {choice!r} is in the list {list} more than once.",
    "no-choices": "There is no choice in the list {list}.",
    "none-with-others": "{choice!r} can be chosen together with other answers: add not(selected(., '{choice}') and"
    " count-selected(.) > 1) as a constraint.",
    "long-number": "Collect takes nine digits in a whole number, and the constraint allows more: make it a decimal.",
    "before-consent": "This is recorded as soon as the form opens, before anyone could consent.",
    "count-without-bound": "The repeat is as long as {question} says, which has no constraint: a slip of the finger"
    " makes thousands.",
    "required-unseen": "It is required but never shown: nobody can fill it in.",
    "merge-unknown": "There is no way to merge called {policy!r}: write flag, latest, max, min, union, append or key.",
    "merge-misfit": "Answers to a question of this kind ({type}) cannot be merged by {policy}.",
    "merge-key-alone": "A key tells the entries of a repeat apart: it belongs to a question inside a repeat.",
    "merge-key-twice": "This repeat has more than one key: leave one.",
    "merge-without-key": "A repeat without a key is merged as one answer, so {policy} has no effect here: make the"
    " question that tells its entries apart the key.",
    "no-label": "It is shown without a label.",
    "unknown-type": "No app knows the type {type!r}: the answer is taken as text.",
    "bound-twice": "It has two sets of rules (binds), and apps differ on which one counts.",
    "bind-without-question": "The form has rules for {path!r}, but no such question: they do nothing.",
    "unknown-element": "<{element}> in the body means nothing to this server, nor to most apps.",
    "asked-twice": "It is asked in two places with different choices: which of them were offered cannot be checked.",
    "choices-not-checked": "Its choices come from {nodeset}, which this server cannot look up: they are not checked.",
    "sealed": "Answers arrive sealed with the form's public key. They are kept, but nobody without the private key can"
    " read them: this server cannot check, show or count them, and only ODK Collect can fill the form in.",
    "sent-elsewhere": "Devices send the answers to {address}, wherever they got the form: remove submission_url from"
    " the settings if they should come here.",
    "no-client": "No app that speaks to this server can fill in a question of this kind ({type}).",
}
_DIGITS = re.compile(r"\d{10,}")
_LABELLED = frozenset({"input", "select", "select1", "upload", "range", "rank"})


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know about one node; `code` is its name, `params` fill its sentence."""

    severity: Severity
    path: str
    code: str
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def message(self) -> str:
        return SENTENCES[self.code].format(**self.params)


def lint(definition: FormDefinition) -> tuple[Notice, ...]:
    """Every notice, in the order of the form."""
    builder = prepare(definition)
    found = [
        *_about_remarks(definition),
        *_about_expressions(builder),
        *_about_nodes(builder),
        *_about_merging(definition),
        *_about_lists(definition),
    ]
    places = {"/".join(node.path): at for at, node in enumerate(definition.walk())}
    return tuple(sorted(found, key=lambda notice: places.get(notice.path, len(places))))


def _notice(code: str, path: Path = (), severity: Severity = Severity.WARNING, **params: str) -> Notice:
    return Notice(severity, "/".join(path), code, params)


def _about_remarks(definition: FormDefinition) -> Iterator[Notice]:
    for remark in definition.remarks:
        params = {"path": "/".join(remark.path), **remark.params}
        yield Notice(Severity.WARNING, "/".join(remark.path), remark.code, params)


def _about_expressions(builder: Builder) -> Iterator[Notice]:
    for (path, attribute), variants in builder.variants.items():
        column = COLUMNS.get(attribute, attribute)
        for code, params in variants.notes.notices.items():
            yield Notice(Severity.WARNING, "/".join(path), code, {**params, "column": column})
    for (path, attribute), expression in builder.sources.parsed.items():
        if attribute == "calculate":
            for name in sorted(set(run(_added(expression))) & _optional(builder, path)):
                yield _notice("optional-in-sum", path, Severity.INFO, column="calculation", question=name)


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
        yield _notice("required-unseen", question.path)
    if question.control in _LABELLED and not question.label and not question.media:
        yield _notice("no-label", question.path)
    if question.is_set_by_action and not question.control and question.type in (DataType.GEOPOINT, DataType.BINARY):
        yield _notice("before-consent", question.path)
    if question.type is DataType.INTENT:
        yield _notice("no-client", question.path, type=question.type.value)
    yield from _about_digits(question)
    yield from _about_none(definition, question)


def _about_digits(question: Question) -> Iterator[Notice]:
    numbers = [int(digits) for digits in _DIGITS.findall(question.constraint)]
    if question.type is DataType.INT and any(number > MOST_TYPED for number in numbers):
        yield _notice("long-number", question.path)
    large = [int(digits) for digits in _DIGITS.findall(question.calculate)]
    if any(number > LARGEST_PRINTED for number in large):
        yield _notice("large-number", question.path, column="calculation")


def _about_none(definition: FormDefinition, question: Question) -> Iterator[Notice]:
    if question.type is not DataType.SELECT:
        return
    for choice in _choices(definition, question):
        if choice.name == "none" and "none" not in question.constraint:
            yield _notice("none-with-others", question.path, choice=choice.name)
        if len(choice.name.split()) > 1:
            yield _notice("choice-space", question.path, choice=choice.name)


def _choices(definition: FormDefinition, question: Question) -> tuple[Choice, ...]:
    if question.itemset is None:
        return ()
    instance = definition.instances.get(question.itemset.instance)
    return instance.choices if instance is not None else question.itemset.choices


def _about_count(builder: Builder, repeat: Repeat) -> Iterator[Notice]:
    variants = builder.variants.get((repeat.path, "count"))
    for read in variants.notes.reads if variants else ():
        counted = builder.definition.at(read.path)
        if _is_unbounded(counted):
            yield _notice("count-without-bound", repeat.path, question=read.path[-1])


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
                yield _notice("merge-key-alone", node.path, Severity.ERROR)
        elif node.merge:
            is_inside = any(node.path[: len(path)] == path != node.path for path in unkeyed)
            yield from _about_policy(node, is_inside=is_inside)
    for repeat in keyed:
        if len(keys_of(repeat)) > 1:
            yield _notice("merge-key-twice", repeat.path, Severity.ERROR)


def _about_policy(node: Node, *, is_inside: bool) -> Iterator[Notice]:
    policy = POLICIES.get(node.merge)
    if policy is None:
        yield _notice("merge-unknown", node.path, Severity.ERROR, policy=node.merge)
    elif not fits(node, policy):
        kind = node.type.value if isinstance(node, Question) and node.control else _kind(node)
        yield _notice("merge-misfit", node.path, Severity.ERROR, policy=policy.value, type=kind)
    elif is_inside and policy is not Policy.FLAG:
        yield _notice("merge-without-key", node.path, policy=policy.value)


def _kind(node: Node) -> str:
    return "calculate" if isinstance(node, Question) else type(node).__name__.lower()


def _about_lists(definition: FormDefinition) -> Iterator[Notice]:
    filtered = {question.itemset.instance for question in definition.questions() if question.itemset}
    for instance in definition.instances.values():
        if instance.src:
            continue
        if not instance.choices and instance.id in filtered:
            yield _notice("no-choices", list=instance.id)
        counted = Counter((choice.name, tuple(sorted(choice.columns.items()))) for choice in instance.choices)
        for (name, _), times in counted.items():
            if times > 1:
                yield _notice("choice-twice", choice=name, list=instance.id)
