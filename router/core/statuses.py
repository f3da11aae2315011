"""What a router tells of itself once a second: its Asterisk servers, and the calls that it has parked.

Spans are told, never moments: whoever reads adds how old the status is by the store's clock, so that no two
hosts' clocks are compared. A status is bounded, however many calls there are: the oldest of each tenant are
listed, and all of them counted.
"""

from collections.abc import Mapping

from msgspec import Struct

from router.core.identities import RouterName, RuleName, ServerName, TenantId, Uniqueid

LISTED_MOST = 500
"""Calls that one router lists."""
LISTED_OF_TENANT = 50
TENANTS_MOST = 1_000
"""Tenants whose calls are counted apart, on one server: those with the most."""


class ParkedCall(Struct, frozen=True, kw_only=True):
    """A call that waits for its decision, or hears the greeting that asks for digits."""

    server: ServerName
    call: Uniqueid
    parking: int
    tenant: TenantId
    caller: str
    """Empty for a withheld number."""
    called: str
    rule: RuleName | None
    parked_seconds: float
    is_greeted: bool = False


class ServerStatus(Struct, frozen=True, kw_only=True):
    """One Asterisk server, as one router knows it."""

    server: ServerName
    is_connected: bool
    since_seconds: float
    """How long it has been connected, or not."""
    problem: str = ""
    """Why there is no connection; empty before the first attempt has ended."""
    version: str = ""
    """As Asterisk writes it; of the last connection where there is none."""
    warning: str = ""
    """Why this version is not to be trusted with calls, or empty."""
    parked: int = 0
    parked_of: Mapping[TenantId, int] = {}


class RouterStatus(Struct, frozen=True, kw_only=True):
    router: RouterName
    version: str
    """Of crmroute; empty where nobody knows."""
    up_seconds: float
    is_stopping: bool = False
    servers: tuple[ServerStatus, ...] = ()
    parked: tuple[ParkedCall, ...] = ()
    """The oldest of each tenant."""


class ToldStatus(Struct, frozen=True):
    """A router's status, as the store has it."""

    router: RouterName
    age_seconds: float
    """Since it was told, by the store's clock."""
    status: RouterStatus | None
    """None: the router has told nothing for a while, or in words that are not understood here."""
