"""Grants: signed in once for all workers, renewed ahead of their end, and never lost.

Where a grant is: in this process' memory while it is fresh; sealed in the store for every worker; and, when
it has a refresh token, sealed in a file of the worker that got it, because a refresh token that rotates
exists nowhere else when the store is emptied.

Who signs in: one task of one worker. Look-ups of a process wait for the same task, and workers for the same
lock in the store. The task does not end with the look-up that began it: a refresh token that is spent and
whose successor is dropped would lock the tenant out.

When: before the token's end (a fifth of its life, five minutes at the most), in the background, while the
former token still serves; at once when there is none, or when the CRM refused the one there is.

A sign-in that was refused is not tried again for half a minute by anybody, for a CRM locks accounts.
"""

import asyncio
from collections.abc import Callable
from secrets import token_hex
from typing import Any

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from router.core.faults import Fault
from router.core.identities import IntegrationName, RuleName, TenantId
from router.core.plans import digest_of
from router.settings.vault import Unsealable, Vault
from router.store.errors import StoreError
from router.store.seams import GrantStore, StoredGrant
from workers.asking import Asker
from workers.connectors.steps import NO_GRANT, Connector, Grant
from workers.errors import (
    GrantExpired,
    LookupFailed,
    LookupRefused,
    LookupUnavailable,
    SignInNeeded,
)
from workers.grant_files import GrantFiles
from workers.secrets import Secret

log = structlog.get_logger(__name__)

SIGN_IN_SECONDS = 20.0
SIGN_IN_ATTEMPTS = 3
LOCK_SECONDS = 30.0
SAVING_SECONDS = 60.0
"""How long a new grant is offered to a store that is away."""
PAUSE_SECONDS = 0.1
REFUSED_SECONDS = 30.0
NEEDED_SECONDS = 300.0
"""After a dead refresh token: nothing but a person helps, and their sign-in is noticed at once."""
AHEAD_SHARE = 0.2
AHEAD_MOST_SECONDS = 300.0
LAST_SECONDS = 5.0
"""Of a token's life, in which it is no longer shown: the request takes time, too."""
FOR_EVER = float("inf")
KEPT_MOST = 20_000


class GrantName(Struct, frozen=True):
    """Whose grant it is: an integration's, or that of a rule with a user of its own."""

    tenant: TenantId
    integration: IntegrationName
    rule: RuleName | None
    identity: str
    """A digest of who signs in where: a grant of another identity is not used."""

    @property
    def key(self) -> str:
        return digest_of(self.integration, self.rule)

    @property
    def place(self) -> str:
        """What the sealed grant is bound to."""
        return f"{self.tenant}|{self.key}"


class Held(Struct, frozen=True):
    """A grant in hand. The moments are of the event loop's clock."""

    grant: Grant
    serial: int
    fresh_until: float = FOR_EVER
    live_until: float = FOR_EVER

    def __repr__(self) -> str:
        return f"Held({self.serial})"


class GrantState(Struct, frozen=True):
    """What an admin may know of a grant."""

    has_grant: bool
    left_seconds: float | None = None
    problem: str = ""
    fault: Fault | None = None
    problem_age_seconds: float = 0.0
    problem_since_seconds: float = 0.0


class _Packed(Struct, frozen=True, omit_defaults=True):
    """A grant as it is sealed."""

    identity: str
    token: str
    base_url: str = ""
    refresh_token: str = ""
    lives_seconds: float | None = None
    facts: dict[str, str] = {}


class Grants:
    """`clock` gives seconds, monotonic, and is the event loop's unless a test says otherwise."""

    def __init__(
        self,
        store: GrantStore,
        vault: Vault,
        asker: Asker,
        files: GrantFiles | None = None,
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._store = store
        self._vault = vault
        self._asker = asker
        self._files = files
        self._clock = clock
        self._holder = token_hex(8)
        self._held: dict[GrantName, Held] = {}
        self._tasks: dict[GrantName, asyncio.Task[Held]] = {}

    async def current(
        self, name: GrantName, connector: Connector[Any], settings: Any, *, in_spite_of_problem: bool = False
    ) -> Held:
        """A grant to ask with. Raises LookupFailed.

        `in_spite_of_problem` tries a sign-in that was refused a moment ago: a person has asked for it.
        """
        held, now = self._held.get(name), self._now()
        if held is not None and now < held.fresh_until:
            return held
        if held is not None and now < held.live_until:
            self._begin(name, connector, settings, ahead_of=held)
            return held
        return await asyncio.shield(self._begin(name, connector, settings, is_patient=in_spite_of_problem))

    async def renewed(self, name: GrantName, connector: Connector[Any], settings: Any, refused: Held) -> Held:
        """Another grant than the one that the CRM refused. Raises LookupFailed."""
        if self._held.get(name) == refused:
            del self._held[name]
        return await asyncio.shield(self._begin(name, connector, settings, refused=refused.serial))

    async def put(self, name: GrantName, grant: Grant) -> Held:
        """Keep what a person's sign-in brought. Raises StoreError."""
        stored = await self._store.read(name.tenant, name.key)
        return await self._keep(name, grant, (stored.serial if stored else 0) + 1)

    async def state(self, name: GrantName) -> GrantState:
        """Raises StoreError."""
        stored = await self._store.read(name.tenant, name.key)
        if stored is None:
            return GrantState(has_grant=False)
        identity, _, rest = stored.problem.partition("|")
        is_ours = identity == name.identity and bool(rest)
        fault, _, problem = rest.partition("|")
        return GrantState(
            has_grant=self._unpacked(name, stored) is not None,
            left_seconds=stored.left_seconds,
            problem=problem if is_ours else "",
            fault=_fault(fault) if is_ours else None,
            problem_age_seconds=stored.problem_age_seconds if is_ours else 0.0,
            problem_since_seconds=stored.problem_since_seconds if is_ours else 0.0,
        )

    async def aclose(self) -> None:
        """Sign-ins under way are finished: what they bring may be the only one of its kind."""
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=SIGN_IN_SECONDS)

    def _begin(
        self,
        name: GrantName,
        connector: Connector[Any],
        settings: Any,
        *,
        refused: int = 0,
        ahead_of: Held | None = None,
        is_patient: bool = False,
    ) -> "asyncio.Task[Held]":
        task = self._tasks.get(name)
        if task is None:
            work = self._obtain(name, connector, settings, refused, ahead_of, is_patient)
            task = self._tasks[name] = asyncio.create_task(work, name=f"grant {name.integration}")
            task.add_done_callback(lambda done: self._ended(name, done))
        return task

    def _ended(self, name: GrantName, task: "asyncio.Task[Held]") -> None:
        self._tasks.pop(name, None)
        if not task.cancelled() and task.exception() is not None:
            log.warning(
                "grant.failed",
                tenant=name.tenant,
                integration=name.integration,
                problem=str(task.exception()),
            )

    async def _obtain(
        self,
        name: GrantName,
        connector: Connector[Any],
        settings: Any,
        refused: int,
        ahead_of: Held | None,
        is_patient: bool,
    ) -> Held:
        try:
            async with asyncio.timeout(SIGN_IN_SECONDS + LOCK_SECONDS):
                while True:
                    stored = await self._store.read(name.tenant, name.key)
                    held = self._usable(name, stored, refused, ahead_of)
                    if held is not None:
                        return held
                    if stored is not None and not is_patient:
                        _raise_if_refused_lately(name, stored)
                    if await self._store.begin(name.tenant, name.key, self._holder, LOCK_SECONDS):
                        return await self._as_the_one(name, connector, settings, refused, ahead_of)
                    if ahead_of is not None:
                        return ahead_of
                    await asyncio.sleep(PAUSE_SECONDS)
        except StoreError as error:
            raise LookupUnavailable("the sign-in cannot be read, for the store is away") from error
        except TimeoutError as error:
            raise LookupUnavailable("signing in to the CRM took too long", fault=Fault.TIMEOUT) from error

    async def _as_the_one(
        self, name: GrantName, connector: Connector[Any], settings: Any, refused: int, ahead_of: Held | None
    ) -> Held:
        """With the lock in hand."""
        try:
            stored = await self._store.read(name.tenant, name.key)
            held = self._usable(name, stored, refused, ahead_of)
            if held is not None:
                return held
            former, serial = await self._former(name, stored)
            grant = await self._signed_in(name, connector, settings, former)
            return await self._keep(name, grant, serial + 1)
        finally:
            try:
                await self._store.end(name.tenant, name.key, self._holder)
            except StoreError as error:
                log.warning("grant.lock_left", tenant=name.tenant, problem=str(error))

    async def _signed_in(
        self, name: GrantName, connector: Connector[Any], settings: Any, former: Grant | None
    ) -> Grant:
        if connector.sign_in is None:
            raise LookupRefused("this connector has no sign-in", fault=Fault.SETTINGS)
        asking = self._asker.begin(SIGN_IN_SECONDS, SIGN_IN_ATTEMPTS)
        try:
            grant = await asking.run(connector.sign_in(settings, former))
        except LookupUnavailable as error:
            raise LookupUnavailable(
                f"signing in: {asking.cleaned(error.problem)}", error.retry_after_seconds, fault=error.fault
            ) from error
        except LookupFailed as error:
            problem = f"signing in: {asking.cleaned(error.problem)}"
            fault = Fault.CREDENTIALS if isinstance(error, GrantExpired) else error.fault
            await self._store.note_problem(name.tenant, name.key, f"{name.identity}|{fault}|{problem}")
            raise _refusal(problem, fault) from error
        log.info("grant.signed_in", tenant=name.tenant, integration=name.integration)
        return grant

    async def _former(self, name: GrantName, stored: StoredGrant | None) -> tuple[Grant | None, int]:
        """The newest grant that there is, usable or not, and its serial."""
        serial = stored.serial if stored else 0
        grant = self._unpacked(name, stored) if stored else None
        if self._files is None:
            return grant, serial
        filed = await self._files.read(name.tenant, name.key)
        if filed is None or filed.serial <= serial:
            return grant, serial
        log.warning("grant.from_file", tenant=name.tenant, integration=name.integration)
        return self._unpacked(name, filed) or grant, filed.serial

    async def _keep(self, name: GrantName, grant: Grant, serial: int) -> Held:
        """Kept before it is used; where the store stays away, the file has it."""
        sealed = self._vault.seal(_pack(name, grant), name.place)
        if self._files is not None and grant.refresh_token:
            await self._files.write(name.tenant, name.key, sealed, serial)
        give_up_at = self._now() + SAVING_SECONDS
        while True:
            try:
                await self._store.write(name.tenant, name.key, sealed, serial, grant.lives_seconds)
                break
            except StoreError as error:
                if self._now() > give_up_at:
                    log.error(
                        "grant.not_stored",
                        tenant=name.tenant,
                        integration=name.integration,
                        problem=str(error),
                    )
                    break
                await asyncio.sleep(PAUSE_SECONDS)
        return self._hold(name, grant, serial, grant.lives_seconds)

    def _usable(
        self, name: GrantName, stored: StoredGrant | None, refused: int, ahead_of: Held | None
    ) -> Held | None:
        """The stored grant, when it is another one than that which is to be replaced, and lives."""
        least = max(refused, ahead_of.serial if ahead_of else 0)
        if stored is None or stored.serial <= least:
            return None
        grant = self._unpacked(name, stored)
        if grant is None or not grant.token:
            return None
        held = self._hold(name, grant, stored.serial, stored.left_seconds)
        return held if self._now() < held.live_until else None

    def _hold(self, name: GrantName, grant: Grant, serial: int, left_seconds: float | None) -> Held:
        held = Held(grant, serial)
        if left_seconds is not None:
            lives = grant.lives_seconds or left_seconds
            ahead = min(lives * AHEAD_SHARE, AHEAD_MOST_SECONDS)
            live_until = self._now() + left_seconds - min(LAST_SECONDS, lives * AHEAD_SHARE / 2)
            held = replace(held, fresh_until=self._now() + left_seconds - ahead, live_until=live_until)
        if len(self._held) >= KEPT_MOST:
            self._held.clear()
        self._held[name] = held
        return held

    def _unpacked(self, name: GrantName, stored: StoredGrant) -> Grant | None:
        """None for a grant of another identity, and for one that cannot be read: it is signed in anew."""
        if not stored.sealed:
            return None
        try:
            packed = msgspec.json.decode(self._vault.unseal(stored.sealed, name.place), type=_Packed)
        except (Unsealable, msgspec.MsgspecError) as error:
            log.error(
                "grant.unreadable", tenant=name.tenant, integration=name.integration, problem=str(error)[:200]
            )
            return None
        if packed.identity != name.identity:
            return None
        return replace(
            NO_GRANT,
            token=Secret(packed.token),
            base_url=packed.base_url,
            refresh_token=Secret(packed.refresh_token),
            lives_seconds=packed.lives_seconds,
            facts=packed.facts,
        )

    def _now(self) -> float:
        return (self._clock or asyncio.get_running_loop().time)()


def _pack(name: GrantName, grant: Grant) -> bytes:
    return msgspec.json.encode(
        _Packed(
            identity=name.identity,
            token=grant.token.reveal(),
            base_url=grant.base_url,
            refresh_token=grant.refresh_token.reveal(),
            lives_seconds=grant.lives_seconds,
            facts=grant.facts,
        )
    )


def _raise_if_refused_lately(name: GrantName, stored: StoredGrant) -> None:
    identity, _, rest = stored.problem.partition("|")
    if not rest or identity != name.identity:
        return
    fault_name, _, problem = rest.partition("|")
    fault = _fault(fault_name)
    kept_seconds = NEEDED_SECONDS if fault is Fault.SIGN_IN else REFUSED_SECONDS
    if stored.problem_age_seconds < kept_seconds:
        raise _refusal(problem, fault)


def _fault(name: str) -> Fault:
    return Fault(name) if name in set(Fault) else Fault.CREDENTIALS


def _refusal(problem: str, fault: Fault) -> LookupRefused:
    return SignInNeeded(problem) if fault is Fault.SIGN_IN else LookupRefused(problem, fault=fault)
