"""Lay the findings and attachments of a submission into their rows; what people and uploads did to them stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from forms.finding import Finding
from sync.ledger import Ledger, Row
from sync.rows import SUBMISSION_ATTACHMENT, SUBMISSION_FINDING

LONGEST_VALUE = 1000
MOST_FINDINGS = 2000
"""Of one record, the first: nobody reads more, and whoever writes a hundred thousand questions that no form asks must
not keep the project locked while they are noted."""
UNREVIEWED = {"state": "open", "note": "", "account_id": None, "reviewed_at": None}


def lay_findings(ledger: Ledger, row: Row, findings: Iterable[Finding]) -> None:
    """The record's findings are these. A dismissal outlives a new check while path, rule and value are the same."""
    key = "submission", row["instance_id"]
    old = ledger.rows(SUBMISSION_FINDING, key)
    reviews = {
        (one["rule"], one["path"], one["value"]): {name: one[name] for name in UNREVIEWED}
        for one in old
        if one["state"] != "open"
    }
    positions: Counter[tuple[str, str]] = Counter()
    open_by_severity: Counter[str] = Counter()
    rows: list[Row] = []
    for finding in islice(findings, MOST_FINDINGS):
        rule, path, value = finding.rule.value, finding.path[:255], finding.value[:LONGEST_VALUE]
        review = reviews.get((rule, path, value), UNREVIEWED)
        rows.append(
            {
                "project_id": ledger.project_id,
                "instance_id": row["instance_id"],
                "rule": rule,
                "path": path,
                "position": positions[rule, path],
                "severity": finding.severity.value,
                "value": value,
                "message": dict(finding.message),
                "params": dict(finding.params),
                "is_certain": finding.certain,
                **review,
            }
        )
        positions[rule, path] += 1
        open_by_severity[finding.severity.value] += review["state"] == "open"
    ledger.lay(SUBMISSION_FINDING, key, rows)
    row["errors"], row["warnings"] = open_by_severity["error"], open_by_severity["warning"]


def lay_attachments(ledger: Ledger, row: Row, announced: Mapping[str, Row], expected: frozenset[str]) -> list[str]:
    """The files that the record names (`expected`) and those that were announced; returns the names of the latter."""
    key = "submission", row["instance_id"]
    old = {one["name"]: one for one in ledger.rows(SUBMISSION_ATTACHMENT, key)}
    if not (announced or expected or old):
        row["attachments_missing"], ledger.lacking[row["instance_id"]] = 0, ()
        return []
    ledger.load_blobs(str(one["sha256"]) for one in announced.values())
    rows = [
        _attachment(ledger, row, name, announced.get(name), old.get(name), is_expected=name in expected)
        for name in sorted({*announced, *expected, *old})
        if name in expected or name in announced or old[name]["sha256"] is not None
    ]
    ledger.lay(SUBMISSION_ATTACHMENT, key, rows)
    lacking = [one for one in rows if one["arrived_at"] is None]
    row["attachments_missing"] = sum(one["is_expected"] for one in lacking)
    ledger.lacking[row["instance_id"]] = tuple(one["sha256"] or one["name"] for one in lacking)
    return list(announced)


def _attachment(
    ledger: Ledger, row: Row, name: str, announced: Any, old: Row | None, *, is_expected: bool
) -> dict[str, Any]:
    sha256 = announced["sha256"] if announced else old and old["sha256"]
    arrived_at = old["arrived_at"] if old and old["sha256"] == sha256 else None
    if arrived_at is None and sha256 in ledger.blobs:
        arrived_at = ledger.now
    return {
        "project_id": ledger.project_id,
        "instance_id": row["instance_id"],
        "name": name[:255],
        "is_expected": is_expected,
        "sha256": sha256,
        "size": announced.get("size") if announced else old and old["size"],
        "media_type": str((announced.get("type") if announced else old and old["media_type"]) or "")[:255],
        "arrived_at": arrived_at,
    }
