"""A small site for the command line's tests: its configuration folder, its store, and decisions in it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from router.core.decisions import Decision, Ending, LineTrace, LookupTrace, TestTrace, Verdict
from router.core.identities import (
    E164,
    ChannelName,
    IntegrationName,
    RouterName,
    RuleName,
    ServerName,
    TenantId,
    Uniqueid,
)
from router.core.lookups import Answer, CacheState
from router.core.numbers import Caller, CallerKind
from router.core.rules import Outcome
from router.store.redis_store import RedisStore
from tests.store.servers import settings_for

NOON = 1_795_435_200.0
"""2026-11-23, 12:00 UTC; 13:00 in Paris."""

ACME = """
name = "Acme"
country = "FR"
zone = "Europe/Paris"
default = { destination = "queue", option = "bronze" }

[[numbers]]
did = "+33140000001"
rule = "Loyalty"

[[numbers]]
did = "+33140000002"
rule = "Hours"

[[ivr_entries]]
name = "account"
rule = "Account"

[[rules]]
name = "Loyalty"
field = "status"
source = { custom = { url = "https://crm.invalid/lookup" } }
default = { destination = "ivr", option = "main" }
several = "agreeing"
outcomes.not_found = { destination = "playback", option = "welcome" }
outcomes.several = { destination = "queue", option = "several" }

[[rules.lines]]
operator = "="
value = "gold"
destination = "queue"
option = "gold"

[[rules.lines]]
operator = ">"
value = 10
destination = "queue"
option = "silver"

[[rules]]
name = "Hours"
default = { destination = "voicemail", option = "100" }

[[rules.lines]]
call = "hour"
operator = ">="
value = 9
destination = "queue"
option = "open"

[[rules]]
name = "Account"
field = "balance"
location = "ivr"
greeting = { sound = "acme/your-number" }
source = { custom = { url = "https://crm.invalid/lookup" } }
default = { destination = "queue", option = "bronze" }
outcomes.no_digits = { destination = "queue", option = "no-digits" }

[[rules.lines]]
operator = ">"
value = 0
destination = "queue"
option = "gold"
"""


def write_site(
    folder: Path, url: str, *, ami_port: int = 1, lookup_seconds: float = 0.3, acme: str = ACME
) -> Path:
    """`ami_port` 1 is one on which nobody listens."""
    (folder / "tenants").mkdir(parents=True)
    (folder / "tenants" / "acme.toml").write_text(acme)
    (folder / "local.toml").write_text(
        f"""
[router]
lookup_seconds = {lookup_seconds}
[redis]
url = "{url}"
[[asterisk]]
name = "pbx-a"
host = "127.0.0.1"
port = {ami_port}
username = "router-a"
secret = "a-secret"
"""
    )
    return folder


def decision(number: int = 1, **changes: Any) -> Decision:
    """A silver customer who went to the queue silver by line 2."""
    call_id = Uniqueid(f"pbx-a-1795435200.{number}")
    plain = Decision(
        call_id=call_id,
        linkedid=call_id,
        parking=1,
        server=ServerName("pbx-a"),
        channel=ChannelName(f"PJSIP/trunk-{number:08x}"),
        router=RouterName("router-a"),
        tenant=TenantId("acme"),
        parked_at=NOON + number,
        called_received="0140000001",
        called="+33140000001",
        caller=Caller("0612345678", CallerKind.NUMBER, E164("+33612345678"), "FR"),
        rule=RuleName("Loyalty"),
        plan="a1b2c3d4",
        outcome=Outcome.FOUND,
        lookup=LookupTrace(
            integration=IntegrationName("crm"),
            by="number",
            subject="+33612345678",
            cache=CacheState.MISSING,
            request="GET https://crm.invalid/lookup",
            attempts=1,
            crm_seconds=0.104,
            records=1,
            fields=(("status", "Silver"),),
        ),
        lines=(
            LineTrace(1, False, (TestTrace("status", "Silver", "=", "gold", Verdict.FAILED),)),
            LineTrace(2, True, (TestTrace("status", "Silver", "=", "silver", Verdict.HELD),)),
        ),
        lines_walked=2,
        line_held=2,
        value="Silver",
        asked_target="queue silver",
        asked_place="route-queue,silver,1",
        asked_why="line 2",
        ending=Ending.TAKEN,
        reached_place="route-queue/silver/1",
        won_claim=True,
        steps_ms={"asked": 0.3, "answered": 106.1, "decided": 106.4, "claimed": 107.0, "ended": 1108.9},
    )
    return msgspec.structs.replace(plain, **changes)


def record(url: str, *decisions: Decision) -> None:
    async def write() -> None:
        store = RedisStore(settings_for(url))
        try:
            for one in decisions:
                await store.decisions.record(one, is_only_witness=True)
        finally:
            await store.aclose()

    asyncio.run(write())


@contextmanager
def answering_worker(url: str, answer: Answer) -> Iterator[None]:
    """A worker in a thread, which gives every job the same answer."""

    async def work(stop: asyncio.Event) -> None:
        store = RedisStore(settings_for(url))
        working = asyncio.create_task(_settle_all(store, answer))
        await stop.wait()
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        await store.aclose()

    with in_thread(work):
        yield


async def _settle_all(store: RedisStore, answer: Answer) -> None:
    while True:
        for taken in await store.jobs.take(10):
            await store.jobs.settle(taken, answer)


@contextmanager
def in_thread(work: Callable[[asyncio.Event], Any]) -> Iterator[None]:
    """Run a coroutine in a loop and thread of its own, until the block ends."""
    ready = threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        ready.set()
        await work(stop)

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    ready.wait()
    loop, stop = loops[0]
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
