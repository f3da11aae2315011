"""Calls from the parking to the record, with everything around the engine that can fail."""

import asyncio
import gc
from collections.abc import Sequence

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from router.ami.fake import Armed, FakeLink
from router.ami.seam import ClaimAnswer, MoveAnswer, ParkedList
from router.core.calls import CallState
from router.core.decisions import Ending
from router.core.destinations import Destination
from router.core.events import (
    AskedFor,
    AsteriskEvent,
    CallAsking,
    CallDefaulted,
    CallerHungUp,
    CallParked,
    DefaultedWhy,
)
from router.core.identities import ChannelName, ServerName, TenantId, Uniqueid
from router.core.plans import RulePlan, TenantPlan
from router.core.rules import Outcome
from router.core.test_calls import PAUSED_TENANT, TEST_TENANT
from router.engine.inboxes import Inbox
from router.store.errors import StoreUnavailable
from tests.core.makers import (
    SERVER,
    ZURICH,
    found,
    greeting_plan,
    line,
    parked,
    plan,
    plan_of,
    queue,
    rule,
    tenant,
)
from tests.engine.sites import Site, call_tasks

PBX2 = ServerName("pbx2")
RIVAL = TenantId("rival")
HELD = CallDefaulted(1, DefaultedWhy.HOLD, "route-queue/desk/1")


def another(number: int, **changes: object) -> CallParked:
    """Another call, of a caller whom the CRM does not know."""
    unknown = parked(
        uniqueid=Uniqueid(f"pbx1-1700046000.{number}"),
        channel=ChannelName(f"PJSIP/trunk-{number:08}"),
        caller_number="0791110000",
    )
    return replace(unknown, **changes)


def rivals_plan() -> TenantPlan:
    return plan_of(
        tenant(rule(default=queue("rivals"), lines=(line("=", "gold", to="rivals-gold"),)), id=RIVAL)
    )


async def is_unclaimed(site: Site, event: CallParked) -> bool:
    return (await site.links[event.server].claim(event.channel, event.parking)).is_won


async def test_a_call_is_armed_looked_up_moved_and_recorded() -> None:
    async with Site(plan()) as site:
        site.link.park(parked())
        await site.run(1)
        assert site.link.armed == [
            Armed(
                parked().channel,
                (("ROUTE_FALLBACK", "route-queue,desk,1"), ("ROUTE_FALLBACK_OPTION", "desk")),
            )
        ]
        assert site.places() == ["route-queue,gold,1"]

        site.land(parked())

        (decision,) = await site.decisions()
        assert (decision.ending, decision.reached_place) == (Ending.TAKEN, "route-queue/gold/1")
        assert decision.won_claim


async def test_a_fresh_answer_of_the_cache_serves_the_next_call() -> None:
    async with Site(plan()) as site:
        for number in (1, 2):
            site.link.park(another(number, caller_number="0791234567"))
            await site.run(1)

        assert site.places() == ["route-queue,gold,1"] * 2
        assert site.questions == ["+41791234567"]


async def test_a_call_is_greeted_and_decided_by_its_digits() -> None:
    async with Site(greeting_plan()) as site:
        site.crm = {"4711": found()}
        first = parked(entry="account")
        site.link.park(first)
        await site.run()
        assert [moved.place for moved in site.link.moved] == [Destination("route-ask", "s")]

        site.tell(first, CallAsking(1))
        again = replace(first, parking=2, digits="4711", asked=AskedFor.KEYED)
        site.link.park(again)
        await site.run(1)
        site.land(again)

        (decision,) = await site.decisions()
        assert (decision.parking, decision.digits, decision.asked_place) == (2, "4711", "route-queue,gold,1")


async def test_two_routers_on_one_server_move_a_call_once_and_record_it_once() -> None:
    async with Site(plan(), routers=2) as site:
        site.link.park(parked())
        await site.run(1)
        site.land(parked())

        assert site.places() == ["route-queue,gold,1"]
        assert len(await site.decisions()) == 1
        assert site.questions == ["+41791234567"]
        assert call_tasks() == []


async def test_a_call_that_the_dialplan_took_from_two_routers_is_recorded_once() -> None:
    async with Site(plan(), routers=2) as site:
        site.crm_seconds = 10
        site.link.park(parked())
        await site.run()
        site.tell(parked(), HELD)

        (decision,) = await site.decisions()
        assert decision.ending is Ending.DEFAULTED


async def test_calls_of_two_servers_are_kept_apart() -> None:
    """Two servers without a `systemname` may make the same ids."""
    async with Site(plan(), servers=(SERVER, PBX2)) as site:
        here, there = parked(), parked(server=PBX2, did="0445550002")
        for event in (here, there):
            site.links[event.server].park(event)
        await site.run(1)
        site.tell(there, CallerHungUp(1))
        site.land(here)

        assert (site.places(SERVER), site.places(PBX2)) == (
            ["route-queue,gold,1"],
            ["route-queue,reception,1"],
        )
        endings = {decision.server: decision.ending for decision in await site.decisions()}
        assert endings == {SERVER: Ending.TAKEN, PBX2: Ending.ABANDONED}


async def test_an_answer_that_comes_too_late_moves_nobody_and_serves_the_next_call() -> None:
    async with Site(plan()) as site:
        site.crm_seconds = 4
        site.link.park(parked())
        await site.run(5)
        assert site.places() == ["route-queue,desk,1"]

        site.link.park(another(2, caller_number="0791234567"))
        await site.run()

        assert site.places() == ["route-queue,desk,1", "route-queue,gold,1"]
        assert site.questions == ["+41791234567"]


async def test_without_a_store_a_call_goes_at_once_where_the_rule_wants() -> None:
    async with Site(plan(outcomes={Outcome.OVERLOADED: queue("busy")})) as site:
        site.store.outage = StoreUnavailable("Redis is away")
        site.link.park(parked())
        await site.run()
        site.store.outage = None
        site.land(parked())

        assert site.places() == ["route-queue,busy,1"]
        (decision,) = await site.decisions()
        assert decision.lookup is not None
        assert (decision.outcome, decision.lookup.problem) == (Outcome.OVERLOADED, "Redis is away")


async def test_a_caller_who_hangs_up_while_waiting_is_neither_claimed_nor_moved() -> None:
    async with Site(plan()) as site:
        site.link.park(parked())
        await site.run()
        site.tell(parked(), CallerHungUp(1))
        await site.run(10)

        assert site.places() == []
        assert await is_unclaimed(site, parked())
        assert [decision.ending for decision in await site.decisions()] == [Ending.ABANDONED]


async def test_an_unknown_tenant_is_sent_on_when_no_other_router_knows_it() -> None:
    async with Site() as site:
        site.link.park(parked())
        await site.run(10)

        assert site.link.armed == []
        assert [dict(moved.variables) for moved in site.link.moved] == [{"ROUTE_TO": ""}]


async def test_a_test_call_lands_where_it_ends_whatever_tenants_there_are() -> None:
    async with Site(plan_of(tenant(id=TEST_TENANT))) as site:
        site.link.park(parked(tenant=TEST_TENANT))
        await site.run(1)

        assert site.places() == ["route-prove,landed,1"]
        assert site.questions == []


async def test_a_paused_test_call_is_left_alone_and_others_are_not() -> None:
    async with Site(plan(), plan_of(tenant(id=PAUSED_TENANT))) as site:
        paused = another(9, tenant=PAUSED_TENANT)
        site.link.park(paused)
        site.engine.on_news(ParkedList(SERVER, (paused,)))
        site.link.park(parked())
        await site.run(7)

        assert site.places() == ["route-queue,gold,1"]
        assert {armed.channel for armed in site.link.armed} == {parked().channel}
        assert await is_unclaimed(site, paused)


async def test_a_call_that_nothing_more_is_heard_of_is_let_go() -> None:
    async with Site(plan()) as site:
        site.link.park(parked())
        await site.run(60)

        assert [decision.ending for decision in await site.decisions()] == [Ending.UNCONFIRMED]
        assert call_tasks() == []
        assert site.engine.calls == []


def inboxes() -> int:
    gc.collect()
    return sum(isinstance(thing, Inbox) for thing in gc.get_objects())


async def test_every_end_frees_the_call() -> None:
    before = inboxes()
    async with Site(plan()) as site:
        ends: list[AsteriskEvent] = [HELD, CallerHungUp(1)]
        for number in range(100):
            event = another(number)
            site.link.park(event)
            await site.run()
            site.tell(event, ends[number % 2])
        await site.run(5)

        assert site.engine.calls == []
        assert call_tasks() == []
        assert inboxes() == before


@pytest.mark.parametrize("token", ["", "x", "x.1", ".", "deadbeef-1.1", "deadbeef-1.²"])
async def test_an_answer_for_nobody_is_no_harm(token: str) -> None:
    async with Site(plan()) as site:
        site.engine.on_answer(token, found())

        assert site.engine.calls == []


async def test_an_answer_that_comes_again_is_counted_and_moves_nobody() -> None:
    async with Site(plan()) as site:
        site.crm_seconds = 60
        site.link.park(parked())
        await site.run()
        (flight,) = site.store.flights.values()
        (waiter,) = flight.waiters

        site.engine.on_answer(waiter.token, found())
        await site.run(1)
        site.engine.on_answer(waiter.token, found())
        await site.run(1)

        assert site.places() == ["route-queue,gold,1"]
        assert site.engine.answers_late == 1


async def test_a_call_that_lands_in_an_ivr_and_is_parked_at_once_is_a_call_of_its_own() -> None:
    """Landing and parking may come in one packet, before the first call's inbox has seen its end."""
    async with Site(plan()) as site:
        site.link.park(parked())
        await site.run(1)
        again = parked(parking=2, caller_number="0791110000")
        site.land(parked())
        site.link.park(again)
        await site.run(1)

        assert site.places() == ["route-queue,gold,1", "route-queue,desk,1"]
        assert len(await site.decisions()) == 1


async def test_a_call_that_is_another_tenants_by_now_is_decided_by_its_plan() -> None:
    """It left unseen, for the connection was down, and came back through the other tenant's trunk."""
    async with Site(plan(), rivals_plan()) as site:
        site.crm_seconds = 1
        site.link.park(parked())
        await site.run()
        site.link.park(parked(parking=2, tenant=RIVAL))
        await site.run(2)

        assert site.places() == ["route-queue,rivals-gold,1"]
        assert [(each.tenant, each.ending) for each in await site.decisions()] == [
            ("acme", Ending.UNCONFIRMED)
        ]


async def test_new_plans_are_for_new_calls() -> None:
    async with Site(plan()) as site:
        site.link.park(parked())
        await site.run()
        site.plans.put(plan(lines=(line("=", "gold", to="new"),)))
        site.link.park(another(2, caller_number="0791234567"))
        site.plans.remove(TenantId("acme"))
        await site.run(1)

        assert sorted(site.places()) == ["route-queue,gold,1", "route-queue,new,1"]


# The connection to Asterisk.


async def test_calls_that_wait_when_a_router_starts_are_taken_up() -> None:
    async with Site(plan()) as site:
        waiting = another(2, caller_number="0791234567", is_resynced=True, hold_seconds=1.0)

        site.link.come_up([waiting])
        site.link.park(waiting)
        await site.run(1)

        assert site.places() == ["route-queue,gold,1"]


async def test_after_a_reconnect_those_that_left_are_let_go_and_the_others_go_on() -> None:
    async with Site(plan()) as site:
        site.crm_seconds = 1
        left, stayed = another(2), another(3)
        site.link.park(left)
        site.link.park(stayed)
        await site.run()

        site.link.go_down()
        site.link.come_up([replace(stayed, is_resynced=True)])
        await site.run(2)

        assert [moved.channel for moved in site.link.moved] == [stayed.channel]
        assert [(each.channel, each.ending) for each in await site.decisions()] == [
            (left.channel, Ending.VANISHED)
        ]


async def test_a_call_of_this_connection_may_be_missing_from_its_list() -> None:
    """It was parked while Asterisk made the list."""
    async with Site(plan()) as site:
        site.crm_seconds = 1
        site.link.park(parked())
        site.link.come_up([parked()])
        site.link.park(another(2))
        site.link.tell(ParkedList(SERVER, (parked(),)))
        await site.run(2)

        assert len(site.link.moved) == 2


async def test_a_call_that_hears_its_greeting_outlives_a_reconnect() -> None:
    async with Site(greeting_plan()) as site:
        site.crm = {"4711": found()}
        first = parked(entry="account")
        site.link.park(first)
        await site.run()
        site.tell(first, CallAsking(1))
        await site.run()

        site.link.go_down()
        site.link.come_up()
        await site.run()
        assert [call.state for call in site.engine.calls] == [CallState.ASKING]

        site.link.park(replace(first, parking=2, digits="4711", asked=AskedFor.KEYED))
        await site.run(1)
        assert site.places() == ["greeting", "route-queue,gold,1"]


async def test_after_a_restart_nothing_is_sent_for_calls_of_before() -> None:
    """Not even where the answer is already waiting: the channel's name may be a stranger's."""
    async with Site(plan()) as site:
        site.crm_seconds = 60
        site.link.park(parked())
        await site.run()
        (flight,) = site.store.flights.values()
        (waiter,) = flight.waiters
        armed = list(site.link.armed)

        site.engine.on_answer(waiter.token, found())
        site.link.come_up(is_restart=True)
        await site.run(10)

        assert site.link.moved == []
        assert site.link.armed == armed
        assert await is_unclaimed(site, parked())
        (decision,) = await site.decisions()
        assert (decision.ending, decision.outcome) == (Ending.VANISHED, None)


async def test_after_a_restart_a_greeting_is_not_waited_for() -> None:
    async with Site(greeting_plan()) as site:
        first = parked(entry="account")
        site.link.park(first)
        await site.run()
        site.tell(first, CallAsking(1))
        await site.run()

        site.link.come_up(is_restart=True)
        await site.run()

        assert site.engine.calls == []


async def test_a_restart_of_one_server_leaves_the_calls_of_another_alone() -> None:
    async with Site(plan(), servers=(SERVER, PBX2)) as site:
        site.links[SERVER].park(parked())
        await site.run()

        site.links[PBX2].come_up(is_restart=True)
        await site.run(1)

        assert site.places(SERVER) == ["route-queue,gold,1"]


async def test_after_a_restart_a_claim_that_was_under_way_moves_nobody() -> None:
    async with Site(plan()) as site:
        site.link.answers_flow.clear()
        site.link.park(parked())
        await site.run(1)

        site.link.come_up(is_restart=True)
        site.link.answers_flow.set()
        await site.run(1)

        assert site.link.moved == []
        assert site.engine.calls == []


async def test_a_parking_that_came_with_the_restart_is_not_taken_from_a_call_of_before() -> None:
    async with Site(plan()) as site:
        site.link.park(parked())
        await site.run()
        site.tell(parked(), CallerHungUp(1))
        site.link.park(parked(parking=2))
        site.link.come_up(is_restart=True)
        await site.run(10)

        assert site.link.moved == []
        assert await is_unclaimed(site, parked(parking=2))


async def test_a_connection_lost_during_the_claim_leaves_the_call_to_the_dialplan() -> None:
    async with Site(plan()) as site:
        site.link.answers_flow.clear()
        site.link.park(parked())
        await site.run(1)

        site.link.go_down()
        site.link.answers_flow.set()
        site.link.come_up([parked(is_resynced=True)])
        await site.run(1)
        site.tell(parked(), HELD)

        assert site.link.moved == []
        (decision,) = await site.decisions()
        assert (decision.ending, decision.won_claim) == (Ending.DEFAULTED, False)
        assert decision.problem.startswith("the claim failed: ")


class LosesItselfAtTheMove(FakeLink):
    async def move(
        self, channel: ChannelName, parking: int, variables: Sequence[tuple[str, str]], place: Destination
    ) -> MoveAnswer:
        self.is_silent = True
        return await super().move(channel, parking, variables, place)


async def test_a_connection_lost_during_the_move_leaves_the_call_to_the_dialplan() -> None:
    async with Site(plan(), link=LosesItselfAtTheMove(SERVER)) as site:
        site.link.park(parked())
        await site.run(1)
        site.link.is_silent = False
        site.link.come_up([parked(is_resynced=True)])
        await site.run(1)
        site.tell(parked(), replace(HELD, why=DefaultedWhy.GRACE))

        assert site.link.moved == []
        (decision,) = await site.decisions()
        assert (decision.ending, decision.won_claim) == (Ending.DEFAULTED, True)
        assert decision.problem.startswith("the redirect failed: ")


async def test_a_claim_that_another_has_moves_nobody() -> None:
    async with Site(plan()) as site:
        site.link.claim_elsewhere(parked().channel, 1)
        site.link.park(parked())
        await site.run(1)

        assert site.link.moved == []


# Failures of our own.


class RaisesForOne(FakeLink):
    async def claim(self, channel: ChannelName, parking: int) -> ClaimAnswer:
        if channel == parked().channel:
            raise RuntimeError("a mistake of ours")
        return await super().claim(channel, parking)


async def test_a_mistake_in_one_call_harms_no_other() -> None:
    async with Site(plan(), link=RaisesForOne(SERVER)) as site:
        with capture_logs() as logs:
            site.link.park(parked())
            site.link.park(another(2, caller_number="0791234567"))
            await site.run(1)

        failed = [entry["uniqueid"] for entry in logs if entry["event"] == "call.failed"]
        assert failed == [parked().uniqueid]
        assert [moved.channel for moved in site.link.moved] == [another(2).channel]
        assert [call.parked.channel for call in site.engine.calls] == [another(2).channel]


class BrokenPlan(TenantPlan):
    def rule_for(self, called: str, entry: str) -> RulePlan:
        raise RuntimeError("a mistake of ours")


async def test_a_tenant_whose_plan_fails_harms_no_other() -> None:
    async with Site(plan(), BrokenPlan(tenant(id=RIVAL), {}, ZURICH)) as site:
        with capture_logs() as logs:
            site.link.park(parked(tenant=RIVAL))
            site.link.park(another(2))
            await site.run(1)

        failed = [entry["tenant"] for entry in logs if entry["event"] == "call.failed"]
        assert failed == [RIVAL]
        assert site.places() == ["route-queue,desk,1"]
        assert len(site.engine.calls) == 1


# Stopping.


async def test_a_router_that_stops_finishes_its_calls_and_takes_no_new_ones() -> None:
    async with Site(plan()) as site:
        site.link.park(parked())
        await site.run()

        stopping = asyncio.create_task(site.engine.stop(60))
        await site.run()
        site.link.park(another(2))
        await site.run(1)
        assert not stopping.done()
        site.land(parked())
        await site.run()

        assert stopping.done()
        assert site.places() == ["route-queue,gold,1"]
        assert await is_unclaimed(site, another(2))


async def test_a_router_that_stops_does_not_wait_for_a_greeting() -> None:
    async with Site(greeting_plan()) as site:
        first = parked(entry="account")
        site.link.park(first)
        await site.run()

        stopping = asyncio.create_task(site.engine.stop(3_600))
        await site.run()
        assert not stopping.done()
        site.tell(first, CallAsking(1))
        await site.run()

        assert stopping.done()


async def test_a_router_stops_in_time_whatever_its_calls_wait_for() -> None:
    async with Site(plan()) as site:
        site.link.answers_flow.clear()
        site.link.park(parked())
        await site.run(1)

        await site.engine.stop(5)

        assert [call.state for call in site.engine.calls] == [CallState.CLAIMING]


async def test_an_idle_router_stops_at_once() -> None:
    async with Site(plan()) as site:
        stopping = asyncio.create_task(site.engine.stop(3_600))
        await site.run()

        assert stopping.done()


async def test_an_answer_for_a_call_of_many_finds_its_own() -> None:
    async with Site(plan()) as site:
        site.crm = {f"+4179123{number:04}": found() for number in range(0, 50, 2)}
        calls = [another(number, caller_number=f"079123{number:04}") for number in range(50)]
        for event in calls:
            site.link.park(event)
        await site.run(1)

        moved = {moved.channel: dict(moved.variables)["ROUTE_OPTION"] for moved in site.link.moved}
        assert moved == {
            event.channel: ("desk" if number % 2 else "gold") for number, event in enumerate(calls)
        }
