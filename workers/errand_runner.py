"""Errands: what a person asks of a CRM through a worker, done beside the look-ups and never in their slots.

A sign-in begins here and ends here: the verifier of PKCE and a device's code stay sealed in the store in
between, and the browser carries nothing but the state that names them.
"""

import asyncio
from collections.abc import Callable
from secrets import token_urlsafe
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from router.core.crm_states import SignIn, state_of
from router.core.errands import (
    AnyErrand,
    BeginSignIn,
    CheckConnection,
    ErrandFailed,
    Fields,
    FinishSignIn,
    ListFields,
    ListModules,
    Modules,
    Reply,
    SignInAwaited,
    SignInBegun,
    SignInDone,
    SignInState,
    TellSignIn,
    TryDraft,
    TryLookup,
)
from router.core.faults import MENDS, Fault
from router.settings.vault import Unsealable, Vault
from router.store.errors import StoreError
from router.store.seams import Errands, TakenErrand
from workers.abilities import Abilities
from workers.accounts import Subject
from workers.asking import Asker
from workers.catalogue import Catalogue, Found
from workers.connectors import oauth
from workers.connectors.steps import Grant, OAuthClient
from workers.crm_health import CrmHealth
from workers.errors import IntegrationUnusable, LookupFailed, LookupRefused
from workers.grants import Grants
from workers.secrets import Secret

log = structlog.get_logger(__name__)

TOGETHER_MOST = 8
PAUSE_SECONDS = 1.0
SIGN_IN_SECONDS = 600.0
TOKEN_SECONDS = 20.0
NO_BROWSER = "this integration needs nobody's sign-in: its settings have all that it takes"
NO_DEVICE = "this CRM has no sign-in on another device; leave that out and use a browser"
OLD_STATE = "this sign-in is over, or was never begun: begin it again"


class _Begun(Struct, frozen=True):
    """A sign-in under way, sealed in the store."""

    errand: BeginSignIn
    verifier: str = ""
    device_code: str = ""


class ErrandRunner:
    """`run` goes on until it is cancelled."""

    def __init__(
        self,
        errands: Errands,
        catalogue: Catalogue,
        abilities: Abilities,
        grants: Grants,
        asker: Asker,
        vault: Vault,
        health: CrmHealth,
    ) -> None:
        self._errands = errands
        self._catalogue = catalogue
        self._abilities = abilities
        self._grants = grants
        self._asker = asker
        self._vault = vault
        self._health = health
        self._places = asyncio.Semaphore(TOGETHER_MOST)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        is_lost = False
        try:
            while True:
                await self._places.acquire()
                taken: TakenErrand | None = None
                try:
                    taken = await self._errands.take()
                    is_lost = False
                except StoreError as error:
                    if not is_lost:
                        log.warning("errands.store_failing", problem=str(error)[:256])
                    is_lost = True
                    await asyncio.sleep(PAUSE_SECONDS)
                if taken is None:
                    self._places.release()
                    continue
                task = asyncio.create_task(self._do(taken), name=f"errand {taken.id}")
                self._tasks.add(task)
                task.add_done_callback(self._done)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._places.release()

    async def _do(self, taken: TakenErrand) -> None:
        errand = taken.errand
        named = {"tenant": errand.tenant, "integration": errand.integration, "errand": type(errand).__name__}
        try:
            async with asyncio.timeout(taken.seconds_left):
                reply = await self.reply(errand)
            await self._errands.reply(taken, reply)
            log.info("errand.done", reply=type(reply).__name__, **named)
        except (StoreError, TimeoutError) as error:
            log.warning("errand.lost", problem=str(error)[:256] or "nobody waits for it any more", **named)

    async def reply(self, errand: AnyErrand) -> Reply:
        """Never raises but for the store, and for its task's end."""
        try:
            return await self._answer(errand, self._found(errand))
        except IntegrationUnusable as unusable:
            return ErrandFailed(Fault.SETTINGS, unusable.problem, MENDS[Fault.SETTINGS])
        except LookupFailed as failed:
            return ErrandFailed(failed.fault, failed.problem, MENDS[failed.fault])
        except (StoreError, TimeoutError):
            raise
        except Exception as error:
            log.exception("errand.broken", error=type(error).__name__, tenant=errand.tenant)
            problem = "crmroute failed on this (a mistake of its own; the worker's log has it)"
            return ErrandFailed(Fault.ANSWER, problem)

    def _found(self, errand: AnyErrand) -> Found:
        """Raises IntegrationUnusable."""
        if isinstance(errand, TryDraft):
            return self._catalogue.drafted(errand)
        return self._catalogue.integration(errand.tenant, errand.integration, errand.rule)

    async def _answer(self, errand: AnyErrand, found: Found) -> Reply:
        subject = found.subject
        match errand:
            case CheckConnection():
                checked = await self._abilities.check(subject, errand)
                await self._health.note_test(found, errand, checked)
                return checked
            case ListModules():
                return Modules(await self._abilities.modules(subject))
            case ListFields():
                return Fields(errand.module, await self._abilities.fields(subject, errand.module))
            case TryLookup():
                tried = await self._abilities.try_lookup(subject, errand)
                await self._health.note_trial(found, tried.answer)
                return tried
            case TryDraft():
                return await self._abilities.try_job(subject, errand.job)
            case TellSignIn():
                return await self._tell(found)
            case BeginSignIn(redirect_uri=""):
                return await self._begin_on_device(errand, subject)
            case BeginSignIn():
                return await self._begin_in_browser(errand, subject)
            case FinishSignIn():
                return await self._finish(errand, found)

    async def _tell(self, found: Found) -> SignInState:
        subject = found.subject
        asked = await self._health.last(found)
        if not subject.signs_in:
            crm = state_of(SignIn(), asked)
            return SignInState(needs_sign_in=False, is_signed_in=True, crm=crm)
        state = await self._grants.state(subject.grant)
        make = subject.connector.oauth
        sign_in = SignIn(
            has_grant=state.has_grant,
            by_person=make is not None and make(subject.settings) is not None,
            problem=state.problem,
            fault=state.fault,
            problem_since_seconds=state.problem_since_seconds,
        )
        return SignInState(
            needs_sign_in=True,
            is_signed_in=state.has_grant and not state.problem,
            left_seconds=state.left_seconds,
            problem=state.problem,
            problem_age_seconds=state.problem_age_seconds,
            crm=state_of(sign_in, asked),
        )

    async def _begin_in_browser(self, errand: BeginSignIn, subject: Subject) -> SignInBegun:
        client = _client(subject)
        verifier = token_urlsafe(48)
        state = await self._keep(_Begun(errand, verifier=verifier), SIGN_IN_SECONDS)
        address = oauth.authorise_address(client, errand.redirect_uri, state, verifier)
        return SignInBegun(address, state, lives_seconds=SIGN_IN_SECONDS)

    async def _begin_on_device(self, errand: BeginSignIn, subject: Subject) -> SignInBegun:
        client = _client(subject)
        if not client.device_url:
            raise LookupRefused(NO_DEVICE, fault=Fault.SETTINGS)
        code = await self._asker.begin(TOKEN_SECONDS, 1).run(oauth.ask_device_code(client))
        state = await self._keep(_Begun(errand, device_code=code.device_code.reveal()), code.lives_seconds)
        return SignInBegun(code.address, state, code.user_code, code.every_seconds, code.lives_seconds)

    async def _finish(self, errand: FinishSignIn, found: Found) -> Reply:
        begun = await self._begun(errand)
        subject = found.subject
        client = _client(subject)
        asking = self._asker.begin(TOKEN_SECONDS, 1)
        try:
            if begun.device_code:
                grant = await asking.run(oauth.ask_device_token(client, Secret(begun.device_code)))
            else:
                redirect = begun.errand.redirect_uri
                grant = await asking.run(oauth.exchange(client, errand.code, redirect, begun.verifier))
        except LookupFailed as failed:
            failed.problem = asking.cleaned(failed.problem)
            raise
        if grant is None:
            return SignInAwaited()
        return await self._keep_grant(errand, found, grant)

    async def _keep_grant(self, errand: FinishSignIn, found: Found, grant: Grant) -> SignInDone:
        subject = found.subject
        await self._grants.put(subject.grant, grant)
        await self._errands.end_sign_in(errand.state)
        log.info("grant.signed_in_by_a_person", tenant=errand.tenant, integration=errand.integration)
        try:
            who = await self._abilities.who(subject) if subject.connector.check else ""
        except LookupFailed as failed:
            await self._health.note_sign_in(found, failed.problem)
            raise
        await self._health.note_sign_in(found)
        return SignInDone(who)

    async def _keep(self, begun: _Begun, seconds: float) -> str:
        state = token_urlsafe(24)
        sealed = self._vault.seal(msgspec.json.encode(begun), _place(begun.errand, state))
        await self._errands.keep_sign_in(state, sealed, seconds)
        return state

    async def _begun(self, errand: FinishSignIn) -> _Begun:
        """Bound to the tenant, the integration and the state. Raises LookupRefused."""
        sealed = await self._errands.kept_sign_in(errand.state)
        if sealed is None:
            raise LookupRefused(OLD_STATE, fault=Fault.SIGN_IN)
        try:
            raw = self._vault.unseal(sealed, _place(errand, errand.state))
        except Unsealable as error:
            raise LookupRefused(OLD_STATE, fault=Fault.SIGN_IN) from error
        return msgspec.json.decode(raw, type=_Begun)


def _client(subject: Subject) -> OAuthClient:
    make: Callable[[Any], OAuthClient | None] | None = subject.connector.oauth
    client = make(subject.settings) if make is not None else None
    if client is None:
        raise LookupRefused(NO_BROWSER, fault=Fault.SETTINGS)
    return client


def _place(errand: AnyErrand, state: str) -> str:
    return f"sign-in|{errand.tenant}|{errand.integration}|{errand.rule or ''}|{state}"
