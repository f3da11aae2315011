"""What a site of the fault suite is made of."""

from dataclasses import dataclass

ROUTERS = ("router-a", "router-b")


@dataclass(frozen=True)
class Plan:
    """What the site is made of."""

    hold: int = 6
    grace: int = 2
    routers: int = 2
    workers: int = 4
    tenants: int = 1
    dialplan: str = ""
    """Added to the tenants' own."""
    settings: str = ""
    """Added to local.toml."""
    worker_settings: tuple[tuple[str, str], ...] = ()
    budget_seconds: float = 0.0
    is_cached: bool = True
    is_scripted: bool = False
    """No Asterisk, but one that plays the dialplan (`tests.faults.scripted`)."""
    has_sentinel: bool = False
    """Redis has a replica, and a Sentinel that decides alone."""
    taps_redis: bool = False
    """Each process reaches Redis through a tap of its own."""
    taps_ami: bool = False
    """Each router reaches Asterisk through a tap of its own."""
    is_watched: bool = False
    """Event loops tell when they stand still."""
    tls_tenant: int = -1
    """The tenant whose CRM has a certificate that nobody signed."""
    has_records: bool = False
    """Tenants come from the records, and an admin process keeps Redis' copy whole."""
