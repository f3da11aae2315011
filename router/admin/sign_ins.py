"""A person's sign-in at a CRM, for the page and the API: begun here, ended where the browser comes back.

There is one address for the way back, for every tenant and every CRM, so that it is registered with a CRM
once. The state that the browser brings is bound to who began: on a page to the very session, by the API to
the user, or the token's maker. It serves once, and whoever else brings it has spent it.

A worker holds the rest (`workers.errand_runner`): the verifier of PKCE, the client's secret, the token.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from router.admin.api.problems import ApiError
from router.admin.identity import Identity
from router.admin.site import Site
from router.core.errands import BeginSignIn, ErrandFailed, FinishSignIn, Reply, SignInBegun, SignInDone
from router.core.faults import MENDS, Fault
from router.core.identities import IntegrationName, TenantId
from router.core.roles import Permission
from router.records import audit
from router.records.audit import Deed
from router.settings.vault import Unsealable

RETURN_PATH = "/integration/return"
SECONDS = 25.0
STATE = re.compile(r"[A-Za-z0-9_-]{16,100}")
CODE_CHARACTERS_MOST = 4_000
SAID_CHARACTERS_MOST = 200
NOBODYS = "this token is bound to no user, so nobody could come back from the CRM: make a new one"
NO_WEB_PAGE = "the CRM's sign-in is at no web address"


class SignInForeign(Exception):
    """Nobody began this here, or somebody else did, or it is over."""


class Returned(Struct, frozen=True):
    """A browser that came back to whoever sent it."""

    tenant: TenantId
    integration: IntegrationName
    reply: Reply | None = None
    """A worker's; None when none answered, and when the CRM itself refused."""
    error: str = ""
    """The CRM's name for its refusal (RFC 6749, section 4.1.2.1)."""
    said: str = ""
    """The CRM's own words for it."""

    @property
    def is_signed_in(self) -> bool:
        return isinstance(self.reply, SignInDone)


class _Bound(Struct, frozen=True):
    """Who may come back. `session` is empty for any session of that user."""

    tenant: TenantId
    integration: IntegrationName
    user: int
    session: str


def return_address(site: Site) -> str:
    return f"{site.settings.admin.base_url.rstrip('/')}{RETURN_PATH}"


async def begin(
    site: Site, identity: Identity, tenant: TenantId, integration: IntegrationName, *, on_device: bool = False
) -> Reply | None:
    """None when no worker answered. Raises ApiError, StoreError, NotAllowed."""
    identity.require(Permission.CONNECT, tenant)
    user = identity.user or identity.maker
    if user is None:
        raise ApiError(403, "not-allowed", NOBODYS)
    redirect = "" if on_device else return_address(site)
    errand = BeginSignIn(tenant=tenant, integration=integration, redirect_uri=redirect)
    reply = await site.store.errands.run(errand, SECONDS)
    if not isinstance(reply, SignInBegun):
        return reply
    if not _is_web_address(reply.address):
        return ErrandFailed(Fault.SETTINGS, NO_WEB_PAGE, MENDS[Fault.SETTINGS])
    if not on_device:
        bound = _Bound(tenant, integration, user, identity.session)
        sealed = site.vault.seal(msgspec.json.encode(bound), _key(reply.state))
        await site.store.errands.keep_sign_in(_key(reply.state), sealed, reply.lives_seconds)
    return reply


async def come_back(site: Site, identity: Identity, query: Mapping[str, str]) -> Returned:
    """What became of it. Raises SignInForeign, StoreError, NotAllowed, NotFound."""
    state = query.get("state", "")
    bound = await _bound(site, state)
    is_theirs = bound.user == identity.user and bound.session in ("", identity.session)
    if not is_theirs:
        raise SignInForeign
    identity.require(Permission.CONNECT, bound.tenant)
    returned = Returned(bound.tenant, bound.integration)
    code = query.get("code", "")
    if not code or "error" in query or len(code) > CODE_CHARACTERS_MOST:
        await site.store.errands.end_sign_in(state)
        error, said = query.get("error", "no_code"), query.get("error_description", "")
        return msgspec.structs.replace(returned, error=_plain(error), said=_plain(said))
    errand = FinishSignIn(tenant=bound.tenant, integration=bound.integration, state=state, code=code)
    return msgspec.structs.replace(returned, reply=await _finish(site, identity, errand))


async def ask_device(
    site: Site, identity: Identity, tenant: TenantId, integration: IntegrationName, state: str
) -> Reply | None:
    """Whether the person on the other device is done. Raises StoreError, NotAllowed."""
    identity.require(Permission.CONNECT, tenant)
    if STATE.fullmatch(state) is None:
        raise SignInForeign
    return await _finish(
        site, identity, FinishSignIn(tenant=tenant, integration=integration, state=state, code="")
    )


async def _finish(site: Site, identity: Identity, errand: FinishSignIn) -> Reply | None:
    reply = await site.store.errands.run(errand, SECONDS)
    if isinstance(reply, SignInDone):
        deed = Deed(action="sign in to", kind="integration", name=errand.integration, after=reply.who or None)
        async with site.database.writing() as connection:
            await audit.note(connection, site.clock(), identity.actor, errand.tenant, deed)
    return reply


async def _bound(site: Site, state: str) -> _Bound:
    if STATE.fullmatch(state) is None:
        raise SignInForeign
    sealed = await site.store.errands.take_sign_in(_key(state))
    if sealed is None:
        raise SignInForeign
    try:
        return msgspec.json.decode(site.vault.unseal(sealed, _key(state)), type=_Bound)
    except (Unsealable, msgspec.MsgspecError) as error:
        raise SignInForeign from error


def _key(state: str) -> str:
    """Beside what the worker keeps under the state itself."""
    return f"return|{state}"


def _is_web_address(address: str) -> bool:
    """What the pages make a link of: the settings of a tenant lead there."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme.lower() in ("https", "http") and bool(parts.hostname)


def _plain(told: str) -> str:
    return "".join(sign for sign in told if sign.isprintable())[:SAID_CHARACTERS_MOST].strip()
