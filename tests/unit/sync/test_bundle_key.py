"""The key with which a server signs, and how people compare it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.bundles.key import KeyDamaged, NotAKey, fingerprint, is_signed, own_key, read_word, word


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    first, again = own_key(tmp_path / "data"), own_key(tmp_path / "data")

    assert first == again
    assert (tmp_path / "data" / "signing-key").stat().st_mode & 0o777 == 0o600
    assert own_key(tmp_path / "other").public != first.public
    assert first.seed not in repr(first)


def test_only_the_holder_of_the_key_can_have_signed(tmp_path: Path) -> None:
    key, other = own_key(tmp_path / "a"), own_key(tmp_path / "b")
    signature = key.sign(b"a message")

    assert is_signed(key.public, b"a message", signature)
    assert not is_signed(key.public, b"another message", signature)
    assert not is_signed(other.public, b"a message", signature)
    assert not is_signed(key.public, b"a message", b"")
    assert not is_signed("", b"a message", signature)


def test_a_key_is_given_on_as_one_word_and_compared_by_its_fingerprint(tmp_path: Path) -> None:
    public = own_key(tmp_path).public
    told = read_word(f" {word('s-7f3a', public)}\n")

    assert (told.server_id, told.public_key) == ("s-7f3a", public)
    assert len(fingerprint(public)) == 24
    for wrong in ("", public, "s-7f3a:abc", f"s-7f3a:{public}0", f"a/b:{public}"):
        with pytest.raises(NotAKey):
            read_word(wrong)


def test_a_key_file_that_was_cut_is_said_so(tmp_path: Path) -> None:
    own_key(tmp_path)
    (tmp_path / "signing-key").write_text("abc")

    with pytest.raises(KeyDamaged):
        own_key(tmp_path)
