"""Two routers on one server: one works on a call, the other one watches until it has to step in."""

import asyncio

from msgspec.structs import replace

from router.ami.seam import LinkDown, LinkUp, ParkedList
from router.core.calls import CallState
from router.core.decisions import Ending
from router.core.events import AskedFor, CallAsking, CallerHungUp
from router.core.identities import ChannelName, RouterName, ServerName, Uniqueid
from router.core.leases import LEASE_SECONDS
from router.core.rules import Outcome
from router.store.errors import StoreUnavailable
from tests.core.makers import LIMITS, SERVER, found, greeting_plan, parked, plan, queue
from tests.engine.sites import Site, call_tasks

HOLDER, WATCHER = RouterName("router-1"), RouterName("router-2")
PBX2 = ServerName("pbx2")
HALF = (parked().hold_seconds - LIMITS.hold_margin_seconds) / 2
OVERLOADED = {Outcome.OVERLOADED: queue("busy")}
SECOND = parked(uniqueid=Uniqueid("pbx1-1700046000.2"), channel=ChannelName("PJSIP/trunk-00000002"))


def state(site: Site, router: RouterName) -> list[CallState]:
    return [call.state for call in site.engines[router].calls]


async def test_the_router_with_the_lease_works_alone() -> None:
    async with Site(plan(), routers=2) as site:
        site.link.park(parked())
        await site.run()
        assert (state(site, HOLDER), state(site, WATCHER)) == ([CallState.PARKED], [CallState.WATCHING])
        await site.run(1)
        site.land(parked())

        (decision,) = await site.decisions()
        assert (decision.router, decision.won_claim) == (HOLDER, True)
        assert (site.sent(WATCHER), site.queues[WATCHER].questions) == (0, 0)
        assert call_tasks() == []


async def test_a_greeting_too_is_the_holders_alone() -> None:
    async with Site(greeting_plan(), routers=2) as site:
        site.crm = {"4711": found()}
        first = parked(entry="account")
        site.link.park(first)
        await site.run()
        site.tell(first, CallAsking(1))
        again = replace(first, parking=2, digits="4711", asked=AskedFor.KEYED)
        site.link.park(again)
        await site.run(1)

        assert site.places() == ["greeting", "route-queue,gold,1"]
        assert (site.sent(WATCHER), site.queues[WATCHER].questions) == (0, 0)


async def test_when_the_holder_dies_the_watcher_steps_in_at_half_of_hold() -> None:
    async with Site(plan(), routers=2) as site:
        # Nobody gets the lease, so that stepping in has no other reason.
        site.crm_seconds = 0.01
        await site.store.leases.keep(HOLDER, [SERVER], 60)
        site.kill(HOLDER)
        site.link.park(parked())
        await site.run(HALF - 0.1)
        assert site.sent(WATCHER) == 0
        await site.run(0.2)
        site.land(parked())

        assert site.places() == ["route-queue,gold,1"]
        (decision,) = await site.decisions()
        assert (decision.router, decision.won_claim) == (WATCHER, True)
        assert decision.steps_ms["stepped_in"] == HALF * 1000


async def test_when_the_holder_dies_with_a_call_in_hand_the_watcher_takes_it() -> None:
    async with Site(plan(), routers=2) as site:
        site.crm_seconds = 0.5
        site.link.park(parked())
        await site.run()
        site.kill(HOLDER)
        await site.run(HALF + 1)

        assert site.places() == ["route-queue,gold,1"]
        assert site.questions == ["+41791234567"]


async def test_when_the_dead_holders_lease_ends_the_watcher_has_the_next_calls() -> None:
    async with Site(plan(), routers=2) as site:
        site.kill(HOLDER)
        await site.run(LEASE_SECONDS + 1)
        site.link.park(parked())
        await site.run()

        assert state(site, WATCHER) == [CallState.PARKED]


async def test_when_the_lease_passes_the_watched_calls_are_worked_on_at_once() -> None:
    async with Site(plan(), routers=2) as site:
        site.crm_seconds = 60
        site.link.park(parked())
        await site.run()
        site.tell_router(HOLDER, LinkDown(SERVER, "the connection was lost"))
        await site.run(1.1)

        # Well before half of HOLD.
        assert state(site, WATCHER) == [CallState.PARKED]
        assert site.queues[WATCHER].questions == 1


async def test_a_router_without_a_link_to_a_server_gives_up_that_servers_lease_only() -> None:
    async with Site(plan(), routers=2, servers=(SERVER, PBX2)) as site:
        site.tell_router(HOLDER, LinkDown(SERVER, "the connection was lost"))
        await site.run(1.1)
        site.tell_router(HOLDER, LinkUp(SERVER, "22"))
        await site.run(1.1)
        there = replace(SECOND, server=PBX2)
        site.link.park(parked())
        site.links[PBX2].park(there)
        await site.run(1)

        assert len(site.links[SERVER].moved) == len(site.links[PBX2].moved) == 1
        assert [hand.actions > 0 for hand in site.hands[HOLDER].values()] == [False, True]
        assert [hand.actions > 0 for hand in site.hands[WATCHER].values()] == [True, False]


async def test_without_a_store_every_router_works_and_one_claim_wins() -> None:
    async with Site(plan(outcomes=OVERLOADED), routers=2) as site:
        site.store.outage = StoreUnavailable("Redis is away")
        await site.run(LEASE_SECONDS + 1)
        site.link.park(parked())
        await site.run()

        assert site.places() == ["route-queue,busy,1"]
        assert all(site.sent(router) > 0 for router in (HOLDER, WATCHER))
        won = [call.won_claim for engine in site.engines.values() for call in engine.calls]
        assert sorted(won) == [False, True]


async def test_a_store_that_comes_back_gives_the_lease_to_one() -> None:
    async with Site(plan(), routers=2) as site:
        site.store.outage = StoreUnavailable("Redis is away")
        await site.run(LEASE_SECONDS + 1)
        site.store.outage = None
        site.store.forget()
        await site.run(1.1)
        site.link.park(parked())
        await site.run()

        states = sorted(state(site, HOLDER) + state(site, WATCHER))
        assert states == [CallState.PARKED, CallState.WATCHING]


async def test_a_router_whose_store_fails_for_a_moment_leaves_the_answer_to_the_holder() -> None:
    """It would claim at once, for the destination of what could not be asked."""
    async with Site(plan(outcomes=OVERLOADED), routers=2) as site:
        site.queues[WATCHER].outage = StoreUnavailable("Redis is away")
        site.link.park(parked())
        await site.run(1)

        assert site.places() == ["route-queue,gold,1"]


def cut_off(site: Site, *routers: RouterName) -> None:
    """From Redis: what they ask fails, and neither leases nor answers reach them."""
    for router in routers:
        site.queues[router].outage = StoreUnavailable("Redis is away")
        site.lease_hands[router].outage = StoreUnavailable("Redis is away")


async def lived(site: Site) -> None:
    """Until both have told the store of themselves."""
    await site.run(1.1)


async def test_the_holder_that_is_cut_off_leaves_calls_to_the_router_that_is_not() -> None:
    """It would claim at once, for the destination of what could not be asked."""
    async with Site(plan(outcomes=OVERLOADED), routers=2) as site:
        await lived(site)
        cut_off(site, HOLDER)
        site.link.park(parked())
        await site.run(LEASE_SECONDS + 2)
        site.link.park(SECOND)
        await site.run(1)

        # The first by stepping in, before the lease has passed on; the second as one of its own.
        assert site.places() == ["route-queue,gold,1"] * 2
        assert [call.won_claim for call in site.engines[WATCHER].calls] == [True, True]


async def test_a_watcher_that_is_cut_off_does_not_step_in_before_the_last_moment() -> None:
    async with Site(plan(outcomes=OVERLOADED, lookup_seconds=5), routers=2) as site:
        site.crm_seconds = HALF + 0.5
        await lived(site)
        cut_off(site, WATCHER)
        site.link.park(parked())
        await site.run(HALF + 1)

        assert site.places() == ["route-queue,gold,1"]


async def test_two_that_are_cut_off_decide_the_first_calls_late_and_the_next_at_once() -> None:
    async with Site(plan(outcomes=OVERLOADED), routers=2) as site:
        await lived(site)
        cut_off(site, HOLDER, WATCHER)
        await site.run(LEASE_SECONDS + 1)
        site.link.park(parked())
        await site.run(2 * HALF - 0.1)
        assert site.places() == []
        await site.run(0.2)
        assert site.places() == ["route-queue,busy,1"]
        site.land(parked())
        site.link.park(SECOND)
        await site.run()

        assert site.places() == ["route-queue,busy,1"] * 2


async def test_a_router_without_others_decides_at_once_when_it_is_cut_off() -> None:
    async with Site(plan(outcomes=OVERLOADED)) as site:
        await lived(site)
        cut_off(site, HOLDER)
        await site.run(LEASE_SECONDS + 1)
        site.link.park(parked())
        await site.run()

        assert site.places() == ["route-queue,busy,1"]


async def test_a_router_that_is_cut_off_for_a_moment_asks_again() -> None:
    async with Site(plan(outcomes=OVERLOADED), routers=2) as site:
        await lived(site)
        site.kill(WATCHER)
        cut_off(site, HOLDER)
        site.link.park(parked())
        await site.run(1)
        site.queues[HOLDER].outage = None
        await site.run(1)
        site.land(parked())

        assert site.places() == ["route-queue,gold,1"]
        (decision,) = await site.decisions()
        assert decision.steps_ms["left_to_others"] == 0


async def test_one_that_is_back_gets_the_calls_again_of_who_is_still_cut_off() -> None:
    async with Site(plan(outcomes=OVERLOADED), routers=2) as site:
        await lived(site)
        cut_off(site, HOLDER, WATCHER)
        await site.run(LEASE_SECONDS + 1)
        numbered = [
            parked(
                uniqueid=Uniqueid(f"pbx1-1700046000.{number}"), channel=ChannelName(f"PJSIP/trunk-{number}")
            )
            for number in range(40)
        ]
        for event in numbered:
            site.link.park(event)
            await site.run(1)
            if event is numbered[15]:
                site.queues[WATCHER].outage = site.lease_hands[WATCHER].outage = None
            for moved in site.link.moved:
                site.land(next(one for one in numbered if one.channel == moved.channel))
        await site.run(6)

        places = {moved.channel: dict(moved.variables)["ROUTE_TO"] for moved in site.link.moved}
        last = [places[event.channel] for event in numbered[-10:]]
        assert last == ["route-queue,gold,1"] * 10


async def test_a_router_that_stops_hands_over_and_finishes_its_own() -> None:
    async with Site(plan(), routers=2) as site:
        site.crm_seconds = 2
        site.link.park(parked())
        await site.run()
        stopping = asyncio.create_task(site.stop(HOLDER))
        await site.run()
        site.link.park(SECOND)
        await site.run(1.1)
        # The new call is the other router's, long before half of its HOLD.
        assert [call.parked.channel for call in site.engines[HOLDER].calls] == [parked().channel]
        assert state(site, WATCHER) == [CallState.PARKED] * 2
        await site.run(2)
        for event in (parked(), SECOND):
            site.land(event)
        await site.run()

        assert stopping.done()
        assert sorted(moved.channel for moved in site.link.moved) == [parked().channel, SECOND.channel]


async def test_a_router_that_stops_does_not_wait_for_what_it_only_watched() -> None:
    async with Site(plan(), routers=2) as site:
        site.crm_seconds = 60
        site.link.park(parked())
        await site.run()

        stopping = asyncio.create_task(site.stop(WATCHER))
        await site.run()

        assert stopping.done()


async def test_a_router_that_comes_back_finds_calls_parked_and_watches_them() -> None:
    async with Site(plan(), routers=2) as site:
        site.crm_seconds = 60
        site.kill(WATCHER)
        site.link.park(parked())
        await site.run(1)
        site.revive(WATCHER)
        site.tell_router(WATCHER, LinkUp(SERVER, "22"))
        await site.run()
        listed = parked(is_resynced=True, hold_seconds=5)
        site.tell_router(WATCHER, ParkedList(SERVER, (listed,)))
        await site.run()

        assert (state(site, HOLDER), state(site, WATCHER)) == ([CallState.PARKED], [CallState.WATCHING])


async def test_the_record_of_a_call_is_the_one_of_the_router_that_worked_on_it() -> None:
    async with Site(plan(), routers=2) as site:
        site.crm_seconds = 60
        site.link.park(parked())
        await site.run(1)
        # The watcher hears it first.
        for router in (WATCHER, HOLDER):
            site.engines[router]._on_call_news((SERVER, parked().uniqueid), CallerHungUp(1))
            await site.run()
        await site.run(10)

        (decision,) = await site.decisions()
        assert (decision.router, decision.ending) == (HOLDER, Ending.ABANDONED)


async def test_a_call_whose_router_died_is_recorded_by_the_one_that_watched() -> None:
    async with Site(plan(), routers=2) as site:
        site.crm_seconds = 60
        site.link.park(parked())
        await site.run()
        site.kill(HOLDER)
        site.tell(parked(), CallerHungUp(1))
        await site.run(10)

        assert [decision.router for decision in await site.decisions()] == [WATCHER]
