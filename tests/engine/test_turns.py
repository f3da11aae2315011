"""More news than can be handled at once."""

import asyncio
from functools import partial

from router.ami.seam import ServerRestarted
from router.core.events import CallerHungUp, CallParked
from router.core.identities import ChannelName, TenantId, Uniqueid
from router.engine.turns import Turns
from tests.core.makers import SERVER, line, parked, plan, plan_of, queue, rule, tenant
from tests.engine.sites import Site

RIVAL = TenantId("rival")


async def test_what_is_little_is_handed_on_at_once() -> None:
    turns: Turns[str] = Turns(each_turn=2)
    seen: list[str] = []

    turns.put("a", partial(seen.append, "a1"))
    turns.put("a", partial(seen.append, "a2"))

    assert (seen, turns.waiting) == (["a1", "a2"], 0)


async def test_a_quiet_tenant_waits_for_one_of_a_noisy_one_and_order_is_kept() -> None:
    turns: Turns[str] = Turns(each_turn=2)
    seen: list[str] = []
    for number in range(100):
        turns.put("noisy", partial(seen.append, f"noisy {number}"))
    turns.put("quiet", partial(seen.append, "quiet"))

    at_once = len(seen)
    await asyncio.sleep(0)

    assert at_once == 2
    assert seen[2:] == ["noisy 2", "quiet"]
    for _ in range(100):
        await asyncio.sleep(0)
    assert [each for each in seen if each != "quiet"] == [f"noisy {number}" for number in range(100)]


async def test_one_that_breaks_does_not_keep_the_others() -> None:
    turns: Turns[str] = Turns(each_turn=1)
    seen: list[str] = []
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context["exception"]))
    turns.put("a", partial(seen.append, "a1"))
    turns.put("a", partial([].pop, 0))
    turns.put("a", partial(seen.append, "a2"))

    for _ in range(100):
        await asyncio.sleep(0)

    assert seen == ["a1", "a2"]
    assert [type(error) for error in told] == [IndexError]


def numbered(number: int) -> tuple[Uniqueid, ChannelName]:
    return Uniqueid(f"pbx1-{number}.1"), ChannelName(f"PJSIP/trunk-{number:08}")


async def test_a_burst_of_one_tenant_leaves_the_other_its_turn() -> None:
    rivals = plan_of(tenant(rule(default=queue("rivals"), lines=(line("=", "gold", to="gold"),)), id=RIVAL))
    async with Site(plan(), rivals) as site:
        burst(site)
        uniqueid, channel = numbered(900)
        site.link.park(parked(uniqueid=uniqueid, channel=channel, tenant=RIVAL))

        await asyncio.sleep(0)
        begun = [call.parked.tenant for call in site.engine.calls]
        await site.run(5)

        assert RIVAL in begun
        assert len(begun) < 50
        assert len(site.link.moved) == 501


async def test_a_call_that_hangs_up_before_its_turn_is_over() -> None:
    async with Site(plan()) as site:
        for event in burst(site):
            site.link.say(event.uniqueid, CallerHungUp(1))
        await site.run(5)

        assert site.engine.calls == []
        assert site.link.moved == []


async def test_what_was_heard_before_a_restart_opens_no_call() -> None:
    async with Site(plan()) as site:
        burst(site)
        site.engine.on_news(ServerRestarted(SERVER))
        await site.run(5)

        assert site.engine.calls == []
        assert site.link.moved == []


async def test_a_call_that_left_before_its_turn_while_the_link_was_down_is_let_go() -> None:
    async with Site(plan()) as site:
        site.crm_seconds = 1.0
        burst(site)
        site.link.go_down()
        site.link.come_up()
        await site.run(20)

        assert site.engine.calls == []


def burst(site: Site) -> list[CallParked]:
    events = []
    for number in range(500):
        uniqueid, channel = numbered(number)
        events.append(parked(uniqueid=uniqueid, channel=channel))
        site.link.park(events[-1])
    return events
