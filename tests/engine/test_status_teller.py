"""What a router tells of itself, from calls that it really holds and links that really come and go."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from router.ami.seam import LinkDown, ServerNews
from router.core.identities import RouterName, ServerName, Uniqueid
from router.core.statuses import RouterStatus
from router.engine import status_teller
from router.engine.status_teller import StatusTeller
from router.store.errors import StoreUnavailable
from tests.core.makers import SERVER, parked, plan
from tests.engine.sites import Site

ROUTER = RouterName("router-1")
SPARE = ServerName("pbx2")


@asynccontextmanager
async def telling(site: Site) -> AsyncIterator[StatusTeller]:
    """One that hears what the engine hears, and tells."""
    teller = StatusTeller(
        ROUTER, "1.0", [SERVER, SPARE], lambda: site.engine.calls, site.store.statuses, site._now
    )

    def hear(news: ServerNews) -> None:
        site.engine.on_news(news)
        teller.on_news(news)

    for link in site.links.values():
        link.on_news = hear
    task = asyncio.create_task(teller.run())
    try:
        yield teller
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def told(site: Site, is_so: Callable[[RouterStatus], bool] = lambda _: True) -> RouterStatus:
    """The first status like that."""
    async with asyncio.timeout(30):
        while True:
            for one in (await site.store.statuses.read()).routers:
                if one.status is not None and is_so(one.status):
                    return one.status
            await asyncio.sleep(0.05)


async def test_a_call_is_told_while_it_is_held_and_not_after() -> None:
    site = Site(plan())
    site.crm_seconds = 2.4
    async with telling(site), site:
        event = parked()
        site.link.say(event.uniqueid, event)

        held = await told(site, lambda status: bool(status.parked))
        gone = await told(site, lambda status: site.link.moved != [] and not status.parked)

    (call,) = held.parked
    assert (call.call, call.tenant, call.caller, call.rule) == (
        event.uniqueid,
        "acme",
        "+41791234567",
        "Sales",
    )
    assert held.servers[0].parked_of == {"acme": 1}
    assert gone.servers[0].parked == 0


async def test_links_are_told_with_the_reason_and_since_when() -> None:
    site = Site(plan())
    async with telling(site) as teller, site:
        await asyncio.sleep(5)
        teller.on_news(LinkDown(SERVER, "no answer to Ping"))
        await asyncio.sleep(2)
        teller.on_news(LinkDown(SERVER, "connection refused"))

        status = await told(site, lambda status: status.servers[0].problem == "connection refused")

    first, spare = status.servers
    assert (first.is_connected, first.version) == (False, "22.10.1")
    assert 2 <= first.since_seconds < 4
    assert (spare.is_connected, spare.problem) == (False, "")


async def test_a_store_that_is_away_is_told_when_it_is_back() -> None:
    site = Site(plan())
    async with telling(site), site:
        await told(site)
        site.store.outage = StoreUnavailable("away")
        await asyncio.sleep(10)
        site.store.outage = None

        status = await told(site, lambda status: status.up_seconds > 10)

    assert status.router == ROUTER


async def test_a_router_that_stops_says_so_and_is_forgotten() -> None:
    site = Site(plan())
    async with telling(site) as teller, site:
        teller.stop()
        await told(site, lambda status: status.is_stopping)
    await teller.finish(1)

    read = await site.store.statuses.read()
    assert (read.routers, read.servers) == ((), ())


async def test_ten_thousand_calls_do_not_keep_the_event_loop() -> None:
    site = Site(plan())
    site.crm_seconds = 60
    async with site:
        for number in range(10_000):
            event = parked(uniqueid=Uniqueid(f"pbx1-{number}.1"))
            site.link.say(event.uniqueid, event)
        await site.run(1)
        teller = StatusTeller(
            ROUTER, "1.0", [SERVER], lambda: site.engine.calls, site.store.statuses, site._now
        )
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count_turns())
        status = await teller.status()
        counting.cancel()

    assert status.servers[0].parked == 10_000
    assert turns >= 10_000 / status_teller.COUNTED_TOGETHER
