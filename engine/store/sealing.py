"""Sealing: private words and bytes as AES-256-GCM under a key that is dropped when they are forgotten.

Where a deleted row stays readable in files until the database uses its place again, the key alone needs to go. What is sealed is bound to
its place, `table/column/job/n`, so that pieces cannot change theirs. cryptography is imported where something is sealed or opened.
"""

from __future__ import annotations

import base64
import os

from engine.errors import StoreError

KEY_BYTES = 32
NONCE_BYTES = 12
BLOCK = 4096
"""Words are padded to a multiple of so many bytes, since their length would tell of them."""
MARK = "\x01"
"""How sealed text begins. No JSON and no name begins so."""
KEY_GONE = "The database restarted after a crash; your table's key is gone. Send it again."
_NEEDED = "tables of people's own need the package cryptography; `pip install -r requirements-postgres.txt` installs it."
_CHANGED = "the store holds a private row that is not what was stored there; forget its table and send it again."

Place = tuple[str, str, str, int | str]
"""(table, column, job or upload, n): where something is stored."""


def require_cryptography() -> None:
    """Raise StoreError where nothing can be sealed."""
    try:
        import cryptography  # noqa: F401
    except ModuleNotFoundError:
        raise StoreError(_NEEDED) from None


def make_key() -> bytes:
    """A new key of 256 bits."""
    return os.urandom(KEY_BYTES)


def seal(key: bytes, data: bytes, place: Place) -> bytes:
    """A random nonce, and the bytes encrypted for that place alone."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, _bind(place))


def open_sealed(key: bytes, data: bytes, place: Place) -> bytes:
    """What was sealed. Raises StoreError where it was sealed for another place, under another key, or changed."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], _bind(place))
    except (InvalidTag, ValueError):
        raise StoreError(_CHANGED) from None


def seal_text(key: bytes, text: str, place: Place) -> str:
    """Text behind MARK, padded with spaces before it."""
    data = text.encode()
    return MARK + base64.b64encode(seal(key, b" " * (-len(data) % BLOCK) + data, place)).decode()


def open_text(key: bytes, text: str, place: Place) -> str:
    """What was sealed, without spaces before it. Raises StoreError as `open_sealed`."""
    try:
        data = base64.b64decode(text[len(MARK) :], validate=True)
    except ValueError:
        raise StoreError(_CHANGED) from None
    return open_sealed(key, data, place).decode().lstrip(" ")


def _bind(place: Place) -> bytes:
    return "/".join(map(str, place)).encode()
