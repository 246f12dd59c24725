"""The conditions of a form in plain words: "question 12 is “Yes”"."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from forms.definition import Choice, FormDefinition, Node, Path, Question, Repeat
from forms.expression.parser import parse
from forms.expression.syntax import BadExpression, Binary, Call, Expression, Literal, Negative, Number, conjuncts
from forms.expression.syntax import Path as Way
from forms.output import reached
from forms.paper.number import Numbering, numbering
from forms.paper.paper import plain
from forms.paper.words import Voice, styled
from forms.versions import readable

DEEPEST = 12
"""Calculations that stand in one another are told so far."""
LONGEST = 2000
"""Characters of an expression that is told in words; a longer one is no sentence any more."""

_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_SIGNS: Mapping[str, str] = {"+": "+", "-": "−", "*": "×", "div": "÷"}
_OPPOSITE: Mapping[str, str] = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_MIRRORED: Mapping[str, str] = {"=": "=", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_TRANSPARENT = frozenset({"number", "int", "string", "date", "date-time", "coalesce", "round", "once", "boolean"})
_LENGTHS = frozenset({"string-length", "count-selected", "count", "count-non-empty"})
_PADDED = re.compile(r"(\()\s+|\s+([,)])")
_NAMED = re.compile(r"\$\{([^{}]+)\}")


class Untellable(Exception):
    """No plain words for this."""


class TooDeep(Untellable):
    """Calculations stand in one another without an end in sight."""


@dataclass(frozen=True, slots=True)
class Told:
    """One form, in the words of one reader."""

    form: FormDefinition
    nodes: Mapping[Path, Node]
    numbering: Numbering
    voice: Voice

    @staticmethod
    def of(form: FormDefinition, voice: Voice) -> Told:
        return Told(form, {node.path: node for node in form.walk()}, numbering(form), voice)

    def condition(self, source: str, path: Path) -> str:
        """When the node at `path` is asked: a clause without a full stop; "" when always."""
        if not source.strip():
            return ""
        try:
            claim = _parsed(source)
            return "" if _is_true(claim) else self._claim(claim, path)
        except (Untellable, BadExpression, RecursionError):
            return self.voice.gettext("this holds: {expression}", expression=self._readable(source))

    def named(self, path: Path) -> str:
        """ "question 12", "“Products”", or the bare name."""
        node = self.nodes.get(path)
        number = self.numbering.numbers.get(path, "")
        if number:
            return self.voice.gettext("question {number}", number=number)
        label = plain(styled(self.voice.said(node.label))) if node is not None else ""
        return f"“{label}”" if label else path[-1] if path else ""

    def blank(self, source: str, path: Path) -> str:
        """What stands for an <output> in a label: a blank, with the number of the question that is meant."""
        found = self.resolved(source, path)
        number = self.numbering.numbers.get(found, "") if found else ""
        return f"____ ({number})" if number else "____"

    def resolved(self, source: str, path: Path) -> Path | None:
        """The node that a bare path names, None for anything else."""
        try:
            return self.at(_parsed(source), path)
        except (Untellable, BadExpression):
            return None

    def at(self, way: Expression, path: Path) -> Path | None:
        """The node that an expression reads, seen from the node at `path`; None when it is no bare path."""
        try:
            return self._resolved(way, path) if isinstance(way, Way) else None
        except Untellable:
            return None

    def _readable(self, source: str) -> str:
        paths = {node.name: node.path for node in self.nodes.values()}

        def name(found: re.Match[str]) -> str:
            path = paths.get(found[1])
            return self.named(path) if path in self.numbering.numbers else found[1]

        said = _PADDED.sub(r"\1\2", _NAMED.sub(name, readable(source)))
        return said if len(said) <= 300 else f"{said[:300]} …"

    # Claims: what is so or not.

    def _claim(self, claim: Expression, path: Path, *, isnt: bool = False) -> str:
        if isinstance(claim, Binary) and claim.operator in ("and", "or"):
            return self._joined(claim, path, isnt=isnt)
        if isinstance(claim, Binary) and claim.operator in _OPPOSITE:
            return self._compared(claim, path, isnt=isnt)
        if isinstance(claim, Call):
            return self._called(claim, path, isnt=isnt)
        if isinstance(claim, Way):
            return self._answered(self._thing(claim, path), isnt=isnt)
        raise Untellable

    def _joined(self, claim: Binary, path: Path, *, isnt: bool) -> str:
        # not (a and b) is: not a, or not b.
        operator = {"and": "or", "or": "and"}[claim.operator] if isnt else claim.operator
        short = "" if isnt or operator == "and" else self._one_of(claim, path)
        if short:
            return short
        sides = [self._side(side, operator, path, isnt=isnt) for side in (claim.left, claim.right)]
        if operator == "and":
            return self.voice.gettext("{one}, and {other}", one=sides[0], other=sides[1])
        return self.voice.gettext("{one}, or {other}", one=sides[0], other=sides[1])

    def _one_of(self, claim: Binary, path: Path) -> str:
        """ "question 3 is A or B", for "question 3 is A, or question 3 is B"; "" when more than one thing is meant."""
        pairs = [_pair(one) for one in _alternatives(claim)]
        names = {name for name, _left, _right in pairs}
        things = {self._thing(left, path) for _name, left, _right in pairs if left is not None}
        if len(names) != 1 or len(things) != 1 or names == {""}:
            return ""
        said = [
            self._value(right, left, path) for _name, left, right in pairs if left is not None and right is not None
        ]
        value = said[0]
        for more in said[1:]:
            value = self.voice.gettext("{one} or {other}", one=value, other=more)
        if names == {"="}:
            return self._relation(things.pop(), "=", value)
        return self.voice.gettext("{value} is chosen in {what}", value=value, what=things.pop())

    def _side(self, side: Expression, operator: str, path: Path, *, isnt: bool) -> str:
        said = self._claim(side, path, isnt=isnt)
        if not (isinstance(side, Binary) and side.operator in ("and", "or")):
            return said
        turned = {"and": "or", "or": "and"}[side.operator] if isnt else side.operator
        return said if turned == operator else f"({said})"

    def _compared(self, claim: Binary, path: Path, *, isnt: bool) -> str:
        operator = _OPPOSITE[claim.operator] if isnt else claim.operator
        left, right = claim.left, claim.right
        if isinstance(left, Literal | Number) and not isinstance(right, Literal | Number):
            left, right, operator = right, left, _MIRRORED[operator]
        if isinstance(right, Literal) and right.value == "" and operator in ("=", "!="):
            return self._answered(self._thing(left, path), isnt=operator == "=")
        if isinstance(left, Call) and left.name in _LENGTHS and isinstance(right, Number):
            return self._counted(left, operator, right.value, path)
        if _is_claim(left) and isinstance(right, Call) and right.name in ("true", "false"):
            return self._claim(left, path, isnt=(right.name == "false") is (operator == "="))
        return self._relation(self._thing(left, path), operator, self._value(right, left, path))

    def _counted(self, call: Call, operator: str, number: float, path: Path) -> str:
        """ "string-length(x) > 0" is an answer; more than that is a length."""
        if (operator, number) in ((">", 0), ("!=", 0), (">=", 1)) and call.name != "count":
            return self._answered(self._thing(call.arguments[0], path), isnt=False)
        if (operator, number) in (("=", 0), ("<", 1), ("<=", 0)) and call.name != "count":
            return self._answered(self._thing(call.arguments[0], path), isnt=True)
        return self._relation(self._thing(call, path), operator, self.voice.number(number))

    def _relation(self, what: str, operator: str, value: str) -> str:
        words = {
            "=": self.voice.gettext("{what} is {value}", what=what, value=value),
            "!=": self.voice.gettext("{what} is not {value}", what=what, value=value),
            "<": self.voice.gettext("{what} is less than {value}", what=what, value=value),
            "<=": self.voice.gettext("{what} is {value} or less", what=what, value=value),
            ">": self.voice.gettext("{what} is more than {value}", what=what, value=value),
            ">=": self.voice.gettext("{what} is {value} or more", what=what, value=value),
        }
        return words[operator]

    def _answered(self, what: str, *, isnt: bool) -> str:
        voice = self.voice
        if _is_sum(what):
            if isnt:
                return voice.gettext("{what} cannot be worked out", what=what)
            return voice.gettext("{what} can be worked out", what=what)
        return (
            voice.gettext("{what} is left blank", what=what) if isnt else voice.gettext("{what} is answered", what=what)
        )

    def _called(self, call: Call, path: Path, *, isnt: bool) -> str:
        name, arguments = call.name, call.arguments
        if name == "not" and len(arguments) == 1:
            return self._claim(arguments[0], path, isnt=not isnt)
        if name in ("boolean", "coalesce", "once") and arguments:
            return self._claim(arguments[0], path, isnt=isnt)
        if name in ("selected", "is-selected") and len(arguments) == 2:
            return self._chosen(arguments[0], arguments[1], path, isnt=isnt)
        if name in ("count-selected", "string-length", "count-non-empty") and arguments:
            return self._answered(self._thing(arguments[0], path), isnt=isnt)
        raise Untellable

    def _chosen(self, list_: Expression, option: Expression, path: Path, *, isnt: bool) -> str:
        what, value = self._thing(list_, path), self._value(option, list_, path)
        if isnt:
            return self.voice.gettext("{value} is not chosen in {what}", value=value, what=what)
        return self.voice.gettext("{value} is chosen in {what}", value=value, what=what)

    # Things: what claims are about.

    def _thing(self, thing: Expression, path: Path, depth: int = 0) -> str:
        if depth > DEEPEST:
            raise TooDeep
        if isinstance(thing, Number):
            return self.voice.number(thing.value)
        if isinstance(thing, Literal):
            return self._literal(thing.value)
        if isinstance(thing, Negative):
            return f"−{self._thing(thing.operand, path, depth + 1)}"
        if isinstance(thing, Binary):
            return self._sum(thing, path, depth)
        if isinstance(thing, Call):
            return self._result(thing, path, depth)
        return self._place(self._resolved(thing, path), path, depth)

    def _sum(self, thing: Binary, path: Path, depth: int) -> str:
        if thing.operator not in _SIGNS:
            raise Untellable
        left, right = (self._thing(side, path, depth + 1) for side in (thing.left, thing.right))
        if _is_sum(left) and thing.operator in ("*", "div"):
            left = f"({left})"
        return f"{left} {_SIGNS[thing.operator]} {f'({right})' if _is_sum(right) else right}"

    def _result(self, call: Call, path: Path, depth: int) -> str:
        if call.name == "today":
            return self.voice.gettext("the date of today")
        if call.name == "now":
            return self.voice.gettext("the time now")
        if call.name == "position":
            return self.voice.gettext("the number of this entry")
        if not call.arguments:
            raise Untellable
        if call.name == "if":
            return self._where(call, path, depth)
        inner = call.arguments[0]
        if call.name == "format-date" and isinstance(call.arguments[-1], Literal) and call.arguments[-1].value == "%Y":
            return self.voice.gettext("the year of {what}", what=self._thing(inner, path, depth + 1))
        if call.name in _TRANSPARENT:
            return self._thing(inner, path, depth + 1)
        return self._aggregate(call.name, self._thing(inner, path, depth + 1))

    def _where(self, call: Call, path: Path, depth: int) -> str:
        """if(known, price * 2, '') is "price × 2"; if(kind = 'credit', amount, 0) is the amount where that is so."""
        if len(call.arguments) != 3:
            raise Untellable
        condition, then, otherwise = call.arguments
        said = self._thing(then, path, depth + 1)
        if isinstance(otherwise, Literal) and not otherwise.value:
            return said
        if not (isinstance(otherwise, Number) and otherwise.value == 0):
            raise Untellable
        return self.voice.gettext("{what} where {condition}", what=said, condition=self._claim(condition, path))

    def _aggregate(self, name: str, what: str) -> str:
        voice = self.voice
        said: Mapping[str, Callable[[], str]] = {
            "sum": lambda: voice.gettext("the sum of {what}", what=what),
            "max": lambda: voice.gettext("the largest of {what}", what=what),
            "min": lambda: voice.gettext("the smallest of {what}", what=what),
            "count": lambda: voice.gettext("the number of entries in {what}", what=what),
            "count-non-empty": lambda: voice.gettext("the number of answers to {what}", what=what),
            "count-selected": lambda: voice.gettext("the number of choices in {what}", what=what),
            "string-length": lambda: voice.gettext("the number of letters in {what}", what=what),
        }
        if name not in said:
            raise Untellable
        return said[name]()

    def _place(self, target: Path, path: Path, depth: int) -> str:
        node = self.nodes.get(target)
        if isinstance(node, Question) and target not in self.numbering.numbers:
            if node.preload == "date today":
                return self.voice.gettext("the date of today")
            if not node.calculate:
                raise Untellable
            # What the tablet works out silently is told by how it is worked out.
            return self._worked_out(node, depth)
        return self.named(target)

    def _worked_out(self, node: Question, depth: int) -> str:
        try:
            return self._thing(_parsed(node.calculate), node.path, depth + 1)
        except TooDeep:
            raise
        except Untellable:
            return self.voice.gettext("what the tablet works out as “{name}”", name=node.name)

    def _value(self, value: Expression, beside: Expression, path: Path) -> str:
        """What something is compared with; the name of a choice is told by its label."""
        if isinstance(value, Literal):
            node = self._node(beside, path)
            choice = self._choice(node, value.value) if node is not None else None
            label = plain(styled(self.voice.said(choice.label))) if choice is not None else ""
            return f"“{label}”" if label else self._literal(value.value)
        return self._thing(value, path)

    def _literal(self, text: str) -> str:
        day = _DAY.fullmatch(text)
        return f"{day[3]}/{day[2]}/{day[1]}" if day else f"“{text}”"

    def _choice(self, node: Node, name: str) -> Choice | None:
        if not isinstance(node, Question) or node.itemset is None:
            return None
        instance = self.form.instances.get(node.itemset.instance)
        offered = (*node.itemset.choices, *(instance.choices if instance else ()))
        return next((choice for choice in offered if choice.name == name), None)

    def _node(self, way: Expression, path: Path) -> Node | None:
        while isinstance(way, Call) and way.name in _TRANSPARENT and way.arguments:
            way = way.arguments[0]
        return self.nodes.get(self._resolved(way, path)) if isinstance(way, Way) else None

    def _resolved(self, way: Way, path: Path) -> Path:
        """Where a path leads, seen from the node at `path`. Untellable with predicates, or out of the form."""
        found = reached(way, path, self.form.root_name)
        if not found or not isinstance(self.nodes.get(found), Question | Repeat):
            raise Untellable
        return found


def claims_in(source: str) -> list[Expression]:
    """The claims that all must hold; () for what cannot be read."""
    try:
        return conjuncts(_parsed(source))
    except (Untellable, BadExpression, RecursionError):
        return []


def _parsed(source: str) -> Expression:
    if len(source) > LONGEST:
        raise Untellable
    return parse(source)


def _is_true(claim: Expression) -> bool:
    return (isinstance(claim, Call) and claim.name == "true") or (isinstance(claim, Number) and bool(claim.value))


def _is_claim(claim: Expression) -> bool:
    if isinstance(claim, Call):
        return claim.name in ("selected", "is-selected", "not", "boolean")
    return isinstance(claim, Binary) and (claim.operator in _OPPOSITE or claim.operator in ("and", "or"))


def _is_sum(said: str) -> bool:
    return any(f" {sign} " in said for sign in _SIGNS.values())


def _alternatives(claim: Expression) -> list[Expression]:
    found: list[Expression] = []
    while isinstance(claim, Binary) and claim.operator == "or":
        found.append(claim.right)
        claim = claim.left
    return [claim, *reversed(found)]


def _pair(claim: Expression) -> tuple[str, Expression | None, Expression | None]:
    """What is said of what: ("=", thing, value); ("", None, None) for claims of another kind."""
    if isinstance(claim, Binary) and claim.operator == "=" and isinstance(claim.right, Literal) and claim.right.value:
        return "=", claim.left, claim.right
    if isinstance(claim, Call) and claim.name == "selected" and len(claim.arguments) == 2:
        return "selected", claim.arguments[0], claim.arguments[1]
    return "", None, None
