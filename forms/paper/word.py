"""A form on paper as a Word document, for those who want to change it before it is printed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from docx import Document
from docx.document import Document as Docx
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_TAB_ALIGNMENT, WD_TAB_LEADER
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from docx.table import Table, _Cell
from docx.text.paragraph import Paragraph

from forms.paper import paper as on
from forms.paper.paper import Ask, Grid, Mark, Note, Paper, Part, Run, Section, Space, Words

FONT = "Arial"
GREY = RGBColor(0x60, 0x60, 0x60)
WIDTH_MM = 176
INDENT_MM = 9
MARKS = {Mark.CIRCLE: "○", Mark.SQUARE: "□", Mark.NUMBER: "[   ]"}
RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ps", "sd", "ug", "ur", "yi"})
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def word(paper: Paper) -> bytes:
    """The paper, A4 upright."""
    writer = Writer(paper)
    writer.write()
    file = BytesIO()
    writer.document.save(file)
    return _settled(file)


def _settled(file: BytesIO) -> bytes:
    """The same bytes whenever it is made: without the times of its parts."""
    settled = BytesIO()
    with ZipFile(file) as made, ZipFile(settled, "w", ZIP_DEFLATED) as kept:
        for name in made.namelist():
            entry = ZipInfo(name, _LONG_AGO)
            entry.compress_type = ZIP_DEFLATED
            kept.writestr(entry, made.read(name))
    return settled.getvalue()


class Writer:
    """Writes one paper into a document."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        self.document: Docx = Document()
        self.is_from_right = paper.language.partition("-")[0] in RIGHT_TO_LEFT

    def write(self) -> None:
        self._set_up()
        self._head()
        for part in self.paper.parts:
            self._part(part)
        for appendix in self.paper.appendices:
            self._appendix(appendix)

    def _set_up(self) -> None:
        document, paper = self.document, self.paper
        section = document.sections[0]
        section.page_width, section.page_height = Mm(210), Mm(297)
        section.left_margin = section.right_margin = Mm(17)
        section.top_margin, section.bottom_margin = Mm(14), Mm(16)
        normal = document.styles["Normal"]
        normal.font.name, normal.font.size = FONT, Pt(10)
        normal.paragraph_format.space_after = Pt(0)
        for style, size in (("Title", 18), ("Heading 1", 13), ("Heading 2", 11), ("Heading 3", 10)):
            _make_plain(document.styles[style], size)
        about = document.core_properties
        about.title, about.subject, about.author = paper.title[:255], paper.edition[:255], paper.study[:255]
        about.comments = ""
        about.language = paper.language
        about.created = about.modified = datetime(2000, 1, 1)  # the same document, the same bytes
        self._foot(section.footer.paragraphs[0])

    def _foot(self, paragraph: Paragraph) -> None:
        paragraph.style = self.document.styles["Normal"]
        paragraph.paragraph_format.tab_stops.add_tab_stop(Mm(WIDTH_MM), WD_TAB_ALIGNMENT.RIGHT)
        self._small(paragraph, f"{self.paper.edition}\t")
        before, _, rest = self.paper.page.partition("{page}")
        between, _, after = rest.partition("{pages}")
        self._small(paragraph, before)
        _field(paragraph, "PAGE")
        self._small(paragraph, between)
        _field(paragraph, "NUMPAGES")
        self._small(paragraph, after)

    def _head(self) -> None:
        paper = self.paper
        if paper.study:
            self._small(self._line(), paper.study)
        self._line("Title").add_run(paper.title)
        self._small(self._line(), paper.edition)
        for space in paper.head:
            self._space(space, 0)
        legend = paper.legend
        said = f"○ {legend.circle}   □ {legend.square}   * {legend.star}.   {legend.writing}"
        self._small(self._line(before=6), said)

    def _part(self, part: Part) -> None:
        if isinstance(part, Section):
            self._section(part)
        elif isinstance(part, Note):
            self._note(part)
        elif isinstance(part, Grid):
            self._grid(part)
        else:
            self._ask(part)

    def _section(self, part: Section) -> None:
        heading = self._line(f"Heading {min(part.depth, 2) + 1}" if part.letter else "Heading 3", before=12)
        heading.paragraph_format.keep_with_next = True
        if part.letter:
            _shade(heading)
            heading.add_run(f" {part.letter}   ")
        self._words(heading, part.title)
        if part.only_if:
            self._only_if(part.only_if, 0)
        if part.note:
            self._small(self._line(keep=True), part.note)

    def _only_if(self, words: str, indent: int) -> None:
        said = self._line(before=6, indent=indent, keep=True).add_run(f"► {words}")
        said.font.size = Pt(8.5)

    def _note(self, part: Note) -> None:
        if part.only_if:
            self._only_if(part.only_if, 0)
        paragraph = self._line(before=6)
        paragraph.paragraph_format.space_after = Pt(6)
        _box(paragraph)
        self._words(paragraph, part.words)

    def _ask(self, part: Ask) -> None:
        if part.only_if:
            self._only_if(part.only_if, INDENT_MM)
        paragraph = self._line(before=2 if part.only_if else 8, indent=INDENT_MM, keep=True)
        paragraph.paragraph_format.first_line_indent = Mm(-INDENT_MM)
        paragraph.paragraph_format.tab_stops.add_tab_stop(Mm(INDENT_MM))
        paragraph.add_run(f"{part.number}\t").bold = True
        self._words(paragraph, part.label, bold=True)
        if part.is_required:
            paragraph.add_run(" *").bold = True
        for words in self._hints(part):
            words(self._line(indent=INDENT_MM, keep=True))
        for space in part.spaces:
            self._space(space, INDENT_MM)

    def _hints(self, part: Ask) -> Iterator[Any]:
        if part.hint:
            yield lambda paragraph: self._words(paragraph, part.hint, size=8.5, italic=True, grey=True)
        if part.guidance:
            yield lambda paragraph: self._words(paragraph, part.guidance, size=7.5, grey=True)
        if part.rule:
            yield lambda paragraph: self._small(paragraph, part.rule)

    def _space(self, space: Space, indent: int) -> None:
        if isinstance(space, on.Ticks):
            self._ticks(space, indent)
        elif isinstance(space, on.Lines):
            for _line in range(space.count):
                self._rule(self._line(before=8, indent=indent), WIDTH_MM)
        elif isinstance(space, on.Boxes):
            self._boxes(self._line(before=6, indent=indent), space)
        elif isinstance(space, on.Fields):
            self._fields(self._line(before=8, indent=indent), space, indent)
        elif isinstance(space, on.Frame):
            self._frame(space, indent)
        else:
            self._small(self._line(indent=indent), space.text)

    def _ticks(self, space: on.Ticks, indent: int) -> None:
        rows = -(-len(space.options) // space.columns)
        table = self._table(rows, space.columns, WIDTH_MM - indent, indent)
        for at, option in enumerate(space.options):
            cell = table.cell(at // space.columns, at % space.columns)
            self._option(cell.paragraphs[0], space.mark, option)

    def _option(self, paragraph: Paragraph, mark: Mark, option: on.Option) -> None:
        paragraph.paragraph_format.space_before = Pt(1.5)
        paragraph.add_run(f"{MARKS[mark]} ").font.size = Pt(12 if mark is not Mark.NUMBER else 9)
        self._words(paragraph, option.label, size=9.5)
        if option.code:
            code = paragraph.add_run(f"  {option.code}")
            code.font.size, code.font.color.rgb = Pt(7), GREY

    def _boxes(self, paragraph: Paragraph, space: on.Boxes) -> None:
        if space.before:
            paragraph.add_run(f"{space.before}  ")
        said = f" {space.separator} ".join("□ " * count for count in space.groups)
        paragraph.add_run(said).font.size = Pt(14)
        if space.after:
            paragraph.add_run(f" {space.after}")
        if space.captions:
            self._small(paragraph, f"  {space.separator.join(space.captions)}")

    def _fields(self, paragraph: Paragraph, space: on.Fields, indent: int) -> None:
        shares, at = sum(field.share for field in space.fields), float(indent)
        for field in space.fields:
            at += (WIDTH_MM - indent) * field.share / shares
            if field.is_tick:
                paragraph.paragraph_format.tab_stops.add_tab_stop(Mm(at))
                paragraph.add_run(f"□ {field.label}\t")
                continue
            is_last = field is space.fields[-1]
            stop = at - (1 if is_last else 3)
            paragraph.paragraph_format.tab_stops.add_tab_stop(Mm(stop), WD_TAB_ALIGNMENT.LEFT, WD_TAB_LEADER.LINES)
            paragraph.add_run(f"{field.label} \t" if is_last else f"{field.label} \t ")

    def _rule(self, paragraph: Paragraph, stop: int) -> None:
        paragraph.paragraph_format.tab_stops.add_tab_stop(Mm(stop), WD_TAB_ALIGNMENT.LEFT, WD_TAB_LEADER.LINES)
        paragraph.add_run("\t")

    def _frame(self, space: on.Frame, indent: int) -> None:
        table = self._table(1, 1, WIDTH_MM - indent, indent)
        table.style = "Table Grid"
        table.rows[0].height = Mm(space.height_mm)

    def _grid(self, part: Grid) -> None:
        table = self._table(part.rows + 1, len(part.columns) + 1, WIDTH_MM, 0)
        table.style = "Table Grid"
        width = (WIDTH_MM - 8) / len(part.columns)
        for row in table.rows:
            for at, cell in enumerate(row.cells):
                cell.width = Mm(width if at else 8)
        for at, column in enumerate(part.columns, 1):
            self._grid_head(table.cell(0, at), column)
            for row in range(1, part.rows + 1):
                self._grid_cell(table.cell(row, at), column.spaces[0])
        for row in range(1, part.rows + 1):
            table.cell(row, 0).paragraphs[0].add_run(str(row))
            table.rows[row].height = Mm(11)

    def _grid_head(self, cell: _Cell, column: Ask) -> None:
        paragraph = cell.paragraphs[0]
        self._words(paragraph, (Run(f"{column.number}  "), *column.label), size=9.5, bold=True)
        if column.is_required:
            paragraph.add_run(" *").bold = True
        if column.only_if:
            cell.add_paragraph().add_run(f"► {column.only_if}").font.size = Pt(8)
        for words in self._hints(column):
            words(cell.add_paragraph())

    def _grid_cell(self, cell: _Cell, space: Space) -> None:
        if isinstance(space, on.Boxes):
            self._boxes(cell.paragraphs[0], on.Boxes(space.groups, space.separator, (), space.before, space.after))
        elif isinstance(space, on.Ticks):
            for at, option in enumerate(space.options):
                self._option(cell.add_paragraph() if at else cell.paragraphs[0], space.mark, option)

    def _appendix(self, appendix: on.Appendix) -> None:
        self._line("Heading 1", before=14).add_run(appendix.title)
        down = -(-len(appendix.options) // 3)
        table = self._table(down, 3, WIDTH_MM, 0)
        for at, option in enumerate(appendix.options):
            paragraph = table.cell(at % down, at // down).paragraphs[0]
            self._words(paragraph, (*option.label, Run(f"  {option.code}")), size=8.5)

    # Words and lines.

    def _line(self, style: str | None = None, *, before: float = 0, indent: int = 0, keep: bool = False) -> Paragraph:
        paragraph = self.document.add_paragraph(style=style)
        paragraph.paragraph_format.space_before = Pt(before)
        if indent:
            paragraph.paragraph_format.left_indent = Mm(indent)
        paragraph.paragraph_format.keep_with_next = keep or None
        if self.is_from_right:
            paragraph._p.get_or_add_pPr().append(OxmlElement("w:bidi"))
        return paragraph

    def _words(
        self,
        paragraph: Paragraph,
        words: Words,
        *,
        size: float = 0,
        bold: bool = False,
        italic: bool = False,
        grey: bool = False,
    ) -> None:
        for run in words:
            said = paragraph.add_run(_printable(run.text))
            said.bold, said.italic = bold or run.bold or None, italic or run.italic or None
            if size:
                said.font.size = Pt(size)
            if grey:
                said.font.color.rgb = GREY
            if self.is_from_right:
                said.font.rtl = True

    def _small(self, paragraph: Paragraph, text: str) -> None:
        self._words(paragraph, (Run(text),), size=8.5, grey=True)

    def _table(self, rows: int, columns: int, width: int, indent: int) -> Table:
        table: Table = self.document.add_table(rows, columns)
        table.autofit = False
        table.alignment = WD_TABLE_ALIGNMENT.LEFT
        for row in table.rows:
            _unsplit(row)
            for cell in row.cells:
                cell.width = Mm(width / columns)
        if indent:
            place = OxmlElement("w:tblInd")
            place.set(qn("w:w"), str(round(indent * 56.7)))
            place.set(qn("w:type"), "dxa")
            table._tbl.tblPr.append(place)
        return table


def _printable(text: str) -> str:
    """Without the characters that no XML file may hold."""
    return "".join(letter for letter in text if letter in "\n\t" or " " <= letter <= "\ufffd" or letter > "\uffff")


def _make_plain(style: Any, size: float) -> None:
    style.font.name, style.font.size, style.font.bold = FONT, Pt(size), True
    style.font.color.rgb = RGBColor(0, 0, 0)
    fonts = style.element.rPr.rFonts
    for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        fonts.attrib.pop(qn(f"w:{theme}"), None)
    for border in style.element.pPr.findall(qn("w:pBdr")):
        style.element.pPr.remove(border)
    style.paragraph_format.space_after = Pt(2)


def _field(paragraph: Paragraph, instruction: str) -> None:
    """A number that Word works out: PAGE, NUMPAGES."""
    for kind in ("begin", "", "end"):
        run = paragraph.add_run()
        run.font.size, run.font.color.rgb = Pt(8.5), GREY
        if kind:
            part = OxmlElement("w:fldChar")
            part.set(qn("w:fldCharType"), kind)
        else:
            part = OxmlElement("w:instrText")
            part.text = instruction
        run._r.append(part)


def _box(paragraph: Paragraph) -> None:
    borders = OxmlElement("w:pBdr")
    for side in ("top", "left", "bottom", "right"):
        border = OxmlElement(f"w:{side}")
        for name, value in (("val", "single"), ("sz", "4"), ("space", "4"), ("color", "999999")):
            border.set(qn(f"w:{name}"), value)
        borders.append(border)
    paragraph._p.get_or_add_pPr().append(borders)


def _shade(paragraph: Paragraph) -> None:
    shade = OxmlElement("w:shd")
    for name, value in (("val", "clear"), ("color", "auto"), ("fill", "E8E8E8")):
        shade.set(qn(f"w:{name}"), value)
    paragraph._p.get_or_add_pPr().append(shade)


def _unsplit(row: Any) -> None:
    row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
