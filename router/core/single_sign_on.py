"""What an identity provider says of somebody who signed in there (OpenID Connect), and whose account that is.

A person is known by issuer and subject together, the only claims that are promised to stay the same and to be
nobody else's (OpenID Connect Core 1.0, 5.7). An account takes such a person on at their first sign-in only
where the operator allows it: an e-mail address proves as much as the issuer's care in handing it out.
"""

from hashlib import sha256

from msgspec import Struct


class Claims(Struct, frozen=True, kw_only=True):
    """Of an ID token whose signature, audience and nonce were checked."""

    issuer: str
    subject: str
    email: str = ""
    is_email_verified: bool = False


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
