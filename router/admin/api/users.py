"""Users by the API; a password goes in and never comes back."""

from datetime import datetime

from litestar import Controller, delete, get, patch, post, put
from litestar.params import JSONBody
from msgspec import Struct

from router.admin.api.moments import moment
from router.admin.handed import NumberInPath, TheSite, Who
from router.admin.identity import Identity, NotAllowed
from router.admin.site import Site
from router.core.identities import TenantId
from router.core.roles import Permission, Role, is_at_most
from router.records import tenants, users
from router.records.errors import NotFound
from router.records.users import User


class NewUser(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    role: Role
    tenant: TenantId | None = None
    """None for a provider."""
    password: str | None = None
    """None for who signs in at the identity provider alone."""


class UserChange(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is left out stays."""

    role: Role | None = None
    is_disabled: bool | None = None
    language: str | None = None


class NewPassword(Struct, frozen=True, forbid_unknown_fields=True):
    password: str


class UserDetails(Struct, frozen=True, kw_only=True):
    id: int
    name: str
    role: Role
    tenant: TenantId | None
    language: str
    is_disabled: bool
    has_second_factor: bool
    made_at: datetime
    signed_in_at: datetime | None


class UsersController(Controller):
    path = "/users"
    tags = ("Users",)

    @get(operation_id="listUsers")
    async def list_users(self, site: TheSite, identity: Who) -> list[UserDetails]:
        """Those that this account reaches, by name."""
        identity.require(Permission.MANAGE_USERS, identity.tenant)
        async with site.database.reading() as connection:
            return [_details(one) for one in await users.every(connection, identity.tenant)]

    @post(operation_id="createUser")
    async def create_user(self, site: TheSite, identity: Who, data: JSONBody[NewUser]) -> UserDetails:
        """With a first password, or for the identity provider alone."""
        identity.require(Permission.MANAGE_USERS, data.tenant)
        _require_at_most(data.role, identity)
        if data.tenant is not None:
            async with site.database.reading() as connection:
                await tenants.one(connection, data.tenant)
        made = await site.accounts.create_user(
            data.name, data.role, data.tenant, data.password, identity.actor
        )
        return _details(made)

    @get("/{user:int}", operation_id="readUser")
    async def read_user(self, site: TheSite, identity: Who, user: NumberInPath) -> UserDetails:
        """One of them."""
        return _details(await _reached(site, identity, user))

    @patch("/{user:int}", operation_id="changeUser")
    async def change_user(
        self, site: TheSite, identity: Who, user: NumberInPath, data: JSONBody[UserChange]
    ) -> UserDetails:
        """A new role, or being disabled, ends what the user has open."""
        await _reached(site, identity, user)
        if data.role is not None:
            _require_at_most(data.role, identity)
        changed = await site.accounts.change_user(
            user, identity.actor, role=data.role, is_disabled=data.is_disabled, language=data.language
        )
        return _details(changed)

    @put("/{user:int}/password", operation_id="setPassword", status_code=204)
    async def set_password(
        self, site: TheSite, identity: Who, user: NumberInPath, data: JSONBody[NewPassword]
    ) -> None:
        """What the user has open ends."""
        await _reached(site, identity, user)
        await site.accounts.set_password(user, data.password, identity.actor)

    @delete("/{user:int}/second-factor", operation_id="removeSecondFactor", status_code=204)
    async def remove_second_factor(self, site: TheSite, identity: Who, user: NumberInPath) -> None:
        """For who lost the device; what the user has open ends."""
        found = await _reached(site, identity, user)
        await site.accounts.remove_second_factor(found, identity.actor)

    @delete("/{user:int}", operation_id="removeUser", status_code=204)
    async def remove_user(self, site: TheSite, identity: Who, user: NumberInPath) -> None:
        """The last provider stays."""
        await _reached(site, identity, user)
        await site.accounts.remove_user(user, identity.actor)


async def _reached(site: Site, identity: Identity, id_: int) -> User:
    """Raises NotFound for another tenant's, NotAllowed."""
    identity.require(Permission.MANAGE_USERS, identity.tenant)
    async with site.database.reading() as connection:
        found = await users.one(connection, id_)
    if identity.tenant not in (None, found.tenant):
        raise NotFound("such user")
    return found


def _require_at_most(role: Role, identity: Identity) -> None:
    if not is_at_most(role, identity.role):
        raise NotAllowed(Permission.MANAGE_USERS)


def _details(user: User) -> UserDetails:
    fields = {name: getattr(user, name) for name in user.__struct_fields__}
    signed_in_at = None if user.signed_in_at is None else moment(user.signed_in_at)
    return UserDetails(**{**fields, "made_at": moment(user.made_at), "signed_in_at": signed_in_at})
