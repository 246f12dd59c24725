"""What the server says about each item that it received. An expected outcome is a value, never an exception."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sync.access import Actor


class Outcome(enum.Enum):
    """The verdict on one item. What is `safe` is durable here: its sender may drop it from the outbox."""

    ACCEPTED = "accepted"
    MERGED = "merged"
    CONFLICT = "conflict"
    DUPLICATE = "duplicate"
    HELD = "held"
    QUARANTINED = "quarantined"
    REJECTED = "rejected"

    @property
    def is_safe(self) -> bool:
        return self is not Outcome.REJECTED

    @property
    def is_shown(self) -> bool:
        """Whether the record can be seen now."""
        return self in (Outcome.ACCEPTED, Outcome.MERGED, Outcome.CONFLICT, Outcome.DUPLICATE)


class Why(enum.Enum):
    """The typed reason of a verdict."""

    NONE = ""
    # quarantined: it cannot be placed
    INVALID_JSON = "invalid_json"
    INVALID_OPERATION = "invalid_operation"
    MALFORMED_XML = "malformed_xml"
    NO_INSTANCE_ID = "no_instance_id"
    INSTANCE_ID_TOO_LONG = "instance_id_too_long"
    UNKNOWN_KIND = "unknown_kind"
    UNKNOWN_FORM = "unknown_form"
    FORM_CLOSED = "form_closed"
    OTHER_FORM = "other_form"
    OTHER_FILE = "other_file"
    NOT_PERMITTED = "not_permitted"
    REVOKED_DEVICE = "revoked_device"
    NUMBER_REUSED = "number_reused"
    POISON = "poison"
    # held, until a supervisor discarded it: it only occupies its number
    SET_ASIDE = "set_aside"
    # duplicate: it is here already, by another way
    SAME_INSTANCE = "same_instance"
    # held: it applies by itself once what it waits for has arrived
    WAITS_FOR_PREDECESSOR = "waits_for_predecessor"
    WAITS_FOR_BASE = "waits_for_base"
    WAITS_FOR_VERSION = "waits_for_version"
    WAITS_FOR_RECORD = "waits_for_record"
    # held: the database was busy or away; the sweep judges it
    BUSY = "busy"
    # rejected: it is not kept
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class Line:
    """The verdict on one item, in the order in which the items were sent."""

    op_id: str
    outcome: Outcome
    seq: int | None = None
    """The operation's place in the project's feed; None while it is held or quarantined."""
    form_id: str = ""
    version: str = ""
    why: Why = Why.NONE
    instance_id: str = ""
    """The record: for a submission the root instanceID."""
    instance_name: str = ""
    errors: int = 0
    warnings: int = 0
    conflicts: int = 0
    missing: tuple[str, ...] = ()
    """Attachments that the server still lacks: SHA-256 where it was announced, else the file name."""
    detail: str = ""
    first: Outcome | None = None
    """For a duplicate: the verdict that was given the first time."""

    @property
    def safe(self) -> bool:
        return self.outcome.is_safe


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to one batch. `head` is the feed's last sequence number, `forks` where earlier epochs ended."""

    server_id: str
    epoch: int
    forks: tuple[Mapping[str, int], ...]
    """See sync.epochs.Standing, as for `durable_seq` and `durable_by`."""
    now: datetime
    head: int
    durable_seq: int
    durable_by: str
    batch_id: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, through which door ("sync", "openrosa", "rest", "import", "server")."""

    project_id: str
    actor: Actor
    door: str
    device_id: str | None = None
    account_id: str | None = None
    user_agent: str = ""
    skew_ms: int | None = None
    waiting: int | None = None
    """What its outbox still holds."""
    is_seen: bool = False
    """`device_id` is an enrolled device, and it should be noted that it was here."""
    is_revoked: bool = False
    """A device whose token was taken back: what it sends is kept, in quarantine."""


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file that came along with a submission and is in the blob store already."""

    name: str
    sha256: str
    size: int
    media_type: str = ""
