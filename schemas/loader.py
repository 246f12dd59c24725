"""Code that loads the answers of one part of a form, generated for it.

Built as a syntax tree, never as text: names of questions occur in it as constants only, so no name can be code."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from marshmallow import missing

from forms.definition import DataType
from forms.lexical import PARSERS

Load: TypeAlias = Callable[[Any], dict[str, Any]]
"""Answers in, typed values out; raises one of AttributeError, KeyError, TypeError, ValueError when anything is odd."""

_TEXT = frozenset(type for type, parse in PARSERS.items() if parse is PARSERS[DataType.STRING])
_NAMES = frozenset(type for type, parse in PARSERS.items() if parse is PARSERS[DataType.SELECT])


@dataclass(frozen=True, slots=True)
class Step:
    """One child: a question's type, or what loads a group or each instance of a repeat."""

    name: str
    how: DataType | Load
    is_repeat: bool = False


def generate(steps: Sequence[Step]) -> Load:
    """A function equal to loading the steps' fields one by one, for input with nothing odd in it."""
    scope: dict[str, Any] = {"missing": missing, "str": str, "list": list, "dict": dict}
    body = _statements("if data.__class__ is not dict: raise TypeError\nget = data.get\nout = {}")
    for number, step in enumerate(steps):
        scope[f"how_{number}"] = PARSERS[step.how] if isinstance(step.how, DataType) else step.how
        body += _rename(_statements(_pattern(step)), f"how_{number}", step.name)
    # Every key that was there was loaded; one more is a name that the form does not know.
    body += _statements("if len(out) != len(data): raise KeyError\nreturn out")
    function = _function("def load(data): pass")
    function.body = body
    module = ast.fix_missing_locations(ast.Module([function], []))
    exec(compile(module, "<answers>", "exec"), scope)  # noqa: S102 - our own syntax tree
    load: Load = scope["load"]
    return load


_PATTERN = """
value = get(NAME, missing)
if value is None: out[NAME] = None
elif value is not missing: out[NAME] = HOW(value)
"""
_TEXT_PATTERN = """
value = get(NAME, missing)
if value is None: out[NAME] = None
elif value.__class__ is str: out[NAME] = value or None
elif value is not missing: raise TypeError
"""
_NAMES_PATTERN = """
value = get(NAME, missing)
if value is None: out[NAME] = None
elif value.__class__ is str: out[NAME] = HOW(value) if value else None
elif value is not missing: raise TypeError
"""
_REPEAT_PATTERN = """
value = get(NAME, missing)
if value is None: out[NAME] = None
elif value.__class__ is list: out[NAME] = [HOW(one) for one in value]
elif value is not missing: raise TypeError
"""


def _pattern(step: Step) -> str:
    if step.is_repeat:
        return _REPEAT_PATTERN
    if step.how in _TEXT:
        return _TEXT_PATTERN
    return _NAMES_PATTERN if step.how in _NAMES else _PATTERN


def _statements(source: str) -> list[ast.stmt]:
    """Our own fixed text as statements (of a function, for `return`)."""
    return _function("def load():\n" + "".join(f" {line}\n" for line in source.splitlines())).body


def _function(source: str) -> ast.FunctionDef:
    return cast(ast.FunctionDef, ast.parse(source).body[0])


def _rename(statements: list[ast.stmt], how: str, name: str) -> list[ast.stmt]:
    return [_Renaming(how, name).visit(statement) for statement in statements]


class _Renaming(ast.NodeTransformer):
    """Puts a question into a pattern: NAME becomes a constant, HOW the variable that loads it."""

    def __init__(self, how: str, name: str) -> None:
        self.how, self.name = how, name

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id == "NAME":
            return ast.Constant(self.name)
        return ast.Name(self.how, node.ctx) if node.id == "HOW" else node
