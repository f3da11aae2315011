"""What a site of the fault suite is made of."""

from dataclasses import dataclass
from enum import StrEnum

ROUTERS = ("router-a", "router-b")


class Redis(StrEnum):
    SERVER = "server"
    PAIR = "pair"
    """A master and a replica behind one address, which an operator moves."""
    SENTINEL = "sentinel"
    """A master and a replica, and three Sentinels."""
    CLUSTER = "cluster"
    """Three masters, each with a replica."""


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
    redis: Redis = Redis.SERVER
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
