"""What serves a user themself: the own password, language and second factor, sessions, and the person at an
identity provider. Each change is a transaction with its audit row.

`keeping` is the digest of the session that goes on, where a change ends all others.
"""

from msgspec import Struct

from router.core.single_sign_on import Claims, subject_of
from router.records import attempts, one_time_keys, second_factor, sessions, users
from router.records.audit import Actor
from router.records.errors import Conflict, NotFound
from router.records.one_time_keys import IssuerAsked, Purpose
from router.records.second_factor import Enrolment
from router.records.sign_ins import SignedIn, SignInRefused, SignIns
from router.records.users import User


class WaysIn(Struct, frozen=True):
    """How a user signs in."""

    has_password: bool
    is_linked: bool
    """Whether a person at an identity provider is this user."""
    recovery_codes: int
    """That are left."""


class OwnAccounts(SignIns):
    """All of it asks for a session first, but for what the command line or the set-up does."""

    async def ways_in(self, user: User) -> WaysIn:
        """Raises NotFound."""
        async with self._database.reading() as connection:
            kept = await users.kept(connection, user.id)
            left = await second_factor.codes_left(connection, user)
        return WaysIn(bool(kept.password), kept.oidc_subject is not None, left)

    # The password and the language

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

    async def set_language(self, user: User, language: str) -> None:
        """Raises NotFound, Conflict."""
        users.require_language(language)
        async with self._database.writing() as connection:
            former = await users.to_change(connection, user.id)
            if former.language != language:
                await users.change(connection, user.id, language=language)
                before, after = {"language": former.language}, {"language": language}
                await self._note(connection, Actor(user.name), former, "change", before, after)

    # The second factor

    async def begin_second_factor(self, user: User) -> Enrolment:
        return second_factor.begin(user)

    async def confirm_second_factor(
        self, user: User, secret: str, code: str, actor: Actor, *, keeping: str = ""
    ) -> tuple[str, ...]:
        """In force from now on; the recovery codes, told once. What else the user has open ends; `keeping` is
        the digest of the session that goes on. Raises SignInRefused for a wrong code, NotFound."""
        step = second_factor.step_of(secret, code, self._clock())
        if step is None:
            raise SignInRefused("the code is wrong: is the clock of the device right?")
        async with self._database.writing() as connection:
            user = await users.to_change(connection, user.id)
            codes = await second_factor.turn_on(connection, self._vault, user, secret, step)
            await sessions.end_all(connection, user.id, keeping)
            await self._note(connection, actor, user, "turn on second factor")
        return codes

    async def recovery_codes_left(self, user: User) -> int:
        async with self._database.reading() as connection:
            return await second_factor.codes_left(connection, user)

    async def give_up_second_factor(self, key: str, password: str, origin: str) -> None:
        """`key` is the session's, which goes on; what else the user has open ends.

        A wrong password counts as a failed sign-in. Raises SignInRefused, Throttled.
        """
        session = await self.session(key)
        if session is None:
            raise SignInRefused("the session is over")
        taken, kept = await self._proved(session.user.name, password, origin)
        async with self._database.writing() as connection:
            same = await users.locked(connection, kept.user.id)
            if same is not None and not same.user.is_disabled and same.password == kept.password:
                await attempts.succeed(connection, taken)
                await self._turn_off(connection, same.user, Actor(same.user.name, origin), session.digest)
                return
        raise await self._refused(kept.user, origin, "the name or the password is wrong")

    # Sessions

    async def end_other_sessions(self, user: User, keeping: str, actor: Actor) -> None:
        """Raises NotFound."""
        async with self._database.writing() as connection:
            await users.to_change(connection, user.id)
            await sessions.end_all(connection, user.id, keeping)
            await self._note(connection, actor, user, "end other sessions")

    # The person at an identity provider

    async def begin_link(self, key: str, password: str, code: str, origin: str) -> str:
        """The key of a way to the identity provider and back that links whoever signs in there.

        `key` is the session's, which alone adds no way to sign in: it takes the password, and a code where
        there is a second factor. What is wrong counts as a failed sign-in. Raises SignInRefused, Throttled.
        """
        session = await self.session(key)
        if session is None:
            raise SignInRefused("the session is over")
        taken, kept = await self._proved(session.user.name, password, origin)
        async with self._database.writing() as connection:
            now = self._clock()
            same = await users.locked(connection, kept.user.id)
            if same is not None and not same.user.is_disabled and same.password == kept.password:
                used = same.totp is None or await second_factor.use(connection, self._vault, same, code, now)
                if used:
                    await attempts.succeed(connection, taken)
                    asked = IssuerAsked("", same.user.id)
                    return await one_time_keys.make(connection, Purpose.SINGLE_SIGN_ON, asked, now)
        raise await self._refused(kept.user, origin, "the password or the code is wrong")

    async def link_identity(self, user: User, claims: Claims, actor: Actor) -> None:
        """That person at an identity provider signs in as this user. Raises NotFound, Conflict."""
        subject = subject_of(claims)
        async with self._database.writing() as connection:
            await users.to_change(connection, user.id)
            taken = await users.linked(connection, subject)
            if taken is not None and taken.user.id != user.id:
                raise Conflict("this person signs in as another user")
            await users.change(connection, user.id, oidc_subject=subject)
            await self._note(connection, actor, user, "link identity")

    async def unlink_identity(self, user: User, actor: Actor, *, keeping: str = "") -> None:
        """What else the user has open ends. Raises NotFound, Conflict where no password would be left."""
        async with self._database.writing() as connection:
            kept = await users.locked(connection, user.id)
            if kept is None:
                raise NotFound("such user")
            if not kept.password:
                raise Conflict("there is no other way to sign in: set a password first")
            await users.change(connection, user.id, oidc_subject=None)
            await sessions.end_all(connection, user.id, keeping)
            await self._note(connection, actor, user, "unlink identity")
