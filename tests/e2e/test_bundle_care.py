"""What two servers tell each other by bundles, and whose bundles are taken."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import requests
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from sync import attach, devices, form_list, parcel, peers, projects
from sync.access import SYSTEM, NotAllowed
from sync.backup import back_up
from sync.bundles.errors import OtherProject, ShutOut, UnknownProject, UnknownSigner
from sync.bundles.key import fingerprint, read_word, word
from sync.device.errors import ServerUnreachable
from sync.engine import in_transaction
from sync.models import Event, Form, Peer, Project, Submission
from sync.restore import restore
from sync.verdict import SentFile
from tests.conftest import make_team
from tests.e2e.carried import CENTRE, VILLAGE, adopt, carry, key_file, key_of, make, pack, peer_of
from tests.e2e.offices import Office, agree, rename, server_code
from tests.e2e.visits import FORM_ID, new_id

BY_NOBODY = {"actor": SYSTEM, "now": now()}
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_what_the_other_server_has_said_it_has_is_not_carried_again(
    centre: Office, village: Office, tmp_path: Path
) -> None:
    village.collect(new_id(), village.keep(b"a photo"), photo="rumah.jpg")
    carry(centre, pack(village, tmp_path, CENTRE))

    answer = make(centre, tmp_path / "answer.zip", VILLAGE)
    before = make(village, tmp_path / "before.zip", CENTRE)
    carry(village, tmp_path / "answer.zip")
    after = make(village, tmp_path / "after.zip", CENTRE)

    assert answer.files == 0  # the village's own photo does not come back to it
    assert (before.operations > 0, before.files) == (True, 1)
    assert (after.operations, after.files) == (0, 0)
    with Session(village.engine) as session:
        waiting = peers.lag(session, peer_of(village, CENTRE))
    assert (waiting.operations, waiting.files) == (0, 0)


def test_photos_that_come_after_their_record_follow_in_the_next_bundle(
    centre: Office, village: Office, tmp_path: Path
) -> None:
    record = new_id()
    village.collect(record, photo="rumah.jpg")
    carry(centre, pack(village, tmp_path, CENTRE))
    carry(village, pack(centre, tmp_path, VILLAGE))
    village.collect(record, village.keep(b"late"), photo="rumah.jpg")

    late = carry(centre, pack(village, tmp_path, CENTRE))

    assert late.files == 1
    assert centre.shown()["records"][record][4] == 0


def test_a_bundle_that_is_missing_in_between_is_said_so_and_asked_for(
    centre: Office, village: Office, tmp_path: Path
) -> None:
    village.collect(new_id())
    lost = pack(village, tmp_path, CENTRE)
    since = now()
    village.collect(new_id())

    taken = carry(centre, pack(village, tmp_path, CENTRE, since=since))
    cursor = peer_of(centre, VILLAGE).cursor
    found = carry(centre, lost)

    assert (taken.has_gap, cursor, found.has_gap) == (True, "", False)
    assert agree(centre, village)


def test_a_server_gets_its_own_work_back_from_its_own_bundle(
    centre: Office, office: Callable[..., Office], tmp_path: Path
) -> None:
    assert key_of(centre).public
    back_up(centre.engine, centre.blobs, tmp_path / "b.zip", keys=[key_file(centre)], now=now())
    centre.collect(new_id(), centre.keep(b"a photo"), photo="rumah.jpg")
    stick = pack(centre, tmp_path)

    again = office("again", is_empty=True)
    restore(again.engine, again.blobs, tmp_path / "b.zip", key_folder=key_file(again).parent, now=now())
    again.project_id = centre.project_id
    carry(again, stick)

    assert agree(centre, again)


def test_a_stranger_is_refused_with_his_fingerprint_and_the_command(
    centre: Office, village: Office, office: Callable[..., Office], tmp_path: Path
) -> None:
    stranger = office("stranger")
    in_transaction(stranger.engine, partial(rename, to="s-stranger"))
    adopt(stranger, centre, tmp_path, CENTRE)
    stranger.collect(new_id())
    before = (centre.operations(), centre.shown())

    with pytest.raises(UnknownSigner) as refused:
        carry(centre, pack(stranger, tmp_path))

    public = key_of(stranger).public
    told = f"{fingerprint(public)}: lapangan bundle trust NAME {word('s-stranger', public)}"
    assert refused.value.detail == told
    assert (centre.operations(), centre.shown()) == before


def test_a_trusted_server_may_not_bring_another_project(
    centre: Office, village: Office, office: Callable[..., Office], tmp_path: Path
) -> None:
    """I21: it is trusted for one project."""
    other = office("other")
    in_transaction(other.engine, partial(rename, to="s-village"))
    other.project_id = in_transaction(other.engine, make_team).project_id
    key_file(other).write_bytes(key_file(village).read_bytes())

    with pytest.raises(UnknownProject):
        carry(centre, pack(other, tmp_path))


def test_only_an_administrator_carries_bundles(centre: Office, village: Office, tmp_path: Path) -> None:
    file = pack(village, tmp_path, CENTRE)
    assert centre.team is not None

    for role in (centre.team.manager, centre.team.supervisor, centre.team.enumerator):
        with pytest.raises(NotAllowed):
            carry(centre, file, actor=role)
        with pytest.raises(NotAllowed):
            pack(centre, tmp_path, VILLAGE, actor=role)


def test_a_form_that_both_have_published_differently_stops_nothing_and_is_said_so(
    centre: Office, village: Office, tmp_path: Path
) -> None:
    centre.publish("2")
    village.publish("2", title="Kunjungan lain")
    up, down = new_id(), new_id()
    assert village.collect(up, version="2") == centre.collect(down, version="2") == "accepted"

    taken = carry(centre, pack(village, tmp_path, CENTRE))
    carry(village, pack(centre, tmp_path, VILLAGE))
    next_one = make(village, tmp_path / "next.zip", CENTRE)

    assert (taken.clashing, taken.refused_forms, taken.is_whole) == ([f"{FORM_ID} 2"], [], True)
    assert agree(centre, village)
    assert next_one.operations == 0
    with Session(centre.engine) as session:
        found = select(Event.detail).where(Event.action == "peer.clash")
        assert [detail["forms"] for detail in session.scalars(found)] == [[f"{FORM_ID} 2"]]


def test_a_form_that_cannot_be_read_here_comes_again_with_the_next_bundle(
    centre: Office, village: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    village.publish("2")

    def refuse(*_arguments: object, **_named: object) -> None:
        raise parcel.BrokenParcel("of a newer server")

    with monkeypatch.context() as patched:
        patched.setattr(parcel, "take", refuse)
        taken = carry(centre, pack(village, tmp_path, CENTRE))

    assert [named for named, _why in taken.refused_forms] == [f"{FORM_ID} 2"]
    assert not taken.is_whole
    assert peer_of(centre, VILLAGE).cursor == ""


def test_a_form_that_is_closed_here_keeps_no_bundle_out(centre: Office, village: Office, tmp_path: Path) -> None:
    record = new_id()
    village.collect(record)

    def close(session: Session) -> None:
        form = session.get_one(Form, (centre.project_id, FORM_ID))
        form_list.set_state(session, form, "closed", actor=SYSTEM, now=now())

    in_transaction(centre.engine, close)
    carry(centre, pack(village, tmp_path, CENTRE))

    with Session(centre.engine) as session:
        assert session.get_one(Submission, (centre.project_id, record)).instance_id == record


def test_neither_making_nor_taking_a_bundle_needs_the_memory_of_its_files(
    centre: Office, village: Office, tmp_path: Path
) -> None:
    piece = bytes(2**20)
    stored = village.blobs.write(village.project_id, itertools.repeat(piece, 64), limit=2**30)
    told = {"media_type": "video/mp4", "now": now()}
    in_transaction(village.engine, lambda session: attach.keep(session, village.project_id, stored, **told))
    village.collect(new_id(), SentFile("rumah.jpg", stored.sha256, stored.size, "video/mp4"), photo="rumah.jpg")
    tracemalloc.start()

    try:
        file = pack(village, tmp_path, CENTRE)
        carry(centre, file)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert file.stat().st_size > 64 * 2**20
    assert peak < 24 * 2**20


def test_a_bundle_names_nobody_it_was_not_made_for(centre: Office, village: Office, tmp_path: Path) -> None:
    """One made for the village, taken by a third, says nothing of what the third has."""
    with Session(centre.engine) as session:
        assert session.get(Peer, (centre.project_id, "s-village")) is not None
    village.collect(new_id())
    carry(centre, pack(village, tmp_path, CENTRE))
    made = make(centre, tmp_path / "for-the-village.zip", VILLAGE)

    assert (made.wanted_by, made.wanted_epoch) == ("s-village", 1)


def test_what_went_over_a_line_counts_for_the_stick_too(centre: Office, field_office: Office, tmp_path: Path) -> None:
    over_the_line, by_hand = new_id(), new_id()
    field_office.collect(over_the_line, field_office.keep(b"sent"), photo="rumah.jpg")
    field_office.sync()
    field_office.collect(by_hand, field_office.keep(b"carried"), photo="rumah.jpg")

    made = make(field_office, tmp_path / "up.zip", field_office.peer().name)
    taken = carry(centre, tmp_path / "up.zip")
    answer = make(centre, tmp_path / "down.zip", "Field office")
    carry(field_office, tmp_path / "down.zip")
    field_office.sync()

    assert (made.operations, made.files, taken.has_gap) == (2, 1, False)
    assert answer.files == 0
    assert agree(centre, field_office)


def test_photos_that_a_thin_line_did_not_carry_go_by_stick(
    centre: Office, field_office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    field_office.collect(new_id(), field_office.keep(b"a large photo"), photo="rumah.jpg")

    def too_thin(*_arguments: object) -> None:
        raise ServerUnreachable

    with monkeypatch.context() as patched:
        patched.setattr("sync.peers.files.upload", too_thin)
        with pytest.raises(ServerUnreachable):
            field_office.sync()
    taken = carry(centre, pack(field_office, tmp_path, field_office.peer().name))

    assert (taken.files, taken.has_gap) == (1, False)
    assert agree(centre, field_office)


def test_a_field_office_that_was_shut_out_comes_in_by_no_stick(
    centre: Office, field_office: Office, tmp_path: Path
) -> None:
    field_office.collect(new_id())
    file = pack(field_office, tmp_path, field_office.peer().name)

    def revoke(session: Session) -> None:
        project = session.get_one(Project, centre.project_id)
        (device,) = devices.listed(session, project, kind="server")
        devices.revoke(session, device, actor=SYSTEM, now=now())

    in_transaction(centre.engine, revoke)
    before = centre.operations()
    with pytest.raises(ShutOut):
        carry(centre, file)
    assert centre.operations() == before

    told = read_word(word("s-field", key_of(field_office).public))
    in_transaction(
        centre.engine,
        lambda session: peers.trust(session, centre.project_id, "Field office", told, actor=SYSTEM, now=now()),
    )
    assert carry(centre, file).new > 0


def test_a_bundle_belongs_on_the_page_of_its_project(centre: Office, village: Office, tmp_path: Path) -> None:
    other = in_transaction(centre.engine, lambda session: projects.create_project(session, name="Lain", **BY_NOBODY))

    with pytest.raises(OtherProject):
        carry(centre, pack(village, tmp_path, CENTRE), project_id=other.project_id)


def test_nobody_takes_the_name_of_a_known_server_by_enrolling(centre: Office, village: Office) -> None:
    known = peer_of(centre, VILLAGE)
    told = {"code": server_code(centre), "kind": "server", "server": known.peer_id, "epoch": 9, "key": "00" * 32}

    enrolled = requests.post(f"{centre.address}/v1/enrol", json=told, timeout=10)

    assert enrolled.status_code == 201
    after = peer_of(centre, VILLAGE)
    assert (after.public_key, after.here_id, after.epoch) == (known.public_key, known.here_id, known.epoch)
