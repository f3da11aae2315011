"""Random keys that are given out once: the records keep their digests alone.

A key has 256 bits of chance, so a plain digest of it cannot be guessed back; passwords are another matter
(`router.records.passwords`).
"""

import hmac
from hashlib import sha256
from secrets import token_urlsafe

BYTES = 32


def new_key(prefix: str = "") -> str:
    return prefix + token_urlsafe(BYTES)


def digest_of_key(key: str) -> str:
    return sha256(key.encode()).hexdigest()


def csrf_of(session_key: str) -> str:
    """What the pages of a session send along: nobody who has not the session's key can make it."""
    return hmac.new(session_key.encode(), b"crmroute csrf", "sha256").hexdigest()


def is_csrf(session_key: str, given: str) -> bool:
    return hmac.compare_digest(csrf_of(session_key).encode(), given.encode())
