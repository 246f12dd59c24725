"""Answers of choice questions that a form's rules compare with texts: is that ever true?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from forms.definition import Choice, DataType, FormDefinition, Path, Question
from forms.expression.names import nearest
from forms.expression.syntax import Binary, Call, Expression, Literal, Negative
from forms.expression.syntax import Path as PathExpression
from forms.notice import Notice, notice
from forms.program.source import COLUMNS, Sources

_SELECTED = frozenset({"selected", "is-selected"})
_MANY = (DataType.SELECT, DataType.RANK)


def compared(sources: Sources) -> Iterator[Notice]:
    """A comparison with what is no choice, and = where several answers may stand."""
    reader = _Reader(sources.definition, {node.path: node for node in _questions(sources.definition)})
    for (path, attribute), expression in sources.parsed.items():
        if attribute != "choice_filter":
            column = COLUMNS.get(attribute, attribute)
            seen = {(one.code, *one.params.values()): one for one in reader.about(path, column, expression)}
            yield from seen.values()


def choices_of(definition: FormDefinition, question: Question) -> tuple[Choice, ...]:
    """What is written in the form itself; nothing for a list that comes from a file."""
    if question.itemset is None or question.itemset.value_column != "name":
        return ()
    instance = definition.instances.get(question.itemset.instance)
    return instance.choices if instance is not None else question.itemset.choices


def _questions(definition: FormDefinition) -> Iterator[Question]:
    return (one for one in definition.questions() if one.itemset is not None)


@dataclass(frozen=True, slots=True)
class _Reader:
    definition: FormDefinition
    questions: Mapping[Path, Question]

    def about(self, here: Path, column: str, expression: Expression) -> Iterator[Notice]:
        waiting = [expression]
        while waiting:
            one = waiting.pop()
            if isinstance(one, Negative):
                waiting.append(one.operand)
            elif isinstance(one, Binary):
                waiting += [one.right, one.left]
                if one.operator in ("=", "!="):
                    yield from self._pair(here, column, one.left, one.right, is_equality=True)
            elif isinstance(one, Call):
                waiting += reversed(one.arguments)
                if one.name in _SELECTED and len(one.arguments) == 2:
                    yield from self._pair(here, column, *one.arguments, is_equality=False)

    def _pair(
        self, here: Path, column: str, one: Expression, other: Expression, *, is_equality: bool
    ) -> Iterator[Notice]:
        if isinstance(one, Literal) and is_equality:
            one, other = other, one
        question = self._question(here, one)
        if question is None or not isinstance(other, Literal) or not other.value.strip():
            return
        names = [choice.name for choice in choices_of(self.definition, question)]
        params = {"question": question.name, "literal": other.value}
        if names and other.value not in names:
            params["meant"] = nearest(other.value, names)
            yield notice("no-such-choice", here, column=column, params=params)
        elif is_equality and question.type in _MANY:
            yield notice("multiple-equals", here, column=column, params=params)

    def _question(self, here: Path, expression: Expression) -> Question | None:
        """The choice question that a plain path leads to."""
        if not isinstance(expression, PathExpression) or expression.predicates:
            return None
        is_current = isinstance(expression.start, Call) and expression.start.name == "current"
        if not (expression.start is None or expression.start == "/" or is_current):
            return None
        path = [""] if expression.start == "/" else list(here)
        for step in expression.steps:
            if step.axis == "parent":
                del path[-1:]
            elif step.axis == "child":
                path.append(step.name.rpartition(":")[2])
            elif step.axis != "self":
                return None
        if expression.start == "/":
            del path[:2]
        return self.questions.get(tuple(path))
