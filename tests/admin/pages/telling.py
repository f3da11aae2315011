"""A router's part for tests in a browser: it tells its status and records decisions, in the site's Redis."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from router.core.decisions import Decision
from router.core.identities import RouterName, RuleName, ServerName, TenantId, Uniqueid
from router.core.statuses import ParkedCall, RouterStatus, ServerStatus
from router.settings.load import load_settings
from router.store.redis_store import open_store
from router.store.seams import Store

PBX = ServerName("pbx1")


def parked_call(call: str, tenant: str = "acme", **changes: object) -> ParkedCall:
    fields: dict[str, object] = {
        "server": PBX,
        "call": Uniqueid(call),
        "parking": 1,
        "tenant": TenantId(tenant),
        "caller": "+33612345678",
        "called": "+33142345001",
        "rule": RuleName("Loyalty"),
        "parked_seconds": 2.0,
    }
    return ParkedCall(**{**fields, **changes})  # type: ignore[arg-type]  # the fields of a dictionary


def status(
    *calls: ParkedCall, router: str = "router-1", servers: tuple[ServerStatus, ...] = ()
) -> RouterStatus:
    counts: dict[TenantId, int] = {}
    for call in calls:
        counts[call.tenant] = counts.get(call.tenant, 0) + 1
    own = ServerStatus(
        server=PBX,
        is_connected=True,
        since_seconds=4000.0,
        version="22.10.1",
        parked=len(calls),
        parked_of=counts,
    )
    return RouterStatus(
        router=RouterName(router), version="1.0", up_seconds=4000.0, servers=(own, *servers), parked=calls
    )


class Telling:
    """For tests that have no event loop of their own: each step runs in a thread that has one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def status(self, told: RouterStatus) -> None:
        self._run(lambda store: store.statuses.put(told))

    def decisions(self, *made: Decision) -> None:
        async def record(store: Store) -> None:
            for one in made:
                await store.decisions.record(one, is_only_witness=True)

        self._run(record)

    def _run(self, work: Callable[[Store], Awaitable[None]]) -> None:
        async def run() -> None:
            store = await open_store(load_settings(self._folder, {}, with_asterisk=False).redis)
            try:
                await work(store)
            finally:
                await store.aclose()

        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, run()).result()
