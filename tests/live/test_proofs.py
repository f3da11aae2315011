"""The proofs that the design rests on, on a real Asterisk, with the router's own AMI link and no router.

Each has a short form, which `make test` runs, and one of 10,000 calls, which `make proofs` runs. Callers are
Local channels: what is proved is Asterisk's own behaviour around the claim and the Redirect.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from deploy.rig.asterisk import PROJECT, RunningAsterisk
from router.ami.link import AmiLink
from router.ami.seam import CallNews, LinkUp, ServerNews
from router.core.destinations import Destination
from router.core.events import CallDefaulted, CallParked, CallTaken
from router.core.identities import ServerName, Uniqueid
from router.settings.load import load_settings
from router.settings.model import AmiSettings, AsteriskServer

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("proofs")]

HOLD = 1
LAND = Destination("route-land", "s")
TARGET = "proof-target,s,1"


def wave_of(calls: int) -> int:
    """How many calls are parked at once."""
    return 50 if calls < 1_000 else 200


# Callers that need no CPU once they have landed.
DIALPLAN = """
[proof-trunk]
exten => s,1,Set(ROUTE_TENANT=acme)
 same => n,Set(ROUTE_DEFAULT=proof-default,s,1)
 same => n,Set(ROUTE_WAIT=silence)
 same => n,Goto(route-hold,s,1)
[proof-default]
exten => s,1,NoOp()
 same => n,NoOp()
 same => n,Wait(0.2)
 same => n,Hangup()
[proof-target]
exten => s,1,NoOp()
 same => n,NoOp()
 same => n,Wait(0.2)
 same => n,Hangup()
"""


@pytest.fixture(scope="module")
def server(rig: None) -> Iterator[RunningAsterisk]:
    with RunningAsterisk("pbx-a", hold=HOLD, grace=2, dialplan=DIALPLAN) as running:
        yield running


def ami_settings() -> AmiSettings:
    return load_settings(Path(PROJECT) / "config", {}, with_asterisk=False).ami


class Ear:
    """One link, and what it heard of every call."""

    def __init__(self, server: RunningAsterisk, account: str) -> None:
        address = AsteriskServer(
            name=ServerName("pbx-a"),
            host="127.0.0.1",
            port=server.ami_port,
            username=account,
            secret=server.ami_secret,
        )
        self.link = AmiLink(address, ami_settings(), self.hear)
        self.is_up = asyncio.Event()
        self.parked: asyncio.Queue[CallParked] = asyncio.Queue()
        self.ends: dict[Uniqueid, list[str]] = {}
        self.claims_of_dialplan: Counter[Uniqueid] = Counter()
        self._ended = asyncio.Event()

    def hear(self, news: ServerNews) -> None:
        if isinstance(news, LinkUp):
            self.is_up.set()
        if not isinstance(news, CallNews):
            return
        match news.event:
            case CallParked():
                self.parked.put_nowait(news.event)
            case CallTaken():
                self._end(news.uniqueid, "taken")
            case CallDefaulted(why=why) if why != "ended":
                self._end(news.uniqueid, f"defaulted {why}")

    def _end(self, uniqueid: Uniqueid, how: str) -> None:
        self.ends.setdefault(uniqueid, []).append(how)
        self._ended.set()

    async def wait_for_ends(self, uniqueids: set[Uniqueid]) -> None:
        async with asyncio.timeout(60):
            while not uniqueids <= self.ends.keys():
                self._ended.clear()
                await self._ended.wait()


@asynccontextmanager
async def listening(server: RunningAsterisk, *accounts: str) -> AsyncIterator[list[Ear]]:
    ears = [Ear(server, account) for account in accounts]
    tasks = [asyncio.create_task(ear.link.run()) for ear in ears]
    try:
        for ear in ears:
            async with asyncio.timeout(20):
                await ear.is_up.wait()
        yield ears
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def park_wave(server: RunningAsterisk, ear: Ear, count: int) -> list[CallParked]:
    """Originate and hear so many calls parked."""

    def originate() -> None:
        for _ in range(count):
            server.originate("s", context="proof-trunk")

    await asyncio.to_thread(originate)
    return [await ear.parked.get() for _ in range(count)]


async def moment_reached(moment: float) -> None:
    loop = asyncio.get_running_loop()
    reached = asyncio.Event()
    loop.call_at(moment, reached.set)
    await reached.wait()


def forms(short: int) -> list[object]:
    return [pytest.param(short, id="short"), pytest.param(10_000, id="long", marks=pytest.mark.long)]


@pytest.mark.parametrize("calls", forms(200))
@pytest.mark.timeout(1800)
async def test_two_links_and_the_dialplan_race_for_the_claim_and_one_wins_each(
    server: RunningAsterisk, calls: int
) -> None:
    """Both links ask at HOLD give or take a few milliseconds, when the dialplan asks too."""
    loop, wave = asyncio.get_running_loop(), wave_of(calls)
    async with listening(server, "router-a", "router-b") as ears:

        async def race(event: CallParked, heard_at: float) -> int:
            async def ask(ear: Ear) -> bool:
                moment = heard_at + HOLD + random.uniform(-0.03, 0.005)
                await moment_reached(moment)
                return (await ear.link.claim(event.channel, event.parking)).is_won

            return sum(await asyncio.gather(*(ask(ear) for ear in ears)))

        won_by_a_link = 0
        for _ in range(calls // wave):
            races: dict[Uniqueid, asyncio.Task[int]] = {}
            for event in await park_wave(server, ears[0], wave):
                races[event.uniqueid] = asyncio.create_task(race(event, loop.time()))
            winners = {uniqueid: await task for uniqueid, task in races.items()}
            await ears[0].wait_for_ends(set(races))
            for uniqueid, won in winners.items():
                # Where no link won, the dialplan did; where one did, the dialplan waited GRACE in vain.
                assert ears[0].ends[uniqueid] == (["defaulted grace"] if won else ["defaulted hold"])
                assert won <= 1
            won_by_a_link += sum(winners.values())

    assert 0 < won_by_a_link < calls


@pytest.mark.parametrize("calls", forms(300))
@pytest.mark.timeout(1800)
async def test_redirects_at_random_moments_take_each_call_to_one_place_once(
    server: RunningAsterisk, calls: int
) -> None:
    loop, wave = asyncio.get_running_loop(), wave_of(calls)
    async with listening(server, "router-a") as (ear,):

        async def move(event: CallParked, heard_at: float) -> bool:
            moment = heard_at + random.choice([0.0, random.uniform(0, 0.005), random.uniform(0, HOLD * 1.1)])
            await moment_reached(moment)
            if not (await ear.link.claim(event.channel, event.parking)).is_won:
                return False
            return (
                await ear.link.move(event.channel, event.parking, [("ROUTE_TO", TARGET)], LAND)
            ).is_accepted

        for _ in range(calls // wave):
            moves: dict[Uniqueid, asyncio.Task[bool]] = {}
            for event in await park_wave(server, ear, wave):
                moves[event.uniqueid] = asyncio.create_task(move(event, loop.time()))
            moved = {uniqueid: await task for uniqueid, task in moves.items()}
            await ear.wait_for_ends(set(moves))
            for uniqueid, was_moved in moved.items():
                assert ear.ends[uniqueid] == (["taken"] if was_moved else ["defaulted hold"])

    fates = [fate for (_, _), fate in server.fates().items()]
    assert all(len(fate) <= 1 for fate in fates)
