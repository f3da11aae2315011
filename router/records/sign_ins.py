"""Signing in and out, and the sessions that come of it.

A sign-in is refused without saying which part was wrong, costs the same for a name that nobody has, and waits
longer after each failure. It reads the user anew, and locks it, in the transaction that begins the session:
what changed while the password was hashed counts.

A session's key is new at every sign-in, and whenever the own password changes.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.single_sign_on import Claims, Grant, name_to_link, role_granted, subject_of
from router.records import attempts, audit, one_time_keys, passwords, second_factor, sessions, users
from router.records.attempts import Taken
from router.records.audit import Actor, Deed
from router.records.database import Database
from router.records.errors import Conflict, NotFound
from router.records.keys import csrf_of, digest_of_key
from router.records.one_time_keys import LONGEST_BACK, IssuerAsked, PasswordProved, Purpose
from router.records.passwords import Passwords
from router.records.second_factor import Seals
from router.records.sessions import SessionRow
from router.records.users import Kept, User

IDENTITY_PROVIDER = Actor("identity provider")
SOMEBODY = "somebody"
"""Who is refused, in the audit: what was typed as a name may be a password."""


class SignInRefused(Exception):
    """The name, the password or the code is wrong; which one is not told."""


class SignInOver(SignInRefused):
    """What the first step handed to the second is used up, or too old: begin again."""


class CodeNeeded(Exception):
    """The password is right, and the code of the second factor comes next, once, with `proof`."""

    def __init__(self, proof: str) -> None:
        super().__init__("the code of the second factor is needed")
        self.proof = proof


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

    async def sign_in(self, name: str, password: str, origin: str) -> SignedIn:
        """Raises SignInRefused, CodeNeeded, Throttled, RecordsError."""
        taken, kept = await self._proved(name, password, origin)
        is_outdated = self._passwords.is_outdated(kept.password)
        hashed = await self._passwords.hash(password) if is_outdated else kept.password
        proof = ""
        async with self._database.writing() as connection:
            now = self._clock()
            same = await users.locked(connection, kept.user.id)
            if same is not None and not same.user.is_disabled and same.password == kept.password:
                if is_outdated:
                    await users.change(connection, same.user.id, password=hashed)
                if same.totp is None:
                    await attempts.succeed(connection, taken)
                    return await self._let_in(connection, same.user, origin, now, "password")
                await attempts.take_back(connection, taken)
                proved = PasswordProved(same.user.id, digest_of_key(hashed))
                proof = await one_time_keys.make(connection, Purpose.CODE, proved, now)
        if proof:
            raise CodeNeeded(proof)
        raise await self._refused(kept.user, origin, "the name or the password is wrong")

    async def sign_in_with_code(self, proof: str, code: str, origin: str) -> SignedIn:
        """The second step. It uses up the proof, whatever the code is, unless it has to wait.

        Raises SignInOver, SignInRefused, Throttled, RecordsError.
        """
        async with self._database.writing() as connection:
            now = self._clock()
            proved = await one_time_keys.take_password(connection, proof, now)
            same = await users.locked(connection, proved.user) if proved else None
            if proved is None or same is None or proved.password != digest_of_key(same.password):
                raise SignInOver("the sign-in is over")
            taken, seconds = await attempts.take(connection, users.folded(same.user.name), origin, now)
            if taken is None:
                raise Throttled(seconds)
            used = None
            if not same.user.is_disabled:
                used = await second_factor.use(connection, self._vault, same, code, now)
            if used is not None:
                await attempts.succeed(connection, taken)
                return await self._let_in(connection, same.user, origin, now, f"password and {used}")
        raise await self._refused(same.user, origin, "the code is wrong")

    async def _let_in(
        self, connection: AsyncConnection, user: User, origin: str, now: float, by: str
    ) -> SignedIn:
        await users.change(connection, user.id, signed_in_at=now)
        await self._note(connection, Actor(user.name, origin), user, "sign in", after={"by": by})
        return await self._begin(connection, user, origin, now)

    async def ask_issuer(self, back: str) -> str:
        """The key of a way to the identity provider and back, for a sign-in."""
        async with self._database.writing() as connection:
            asked = IssuerAsked(back[:LONGEST_BACK])
            return await one_time_keys.make(connection, Purpose.SINGLE_SIGN_ON, asked, self._clock())

    async def come_back(self, key: str) -> IssuerAsked:
        """Once. Raises SignInOver."""
        async with self._database.writing() as connection:
            asked = await one_time_keys.take_asked(connection, key, self._clock())
        if asked is None:
            raise SignInOver("the way to the identity provider and back took too long, or was gone already")
        return asked

    async def sign_in_by_identity(
        self, claims: Claims, origin: str, *, links_by_name: bool, grants: Sequence[Grant] = ()
    ) -> SignedIn:
        """For whoever an identity provider vouches for; a second factor is that one's business.

        `links_by_name` and `grants` are the operator's settings; without grants the claims give no roles.
        Raises SignInRefused.
        """
        subject = subject_of(claims)
        async with self._database.writing() as connection:
            now = self._clock()
            found = await users.linked(connection, subject)
            name = name_to_link(claims, links_by_name=links_by_name)
            if found is None and name is not None:
                found = await self._linked_by_name(connection, name, subject, origin)
            same = await users.locked(connection, found.user.id) if found else None
            is_theirs = same is not None and not same.user.is_disabled and same.oidc_subject == subject
            if same is not None and is_theirs and await self._has_role(connection, same.user, claims, grants):
                return await self._let_in(connection, same.user, origin, now, "identity provider")
        raise await self._refused(found.user if found else None, origin, "no account is this person's")

    async def _has_role(
        self, connection: AsyncConnection, user: User, claims: Claims, grants: Sequence[Grant]
    ) -> bool:
        """Whether the claims grant one, or need not. A new one becomes the user's, and what is open ends."""
        if not grants:
            return True
        role = role_granted(claims.groups, grants, user.tenant)
        if role is not None and role is not user.role:
            await users.change(connection, user.id, role=role.value)
            await sessions.end_all(connection, user.id)
            before, after = {"role": user.role}, {"role": role}
            await self._note(connection, IDENTITY_PROVIDER, user, "change", before, after)
        return role is not None

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

    async def _replace_password(
        self, connection: AsyncConnection, user: User, hashed: str, actor: Actor
    ) -> None:
        await users.change(connection, user.id, password=hashed)
        await sessions.end_all(connection, user.id)
        await self._note(connection, actor, user, "set password")

    async def _turn_off(
        self, connection: AsyncConnection, user: User, actor: Actor, keeping: str = ""
    ) -> None:
        await second_factor.turn_off(connection, user)
        await sessions.end_all(connection, user.id, keeping)
        await self._note(connection, actor, user, "turn off second factor")

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
