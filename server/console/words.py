"""Values in the reader's words: instants, days, money, sizes. Filters and globals of the templates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.numbers import format_decimal
from flask import request, url_for
from flask_babel import get_locale, gettext, lazy_gettext
from markupsafe import Markup

from forms import fault
from forms.definition import Text, say
from server.clock import now
from server.console.blueprint import bp
from server.services import services
from sync.devices import LARGEST_SKEW_MS


def language() -> str:
    """The reader's language as forms name it: "id" or "en"."""
    locale = get_locale()
    return locale.language if locale is not None else "en"


def zone() -> ZoneInfo:
    """Where the fieldwork is: all times on pages are in this zone."""
    return ZoneInfo(services().settings.timezone)


RULES: Mapping[str, str] = {
    "orphan": lazy_gettext("because nothing named it"),
    "superseded": lazy_gettext("because it had been replaced"),
    "rejected": lazy_gettext("because it had been rejected or discarded"),
    "deleted": lazy_gettext("because its record had been deleted"),
    "approved": lazy_gettext("because its record had been approved"),
    "elsewhere": lazy_gettext("because another server had deleted it"),
}


@bp.app_template_filter()
def why_removed(rule: str) -> str:
    """By which rule a file was deleted."""
    return str(RULES.get(rule, rule))


def local_day(instant: datetime) -> date:
    return instant.astimezone(zone()).date()


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """The first instant of a local day and of the next one, in UTC."""
    first = datetime(day.year, day.month, day.day, tzinfo=zone())
    return first.astimezone(UTC), (first + timedelta(days=1)).astimezone(UTC)


@bp.app_template_filter()
def in_words(instant: datetime | None, style: str = "short") -> str:
    """ "today, 14.20", "3 Nov 2026, 14.20"; in full with style "long"."""
    if instant is None:
        return ""
    local = instant.astimezone(zone())
    locale = language()
    if style == "long":
        return format_datetime(local, "EEEE, d MMMM y, HH:mm:ss zzz", locale=locale)
    return f"{_near_day(local.date())}, {format_time(local, 'HH.mm' if locale == 'id' else 'HH:mm', locale=locale)}"


def _near_day(day: date) -> str:
    today = local_day(now())
    if day == today:
        return str(gettext("today"))
    if day == today - timedelta(days=1):
        return str(gettext("yesterday"))
    return format_date(day, "d MMM" if day.year == today.year else "d MMM y", locale=language())


@bp.app_template_filter()
def day_in_words(value: date | datetime | None) -> str:
    """ "Tuesday, 3 November 2026"."""
    if value is None:
        return ""
    day = local_day(value) if isinstance(value, datetime) else value
    return format_date(day, "EEEE, d MMMM y", locale=language())


@bp.app_template_filter()
def plain_day(text: str) -> str:
    """ "3 Nov" for 2026-11-03; with the year when it is another one."""
    day = date.fromisoformat(text)
    return format_date(day, "d MMM" if day.year == local_day(now()).year else "d MMM y", locale=language())


@bp.app_template_filter()
def clock_time(instant: datetime | None) -> str:
    """ "14.20"."""
    if instant is None:
        return ""
    return format_time(instant.astimezone(zone()), "HH.mm" if language() == "id" else "HH:mm", locale=language())


@bp.app_template_filter()
def ago(instant: datetime | None) -> str:
    """ "3 hours ago"."""
    if instant is None:
        return str(gettext("never"))
    return str(format_timedelta(instant - now(), add_direction=True, locale=language()))


@bp.app_template_filter()
def lasting(seconds: float | None) -> str:
    """ "3 minutes": a length of time."""
    return "" if seconds is None else str(format_timedelta(timedelta(seconds=seconds), locale=language()))


@bp.app_template_filter()
def number(value: float | int | None, decimals: int = 0) -> str:
    """Grouped as the reader's language groups: 1.250.000 or 1,250,000."""
    if value is None:
        return "–"
    return format_decimal(
        round(value, decimals), format=f"#,##0.{'#' * decimals}" if decimals else "#,##0", locale=language()
    )


@bp.app_template_filter()
def rupiah(value: float | int | None) -> str:
    """ "Rp 1.250.000": always grouped the Indonesian way, with a space that does not break."""
    if value is None:
        return "–"
    sign = "−" if value < 0 else ""
    return f"{sign}Rp\u00a0{format_decimal(abs(round(value)), format='#,##0', locale='id')}"


@bp.app_template_filter()
def size(value: int | None) -> str:
    """ "1.4 MB"."""
    if value is None:
        return ""
    amount, unit = float(value), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{format_decimal(amount, format='#,##0.#', locale=language())}\u00a0{unit}"


@bp.app_template_filter()
def in_language(text: Text | None, default: str = "") -> str:
    """Words that come by language (labels, messages), in the reader's one."""
    return say(text or {}, language(), default)


@bp.app_template_filter()
def told(one: Mapping[str, Any]) -> str:
    """What is to be said about a form, in the reader's language."""
    return fault.told(one, gettext)


@bp.app_template_filter()
def lines(text: str) -> Markup:
    """Text with its line breaks."""
    return Markup("<br>").join(text.splitlines())


@bp.app_template_global()
def url_with(**changes: object) -> str:
    """This page's address with other values in the query; None takes one out."""
    query = {name: value for name, value in request.args.items() if name not in changes and value}
    query |= {name: str(value) for name, value in changes.items() if value not in (None, "")}
    return url_for(request.endpoint or "console.home", **(request.view_args or {}), **query)  # type: ignore[arg-type]


@bp.app_template_filter()
def short_title(title: str) -> str:
    """A form's title as the head of a narrow column: up to the first slash, dash or colon."""
    return re.split(r"\s+[/|–—-]\s+|:\s", title, maxsplit=1)[0]


@bp.app_template_filter()
def skew(milliseconds: int) -> str:
    """How far a device's clock is off, and in which direction. Beyond what is kept of it, nobody knows how far."""
    amount = _amount(abs(milliseconds) / 1000)
    if abs(milliseconds) >= LARGEST_SKEW_MS:
        amount = gettext("more than %(time)s", time=amount)
    words = gettext("%(time)s ahead", time=amount) if milliseconds > 0 else gettext("%(time)s behind", time=amount)
    return str(words)


def _amount(seconds: float) -> str:
    if seconds < 90 * 60:
        return str(gettext("%(count)s min", count=round(seconds / 60)))
    if seconds < 48 * 3600:
        return str(gettext("%(count)s h", count=round(seconds / 3600)))
    return str(gettext("%(count)s days", count=int(seconds / 86400)))


@bp.app_template_filter()
def state_title(state: str) -> str:
    """A review state in words."""
    titles = {
        "received": gettext("To review"),
        "edited": gettext("Edited"),
        "has_issues": gettext("Returned"),
        "rejected": gettext("Rejected"),
        "approved": gettext("Approved"),
    }
    return str(titles.get(state, state))
