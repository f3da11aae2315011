"""Who asks: a signed-in user or an API token, what they may do, and which tenants are there for them.

A tenant that somebody does not reach is not found, whatever is asked of it: nobody learns that it is there.
"""

from msgspec import Struct

from router.core.identities import TenantId
from router.core.roles import Permission, Role, may, reaches
from router.records.audit import Actor
from router.records.errors import NotFound


class NotAllowed(Exception):
    """The role does not let them do that; `permission` names what."""

    def __init__(self, permission: Permission) -> None:
        super().__init__(f"this account may not {permission.told}")
        self.permission = permission


class Identity(Struct, frozen=True, kw_only=True):
    who: str
    """As the audit tells it: a user's name, or a token's with its maker's."""
    role: Role
    tenant: TenantId | None
    """None for a provider's."""
    origin: str
    user: int | None = None
    """None for a token."""
    session: str = ""
    """The digest of the session that asks; empty for a token."""
    maker: int | None = None
    """The user whose rights bound the tokens that are made: the same, or the maker of the token that asks."""

    @property
    def actor(self) -> Actor:
        return Actor(self.who, self.origin)

    def require(self, permission: Permission, tenant: TenantId | None) -> None:
        """`tenant` None: something of the whole installation. Raises NotFound, NotAllowed."""
        if not reaches(self.tenant, tenant):
            raise NotFound(f"tenant {tenant}" if tenant else "such page")
        if not may(self.role, permission):
            raise NotAllowed(permission)
