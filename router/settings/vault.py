"""Keeping secrets and grants unreadable for everybody else: AES-256-GCM, bound to the place they belong to.

    b"1" | 8 bytes that name the key | 12 bytes nonce | ciphertext and tag

The place, such as a tenant and a grant, is the associated data: what was copied to another one does not open.
The first key of the ring seals, every key opens; so a new key is put in front, and the old one is taken away
once everything was sealed anew. A key is 32 bytes of randomness, or a text of at least 32 signs from which
32 bytes are derived (HKDF with SHA-256).
"""

import base64
import binascii
import os
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from router.settings.errors import ConfigurationError
from router.settings.model import VaultSettings
from router.settings.secrets import resolve_secret

VERSION = b"1"
KEY_BYTES = 32
NAME_BYTES = 8
NONCE_BYTES = 12
SHORTEST_TEXT = 32
_HEAD = len(VERSION) + NAME_BYTES + NONCE_BYTES


class Unsealable(Exception):
    """It cannot be read: its key is gone, or it is another's. Holds neither the key nor what was sealed."""


class Vault:
    """`keys` are texts; the first seals. Raises ValueError for a key that is too short, and for none."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("there is no key")
        ring = [_key_of(text) for text in keys]
        self._first = _name_of(ring[0])
        self._ciphers = {_name_of(key): AESGCM(key) for key in ring}

    def __repr__(self) -> str:
        return f"Vault({len(self._ciphers)} keys)"

    def seal(self, plain: bytes, place: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self._first].encrypt(nonce, plain, place.encode())
        return VERSION + self._first + nonce + sealed

    def unseal(self, sealed: bytes, place: str) -> bytes:
        """Raises Unsealable."""
        cipher = self._ciphers.get(_key_name(sealed))
        if cipher is None:
            raise Unsealable("it was sealed with a key that is not among vault.keys")
        nonce = sealed[len(VERSION) + NAME_BYTES : _HEAD]
        try:
            return cipher.decrypt(nonce, sealed[_HEAD:], place.encode())
        except InvalidTag:
            raise Unsealable("it was changed, or belongs to another tenant or integration") from None

    def is_sealed_with_an_old_key(self, sealed: bytes) -> bool:
        return _key_name(sealed) != self._first


def read_or_make_key(path: Path) -> str:
    """The key of a site that names none: made at first use, readable by this user only. Raises OSError."""
    path = path.expanduser()
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = base64.b64encode(os.urandom(KEY_BYTES)).decode()
    # Linked when it is whole: of processes that start together none may read half a key.
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(made + "\n")
        os.link(beside, path)
    except FileExistsError:  # another process was first
        return path.read_text().strip()
    finally:
        Path(beside).unlink()
    return made


def open_vault(settings: VaultSettings) -> Vault:
    """The operator's keys; without any, one of this machine, made at first use. Raises ConfigurationError."""
    try:
        keys = [resolve_secret(key, os.environ, "vault.keys") for key in settings.keys]
        return Vault(keys or [read_or_make_key(Path(settings.key_file))])
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"the keys of the vault cannot be used: {reason}") from error


def _key_of(text: str) -> bytes:
    text = text.strip()
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) == KEY_BYTES:
        return raw
    if len(text) < SHORTEST_TEXT:
        raise ValueError(f"a key needs 32 bytes in base64, or a text of at least {SHORTEST_TEXT} signs")
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"crmroute vault").derive(text.encode())


def _name_of(key: bytes) -> bytes:
    return sha256(b"crmroute key name" + key).digest()[:NAME_BYTES]


def _key_name(sealed: bytes) -> bytes:
    """Raises Unsealable for what no vault has sealed."""
    if len(sealed) < _HEAD or not sealed.startswith(VERSION):
        raise Unsealable("it is nothing that was sealed here")
    return sealed[len(VERSION) : len(VERSION) + NAME_BYTES]
