"""Small pieces of Python's syntax tree, and how deep they nest."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TypeAlias

Tree: TypeAlias = ast.expr


class _Placed:
    """Where a node stands in a text. There is none, but Python's compiler asks, and an attribute of the class costs
    less than two of every node: half of the time that it takes to make one."""

    lineno = 1
    col_offset = 0


class _Name(_Placed, ast.Name):
    pass


class _Constant(_Placed, ast.Constant):
    pass


class _Call(_Placed, ast.Call):
    pass


class _Attribute(_Placed, ast.Attribute):
    pass


class _Subscript(_Placed, ast.Subscript):
    pass


class _Slice(_Placed, ast.Slice):
    pass


class _Compare(_Placed, ast.Compare):
    pass


class _BinOp(_Placed, ast.BinOp):
    pass


class _UnaryOp(_Placed, ast.UnaryOp):
    pass


class _BoolOp(_Placed, ast.BoolOp):
    pass


class _IfExp(_Placed, ast.IfExp):
    pass


class _List(_Placed, ast.List):
    pass


class _Starred(_Placed, ast.Starred):
    pass


class _ListComp(_Placed, ast.ListComp):
    pass


class _Tuple(_Placed, ast.Tuple):
    pass


class _Assign(_Placed, ast.Assign):
    pass


class _If(_Placed, ast.If):
    pass


class _For(_Placed, ast.For):
    pass


class _Raise(_Placed, ast.Raise):
    pass


class _Expr(_Placed, ast.Expr):
    pass


class _ExceptHandler(_Placed, ast.ExceptHandler):
    pass


class _Try(_Placed, ast.Try):
    pass


class _Return(_Placed, ast.Return):
    pass


class _FunctionDef(_Placed, ast.FunctionDef):
    pass


class _Arg(_Placed, ast.arg):
    pass


_LOAD, _STORE, _NOT, _MINUS, _IS, _IS_NOT = ast.Load(), ast.Store(), ast.Not(), ast.USub(), ast.Is(), ast.IsNot()
_COMPARISONS: dict[str, ast.cmpop] = {
    "=": ast.Eq(), "!=": ast.NotEq(), "<": ast.Lt(), "<=": ast.LtE(), ">": ast.Gt(), ">=": ast.GtE(), "in": ast.In(),
}  # fmt: skip
_OPERATORS: dict[str, ast.operator] = {"+": ast.Add(), "-": ast.Sub(), "*": ast.Mult()}


@lru_cache(maxsize=10_000)
def name(identifier: str) -> ast.Name:
    """A node may stand in many places: nothing changes it."""
    return _Name(identifier, _LOAD)


@lru_cache(maxsize=10_000)
def target(identifier: str) -> ast.Name:
    return _Name(identifier, _STORE)


def constant(value: str | float | bool | None) -> Tree:
    return _Constant(value)


def call(function: str | Tree, *arguments: Tree) -> Tree:
    callee = name(function) if isinstance(function, str) else function
    return _Call(callee, list(arguments), [])


def attribute(of: Tree, identifier: str) -> Tree:
    return _Attribute(of, identifier, _LOAD)


def attribute_target(of: Tree, identifier: str) -> ast.expr:
    return _Attribute(of, identifier, _STORE)


def method(of: Tree, identifier: str, *arguments: Tree) -> Tree:
    return call(attribute(of, identifier), *arguments)


def item(of: Tree, index: int | Tree) -> Tree:
    key = constant(index) if isinstance(index, int) else index
    return _Subscript(of, key, _LOAD)


def item_target(of: Tree, index: int) -> ast.expr:
    return _Subscript(of, constant(index), _STORE)


def part_target(of: Tree, start: int, end: int) -> ast.expr:
    return _Subscript(of, _slice(start, end), _STORE)


def part(of: Tree, start: int, end: int) -> Tree:
    return _Subscript(of, _slice(start, end), _LOAD)


def _slice(start: int, end: int) -> Tree:
    return _Slice(constant(start), constant(end), None)


def compare(operator: str, left: Tree, right: Tree) -> Tree:
    return _Compare(left, [_COMPARISONS[operator]], [right])


def operate(operator: str, left: Tree, right: Tree) -> Tree:
    return _BinOp(left, _OPERATORS[operator], right)


def negative(operand: Tree) -> Tree:
    return _UnaryOp(_MINUS, operand)


def no(operand: Tree) -> Tree:
    """`not`; of a constant, its opposite."""
    if isinstance(operand, ast.Constant):
        return constant(not operand.value)
    return _UnaryOp(_NOT, operand)


def both(*operands: Tree) -> Tree:
    return _joined(ast.And(), True, operands)


def either(*operands: Tree) -> Tree:
    return _joined(ast.Or(), False, operands)


def _joined(operator: ast.boolop, neutral: bool, operands: tuple[Tree, ...]) -> Tree:
    kept = [one for one in operands if not (isinstance(one, ast.Constant) and one.value is neutral)]
    if len(kept) < 2:
        return kept[0] if kept else constant(neutral)
    return _BoolOp(operator, kept)


def choose(condition: Tree, one: Tree, other: Tree) -> Tree:
    return _IfExp(condition, one, other)


def listed(*elements: Tree) -> Tree:
    return _List(list(elements), _LOAD)


def joined_lists(parts: list[Tree]) -> Tree:
    """[*a, *b]"""
    if len(parts) == 1:
        return parts[0]
    return _List([_Starred(one, _LOAD) for one in parts], _LOAD)


def each(element: Tree, loops: list[tuple[Tree, Tree, list[Tree]]]) -> Tree:
    """[element for target in source if condition ...], outer loops first."""
    generators = [
        ast.comprehension(target=variable, iter=source, ifs=conditions, is_async=0)
        for variable, source, conditions in loops
    ]
    return _ListComp(element, generators)


def pair_target(one: str, other: str) -> Tree:
    return _Tuple([target(one), target(other)], _STORE)


def numbered(source: Tree) -> Tree:
    return call("enumerate", source, constant(1))


def unnumbered(source: Tree) -> Tree:
    """What `numbered` was made of."""
    assert isinstance(source, ast.Call)  # noqa: S101  # only made above
    return source.args[0]


def numbered_loops(variables: Tree, source: Tree, condition: Tree, last: str) -> list[tuple[Tree, Tree, list[Tree]]]:
    """Through a source with positions, where a condition holds; `last` is a variable for the source, "" for none."""
    if not last:
        return [(variables, numbered(source), [condition])]
    return [(target(last), listed(source), []), (variables, numbered(name(last)), [condition])]


def assign(to: Tree, value: Tree) -> ast.stmt:
    return _Assign([to], value)


def when(condition: Tree, body: list[ast.stmt], otherwise: list[ast.stmt] | None = None) -> ast.stmt:
    return _If(condition, body, otherwise or [])


def loop(variable: Tree, source: Tree, body: list[ast.stmt]) -> ast.stmt:
    return _For(variable, source, body, [])


def is_of(value: Tree, kind: str) -> Tree:
    """Whether a value is of exactly this class."""
    return _Compare(attribute(value, "__class__"), [_IS], [name(kind)])


def is_there(value: Tree) -> Tree:
    return _Compare(value, [_IS_NOT], [constant(None)])


def refuse(refusal: str) -> ast.stmt:
    return _Raise(name(refusal), None)


def do(expression: Tree) -> ast.stmt:
    return _Expr(expression)


def attempt(body: list[ast.stmt], refusal: str, otherwise: list[ast.stmt]) -> ast.stmt:
    handler = _ExceptHandler(name(refusal), None, otherwise)
    return _Try(body, [handler], [], [])


def give(expression: Tree) -> ast.stmt:
    return _Return(expression)


def function(identifier: str, parameters: list[str], body: list[ast.stmt]) -> ast.stmt:
    arguments = ast.arguments(
        posonlyargs=[],
        args=[_Arg(parameter) for parameter in parameters],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[],
    )
    return _FunctionDef(identifier, arguments, body, [])
