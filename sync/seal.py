"""Secrets that must be used again, such as a token for another server: kept sealed under the installation's secret key.

Who has the database alone, or a backup without the key, cannot use them. AES-256-GCM with a key of its own, derived
from the secret key by HKDF (RFC 5869); what a secret belongs to is sealed in with it, so that it fits nowhere else."""

from __future__ import annotations

import base64
import binascii
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MARK = "sealed1:"
NONCE = 12
PURPOSE = b"lapangan sealed secret 1"


class CannotUnseal(ValueError):
    """It was sealed under another secret key, or for something else, or it was changed."""


def seal(secret_key: str, owner: str, secret: str) -> str:
    """The secret as it may be kept; `owner` says whose it is."""
    nonce = os.urandom(NONCE)
    sealed = _cipher(secret_key).encrypt(nonce, secret.encode(), owner.encode())
    return MARK + base64.urlsafe_b64encode(nonce + sealed).decode()


def unseal(secret_key: str, owner: str, sealed: str) -> str:
    """The secret. Raises CannotUnseal."""
    from cryptography.exceptions import InvalidTag

    try:
        told = base64.urlsafe_b64decode(sealed.removeprefix(MARK))
        return _cipher(secret_key).decrypt(told[:NONCE], told[NONCE:], owner.encode()).decode()
    except (InvalidTag, ValueError, binascii.Error) as error:
        raise CannotUnseal from error


def is_sealed(kept: str) -> bool:
    return kept.startswith(MARK)


def _cipher(secret_key: str) -> AESGCM:
    # Imported here: six megabytes that a server without peers does not need.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return AESGCM(HKDF(SHA256(), length=32, salt=None, info=PURPOSE).derive(secret_key.encode()))
