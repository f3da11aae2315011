"""Who may do what: four roles, and what each of them is allowed.

A role is a tenant's, but for the provider's, which reaches every tenant. What a role may do is one table, so
that the page, the API and a test that tries everything read the same.
"""

from enum import StrEnum

from router.core.identities import TenantId


class Role(StrEnum):
    PROVIDER = "provider"
    """The operator: every tenant, the tenants themselves, and the installation."""
    ADMIN = "admin"
    """A tenant's own administrator: all of the tenant, its users and tokens among it."""
    EDITOR = "editor"
    """Changes and publishes the tenant's configuration."""
    VIEWER = "viewer"
    """Sees the tenant's configuration and calls."""


class Permission(StrEnum):
    SEE = "see"
    TRY = "try"
    """Rehearse a rule, ask the CRM for a caller."""
    EDIT = "edit"
    PUBLISH = "publish"
    CONNECT = "connect"
    """Integrations: their settings and secrets."""
    MANAGE_USERS = "manage_users"
    SEE_AUDIT = "see_audit"
    MANAGE_TENANTS = "manage_tenants"
    SEE_SERVERS = "see_servers"

    @property
    def told(self) -> str:
        """As it completes the sentence "this account may not …"."""
        return TOLD[self]


TOLD = {
    Permission.SEE: "see this",
    Permission.TRY: "try rules or ask the CRM",
    Permission.EDIT: "change anything",
    Permission.PUBLISH: "publish",
    Permission.CONNECT: "change integrations",
    Permission.MANAGE_USERS: "manage users and tokens",
    Permission.SEE_AUDIT: "see the audit",
    Permission.MANAGE_TENANTS: "manage tenants",
    Permission.SEE_SERVERS: "see the Asterisk servers",
}
_VIEWS = frozenset({Permission.SEE, Permission.TRY})
_EDITS = _VIEWS | {Permission.EDIT, Permission.PUBLISH}
_ADMINISTERS = _EDITS | {Permission.CONNECT, Permission.MANAGE_USERS, Permission.SEE_AUDIT}
ALLOWED: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWS,
    Role.EDITOR: _EDITS,
    Role.ADMIN: _ADMINISTERS,
    Role.PROVIDER: frozenset(Permission),
}


def may(role: Role, permission: Permission) -> bool:
    return permission in ALLOWED[role]


def reaches(own: TenantId | None, tenant: TenantId | None) -> bool:
    """Whether somebody of the tenant `own` (None: a provider's) reaches `tenant` (None: the installation)."""
    return own is None or own == tenant


def lower_of(one: Role, other: Role) -> Role:
    """The one that allows less."""
    return one if is_at_most(one, other) else other


def is_at_most(role: Role, ceiling: Role) -> bool:
    """Whether a role allows nothing that the other does not: a token is never above its maker."""
    return ALLOWED[role] <= ALLOWED[ceiling]
