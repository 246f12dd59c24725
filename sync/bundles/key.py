"""The key with which a server signs its bundles: Ed25519 (RFC 8032), made on first use, kept beside the secret key.

To people it is shown as a fingerprint, and given on as one word: the server's id and its public key."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from forms.errors import Problem
from sync.peers.roster import Told

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NAME = "signing-key"
SEED = re.compile(r"[0-9a-f]{64}")
WORD = re.compile(r"([0-9A-Za-z_.-]{1,64}):([0-9a-f]{64})")
GROUPS, GROUP = 5, 4
"""80 bits: enough that nobody makes a second key with the same fingerprint."""


class NotAKey(Problem):
    """This is not the key of a server. Copy the whole line that `lapangan bundle key` shows on the other server."""

    slug = "bundle/not-a-key"


class KeyDamaged(Problem):
    """The file "signing-key" in the data folder is damaged. Restore it from a backup, or delete it for a new one."""

    slug = "bundle/key-damaged"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The own key of a server."""

    seed: str = field(repr=False)

    @property
    def public(self) -> str:
        """64 hex digits."""
        return self._private.public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)

    @property
    def _private(self) -> Ed25519PrivateKey:
        # Imported here: six megabytes that a server without bundles does not need.
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(self.seed))


def own_key(folder: Path) -> SigningKey:
    """The key in this data folder, readable by its owner only. Two processes that make it at once agree."""
    file = folder / NAME
    if not file.exists():
        _make(file)
    seed = file.read_text().strip()
    if not SEED.fullmatch(seed):
        raise KeyDamaged(str(file))
    return SigningKey(seed)


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}-{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_hex(32))
            out.flush()
            os.fsync(out.fileno())
        _give_name(fresh, file)
    finally:
        fresh.unlink(missing_ok=True)


def _give_name(fresh: Path, file: Path) -> None:
    """Whole or not at all, and not over another."""
    try:
        os.link(fresh, file)
    except FileExistsError:
        return
    except OSError:  # a disk that knows no links
        fresh.replace(file)


def is_signed(public_key: str, message: bytes, signature: bytes) -> bool:
    """Whether the holder of this key has signed the message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(public_key: str) -> str:
    """ "3f2a-91c4-0b7d-55e1-a08c": what two people compare by telephone."""
    digits = hashlib.sha256(bytes.fromhex(public_key)).hexdigest()
    return "-".join(digits[start : start + GROUP] for start in range(0, GROUPS * GROUP, GROUP))


def word(server_id: str, public_key: str) -> str:
    """The key as one word, to be copied."""
    return f"{server_id}:{public_key}"


def read_word(told: str) -> Told:
    """What a word says. Refuses NotAKey."""
    found = WORD.fullmatch(told.strip())
    if found is None:
        raise NotAKey(told.strip()[:80])
    return Told(found[1], 0, found[2])
