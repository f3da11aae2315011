"""The second factor: six digits that an authenticator makes anew every half minute (RFC 6238), and recovery
codes.

A code of this step of the clock is taken, and of the ones beside it, for clocks differ. Each step is used up
by its sign-in, and so is each recovery code. The secret is sealed by the vault, in the place of its user. Of
recovery codes there are digests alone: 80 bits of chance are not guessed back.
"""

import hmac
from secrets import token_bytes
from typing import Protocol

import pyotp
import sqlalchemy as sa
import structlog
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.records.keys import digest_of_key
from router.records.tables import recovery_codes, users
from router.records.users import Kept, User
from router.settings.vault import Unsealable

log = structlog.get_logger(__name__)

STEP_SECONDS = 30
SECRET_SIGNS = 32
"""Of base32: 160 bits, as RFC 4226 recommends."""
RECOVERY_CODES = 10
RECOVERY_BYTES = 10
ISSUER = "crmroute"
BASE32 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


class Seals(Protocol):
    """`router.settings.vault.Vault`."""

    def seal(self, plain: bytes, place: str) -> bytes: ...
    def unseal(self, sealed: bytes, place: str) -> bytes: ...


class Enrolment(Struct, frozen=True):
    """A second factor that is not in force yet: told once."""

    secret: str
    address: str
    """For an authenticator: `otpauth://…`."""


def begin(user: User) -> Enrolment:
    return _enrolment(user, pyotp.random_base32(SECRET_SIGNS))


def again(user: User, secret: str) -> Enrolment | None:
    """The one that was begun; None for what is no secret of ours."""
    return _enrolment(user, secret) if _is_secret(secret) else None


def _enrolment(user: User, secret: str) -> Enrolment:
    return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=user.name, issuer_name=ISSUER))


def _is_secret(secret: str) -> bool:
    return len(secret) == SECRET_SIGNS and BASE32.issuperset(secret)


def step_of(secret: str, code: str, now: float) -> int | None:
    """The step of the clock that a code belongs to; None for a code of none, or what is no secret of ours."""
    if not _is_secret(secret):
        return None
    made, current = pyotp.TOTP(secret), int(now) // STEP_SECONDS
    for step in (current, current - 1, current + 1):
        if hmac.compare_digest(made.at(step * STEP_SECONDS).encode(), code.encode()):
            return step
    return None


async def turn_on(
    connection: AsyncConnection, vault: Seals, user: User, secret: str, step: int
) -> tuple[str, ...]:
    """The recovery codes, told once; former ones are over."""
    codes = tuple(token_bytes(RECOVERY_BYTES).hex() for _ in range(RECOVERY_CODES))
    sealed = vault.seal(secret.encode(), _place(user))
    await connection.execute(users.update().where(users.c.id == user.id).values(totp=sealed, totp_step=step))
    await _drop_codes(connection, user)
    rows = [{"user": user.id, "digest": digest_of_key(code)} for code in codes]
    await connection.execute(recovery_codes.insert(), rows)
    return codes


async def turn_off(connection: AsyncConnection, user: User) -> None:
    await connection.execute(users.update().where(users.c.id == user.id).values(totp=None))
    await _drop_codes(connection, user)


async def codes_left(connection: AsyncConnection, user: User) -> int:
    """How many recovery codes are not used yet."""
    query = sa.select(sa.func.count()).where(recovery_codes.c.user == user.id)
    return await connection.scalar(query) or 0


async def use(connection: AsyncConnection, vault: Seals, kept: Kept, code: str, now: float) -> str | None:
    """What the code was, `code` or `recovery code`, and it is used up; None for a wrong one."""
    code = "".join(code.split()).replace("-", "").lower()
    if await _use_step(connection, vault, kept, code, now):
        return "code"
    where = (recovery_codes.c.user == kept.user.id, recovery_codes.c.digest == digest_of_key(code))
    used = await connection.execute(recovery_codes.delete().where(*where))
    return "recovery code" if used.rowcount == 1 else None


async def _use_step(connection: AsyncConnection, vault: Seals, kept: Kept, code: str, now: float) -> bool:
    if kept.totp is None:
        return False
    try:
        secret = vault.unseal(kept.totp, _place(kept.user)).decode()
    except Unsealable as error:  # the vault's key is gone: recovery codes still help
        log.error("accounts.second_factor_unsealable", user=kept.user.name, problem=str(error))
        return False
    step = step_of(secret, code, now)
    if step is None:
        return False
    unused = (users.c.id == kept.user.id, users.c.totp_step < step)
    used = await connection.execute(users.update().where(*unused).values(totp_step=step))
    return used.rowcount == 1


async def _drop_codes(connection: AsyncConnection, user: User) -> None:
    await connection.execute(recovery_codes.delete().where(recovery_codes.c.user == user.id))


def _place(user: User) -> str:
    return f"totp|{user.id}"
