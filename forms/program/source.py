"""Every expression of a form, parsed, with the faults of those that cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from forms.definition import DataType, FormDefinition, Node, Path, Question
from forms.expression.deep import Deep, run
from forms.expression.functions import SIGNATURES
from forms.expression.parser import parse
from forms.expression.scope import Kind
from forms.expression.syntax import BadExpression, Binary, Call, Expression, Literal, Negative, Number

COLUMNS = {
    "relevant": "relevant",
    "required": "required",
    "constraint": "constraint",
    "calculate": "calculation",
    "readonly": "readonly",
    "count": "repeat_count",
    "dynamic_default": "default",
}
"""Attribute of the definition -> the column of an XLSForm in which an author wrote it."""
MOST_WRITTEN = 4_000_000
"""Characters of all the different expressions of a form; questionnaires of 5,000 questions have about one million."""
ALWAYS = frozenset({"true()", "true", "1", "yes"})
NEVER = frozenset({"", "false()", "false", "0", "no"})
_NODES_OR_NUMBER = {True: Kind.NODES, False: Kind.NUMBER}
_TRUTHS = frozenset({"=", "!=", "<", "<=", ">", ">=", "and", "or"})


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the form that cannot be published: which node, which column, what is wrong."""

    path: Path
    column: str
    refusal: BadExpression


@dataclass(slots=True)
class Sources:
    """Expressions by path and attribute."""

    definition: FormDefinition
    parsed: dict[tuple[Path, str], Expression] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    known: dict[str, Expression] = field(default_factory=dict)
    """By text: the same rule is often written under many questions."""

    def read(self) -> None:
        written = list(self._written())
        length = sum(map(len, {text for _, _, text in written}))
        if length > MOST_WRITTEN:
            sizes = {"length": str(length), "most": str(MOST_WRITTEN)}
            too_long = BadExpression("all expressions together have {length} characters, more than {most}", **sizes)
            self.fault((), "", too_long)
            return
        for path, attribute, text in written:
            self._read(path, attribute, text)

    def _written(self) -> Iterator[tuple[Path, str, str]]:
        for node in self.definition.walk():
            for attribute in COLUMNS:
                yield node.path, attribute, getattr(node, attribute, "")
            if isinstance(node, Question) and node.itemset is not None:
                yield node.path, "choice_filter", node.itemset.predicate
        yield ("meta", "instanceName"), "instance_name", self.definition.instance_name
        for entity in self.definition.entities:
            for attribute in ("create", "update", "label"):
                yield entity.path, f"entity_{attribute}", getattr(entity, attribute)

    def _read(self, path: Path, attribute: str, text: str) -> None:
        text = text.strip()
        if not text or (attribute in ("required", "readonly") and text in NEVER):
            return
        text = "true()" if text in ALWAYS and attribute == "required" else text
        try:
            if text not in self.known:
                self.known[text] = parse(text)
            self.parsed[path, attribute] = self.known[text]
        except BadExpression as refusal:
            self.fault(path, attribute, refusal)

    def fault(self, path: Path, attribute: str, refusal: BadExpression) -> None:
        self.faults.append(Fault(path, COLUMNS.get(attribute, attribute), refusal))

    def get(self, node: Node, attribute: str) -> Expression | None:
        return self.parsed.get((node.path, attribute))

    def numeric(self) -> frozenset[Path]:
        """The questions that hold numbers: by their type, or because their calculation gives one."""
        return frozenset(question.path for question in self.definition.questions() if self._is_numeric(question))

    def _is_numeric(self, question: Question) -> bool:
        if question.type in (DataType.INT, DataType.DECIMAL, DataType.DATE):
            return True
        calculation = self.get(question, "calculate")
        is_text = question.type is DataType.STRING and calculation is not None
        return is_text and run(_kind(calculation)) is Kind.NUMBER if calculation else False


def _kind(expression: Expression) -> Deep[Kind | None]:
    """What an expression gives as far as its own text says; None for a blank, which goes with anything."""
    if isinstance(expression, Number | Negative):
        return Kind.NUMBER
    if isinstance(expression, Literal):
        return Kind.TEXT if expression.value else None
    if isinstance(expression, Binary):
        return (
            Kind.TRUTH if expression.operator in _TRUTHS else Kind.NODES if expression.operator == "|" else Kind.NUMBER
        )
    if not isinstance(expression, Call):
        return Kind.TEXT
    if expression.name != "if" or len(expression.arguments) != 3:
        signature = SIGNATURES.get(expression.name)
        return signature.gives if signature else Kind.TEXT
    one: Kind | None = yield _kind(expression.arguments[1])
    other: Kind | None = yield _kind(expression.arguments[2])
    if one is None or other is None:
        return one or other
    return one if one is other else Kind.ANY


def is_always(text: str) -> bool:
    return text.strip() in ALWAYS
