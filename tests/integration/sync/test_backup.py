"""Backups hold everything of one instant; restoring one loses nothing that devices still have, and doubles nothing."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from sync import attach, backup, epochs, feed, projects
from sync.access import SYSTEM, Actor, Role
from sync.attach import BlobStore
from sync.backup import Shelf, back_up
from sync.engine import connect, in_transaction
from sync.epochs import standing
from sync.models import Backup, Base, Epoch, Operation, Project
from sync.restore import BackupDamaged, FilesMissing, NotABackup, NotEmpty, drill, restore
from sync.retention import Terms, remove_due
from tests.conftest import NewDatabase
from tests.integration.sync.field import Field, Tablet, instance, new_id


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs", reserve=0)


@pytest.fixture
def elsewhere(another_database: NewDatabase) -> Iterator[Engine]:
    """An empty database."""
    engine = connect(another_database(is_empty=True))
    yield engine
    engine.dispose()


@pytest.fixture
def photo(field: Field, blobs: BlobStore) -> attach.Stored:
    stored = blobs.write(field.project_id, [b"a photo"], limit=100)
    keep = {"media_type": "image/jpeg", "now": field.now}
    in_transaction(field.engine, lambda session: attach.keep(session, field.project_id, stored, **keep))
    return stored


def fingerprints(engine: Engine) -> dict[str, backup.Counted]:
    with engine.connect() as connection:
        return {table.name: backup.count(connection, table) for table in Base.metadata.sorted_tables}


def at(field: Field, engine: Engine) -> Field:
    """The same people and devices, at the restored server."""
    return replace(field, engine=engine)


def fill(field: Field, tablet: Tablet, photo: attach.Stored) -> str:
    record = new_id()
    told = {"name": "rumah.jpg", "sha256": photo.sha256, "size": photo.size}
    field.push(
        tablet,
        tablet.op(record, xml=instance(record, nama="Siti", umur="41", foto="rumah.jpg"), attachments=[told]),
        tablet.op(record, set={"umur": "42"}),
        b'{"not": "an operation"}',
    )
    return record


def test_a_restored_server_holds_every_row_and_file(
    field: Field, tablet: Tablet, blobs: BlobStore, photo: attach.Stored, elsewhere: Engine, tmp_path: Path
) -> None:
    fill(field, tablet, photo)
    before = fingerprints(field.engine)

    back_up(field.engine, blobs, tmp_path / "b.zip", now=field.now)
    other = BlobStore(tmp_path / "other", reserve=0)
    restored = restore(elsewhere, other, tmp_path / "b.zip", now=field.now)

    after = fingerprints(elsewhere)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"installation", "project", "backup", "epoch", "fork", "event"}
    assert restored.manifest.rows == sum(one.rows for one in before.values())
    file = other.local(field.project_id, photo.sha256)
    assert file is not None
    assert file.read_bytes() == b"a photo"


def test_the_other_kind_of_database_can_be_restored_into(
    field: Field, tablet: Tablet, blobs: BlobStore, photo: attach.Stored, tmp_path: Path
) -> None:
    record = fill(field, tablet, photo)
    back_up(field.engine, blobs, tmp_path / "b.zip", now=field.now)

    engine = connect(f"sqlite:///{tmp_path}/moved.sqlite3")
    restore(engine, BlobStore(tmp_path / "other", reserve=0), tmp_path / "b.zip", now=field.now)

    assert at(field, engine).answers(record) == field.answers(record)
    engine.dispose()


def test_after_a_restore_and_a_second_push_all_is_as_it_was(
    field: Field, tablet: Tablet, other_tablet: Tablet, blobs: BlobStore, elsewhere: Engine, tmp_path: Path
) -> None:
    """I17."""
    record = new_id()
    first = tablet.fill_in(record, nama="Siti", umur="41")
    field.push(tablet, first)
    seen = field.shown(record).vector
    back_up(field.engine, blobs, tmp_path / "b.zip", now=field.now)
    edits = tablet.op(record, set={"umur": "42"}), other_tablet.op(record, context=seen, set={"umur": "50"})
    later = other_tablet.fill_in(new_id(), nama="Budi")
    for sender, op in ((tablet, edits[0]), (other_tablet, edits[1]), (other_tablet, later)):
        field.push(sender, op)

    restore(elsewhere, BlobStore(tmp_path / "other", reserve=0), tmp_path / "b.zip", now=field.now)
    again = at(field, elsewhere)
    for _time in range(2):
        for sender, op in ((other_tablet, later), (other_tablet, edits[1]), (tablet, first), (tablet, edits[0])):
            again.push(sender, op)

    assert again.conflicts(record) == field.conflicts(record)
    assert again.answers(record) == field.answers(record)
    assert sorted(again.feed()) == sorted(field.feed())
    assert {one.op_id for one in again.all(Operation)} == {one.op_id for one in field.all(Operation)}


def test_a_restore_opens_an_epoch_and_says_where_the_old_one_ended(
    field: Field, tablet: Tablet, blobs: BlobStore, elsewhere: Engine, tmp_path: Path
) -> None:
    field.push(tablet, tablet.fill_in(new_id(), nama="Siti"))
    back_up(field.engine, blobs, tmp_path / "b.zip", now=field.now)
    restored = restore(elsewhere, BlobStore(tmp_path / "o", reserve=0), tmp_path / "b.zip", now=field.now)

    receipt = at(field, elsewhere).push(tablet, tablet.fill_in(new_id(), nama="Budi"))

    assert receipt.epoch == restored.epoch > 1
    assert receipt.forks == ({"epoch": 1, "seq": 2},)
    assert (receipt.head, receipt.durable_seq, receipt.durable_by) == (3, 2, "backup")
    with Session(elsewhere) as session:
        opened = session.scalars(select(Epoch)).one()
        assert (opened.after, opened.source, opened.state_at) == (1, "b.zip", field.now)


def test_one_backup_restored_twice_gives_two_epochs(
    field: Field, blobs: BlobStore, another_database: NewDatabase, tmp_path: Path
) -> None:
    back_up(field.engine, blobs, tmp_path / "b.zip", now=field.now)

    numbers = set()
    for minutes in range(2):
        engine = connect(another_database(is_empty=True))
        later = field.now + timedelta(minutes=minutes)
        numbers.add(restore(engine, BlobStore(tmp_path / str(minutes), reserve=0), tmp_path / "b.zip", now=later).epoch)
        engine.dispose()

    assert len(numbers) == 2


def test_a_cursor_from_before_the_fork_goes_on_and_a_later_one_is_gone(field: Field, tablet: Tablet) -> None:
    field.push(tablet, tablet.fill_in(new_id(), nama="Siti"), tablet.fill_in(new_id(), nama="Budi"))
    open_epoch(field.engine, field.now)
    actor = Actor("account", roles={field.project_id: Role.SUPERVISOR})

    def pull(cursor: str) -> feed.Page:
        with Session(field.engine) as session:
            project = session.get_one(Project, field.project_id)
            return feed.pull(session, project, device=None, actor=actor, cursor=cursor, limit=9, now=field.now)

    assert len(pull("e1.2").records) == 1
    for gone in ("e1.4", "e7.1"):
        with pytest.raises(feed.CursorGone):
            pull(gone)


def open_epoch(engine: Engine, now: datetime) -> None:
    in_transaction(engine, lambda session: epochs.open_epoch(session, source="", state_at=None, now=now))


def test_before_the_first_backup_the_head_is_durable_and_then_what_it_holds(
    field: Field, tablet: Tablet, blobs: BlobStore, tmp_path: Path
) -> None:
    first = field.push(tablet, tablet.fill_in(new_id(), nama="Siti"))
    back_up(field.engine, blobs, tmp_path / "b.zip", now=field.now)
    second = field.push(tablet, tablet.fill_in(new_id(), nama="Budi"))
    in_transaction(field.engine, lambda session: epochs.declare(session, "database"))
    third = field.push(tablet, tablet.fill_in(new_id(), nama="Ani"))

    told = [(one.head, one.durable_seq, one.durable_by) for one in (first, second, third)]
    assert told == [(2, 2, "database"), (3, 2, "backup"), (4, 4, "database")]


def test_what_is_acknowledged_while_the_first_backup_is_made_is_not_called_durable(
    field: Field, tablet: Tablet, blobs: BlobStore, tmp_path: Path
) -> None:
    """A device would forget it at once, and a restore from that backup would not have it."""
    receipts = []

    def write_meanwhile(table: str, _count: int) -> None:
        if table == "project":
            receipts.append(field.push(tablet, tablet.fill_in(new_id(), nama="Siti")))

    back_up(field.engine, blobs, tmp_path / "b.zip", told=write_meanwhile, now=field.now)

    assert [(one.head, one.durable_seq, one.durable_by) for one in receipts] == [(2, 0, "backup")]


def test_nothing_of_a_project_that_no_backup_holds_is_called_durable(
    field: Field, blobs: BlobStore, tmp_path: Path
) -> None:
    back_up(field.engine, blobs, tmp_path / "b.zip", now=field.now)

    def create(session: Session) -> str:
        return projects.create_project(session, name="Baru", actor=SYSTEM, now=field.now).project_id

    created = in_transaction(field.engine, create)

    with Session(field.engine) as session:
        told = standing(session, created)
    assert (told.durable_seq, told.durable_by) == (0, "backup")


def test_what_is_written_meanwhile_is_in_the_next_backup(
    field: Field, tablet: Tablet, blobs: BlobStore, tmp_path: Path
) -> None:
    def write_meanwhile(table: str, _count: int) -> None:
        if table == "project":
            field.push(tablet, tablet.fill_in(new_id(), nama="Siti"))

    made = back_up(field.engine, blobs, tmp_path / "b.zip", told=write_meanwhile, now=field.now)

    assert made.heads == {field.project_id: 1}
    assert drill(tmp_path / "b.zip", now=field.now).manifest.tables["submission"].rows == 0
    with Session(field.engine) as session:
        assert standing(session, field.project_id).durable_seq == 1


@pytest.mark.parametrize("is_inside", [True, False])
def test_a_drill_is_noted(
    field: Field, blobs: BlobStore, photo: attach.Stored, tmp_path: Path, is_inside: bool
) -> None:
    back_up(field.engine, blobs, tmp_path / "b.zip", is_inside=is_inside, now=field.now)

    drilled = drill(tmp_path / "b.zip", engine=field.engine, now=field.now)

    assert drilled.manifest.files == 1
    with Session(field.engine) as session:
        assert session.scalars(select(Backup.drilled_at)).one() == field.now


def test_a_changed_row_is_noticed(field: Field, tablet: Tablet, blobs: BlobStore, tmp_path: Path) -> None:
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti"))
    back_up(field.engine, blobs, tmp_path / "b.zip", now=field.now)
    rewrite(tmp_path / "b.zip", "tables/operation.ndjson", lambda content: content.replace(b"Siti", b"Sita"))

    with pytest.raises(BackupDamaged):
        drill(tmp_path / "b.zip", engine=field.engine, now=field.now)

    with Session(field.engine) as session:
        assert "operation" in session.scalars(select(Backup.drill_error)).one()


def test_a_changed_file_is_noticed_and_nothing_is_restored(
    field: Field, blobs: BlobStore, photo: attach.Stored, elsewhere: Engine, tmp_path: Path
) -> None:
    back_up(field.engine, blobs, tmp_path / "b.zip", now=field.now)
    rewrite(tmp_path / "b.zip", f"files/{field.project_id}/{photo.sha256}", lambda _content: b"a fake!")

    with pytest.raises(BackupDamaged):
        restore(elsewhere, BlobStore(tmp_path / "other", reserve=0), tmp_path / "b.zip", now=field.now)

    restored = [file for file in (tmp_path / "other").rglob("*") if file.name == photo.sha256]
    assert restored == []


def test_files_that_are_not_beside_their_backup_are_asked_for(
    field: Field, blobs: BlobStore, photo: attach.Stored, elsewhere: Engine, tmp_path: Path
) -> None:
    back_up(field.engine, blobs, tmp_path / "shelf" / "b.zip", is_inside=False, now=field.now)
    shutil.copy(tmp_path / "shelf" / "b.zip", tmp_path / "alone.zip")
    other = BlobStore(tmp_path / "other", reserve=0)

    with pytest.raises(FilesMissing):
        restore(elsewhere, other, tmp_path / "alone.zip", now=field.now)
    restore(elsewhere, other, tmp_path / "shelf" / "b.zip", now=field.now)

    assert other.has(field.project_id, photo.sha256)


def test_nothing_is_overwritten(field: Field, blobs: BlobStore, tmp_path: Path) -> None:
    back_up(field.engine, blobs, tmp_path / "b.zip", now=field.now)

    with pytest.raises(NotEmpty):
        restore(field.engine, BlobStore(tmp_path / "other", reserve=0), tmp_path / "b.zip", now=field.now)
    with pytest.raises(backup.FileExists):
        back_up(field.engine, blobs, tmp_path / "b.zip", now=field.now)


def test_a_file_cut_short_is_no_backup(field: Field, blobs: BlobStore, tmp_path: Path) -> None:
    back_up(field.engine, blobs, tmp_path / "b.zip", now=field.now)
    content = (tmp_path / "b.zip").read_bytes()
    (tmp_path / "b.zip").write_bytes(content[: len(content) // 2])

    with pytest.raises(NotABackup):
        drill(tmp_path / "b.zip", now=field.now)


def test_of_the_scheduled_backups_the_latest_stay(field: Field, blobs: BlobStore, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "shelf", kept=2)
    for number in range(4):
        then = field.now + timedelta(days=number)
        file = shelf.folder / f"{number}.zip"
        back_up(field.engine, blobs, file, is_inside=False, cause="schedule", now=then)

    assert backup.tidy(field.engine, shelf) == 2
    assert sorted(file.name for file in shelf.folder.glob("*.zip")) == ["2.zip", "3.zip"]


def test_a_clock_that_died_makes_no_backup_the_older_one(
    field: Field, tablet: Tablet, blobs: BlobStore, tmp_path: Path
) -> None:
    shelf = Shelf(tmp_path / "shelf", kept=1)
    for name, then in (("before", field.now), ("after", datetime(1970, 1, 1, 1, 30, tzinfo=UTC))):
        field.push(tablet, tablet.fill_in(new_id(), nama="Siti"))
        back_up(field.engine, blobs, shelf.folder / f"{name}.zip", is_inside=False, cause="schedule", now=then)

    backup.tidy(field.engine, shelf)

    assert [file.name for file in shelf.folder.glob("*.zip")] == ["after.zip"]
    with Session(field.engine) as session:
        found = backup.latest(session)
        assert found is not None
        assert Path(found.file).name == "after.zip"


def test_a_backup_restored_twice_by_a_dead_clock_gives_two_epochs(
    field: Field, blobs: BlobStore, another_database: NewDatabase, tmp_path: Path
) -> None:
    back_up(field.engine, blobs, tmp_path / "b.zip", now=field.now)
    died = datetime(1970, 1, 1, tzinfo=UTC)

    numbers = []
    for number in range(2):
        engine = connect(another_database(is_empty=True))
        store = BlobStore(tmp_path / str(number), reserve=0)
        numbers.append(restore(engine, store, tmp_path / "b.zip", now=died).epoch)
        engine.dispose()

    assert len(set(numbers)) == 2
    assert min(numbers) > 1


def test_a_file_that_was_deleted_goes_with_the_last_backup_that_holds_it(
    field: Field, blobs: BlobStore, photo: attach.Stored, tmp_path: Path
) -> None:
    shelf = Shelf(tmp_path / "shelf", kept=2)
    beside = shelf.folder / "files" / field.project_id / photo.sha256[:2] / photo.sha256

    def make(number: int) -> bool:
        then = {"cause": "schedule", "now": field.now + timedelta(days=number)}
        back_up(field.engine, blobs, shelf.folder / f"{number}.zip", is_inside=False, **then)
        backup.tidy(field.engine, shelf)
        return beside.is_file()

    held = make(0)
    with Session(field.engine, expire_on_commit=False) as session:
        project = session.get_one(Project, field.project_id)
    later = field.now + timedelta(days=30_000)
    remove_due(field.engine, blobs, project, Terms({(0, "", "orphan"): 1}), as_of=later, now=later)
    after = [make(number) for number in (1, 2)]

    assert (held, after) == (True, [True, False])
    assert drill(shelf.folder / "2.zip", now=field.now).manifest.files == 0


def test_others_on_the_machine_cannot_read_it(field: Field, blobs: BlobStore, tmp_path: Path) -> None:
    back_up(field.engine, blobs, tmp_path / "b.zip", now=field.now)

    assert (tmp_path / "b.zip").stat().st_mode & 0o077 == 0


def rewrite(file: Path, member: str, change) -> None:  # type: ignore[no-untyped-def]
    """The archive with another content of one member, as somebody would forge it."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[member] = change(members[member])
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
