"""What an identity provider says of somebody who signed in there (OpenID Connect), and whose account that is.

A person is known by issuer and subject together, the only claims that are promised to stay the same and to be
nobody else's (OpenID Connect Core 1.0, 5.7). An account takes such a person on at their first sign-in only
where the operator allows it: an e-mail address proves as much as the issuer's care in handing it out.

No account is made by a sign-in. Where the operator names a claim for roles, it decides at each sign-in what
the account may do in its tenant, and lets nobody in to whom it grants nothing there.
"""

from collections.abc import Collection, Iterable
from functools import reduce
from hashlib import sha256

from msgspec import Struct

from router.core.identities import TenantId
from router.core.roles import Role, is_at_most


class Claims(Struct, frozen=True, kw_only=True):
    """Of an ID token whose signature, audience and nonce were checked."""

    issuer: str
    subject: str
    email: str = ""
    is_email_verified: bool = False
    groups: frozenset[str] = frozenset()
    """What the operator's claim for roles says."""


class Grant(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A role that a value of the operator's claim stands for."""

    value: str
    role: Role
    tenant: TenantId | None = None
    """None for the provider's."""

    @property
    def is_placed(self) -> bool:
        return (self.role is Role.PROVIDER) is (self.tenant is None)


def subject_of(claims: Claims) -> str:
    """By which the records know the person; of one length, however long the issuer and its subjects are."""
    written = f"{len(claims.issuer)}:{claims.issuer}{claims.subject}"
    return sha256(written.encode()).hexdigest()


def name_to_link(claims: Claims, *, links_by_name: bool) -> str | None:
    """The user name whose account may be linked to the person; None for none.

    `links_by_name` is the operator's setting. Addresses beyond ASCII link nothing: letters that look or fold
    alike would make one person another.
    """
    if not links_by_name or not claims.is_email_verified:
        return None
    return claims.email if claims.email and claims.email.isascii() else None


def role_granted(groups: Collection[str], grants: Iterable[Grant], tenant: TenantId | None) -> Role | None:
    """The highest role that a user of this tenant has by the claim; None for none, whatever the claim grants
    elsewhere: an account stays with its tenant."""
    roles = [one.role for one in grants if one.is_placed and one.tenant == tenant and one.value in groups]
    return reduce(_higher, roles) if roles else None


def _higher(one: Role, other: Role) -> Role:
    return other if is_at_most(one, other) else one
