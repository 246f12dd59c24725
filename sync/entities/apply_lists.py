"""What people declare about an entity list, applied: an operation of kind "list" whose record is the list's name.

Of two who declare something else without seeing each other the later stands. The entities follow at once."""

from __future__ import annotations

from forms.policy import Policy
from sync.entities import list_rules
from sync.entities.apply import contested_in, refold
from sync.ledger import Act, Ledger, Record
from sync.merge import View


def settle_list(ledger: Ledger, record: Record, act: Act) -> View:
    """The list has the settings that were declared last, and its entities are what these make of them."""
    paths = {path for one in record.acts for path in one.row["changes"]}
    view = record.folded(policies=dict.fromkeys(paths, Policy.LATEST))
    row = ledger.list_row(record.record_id)
    row["settings"] = {path: value for path, value in sorted(view.values.items()) if value is not None}
    rules = list_rules.read(row["settings"])
    added = [name for name in rules.properties if name not in row["properties"]]
    row["properties"] = [*row["properties"], *added]
    ledger.changed_lists.add(row["name"])
    if list_rules.merging(act.row["changes"]):
        refold(ledger, contested_in(ledger, row["name"]), act)
    return view
