"""An operation as it came: the shape of one NDJSON line, before anybody has judged it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from sync.verdict import Why

KINDS = frozenset({"submission", "entity", "assignment", "review", "comment", "form", "list"})
LONGEST_ID, LONGEST_NAME = 64, 249
"""ODK Central takes instance IDs of up to 249 characters."""
LONGEST_WHY = 40
LARGEST_NUMBER = 2**53
OP_ID = re.compile(r"[0-9A-Za-z_.:~-]{1,64}")
SHA256 = re.compile(r"[0-9a-f]{64}")
NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""As JSON writes it; a backslash before it makes it six letters that somebody typed."""
ROWS = frozenset({"entity", "assignment", "comment"})
"""Kinds whose record has a row under an id of its own."""


class Unreadable(ValueError):
    """A line that cannot become an operation; `draft` is as much of it as could be read."""

    def __init__(self, why: Why, detail: str = "", draft: Draft | None = None) -> None:
        super().__init__(detail)
        self.why, self.detail, self.draft = why, detail, draft


@dataclass(frozen=True, slots=True)
class Draft:
    """What its author sent. `changes` is None when only `xml` says what was answered."""

    op_id: str
    origin: str
    n: int
    prev: int
    kind: str
    record_id: str
    context: Mapping[str, int] = field(default_factory=dict)
    at: str = ""
    form_id: str = ""
    version: str = ""
    changes: Mapping[str, Any] | None = None
    is_delete: bool = False
    xml: str | None = None
    attachments: tuple[Mapping[str, Any], ...] = ()
    base_id: str = ""
    """The deprecatedID of an instance whose author could not say what it had seen (OpenRosa)."""
    cause_id: str = ""
    instance_id: str = ""
    """Of an operation without XML. This and what follows counts only when another server forwards it."""
    rank: int = 0
    account_id: str = ""
    device_id: str = ""
    void: str = ""
    """Why it only occupies its number."""

    @property
    def is_derived(self) -> bool:
        """Made by a server from a bare instance: two servers that take the same instance make the same operation."""
        return self.origin == derived_origin(self.op_id)

    def line(self) -> bytes:
        """The operation as one line of the protocol."""
        return orjson.dumps(self.shape())

    def shape(self) -> dict[str, Any]:
        """The operation as JSON values."""
        shape: dict[str, Any] = {
            "op": self.op_id,
            "origin": self.origin,
            "n": self.n,
            "prev": self.prev,
            "kind": self.kind,
            "record": self.record_id,
            "context": dict(self.context),
            "at": self.at,
            "form": self.form_id,
            "version": self.version,
            "deleted": self.is_delete,
            "attachments": [dict(attachment) for attachment in self.attachments],
        }
        optional = {
            "set": self.changes,
            "xml": self.xml,
            "base": self.base_id or None,
            "cause": self.cause_id or None,
            "instance": self.instance_id or None,
            "rank": self.rank or None,
            "account": self.account_id or None,
            "device": self.device_id or None,
            "void": self.void or None,
        }
        return shape | {name: value for name, value in optional.items() if value is not None}


def derived_origin(op_id: str) -> str:
    """The origin of an operation whose author counted nothing: it is alone in its chain."""
    return f"x~{op_id}"


def read_draft(raw: bytes) -> Draft:
    """The operation on one line. Refuses Unreadable with what is wrong."""
    return draft_of(read_line(raw))


def read_line(raw: bytes) -> Mapping[str, Any]:
    """The JSON of one line that names an operation. Refuses Unreadable."""
    try:
        line = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Unreadable(Why.INVALID_JSON, str(error)) from error
    if not isinstance(line, dict):
        raise Unreadable(Why.INVALID_OPERATION, "an operation is a JSON object")
    # The search alone takes as long as all else of a line that is sent again; hardly a line has the one or the other.
    if b"\\u0000" in raw and NUL.search(raw):
        raise Unreadable(Why.INVALID_OPERATION, "a text holds a NUL character")
    if not isinstance(line.get("op"), str) or not OP_ID.fullmatch(line["op"]):
        raise Unreadable(Why.INVALID_OPERATION, "op: not an operation id")
    return line


def draft_of(line: Mapping[str, Any]) -> Draft:
    """The operation that such a line is. Refuses Unreadable."""
    draft = _envelope(line)
    if draft.kind not in KINDS:
        raise Unreadable(Why.UNKNOWN_KIND, draft.kind, draft)
    fault = _fault(draft, line)
    if fault:
        raise Unreadable(Why.INVALID_OPERATION, fault, draft)
    return draft


def _envelope(line: Mapping[str, Any]) -> Draft:
    context, changes, attachments = line.get("context"), line.get("set"), line.get("attachments")
    xml = line.get("xml")
    return Draft(
        op_id=line["op"],
        origin=_text(line, "origin"),
        n=_number(line, "n"),
        prev=_number(line, "prev"),
        kind=_text(line, "kind"),
        record_id=_text(line, "record"),
        context=context if isinstance(context, dict) else {},
        at=_text(line, "at")[:40],
        form_id=_text(line, "form"),
        version=_text(line, "version"),
        changes=changes if isinstance(changes, dict) else None,
        is_delete=line.get("deleted") is True,
        xml=xml if isinstance(xml, str) else None,
        attachments=tuple(attachments) if isinstance(attachments, list) else (),
        base_id=_text(line, "base"),
        cause_id=_text(line, "cause"),
        instance_id=_text(line, "instance")[:LONGEST_NAME],
        rank=int(line.get("rank") in (1, True)),
        account_id=_text(line, "account")[:LONGEST_ID],
        device_id=_text(line, "device")[:LONGEST_ID],
        void=_text(line, "void")[:LONGEST_WHY],
    )


def _text(line: Mapping[str, Any], name: str) -> str:
    value = line.get(name)
    return value if isinstance(value, str) else ""


def _number(line: Mapping[str, Any], name: str) -> int:
    value = line.get(name, 0)
    return value if _is_number(value) else -1


def _is_number(value: object) -> bool:
    """Whether every database can hold it."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST_NUMBER


def _fault(draft: Draft, line: Mapping[str, Any]) -> str:
    """The first thing that is wrong with the shape, "" when nothing is."""
    return fault_of_ids(draft) or _fault_of_types(line) or _fault_of_content(draft)


def fault_of_ids(draft: Draft) -> str:
    """What is wrong with its place in a chain, "" when nothing is."""
    if not 1 <= len(draft.origin) <= 255:
        return "origin: a text of 1 to 255 characters"
    if not 0 <= draft.prev < draft.n:
        return "n and prev: whole numbers with 0 <= prev < n"
    longest = LONGEST_ID if draft.kind in ROWS else LONGEST_NAME
    if not 1 <= len(draft.record_id) <= longest:
        return f"record: a text of 1 to {longest} characters"
    if max(map(len, (draft.form_id, draft.version, draft.base_id))) > LONGEST_NAME or len(draft.cause_id) > LONGEST_ID:
        return "form, version, base or cause: too long"
    return ""


def _fault_of_types(line: Mapping[str, Any]) -> str:
    expected = (("context", dict), ("set", dict), ("attachments", list), ("xml", str))
    for name, type_ in expected:
        if line.get(name) is not None and not isinstance(line[name], type_):
            return f"{name}: of the wrong type"
    return ""


def _fault_of_content(draft: Draft) -> str:
    for origin, n in draft.context.items():
        if not _is_number(n):
            return f"context: {origin[:80]} is not a number"
    for path, value in (draft.changes or {}).items():
        if not 1 <= len(path) <= 255 or not (value is None or isinstance(value, str)):
            return f"set: {path[:80]} is neither text nor null, or no path"
    if not all(map(is_attachment, draft.attachments)):
        return "attachments: each has a name, a sha256 and a size"
    has_content = draft.xml is not None or draft.changes is not None or draft.is_delete or draft.void
    if draft.kind == "submission" and not has_content:
        return "a submission has xml, or set, or is deleted"
    if draft.kind == "comment" and not draft.void and not (draft.changes or {}).get("submission"):
        return "a comment names its submission"
    return ""


def is_attachment(attachment: Any) -> bool:
    if not isinstance(attachment, dict):
        return False
    name, sha256, size = (attachment.get(key) for key in ("name", "sha256", "size"))
    return (
        isinstance(name, str)
        and 1 <= len(name) <= 255
        and not re.search(r"[/\\\x00-\x1f]", name)
        and isinstance(sha256, str)
        and SHA256.fullmatch(sha256) is not None
        and (size is None or _is_number(size))
    )
