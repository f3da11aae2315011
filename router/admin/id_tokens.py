"""Whether an ID token is the identity provider's own, for us, fresh, and of this very sign-in.

What is checked is OpenID Connect Core 1.0, 3.1.3.7: the signature by a key that the issuer publishes, with
an algorithm whose keys are public (neither `none`, nor an HMAC with a key that strangers have), the issuer,
the audience, the times, and the nonce. Nothing in it is believed before that.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from joserfc.jws import extract_compact
from msgspec import Struct

from router.core.single_sign_on import Claims

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
LEEWAY_SECONDS = 60
"""Between the issuer's clock and ours."""
LONGEST_SUBJECT = 255
"""Core 1.0, 2."""
KEYS_MOST = 50
GROUPS_MOST = 1_000

Key = RSAKey | ECKey | OKPKey


class IdTokenRefused(Exception):
    """It proves nothing; the message is for the log, and holds nothing of the token."""


class KeyUnknown(IdTokenRefused):
    """No key that is known has this name: the issuer may have a new one."""


class Expected(Struct, frozen=True):
    issuer: str
    client_id: str
    nonce: str
    now: float


def keys_in(document: Mapping[str, Any]) -> tuple[Key, ...]:
    """Of a JWK set; what is no key for signatures that we know is passed over."""
    listed = document.get("keys")
    return tuple(_keys(listed[:KEYS_MOST])) if isinstance(listed, list) else ()


def _keys(listed: Sequence[Any]) -> Iterator[Key]:
    for one in listed:
        if not isinstance(one, dict) or one.get("use", "sig") != "sig":
            continue
        try:
            (key,) = KeySet.import_key_set({"keys": [one]}).keys
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, RSAKey | ECKey | OKPKey):
            yield key


def read_id_token(text: str, keys: Sequence[Key], expected: Expected) -> dict[str, Any]:
    """Its claims. Raises IdTokenRefused, KeyUnknown."""
    claims = _signed(text, keys)
    registry = jwt.JWTClaimsRegistry(
        now=int(expected.now),
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": expected.issuer},
        aud={"essential": True, "value": expected.client_id},
        nonce={"essential": True, "value": expected.nonce},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        registry.validate(claims)
    except JoseError as error:
        claim = getattr(error, "claim", "")
        raise IdTokenRefused(f"its claim {claim} is wrong: {type(error).__name__}") from None
    audience, party = claims["aud"], claims.get("azp")
    is_for_several = isinstance(audience, list) and len(audience) > 1
    if party != expected.client_id and (is_for_several or party is not None):
        raise IdTokenRefused("its claim azp is wrong: it was given to another client")
    if not 0 < len(claims["sub"]) <= LONGEST_SUBJECT:
        raise IdTokenRefused("its claim sub is wrong: it is empty or too long")
    return claims


def _signed(text: str, keys: Sequence[Key]) -> dict[str, Any]:
    """The claims of a token that one of the keys has signed."""
    try:
        header = extract_compact(text.encode()).headers()
    except (JoseError, ValueError, TypeError, AttributeError):
        raise IdTokenRefused("it is no signed token") from None
    if header.get("alg") not in ALGORITHMS:
        raise IdTokenRefused("its algorithm is not one that is taken")
    name = header.get("kid")
    candidates = [key for key in keys if name is None or key.kid == name]
    if not candidates:
        raise KeyUnknown("no key of the issuer has its name")
    for key in candidates:
        try:
            return dict(jwt.decode(text, key, algorithms=list(ALGORITHMS)).claims)
        except (JoseError, ValueError, TypeError):
            continue  # another key's signature, or a key of another kind than the algorithm's
    raise IdTokenRefused("its signature is wrong")


def claims_of(said: Mapping[str, Any], roles_claim: str) -> Claims:
    """What of it counts. Only a plain `true` says that an address is verified."""
    email = said.get("email")
    return Claims(
        issuer=said["iss"],
        subject=said["sub"],
        email=email if isinstance(email, str) else "",
        is_email_verified=said.get("email_verified") is True,
        groups=_groups(said, roles_claim),
    )


def has_claim(said: Mapping[str, Any], name: str) -> bool:
    return _value(said, name) is not None


def _groups(said: Mapping[str, Any], name: str) -> frozenset[str]:
    value = _value(said, name) if name else None
    listed = value if isinstance(value, list) else [value]
    return frozenset(one for one in listed[:GROUPS_MOST] if isinstance(one, str))


def _value(said: Mapping[str, Any], name: str) -> Any:
    """By its whole name, else step by step where dots part it: a claim's name may be an address with dots."""
    if name in said:
        return said[name]
    value: Any = said
    for step in name.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value
