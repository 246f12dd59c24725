"""A form on paper as a PDF file. The same paper gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from reportlab.lib.colors import black
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    Indenter,
    KeepTogether,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

from forms.paper import paper as on
from forms.paper.paper import Ask, Grid, Mark, Note, Paper, Part, Run, Section, Space, Words
from forms.paper.pdf_font import BOLD, ITALIC, PLAIN, drawn, fitting, load, markup, require_letters
from forms.paper.pdf_space import (
    GREY,
    LABEL,
    LIGHT,
    LINE,
    SMALL,
    Band,
    Blanks,
    Condition,
    Digits,
    Empty,
    Option,
    Rules,
    ticks,
)

MARGIN, TOP, BOTTOM = 17 * mm, 14 * mm, 17 * mm
WIDTH = A4[0] - 2 * MARGIN
INDENT = 9 * mm


def pdf(paper: Paper) -> bytes:
    """The paper, A4 upright. Refuses LettersMissing."""
    load()
    for words in paper.words():
        require_letters(words)
    file = BytesIO()
    document = BaseDocTemplate(
        file,
        pagesize=A4,
        title=paper.title,
        subject=paper.edition,
        author=paper.study or None,
        lang=paper.language or None,
        invariant=1,
        pageCompression=1,
    )
    frame = Frame(
        MARGIN, BOTTOM, WIDTH, A4[1] - TOP - BOTTOM, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0
    )
    document.addPageTemplates([PageTemplate("page", [frame])])
    sheet = Sheet(paper)
    document.build(list(sheet.flow()), canvasmaker=sheet.canvas)
    return file.getvalue()


def _style(name: str, size: float, font: str = PLAIN, **more: Any) -> ParagraphStyle:
    given = {"leading": size * 1.28} | more
    return ParagraphStyle(name, fontName=font, fontSize=size, **given)


STUDY = _style("study", SMALL + 0.5, textColor=GREY)
TITLE = _style("title", 17, BOLD, spaceAfter=1)
EDITION = _style("edition", SMALL + 0.5, textColor=GREY)
LEGEND = _style("legend", SMALL, textColor=GREY, leftIndent=5 * mm)
HEADING = (_style("heading", 11, BOLD), _style("heading2", 10, BOLD), _style("heading3", 9.5, BOLD))
ENTRY = _style("entry", 9.5, BOLD, spaceBefore=5, spaceAfter=1, borderPadding=0)
QUESTION = _style("question", LABEL, BOLD, leftIndent=INDENT, bulletIndent=0, bulletFontName=BOLD, bulletFontSize=LABEL)
HINT = _style("hint", SMALL, ITALIC, textColor=GREY)
GUIDANCE = _style("guidance", SMALL - 1, textColor=GREY)
ONLY_IF = _style("only-if", SMALL, PLAIN, leftIndent=3 * mm)
RULE = _style("rule", SMALL - 0.5, textColor=GREY)
ADVICE = _style("advice", SMALL, textColor=GREY, spaceBefore=1)
NOTE = _style("note", LABEL, leading=13, borderColor=LIGHT, borderWidth=0.6, borderPadding=(4, 5, 4, 5))
LISTED = _style("listed", SMALL)


class Sheet:
    """One paper being laid out."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper

    def flow(self) -> Iterator[Flowable]:
        yield from self._head()
        parts = self.paper.parts
        for part, following in zip(parts, (*parts[1:], None), strict=True):
            if isinstance(part, Section):
                yield CondPageBreak(_height(following) + 24 * mm)
            yield from self._part(part)
        for appendix in self.paper.appendices:
            yield from self._appendix(appendix)

    def canvas(self, *given: Any, **named: Any) -> NumberedPages:
        return NumberedPages(self.paper, *given, **named)

    def said(self, words: Words, style: ParagraphStyle, **more: Any) -> Paragraph:
        return Paragraph(markup(words), fitting(words, style), **more)

    def text(self, text: str, style: ParagraphStyle) -> Paragraph:
        return self.said((Run(text),), style)

    def _head(self) -> Iterator[Flowable]:
        paper = self.paper
        if paper.study:
            yield self.text(paper.study, STUDY)
        yield self.text(paper.title, TITLE)
        yield self.text(paper.edition, EDITION)
        yield Spacer(0, 2 * mm)
        for space in (one for one in paper.head if isinstance(one, on.Fields)):
            yield Blanks(space)
        digits = [Digits(space) for space in paper.head if isinstance(space, on.Boxes)]
        if digits:
            yield Spacer(0, 2.5 * mm)
            rest = (WIDTH * 0.46, *([WIDTH * 0.54 / max(len(digits) - 1, 1)] * (len(digits) - 1)))
            yield Table([digits], colWidths=rest, style=_bare(), hAlign="LEFT")
        yield Spacer(0, 2 * mm)
        yield self._legend()
        yield Spacer(0, 1 * mm)

    def _legend(self) -> Flowable:
        legend = self.paper.legend
        marks = ((Mark.CIRCLE, legend.circle), (Mark.SQUARE, legend.square))
        marked = [Option(markup((Run(text),)), LEGEND, mark) for mark, text in marks]
        rest = self.text(f"*  {legend.star}.   {legend.writing}", ADVICE)
        widths = [stringWidth(text, PLAIN, SMALL) + 9.5 * mm for _mark, text in marks]
        return Table([[*marked, rest]], colWidths=[*widths, WIDTH - sum(widths)], style=_bare(), hAlign="LEFT")

    def _part(self, part: Part) -> Iterator[Flowable]:
        if isinstance(part, Section):
            yield from self._section(part)
        elif isinstance(part, Note):
            yield from self._note(part)
        elif isinstance(part, Grid):
            yield from self._grid(part)
        else:
            yield from self._ask(part)

    def _section(self, part: Section) -> Iterator[Flowable]:
        yield Spacer(0, 3.5 * mm if part.letter else 2 * mm)
        if part.letter and part.depth < 2:
            yield Band(part.letter, self.said(part.title, HEADING[min(part.depth, 2)]))
        else:
            yield self.said((*((Run(f"{part.letter}  "),) if part.letter else ()), *part.title), ENTRY)
        if part.only_if:
            yield Spacer(0, 1 * mm)
            yield self._condition(part.only_if)
        if part.note:
            yield self.text(part.note, ADVICE)
        yield Spacer(0, 1 * mm)

    def _condition(self, words: str) -> Paragraph:
        said = (Run(words),)
        return Condition(markup(said), fitting(said, ONLY_IF))

    def _note(self, part: Note) -> Iterator[Flowable]:
        yield Spacer(0, 2.5 * mm)
        if part.only_if:
            yield self._condition(part.only_if)
        yield Spacer(0, 1.6 * mm)
        yield Indenter(2 * mm, 2 * mm)
        yield self.said(part.words, NOTE)
        yield Indenter(-2 * mm, -2 * mm)
        yield Spacer(0, 2.4 * mm)

    def _ask(self, part: Ask) -> Iterator[Flowable]:
        yield Spacer(0, 2.2 * mm)
        star = (Run(" *"),) if part.is_required else ()
        lines: list[Flowable] = []
        label = self.said((*part.label, *star), QUESTION, bulletText=part.number or None)
        lines += [label, Indenter(INDENT)]
        if part.only_if:
            lines.insert(0, Indenter(INDENT))
            lines.insert(1, self._condition(part.only_if))
            lines.insert(2, Indenter(-INDENT))
        lines += self._hints(part)
        lines.append(Spacer(0, 0.8 * mm))
        for space in part.spaces:
            lines.append(self._space(space, WIDTH - INDENT))
        lines.append(Indenter(-INDENT))
        yield KeepTogether(lines)

    def _hints(self, part: Ask) -> list[Flowable]:
        lines: list[Flowable] = []
        if part.hint:
            lines.append(self.said(part.hint, HINT))
        if part.guidance:
            lines.append(self.said(part.guidance, GUIDANCE))
        if part.rule:
            lines.append(self.text(part.rule, RULE))
        return lines

    def _space(self, space: Space, width: float) -> Flowable:
        if isinstance(space, on.Ticks):
            return ticks(space, width)
        if isinstance(space, on.Lines):
            return Rules(space.count)
        if isinstance(space, on.Boxes):
            return Digits(space)
        if isinstance(space, on.Fields):
            return Blanks(space)
        return Empty(space.height_mm) if isinstance(space, on.Frame) else self.text(space.text, ADVICE)

    def _grid(self, part: Grid) -> Iterator[Flowable]:
        width = (WIDTH - 6 * mm) / len(part.columns)
        head: list[Any] = [""]
        for column in part.columns:
            star = " *" if column.is_required else ""
            label = self.said((Run(f"{column.number}  "), *column.label, Run(star)), HEADING[2])
            told = [self._condition(column.only_if)] if column.only_if else []
            head.append([label, *told, *self._hints(column)])
        rows = [
            [self.text(str(row), LISTED), *[self._cell(column, width - 8) for column in part.columns]]
            for row in range(1, part.rows + 1)
        ]
        style = [
            ("GRID", (0, 0), (-1, -1), 0.5, LIGHT),
            ("VALIGN", (0, 0), (-1, 0), "TOP"),
            ("VALIGN", (0, 1), (-1, -1), "MIDDLE"),
            *(("LEFTPADDING", (0, 0), (-1, -1), 4), ("RIGHTPADDING", (0, 0), (-1, -1), 4)),
            *(("TOPPADDING", (0, 0), (-1, -1), 3), ("BOTTOMPADDING", (0, 0), (-1, -1), 3)),
        ]
        yield Spacer(0, 1.5 * mm)
        widths = [6 * mm, *[width] * len(part.columns)]
        yield KeepTogether([Table([head, *rows], colWidths=widths, style=style, repeatRows=1)])

    def _cell(self, column: Ask, width: float) -> Flowable:
        space = column.spaces[0]
        if isinstance(space, on.Lines):
            return Spacer(0, 8 * mm)
        if isinstance(space, on.Boxes):
            return Digits(space, 4.4 * mm)
        return self._space(space, width)

    def _appendix(self, appendix: on.Appendix) -> Iterator[Flowable]:
        yield Spacer(0, 5 * mm)
        yield CondPageBreak(40 * mm)
        yield Band("", self.text(appendix.title, HEADING[0]))
        yield Spacer(0, 1.5 * mm)
        cells = [self.said((*option.label, Run(f"  {option.code}")), LISTED) for option in appendix.options]
        down = -(-len(cells) // 3)
        rows = [[*cells[at::down], "", ""][:3] for at in range(down)]
        yield Table(rows, colWidths=[WIDTH / 3] * 3, style=_bare(), hAlign="LEFT")


class NumberedPages(Canvas):  # type: ignore[misc]
    """Pages that know how many they are: the foot is drawn when all are laid out."""

    def __init__(self, paper: Paper, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.paper = paper
        self.pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802  # reportlab's name
        self.pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        for page in self.pages:
            self.__dict__.update(page)
            self._foot(len(self.pages))
            super().showPage()
        super().save()

    def _foot(self, pages: int) -> None:
        y = BOTTOM - 8 * mm
        self.setStrokeColor(LIGHT)
        self.setLineWidth(0.4)
        self.line(MARGIN, y + 11, A4[0] - MARGIN, y + 11)
        self.setFillColor(GREY)
        self.setFont(PLAIN, 7.5)
        self.drawString(MARGIN, y, drawn(self.paper.edition))
        said = self.paper.page.replace("{page}", str(self._pageNumber)).replace("{pages}", str(pages))
        self.drawRightString(A4[0] - MARGIN, y, drawn(said))
        self.setFillColor(black)


def _height(part: Part | None) -> float:
    """About how much room it takes: enough not to leave its heading behind on the page before."""
    if isinstance(part, Grid):
        return float((36 + 11 * part.rows) * mm)
    if not isinstance(part, Ask):
        return float(12 * mm)
    tall = 16 * mm
    for space in part.spaces:
        if isinstance(space, on.Lines):
            tall += space.count * LINE
        elif isinstance(space, on.Ticks):
            tall += len(space.options) / space.columns * 7 * mm
        else:
            tall += 9 * mm
    return float(min(tall, 120 * mm))


def _bare() -> list[tuple[Any, ...]]:
    sides = ("LEFTPADDING", "RIGHTPADDING", "TOPPADDING", "BOTTOMPADDING")
    return [(side, (0, 0), (-1, -1), 2 if side == "RIGHTPADDING" else 0) for side in sides] + [
        ("VALIGN", (0, 0), (-1, -1), "BOTTOM")
    ]
