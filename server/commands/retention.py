"""`lapangan retention`: what would be deleted, and when."""

from __future__ import annotations

import click
from sqlalchemy import select

from server import scheduler
from server.clock import now
from server.commands.database import Opened, opened
from server.commands.screen import attention, done, out, size, table
from server.commands.screen import gettext as _
from sync.consolidate import JOBS
from sync.models import Project
from sync.retention import Rule, Terms, due, weighed


@click.command()
def retention() -> None:
    """Show which attachments would be deleted now, by project, form and rule. It deletes nothing itself.

    LAPANGAN_RETENTION says after how many days; the job "retention" deletes, every night or by "lapangan jobs once
    retention"."""
    with opened() as installation:
        terms = scheduler.keeping(installation.settings).files
        if not any(terms.days.values()):
            done(_("All attachments are kept for ever. LAPANGAN_RETENTION sets how long; see README.md."))
            return
        shown = table(
            _("Project"), _("Form"), _("Why"), _("After days"), _("Files"), _("Size"), numbers=frozenset({3, 4, 5})
        )
        for row in _rows(installation, terms):
            shown.add_row(*row)
        next_at = scheduler.next_slot(JOBS["retention"], installation.settings, now())
    if not shown.row_count:
        done(_("No attachment is due."))
        return
    out.print(shown)
    attention(
        _(
            "What was due a night ago goes at %(next)s, the rest a night later. Or all of it now: "
            "lapangan jobs once retention",
            next=f"{next_at:%Y-%m-%d %H:%M %Z}" if next_at else "–",
        )
    )


def _rows(installation: Opened, terms: Terms) -> list[tuple[str, ...]]:
    """Of each project, form and rule how many files are due, and their bytes."""
    rows: list[tuple[str, ...]] = []
    why = _rules()
    with installation.reading() as session:
        for project in session.scalars(select(Project).order_by(Project.number)).all():
            for (rule, form_id), (count, length) in weighed(due(session, project, terms, now=now())).items():
                days = terms.days_of(project.number, form_id, rule)
                named = (f"{project.number} {project.name}", form_id or "–", why[rule])
                rows.append((*named, str(days), str(count), size(length)))
    return rows


def _rules() -> dict[Rule, str]:
    return {
        Rule.ORPHAN: _("nothing names them"),
        Rule.SUPERSEDED: _("replaced"),
        Rule.REJECTED: _("rejected or discarded"),
        Rule.DELETED: _("record deleted"),
        Rule.APPROVED: _("record approved"),
    }
