"""The leases of Asterisk servers, in every form of the store."""

import asyncio

import pytest

from router.core.identities import RouterName, ServerName
from router.store.errors import StoreUnavailable
from router.store.lease_seam import Kept
from router.store.memory import MemoryStore
from tests.store.rigs import RedisRig, Rig

ONE, TWO = RouterName("router-1"), RouterName("router-{2}")
PBX, OTHER = ServerName("pbx"), ServerName("{other}")


async def test_a_lease_that_nobody_has_is_taken_and_one_of_another_is_not(rig: Rig) -> None:
    leases = rig.store.leases
    assert (await leases.keep(ONE, [PBX], 60)).ours == {PBX}

    assert (await leases.keep(TWO, [PBX, OTHER], 60)).ours == {OTHER}
    assert (await leases.keep(ONE, [OTHER, PBX], 60)).ours == {PBX}


async def test_of_many_who_ask_at_once_one_has_it(rig: Rig) -> None:
    asked = [rig.store.leases.keep(RouterName(f"router-{number}"), [PBX], 60) for number in range(20)]

    assert sum(PBX in kept.ours for kept in await asyncio.gather(*asked)) == 1


async def test_a_lease_that_is_given_up_is_free_at_once(rig: Rig) -> None:
    leases = rig.store.leases
    await leases.keep(ONE, [PBX, OTHER], 60)
    await leases.give_up(ONE, [PBX])

    assert (await leases.keep(TWO, [PBX, OTHER], 60)).ours == {PBX}


async def test_nobody_gives_up_the_lease_of_another(rig: Rig) -> None:
    leases = rig.store.leases
    await leases.keep(ONE, [PBX], 60)
    await leases.give_up(TWO, [PBX, OTHER])

    assert (await leases.keep(TWO, [PBX], 60)).ours == frozenset()


async def test_a_lease_ends_by_itself(rig: Rig) -> None:
    leases = rig.store.leases
    await leases.keep(ONE, [PBX], 0.02)

    async with asyncio.timeout(10):
        while not (await leases.keep(TWO, [PBX], 60)).ours:  # noqa: ASYNC110 - the store's own clock ends it
            await asyncio.sleep(0.01)


async def test_keeping_a_lease_lengthens_it(rig: Rig) -> None:
    leases = rig.store.leases
    await leases.keep(ONE, [PBX], 0.05)
    await leases.keep(ONE, [PBX], 60)
    await asyncio.sleep(0.1)  # past the first life

    assert (await leases.keep(TWO, [PBX], 60)).ours == frozenset()


async def test_who_has_a_lease_hears_of_others_as_long_as_they_ask_for_it(rig: Rig) -> None:
    leases = rig.store.leases
    assert (await leases.keep(ONE, [PBX, OTHER], 60)).watched == frozenset()

    assert await leases.keep(TWO, [PBX], 60) == Kept()
    assert await leases.keep(ONE, [OTHER, PBX], 60) == Kept(frozenset({PBX, OTHER}), frozenset({PBX}))

    # One that takes over was itself the other.
    await leases.give_up(ONE, [PBX])
    assert await leases.keep(TWO, [PBX], 60) == Kept(frozenset({PBX}))


async def test_another_router_that_is_gone_is_forgotten(rig: Rig) -> None:
    leases = rig.store.leases
    await leases.keep(ONE, [PBX], 60)
    await leases.keep(TWO, [PBX], 0.02)

    async with asyncio.timeout(10):
        while (await leases.keep(ONE, [PBX], 60)).watched:  # noqa: ASYNC110 - the store's own clock ends it
            await asyncio.sleep(0.01)


async def test_a_store_that_lost_everything_gives_leases_anew(rig: Rig) -> None:
    leases = rig.store.leases
    await leases.keep(ONE, [PBX], 60)
    await rig.forget()

    assert (await leases.keep(TWO, [PBX], 60)).ours == {PBX}


async def test_without_servers_nothing_is_asked(rig: Rig) -> None:
    assert (await rig.store.leases.keep(ONE, [], 60)).ours == frozenset()
    await rig.store.leases.give_up(ONE, [])


async def test_no_lease_outlives_its_router_in_the_store(rig: Rig) -> None:
    if not isinstance(rig, RedisRig):
        pytest.skip("the twin keeps what is over until it is asked")
    await rig.store.leases.keep(ONE, [PBX], 60)
    key = rig.redis._keys.lease(PBX)

    assert 0 < await rig.redis._batcher.call(key, "PTTL", key) <= 60_000


async def test_an_outage_is_an_error_and_no_lease() -> None:
    store = MemoryStore()
    store.outage = StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        await store.leases.keep(ONE, [PBX], 60)
    with pytest.raises(StoreUnavailable):
        await store.leases.give_up(ONE, [PBX])
