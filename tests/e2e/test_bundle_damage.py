"""A bundle that was cut, changed, or made by an enemy changes nothing, and a clear sentence says what to do."""

from __future__ import annotations

import hashlib
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from forms.errors import Problem
from sync.bundles.errors import BundleDamaged, NewerBundle, NotABundle
from sync.bundles.manifest import FILES, MANIFEST, OPERATIONS, SIGNATURE
from tests.e2e.carried import CENTRE, carry, key_of, pack, rewritten, rows
from tests.e2e.offices import Office
from tests.e2e.visits import new_id

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def stick(village: Office, tmp_path: Path) -> Path:
    """A bundle of the village for the centre."""
    for _count in range(2):
        village.collect(new_id(), village.keep(new_id().encode() * 100), photo="rumah.jpg")
    return pack(village, tmp_path, CENTRE)


def refused(centre: Office, file: Path, *kinds: type[Problem]) -> Problem:
    """It is refused with one of these, and nothing is other than before."""
    before = (rows(centre), centre.shown())
    with pytest.raises(kinds) as raised:
        carry(centre, file)
    assert (rows(centre), centre.shown()) == before
    assert {"again", "Nothing"} & set(raised.value.title().replace(";", " ").replace(".", " ").split())
    problem: Problem = raised.value
    return problem


def test_a_bundle_that_was_cut_anywhere_changes_nothing(centre: Office, stick: Path) -> None:
    whole = stick.read_bytes()
    chance = random.Random(1)
    cuts = {0, 1, 21, 22, len(whole) - 1, len(whole) - 22, *(chance.randrange(len(whole)) for _count in range(12))}
    for cut in sorted(cuts):
        stick.write_bytes(whole[:cut])
        refused(centre, stick, NotABundle, BundleDamaged)

    stick.write_bytes(whole)
    assert carry(centre, stick).new > 0


def test_a_bundle_of_which_anything_was_changed_changes_nothing(centre: Office, stick: Path) -> None:
    whole = stick.read_bytes()
    with zipfile.ZipFile(stick) as archive:
        infos = archive.infolist()
    places = [info.header_offset + 30 + len(info.filename) + 40 for info in infos if info.compress_size > 60]
    for place in places:
        stick.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        refused(centre, stick, NotABundle, BundleDamaged)


def test_bytes_before_or_behind_are_no_bundle(centre: Office, stick: Path) -> None:
    whole = stick.read_bytes()
    stick.write_bytes(whole + b"x")

    refused(centre, stick, NotABundle)


def test_what_nobody_has_signed_is_not_taken(centre: Office, stick: Path) -> None:
    with zipfile.ZipFile(stick, "a") as archive:
        archive.writestr("files/../../../etc/passwd", b"x")

    refused(centre, stick, BundleDamaged)


def test_an_operation_that_was_exchanged_is_noticed_whoever_signs(centre: Office, village: Office, stick: Path) -> None:
    def change(members: dict[str, bytes]) -> None:
        members[OPERATIONS] = members[OPERATIONS].replace(b"Bu Siti", b"Bu Sita")

    refused(centre, rewritten(stick, key_of(village), change=change), BundleDamaged)


def told(members: dict[str, bytes]) -> Any:
    return orjson.loads(members[MANIFEST])


def test_what_a_trusted_server_signs_is_still_bounded(
    centre: Office, village: Office, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.bundles.opened.LARGEST_LINE", 8 * 2**10)

    def part(members: dict[str, bytes], name: str, content: bytes) -> None:
        shape = told(members)
        digest = hashlib.sha256(content).hexdigest()
        shape["parts"][name] = {"size": len(content), "sha256": digest, "lines": content.count(b"\n")}
        members[name], members[MANIFEST] = content, orjson.dumps(shape)

    def bomb(members: dict[str, bytes]) -> None:
        part(members, OPERATIONS, b"\n" * (8 * 2**20))

    def long_line(members: dict[str, bytes]) -> None:
        noise = random.Random(1).randbytes(5 * 2**10).hex().encode()
        part(members, "forms.ndjson", b'{"form":"' + noise + b'"}\n')

    def path(members: dict[str, bytes]) -> None:
        lines = [orjson.loads(line) for line in members[FILES].splitlines()]
        lines[0]["sha256"] = "../../../../secret-key"
        part(members, FILES, b"".join(orjson.dumps(line) + b"\n" for line in lines))

    def no_parts(members: dict[str, bytes]) -> None:
        members[MANIFEST] = orjson.dumps(told(members) | {"parts": {}})

    for change in (bomb, long_line, path, no_parts):
        refused(centre, rewritten(stick, key_of(village), change=change), BundleDamaged)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [({"version": 2}, NewerBundle), ({"format": "lapangan-backup"}, NotABundle), ({"key": "00" * 32}, BundleDamaged)],
)
def test_a_manifest_that_says_something_else(
    centre: Office, village: Office, stick: Path, shape: dict[str, Any], kind: type[Problem]
) -> None:
    def change(members: dict[str, bytes]) -> None:
        members[MANIFEST] = orjson.dumps(told(members) | shape)

    refused(centre, rewritten(stick, key_of(village), change=change), kind)


@pytest.mark.parametrize("spoil", [lambda signature: bytes(64), lambda signature: signature[:63], lambda _s: b""])
def test_a_signature_that_is_none(centre: Office, stick: Path, spoil: Callable[[bytes], bytes]) -> None:
    with zipfile.ZipFile(stick) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(stick, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, spoil(content) if name == SIGNATURE else content)

    refused(centre, stick, BundleDamaged)


def test_another_file_is_no_bundle(centre: Office, tmp_path: Path) -> None:
    for name, content in (("photo.jpg", b"\xff\xd8" + bytes(5000)), ("empty.zip", b"PK\x05\x06" + bytes(18))):
        (tmp_path / name).write_bytes(content)
        refused(centre, tmp_path / name, NotABundle)
