"""Calls from the parking to the queue of the CRM's call log, whoever hears their end and whatever fails."""

import asyncio
from typing import Any

from msgspec.structs import replace
from structlog.testing import capture_logs

from router.core.call_ends import CallStage, CallSummary
from router.core.call_logs import CallEnd, FinishedCall, LogOptions
from router.core.events import CallDefaulted, CallerHungUp, CallParked, DefaultedWhy
from router.core.identities import ChannelName, Uniqueid
from router.core.open_calls import KeptCall, OpenCall
from router.core.plans import TenantPlan
from router.engine.call_logger import CallLogger
from router.store.errors import StoreUnavailable
from router.store.limits import CallLogLimits
from router.store.memory import MemoryStore
from tests.core.makers import ACME, CRM, NOON, line, parked, plan, plan_of, rule, tenant
from tests.engine.sites import Site

AWAY = StoreUnavailable("Redis is away")
ALL = LogOptions(calls=tuple(CallEnd))
OVER = CallSummary(tenant=ACME, stage=CallStage.LANDED, seconds=60, talk_seconds=45.0, is_hung_up=True)
GAVE_UP = CallSummary(tenant=ACME, stage=CallStage.PARKED, seconds=1, is_hung_up=True)


def logging_plan(options: LogOptions = ALL) -> TenantPlan:
    return plan_of(tenant(rule(), integrations=(replace(CRM, log=options),)))


def call(number: int) -> CallParked:
    return parked(
        uniqueid=Uniqueid(f"pbx1-1700046000.{number}"), channel=ChannelName(f"PJSIP/trunk-{number:08}")
    )


def hung_up(summary: CallSummary = OVER, parking: int = 1) -> CallerHungUp:
    return CallerHungUp(parking, summary)


async def land(site: Site, event: CallParked | None = None) -> None:
    site.link.park(event or parked())
    await site.run(1)
    site.land(event or parked())
    await site.run()


async def queued(site: Site, seconds: float = 5.0) -> list[FinishedCall]:
    await site.run(seconds)
    site.store.call_log.limits = CallLogLimits(in_hand=1000)
    return [taken.call for taken in await site.store.call_log.take(1000, 60.0)]


async def test_a_call_that_landed_is_written_when_it_is_over() -> None:
    async with Site(logging_plan()) as site:
        await land(site)
        still_talking = await queued(site)
        await site.run(60)
        site.tell(parked(), hung_up())

        (written,) = await queued(site)
        assert still_talking == []
        assert (written.call_id, written.integration) == (parked().uniqueid, CRM.name)
        assert (written.ending, written.seconds, written.talk_seconds) == (CallEnd.ANSWERED, 60, 45)
        assert NOON <= written.started_at < NOON + 1
        assert written.record_id == "7"


async def test_a_call_that_ends_in_the_moment_it_lands_is_written() -> None:
    """The end comes while the inbox still has the landing before it."""
    async with Site(logging_plan()) as site:
        site.link.park(parked())
        await site.run(1)
        site.land(parked())
        site.tell(parked(), hung_up())

        assert len(await queued(site)) == 1


async def test_a_call_that_the_dialplan_took_is_written() -> None:
    async with Site(logging_plan()) as site:
        site.crm_seconds = 10
        site.link.park(parked())
        await site.run()
        site.tell(parked(), CallDefaulted(1, DefaultedWhy.HOLD, "route-queue/desk/1"))
        await site.run()
        site.tell(parked(), hung_up(replace(OVER, stage=CallStage.DEFAULTED)))

        (written,) = await queued(site)
        assert written.decision.startswith(
            "Nothing was decided; Asterisk took the call to route-queue/desk/1"
        )


async def test_a_caller_who_hangs_up_while_parked_is_written_as_abandoned() -> None:
    async with Site(logging_plan()) as site:
        site.crm_seconds = 10
        site.link.park(parked())
        await site.run()
        site.tell(parked(), hung_up(GAVE_UP))

        (written,) = await queued(site)
        assert (written.ending, written.seconds) == (CallEnd.ABANDONED, 1)


async def test_a_dialplan_that_does_not_tell_how_it_ended_has_nothing_written() -> None:
    async with Site(logging_plan()) as site:
        await land(site)
        site.tell(parked(), CallerHungUp(1))

        assert await queued(site) == []


async def test_nothing_is_asked_of_the_store_for_a_tenant_that_wants_nothing_written() -> None:
    async with Site(plan()) as site:
        await land(site)
        site.call_loggers[next(iter(site.call_loggers))]._calls = _Untouchable()
        site.tell(parked(), hung_up())

        assert await queued(site) == []


class _Untouchable:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nobody may use {name}")


async def test_kinds_of_calls_that_are_not_wanted_are_dropped() -> None:
    async with Site(logging_plan(LogOptions(calls=(CallEnd.MISSED,)))) as site:
        await land(site)
        site.tell(parked(), hung_up())

        assert await queued(site) == []
        assert await site.store.open_calls.find(ACME, parked().uniqueid) is None


async def test_a_call_that_was_parked_twice_is_one_entry_that_began_with_the_first() -> None:
    async with Site(logging_plan()) as site:
        await land(site)
        await site.run(20)
        again = parked(parking=2, caller_number="0791110000")
        await land(site, again)
        await site.run(40)
        site.tell(again, hung_up(replace(OVER, seconds=61), parking=2))

        (written,) = await queued(site)
        assert written.record_id == "7"
        assert written.decision == "Queue desk, the default, because the CRM does not know the caller."
        assert NOON <= written.started_at < NOON + 1


# Several routers, and a router that comes again


async def test_two_routers_that_hear_the_end_write_one_entry() -> None:
    async with Site(logging_plan(), routers=2) as site:
        for number in range(20):
            await land(site, call(number))
        for number in range(20):
            site.tell(call(number), hung_up())

        written = await queued(site)
        assert sorted(one.call_id for one in written) == sorted(call(number).uniqueid for number in range(20))


async def test_two_routers_whose_call_the_dialplan_took_write_one_entry() -> None:
    async with Site(logging_plan(), routers=2) as site:
        site.crm_seconds = 10
        site.link.park(parked())
        await site.run()
        site.tell(parked(), CallDefaulted(1, DefaultedWhy.HOLD, "route-queue/desk/1"))
        site.tell(parked(), hung_up(replace(OVER, stage=CallStage.DEFAULTED)))

        assert len(await queued(site)) == 1


async def test_a_router_that_was_started_again_writes_the_calls_of_its_former_life() -> None:
    async with Site(logging_plan()) as former:
        await land(former)
    async with Site(logging_plan()) as site:
        site.store.call_log = former.store.call_log
        site.call_loggers[next(iter(site.call_loggers))]._calls = former.store.open_calls
        site.tell(parked(), hung_up())

        (written,) = await queued(site)
        assert (written.record_id, written.ending) == ("7", CallEnd.ANSWERED)


async def test_options_that_were_edited_meanwhile_count_when_the_call_ends() -> None:
    async with Site(logging_plan()) as site:
        await land(site)
        site.plans.put(logging_plan(LogOptions(tuple(CallEnd), subject="Call about {rule}")))
        site.tell(parked(), hung_up())

        (written,) = await queued(site)
        assert written.subject == "Call about Sales"


async def test_a_call_of_an_integration_that_is_gone_is_dropped() -> None:
    async with Site(logging_plan()) as site:
        await land(site)
        other = replace(CRM, name="other", log=ALL)
        site.plans.put(plan_of(tenant(rule(lines=(line("=", "gold"),)), integrations=(other,))))
        site.tell(parked(), hung_up())

        assert await queued(site) == []
        assert await site.store.open_calls.find(ACME, parked().uniqueid) is None


# The store away


async def test_ends_wait_while_the_store_is_away_and_keep_their_moment() -> None:
    async with Site(logging_plan()) as site:
        await land(site)
        await site.run(59)
        site.store.outage = AWAY
        site.tell(parked(), hung_up())
        await site.run(3600)
        site.store.outage = None

        (written,) = await queued(site)
        assert NOON - 1 <= written.started_at < NOON + 1


async def test_a_call_that_lands_and_ends_while_the_store_is_away_is_written_later() -> None:
    async with Site(logging_plan()) as site:
        site.link.park(parked())
        await site.run(1)
        site.store.outage = AWAY
        site.land(parked())
        await site.run(30)
        site.tell(parked(), hung_up())
        await site.run(30)
        site.store.outage = None

        assert len(await queued(site)) == 1


async def test_routing_does_not_wait_for_the_call_log() -> None:
    async with Site(logging_plan()) as site:
        site.call_loggers[next(iter(site.call_loggers))]._calls = _Hanging()
        for number in range(50):
            await land(site, call(number))

        assert len(site.places()) == 50
        assert len(await site.decisions()) == 50


class _Hanging:
    async def open(self, call: OpenCall) -> None:
        await asyncio.Event().wait()

    async def find(self, tenant: object, call_id: object) -> KeptCall | None:
        await asyncio.Event().wait()
        return None

    async def close(self, call: OpenCall, finished: FinishedCall | None) -> bool:
        await asyncio.Event().wait()
        return False


async def test_what_does_not_fit_is_dropped_oldest_first_and_counted() -> None:
    site = Site(logging_plan())
    logger = CallLogger(site.store.open_calls, site.plans, most_waiting=3)

    for number in range(5):
        logger.end(call(number).uniqueid, OVER, NOON)

    assert logger.dropped == 2


async def test_a_router_that_stops_writes_what_waits() -> None:
    async with Site(logging_plan()) as site:
        await land(site)
        logger = CallLogger(site.store.open_calls, site.plans)
        logger.end(parked().uniqueid, OVER, NOON + 60)

        await logger.finish(2)

        assert len(await queued(site)) == 1


async def test_an_entry_that_cannot_be_handled_keeps_no_other_one_waiting() -> None:
    async with Site(logging_plan()) as site:
        await land(site, call(1))
        await land(site, call(2))
        site.call_loggers[next(iter(site.call_loggers))]._calls = _StumblesOver(site.store, call(1).uniqueid)

        with capture_logs() as logs:
            site.tell(call(1), hung_up())
            site.tell(call(2), hung_up())
            written = await queued(site)

        assert [one.call_id for one in written] == [call(2).uniqueid]
        assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["call_log.broken"]


class _StumblesOver:
    def __init__(self, store: MemoryStore, call_id: Uniqueid) -> None:
        self._calls = store.open_calls
        self._call_id = call_id

    async def open(self, call: OpenCall) -> None:
        await self._calls.open(call)

    async def find(self, tenant: Any, call_id: Uniqueid) -> KeptCall | None:
        if call_id == self._call_id:
            raise ValueError("a mistake of ours")
        return await self._calls.find(tenant, call_id)

    async def close(self, call: OpenCall, finished: FinishedCall | None) -> bool:
        return await self._calls.close(call, finished)
