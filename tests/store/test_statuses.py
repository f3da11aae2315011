"""How routers tell that they fare, and the last moments of decisions, in every form of the store."""

import asyncio

import pytest
from msgspec.structs import replace

from router.core.identities import RouterName, RuleName, ServerName, TenantId, Uniqueid
from router.core.statuses import ParkedCall, RouterStatus, ServerStatus
from router.store import status_board
from router.store.errors import StoreUnavailable
from router.store.memory import MemoryStore
from tests.store.rigs import MemoryRig, RedisRig, Rig, a_decision

ONE, TWO = RouterName("router-1"), RouterName("router-{2}")
PBX = ServerName("pbx")


def status(router: RouterName = ONE, *servers: str) -> RouterStatus:
    call = ParkedCall(
        server=PBX,
        call=Uniqueid("pbx-1.1"),
        parking=1,
        tenant=TenantId("acme"),
        caller="+33612345678",
        called="+33142345001",
        rule=RuleName("Loyalty"),
        parked_seconds=1.5,
    )
    told = tuple(
        ServerStatus(
            server=ServerName(name),
            is_connected=True,
            since_seconds=3.0,
            parked=1,
            parked_of={call.tenant: 1},
        )
        for name in servers or ("pbx",)
    )
    return RouterStatus(router=router, version="1", up_seconds=9.0, servers=told, parked=(call,))


async def forget_statuses(rig: Rig) -> None:
    """As when their seconds are over, and the names' are not."""
    if isinstance(rig, RedisRig):
        for router in (ONE, TWO):
            key = rig.redis._keys.status(router)
            await rig.redis._batcher.call(key, "DEL", key)
    elif isinstance(rig, MemoryRig):
        rig.memory.statuses.age(6)


async def test_statuses_are_read_as_they_were_told(rig: Rig) -> None:
    board = rig.store.statuses
    await board.put(status(TWO, "pbx", "other"))
    await board.put(status(ONE))

    read = await board.read()

    assert [(one.router, one.status) for one in read.routers] == [
        (ONE, status(ONE)),
        (TWO, status(TWO, "pbx", "other")),
    ]
    assert all(0 <= one.age_seconds < 5 for one in read.routers)
    assert read.servers == ("other", "pbx")


async def test_a_router_tells_its_status_in_place_of_the_former(rig: Rig) -> None:
    board = rig.store.statuses
    await board.put(status(ONE))
    later = replace(status(ONE), up_seconds=10.0, parked=())
    await board.put(later)

    assert [one.status for one in (await board.read()).routers] == [later]


async def test_a_router_that_falls_silent_is_missed(rig: Rig) -> None:
    board = rig.store.statuses
    await board.put(status(ONE))
    await forget_statuses(rig)

    read = await board.read()

    assert [(one.router, one.status) for one in read.routers] == [(ONE, None)]
    assert read.servers == ("pbx",)


async def test_a_status_goes_by_itself(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    if not isinstance(rig, RedisRig):
        pytest.skip("the twin has no server that forgets")
    monkeypatch.setattr(status_board, "LIVES_MS", 20)
    await rig.store.statuses.put(status(ONE))

    async with asyncio.timeout(10):
        while (await rig.store.statuses.read()).routers[0].status is not None:  # noqa: ASYNC110 - Redis does it
            await asyncio.sleep(0.01)


async def test_a_router_that_stops_is_not_missed(rig: Rig) -> None:
    board = rig.store.statuses
    await board.put(status(ONE, "pbx", "own"))
    await board.put(status(TWO))
    await board.remove(ONE, [ServerName("pbx"), ServerName("own")])
    await board.put(status(TWO))

    read = await board.read()

    assert [one.router for one in read.routers] == [TWO]
    assert read.servers == ("pbx",)


async def test_names_that_are_remembered_are_bounded(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    if not isinstance(rig, RedisRig):
        pytest.skip("the twin serves tests alone, and keeps all")
    monkeypatch.setattr(status_board, "NAMES_MOST", 2)
    for number in range(5):
        await rig.store.statuses.put(status(RouterName(f"router-{number}"), f"pbx-{number}"))

    read = await rig.store.statuses.read()

    assert (len(read.routers), len(read.servers)) == (2, 2)


async def test_an_empty_board_tells_nothing(rig: Rig) -> None:
    read = await rig.store.statuses.read()

    assert (read.routers, read.servers) == ((), ())


async def test_what_is_no_status_is_silence(rig: Rig) -> None:
    if not isinstance(rig, RedisRig):
        pytest.skip("the twin packs nothing")
    await rig.store.statuses.put(status(ONE))
    key = rig.redis._keys.status(ONE)
    await rig.redis._batcher.call(key, "SET", key, b"\xff\x00 no status")

    assert [one.status for one in (await rig.store.statuses.read()).routers] == [None]


async def test_an_outage_is_an_error_and_no_silence() -> None:
    store = MemoryStore()
    store.outage = StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        await store.statuses.read()


# The last moments of decisions


async def test_recent_decisions_are_read_on_from_where_one_was(rig: Rig) -> None:
    stream = rig.store.decisions
    made = [a_decision(f"pbx-1.{number}") for number in range(4)]
    for one in made[:3]:
        await stream.record(one, is_only_witness=True)

    first = await stream.recent("", 60, 2)
    second = await stream.recent(first.last_id, 60, 2)
    await stream.record(made[3], is_only_witness=True)
    third = await stream.recent(second.last_id, 60, 2)
    fourth = await stream.recent(third.last_id, 60, 2)

    pages = (first, second, third, fourth)
    assert [[one for _, one in page.decisions] for page in pages] == [made[:2], [made[2]], [made[3]], []]
    assert [page.is_all for page in pages] == [False, True, True, True]
    assert all(0 <= age < 60 for page in pages for age, _ in page.decisions)


async def test_older_decisions_are_passed_over(rig: Rig) -> None:
    stream = rig.store.decisions
    await stream.record(a_decision("old"), is_only_witness=True)
    known = (await stream.recent("", 60, 10)).last_id
    await asyncio.sleep(0.03)  # the shortest age that both clocks tell apart

    assert (await stream.recent("", 0.01, 10)).decisions == ()
    await stream.record(a_decision("new"), is_only_witness=True)
    assert [one.call_id for _, one in (await stream.recent(known, 5, 10)).decisions] == ["new"]
    assert [one.call_id for _, one in (await stream.recent("", 5, 10)).decisions] == ["old", "new"]


async def test_a_stream_that_began_anew_is_read_from_its_beginning(rig: Rig) -> None:
    stream = rig.store.decisions
    await stream.record(a_decision("new"), is_only_witness=True)

    read = await stream.recent("99999999999999-7", 60, 10)

    assert [one.call_id for _, one in read.decisions] == ["new"]
