"""A submission as it stands after an operation: the fold, checked again and laid into its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from forms.check import CompiledForm
from forms.definition import Answers
from forms.expression.table import Table
from forms.finding import Finding, Rule, Severity
from forms.flat import differences, flatten, has_keys, placed, unflatten
from forms.instance import attachment_names, open_instance, write
from sync import definitions
from sync.apply_reviews import stands
from sync.clashes import lay_clashes
from sync.draft import derived_origin
from sync.entities.apply import entity_faults
from sync.entities.entity_lists import tables
from sync.filling import (
    Filling,
    Times,
    asks_lists,
    derived_among,
    examine,
    notice,
    policies_among,
    read_filling,
    recalculate,
    unasked,
)
from sync.lay import LONGEST_VALUE, lay_attachments, lay_findings
from sync.ledger import Act, Ledger, Record, Row
from sync.merge import View
from sync.namesakes import file_path, is_file, naming


@dataclass(frozen=True, slots=True)
class Standing:
    """What is shown of a record."""

    compiled: CompiledForm
    answers: Answers
    filling: Filling | None
    """The instance that was sent last, if any was."""
    is_exact: bool
    """The record says what that instance says, and nothing else."""


def compiled_for(ledger: Ledger, form_id: str, version: str) -> CompiledForm | None:
    """The version of the form, ready for checks; None when there is no such version yet."""
    return definitions.compiled(ledger.session, ledger.project_id, form_id, version)


def filling_of(ledger: Ledger, act: Act) -> Filling | None:
    """What the XML of an operation says, read by its own version of the form."""
    if act.filling is None and act.has_xml and act.state != "void":
        xml = xml_of(ledger, act)
        compiled = compiled_for(ledger, act.row["form_id"], act.row["version"])
        if xml is not None and compiled is not None:
            act.filling = read_filling(compiled, open_instance(xml))
    return act.filling


def xml_of(ledger: Ledger, act: Act) -> str | None:
    """The instance as its author wrote it."""
    if "xml" in act.row:
        xml: str | None = act.row["xml"]
        return xml
    return ledger.xml(act.op_id)


def settle(ledger: Ledger, record: Record, act: Act, findings: tuple[Finding, ...] | None = None) -> View:
    """Fold the record, `act` being the operation that has just become ready, and keep what comes out.

    `findings` are those of a check that was made beforehand; they count only while the record is one operation."""
    ready, heads = record.ready, record.history.heads
    shown = ledger.acts[heads[-1].op_id] if heads else act
    compiled = compiled_for(ledger, shown.row["form_id"], shown.row["version"])
    if compiled is None:
        raise LookupError(f"version {shown.row['version']} of form {shown.row['form_id']} is gone")
    view = _folded(record, compiled)
    standing = _standing(ledger, record, view, shown, compiled)
    if len(ready) > 1 and not standing.is_exact:
        standing = _recalculated(ledger, record, standing)
    expected = _expected(standing)
    view = naming(view, expected - _logs(standing))
    row = _row(ledger, record, view, shown, standing, act)
    lay_clashes(ledger, record, view)
    announced = lay_attachments(ledger, row, _announced(ledger, view), expected)
    if findings is None or len(ready) > 1 or not standing.is_exact:
        findings = _check(ledger, row, ready, standing)
    faults = entity_faults(ledger, standing.filling) if standing.filling else ()
    unknown = _unknown(ledger, record, view, standing)
    noticed = (*_mergers(view, standing), *_notices(ledger, row, compiled, announced, expected))
    lay_findings(ledger, row, chain(findings, faults, unknown, noticed))
    ledger.touched.add(record.record_id)
    return view


def _folded(record: Record, compiled: CompiledForm) -> View:
    definition, history = compiled.definition, record.history
    if len(history.ready) == 1:
        return history.view()
    return history.view(
        derived=derived_among(definition, history.paths), policies=policies_among(definition, history.paths)
    )


def _standing(ledger: Ledger, record: Record, view: View, shown: Act, compiled: CompiledForm) -> Standing:
    definition = compiled.definition
    spoken = shown if shown.has_xml else _last_spoken(ledger, view)
    filling = filling_of(ledger, spoken) if spoken is not None else None
    if filling is not None and spoken is shown and ((shown.is_whole and len(view.ready) == 1) or _says(view, filling)):
        return Standing(compiled, filling.answers, filling, is_exact=True)
    return Standing(compiled, unflatten(definition, view.values), filling, is_exact=False)


def _recalculated(ledger: Ledger, record: Record, standing: Standing) -> Standing:
    row = ledger.submissions.get(record.record_id)
    times = _times(row) if row else Times(None, None, ledger.now)
    lists = _lists(ledger, standing.compiled)
    return replace(standing, answers=recalculate(standing.compiled, standing.answers, times, lists))


def _unknown(ledger: Ledger, record: Record, view: View, standing: Standing) -> Iterator[Finding]:
    """Paths that the form of their own author does not ask: they are kept in the operation and shown as findings."""
    for path in sorted(unasked(standing.compiled.definition, view.writers)):
        if view.values[path] is None or is_file(path):
            continue
        row = ledger.acts[view.writers[path].op_id].row
        own = compiled_for(ledger, row["form_id"], row["version"])
        if own is None or unasked(own.definition, [path]):
            value = (view.values[path] or "")[:LONGEST_VALUE]
            yield Finding(Severity.ERROR, Rule.UNKNOWN_NODE, path, value)


def _mergers(view: View, standing: Standing) -> Iterator[Finding]:
    """Where the form itself has decided between answers: what was written, and by which policy."""
    for path, merger in sorted(view.mergers.items()):
        written = " | ".join(op.set[path] or "–" for op in merger.siblings)[:LONGEST_VALUE]
        params = {"policy": merger.policy.value, "written": written}
        value = (view.values[path] or "")[:LONGEST_VALUE]
        place = placed(standing.compiled.definition, standing.answers, path)
        yield Finding(Severity.INFO, Rule.MERGED, place, value, params=params)


def _says(view: View, filling: Filling) -> bool:
    definition = filling.compiled.definition
    if not has_keys(definition):
        return all(view.values.get(path) == value for path, value in filling.flat.items())
    shown = flatten(definition, unflatten(definition, view.values))
    return shown.keys() == filling.flat.keys() and not differences(shown, filling.flat)


def _last_spoken(ledger: Ledger, view: View) -> Act | None:
    acts = (ledger.acts[op.op_id] for op in reversed(view.ready) if not op.is_void)
    return next((act for act in acts if act.has_xml), None)


def _row(ledger: Ledger, record: Record, view: View, shown: Act, standing: Standing, act: Act) -> Row:
    filling = standing.filling
    row = ledger.submissions.get(record.record_id) or _new_row(ledger, record, act)
    row.update(
        # Of two servers one may have taken it for one form, the other for another one.
        form_id=shown.row["form_id"],
        version=shown.row["version"],
        answers=standing.answers,
        op_id=shown.op_id,
        vector=dict(view.vector),
        revision=len(record.ready),
        review_state=stands(ledger, record),
        is_deleted=view.is_deleted,
        updated_at=ledger.now,
        conflicts=len(view.clashes),
        seq=ledger.head,
    )
    if filling is not None:
        name = filling.envelope.instance_name[:255]
        row.update(instance_name=name, started_at=filling.started_at, ended_at=filling.ended_at)
    row["xml"] = None if standing.is_exact else _written(record.record_id, standing, row["instance_name"])
    ledger.submissions[record.record_id] = row
    return row


def _new_row(ledger: Ledger, record: Record, act: Act) -> Row:
    return {
        "project_id": ledger.project_id,
        "instance_id": record.record_id,
        "form_id": act.row["form_id"],
        "version": "",
        "instance_name": "",
        "answers": {},
        "xml": None,
        "op_id": "",
        "vector": {},
        "revision": 0,
        "review_state": "received",
        "is_deleted": False,
        "account_id": act.row["account_id"],
        "device_id": act.row["device_id"],
        "started_at": None,
        "ended_at": None,
        "received_at": act.row["received_at"],
        "updated_at": ledger.now,
        "errors": 0,
        "warnings": 0,
        "conflicts": 0,
        "attachments_missing": 0,
        "seq": 0,
    }


def _written(record_id: str, standing: Standing, instance_name: str) -> str:
    return write(standing.compiled.definition, standing.answers, instance_id=record_id, instance_name=instance_name)


def _times(row: Row) -> Times:
    return Times(row["started_at"], row["ended_at"], row["received_at"])


def _expected(standing: Standing) -> frozenset[str]:
    """The files that the record names."""
    envelope = standing.filling.envelope if standing.filling else None
    return frozenset(attachment_names(standing.compiled.definition, standing.answers, envelope))


def _logs(standing: Standing) -> frozenset[str]:
    """The audit log has the same name in every record, and nobody writes it: a newer one is no conflict."""
    audit = standing.filling.envelope.audit if standing.filling else ""
    return frozenset([audit] if audit else [])


def _announced(ledger: Ledger, view: View) -> dict[str, Row]:
    """The files of the record by name; of several with one name the one that is shown."""
    found: dict[str, Row] = {}
    for op in view.ready:
        for one in ledger.acts[op.op_id].row["attachments"] if op.files and not op.is_void else ():
            if view.values.get(file_path(one["name"]), one["sha256"]) == one["sha256"]:
                found[one["name"]] = one
    return found


def _check(ledger: Ledger, row: Row, ready: Sequence[Act], standing: Standing) -> tuple[Finding, ...]:
    if standing.filling is not None and standing.filling.envelope.is_sealed:
        return standing.filling.findings
    compiled = standing.compiled
    lists = _lists(ledger, compiled)
    read = standing.filling.findings if standing.filling and standing.is_exact else ()
    is_edited = len(ready) > 1
    announced = announced_by(ready)
    return (
        *read,
        *examine(compiled, standing.answers, _times(row), announced=announced, is_edited=is_edited, lists=lists),
    )


def _lists(ledger: Ledger, compiled: CompiledForm) -> Mapping[str, Table]:
    """The entity lists that the form looks up, as they are after all that was judged before."""
    if not asks_lists(compiled.definition):
        return {}
    ledger.write_entities()
    return tables(ledger.session, ledger.project_id, compiled.definition)


def announced_by(ready: Sequence[Act]) -> list[str] | None:
    """The files that came or will come. OpenRosa clients announce nothing: None until all is there."""
    if any(act.row["origin"] == derived_origin(act.op_id) for act in ready):
        return None
    return [str(attachment["name"]) for act in ready for attachment in act.row["attachments"]]


def _notices(
    ledger: Ledger, row: Row, compiled: CompiledForm, announced: Sequence[str], expected: frozenset[str]
) -> tuple[Finding, ...]:
    form = ledger.form(row["form_id"])
    current = form["version"] if form else None
    unexpected = [name for name in announced if name not in expected]
    return notice(compiled.definition, _times(row), unexpected=unexpected, current=current)
