"""What an identity provider says: its discovery, its keys, and the token that names a person.

Tokens are made with a key of the target's own, so that a token's claims are bent and its signature still
fits: what is behind the signature is read too.
"""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from router.admin.id_tokens import Expected, IdTokenRefused, claims_of, has_claim, keys_in, read_id_token
from router.admin.issuer import Discovered, IssuerRefused, IssuerUnavailable, _error_in, read_answer
from tests.fuzz.mutations import bend_json, bend_text, write_json
from tests.fuzz.targets import Target

NOW = 1_700_000_000.0
EXPECTED = Expected("https://login.example", "crmroute", "nonce-1", NOW)
CLAIMS: dict[str, Any] = {
    "iss": "https://login.example", "aud": "crmroute", "sub": "7", "nonce": "nonce-1", "exp": int(NOW) + 300,
    "iat": int(NOW), "email": "jane@example.com", "email_verified": True, "groups": ["admins"],
    "realm_access": {"roles": ["admin"]}, "azp": "crmroute",
}  # fmt: skip


@cache
def _key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "k1", "use": "sig"})


def read_claims(data: bytes) -> None:
    """The input is a token's claims, and is signed."""
    try:
        claims = json.loads(data)
        token = jwt.encode({"alg": "ES256", "kid": "k1"}, claims, _key())
    except Exception:
        return  # no issuer can sign it
    _read(token)


def read_token(data: bytes) -> None:
    _read(data.decode("utf-8", "replace"))


def _read(token: str) -> None:
    try:
        said = read_id_token(token, keys_in({"keys": [_key().as_dict(private=False)]}), EXPECTED)
    except IdTokenRefused:
        return
    for name in ("groups", "realm_access.roles", "email"):
        claims = claims_of(said, name)
        assert isinstance(claims.subject, str)
        assert claims.subject
        assert isinstance(claims.issuer, str)
        has_claim(said, name)


def read_documents(data: bytes) -> None:
    _error_in(data)
    for shape in (Discovered, dict[str, Any]):
        try:
            found = read_answer("GET https://login.example", data, shape)
        except (IssuerUnavailable, IssuerRefused):
            continue
        if isinstance(found, dict):
            keys_in(found)


def _documents() -> Sequence[bytes]:
    discovery = {
        "issuer": "https://login.example",
        "authorization_endpoint": "https://login.example/a",
        "token_endpoint": "https://login.example/t",
        "jwks_uri": "https://login.example/k",
    }
    keys = {"keys": [_key().as_dict(private=False), {"kty": "RSA", "n": "AQAB", "e": "AQAB"}, {"kty": "oct"}]}
    return [write_json(one) for one in (discovery, keys, {"error": "invalid_grant"})]


def _tokens() -> Sequence[bytes]:
    good = jwt.encode({"alg": "ES256", "kid": "k1"}, CLAIMS, _key())
    return [good.encode(), b"a.b.c", b"..", b"eyJhbGciOiJub25lIn0.e30."]


TARGETS = (
    Target(
        "sso-claims", "an ID token's claims", read_claims, lambda: [write_json(CLAIMS)], bend_json, 20_000
    ),
    Target("sso-token", "an ID token", read_token, _tokens, bend_text, 20_000),
    Target("sso-documents", "an issuer's documents", read_documents, _documents, bend_json, 60_000),
)
