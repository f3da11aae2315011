"""Grants and errands in every form of the store: what workers share, and what people ask of them."""

import asyncio

from router.core.crm_catalog import CrmModule
from router.core.errands import ErrandFailed, ListModules, Modules, TellSignIn
from router.core.faults import Fault
from router.core.identities import IntegrationName, TenantId
from tests.store.rigs import Rig

ACME, OTHER = TenantId("acme"), TenantId("other")
CRM = IntegrationName("crm")
ERRAND = ListModules(tenant=ACME, integration=CRM)


# Grants


async def test_a_grant_is_read_as_it_was_written(rig: Rig) -> None:
    assert await rig.store.grants.read(ACME, "g1") is None

    assert await rig.store.grants.write(ACME, "g1", b"\x00sealed", 1, 100.0)

    kept = await rig.store.grants.read(ACME, "g1")
    assert kept is not None
    assert (kept.sealed, kept.serial, kept.lives_seconds, kept.problem) == (b"\x00sealed", 1, 100.0, "")
    assert kept.left_seconds is not None
    assert 90 < kept.left_seconds <= 100
    assert await rig.store.grants.read(OTHER, "g1") is None
    assert await rig.store.grants.read(ACME, "g2") is None


async def test_an_older_grant_never_replaces_a_newer_one(rig: Rig) -> None:
    await rig.store.grants.write(ACME, "g1", b"third", 3, None)

    assert not await rig.store.grants.write(ACME, "g1", b"second", 2, None)
    assert not await rig.store.grants.write(ACME, "g1", b"another third", 3, None)
    assert await rig.store.grants.write(ACME, "g1", b"fourth", 4, None)

    kept = await rig.store.grants.read(ACME, "g1")
    assert kept is not None
    assert (kept.sealed, kept.lives_seconds, kept.left_seconds) == (b"fourth", None, None)


async def test_a_token_ends_and_its_grant_stays(rig: Rig) -> None:
    await rig.store.grants.write(ACME, "g1", b"sealed", 1, 0.001)

    kept = await rig.store.grants.read(ACME, "g1")
    async with asyncio.timeout(5):
        while kept is None or kept.left_seconds:
            kept = await rig.store.grants.read(ACME, "g1")

    assert kept.sealed == b"sealed"


async def test_a_problem_is_told_until_a_new_grant_comes(rig: Rig) -> None:
    await rig.store.grants.write(ACME, "g1", b"sealed", 1, None)
    await rig.store.grants.note_problem(ACME, "g1", "identity|credentials|refused")

    kept = await rig.store.grants.read(ACME, "g1")
    assert kept is not None
    assert (kept.sealed, kept.problem) == (b"sealed", "identity|credentials|refused")
    assert 0 <= kept.problem_age_seconds < 5
    await rig.store.grants.write(ACME, "g1", b"sealed", 2, None)
    renewed = await rig.store.grants.read(ACME, "g1")
    assert renewed is not None
    assert renewed.problem == ""


async def test_a_problem_without_a_grant_is_told_too(rig: Rig) -> None:
    await rig.store.grants.note_problem(ACME, "g1", "refused")

    kept = await rig.store.grants.read(ACME, "g1")
    assert kept is not None
    assert (kept.sealed, kept.serial, kept.problem) == (b"", 0, "refused")
    assert await rig.store.grants.write(ACME, "g1", b"first", 1, None)


async def test_one_signs_in_at_a_time(rig: Rig) -> None:
    assert await rig.store.grants.begin(ACME, "g1", "worker-1", 30)
    assert not await rig.store.grants.begin(ACME, "g1", "worker-2", 30)
    assert await rig.store.grants.begin(ACME, "g2", "worker-2", 30)

    await rig.store.grants.end(ACME, "g1", "worker-2")
    assert not await rig.store.grants.begin(ACME, "g1", "worker-2", 30), "only its holder ends it"
    await rig.store.grants.end(ACME, "g1", "worker-1")
    assert await rig.store.grants.begin(ACME, "g1", "worker-2", 30)


async def test_a_forgotten_grant_is_gone(rig: Rig) -> None:
    await rig.store.grants.write(ACME, "g1", b"sealed", 5, 100.0)

    await rig.store.grants.forget(ACME, "g1")

    assert await rig.store.grants.read(ACME, "g1") is None
    assert await rig.store.grants.write(ACME, "g1", b"sealed", 1, None)


# Errands


async def test_an_errand_reaches_a_worker_and_its_reply_the_asker(rig: Rig) -> None:
    asking = asyncio.create_task(rig.store.errands.run(ERRAND, 10))
    taken = await rig.store.errands.take()
    assert taken is not None
    await rig.store.errands.reply(taken, Modules((CrmModule("Contacts", "Personnes"),)))

    assert taken.errand == ERRAND
    assert 0 < taken.seconds_left <= 10
    assert await asking == Modules((CrmModule("Contacts", "Personnes"),))


async def test_each_asker_gets_its_own_reply(rig: Rig) -> None:
    askers = [
        asyncio.create_task(
            rig.store.errands.run(TellSignIn(tenant=ACME, integration=IntegrationName(str(number))), 10)
        )
        for number in range(5)
    ]
    for _ in askers:
        taken = await rig.store.errands.take()
        assert taken is not None
        await rig.store.errands.reply(taken, ErrandFailed(Fault.DOWN, taken.errand.integration))

    told = [await asker for asker in askers]
    assert [reply.problem for reply in told if isinstance(reply, ErrandFailed)] == list("01234")


async def test_without_a_worker_there_is_no_reply(rig: Rig) -> None:
    assert await rig.store.errands.run(ERRAND, 0.05) is None


async def test_an_errand_that_nobody_waits_for_is_not_done(rig: Rig) -> None:
    assert await rig.store.errands.run(ERRAND, 0.05) is None
    asking = asyncio.create_task(rig.store.errands.run(TellSignIn(tenant=ACME, integration=CRM), 10))

    taken = None
    async with asyncio.timeout(10):
        while taken is None:
            taken = await rig.store.errands.take()

    assert isinstance(taken.errand, TellSignIn)
    await rig.store.errands.reply(taken, ErrandFailed(Fault.DOWN, "x"))
    await asking


async def test_a_sign_in_under_way_is_kept_for_its_time(rig: Rig) -> None:
    await rig.store.errands.keep_sign_in("state-1", b"sealed", 60)
    await rig.store.errands.keep_sign_in("state-2", b"short", 0.001)

    async with asyncio.timeout(5):
        while await rig.store.errands.kept_sign_in("state-2") is not None:
            pass
    assert await rig.store.errands.kept_sign_in("state-1") == b"sealed"
    await rig.store.errands.end_sign_in("state-1")
    assert await rig.store.errands.kept_sign_in("state-1") is None
    assert await rig.store.errands.kept_sign_in("never") is None
    await rig.store.errands.keep_sign_in("state-3", b"once", 60)
    taken = await asyncio.gather(*(rig.store.errands.take_sign_in("state-3") for _ in range(3)))
    assert sorted(taken, key=bool) == [None, None, b"once"]


async def test_flushall_takes_them_all(rig: Rig) -> None:
    await rig.store.grants.write(ACME, "g1", b"sealed", 1, None)
    await rig.store.errands.keep_sign_in("state-1", b"sealed", 60)

    await rig.forget()

    assert await rig.store.grants.read(ACME, "g1") is None
    assert await rig.store.errands.kept_sign_in("state-1") is None
