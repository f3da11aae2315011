"""Accounts: signing in and out, users, tokens, the first set-up. Each change is a transaction with its audit
row.

A sign-in is refused without saying which part was wrong, costs the same for a name that nobody has, and waits
longer after each failure. Whoever may change users reaches those of their own tenant, and gives nobody more
than they have themselves.
"""

from collections.abc import Callable
from secrets import token_bytes
from typing import Protocol

import pyotp
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.identities import TenantId
from router.core.roles import Role, is_at_most
from router.records import attempts, audit, passwords, sessions, tokens, users
from router.records.audit import Actor, Deed
from router.records.database import Database
from router.records.errors import Conflict, NotFound
from router.records.keys import csrf_of, digest_of_key, new_key
from router.records.passwords import Passwords
from router.records.tables import recovery_codes, setup_links
from router.records.tokens import Token
from router.records.users import Kept, User

SETUP_SECONDS = 86_400.0
STEP_SECONDS = 30
RECOVERY_CODES = 10
RECOVERY_BYTES = 10
ISSUER = "crmroute"


class SignInRefused(Exception):
    """The name, the password or the code is wrong; which one is not told."""


class CodeNeeded(Exception):
    """The password is right; the code of the second factor is missing."""


class Throttled(Exception):
    """Too many failures: `seconds` until the next attempt is taken."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many failed attempts: try again in {seconds:.0f} s")
        self.seconds = seconds


class Seals(Protocol):
    """`router.settings.vault.Vault`."""

    def seal(self, plain: bytes, place: str) -> bytes: ...
    def unseal(self, sealed: bytes, place: str) -> bytes: ...


class SignedIn(Struct, frozen=True):
    """`key` is for the browser's cookie alone."""

    key: str
    user: User


class Session(Struct, frozen=True):
    user: User
    digest: str
    csrf: str


class Enrolment(Struct, frozen=True):
    """A second factor that is not in force yet: told once."""

    secret: str
    address: str
    """For an authenticator: `otpauth://…`."""


class Accounts:
    """`clock` is the time of day, in seconds since the epoch."""

    def __init__(
        self, database: Database, clock: Callable[[], float], vault: Seals, hasher: Passwords | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._vault = vault
        self._passwords = hasher or Passwords()

    # Signing in and out

    async def sign_in(self, name: str, password: str, code: str, origin: str) -> SignedIn:
        """Raises SignInRefused, CodeNeeded, Throttled, RecordsError."""
        subjects = attempts.subjects_of(name, origin)
        async with self._database.reading() as connection:
            left = await attempts.seconds_left(connection, subjects, self._clock())
            if left > 0:
                raise Throttled(left)
            kept = await users.named(connection, name)
        is_right = await self._passwords.is_right(kept.password if kept else None, password)
        if kept is None or not is_right or kept.user.is_disabled:
            await self._refuse(subjects, name, origin)
            raise SignInRefused("the name or the password is wrong")
        if kept.totp is not None and not code:
            raise CodeNeeded("the code of the second factor is needed")
        async with self._database.writing() as connection:
            kept = await users.kept(connection, kept.user.id)
            is_accepted = await self._accept_code(connection, kept, code)
            if is_accepted:
                return await self._begin(connection, kept, password, subjects, origin)
        await self._refuse(subjects, name, origin)
        raise SignInRefused("the code is wrong")

    async def _begin(
        self,
        connection: AsyncConnection,
        kept: Kept,
        password: str,
        subjects: tuple[str, str],
        origin: str,
    ) -> SignedIn:
        now = self._clock()
        await attempts.forget(connection, subjects, now)
        values: dict[str, object] = {"signed_in_at": now}
        if self._passwords.is_outdated(kept.password):
            values["password"] = await self._passwords.hash(password)
        await users.change(connection, kept.user.id, **values)
        key = await sessions.begin(connection, kept.user.id, origin, now)
        await self._note(connection, Actor(kept.user.name, origin), kept.user, "sign in")
        return SignedIn(key, kept.user)

    async def _refuse(self, subjects: tuple[str, str], name: str, origin: str) -> None:
        async with self._database.writing() as connection:
            now = self._clock()
            await attempts.count(connection, subjects, now)
            deed = Deed(action="refused sign in", kind="user", name=name[:200])
            await audit.note(connection, now, Actor(name[:200], origin), None, deed)

    async def session(self, key: str) -> Session | None:
        """The session of a cookie, and its user; None when it is over, or the user is disabled."""
        now = self._clock()
        async with self._database.reading() as connection:
            found = await sessions.find(connection, key, now)
            user = await users.one(connection, found.user) if found else None
        if found is None or user is None or user.is_disabled:
            return None
        if now - found.seen_at > sessions.SEEN_EVERY_SECONDS:
            async with self._database.writing() as connection:
                await sessions.see(connection, found.digest, now)
        return Session(user, found.digest, csrf_of(key))

    async def sign_out(self, key: str) -> None:
        async with self._database.writing() as connection:
            await sessions.end(connection, key)

    # The second factor

    async def begin_second_factor(self, user: User) -> Enrolment:
        secret = pyotp.random_base32(32)
        address = pyotp.TOTP(secret).provisioning_uri(name=user.name, issuer_name=ISSUER)
        return Enrolment(secret, address)

    async def confirm_second_factor(
        self, user: User, secret: str, code: str, actor: Actor
    ) -> tuple[str, ...]:
        """In force from now on; the recovery codes, told once. Raises SignInRefused for a wrong code."""
        step = self._step_of(secret, code)
        if step is None:
            raise SignInRefused("the code is wrong: is the clock of the device right?")
        codes = tuple(token_bytes(RECOVERY_BYTES).hex() for _ in range(RECOVERY_CODES))
        async with self._database.writing() as connection:
            sealed = self._vault.seal(secret.encode(), _place(user))
            await users.change(connection, user.id, totp=sealed, totp_step=step)
            await connection.execute(recovery_codes.delete().where(recovery_codes.c.user == user.id))
            rows = [{"user": user.id, "digest": digest_of_key(code)} for code in codes]
            await connection.execute(recovery_codes.insert(), rows)
            await self._note(connection, actor, user, "turn on second factor")
        return codes

    async def remove_second_factor(self, user: User, actor: Actor) -> None:
        async with self._database.writing() as connection:
            await users.change(connection, user.id, totp=None)
            await connection.execute(recovery_codes.delete().where(recovery_codes.c.user == user.id))
            await users.end_sessions(connection, user.id)
            await self._note(connection, actor, user, "turn off second factor")

    async def _accept_code(self, connection: AsyncConnection, kept: Kept, code: str) -> bool:
        """Once: a step of the clock, and a recovery code, are used up by it."""
        if kept.totp is None:
            return True
        code = "".join(code.split()).lower()
        secret = self._vault.unseal(kept.totp, _place(kept.user)).decode()
        step = self._step_of(secret, code)
        if step is not None and step > kept.totp_step:
            await users.change(connection, kept.user.id, totp_step=step)
            return True
        where = (recovery_codes.c.user == kept.user.id, recovery_codes.c.digest == digest_of_key(code))
        used = await connection.execute(recovery_codes.delete().where(*where))
        return used.rowcount == 1

    def _step_of(self, secret: str, code: str) -> int | None:
        """The step of the clock that a code belongs to: this one, or one beside it."""
        now = int(self._clock()) // STEP_SECONDS
        made = pyotp.TOTP(secret)
        return next((step for step in (now, now - 1, now + 1) if made.at(step * STEP_SECONDS) == code), None)

    # Users

    async def create_user(
        self, name: str, role: Role, tenant: TenantId | None, password: str, actor: Actor
    ) -> User:
        """Raises Conflict."""
        hashed = await self._hashed(password)
        async with self._database.writing() as connection:
            id_ = await users.create(connection, name, role, tenant, hashed, self._clock())
            user = await users.one(connection, id_)
            await self._note(connection, actor, user, "create", after={"role": role, "tenant": tenant})
        return user

    async def change_user(
        self, id_: int, actor: Actor, *, role: Role | None = None, is_disabled: bool | None = None
    ) -> User:
        """Raises NotFound, Conflict. What the user has open ends."""
        async with self._database.writing() as connection:
            user = await users.one(connection, id_)
            if is_disabled or (role is not None and role is not user.role):
                await users.require_another_provider(connection, user)
            if role is not None and (role is Role.PROVIDER) is not (user.tenant is None):
                raise Conflict("a provider belongs to no tenant, and everybody else to one")
            values: dict[str, object] = {}
            if role is not None:
                values["role"] = role.value
            if is_disabled is not None:
                values["is_disabled"] = is_disabled
            if values:
                await users.change(connection, id_, **values)
                await users.end_sessions(connection, id_)
            changed = await users.one(connection, id_)
            before, after = ({"role": one.role, "is_disabled": one.is_disabled} for one in (user, changed))
            await self._note(connection, actor, changed, "change", before, after)
        return changed

    async def set_language(self, user: User, language: str) -> None:
        async with self._database.writing() as connection:
            await users.change(connection, user.id, language=language)

    async def set_password(self, id_: int, password: str, actor: Actor, *, keeping: str = "") -> None:
        """`keeping` is the digest of the session that goes on. Raises NotFound, Conflict."""
        hashed = await self._hashed(password)
        async with self._database.writing() as connection:
            user = await users.one(connection, id_)
            await users.change(connection, id_, password=hashed)
            await users.end_sessions(connection, id_, keeping)
            await self._note(connection, actor, user, "set password")

    async def remove_user(self, id_: int, actor: Actor) -> None:
        """Raises NotFound, Conflict."""
        async with self._database.writing() as connection:
            user = await users.one(connection, id_)
            await users.require_another_provider(connection, user)
            await users.remove(connection, id_)
            await self._note(connection, actor, user, "remove")

    async def _hashed(self, password: str) -> str:
        problem = passwords.problem_of(password)
        if problem:
            raise Conflict(problem)
        return await self._passwords.hash(password)

    # Tokens

    async def create_token(
        self, name: str, role: Role, tenant: TenantId | None, seconds: float, maker: tuple[Role, Actor]
    ) -> tuple[Token, str]:
        """With its key, which is told this once. Raises Conflict."""
        makers_role, actor = maker
        if not is_at_most(role, makers_role):
            raise Conflict("a token may do no more than its maker")
        if not 0 < seconds <= tokens.LONGEST_SECONDS:
            raise Conflict("a token lives for a year at the most")
        now = self._clock()
        async with self._database.writing() as connection:
            lives = (now, now + seconds)
            id_, key = await tokens.create(connection, name, role, tenant, lives, actor.who)
            deed = Deed(action="create", kind="token", name=name, after={"role": role, "seconds": seconds})
            await audit.note(connection, now, actor, tenant, deed)
            return await tokens.one(connection, id_), key

    async def token(self, key: str) -> Token | None:
        """Whose key it is; None for nobody's, and for one that is over."""
        if not key.startswith(tokens.PREFIX):
            return None
        now = self._clock()
        async with self._database.reading() as connection:
            found = await tokens.find(connection, key, now)
        if found is not None and now - (found.used_at or 0) > tokens.USED_EVERY_SECONDS:
            async with self._database.writing() as connection:
                await tokens.use(connection, found.id, now)
        return found

    async def remove_token(self, id_: int, actor: Actor) -> None:
        """Raises NotFound."""
        async with self._database.writing() as connection:
            found = await tokens.one(connection, id_)
            await tokens.remove(connection, id_)
            deed = Deed(action="remove", kind="token", name=found.name)
            await audit.note(connection, self._clock(), actor, found.tenant, deed)

    # The first set-up

    async def setup_key(self) -> str | None:
        """The key of a new one-time link, where there is no user yet."""
        key = new_key()
        async with self._database.writing() as connection:
            if await users.is_any(connection):
                return None
            await connection.execute(setup_links.delete())
            ends_at = self._clock() + SETUP_SECONDS
            await connection.execute(setup_links.insert().values(digest=digest_of_key(key), ends_at=ends_at))
        return key

    async def is_setup_key(self, key: str) -> bool:
        where = (setup_links.c.digest == digest_of_key(key), setup_links.c.ends_at > self._clock())
        async with self._database.reading() as connection:
            return await connection.scalar(sa.select(setup_links.c.digest).where(*where)) is not None

    async def set_up(self, key: str, name: str, password: str, origin: str) -> SignedIn:
        """Make the first provider, once. Raises NotFound for a link that is over, Conflict."""
        hashed = await self._hashed(password)
        async with self._database.writing() as connection:
            now = self._clock()
            where = (setup_links.c.digest == digest_of_key(key), setup_links.c.ends_at > now)
            used = await connection.execute(setup_links.delete().where(*where))
            if used.rowcount != 1 or await users.is_any(connection):
                raise NotFound("such set-up link; it serves once, and for a day")
            id_ = await users.create(connection, name, Role.PROVIDER, None, hashed, now)
            user = await users.one(connection, id_)
            await self._note(connection, Actor(name, origin), user, "set up")
            return SignedIn(await sessions.begin(connection, id_, origin, now), user)

    async def _note(
        self,
        connection: AsyncConnection,
        actor: Actor,
        user: User,
        action: str,
        before: object = None,
        after: object = None,
    ) -> None:
        deed = Deed(action=action, kind="user", name=user.name, before=before, after=after)
        await audit.note(connection, self._clock(), actor, user.tenant, deed)


def _place(user: User) -> str:
    return f"totp|{user.id}"
