"""Inputs that are nearly right: texts, forms and records, each a little spoilt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from forms.expression.functions import SIGNATURES

PIECES: Sequence[str] = (
    *SIGNATURES, "(", ")", "[", "]", ",", "/", "//", ".", "..", "*", "+", "-", " div ", " mod ", " and ", " or ", "=",
    "!=", "<", ">=", "|", "1", "0", "-1", "2.5", "999999999", "1e9", "'a'", "''", "'2024-01-01'", "'%Y'", "'('",
    "'(a+)+$'", "/data/t", "/data/i", "/data/d", "/data/m", "/data/s", "/data/p", "/data/r", "/data/r/v", "/data/g",
    "../", "../v", "current()/..", "instance('people')/root/item", "name", "position(..)", "@x", "::", "self::node()",
    "true()", "today()", "now()", "last()", "None", "lambda", "__import__", "__proto__", "c", "f0", "\u00a0",
    "\U0001f600", "\u0661", "\ufeff", "$x", "\\", '"', "&lt;", "\x00",
)  # fmt: skip
"""What an expression is made of, and what does not belong in one."""

VALUES: Sequence[str] = (
    "", " ", "0", "-0", "007", "1.5", "1e3", "1E400", "NaN", "Infinity", "9999999999", "-2147483648", "true", "1,5",
    "+5", "2024-02-29", "2024-02-30", "0000-00-00", "9999-12-31", "2024-03-01T10:00:00.000+07:00", "24:00",
    "06:30:00.000+07:00", "-8.2 114.3 0 0", "91 181", "0 0;0 1;1 1;0 0", ";", "a", "a b", "a a", "z", "OK",
    "photo.jpg", "../../etc/passwd", "jr://images/a.png", "uuid:1", "\u0661\u0662", "\U0001f600", "\ud800", "\x00",
    "<b>", "&amp;", "]]>", "a" * 5_000, "9" * 500, "1;" * 2_000,
)  # fmt: skip

Mutation = Callable[[Random, bytes], bytes]


def expression(random: Random, depth: int = 3) -> str:
    """Words in any order, or a call whose arguments are expressions."""
    if depth and random.random() < 0.5:
        name = random.choice(list(SIGNATURES))
        most = min(SIGNATURES[name].most, SIGNATURES[name].least + 2)
        count = random.randint(SIGNATURES[name].least, most)
        return f"{name}({', '.join(expression(random, depth - 1) for _ in range(count))})"
    if depth and random.random() < 0.4:
        operator = random.choice([" + ", " - ", " * ", " div ", " mod ", " = ", " < ", " and ", " or ", " | "])
        return f"{expression(random, depth - 1)}{operator}{expression(random, depth - 1)}"
    return "".join(random.choices(PIECES, k=random.randint(1, 6 if depth == 3 else 2)))


def value(random: Random) -> str:
    return random.choice(VALUES) if random.random() < 0.9 else "".join(map(chr, random.choices(range(0x11000), k=4)))


def answers(random: Random, names: Sequence[str], depth: int = 2) -> object:
    """Anything that JSON can hold, mostly under names of the form."""
    kind = random.randrange(12)
    if kind == 0:
        return random.choice([None, True, 5, 1.5, [], {}, [[]], [None], "x"])
    if kind == 1 and depth:
        return [answers(random, names, depth - 1) for _ in range(random.randrange(4))]
    if kind < 4 and depth:
        return {random.choice(names): answers(random, names, depth - 1) for _ in range(random.randrange(8))}
    return value(random)


def _cut(random: Random, content: bytes) -> bytes:
    at = random.randrange(len(content) + 1)
    return content[:at] if random.random() < 0.5 else content[at:]


def _flip(random: Random, content: bytes) -> bytes:
    spoilt = bytearray(content)
    for _ in range(random.randint(1, 8)):
        spoilt[random.randrange(len(spoilt))] = random.randrange(256)
    return bytes(spoilt)


def _double(random: Random, content: bytes) -> bytes:
    start, end = sorted(random.choices(range(len(content)), k=2))
    return content[:end] + content[start : min(end, start + 3_000)] * random.randint(1, 3) + content[end:]


def _drop(random: Random, content: bytes) -> bytes:
    start = random.randrange(len(content))
    return content[:start] + content[start + random.randint(1, 200) :]


def _swap_quoted(random: Random, content: bytes) -> bytes:
    """Another expression in an attribute: XForms keep their logic between quotation marks."""
    parts = content.split(b'"')
    if len(parts) < 3:
        return content
    at = random.randrange(1, len(parts) - 1, 2)
    written = expression(random).replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    parts[at] = written.encode("utf-8", "replace")
    return b'"'.join(parts)


def _swap_text(random: Random, content: bytes) -> bytes:
    """Another text in an element."""
    parts = content.split(b">")
    at = random.randrange(len(parts))
    written = value(random).replace("&", "&amp;").replace("<", "&lt;").encode("utf-8", "replace")
    parts[at] = written + b"<" + parts[at].partition(b"<")[2] if b"<" in parts[at] else parts[at]
    return b">".join(parts)


def _swap_words(random: Random, content: bytes) -> bytes:
    """Every place of one name takes another: types, controls, elements, questions."""
    words = [b"int", b"string", b"date", b"select1", b"select", b"input", b"repeat", b"group", b"bind", b"instance"]
    return content.replace(
        random.choice(words), random.choice([*words, b"meta", b"class", b"None"]), random.randint(1, 9)
    )


MUTATIONS: Sequence[Mutation] = (
    _cut, _flip, _double, _drop, _swap_quoted, _swap_quoted, _swap_quoted, _swap_text, _swap_text, _swap_words,
)  # fmt: skip


def bytes_of(random: Random, content: bytes) -> bytes:
    """The content after one to four accidents."""
    for _ in range(random.randint(1, 4)):
        content = random.choice(MUTATIONS)(random, content) if content else b"<"
    return content
