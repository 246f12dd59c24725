"""What a server keeps: its operations, read past the application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from tests.simulator.node import Node

COLUMNS = (
    "op_id, origin, n, at, rank, kind, record_id, changes, is_delete, attachments, state, why, xml, seq, instance_id,"
    " cause_id"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """An operation as a server keeps it."""

    op_id: str
    origin: str
    n: int
    at: str
    rank: int
    kind: str
    record_id: str
    changes: Mapping[str, str | None]
    is_delete: bool
    files: Mapping[str, str]
    """Name -> SHA-256."""
    state: str
    why: str
    xml: str | None
    seq: int | None
    instance_id: str
    cause_id: str

    @property
    def precedence(self) -> tuple[int, str, str, int]:
        return self.rank, self.at, self.origin, self.n


def kept_on(node: Node) -> dict[str, Kept]:
    """The operations by op_id, but for those that tell of form versions."""
    rows = node.rows(f"SELECT {COLUMNS} FROM operation WHERE kind != 'form'")
    made = (Kept(*row[:7], orjson.loads(row[7]), bool(row[8]), _files(row[9]), *row[10:]) for row in rows)
    return {one.op_id: one for one in made}


def _files(attachments: str) -> Mapping[str, str]:
    return {one["name"]: one["sha256"] for one in orjson.loads(attachments)}
