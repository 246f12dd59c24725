"""Two servers without a line are the same in the end, whoever carried which bundle, in whichever order (I3, I19)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from server.clock import now
from sync import peers, review
from sync.access import SYSTEM
from sync.backup import back_up
from sync.bundles.key import read_word, word
from sync.engine import in_transaction
from sync.restore import restore
from tests.e2e.carried import CENTRE, VILLAGE, adopt, carry, head, key_file, key_of, pack, peer_of
from tests.e2e.offices import Office, agree, rename
from tests.e2e.visits import FORM_ID, instance, new_id


def test_everything_goes_both_ways_by_hand(centre: Office, village: Office, tmp_path: Path) -> None:
    up, down = new_id(), new_id()
    village.collect(up, village.keep(b"from the village"), photo="rumah.jpg")
    centre.collect(down, centre.keep(b"from the centre" * 50_000), photo="rumah.jpg", name="Pak Budi")
    comment = partial(review.comment, body="Umurnya?", path="umur", actor=SYSTEM, now=now())
    village.act(lambda session, record: comment(session, record), up)

    first = carry(centre, pack(village, tmp_path, CENTRE))
    second = carry(village, pack(centre, tmp_path, VILLAGE))

    assert agree(centre, village)
    assert (first.files, second.files) == (1, 1)
    assert village.shown()["records"][down][4] == 0


def test_a_bundle_taken_twice_changes_nothing(centre: Office, village: Office, tmp_path: Path) -> None:
    village.collect(new_id(), village.keep(b"a photo"), photo="rumah.jpg")
    file = pack(village, tmp_path, CENTRE)
    first = carry(centre, file)
    before = (centre.operations(), centre.shown())

    again = carry(centre, file)

    assert first.new > 0
    assert (again.new, again.files, again.lines) == (0, 0, [])
    assert (centre.operations(), centre.shown()) == before


def test_bundles_may_arrive_in_any_order(centre: Office, village: Office, tmp_path: Path) -> None:
    record, tablet = new_id(), village.tablet("d-siti")
    village.push("d-siti", tablet.op(record, form=FORM_ID, xml=instance(record).decode()))
    older = pack(village, tmp_path, CENTRE)
    village.push("d-siti", tablet.op(record, form=FORM_ID, set={"umur": "42"}))
    newer = pack(village, tmp_path, CENTRE, since=None)
    village.push("d-siti", tablet.op(record, form=FORM_ID, set={"umur": "43"}))
    newest = pack(village, tmp_path, CENTRE)

    for file in (newest, older, newer, older):
        carry(centre, file)

    assert agree(centre, village)
    assert centre.shown()["records"][record][0]["umur"] == "43"
    assert peer_of(centre, VILLAGE).cursor == f"e1.{head(village)}"


def test_photos_of_an_open_conflict_that_come_late_are_carried_on_both_sides(
    centre: Office, village: Office, tmp_path: Path
) -> None:
    """Only one of them stands in the record: the other one the conflict alone shows."""
    record, contents = new_id(), (b"mine", b"yours!")
    files = [
        {"name": "rumah.jpg", "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for content in contents
    ]
    first = village.tablet("d-siti").op(record, form=FORM_ID, xml=instance(record, photo="rumah.jpg").decode())
    village.push("d-siti", first)
    seen = {first["origin"]: first["n"]}
    for name, file in zip(("d-budi", "d-rina"), files, strict=True):
        village.push(name, village.tablet(name).op(record, form=FORM_ID, set={}, context=seen, attachments=[file]))
    carry(centre, pack(village, tmp_path, CENTRE))
    carry(village, pack(centre, tmp_path, VILLAGE))
    for content in contents:
        village.keep(content)

    carried = carry(centre, pack(village, tmp_path, CENTRE))
    again = carry(village, pack(centre, tmp_path, VILLAGE)), carry(centre, pack(village, tmp_path, CENTRE))

    assert centre.shown()["clashes"] == [(record, "@rumah.jpg")]
    assert carried.files == 2
    assert [one.files for one in again] == [0, 0]
    assert agree(centre, village)


def test_what_went_through_a_third_server_is_there_once(
    centre: Office, village: Office, office: Callable[..., Office], tmp_path: Path
) -> None:
    village.collect(new_id(), village.keep(b"a photo"), photo="rumah.jpg")
    third = office("third")
    in_transaction(third.engine, partial(rename, to="s-third"))
    adopt(third, village, tmp_path, VILLAGE)
    third.collect(new_id())
    told = read_word(word("s-third", key_of(third).public))
    in_transaction(
        centre.engine,
        lambda session: peers.trust(session, centre.project_id, "Third", told, actor=SYSTEM, now=now()),
    )

    by_a_way_round = carry(centre, pack(third, tmp_path))
    straight = carry(centre, pack(village, tmp_path, CENTRE))

    assert by_a_way_round.new > 0
    assert (straight.new, straight.files) == (0, 0)
    carry(village, pack(centre, tmp_path, VILLAGE))
    assert agree(centre, village)
    assert third.operations().items() <= centre.operations().items()


@pytest.mark.parametrize("stage", ["check", "records", "files"])
def test_an_import_that_was_killed_goes_on(centre: Office, village: Office, tmp_path: Path, stage: str) -> None:
    for _count in range(3):
        village.collect(new_id(), village.keep(new_id().encode()), photo="rumah.jpg")
    village.publish("2")
    file = pack(village, tmp_path, CENTRE)

    def die(what: str, done: int, _total: int) -> None:
        if what == stage and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry(centre, file, watch=die)
    assert peer_of(centre, VILLAGE).cursor == ""
    carry(centre, file)

    assert agree(centre, village)
    assert peer_of(centre, VILLAGE).cursor == f"e1.{head(village)}"


def test_a_centre_restored_from_last_week_gets_everything_again(
    centre: Office, village: Office, office: Callable[..., Office], tmp_path: Path
) -> None:
    centre.collect(new_id())
    carry(village, pack(centre, tmp_path, VILLAGE))
    carry(centre, pack(village, tmp_path, CENTRE))
    back_up(centre.engine, centre.blobs, tmp_path / "b.zip", keys=[key_file(centre)], now=now())
    centre.collect(new_id(), centre.keep(b"came to the centre later"), photo="rumah.jpg")
    village.collect(new_id())
    carry(centre, pack(village, tmp_path, CENTRE))
    carry(village, pack(centre, tmp_path, VILLAGE))
    before = centre.operations()

    again = office("again", is_empty=True)
    restore(again.engine, again.blobs, tmp_path / "b.zip", key_folder=key_file(again).parent, now=now())
    again.project_id = centre.project_id
    carry(village, pack(again, tmp_path, VILLAGE))
    carry(again, pack(village, tmp_path, CENTRE))

    assert key_of(again).public == key_of(centre).public
    assert again.operations() == before
    assert agree(again, village)
