"""Signing in and out, and the sessions that come of it.

A sign-in is refused without saying which part was wrong, costs the same for a name that nobody has, and waits
longer after each failure. It reads the user anew, and locks it, in the transaction that begins the session:
what changed while the password was hashed counts.

A session's key is new at every sign-in, and whenever the own password changes.
"""

from collections.abc import Callable

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.single_sign_on import Claims, name_to_link, subject_of
from router.records import attempts, audit, passwords, second_factor, sessions, users
from router.records.attempts import Taken
from router.records.audit import Actor, Deed
from router.records.database import Database
from router.records.errors import Conflict, NotFound
from router.records.keys import csrf_of
from router.records.passwords import Passwords
from router.records.second_factor import Seals
from router.records.sessions import SessionRow
from router.records.users import Kept, User

SOMEBODY = "somebody"
"""Who is refused, in the audit: what was typed as a name may be a password."""


class SignInRefused(Exception):
    """The name, the password or the code is wrong; which one is not told."""


class CodeNeeded(Exception):
    """The password is right; the code of the second factor is missing."""


class Throttled(Exception):
    """Too many failures: `seconds` until the next attempt is taken."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many failed attempts: try again in {seconds:.0f} s")
        self.seconds = seconds


class SignedIn(Struct, frozen=True):
    """`key` is for the browser's cookie alone."""

    key: str
    user: User


class Session(Struct, frozen=True):
    user: User
    digest: str
    csrf: str


class SignIns:
    """`clock` is the time of day, in seconds since the epoch."""

    def __init__(
        self, database: Database, clock: Callable[[], float], vault: Seals, hasher: Passwords | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._vault = vault
        self._passwords = hasher or Passwords()

    # Signing in

    async def sign_in(self, name: str, password: str, code: str, origin: str) -> SignedIn:
        """Raises SignInRefused, CodeNeeded, Throttled, RecordsError."""
        taken, kept = await self._proved(name, password, origin)
        if kept.totp is not None and not code.strip():
            async with self._database.writing() as connection:
                await attempts.take_back(connection, taken)
            raise CodeNeeded("the code of the second factor is needed")
        is_outdated = self._passwords.is_outdated(kept.password)
        values = {"password": await self._passwords.hash(password)} if is_outdated else {}
        async with self._database.writing() as connection:
            now = self._clock()
            same = await users.locked(connection, kept.user.id)
            how = await self._accepted(connection, same, kept, code, now)
            if same is not None and how is not None:
                await attempts.succeed(connection, taken)
                await users.change(connection, same.user.id, signed_in_at=now, **values)
                await self._note(connection, Actor(same.user.name, origin), same.user, "sign in", after=how)
                return await self._begin(connection, same.user, origin, now)
        raise await self._refused(kept.user, origin, "the code is wrong")

    async def sign_in_by_identity(self, claims: Claims, origin: str, *, links_by_name: bool) -> SignedIn:
        """For whoever an identity provider vouches for; a second factor is that one's business.

        `links_by_name` is the operator's setting. Raises SignInRefused.
        """
        subject = subject_of(claims)
        async with self._database.writing() as connection:
            now = self._clock()
            found = await users.linked(connection, subject)
            name = name_to_link(claims, links_by_name=links_by_name)
            if found is None and name is not None:
                found = await self._linked_by_name(connection, name, subject, origin)
            same = await users.locked(connection, found.user.id) if found else None
            if same is not None and not same.user.is_disabled and same.oidc_subject == subject:
                await users.change(connection, same.user.id, signed_in_at=now)
                how = {"by": "identity provider"}
                await self._note(connection, Actor(same.user.name, origin), same.user, "sign in", after=how)
                return await self._begin(connection, same.user, origin, now)
        raise await self._refused(found.user if found else None, origin, "no account is this person's")

    async def _linked_by_name(
        self, connection: AsyncConnection, name: str, subject: str, origin: str
    ) -> Kept | None:
        """Whoever has the name; not linked where it is another person's already, or has a second factor that
        this would go round. Such a user links the person while signed in."""
        named = await users.named(connection, name)
        kept = await users.locked(connection, named.user.id) if named else None
        if kept is None or kept.user.is_disabled or kept.totp is not None or kept.oidc_subject is not None:
            return kept
        await users.change(connection, kept.user.id, oidc_subject=subject)
        await self._note(connection, Actor(kept.user.name, origin), kept.user, "link identity")
        return kept

    async def _proved(self, name: str, password: str, origin: str) -> tuple[Taken, Kept]:
        """Whose name and password these are; counted as a failure until it is taken back."""
        async with self._database.writing() as connection:
            taken, seconds = await attempts.take(connection, users.folded(name), origin, self._clock())
            if taken is None:
                raise Throttled(seconds)
        async with self._database.reading() as connection:
            kept = await users.named(connection, name)
        is_right = await self._passwords.is_right(kept.password if kept else None, password)
        if kept is None or not is_right or kept.user.is_disabled:
            user = kept.user if kept else None
            raise await self._refused(user, origin, "the name or the password is wrong")
        return taken, kept

    async def _accepted(
        self, connection: AsyncConnection, same: Kept | None, kept: Kept, code: str, now: float
    ) -> dict[str, str] | None:
        """By what the user is let in; `kept` is the user whose password was right, `same` as it is now."""
        if same is None or same.user.is_disabled or same.password != kept.password:
            return None
        if same.totp is None:
            return {"by": "password"}
        used = await second_factor.use(connection, self._vault, same, code, now)
        return {"by": f"password and {used}"} if used else None

    async def _refused(self, user: User | None, origin: str, why: str) -> SignInRefused:
        async with self._database.writing() as connection:
            deed = Deed(action="refused sign in", kind="user", name=user.name if user else "")
            tenant = user.tenant if user else None
            await audit.note(connection, self._clock(), Actor(SOMEBODY, origin), tenant, deed)
        return SignInRefused(why)

    # Sessions

    async def session(self, key: str) -> Session | None:
        """The session of a cookie, and its user; None when it is over, or the user is disabled."""
        now = self._clock()
        found, session = await self._open_session(key, now)
        if found is not None and session is not None and now - found.seen_at > sessions.SEEN_EVERY_SECONDS:
            async with self._database.writing() as connection:
                await sessions.see(connection, found.digest, now)
        return session

    async def watching_session(self, key: str) -> Session | None:
        """The same for what goes on without anybody: it does not count as use, and keeps no session open."""
        return (await self._open_session(key, self._clock()))[1]

    async def _open_session(self, key: str, now: float) -> tuple[SessionRow | None, Session | None]:
        async with self._database.reading() as connection:
            found = await sessions.find(connection, key, now)
            user = await users.one(connection, found.user) if found else None
        if found is None or user is None or user.is_disabled:
            return None, None
        return found, Session(user, found.digest, csrf_of(key))

    async def sessions_of(self, user: User) -> list[SessionRow]:
        async with self._database.reading() as connection:
            return await sessions.of_user(connection, user.id, self._clock())

    async def end_session(self, user: User, digest: str, actor: Actor) -> None:
        """One of the user's own. Raises NotFound."""
        async with self._database.writing() as connection:
            if not await sessions.end(connection, user.id, digest):
                raise NotFound("such session")
            await self._note(connection, actor, user, "end session")

    async def sign_out(self, key: str) -> None:
        async with self._database.writing() as connection:
            found = await sessions.find(connection, key, self._clock())
            if found is not None and await sessions.end(connection, found.user, found.digest):
                user = await users.one(connection, found.user)
                await self._note(connection, Actor(user.name, found.origin), user, "sign out")

    async def _begin(self, connection: AsyncConnection, user: User, origin: str, now: float) -> SignedIn:
        return SignedIn(await sessions.begin(connection, user.id, origin, now), user)

    # The own password

    async def change_own_password(self, key: str, former: str, password: str, origin: str) -> SignedIn:
        """`key` is the session's; every session ends, and one with a new key goes on.

        A wrong `former` password counts as a failed sign-in. Raises SignInRefused, Throttled, Conflict.
        """
        session = await self.session(key)
        if session is None:
            raise SignInRefused("the session is over")
        hashed = await self._hashed(password)
        taken, kept = await self._proved(session.user.name, former, origin)
        async with self._database.writing() as connection:
            same = await users.locked(connection, kept.user.id)
            if same is not None and not same.user.is_disabled and same.password == kept.password:
                await attempts.succeed(connection, taken)
                await self._replace_password(connection, same.user, hashed, Actor(same.user.name, origin))
                return await self._begin(connection, same.user, origin, self._clock())
        raise await self._refused(kept.user, origin, "the name or the password is wrong")

    async def _replace_password(
        self, connection: AsyncConnection, user: User, hashed: str, actor: Actor
    ) -> None:
        await users.change(connection, user.id, password=hashed)
        await sessions.end_all(connection, user.id)
        await self._note(connection, actor, user, "set password")

    async def _hashed(self, password: str) -> str:
        problem = passwords.problem_of(password)
        if problem:
            raise Conflict(problem)
        return await self._passwords.hash(password)

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
