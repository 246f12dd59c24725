"""Numbers of questions and letters of sections, so that one can speak of another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from forms.definition import FormDefinition, Group, Node, Path, Question, Repeat
from forms.expression.lexer import tokens
from forms.expression.syntax import BadExpression
from forms.kind import is_note
from forms.versions import readable

NEVER = "false()"


@dataclass(frozen=True, slots=True)
class Numbering:
    """What each node is called on paper; nodes that are not on it have no name."""

    numbers: dict[Path, str] = field(default_factory=dict)
    """Questions are counted through the whole form: 1, 2, 3 ..."""
    letters: dict[Path, str] = field(default_factory=dict)
    """Sections: A, B ... Z, AA; within them A1, A2, and A1.1."""
    after: dict[Path, str] = field(default_factory=dict)
    """The question to go on with where a group or a repeat is not asked; "" when the form ends there. What is asked
    under the very same condition is passed over, too."""


def numbering(definition: FormDefinition) -> Numbering:
    found = Numbering()
    order = list(_shown(definition.root))
    for number, node in enumerate((node for node in order if is_asked(node)), 1):
        found.numbers[node.path] = str(number)
    _letter(definition.root, "", found)
    _follow(order, found)
    return found


def is_asked(node: Node) -> bool:
    """Whether an interviewer puts this question, or sees a value that was worked out."""
    return isinstance(node, Question) and bool(node.control) and not is_note(node)


def is_section(node: Node) -> bool:
    """Whether it has a head of its own. A group without words only holds questions together."""
    return isinstance(node, Repeat) or (isinstance(node, Group) and any(node.label.values()))


def on_paper(node: Node) -> bool:
    """Whether anything of it is ever shown."""
    if node.relevant.replace(" ", "") == NEVER:
        return False
    return bool(node.control) if isinstance(node, Question) else any(on_paper(child) for child in node.children)


def _shown(parent: Group | Repeat) -> Iterator[Node]:
    for child in parent.children:
        if on_paper(child):
            yield child
            if not isinstance(child, Question):
                yield from _shown(child)


def _letter(parent: Group | Repeat, above: str, found: Numbering, count: int = 0) -> int:
    """Give every section below a letter; how many were given at this level."""
    for child in parent.children:
        if isinstance(child, Question) or not on_paper(child):
            continue
        if is_section(child):
            found.letters[child.path] = _below(above, count)
            count += 1
            _letter(child, found.letters[child.path], found)
        else:
            count = _letter(child, above, found, count)
    return count


def _below(above: str, position: int) -> str:
    if not above:
        return letters(position)
    return f"{above}.{position + 1}" if above[-1].isdigit() else f"{above}{position + 1}"


def letters(position: int) -> str:
    """0 -> A, 25 -> Z, 26 -> AA: as the columns of a sheet."""
    said = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        said = chr(ord("A") + rest) + said
    return said


def _follow(order: list[Node], found: Numbering) -> None:
    conditions: dict[Path, frozenset[str]] = {(): frozenset()}
    for node in order:
        conditions[node.path] = conditions[node.path[:-1]] | _claims(node.relevant)
    for at, node in enumerate(order):
        if not isinstance(node, Question) and node.relevant:
            depth, own = len(node.path), _claims(node.relevant)
            rest = (one for one in order[at:] if is_asked(one) and one.path[:depth] != node.path)
            found.after[node.path] = next(
                (found.numbers[one.path] for one in rest if not own <= conditions[one.path]), ""
            )


def _claims(expression: str) -> frozenset[str]:
    """What must hold all together, as written: `a = 1 and b = 2` are two."""
    try:
        words = tokens(expression)
    except BadExpression:
        return frozenset({expression})
    ends, depth = [0], 0
    for word in words:
        depth += (word.text in ("(", "[")) - (word.text in (")", "]")) if word.kind == "symbol" else 0
        if word.kind == "operator" and depth == 0 and word.text == "or":
            return frozenset({readable(expression)})
        if word.kind == "operator" and depth == 0 and word.text == "and":
            ends += [word.at, word.at + len("and")]
    ends.append(len(expression))
    parts = (readable(expression[ends[at] : ends[at + 1]]) for at in range(0, len(ends), 2))
    return frozenset(part for part in parts if part)
