"""The pages for supervisors and researchers. Importing this package registers all of them on `bp`."""

from server.console import (
    attachments,
    audit,
    conflicts,
    day,
    devices,
    entities,
    forms,
    home,
    indicators,
    jobs,
    login,
    people,
    quarantine,
    record,
    review,
    submissions,
    words,
)
from server.console.blueprint import bp

__all__ = [
    "attachments",
    "audit",
    "bp",
    "conflicts",
    "day",
    "devices",
    "entities",
    "forms",
    "home",
    "indicators",
    "jobs",
    "login",
    "people",
    "quarantine",
    "record",
    "review",
    "submissions",
    "words",
]
