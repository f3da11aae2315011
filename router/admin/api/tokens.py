"""API tokens by the API: the key is told once, when it is made."""

from datetime import datetime

from litestar import Controller, delete, get, post
from litestar.params import JSONBody
from msgspec import Struct

from router.admin.api.moments import moment
from router.admin.handed import NumberInPath, TheSite, Who
from router.core.identities import TenantId
from router.core.roles import Permission, Role
from router.records import tenants, tokens
from router.records.errors import Conflict, NotFound
from router.records.tokens import Token


class NewToken(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    role: Role
    tenant: TenantId | None = None
    """None for a provider's."""
    seconds: float


class TokenDetails(Struct, frozen=True, kw_only=True):
    id: int
    name: str
    role: Role
    tenant: TenantId | None
    made_by: str
    made_at: datetime
    ends_at: datetime
    used_at: datetime | None


class TokenMade(Struct, frozen=True):
    """`key` is told this once."""

    token: TokenDetails
    key: str


class TokensController(Controller):
    path = "/tokens"
    tags = ("Tokens",)

    @get(operation_id="listTokens")
    async def list_tokens(self, site: TheSite, identity: Who) -> list[TokenDetails]:
        """Those that this account reaches, the newest first."""
        identity.require(Permission.MANAGE_USERS, identity.tenant)
        async with site.database.reading() as connection:
            return [_details(one) for one in await tokens.every(connection, identity.tenant)]

    @post(operation_id="createToken")
    async def create_token(self, site: TheSite, identity: Who, data: JSONBody[NewToken]) -> TokenMade:
        """For a year at the most, and with no more rights than its maker has."""
        identity.require(Permission.MANAGE_USERS, data.tenant)
        if (data.role is Role.PROVIDER) is not (data.tenant is None):
            raise Conflict("a provider's token belongs to no tenant, and every other to one")
        if data.tenant is not None:
            async with site.database.reading() as connection:
                await tenants.one(connection, data.tenant)
        maker = (identity.role, identity.actor)
        made, key = await site.accounts.create_token(
            data.name, data.role, data.tenant, data.seconds, maker, user=identity.maker
        )
        return TokenMade(_details(made), key)

    @delete("/{token:int}", operation_id="removeToken", status_code=204)
    async def remove_token(self, site: TheSite, identity: Who, token: NumberInPath) -> None:
        """It is over at once."""
        identity.require(Permission.MANAGE_USERS, identity.tenant)
        async with site.database.reading() as connection:
            found = await tokens.one(connection, token)
        if identity.tenant not in (None, found.tenant):
            raise NotFound("such token")
        await site.accounts.remove_token(token, identity.actor)


def _details(token: Token) -> TokenDetails:
    return TokenDetails(
        id=token.id,
        name=token.name,
        role=token.role,
        tenant=token.tenant,
        made_by=token.made_by,
        made_at=moment(token.made_at),
        ends_at=moment(token.ends_at),
        used_at=None if token.used_at is None else moment(token.used_at),
    )
