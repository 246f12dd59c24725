"""What one writing transaction knows of a project, and all that it will write: read in bulk, written in bulk.

Opening a ledger takes the project's row lock, so that the numbers of the feed have no gaps and no two
transactions fold one record at the same time. What can be parsed and checked beforehand is, to keep it short."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    CompoundSelect,
    Connection,
    Result,
    Select,
    Table,
    Update,
    bindparam,
    delete,
    insert,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.orm import Session

from forms.policy import Policy
from sync import removed
from sync.filling import Filling
from sync.insert import insert_rows
from sync.merge import NO_POLICIES, History, Op, Twins, Vector, View, seeing_twins
from sync.models import Blob, Device, EntityList, RemovedBlob
from sync.namesakes import told
from sync.rows import (
    ASSIGNMENT,
    CONFLICT,
    ENTITY,
    ENTITY_LIST,
    ENTITY_VERSION,
    FEED,
    FORK,
    FORM,
    FORM_VERSION,
    INSTALLATION,
    OPERATION,
    PROJECT,
    SUBMISSION,
    SUBMISSION_ALIAS,
    SUBMISSION_ATTACHMENT,
    SUBMISSION_FINDING,
)
from sync.verdict import Why

Key: TypeAlias = tuple[str, str]
"""(kind, record_id)."""

Row: TypeAlias = dict[str, Any]

NO_TWINS: Twins = {}
NO_VECTOR: Vector = {}
MARKED = Why.SAME_INSTANCE.value

COLUMNS = [
    *(column for column in OPERATION.columns if column.name != "xml"),
    OPERATION.c.xml.is_not(None).label("has_xml"),
]

# Statements of every batch are made once: to write one down takes longer than to run it.
HERE: BindParameter[str] = bindparam("project_id")
HEAD = select(PROJECT.c.head).where(PROJECT.c.project_id == HERE).with_for_update(key_share=True)
MOVE_HEAD = update(PROJECT).where(PROJECT.c.project_id == bindparam("of_project")).values(head=bindparam("head"))
_PLACES = select(
    *(OPERATION.c[name] for name in ("kind", "record_id", "origin", "n", "op_id", "state")),
).where(OPERATION.c.project_id == HERE)
# Two searches, each with an index of its own: with OR, SQLite reads all operations of the project. And not by pairs of
# origin and n: a hundred of them take longer to write down than to find.
KNOWN = union_all(
    _PLACES.where(OPERATION.c.op_id.in_(bindparam("op_ids", expanding=True))),
    _PLACES.where(
        OPERATION.c.origin.in_(bindparam("origins", expanding=True)),
        OPERATION.c.n.in_(bindparam("numbers", expanding=True)),
    ),
)
OPERATIONS = select(*COLUMNS).where(
    OPERATION.c.project_id == HERE,
    OPERATION.c.kind.in_(bindparam("kinds", expanding=True)),
    OPERATION.c.record_id.in_(bindparam("record_ids", expanding=True)),
)
ALIASES = select(SUBMISSION_ALIAS.c.alias, SUBMISSION_ALIAS.c.instance_id).where(
    SUBMISSION_ALIAS.c.project_id == HERE, SUBMISSION_ALIAS.c.alias.in_(bindparam("aliases", expanding=True))
)
SUBMISSIONS = select(*(column for column in SUBMISSION.columns if column.name != "xml")).where(
    SUBMISSION.c.project_id == HERE, SUBMISSION.c.instance_id.in_(bindparam("instance_ids", expanding=True))
)
ENTITIES = select(*ENTITY.columns).where(
    ENTITY.c.project_id == HERE, ENTITY.c.entity_id.in_(bindparam("entity_ids", expanding=True))
)
FORM_STATE = select(FORM.c.state, FORM.c.version).where(
    FORM.c.project_id == HERE, FORM.c.form_id == bindparam("form_id")
)
FORKS = select(FORK.c.seq, FORK.c.epoch).where(FORK.c.project_id == HERE).order_by(FORK.c.seq, FORK.c.epoch)
EPOCH = select(INSTALLATION.c.epoch)
NEVER = 2**63
"""No number of the feed is as great: the life that goes on has no last one."""
XML = select(OPERATION.c.xml).where(OPERATION.c.project_id == HERE, OPERATION.c.op_id == bindparam("op_id"))


def _of_records(table: Table, record_id: Column[Any], *more: ColumnElement[bool]) -> Select[Any]:
    ids: BindParameter[str] = bindparam("ids", expanding=True)
    return select(table, record_id.label("of_record")).where(table.c.project_id == HERE, record_id.in_(ids), *more)


KEPT = {
    CONFLICT: _of_records(CONFLICT, CONFLICT.c.record_id, CONFLICT.c.kind == bindparam("kind")),
    SUBMISSION_ATTACHMENT: _of_records(SUBMISSION_ATTACHMENT, SUBMISSION_ATTACHMENT.c.instance_id),
    SUBMISSION_FINDING: _of_records(SUBMISSION_FINDING, SUBMISSION_FINDING.c.instance_id),
}
"""The rows that follow from a record's operations, of several records at once."""


@dataclass(slots=True)
class Act:
    """An operation in the ledger: its row, and what the fold needs of it."""

    row: Row
    is_new: bool = False
    has_xml: bool = False
    filling: Filling | None = None
    """What its XML says, once somebody has read it."""
    is_changed: bool = False
    is_whole: bool = False
    """What it changes is all that its instance says: there was nothing before it."""
    _op: Op | None = None

    @property
    def op(self) -> Op:
        if self._op is None:
            self._op = op_of(self.row)
        return self._op

    @property
    def op_id(self) -> str:
        op_id: str = self.row["op_id"]
        return op_id

    @property
    def state(self) -> str:
        state: str = self.row["state"]
        return state

    def stand(self, state: str) -> None:
        """As it was at some time; nothing of that is written."""
        if self.row["state"] != state:
            self.row["state"] = state
            self._op = None

    def change(self, **columns: Any) -> None:
        self.row.update(columns)
        self.is_changed = True
        self._op = None


@dataclass(slots=True)
class Record:
    """All operations on one record, in any state."""

    kind: str
    record_id: str
    acts: list[Act] = field(default_factory=list)
    _history: History | None = None
    _is_plain: bool = False
    """The history is made of the operations just as they came."""

    @property
    def history(self) -> History:
        """All that is not held, as the fold takes it."""
        if self._history is None:
            ops, twins = [act.op for act in self.acts if act.state != "held"], self.twins
            seeing = told([seeing_twins(op, twins) for op in ops] if twins else ops)
            self._history, self._is_plain = History(seeing), seeing == ops and not self._markers
        return self._history

    def take(self, act: Act) -> None:
        """An operation that waited takes part from now on."""
        # What a marker stands for, and files of one name, change what others are taken to have seen and written.
        if self._is_plain and not act.op.files and self._history is not None:
            self._history.take(act.op)
        else:
            self.forget()

    def forget(self) -> None:
        """The operations are others than they were: their history is gone through from the beginning."""
        self._history = None

    def folded(self, *, derived: Set[str] = frozenset(), policies: Mapping[str, Policy] = NO_POLICIES) -> View:
        """The fold of all that is not held."""
        return self.history.view(derived=derived, policies=policies)

    @property
    def twins(self) -> Twins:
        """What came by two ways: the second is a marker that names the first."""
        markers = self._markers
        if not markers:
            return NO_TWINS
        here = {act.op_id: act.op for act in self.ready}
        stand = ((act.op, here[act.row["cause_id"]]) for act in markers if act.row["cause_id"] in here)
        return {(op.origin, op.n): (other.origin, other.n) for op, other in stand}

    @property
    def _markers(self) -> list[Act]:
        return [act for act in self.acts if act.row["why"] == MARKED and act.state == "void"]

    @property
    def vector(self) -> Mapping[str, int]:
        # Of a record that is new, which most are, there is no history to be made yet.
        return self.history.vector if len(self.held) < len(self.acts) else NO_VECTOR

    @property
    def ready(self) -> list[Act]:
        return [act for act in self.acts if act.state == "ready"]

    @property
    def held(self) -> list[Act]:
        return [act for act in self.acts if act.state == "held"]

    def standing(self, head: int) -> list[Op]:
        """What is not held by the time that the feed has come to this number: a rebuild knows the later ones too."""
        return [act.op for act in self.acts if act.state != "held" and (act.row["seq"] or 0) <= head]


@dataclass(slots=True)
class Ledger:
    """Open it with `open_ledger`; nothing is written before `write`."""

    session: Session
    connection: Connection
    """That of the session. Its statements need no look at objects first, which costs half as much as they do."""
    project_id: str
    now: datetime
    head: int
    first: int
    """The head when it was opened."""
    wakes: bool = True
    """Whether what waits applies as soon as it can."""
    acts: dict[str, Act] = field(default_factory=dict)
    """Known operations by op_id: those that were loaded and those that are new."""
    numbers: dict[tuple[str, int], str] = field(default_factory=dict)
    """(origin, n) -> op_id: that of what was put aside only where there is no other."""
    voids: set[str] = field(default_factory=set)
    """Of these, what was put aside."""
    records: dict[Key, Record] = field(default_factory=dict)
    submissions: dict[str, Row] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    """Instance IDs whose row in `submission` is in the database already."""
    aliases: dict[str, str] = field(default_factory=dict)
    blobs: set[str] = field(default_factory=set)
    """Files for which nobody waits: they are here, or nobody wants them any more."""
    refused: set[str] = field(default_factory=set)
    """Of the files that are named now: those that nobody wants any more."""
    forms: dict[str, Row] = field(default_factory=dict)
    entities: dict[str, Row] = field(default_factory=dict)
    known_entities: set[str] = field(default_factory=set)
    lists: dict[str, Row] = field(default_factory=dict)
    changed_lists: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    """Submissions to write."""
    touched_entities: set[str] = field(default_factory=set)
    feed: list[Row] = field(default_factory=list)
    lacking: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Attachments that have not arrived, by instance ID: SHA-256 where it was announced, else the name."""
    inserts: dict[Table, list[Row]] = field(default_factory=lambda: defaultdict(list))
    laid: dict[Table, dict[Key, list[Row]]] = field(default_factory=lambda: defaultdict(dict))
    """By record, all of its rows in a table, whatever was there before."""
    kept: dict[Table, dict[Key, list[Row]]] = field(default_factory=lambda: defaultdict(dict))
    """What the database has of them."""
    cleared: dict[Table, set[Key]] = field(default_factory=lambda: defaultdict(set))
    """Rows of these records are replaced by those that are new."""
    devices: dict[str, Device | None] = field(default_factory=dict)
    lives: list[tuple[int, int]] | None = None
    """(last number of the feed, epoch) of each life that has ended, once somebody has asked."""

    def next_seq(self, act: Act) -> int:
        """The feed's next number, for an operation that takes part from now on."""
        self.head += 1
        row = act.row
        self.feed.append(
            {
                "project_id": self.project_id,
                "seq": self.head,
                "op_id": row["op_id"],
                "kind": row["kind"],
                "record_id": row["record_id"],
                "at": self.now,
            }
        )
        return self.head

    def device(self, device_id: str) -> Device | None:
        """Asked once: a batch may name one that is not here a hundred times."""
        if device_id not in self.devices:
            self.devices[device_id] = self.session.get(Device, (self.project_id, device_id))
        return self.devices[device_id]

    def epoch_at(self, seq: int) -> int:
        """The life of this server in which the feed came to this number."""
        if self.lives is None:
            ended = [(last, epoch) for last, epoch in self._rows(FORKS)]
            self.lives = [*ended, (NEVER, self.connection.scalars(EPOCH).one())]
        return next(epoch for last, epoch in self.lives if seq <= last)

    def lay(self, table: Table, key: Key, rows: list[Row]) -> None:
        """The record has these rows now, and no others."""
        if self._kept(table, key):
            self.cleared[table].add(key)
        self.laid[table][key] = rows

    def rows(self, table: Table, key: Key) -> Sequence[Row]:
        """The rows that the record has."""
        laid = self.laid[table].get(key)
        return self._kept(table, key) if laid is None else laid

    def _kept(self, table: Table, key: Key) -> Sequence[Row]:
        kept, (kind, record_id) = self.kept[table], key
        if key not in kept:
            # All that are at hand in one query: the next item of the batch asks for another one's.
            ids = {"submission": self.known, "entity": self.known_entities}.get(kind, {record_id})
            new = {id_ for id_ in ids if (kind, id_) not in kept}
            kept.update(((kind, id_), []) for id_ in {record_id, *new})
            for found in self._rows(KEPT[table], kind=kind, ids=new).mappings() if new else ():
                row = dict(found)
                kept[kind, row.pop("of_record")].append(row)
        return kept[key]

    def add(self, act: Act) -> None:
        """A new operation, in whichever state."""
        act.is_new, act.has_xml = True, act.row["xml"] is not None
        self.acts[act.op_id] = act
        self._number(act.row["origin"], act.row["n"], act.op_id, act.state)
        record = self.record(act.row["kind"], act.row["record_id"])
        record.acts.append(act)
        if act.state != "held":
            record.forget()

    def give_way(self, marker: Act) -> None:
        """The operation that it stood for is here: nothing else has its id and its number."""
        record = self.record(marker.row["kind"], marker.row["record_id"])
        record.acts.remove(marker)
        record.forget()
        del self.acts[marker.op_id]
        self.voids.discard(marker.op_id)
        place = marker.row["origin"], marker.row["n"]
        if self.numbers.get(place) == marker.op_id:
            del self.numbers[place]
        if not marker.is_new:
            of_marker = OPERATION.c.project_id == self.project_id, OPERATION.c.op_id == marker.op_id
            self.connection.execute(delete(OPERATION).where(*of_marker))

    def move(self, act: Act, record_id: str) -> Record:
        """The operation turns out to belong to another record."""
        old = self.record(act.row["kind"], act.row["record_id"])
        if old.record_id == record_id:
            return old
        old.acts.remove(act)
        act.change(record_id=record_id)
        new = self.record(act.row["kind"], record_id)
        new.acts.append(act)
        old.forget()
        new.forget()
        return new

    def record(self, kind: str, record_id: str) -> Record:
        key = (kind, record_id)
        if key not in self.records:
            self.load_records([kind], [record_id])
        return self.records[key]

    def root(self, instance_id: str) -> str:
        """The record that an instance ID belongs to."""
        if instance_id not in self.aliases:
            self.load_aliases([instance_id])
        return self.aliases[instance_id]

    def submission(self, instance_id: str) -> Row | None:
        self.record("submission", instance_id)
        return self.submissions.get(instance_id)

    def load_operations(self, op_ids: Iterable[str], numbers: Iterable[tuple[str, int]]) -> None:
        """Which of these are known; their records come along."""
        wanted, pairs = set(op_ids) - self.acts.keys(), set(numbers)
        origins, counted = {origin for origin, _ in pairs}, {n for _, n in pairs}
        if not (wanted or pairs):
            return
        keys: dict[str, list[str]] = defaultdict(list)
        for kind, record_id, origin, n, op_id, state in self._rows(
            KNOWN, op_ids=wanted, origins=origins, numbers=counted
        ):
            self._number(origin, n, op_id, state)
            if op_id in wanted:
                keys[kind].append(record_id)
        for kind, record_ids in keys.items():
            self.load_records([kind], record_ids)

    def _number(self, origin: str, n: int, op_id: str, state: str) -> None:
        if state == "void":
            self.voids.add(op_id)
        known = self.numbers.get((origin, n))
        if known is None or known in self.voids:
            self.numbers[origin, n] = op_id

    def load_records(self, kinds: Sequence[str], record_ids: Iterable[str]) -> None:
        """All records of these kinds with these ids."""
        wanted = set(record_ids)
        new = {(kind, record_id) for kind in kinds for record_id in wanted} - self.records.keys()
        if not new:
            return
        self.records.update((key, Record(*key)) for key in new)
        present: dict[str, set[str]] = defaultdict(set)
        rows = self._rows(OPERATIONS, kinds={kind for kind, _ in new}, record_ids={record_id for _, record_id in new})
        names = list(rows.keys())
        # Plain rows: of hundreds of operations, mappings take as long as the query. And sorted here: with ORDER BY,
        # SQLite walks all operations along the index that has that order.
        for row in sorted((dict(zip(names, row, strict=True)) for row in rows), key=itemgetter("origin", "n")):
            kind, record_id = row["kind"], row["record_id"]
            if (kind, record_id) in new:
                self._take(row)
                present[kind].add(record_id)
        self._load_submissions(present["submission"])
        self._load_entities(present["entity"])

    def _take(self, row: Row) -> None:
        act = Act(row, has_xml=row.pop("has_xml"))
        self.acts[act.op_id] = act
        self._number(row["origin"], row["n"], act.op_id, row["state"])
        self.records[row["kind"], row["record_id"]].acts.append(act)

    def _rows(self, statement: Select[Any] | CompoundSelect[Any], **values: Any) -> Result[*tuple[Any, ...]]:
        """What the project holds of these; sets of values in their order, so that a statement is the same again."""
        given = {name: sorted(value) if isinstance(value, set) else value for name, value in values.items()}
        return self.connection.execute(statement, {"project_id": self.project_id, **given})

    def xml(self, op_id: str) -> str | None:
        """The instance of an operation that is in the database."""
        xml: str | None = self._rows(XML, op_id=op_id).scalar()
        return xml

    def load_aliases(self, instance_ids: Iterable[str]) -> None:
        wanted = set(instance_ids) - self.aliases.keys()
        if not wanted:
            return
        self.aliases.update({instance_id: instance_id for instance_id in wanted})
        self.aliases.update((alias, root) for alias, root in self._rows(ALIASES, aliases=wanted))

    def load_blobs(self, hashes: Iterable[str]) -> None:
        wanted = sorted(set(hashes) - self.blobs)
        if wanted:
            here = select(Blob.sha256).where(Blob.project_id == self.project_id, Blob.sha256.in_(wanted))
            gone = select(RemovedBlob.sha256).where(
                RemovedBlob.project_id == self.project_id, RemovedBlob.sha256.in_(wanted), RemovedBlob.is_refused
            )
            self.blobs.update(self.session.scalars(union_all(here, gone)))

    def welcome(self, hashes: Iterable[str]) -> None:
        """Something new names these files: whichever was deleted on purpose is taken again."""
        wanted = set(hashes) & self.refused
        if wanted:
            removed.welcome(self.session, self.project_id, wanted)
            self.refused -= wanted
            self.blobs -= wanted

    def form(self, form_id: str) -> Row | None:
        """`state` and `version` of a form."""
        if form_id not in self.forms:
            row = self._rows(FORM_STATE, form_id=form_id).mappings().first()
            self.forms[form_id] = dict(row) if row else {}
        return self.forms[form_id] or None

    def has_version(self, form_id: str, version: str) -> bool:
        """Whether this version of the form is published."""
        published = FORM_VERSION.c
        found = select(published.version).where(
            published.project_id == self.project_id,
            published.form_id == form_id,
            published.version == version,
            published.state == "published",
        )
        return self.session.scalar(found) is not None

    def newest_version(self, form_id: str) -> tuple[str, str]:
        """Of the versions whose operations take part, the one that was published last, on whichever server that was;
        and its title."""
        told = {act.row["version"] for act in self.record("form", form_id).ready}
        published = FORM_VERSION.c
        newest = (
            select(published.version, published.title)
            .where(published.project_id == self.project_id, published.form_id == form_id)
            .where(published.state == "published", published.version.in_(sorted(told)))
            .order_by(published.published_at.desc(), published.version.desc())
            .limit(1)
        )
        version, title = self.session.execute(newest).one()
        return version, title

    def use_newest_version(self, form_id: str) -> None:
        """New submissions should use it."""
        version, title = self.newest_version(form_id)
        changed = update(FORM).where(FORM.c.project_id == self.project_id, FORM.c.form_id == form_id)
        self.session.execute(changed.values(version=version, title=title, updated_at=self.now))
        self.forms.pop(form_id, None)

    def waiting_for_version(self, form_id: str, version: str) -> list[Act]:
        """Held submissions that were made with this version of the form."""
        found = select(OPERATION.c.op_id, OPERATION.c.record_id).where(
            OPERATION.c.project_id == self.project_id,
            OPERATION.c.state == "held",
            OPERATION.c.kind == "submission",
            OPERATION.c.form_id == form_id,
            OPERATION.c.version == version,
        )
        rows = self.session.execute(found.order_by(OPERATION.c.received_at, OPERATION.c.op_id)).all()
        self.load_records(["submission"], [record_id for _op_id, record_id in rows])
        return [self.acts[op_id] for op_id, _record_id in rows]

    def list_row(self, name: str) -> Row:
        """The entity list, made when there is none."""
        if self.known_list(name) is None:
            row = {"project_id": self.project_id, "name": name, "properties": [], "settings": {}}
            self.lists[name] = row | {"created_at": self.now}
            self.session.execute(insert(ENTITY_LIST), [self.lists[name]])
        return self.lists[name]

    def known_list(self, name: str) -> Row | None:
        """The entity list, if there is one."""
        if name not in self.lists:
            found = select(*ENTITY_LIST.columns).where(
                EntityList.project_id == self.project_id, EntityList.name == name
            )
            kept = self.session.execute(found).mappings().first()
            if kept is None:
                return None
            self.lists[name] = dict(kept)
        return self.lists[name]

    def _load_submissions(self, instance_ids: set[str]) -> None:
        if not instance_ids:
            return
        for row in self._rows(SUBMISSIONS, instance_ids=instance_ids).mappings():
            self.submissions[row["instance_id"]] = dict(row)
            self.known.add(row["instance_id"])

    def _load_entities(self, entity_ids: set[str]) -> None:
        if not entity_ids:
            return
        for row in self._rows(ENTITIES, entity_ids=entity_ids).mappings():
            self.entities[row["entity_id"]] = dict(row)
            self.known_entities.add(row["entity_id"])

    def write_entities(self) -> None:
        """Entities go to the database at once when the checks of later submissions may read them."""
        rows = [self.entities[entity_id] for entity_id in sorted(self.touched_entities)]
        self._upsert(ENTITY, rows, self.known_entities, "entity_id")
        self.known_entities |= self.touched_entities
        self.touched_entities = set()
        insert_rows(self.connection, ENTITY_VERSION, self.inserts.pop(ENTITY_VERSION, []))
        for name in sorted(self.changed_lists):
            changed = update(ENTITY_LIST).where(EntityList.project_id == self.project_id, EntityList.name == name)
            row = self.lists[name]
            self.session.execute(changed.values(properties=row["properties"], settings=row["settings"]))
        self.changed_lists = set()

    def write(self) -> None:
        """Everything, and the feed's counter last."""
        self._write_operations()
        self.write_entities()
        rows = [self.submissions[instance_id] for instance_id in sorted(self.touched)]
        self._upsert(SUBMISSION, rows, self.known, "instance_id")
        self.known |= self.touched
        for table in (SUBMISSION_FINDING, SUBMISSION_ATTACHMENT, CONFLICT, ASSIGNMENT):
            self._clear(table)
        for table, added in self.inserts.items():
            insert_rows(self.connection, table, added)
        for table, by_record in self.laid.items():
            insert_rows(self.connection, table, [row for rows in by_record.values() for row in rows])
        insert_rows(self.connection, FEED, self.feed)
        if self.head > self.first:
            self.connection.execute(MOVE_HEAD, {"of_project": self.project_id, "head": self.head})
        self.inserts, self.cleared = defaultdict(list), defaultdict(set)
        self.laid, self.kept = defaultdict(dict), defaultdict(dict)
        self.feed, self.first, self.touched = [], self.head, set()

    def _write_operations(self) -> None:
        new = [act for act in self.acts.values() if act.is_new]
        insert_rows(self.connection, OPERATION, [act.row for act in new])
        old = [act for act in self.acts.values() if act.is_changed and not act.is_new]
        self._update(OPERATION, "op_id", {act.op_id: {name: act.row[name] for name in CHANGING} for act in old})
        for act in self.acts.values():
            act.is_new = act.is_changed = False

    def _upsert(self, table: Any, rows: Sequence[Row], known: set[str], key: str) -> None:
        insert_rows(self.connection, table, [row for row in rows if row[key] not in known])
        old = [row for row in rows if row[key] in known]
        fixed = ("project_id", key)
        self._update(table, key, {row[key]: {name: row[name] for name in row if name not in fixed} for row in old})

    def _update(self, table: Table, key: str, rows: Mapping[str, Row]) -> None:
        """New values of rows that are in the database, by their key."""
        changing = [{"of_project": self.project_id, "of_key": of_key, **values} for of_key, values in rows.items()]
        if changing:
            self.connection.execute(_updating(table, key), changing)

    def _clear(self, table: Any) -> None:
        keys = self.cleared.get(table)
        if not keys:
            return
        gone = delete(table).where(table.c.project_id == self.project_id)
        if table is CONFLICT:
            gone = gone.where(tuple_(table.c.kind, table.c.record_id).in_(sorted(keys)))
        else:
            column = table.c.assignment_id if table is ASSIGNMENT else table.c.instance_id
            gone = gone.where(column.in_(sorted(record_id for _, record_id in keys)))
        self.session.execute(gone)


CHANGING = ("record_id", "form_id", "version", "context", "changes", "attachments", "state", "why", "verdict", "seq")
"""Columns that may still change: a held operation's place may be found later."""


def open_ledger(session: Session, project_id: str, *, now: datetime) -> Ledger:
    """Lock the project's row, then read.

    NO KEY UPDATE, since foreign keys to the project take KEY SHARE: landing and uploads need not wait."""
    session.flush()
    connection = session.connection()
    head = connection.scalars(HEAD, {"project_id": project_id}).one()
    return Ledger(session, connection, project_id, now, head, head)


@cache
def _updating(table: Table, key: str) -> Update:
    return update(table).where(table.c.project_id == bindparam("of_project"), table.c[key] == bindparam("of_key"))


def op_of(row: Mapping[str, Any]) -> Op:
    """What the fold needs of an operation."""
    is_void = row["state"] == "void"
    return Op(
        op_id=row["op_id"],
        origin=row["origin"],
        n=row["n"],
        # What was discarded waits for nothing, so that nobody waits for it.
        prev=0 if is_void and row["why"] == Why.SET_ASIDE.value else row["prev"],
        context={} if is_void else row["context"],
        at=row["at"],
        rank=row["rank"],
        set={} if is_void else row["changes"],
        is_delete=bool(row["is_delete"]),
        is_void=is_void,
        files={} if is_void else {one["name"]: one["sha256"] for one in row["attachments"]},
    )
