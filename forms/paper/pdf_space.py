"""The room for answers, drawn: boxes, lines, circles and squares."""

from __future__ import annotations

from reportlab.lib.colors import Color, black
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, Table

from forms.paper.paper import Boxes, Fields, Mark, Run, Ticks, Words
from forms.paper.pdf_font import BOLD, PLAIN, drawn, fitting, markup

GREY = Color(0.38, 0.38, 0.38)
LIGHT = Color(0.62, 0.62, 0.62)
LABEL, SMALL, TINY = 9.5, 8.0, 6.2
BOX = 5.4 * mm
LINE = 8 * mm
_THIN, _FINE = 0.7, 0.5

OPTION = ParagraphStyle("option", fontName=PLAIN, fontSize=9, leading=11.5, leftIndent=5.6 * mm)


class Option(Paragraph):  # type: ignore[misc]
    """An option with the circle, square or number box before its first line."""

    def __init__(self, text: str, style: ParagraphStyle, mark: Mark) -> None:
        super().__init__(text, style)
        self.mark = mark

    def draw(self) -> None:
        super().draw()
        canvas: Canvas = self.canv
        middle = self.height - self.style.leading * 0.52
        canvas.setLineWidth(_THIN)
        canvas.setStrokeColor(black)
        if self.mark is Mark.CIRCLE:
            canvas.circle(2 * mm, middle, 1.65 * mm)
        elif self.mark is Mark.SQUARE:
            canvas.rect(0.4 * mm, middle - 1.6 * mm, 3.2 * mm, 3.2 * mm)
        else:
            canvas.rect(0, middle - 2.2 * mm, 4.4 * mm, 4.4 * mm)


class Condition(Paragraph):  # type: ignore[misc]
    """When something is asked: a small arrowhead before its first line."""

    def draw(self) -> None:
        super().draw()
        middle = self.height - self.style.leading * 0.52
        path = self.canv.beginPath()
        path.moveTo(0, middle + 1.1 * mm)
        path.lineTo(1.9 * mm, middle)
        path.lineTo(0, middle - 1.1 * mm)
        path.close()
        self.canv.setFillColor(black)
        self.canv.drawPath(path, stroke=0, fill=1)


class Rules(Flowable):  # type: ignore[misc]
    """Lines to write on."""

    def __init__(self, count: int, height: float = LINE) -> None:
        super().__init__()
        self.count = count
        self.step = height

    def wrap(self, available: float, height: float) -> tuple[float, float]:
        self.width, self.height = available, self.count * self.step
        return self.width, self.height

    def split(self, available: float, height: float) -> list[Flowable]:
        fitting = int(height // self.step)
        return [Rules(fitting, self.step), Rules(self.count - fitting, self.step)] if 0 < fitting < self.count else []

    def draw(self) -> None:
        _pen(self.canv)
        for line in range(self.count):
            self.canv.line(0, line * self.step + 1, self.width, line * self.step + 1)


class Digits(Flowable):  # type: ignore[misc]
    """A box for each digit."""

    def __init__(self, boxes: Boxes, size: float = BOX) -> None:
        super().__init__()
        self.boxes = boxes
        self.size = size

    def wrap(self, available: float, height: float) -> tuple[float, float]:
        boxes = self.boxes
        separators = max(len(boxes.groups) - 1, 0) * 2.6 * mm
        before, after = (_width(f"{words} ", SMALL + 1) if words else 0.0 for words in (boxes.before, boxes.after))
        wanted = before + after + separators + sum(boxes.groups) * self.size
        if wanted > available and wanted > before + after + separators:
            self.size *= max((available - before - after - separators) / (wanted - before - after - separators), 0.3)
        self.width = min(wanted, available)
        self.height = self.size + 1.6 * mm + (TINY + 1 if boxes.captions else 0)
        return self.width, self.height

    def draw(self) -> None:
        boxes, canvas, size = self.boxes, self.canv, self.size
        bottom = TINY + 1.6 if boxes.captions else 0.6 * mm
        x = self._said(boxes.before, 0, bottom)
        for at, count in enumerate(boxes.groups):
            if at:
                canvas.setFont(PLAIN, 11)
                canvas.drawCentredString(x + 1.3 * mm, bottom + size * 0.25, boxes.separator)
                x += 2.6 * mm
            _pen(canvas, black)
            for box in range(count):
                canvas.rect(x + box * size, bottom, size, size)
            if at < len(boxes.captions):
                canvas.setFont(PLAIN, TINY)
                canvas.setFillColor(GREY)
                canvas.drawCentredString(x + count * size / 2, 0.5, drawn(boxes.captions[at]))
                canvas.setFillColor(black)
            x += count * size
        if boxes.after:
            self._said(boxes.after, x + 1.5 * mm, bottom)

    def _said(self, words: str, x: float, bottom: float) -> float:
        if not words:
            return x
        self.canv.setFont(PLAIN, SMALL + 1)
        self.canv.drawString(x, bottom + self.size * 0.28, drawn(words))
        return x + _width(f"{words} ", SMALL + 1)


class Blanks(Flowable):  # type: ignore[misc]
    """Words with lines behind them, side by side."""

    def __init__(self, fields: Fields, size: float = SMALL + 0.5) -> None:
        super().__init__()
        self.fields = fields.fields
        self.size = size

    def wrap(self, available: float, height: float) -> tuple[float, float]:
        self.width, self.height = available, LINE
        return self.width, self.height

    def draw(self) -> None:
        canvas, gap = self.canv, 4 * mm
        shares = sum(field.share for field in self.fields)
        room = self.width - gap * (len(self.fields) - 1)
        x = 0.0
        for field in self.fields:
            width = room * field.share / shares
            start = x
            if field.is_tick:
                _pen(canvas, black)
                canvas.rect(x + 0.4 * mm, 1, 3.2 * mm, 3.2 * mm)
                start += 5.6 * mm
            canvas.setFont(PLAIN, self.size)
            canvas.drawString(start, 2, drawn(field.label))
            start += _width(f"{field.label}  ", self.size)
            if not field.is_tick and start < x + width:
                _pen(canvas)
                canvas.line(start, 1, x + width, 1)
            x += width + gap


class Empty(Flowable):  # type: ignore[misc]
    """An empty frame."""

    def __init__(self, height_mm: int) -> None:
        super().__init__()
        self.tall = height_mm * mm

    def wrap(self, available: float, height: float) -> tuple[float, float]:
        self.width, self.height = available, self.tall + 2 * mm
        return self.width, self.height

    def draw(self) -> None:
        _pen(self.canv)
        self.canv.rect(0, 1 * mm, self.width, self.tall)


class Band(Flowable):  # type: ignore[misc]
    """The head of a section: a letter and a title on a grey band."""

    def __init__(self, letter: str, title: Paragraph) -> None:
        super().__init__()
        self.letter, self.title = letter, title
        self.indent = (_width(f"{letter}  ", 11) + 3 * mm) if letter else 2.5 * mm

    def wrap(self, available: float, height: float) -> tuple[float, float]:
        _width_, tall = self.title.wrap(available - self.indent - 2 * mm, height)
        self.width, self.height = available, tall + 2.6 * mm
        return self.width, self.height

    def draw(self) -> None:
        canvas = self.canv
        canvas.setFillColor(Color(0.91, 0.91, 0.91))
        canvas.rect(0, 0, self.width, self.height, stroke=0, fill=1)
        canvas.setFillColor(black)
        canvas.rect(0, 0, 1 * mm, self.height, stroke=0, fill=1)
        if self.letter:
            canvas.setFont(BOLD, 11)
            canvas.drawString(2.5 * mm, self.height - 1.3 * mm - 11, self.letter)
        self.title.drawOn(canvas, self.indent, 1.3 * mm)


def ticks(one: Ticks, width: float) -> Table:
    """The options in columns, filled row by row."""
    options: list[Flowable | str] = [
        Option(_said(option.label, option.code), fitting(option.label, OPTION), one.mark) for option in one.options
    ]
    rows = [options[at : at + one.columns] for at in range(0, len(options), one.columns)]
    rows[-1] += [""] * (one.columns - len(rows[-1]))
    gap = 1.0 if one.mark is not Mark.NUMBER else 2.4
    style = [
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3),
        ("TOPPADDING", (0, 0), (-1, -1), gap),
        ("BOTTOMPADDING", (0, 0), (-1, -1), gap),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
    return Table(rows, colWidths=[width / one.columns] * one.columns, style=style, hAlign="LEFT")


def _said(label: Words, code: str) -> str:
    said = markup(label)
    return f'{said} <font size="{TINY + 0.6}" color="#666666">{markup((Run(code),))}</font>' if code else said


def _pen(canvas: Canvas, color: Color = LIGHT) -> None:
    canvas.setLineWidth(_FINE)
    canvas.setStrokeColor(color)


def _width(text: str, size: float) -> float:
    return float(stringWidth(text, PLAIN, size))
