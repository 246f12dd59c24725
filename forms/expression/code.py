"""Small pieces of Python's syntax tree, and how deep they nest."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Any, TypeAlias

Tree: TypeAlias = ast.expr

_AT: dict[str, Any] = {"lineno": 1, "col_offset": 0}
_LOAD, _STORE = ast.Load(), ast.Store()
_COMPARISONS: dict[str, ast.cmpop] = {
    "=": ast.Eq(), "!=": ast.NotEq(), "<": ast.Lt(), "<=": ast.LtE(), ">": ast.Gt(), ">=": ast.GtE(), "in": ast.In(),
}  # fmt: skip
_OPERATORS: dict[str, ast.operator] = {"+": ast.Add(), "-": ast.Sub(), "*": ast.Mult()}


@lru_cache(maxsize=10_000)
def name(identifier: str) -> ast.Name:
    """A node may stand in many places: nothing changes it."""
    return ast.Name(id=identifier, ctx=_LOAD, **_AT)


@lru_cache(maxsize=10_000)
def target(identifier: str) -> ast.Name:
    return ast.Name(id=identifier, ctx=_STORE, **_AT)


def constant(value: str | float | bool | None) -> Tree:
    return ast.Constant(value=value, **_AT)


def call(function: str | Tree, *arguments: Tree) -> Tree:
    callee = name(function) if isinstance(function, str) else function
    return ast.Call(func=callee, args=list(arguments), keywords=[], **_AT)


def attribute(of: Tree, identifier: str) -> Tree:
    return ast.Attribute(value=of, attr=identifier, ctx=_LOAD, **_AT)


def method(of: Tree, identifier: str, *arguments: Tree) -> Tree:
    return call(attribute(of, identifier), *arguments)


def item(of: Tree, index: int | Tree) -> Tree:
    key = constant(index) if isinstance(index, int) else index
    return ast.Subscript(value=of, slice=key, ctx=_LOAD, **_AT)


def item_target(of: Tree, index: int) -> ast.expr:
    return ast.Subscript(value=of, slice=constant(index), ctx=_STORE, **_AT)


def part_target(of: Tree, start: int, end: int) -> ast.expr:
    return ast.Subscript(value=of, slice=_slice(start, end), ctx=_STORE, **_AT)


def part(of: Tree, start: int, end: int) -> Tree:
    return ast.Subscript(value=of, slice=_slice(start, end), ctx=_LOAD, **_AT)


def _slice(start: int, end: int) -> Tree:
    return ast.Slice(lower=constant(start), upper=constant(end), step=None, **_AT)


def compare(operator: str, left: Tree, right: Tree) -> Tree:
    return ast.Compare(left=left, ops=[_COMPARISONS[operator]], comparators=[right], **_AT)


def operate(operator: str, left: Tree, right: Tree) -> Tree:
    return ast.BinOp(left=left, op=_OPERATORS[operator], right=right, **_AT)


def negative(operand: Tree) -> Tree:
    return ast.UnaryOp(op=ast.USub(), operand=operand, **_AT)


def no(operand: Tree) -> Tree:
    """`not`; of a constant, its opposite."""
    if isinstance(operand, ast.Constant):
        return constant(not operand.value)
    return ast.UnaryOp(op=ast.Not(), operand=operand, **_AT)


def both(*operands: Tree) -> Tree:
    return _joined(ast.And(), True, operands)


def either(*operands: Tree) -> Tree:
    return _joined(ast.Or(), False, operands)


def _joined(operator: ast.boolop, neutral: bool, operands: tuple[Tree, ...]) -> Tree:
    kept = [one for one in operands if not (isinstance(one, ast.Constant) and one.value is neutral)]
    if len(kept) < 2:
        return kept[0] if kept else constant(neutral)
    return ast.BoolOp(op=operator, values=kept, **_AT)


def choose(condition: Tree, one: Tree, other: Tree) -> Tree:
    return ast.IfExp(test=condition, body=one, orelse=other, **_AT)


def listed(*elements: Tree) -> Tree:
    return ast.List(elts=list(elements), ctx=_LOAD, **_AT)


def joined_lists(parts: list[Tree]) -> Tree:
    """[*a, *b]"""
    if len(parts) == 1:
        return parts[0]
    return ast.List(elts=[ast.Starred(value=one, ctx=_LOAD, **_AT) for one in parts], ctx=_LOAD, **_AT)


def each(element: Tree, loops: list[tuple[Tree, Tree, list[Tree]]]) -> Tree:
    """[element for target in source if condition ...], outer loops first."""
    generators = [
        ast.comprehension(target=variable, iter=source, ifs=conditions, is_async=0)
        for variable, source, conditions in loops
    ]
    return ast.ListComp(elt=element, generators=generators, **_AT)


def pair_target(one: str, other: str) -> Tree:
    return ast.Tuple(elts=[target(one), target(other)], ctx=_STORE, **_AT)


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
    return ast.Assign(targets=[to], value=value, **_AT)


def when(condition: Tree, body: list[ast.stmt], otherwise: list[ast.stmt] | None = None) -> ast.stmt:
    return ast.If(test=condition, body=body, orelse=otherwise or [], **_AT)


def loop(variable: Tree, source: Tree, body: list[ast.stmt]) -> ast.stmt:
    return ast.For(target=variable, iter=source, body=body, orelse=[], **_AT)


def is_of(value: Tree, kind: str) -> Tree:
    """Whether a value is of exactly this class."""
    return ast.Compare(left=attribute(value, "__class__"), ops=[ast.Is()], comparators=[name(kind)], **_AT)


def is_odd(value: Tree, kind: str) -> Tree:
    """Whether a value is there and not of this class."""
    is_there = ast.Compare(left=value, ops=[ast.IsNot()], comparators=[constant(None)], **_AT)
    return both(is_there, no(is_of(value, kind)))


def refuse(refusal: str) -> ast.stmt:
    return ast.Raise(exc=name(refusal), cause=None, **_AT)


def do(expression: Tree) -> ast.stmt:
    return ast.Expr(value=expression, **_AT)


def attempt(body: list[ast.stmt], refusal: str, otherwise: list[ast.stmt]) -> ast.stmt:
    handler = ast.ExceptHandler(type=name(refusal), name=None, body=otherwise, **_AT)
    return ast.Try(body=body, handlers=[handler], orelse=[], finalbody=[], **_AT)


def give(expression: Tree) -> ast.stmt:
    return ast.Return(value=expression, **_AT)


def function(identifier: str, parameters: list[str], body: list[ast.stmt]) -> ast.stmt:
    arguments = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(arg=parameter, **_AT) for parameter in parameters],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[],
    )
    return ast.FunctionDef(name=identifier, args=arguments, body=body, decorator_list=[], **_AT)
