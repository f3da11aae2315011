"""The running system, put together from what its routers tell. Pure.

Several routers watch one Asterisk, and each of them holds its calls: a call is one by its server, id and
parking, and how many there are is what the router that knows of the most says.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from router.core.identities import RouterName, ServerName, TenantId
from router.core.statuses import ParkedCall, RouterStatus, ServerStatus, ToldStatus


class ParkedNow(Struct, frozen=True):
    count: int
    """All of them; not each may be listed."""
    calls: tuple[ParkedCall, ...]
    """The oldest first."""


class ServerLink(Struct, frozen=True, kw_only=True):
    """What one router knows of a server."""

    router: RouterName
    is_connected: bool
    since_seconds: float
    problem: str


class ServerView(Struct, frozen=True, kw_only=True):
    server: ServerName
    links: tuple[ServerLink, ...]
    """By the routers' names; none where no router tells of it any more."""
    version: str
    warning: str
    parked: int

    @property
    def is_reached(self) -> bool:
        return any(link.is_connected for link in self.links)

    @property
    def has_trouble(self) -> bool:
        return bool(self.warning) or not self.links or not all(link.is_connected for link in self.links)


class RouterView(Struct, frozen=True, kw_only=True):
    router: RouterName
    silent_seconds: float
    """Since it told of itself last; 0 while it does so each second."""
    version: str = ""
    up_seconds: float = 0.0
    is_stopping: bool = False
    servers: int = 0
    connected: int = 0
    parked: int = 0

    @property
    def is_silent(self) -> bool:
        return self.silent_seconds > 0


def parked_now(told: Iterable[ToldStatus], tenant: TenantId | None = None) -> ParkedNow:
    """Calls that are parked now, each once: those of a tenant, or of all with None."""
    calls: dict[tuple[str, str, int], ParkedCall] = {}
    counts: dict[ServerName, int] = defaultdict(int)
    for age, status in _speaking(told):
        for call in status.parked:
            if tenant is None or call.tenant == tenant:
                aged = replace(call, parked_seconds=call.parked_seconds + age)
                calls.setdefault((call.server, call.call, call.parking), aged)
        for server in status.servers:
            own = server.parked if tenant is None else server.parked_of.get(tenant, 0)
            counts[server.server] = max(counts[server.server], own)
    listed = sorted(calls.values(), key=lambda call: (-call.parked_seconds, call.call))
    return ParkedNow(max(sum(counts.values()), len(listed)), tuple(listed))


def servers_seen(told: Iterable[ToldStatus], known: Iterable[ServerName] = ()) -> tuple[ServerView, ...]:
    """Each server that a router has, and those known before; those with trouble first."""
    by_server: dict[ServerName, list[tuple[RouterName, float, ServerStatus]]] = {name: [] for name in known}
    for age, status in _speaking(told):
        for server in status.servers:
            by_server.setdefault(server.server, []).append((status.router, age, server))
    views = [_server_view(server, links) for server, links in by_server.items()]
    return tuple(sorted(views, key=lambda view: (view.is_reached, not view.has_trouble, view.server)))


def routers_seen(told: Iterable[ToldStatus]) -> tuple[RouterView, ...]:
    """The silent ones first."""
    views = [_router_view(one) for one in told]
    return tuple(sorted(views, key=lambda view: (not view.is_silent, view.router)))


def _speaking(told: Iterable[ToldStatus]) -> Iterator[tuple[float, RouterStatus]]:
    """The youngest first: it knows best how long a call has waited."""
    for one in sorted(told, key=lambda one: (one.age_seconds, one.router)):
        if one.status is not None:
            yield one.age_seconds, one.status


def _server_view(server: ServerName, known: Sequence[tuple[RouterName, float, ServerStatus]]) -> ServerView:
    links = [
        ServerLink(
            router=router,
            is_connected=status.is_connected,
            since_seconds=status.since_seconds + age,
            problem=status.problem,
        )
        for router, age, status in known
    ]
    states = [status for _, _, status in known]
    best = max(states, key=lambda one: (one.is_connected, bool(one.version)), default=None)
    return ServerView(
        server=server,
        links=tuple(sorted(links, key=lambda link: link.router)),
        version=best.version if best else "",
        warning=best.warning if best else "",
        parked=max((status.parked for status in states), default=0),
    )


def _router_view(told: ToldStatus) -> RouterView:
    status = told.status
    if status is None:
        return RouterView(router=told.router, silent_seconds=told.age_seconds)
    return RouterView(
        router=told.router,
        silent_seconds=0.0,
        version=status.version,
        up_seconds=status.up_seconds + told.age_seconds,
        is_stopping=status.is_stopping,
        servers=len(status.servers),
        connected=sum(server.is_connected for server in status.servers),
        parked=sum(server.parked for server in status.servers),
    )
