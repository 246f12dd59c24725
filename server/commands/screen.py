"""What people read in the terminal: their language, tables, progress bars, and refusals in one clear line."""

from __future__ import annotations

import os
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from config import BadSetting
from forms.errors import Problem
from server.translations import spoken

LOCALE_VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")

out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False)


def language(environ: Mapping[str, str] = os.environ) -> str:
    """ "id" or "en", as the reader's own system speaks."""
    spoken = next((environ[name] for name in LOCALE_VARIABLES if environ.get(name)), "")
    return "id" if spoken.lower().startswith(("id", "in_")) else "en"


def gettext(words: str, **values: object) -> str:
    """The words in the reader's language, with %(name)s filled in."""
    said = spoken(language()).gettext(words)
    return said % values if values else said


_ = gettext


def say(words: str, style: str = "") -> None:
    """One line; what is in it is never taken for markup."""
    out.print(words, style=style or None, markup=False)


def done(words: str) -> None:
    out.print(f"[green]✓[/] {escape(words)}", soft_wrap=True)


def attention(words: str) -> None:
    out.print(f"[yellow]![/] {escape(words)}", soft_wrap=True)


def refuse(problem: Problem | BadSetting | OSError) -> None:
    """What is wrong and what to do, without a traceback."""
    title, detail = _parts(problem)
    err.print(f"[red]✗[/] {escape(title)}", soft_wrap=True)
    if detail:
        err.print(f"  {escape(detail)}", style="dim", soft_wrap=True)


def table(*columns: str, title: str = "", numbers: frozenset[int] = frozenset()) -> Table:
    """An empty table; the columns of these positions are numbers."""
    made = Table(title=title or None, title_justify="left", title_style="bold", header_style="bold", box=None)
    for index, column in enumerate(columns):
        made.add_column(column, justify="right" if index in numbers else "left", overflow="fold")
    return made


def progress() -> Progress:
    """A bar for work of known size; on a screen that is no terminal, nothing but the words printed around it."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TextColumn("{task.fields[about]}", style="dim"),
        TimeElapsedColumn(),
        console=out,
        transient=True,
        disable=not out.is_terminal,
    )


def size(count: int) -> str:
    """Bytes as people say them."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.0f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def _parts(problem: Problem | BadSetting | OSError) -> tuple[str, str]:
    if isinstance(problem, Problem):
        return gettext(problem.title()), problem.detail
    if isinstance(problem, OSError):
        return f"{problem.strerror or problem}", str(problem.filename or "")
    return str(problem), ""
