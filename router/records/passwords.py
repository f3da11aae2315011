"""Passwords: hashed with Argon2id, in a thread, for a hash takes as long as many requests.

A name that nobody has costs the same hash as a wrong password, so that the time tells no names.
"""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LEAST, MOST = 12, 1024
"""Signs. No further rules: length is what counts (NIST SP 800-63B, 3.1.1.2)."""


class Passwords:
    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._nobodys = self._hasher.hash("a password that nobody has")

    async def hash(self, password: str) -> str:
        return await asyncio.to_thread(self._hasher.hash, password)

    async def is_right(self, kept: str | None, password: str) -> bool:
        """`kept` None or empty: nobody's, or a user without a password."""
        is_right = await asyncio.to_thread(self._verify, kept or self._nobodys, password[: MOST + 1])
        return is_right and bool(kept)

    def is_outdated(self, kept: str) -> bool:
        """Whether it was hashed with less care than is taken now."""
        return self._hasher.check_needs_rehash(kept)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def problem_of(password: str) -> str:
    """What is wrong with a new password; empty when nothing is."""
    if len(password) < LEAST:
        return f"a password needs at least {LEAST} characters"
    if len(password) > MOST:
        return f"a password has at most {MOST} characters"
    return ""
