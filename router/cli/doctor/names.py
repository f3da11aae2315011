"""Do the names of the hosts in the configuration resolve, and how fast.

Each look-up has a thread of its own that nobody waits for at the end: the system's resolver cannot be
interrupted.
"""

import asyncio
import ipaddress
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from router.cli.doctor.findings import Area, Finding
from router.core.tenants import Tenant
from router.settings.model import Settings
from router.store.addresses import parse_address
from router.store.errors import StoreMisconfigured

AT_ONCE = 16
SLOW_MS = 500.0
SHOWN_ONE_BY_ONE = 6


class Resolved(Struct, frozen=True):
    host: str
    ms: float
    problem: str = ""


async def name_findings(settings: Settings, tenants: Iterable[Tenant], seconds: float) -> list[Finding]:
    hosts = sorted({host for host in (*_own_hosts(settings), *_crm_hosts(tenants)) if not is_address(host)})
    gate = asyncio.Semaphore(AT_ONCE)

    async def resolve_in_turn(host: str) -> Resolved:
        async with gate:
            return await resolve(host, seconds)

    return judge_names(await asyncio.gather(*(resolve_in_turn(host) for host in hosts)))


def judge_names(resolved: Iterable[Resolved]) -> list[Finding]:
    area = Area("names")
    well = []
    for one in resolved:
        if one.problem:
            mend = "Correct the name in the configuration, or ask whoever keeps your DNS."
            area.wrong(one.host, one.problem, mend, one.ms)
        elif one.ms > SLOW_MS:
            area.warn(one.host, "resolves, but slowly", "Put a caching resolver on this host.", one.ms)
        else:
            well.append(one)
    if len(well) > SHOWN_ONE_BY_ONE:
        slowest = max(well, key=lambda one: one.ms)
        area.ok(f"{len(well)} names", f"resolve; slowest is {slowest.host}", slowest.ms)
    else:
        for one in well:
            area.ok(one.host, "resolves", one.ms)
    if not area.findings:
        area.ok("names", "there is none to resolve")
    return area.findings


async def resolve(host: str, seconds: float) -> Resolved:
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[str] = loop.create_future()
    started = time.monotonic()

    def settle(problem: str) -> None:
        if not answered.done():
            answered.set_result(problem)

    def look_up() -> None:
        try:
            socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            problem = ""
        except (OSError, UnicodeError) as error:
            problem = f"does not resolve: {getattr(error, 'strerror', None) or error}"
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, problem)

    threading.Thread(target=look_up, daemon=True, name=f"resolve {host}").start()
    try:
        async with asyncio.timeout(seconds):
            problem = await answered
    except TimeoutError:
        problem = f"does not resolve within {seconds:g} s"
    return Resolved(host, (time.monotonic() - started) * 1000, problem)


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return not host
    return True


def _own_hosts(settings: Settings) -> Iterator[str]:
    for server in settings.asterisk:
        yield server.host
    if settings.redis.url:
        try:
            yield from (host.name for host in parse_address(settings.redis.url).hosts)
        except StoreMisconfigured:
            return  # told where Redis is looked at


def _crm_hosts(tenants: Iterable[Tenant]) -> Iterator[str]:
    for tenant in tenants:
        for integration in tenant.integrations:
            yield from url_hosts(integration.settings)
        for rule in tenant.rules:
            if rule.source and rule.source.custom is not None:
                yield from url_hosts(rule.source.custom)


def url_hosts(value: Any) -> Iterator[str]:
    """The host of every address that stands somewhere in a connector's settings."""
    match value:
        case dict():
            for item in value.values():
                yield from url_hosts(item)
        case list() | tuple():
            for item in value:
                yield from url_hosts(item)
        case str() if value.lower().startswith(("http://", "https://")):
            try:
                host = urlsplit(value).hostname or ""
            except ValueError:
                return
            if host and "{" not in host:
                yield host
