"""What an overview tells, for the page and for the API: the last hour from SQL, and now from Redis.

Redis may be away while SQL is there: then what it knows is None, and the rest is told.
"""

import asyncio

from msgspec import Struct

from router.admin.connecting import crm_state
from router.admin.live import ServersView
from router.admin.site import Site
from router.core.crm_states import CrmCondition, CrmState
from router.core.hours import Hour, TenantHour, hour, hour_began_at, tenant_hours
from router.core.identities import IntegrationName, TenantId
from router.records import decisions, integrations, tenants
from router.store.call_log_seam import IntegrationLog
from router.store.errors import StoreError

TENANTS_ASKED = 50
"""Tenants with calls for their CRMs that are looked at more closely."""


class CrmHealth(Struct, frozen=True, kw_only=True):
    """One integration: whether calls are written, and how long it has failed."""

    integration: IntegrationName
    connector: str
    log: IntegrationLog | None
    """None: no finished call waits."""

    @property
    def has_trouble(self) -> bool:
        return self.log is not None and bool(self.log.problem or self.log.failed)


class TenantOverview(Struct, frozen=True, kw_only=True):
    hour: Hour
    parked: int | None
    """Calls held now; None while Redis is away."""
    crms: tuple[CrmHealth, ...]


class Installation(Struct, frozen=True, kw_only=True):
    hour: Hour
    parked: int | None
    seen: ServersView | None
    """None while Redis is away."""
    tenants: tuple[TenantHour, ...]
    """Those with trouble first."""


async def tenant_overview(site: Site, tenant: TenantId) -> TenantOverview:
    """Raises NotFound, RecordsError."""
    now = site.clock()
    async with site.database.reading() as connection:
        await site.require_tenant(connection, tenant)
        counted = await decisions.counts(connection, tenant, hour_began_at(now), now + 60)
        rows = await integrations.every(connection, tenant)
    parked, logs = await _known_of(site, tenant)
    crms = [
        CrmHealth(
            integration=row.document.name, connector=row.document.connector, log=logs.get(row.document.name)
        )
        for row in rows
    ]
    told = hour(((one.begins_at, one.outcome, one.calls) for one in counted), now)
    return TenantOverview(hour=told, parked=parked, crms=tuple(crms))


async def installation(site: Site) -> Installation:
    """Raises RecordsError."""
    now = site.clock()
    since, until = hour_began_at(now), now + 60
    async with site.database.reading() as connection:
        counted = await decisions.counts(connection, None, since, until)
        of_tenants = await decisions.counts_of_tenants(connection, since, until)
        names = [row.id for row in await tenants.every(connection)]
    try:
        seen = await site.live.servers()
        parked: int | None = (await site.live.view(None)).parked.count
        unwritten = await _unwritten(site)
    except StoreError:
        seen, parked, unwritten = None, None, {}
    told = hour(((one.begins_at, one.outcome, one.calls) for one in counted), now)
    by_tenant = tenant_hours(names, ((one.tenant, one.outcome, one.calls) for one in of_tenants), unwritten)
    return Installation(hour=told, parked=parked, seen=seen, tenants=by_tenant)


async def crm_states(site: Site, tenant: TenantId, crms: tuple[CrmHealth, ...]) -> list[CrmState]:
    """As the integrations' own pages tell them; nobody knows while Redis is away."""
    return await asyncio.gather(*(_state(site, tenant, crm.integration) for crm in crms))


async def _state(site: Site, tenant: TenantId, integration: IntegrationName) -> CrmState:
    try:
        return await crm_state(site, tenant, integration)
    except StoreError:
        return CrmState(condition=CrmCondition.UNKNOWN)


async def _known_of(site: Site, tenant: TenantId) -> tuple[int | None, dict[IntegrationName, IntegrationLog]]:
    try:
        view = await site.live.view(tenant)
        logs = {log.integration: log for log in await site.store.call_log_desk.overview(tenant)}
    except StoreError:
        return None, {}
    return view.parked.count, logs


async def _unwritten(site: Site) -> dict[TenantId, tuple[int, str]]:
    """Calls that fail to be written, by tenant. Raises `StoreError`."""
    desk = site.store.call_log_desk
    names = (await desk.tenants())[:TENANTS_ASKED]
    overviews = await asyncio.gather(*(desk.overview(name) for name in names))
    found = {}
    for name, logs in zip(names, overviews, strict=True):
        failing = [log for log in logs if log.problem or log.failed]
        if failing:
            count = sum(log.failed + log.waiting for log in failing)
            found[name] = count, next((log.problem for log in failing if log.problem), "")
    return found
