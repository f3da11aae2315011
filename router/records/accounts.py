"""Accounts: users, tokens, the first set-up, what users do for themselves (`own_accounts`), and signing in
(`sign_ins`). Each change is a transaction with its audit row.

Whoever may change users reaches those of their own tenant, and gives nobody more than they have themselves.
What changes a user's rights, or the ways to sign in, ends all that the user has open.
"""

from msgspec import Struct

from router.core.identities import TenantId
from router.core.roles import Role, is_at_most, lower_of, reaches
from router.records import audit, sessions, setup_links, tokens, users
from router.records.audit import Actor, Deed
from router.records.errors import Conflict, NotFound, Outdated
from router.records.own_accounts import OwnAccounts, WaysIn
from router.records.sign_ins import (
    CodeNeeded,
    Session,
    SignedIn,
    SignInOver,
    SignInRefused,
    Throttled,
)
from router.records.tokens import Token
from router.records.users import User

__all__ = [
    "Accounts",
    "CodeNeeded",
    "Seen",
    "Session",
    "SignInOver",
    "SignInRefused",
    "SignedIn",
    "Throttled",
    "WaysIn",
]
PROGRAM = Actor("crmroute")
ABOVE_MAKER = "a token may do no more than its maker"


class Seen(Struct, frozen=True):
    """What a form about a user was loaded with."""

    role: Role
    language: str


class Accounts(OwnAccounts):
    """All that is done with accounts: what serves the users themselves, and what manages them."""

    # Users

    async def create_user(
        self, name: str, role: Role, tenant: TenantId | None, password: str | None, actor: Actor
    ) -> User:
        """Without a password, for who signs in at an identity provider. Raises Conflict."""
        hashed = "" if password is None else await self._hashed(password)
        async with self._database.writing() as connection:
            id_ = await users.create(connection, name, role, tenant, hashed, self._clock())
            user = await users.one(connection, id_)
            await self._note(connection, actor, user, "create", after={"role": role, "tenant": tenant})
        return user

    async def change_user(
        self,
        id_: int,
        actor: Actor,
        *,
        role: Role | None = None,
        is_disabled: bool | None = None,
        language: str | None = None,
        seen: Seen | None = None,
    ) -> User:
        """None stays as it is. With `role` or `is_disabled` what the user has open ends. `seen` is what
        whoever changes it was shown; None for any.

        Raises NotFound, Outdated, Conflict.
        """
        wanted = {"role": role, "is_disabled": is_disabled, "language": language}
        values = {name: value for name, value in wanted.items() if value is not None}
        if language is not None:
            users.require_language(language)
        async with self._database.writing() as connection:
            user = await users.one(connection, id_)
            if is_disabled or (role is not None and role is not user.role):
                await users.require_another_provider(connection, user)
            user = await users.to_change(connection, id_)
            if seen not in (None, Seen(user.role, user.language)):
                raise Outdated(f"the user {user.name} was changed meanwhile")
            if role is not None and (role is Role.PROVIDER) is not (user.tenant is None):
                raise Conflict("a provider belongs to no tenant, and everybody else to one")
            if values:
                await users.change(connection, id_, **values)
            if role is not None or is_disabled is not None:
                await sessions.end_all(connection, id_)
            changed = await users.one(connection, id_)
            before, after = ({name: getattr(one, name) for name in values} for one in (user, changed))
            if values:
                await self._note(connection, actor, changed, "change", before, after)
        return changed

    async def remove_second_factor(self, user: User, actor: Actor) -> None:
        """Somebody else's, for who lost the device: what the user has open ends. Raises NotFound."""
        async with self._database.writing() as connection:
            await self._turn_off(connection, await users.to_change(connection, user.id), actor)

    async def set_password(self, id_: int, password: str, actor: Actor) -> None:
        """Somebody else's: what the user has open ends. Raises NotFound, Conflict."""
        hashed = await self._hashed(password)
        async with self._database.writing() as connection:
            user = await users.to_change(connection, id_)
            await self._replace_password(connection, user, hashed, actor)

    async def remove_user(self, id_: int, actor: Actor) -> None:
        """With the tokens that the user made. Raises NotFound, Conflict."""
        async with self._database.writing() as connection:
            await users.require_another_provider(connection, await users.one(connection, id_))
            user = await users.to_change(connection, id_)
            for name in await tokens.names_of_maker(connection, id_):
                deed = Deed(action="remove", kind="token", name=name)
                await audit.note(connection, self._clock(), actor, user.tenant, deed)
            await users.remove(connection, id_)
            await self._note(connection, actor, user, "remove")

    # Tokens

    async def create_token(
        self,
        name: str,
        role: Role,
        tenant: TenantId | None,
        seconds: float,
        maker: tuple[Role, Actor],
        *,
        user: int | None = None,
    ) -> tuple[Token, str]:
        """With its key, which is told this once. `user`: whose rights bound it for as long as it lives; None
        for the command line's. Raises NotFound, Conflict."""
        makers_role, actor = maker
        problem = tokens.problem_of(name, role, tenant, seconds)
        if problem:
            raise Conflict(problem)
        now = self._clock()
        async with self._database.writing() as connection:
            if user is not None:
                found = await users.to_change(connection, user)
                if found.is_disabled or not reaches(found.tenant, tenant):
                    raise Conflict(ABOVE_MAKER)
                makers_role = lower_of(makers_role, found.role)
            if not is_at_most(role, makers_role):
                raise Conflict(ABOVE_MAKER)
            lives = (now, now + seconds)
            id_, key = await tokens.create(connection, name, role, tenant, lives, (actor.who, user))
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
        async with self._database.writing() as connection:
            now = self._clock()
            key = await setup_links.renew(connection, now)
            if key is not None:
                deed = Deed(action="create", kind="set-up link", name="")
                await audit.note(connection, now, PROGRAM, None, deed)
            return key

    async def is_setup_key(self, key: str) -> bool:
        async with self._database.reading() as connection:
            return await setup_links.is_good(connection, key, self._clock())

    async def set_up(self, key: str, name: str, password: str, origin: str) -> SignedIn:
        """Make the first provider, once. Raises NotFound for a link that is over, Conflict."""
        over = NotFound("such set-up link; it serves once, and for a day")
        if not await self.is_setup_key(key):  # before a stranger has us hash
            raise over
        hashed = await self._hashed(password)
        async with self._database.writing() as connection:
            now = self._clock()
            if not await setup_links.use(connection, key, now):
                raise over
            id_ = await users.create(connection, name, Role.PROVIDER, None, hashed, now)
            user = await users.one(connection, id_)
            await self._note(connection, Actor(name, origin), user, "set up")
            return await self._begin(connection, user, origin, now)
