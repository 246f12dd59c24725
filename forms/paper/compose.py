"""A form laid out for paper, in one of its languages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from forms.definition import FormDefinition, Group, Node, Path, Question, Repeat, Text
from forms.expression.syntax import Number
from forms.kind import is_note
from forms.paper.answer import Room
from forms.paper.condition import Told, claims_in
from forms.paper.number import is_section, on_paper
from forms.paper.paper import (
    Ask,
    Boxes,
    Field,
    Fields,
    Grid,
    Legend,
    Mark,
    Note,
    Paper,
    Part,
    Run,
    Section,
    Space,
    Ticks,
    Words,
    plain,
)
from forms.paper.words import Voice, code_of, styled

BLANKS = 3
"""Empty entries of a repeat that may have any number."""
MOST_ENTRIES = (20, 5, 1)
"""Entries that a repeat is printed with at most, however many the form says: at the top, in a repeat, deeper."""
ENDLESS = 10**9
MOST_COLUMNS = 4
NARROW = 22
"""Characters of a column's label or option, and digits of its boxes, that still fit a table."""
ALWAYS = re.compile(r"\s*(true\(\s*\)|1)\s*")


def compose(definition: FormDefinition, voice: Voice, study: str = "") -> Paper:
    """The whole paper. `study` is the project's name, "" when it is not known: then there is a line for it."""
    composer = Composer(Room(Told.of(definition, voice)))
    parts = tuple(composer.below(definition.root, 0, ""))
    code = code_of(voice.language) or voice.code
    return Paper(
        title=definition.title or definition.form_id,
        study=study,
        form_id=definition.form_id,
        language=code,
        edition=_edition(definition, voice),
        head=composer.head(study),
        legend=Legend(
            voice.gettext("choose one"),
            voice.gettext("choose all that apply"),
            voice.gettext("must be answered"),
            voice.gettext("Write clearly, one digit in each box."),
        ),
        page=voice.gettext("page {page} of {pages}"),
        parts=parts,
        appendices=tuple(composer.room.appendices.values()),
    )


def _edition(definition: FormDefinition, voice: Voice) -> str:
    named = re.sub(r"\s*\([^()]*\)\s*$", "", voice.language)
    version = voice.gettext("version {version}", version=definition.version) if definition.version else ""
    return " · ".join(part for part in (definition.form_id, version, named) if part)


@dataclass(frozen=True, slots=True)
class Composer:
    """Writes a form's nodes down, one after the other."""

    room: Room

    @property
    def told(self) -> Told:
        return self.room.told

    @property
    def voice(self) -> Voice:
        return self.room.told.voice

    def head(self, study: str) -> tuple[Space, ...]:
        voice = self.voice
        interviewer, record = (
            Field(voice.gettext("Interviewer"), share=3),
            Field(voice.gettext("Record number"), share=2),
        )
        place = Field(voice.gettext("Study")) if not study else None
        lines = (Fields((place,)),) if place else ()
        day, hour = self.room.day(), self.room.hour()
        begin, end = voice.gettext("Start"), voice.gettext("End")
        return (
            *lines,
            Fields((interviewer, record)),
            Boxes(day.groups, day.separator, day.captions, before=voice.gettext("Date")),
            Boxes(hour.groups, hour.separator, hour.captions, before=begin),
            Boxes(hour.groups, hour.separator, hour.captions, before=end),
        )

    def below(self, parent: Group | Repeat, depth: int, outer: str, repeats: int = 0) -> Iterator[Part]:
        """What is in a group or one entry of a repeat. `outer` is when a group without a head of its own is asked."""
        for node in parent.children:
            if not on_paper(node):
                continue
            if isinstance(node, Question):
                yield from self._question(node, outer)
            elif isinstance(node, Repeat):
                yield from self._repeat(node, depth, outer, repeats)
            elif is_section(node):
                yield self._section(node, depth, outer)
                yield from self.below(node, depth + 1, "", repeats)
            else:
                yield from self.below(node, depth, self._both(outer, node), repeats)

    def _both(self, outer: str, node: Node) -> str:
        own = self.told.condition(node.relevant, node.path)
        return self.voice.gettext("{one}, and {other}", one=outer, other=own) if outer and own else outer or own

    def _only_if(self, outer: str, node: Node) -> str:
        condition = self._both(outer, node)
        return self.voice.gettext("Only if {condition}.", condition=condition) if condition else ""

    def _section(self, node: Group | Repeat, depth: int, outer: str, note: str = "") -> Section:
        only_if = self._only_if(outer, node)
        if only_if:
            after = self.told.numbering.after.get(node.path, "")
            rest = self.voice.gettext("Otherwise go on with question {number}.", number=after)
            only_if += " " + (rest if after else self.voice.gettext("Otherwise the form ends here."))
        title = self._styled(node.label, node) or (Run(node.name),)
        return Section(self.told.numbering.letters.get(node.path, ""), title, depth, only_if, note)

    def _question(self, node: Question, outer: str) -> Iterator[Part]:
        if is_note(node):
            words = self._styled(node.label, node) + self._after(self._styled(node.hint, node))
            if words:
                yield Note(words, self._only_if(outer, node))
            return
        yield self._ask(node, self._only_if(outer, node))

    def _after(self, words: Words) -> Words:
        return (Run("\n"), *words) if words else ()

    def _ask(self, node: Question, only_if: str) -> Ask:
        return Ask(
            number=self.told.numbering.numbers[node.path],
            label=self._styled(node.label, node) or (Run(node.name),),
            hint=self._styled(node.hint, node) + self._when_required(node),
            guidance=self._styled(node.guidance, node),
            is_required=bool(ALWAYS.fullmatch(node.required)),
            only_if=only_if,
            rule=self._rule(node),
            spaces=self.room.spaces(node),
        )

    def _rule(self, node: Question) -> str:
        said = plain(self._styled(node.constraint_message, node)) if node.constraint else ""
        return self.voice.gettext("Check: {rule}", rule=said) if said else ""

    def _when_required(self, node: Question) -> Words:
        if not node.required or ALWAYS.fullmatch(node.required) or node.required.replace(" ", "") == "false()":
            return ()
        condition = self.told.condition(node.required, node.path)
        said = self.voice.gettext("Must be answered if {condition}.", condition=condition)
        return (Run(f" {said}"),) if condition else ()

    def _styled(self, text: Text, node: Node) -> Words:
        return styled(self.voice.said(text), lambda source: self.told.blank(source, node.path))

    # Repeats.

    def _repeat(self, node: Repeat, depth: int, outer: str, repeats: int) -> Iterator[Part]:
        count, note = self._count(node)
        entries = min(count, MOST_ENTRIES[min(repeats, len(MOST_ENTRIES) - 1)])
        if entries < count:
            note = self.voice.gettext("{count} entries in all: copy this part of the paper.", count=str(count))
        yield self._section(node, depth, outer, note)
        columns = self._columns(node)
        if columns:
            yield Grid(columns, entries)
            return
        name = self._styled(node.label, node) or (Run(node.name),)
        for entry in range(1, entries + 1):
            yield Section("", (*name, Run(f" {entry}")), depth + 1)
            yield from self.below(node, depth + 2, "", repeats + 1)

    def _count(self, node: Repeat) -> tuple[int, str]:
        """How many entries to print, and what to say about it."""
        more = self.voice.gettext("One for each. If there are more, use another sheet.")
        source, path = self._said_count(node)
        claims = claims_in(source) if source else []
        if len(claims) == 1 and isinstance(claims[0], Number):
            return int(min(max(claims[0].value, 0), ENDLESS)), ""
        if path is not None and path in self.told.numbering.numbers:
            what = self.told.named(path)
            return BLANKS, self.voice.gettext(
                "As many as {what} says. If there are more, use another sheet.", what=what
            )
        return BLANKS, more

    def _said_count(self, node: Repeat) -> tuple[str, Path | None]:
        """What the count is written as, and the question that it names. pyxform gives a number a node of its own."""
        path = self.told.resolved(node.count, node.path) if node.count else None
        named = self.told.nodes.get(path) if path else None
        if isinstance(named, Question) and path not in self.told.numbering.numbers and named.calculate:
            return named.calculate, self.told.resolved(named.calculate, named.path)
        return node.count, path

    def _columns(self, node: Repeat) -> tuple[Ask, ...]:
        """The questions as the columns of a table, () when they would not fit one."""
        asked = [child for child in _flat(node) if on_paper(child)]
        if not 0 < len(asked) <= MOST_COLUMNS or not all(isinstance(child, Question) for child in asked):
            return ()
        questions = [child for child in asked if isinstance(child, Question) and not is_note(child)]
        if len(questions) != len(asked):
            return ()
        columns = tuple(self._ask(child, self._only_if("", child)) for child in questions)
        return columns if all(_is_narrow(column) for column in columns) else ()


def _flat(parent: Group | Repeat) -> Iterator[Node]:
    """The children, with those of groups that only hold questions together."""
    for child in parent.children:
        if isinstance(child, Group) and not child.relevant and not any(child.label.values()):
            yield from _flat(child)
        else:
            yield child


def _is_narrow(column: Ask) -> bool:
    if len(plain(column.label)) > 2 * NARROW or len(plain(column.hint)) + len(column.rule) > 180 or column.guidance:
        return False
    return len(column.spaces) == 1 and _fits(column.spaces[0])


_WIDTHS: Mapping[Mark, int] = {Mark.CIRCLE: 5, Mark.SQUARE: 5, Mark.NUMBER: 0}


def _fits(space: Space) -> bool:
    if isinstance(space, Ticks):
        longest = max(len(plain(option.label)) for option in space.options)
        return len(space.options) <= _WIDTHS[space.mark] and longest <= NARROW
    if isinstance(space, Boxes):
        return sum(space.groups) <= 9
    return not isinstance(space, Fields) and getattr(space, "count", 2) == 1
