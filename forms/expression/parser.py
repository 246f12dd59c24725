"""XPath 1.0 text -> syntax, by precedence climbing."""

from __future__ import annotations

from forms.expression.deep import Deep, run
from forms.expression.lexer import Token, tokens
from forms.expression.syntax import BadExpression, Binary, Call, Expression, Literal, Negative, Number, Path, Step

_BINDING = {
    "or": 1, "and": 2, "=": 3, "!=": 3, "<": 4, "<=": 4, ">": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "div": 6,
    "mod": 6, "|": 8,
}  # fmt: skip
_AXES = frozenset({"child", "parent", "self", "descendant", "descendant-or-self"})
_NODE_TESTS = frozenset({"node", "text", "comment", "processing-instruction"})


def parse(text: str) -> Expression:
    """The expression in `text`; BadExpression says what is wrong and at which character."""
    return _Parser(tokens(text)).whole()


class _Parser:
    def __init__(self, words: list[Token]) -> None:
        self.words = words
        self.at = 0
        self.next = words[0]

    def whole(self) -> Expression:
        if self.next.kind == "end":
            raise BadExpression("the expression is empty")
        found = run(self.expression(1))
        if self.next.kind != "end":
            raise self.surprise("an operator or the end")
        return found

    def expression(self, weakest: int) -> Deep[Expression]:
        left: Expression = yield self.unary()
        while self.binding() >= weakest:
            operator = self.take()
            right: Expression = yield self.expression(_BINDING[operator.text] + 1)
            left = Binary(operator.text, left, right)
        return left

    def binding(self) -> int:
        return _BINDING.get(self.next.text, 0) if self.next.kind in ("operator", "symbol") else 0

    def unary(self) -> Deep[Expression]:
        minus = 0
        while self.is_symbol("-"):
            self.take()
            minus += 1
        found: Expression = yield (self.expression(8) if minus else self.primary())
        if minus:
            found = Negative(found)
        return Negative(found) if minus and minus % 2 == 0 else found

    def primary(self) -> Deep[Expression]:
        word = self.next
        if word.kind == "number":
            return Number(float(self.take().text))
        if word.kind == "literal":
            return Literal(self.take().text)
        found: Expression = yield self.compound()
        return found

    def compound(self) -> Deep[Expression]:
        if self.is_symbol("("):
            return self.filtered(self.parenthesis())
        return self.filtered(self.call()) if self.begins_call() else self.path()

    def begins_call(self) -> bool:
        word = self.next
        if word.kind != "name" or word.text in _NODE_TESTS:
            return False
        after = self.words[self.at + 1]
        return after.text == "(" and after.kind == "symbol"

    def parenthesis(self) -> Deep[Expression]:
        self.take()
        inner: Expression = yield self.expression(1)
        self.expect(")")
        return inner

    def call(self) -> Deep[Expression]:
        name = self.take().text
        self.take()
        arguments: list[Expression] = []
        while not self.is_symbol(")"):
            if arguments:
                self.expect(",")
            arguments.append((yield self.expression(1)))
        self.take()
        return Call(name, tuple(arguments))

    def filtered(self, beginning: Deep[Expression]) -> Deep[Expression]:
        start: Expression = yield beginning
        predicates: tuple[Expression, ...] = yield self.predicates()
        if not self.is_symbol("/") and not self.is_symbol("//"):
            return Path(start, (), predicates) if predicates else start
        steps: tuple[Step, ...] = yield self.steps()
        return Path(start, steps, predicates)

    def path(self) -> Deep[Expression]:
        if self.is_symbol("/") and not self.begins_step(self.words[self.at + 1]):
            self.take()
            return Path("/", ())
        if self.is_symbol("/") or self.is_symbol("//"):
            steps: tuple[Step, ...] = yield self.steps()
            return Path("/", steps)
        if not self.begins_step(self.next):
            raise self.surprise("a value")
        first: Step = yield self.step("child")
        more: tuple[Step, ...] = yield self.steps()
        return Path(None, (first, *more))

    def begins_step(self, word: Token) -> bool:
        return word.kind == "name" or (word.kind == "symbol" and word.text in (".", "..", "@"))

    def steps(self) -> Deep[tuple[Step, ...]]:
        """Every further step: each begins with a slash."""
        found: list[Step] = []
        while self.is_symbol("/") or self.is_symbol("//"):
            slash = self.take().text
            found.append((yield self.step("descendant" if slash == "//" else "child")))
        return tuple(found)

    def step(self, axis: str) -> Deep[Step]:
        word = self.take()
        if word.kind == "symbol" and word.text in (".", ".."):
            axis, name = ("self" if word.text == "." else "parent"), "*"
        elif word.kind == "symbol" and word.text == "@":
            name = f"@{self.name()}"
        elif word.kind == "name" and self.is_symbol("::"):
            axis, name = self.named_axis(word)
        elif word.kind == "name":
            name = self.node_test(word.text)
        else:
            self.next = word
            raise self.surprise("a name")
        predicates: tuple[Expression, ...] = yield self.predicates()
        return Step(axis, name, predicates)

    def named_axis(self, word: Token) -> tuple[str, str]:
        self.take()
        if word.text == "attribute":
            return "child", f"@{self.name()}"
        if word.text not in _AXES:
            raise BadExpression("the axis {axis}:: is not one that forms may use (child, parent, self)", axis=word.text)
        return word.text.removesuffix("-or-self"), self.node_test(self.name())

    def node_test(self, name: str) -> str:
        if name not in _NODE_TESTS or not self.is_symbol("("):
            return name
        self.take()
        self.expect(")")
        return "*"

    def name(self) -> str:
        if self.next.kind != "name":
            raise self.surprise("a name")
        return self.take().text

    def predicates(self) -> Deep[tuple[Expression, ...]]:
        found: list[Expression] = []
        while self.is_symbol("["):
            self.take()
            found.append((yield self.expression(1)))
            self.expect("]")
        return tuple(found)

    def is_symbol(self, text: str) -> bool:
        word = self.next
        return word.text == text and word.kind == "symbol"

    def take(self) -> Token:
        word = self.next
        if word.kind != "end":
            self.at += 1
            self.next = self.words[self.at]
        return word

    def expect(self, text: str) -> None:
        if not self.is_symbol(text):
            raise self.surprise(f"{text!r}")
        self.take()

    def surprise(self, wanted: str) -> BadExpression:
        word = self.next
        if word.kind == "end":
            return BadExpression("the expression ends where {wanted} is expected", wanted=wanted)
        place = {"found": repr(word.text), "at": str(word.at + 1)}
        return BadExpression("{found} at character {at} stands where {wanted} is expected", wanted=wanted, **place)
