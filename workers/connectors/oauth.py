"""OAuth 2 as connectors need it: the requests for tokens, as steps; RFC 6749, RFC 7636 and RFC 8628.

Authlib makes the addresses that a person opens and the challenge of PKCE; what crosses the wire are requests
like any other, so that the one HTTP client sends them with its limits and its care for addresses.
"""

from typing import Any

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from msgspec import Struct

from router.core.faults import Fault
from workers.connectors.addresses import parts_of
from workers.connectors.answers import error_object, one_line, refusal
from workers.connectors.steps import Basic, Grant, OAuthClient, Pairs, Request, Response, Steps
from workers.errors import LookupRefused, LookupUnavailable, SignInNeeded
from workers.secrets import Secret

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
DEAD_GRANTS = frozenset(
    {"invalid_grant", "invalid_code", "invalid_token", "BAD_REFRESH_TOKEN", "unauthorized_client"}
)
"""Errors of a token endpoint after which only a person can help, when a refresh token was shown."""
NOT_YET = frozenset({"authorization_pending", "slow_down"})


class DeviceCode(Struct, frozen=True):
    """What a person keys on another device, and where."""

    device_code: Secret
    user_code: str
    address: str
    every_seconds: float
    lives_seconds: float


def authorise_address(client: OAuthClient, redirect_uri: str, state: str, verifier: str) -> str:
    """The page that a person opens to sign in and consent."""
    extra = dict(client.authorize_extra)
    if client.has_pkce:
        extra |= {"code_challenge": create_s256_code_challenge(verifier), "code_challenge_method": "S256"}
    address: str = prepare_grant_uri(
        client.authorize_url, client.client_id, "code", redirect_uri, client.scope or None, state, **extra
    )
    return address


def exchange(client: OAuthClient, code: str, redirect_uri: str, verifier: str) -> Steps[Grant]:
    """The grant that a code from the browser stands for."""
    form: Pairs = (("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri))
    if client.has_pkce:
        form = (*form, ("code_verifier", verifier))
    response = yield token_request(client, form, secrets=(Secret(code), Secret(verifier)))
    return read_grant(client, response, None)


def refresh(client: OAuthClient, former: Grant | None) -> Steps[Grant]:
    """A new token by the former grant's refresh token. Raises SignInNeeded when it is dead."""
    if former is None or not former.refresh_token:
        raise SignInNeeded("nobody has signed in to the CRM yet")
    token = former.refresh_token
    form: Pairs = (("grant_type", "refresh_token"), ("refresh_token", token.reveal()))
    response = yield token_request(client, form, secrets=(token,))
    return read_grant(client, response, former)


def client_credentials(client: OAuthClient) -> Steps[Grant]:
    """A token for the client itself."""
    form: Pairs = (("grant_type", "client_credentials"),)
    if client.scope:
        form = (*form, ("scope", client.scope))
    response = yield token_request(client, form)
    return read_grant(client, response, None)


def password(client: OAuthClient, username: str, secret: Secret) -> Steps[Grant]:
    """A token by a user's own password, where a CRM still takes it."""
    form: Pairs = (("grant_type", "password"), ("username", username), ("password", secret.reveal()))
    if client.scope:
        form = (*form, ("scope", client.scope))
    response = yield token_request(client, form, secrets=(secret,))
    return read_grant(client, response, None)


def ask_device_code(client: OAuthClient) -> Steps[DeviceCode]:
    """A code for another device (RFC 8628, section 3.1)."""
    form: Pairs = (("client_id", client.client_id), ("scope", client.scope))
    response = yield Request(name="device", method="POST", url=client.device_url, form=form)
    body = error_object(response)
    if response.status != 200 or not body.get("device_code"):
        raise token_refusal(response, body)
    address = (
        body.get("verification_uri_complete") or body.get("verification_uri") or body.get("verification_url")
    )
    return DeviceCode(
        device_code=Secret(str(body["device_code"])),
        user_code=one_line(str(body.get("user_code", "")), 40),
        address=one_line(str(address or ""), 500),
        every_seconds=_seconds(body.get("interval")) or 5.0,
        lives_seconds=_seconds(body.get("expires_in")) or 600.0,
    )


def ask_device_token(client: OAuthClient, code: Secret) -> Steps[Grant | None]:
    """The grant, or None while the person has not finished (RFC 8628, section 3.4)."""
    form: Pairs = (("grant_type", DEVICE_GRANT), ("device_code", code.reveal()))
    response = yield token_request(client, form, secrets=(code,))
    if error_object(response).get("error") in NOT_YET:
        return None
    return read_grant(client, response, None)


def token_request(client: OAuthClient, form: Pairs, secrets: tuple[Secret, ...] = ()) -> Request:
    """A request to the token endpoint: it is answered once, so it is never sent again by itself."""
    credentials: Pairs = (("client_id", client.client_id),)
    if client.client_secret and client.client_auth != "basic":
        credentials = (*credentials, ("client_secret", client.client_secret.reveal()))
    is_basic = client.client_auth == "basic" and bool(client.client_secret)
    pairs = (*form, *(() if is_basic else credentials), *client.token_extra)
    is_json = client.client_auth == "json"
    return Request(
        name="token",
        method="POST",
        url=client.token_url,
        form=None if is_json else pairs,
        json=dict((*pairs, *client.token_numbers)) if is_json else None,
        auth=Basic(client.client_id, client.client_secret) if is_basic else None,
        masked=frozenset(
            {"client_secret", "refresh_token", "password", "code", "code_verifier", "device_code"}
        ),
        secrets=(client.client_secret, *secrets),
        final_statuses=client.final_statuses,
        # A refresh token that rotates is spent by the first attempt, whether its answer arrives or not.
        writes=True,
    )


def read_grant(client: OAuthClient, response: Response, former: Grant | None) -> Grant:
    """The grant of a token answer; an error is told apart by the body, for some CRMs answer it with 200."""
    body = error_object(response)
    if not 200 <= response.status < 300 or not isinstance(body.get("access_token"), str):
        raise token_refusal(response, body, is_refresh=former is not None)
    if client.read_grant is not None:
        return client.read_grant(body, former)
    return plain_grant(body, former)


def plain_grant(
    body: dict[str, Any], former: Grant | None, *, base_url: str = "", facts: dict[str, str] | None = None
) -> Grant:
    """A grant as RFC 6749 has it. A refresh that brings no new refresh token leaves the former one."""
    new = body.get("refresh_token")
    kept = former.refresh_token if former else Secret()
    return Grant(
        token=Secret(str(body["access_token"])),
        base_url=base_url or (former.base_url if former else ""),
        refresh_token=Secret(new) if isinstance(new, str) and new else kept,
        lives_seconds=_seconds(body.get("expires_in")),
        facts={**(former.facts if former else {}), **(facts or {})},
    )


def token_refusal(
    response: Response, body: dict[str, Any], *, is_refresh: bool = False
) -> LookupRefused | LookupUnavailable:
    """What a token endpoint's error means. Its words may hold a password: only the error's name is told."""
    error = body.get("error") or body.get("errorCode") or body.get("category") or body.get("status")
    named = one_line(str(error), 60) if isinstance(error, str) else ""
    if is_refresh and named in DEAD_GRANTS:
        return SignInNeeded(f"the CRM no longer takes the sign-in ({named})")
    if named:
        return LookupRefused(f"the CRM did not give a token: {named}", fault=Fault.CREDENTIALS)
    return refusal(response, said="")


def trusted_base(address: str, configured: str, suffixes: tuple[str, ...] = ()) -> str:
    """An address that a sign-in's answer named, without the slash at its end.

    It is the configured host's, or of the vendor's own domain: a token is shown to nobody else. Raises
    LookupRefused.
    """
    named, known = parts_of(address), parts_of(configured)
    host = (named.hostname or "").lower()
    is_ours = (named.scheme, named.netloc) == (known.scheme, known.netloc)
    is_vendors = named.scheme == "https" and any(host.endswith(f".{suffix}") for suffix in suffixes)
    if not (is_ours or is_vendors) or named.username or named.query or named.fragment:
        raise LookupRefused(
            f"the CRM's sign-in leads to {one_line(named.netloc, 80) or 'nowhere'}, which is not its own",
            fault=Fault.ADDRESS,
        )
    return address.rstrip("/")


def _seconds(raw: Any) -> float | None:
    """RFC 6749 has a number; some CRMs write it as a text."""
    try:
        seconds = float(raw)
    except (TypeError, ValueError):
        return None
    return seconds if 0 < seconds < 1e10 else None
