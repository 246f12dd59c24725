"""The words of an XPath 1.0 expression (XPath 1.0, section 3.7)."""

from __future__ import annotations

import re
from typing import NamedTuple

from forms.expression.syntax import BadExpression

LONGEST = 100_000
"""Characters; an expression that is longer was not written by a person."""

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n\u00a0]+)
      | (?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)
      | (?P<literal>"[^"]*"|'[^']*')
      | (?P<name>[^\W\d][\w.\-\u00b7]*(?::(?!:)[^\W\d][\w.\-\u00b7]*)?)
      | (?P<symbol>!=|<=|>=|//|::|\.\.|[()\[\],/.@|+\-*=<>])""",
    re.VERBOSE,
)
_WORDS = frozenset({"and", "or", "mod", "div"})
_BEFORE_OPERAND = frozenset({"", "@", "::", "(", "[", ",", "/", "//", "|", "+", "-", "=", "!=", "<", "<=", ">", ">="})


class Token(NamedTuple):
    """`kind` is number, literal, name, operator, symbol or end."""

    kind: str
    text: str
    at: int


def tokens(text: str) -> list[Token]:
    """Every word, with an end at the end; BadExpression where a character begins none."""
    if len(text) > LONGEST:
        raise BadExpression(
            "the expression has {length} characters, more than {most}", length=str(len(text)), most=str(LONGEST)
        )
    found: list[Token] = []
    at = 0
    for match in _TOKEN.finditer(text):
        if match.start() != at:
            break
        if match.lastgroup != "space":
            found.append(_token(match, found))
        at = match.end()
    if at < len(text):
        raise _unreadable(text, at)
    return [*found, Token("end", "", len(text))]


def _unreadable(text: str, at: int) -> BadExpression:
    if text[at] in "'\"":
        return BadExpression("the quotation mark at character {at} is never closed", at=str(at + 1))
    return BadExpression(
        "{found} at character {at} does not belong in an expression", found=repr(text[at]), at=str(at + 1)
    )


def _token(match: re.Match[str], before: list[Token]) -> Token:
    kind, text = str(match.lastgroup), match.group()
    if kind == "literal":
        return Token(kind, text[1:-1], match.start())
    if _follows_operand(before) and (text == "*" or text in _WORDS):
        return Token("operator", text, match.start())
    if kind == "symbol" and text == "*":
        return Token("name", text, match.start())
    return Token(kind, text, match.start())


def _follows_operand(before: list[Token]) -> bool:
    """The rule of XPath 1.0 3.7 for telling `*` and `div` the operators from `*` and `div` the names."""
    if not before:
        return False
    last = before[-1]
    return last.kind != "operator" and not (last.kind == "symbol" and last.text in _BEFORE_OPERAND)
