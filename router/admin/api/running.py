"""The running system by the API: calls now, overviews, Asterisk servers. What the pages show, and no more."""

from datetime import datetime

from litestar import Controller, get
from msgspec import Struct

from router.admin.api.moments import moment
from router.admin.handed import TextInPath, TheSite, Who
from router.admin.live import LiveView, ServersView
from router.admin.overview import CrmHealth, crm_states, installation, tenant_overview
from router.core.crm_states import CrmState
from router.core.hours import Hour, TenantHour
from router.core.identities import IntegrationName, TenantId
from router.core.installation import RouterView, ServerLink
from router.core.roles import Permission
from router.core.statuses import ParkedCall


class DecidedCall(Struct, frozen=True, kw_only=True):
    """A decision of the last minute; `/tenants/{tenant}/calls/{call}` has the whole of it."""

    call: str
    tenant: TenantId
    server: str
    decided_seconds: float
    """Ago."""
    caller: str
    """Empty for a withheld number."""
    called: str
    rule: str
    outcome: str
    destination: str
    ending: str


class Live(Struct, frozen=True, kw_only=True):
    """Now, at most two seconds late."""

    parked: int
    """Calls that are held now."""
    parked_calls: tuple[ParkedCall, ...]
    """Those that have waited longest, up to a hundred."""
    decided: int
    """Decisions of the last minute."""
    decided_calls: tuple[DecidedCall, ...]
    """The latest first, up to a hundred."""


class MinuteDetails(Struct, frozen=True, kw_only=True):
    begins_at: datetime
    calls: int
    failed: int
    """Those whose look-up failed."""


class HourDetails(Struct, frozen=True, kw_only=True):
    calls: int
    failed: int
    minutes: tuple[MinuteDetails, ...]
    """Sixty, the oldest first; the last one is the present."""
    outcomes: dict[str, int]
    """Empty is for calls that were never looked up."""


class CrmDetails(Struct, frozen=True, kw_only=True):
    integration: IntegrationName
    connector: str
    state: CrmState
    """As `/tenants/{tenant}/integrations/{integration}/state` tells it."""
    log_waiting: int
    """Finished calls that are to be written."""
    log_failed: int
    """Those that were given up."""
    log_problem: str
    """Why the last one was not written; empty when it works."""


class Overview(Struct, frozen=True, kw_only=True):
    parked: int | None
    """Calls that are held now; null while Redis cannot be reached."""
    hour: HourDetails
    crms: tuple[CrmDetails, ...]


class ServerDetails(Struct, frozen=True, kw_only=True):
    server: str
    is_reached: bool
    version: str
    """Empty before the first connection."""
    warning: str
    """Why this version is not to be trusted with calls, or empty."""
    parked: int
    calls_of_last_minute: int
    links: tuple[ServerLink, ...]
    """None where no router tells of it any more."""


class Running(Struct, frozen=True, kw_only=True):
    routers: tuple[RouterView, ...]
    """`silent_seconds` is 0 while a router tells of itself each second."""
    servers: tuple[ServerDetails, ...]
    """Those with trouble first."""


class InstallationOverview(Struct, frozen=True, kw_only=True):
    parked: int | None
    """Calls that are held now; null while Redis cannot be reached."""
    hour: HourDetails
    running: Running | None
    """Null while Redis cannot be reached."""
    tenants: tuple[TenantHour, ...]
    """Those with trouble first."""


class TenantNowController(Controller):
    path = "/tenants/{tenant:str}"
    tags = ("Now",)

    @get("/live", operation_id="readLive")
    async def read_live(self, site: TheSite, identity: Who, tenant: TextInPath) -> Live:
        """Calls that are held now, and the decisions of the last minute."""
        identity.require(Permission.SEE, TenantId(tenant))
        async with site.database.reading() as connection:
            await site.require_tenant(connection, TenantId(tenant))
        return _live(await site.live.view(TenantId(tenant)))

    @get("/overview", operation_id="readTenantOverview")
    async def read_overview(self, site: TheSite, identity: Who, tenant: TextInPath) -> Overview:
        """The last hour, and how the CRMs fare. It asks a worker, and may take four seconds."""
        identity.require(Permission.SEE, TenantId(tenant))
        told = await tenant_overview(site, TenantId(tenant))
        states = await crm_states(site, TenantId(tenant), told.crms)
        crms = tuple(_crm(crm, state) for crm, state in zip(told.crms, states, strict=True))
        return Overview(parked=told.parked, hour=_hour(told.hour), crms=crms)


class NowController(Controller):
    tags = ("Now",)

    @get("/live", operation_id="readLiveOfAll")
    async def read_live(self, site: TheSite, identity: Who) -> Live:
        """The same over all tenants, for the provider."""
        identity.require(Permission.MANAGE_TENANTS, None)
        return _live(await site.live.view(None))

    @get("/overview", operation_id="readOverview")
    async def read_overview(self, site: TheSite, identity: Who) -> InstallationOverview:
        """The last hour over all tenants, and what runs; for the provider."""
        identity.require(Permission.MANAGE_TENANTS, None)
        told = await installation(site)
        running = _running(told.seen) if told.seen else None
        return InstallationOverview(
            parked=told.parked, hour=_hour(told.hour), running=running, tenants=told.tenants
        )

    @get("/servers", operation_id="listServers")
    async def list_servers(self, site: TheSite, identity: Who) -> Running:
        """Each Asterisk server and router, with what connects them; for the provider."""
        identity.require(Permission.SEE_SERVERS, None)
        return _running(await site.live.servers())


def _live(view: LiveView) -> Live:
    decided = tuple(
        DecidedCall(
            call=call.call,
            tenant=call.tenant,
            server=call.server,
            decided_seconds=round(max(0.0, view.now - call.recorded_at), 3),
            caller=call.caller,
            called=call.called,
            rule=call.rule or "",
            outcome=call.outcome.value if call.outcome else "",
            destination=call.destination,
            ending=call.ending.value,
        )
        for call in view.decided.calls
    )
    return Live(
        parked=view.parked.count,
        parked_calls=view.parked.calls,
        decided=view.decided.count,
        decided_calls=decided,
    )


def _hour(hour: Hour) -> HourDetails:
    minutes = tuple(
        MinuteDetails(begins_at=moment(one.begins_at), calls=one.calls, failed=one.failed)
        for one in hour.minutes
    )
    return HourDetails(calls=hour.calls, failed=hour.failed, minutes=minutes, outcomes=dict(hour.outcomes))


def _crm(crm: CrmHealth, state: CrmState) -> CrmDetails:
    log = crm.log
    return CrmDetails(
        integration=crm.integration,
        connector=crm.connector,
        state=state,
        log_waiting=log.waiting + log.in_hand if log else 0,
        log_failed=log.failed if log else 0,
        log_problem=log.problem if log else "",
    )


def _running(seen: ServersView) -> Running:
    servers = tuple(
        ServerDetails(
            server=view.server,
            is_reached=view.is_reached,
            version=view.version,
            warning=view.warning,
            parked=view.parked,
            calls_of_last_minute=seen.decided[view.server],
            links=view.links,
        )
        for view in seen.servers
    )
    return Running(routers=seen.routers, servers=servers)
