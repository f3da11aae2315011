"""Grants on virtual time: who signs in, when, and that no refresh token is ever lost."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from router.core.faults import Fault
from router.settings.vault import Vault
from router.store.errors import StoreUnavailable
from router.store.memory import MemoryStore
from tests.workers.makers import ACME, CRM, asker, json, text
from workers.connectors.steps import Connector, Findings, Grant, Request, Response, Steps
from workers.errors import LookupFailed, LookupRefused, LookupUnavailable, SignInNeeded
from workers.grant_files import GrantFiles
from workers.grants import LOCK_SECONDS, GrantName, Grants, Held
from workers.secrets import Secret

NAME = GrantName(ACME, CRM, None, "identity-1")
KEY = "a key of the tests, long enough to be one"
LIVES = 1000.0


class TokenCrm:
    """A token endpoint whose refresh tokens rotate: each serves once, and a second use is counted."""

    def __init__(self) -> None:
        self.sign_ins = 0
        self.takes = 0.0
        self.lives: float | None = LIVES
        self.answers: list[Response] = []
        """Given before anything else."""
        self.current = "rt-0"
        self.reused = 0

    async def send(self, request: Request, seconds: float) -> Response:
        await asyncio.sleep(self.takes)
        self.sign_ins += 1
        if self.answers:
            return self.answers.pop(0)
        shown = dict(request.form or ()).get("refresh_token")
        if shown is not None and shown != self.current:
            self.reused += 1
            return json('{"error": "invalid_grant"}', 400)
        self.current = f"rt-{self.sign_ins}"
        return json(f'{{"token": "at-{self.sign_ins}", "refresh": "{self.current}"}}')


def connector(crm: TokenCrm) -> Connector[Any]:
    def sign_in(_: Any, former: Grant | None) -> Steps[Grant]:
        form: tuple[tuple[str, str], ...] = (("grant_type", "password"),)
        if former is not None:
            form = (("refresh_token", former.refresh_token.reveal()),)
        response = yield Request(
            name="token", method="POST", url="https://crm.example/token", form=form, writes=True
        )
        if response.status == 400:
            raise SignInNeeded("the sign-in is dead")
        if response.status != 200:
            raise LookupRefused("the CRM refused the password", fault=Fault.CREDENTIALS)
        words = response.body.decode().split('"')
        return Grant(token=Secret(words[3]), refresh_token=Secret(words[7]), lives_seconds=crm.lives)

    def find(_: Any, __: Any) -> Steps[Findings]:
        yield Request(name="find", url="https://crm.example/")
        return Findings()

    return Connector(slug="tokens", settings=dict, find=find, sign_in=sign_in, identity=("url",))


class Worker:
    """One worker's grants; several share a store and a CRM."""

    def __init__(
        self, store: MemoryStore, crm: TokenCrm, folder: Path | None = None, keys: tuple[str, ...] = (KEY,)
    ) -> None:
        files = GrantFiles(folder) if folder else None
        self.grants = Grants(store.grants, Vault(keys), asker(crm), files)
        self._connector = connector(crm)

    async def current(self, name: GrantName = NAME, **given: Any) -> Held:
        return await self.grants.current(name, self._connector, {}, **given)

    async def renewed(self, refused: Held) -> Held:
        return await self.grants.renewed(NAME, self._connector, {}, refused)

    async def token(self) -> str:
        return (await self.current()).grant.token.reveal()


@pytest.fixture
def crm() -> TokenCrm:
    return TokenCrm()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


# Who signs in


async def test_fifty_look_ups_of_two_workers_sign_in_once(crm: TokenCrm, store: MemoryStore) -> None:
    crm.takes = 0.5
    workers = (Worker(store, crm), Worker(store, crm))

    tokens = await asyncio.gather(*(worker.token() for worker in workers for _ in range(25)))

    assert set(tokens) == {"at-1"}
    assert crm.sign_ins == 1


async def test_a_refused_token_is_renewed_once_for_all(crm: TokenCrm, store: MemoryStore) -> None:
    workers = (Worker(store, crm), Worker(store, crm))
    refused = [await worker.current() for worker in workers]

    renewed = await asyncio.gather(
        *(worker.renewed(held) for worker, held in zip(workers, refused, strict=True) for _ in range(10))
    )

    assert {held.grant.token.reveal() for held in renewed} == {"at-2"}
    assert (crm.sign_ins, crm.reused) == (2, 0)


async def test_another_tenant_never_gets_it(crm: TokenCrm, store: MemoryStore) -> None:
    await Worker(store, crm).current()
    (other,) = [replace(NAME, tenant=type(ACME)("other"))]

    held = await Worker(store, crm).current(other)

    assert held.grant.token.reveal() == "at-2"


async def test_a_dead_workers_lock_ends(crm: TokenCrm, store: MemoryStore) -> None:
    await store.grants.begin(ACME, NAME.key, "a worker that died", LOCK_SECONDS)

    assert await Worker(store, crm).token() == "at-1"


# When


async def test_it_is_refreshed_ahead_by_one_worker_while_the_former_serves(
    crm: TokenCrm, store: MemoryStore
) -> None:
    workers = (Worker(store, crm), Worker(store, crm))
    for worker in workers:
        await worker.token()
    await asyncio.sleep(LIVES * 0.85)
    crm.takes = 5.0

    at_once = await asyncio.gather(*(worker.token() for worker in workers))
    await asyncio.sleep(6.0)
    later = await asyncio.gather(*(worker.token() for worker in workers))

    assert at_once == ["at-1", "at-1"], "nobody waits for it"
    assert "at-2" in later
    assert (crm.sign_ins, crm.reused) == (2, 0)


async def test_after_its_end_the_next_look_up_waits_for_a_new_one(crm: TokenCrm, store: MemoryStore) -> None:
    worker = Worker(store, crm)
    await worker.token()
    await asyncio.sleep(LIVES + 1)

    assert await worker.token() == "at-2"


async def test_without_a_known_end_it_serves_until_it_is_refused(crm: TokenCrm, store: MemoryStore) -> None:
    crm.lives = None
    worker = Worker(store, crm)
    await worker.token()
    await asyncio.sleep(1e6)

    assert await worker.token() == "at-1"


# Never lost


async def test_the_look_up_is_cancelled_and_the_refresh_goes_on(crm: TokenCrm, store: MemoryStore) -> None:
    crm.takes = 5.0
    worker = Worker(store, crm)
    asking = asyncio.create_task(worker.current())
    await asyncio.sleep(1.0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    await worker.grants.aclose()

    assert crm.sign_ins == 1
    assert await Worker(store, crm).token() == "at-1"


async def test_the_store_is_away_when_the_new_one_comes(crm: TokenCrm, store: MemoryStore) -> None:
    worker = Worker(store, crm)
    held = await worker.current()
    crm.takes = 1.0
    renewing = asyncio.create_task(worker.renewed(held))
    await asyncio.sleep(0.5)
    store.outage = StoreUnavailable("away")
    await asyncio.sleep(10.0)
    store.outage = None

    renewed = await renewing

    assert renewed.grant.token.reveal() == "at-2"
    other = Worker(store, crm)
    await other.renewed(await other.current())
    assert crm.reused == 0, "the other worker has the newest refresh token"


# Refusals


async def test_a_refused_password_is_not_tried_again_for_half_a_minute(
    crm: TokenCrm, store: MemoryStore
) -> None:
    crm.answers = [text("no", status=403)] * 2
    workers = (Worker(store, crm), Worker(store, crm))

    for worker in (*workers, *workers):
        with pytest.raises(LookupRefused, match="refused the password") as refused:
            await worker.current()
        assert refused.value.fault is Fault.CREDENTIALS
    assert crm.sign_ins == 1
    await asyncio.sleep(31)
    with pytest.raises(LookupRefused):
        await workers[0].current()
    assert crm.sign_ins == 2


async def test_a_person_may_try_at_once(crm: TokenCrm, store: MemoryStore) -> None:
    crm.answers = [text("no", status=403)]
    worker = Worker(store, crm)
    with pytest.raises(LookupRefused):
        await worker.current()

    assert (await worker.current(in_spite_of_problem=True)).grant.token.reveal() == "at-2"
    assert (await worker.grants.state(NAME)).problem == ""


async def test_new_credentials_are_tried_at_once(crm: TokenCrm, store: MemoryStore) -> None:
    crm.answers = [text("no", status=403)]
    worker = Worker(store, crm)
    with pytest.raises(LookupRefused):
        await worker.current()

    held = await worker.current(replace(NAME, identity="identity-2"))

    assert held.grant.token.reveal() == "at-2"


async def test_the_grant_of_other_credentials_is_not_used(crm: TokenCrm, store: MemoryStore) -> None:
    worker = Worker(store, crm)
    await worker.current()

    held = await worker.current(replace(NAME, identity="identity-2"))

    assert held.grant.token.reveal() == "at-2"


async def test_a_dead_refresh_token_needs_a_person_whose_sign_in_serves_at_once(
    crm: TokenCrm, store: MemoryStore
) -> None:
    worker, other = Worker(store, crm), Worker(store, crm)
    held = await worker.current()
    crm.current = "revoked"
    with pytest.raises(SignInNeeded):
        await worker.renewed(held)
    assert (await worker.grants.state(NAME)).problem

    await other.grants.put(
        NAME, Grant(token=Secret("by-hand"), refresh_token=Secret("rt-new"), lives_seconds=LIVES)
    )

    assert await worker.token() == "by-hand"
    assert (await worker.grants.state(NAME)).problem == ""


async def test_a_crm_that_is_down_is_no_refusal(crm: TokenCrm, store: MemoryStore) -> None:
    crm.answers = [text("x", status=503)] * 3
    worker = Worker(store, crm)
    with pytest.raises(LookupUnavailable):
        await worker.current()

    assert (await worker.token()).startswith("at-")


async def test_the_store_is_away(crm: TokenCrm, store: MemoryStore) -> None:
    worker = Worker(store, crm)
    await worker.token()
    store.outage = StoreUnavailable("away")

    assert await worker.token() == "at-1", "what is in hand serves on"
    with pytest.raises(LookupFailed, match="store is away"):
        await Worker(store, crm).current()


# Keys


async def test_a_grant_that_no_key_opens_is_signed_in_anew(crm: TokenCrm, store: MemoryStore) -> None:
    await Worker(store, crm).current()

    held = await Worker(store, crm, keys=("another key of the tests, long enough",)).current()

    assert held.grant.token.reveal() == "at-2"


async def test_after_a_new_key_old_grants_serve(crm: TokenCrm, store: MemoryStore) -> None:
    await Worker(store, crm).current()

    held = await Worker(store, crm, keys=("a new key of the tests, long enough", KEY)).current()

    assert held.grant.token.reveal() == "at-1"


async def test_nothing_secret_is_kept_in_clear_or_shown(crm: TokenCrm, store: MemoryStore) -> None:
    worker = Worker(store, crm)
    held = await worker.current()

    kept = await store.grants.read(ACME, NAME.key)
    assert kept is not None
    everything = f"{kept} {held!r} {held.grant!r} {worker.grants._held}"
    assert "at-1" not in everything
    assert "rt-1" not in everything
