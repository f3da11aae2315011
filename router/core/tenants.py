"""A tenant: its numbers, IVR entries, integrations and rules.

The struct is the tenant's file (`config/tenants/<tenant>.toml`) as it is written; `router.core.plans` makes
of it the compiled plan that the call path uses.
"""

import re
from typing import Annotated, Any

from msgspec import Meta, Struct

from router.core.call_logs import LogOptions
from router.core.destinations import Target
from router.core.identities import IntegrationName, RuleName, TenantId
from router.core.packable import require_packable
from router.core.rules import Rule

TENANT_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
"""A tenant's id whole: it is part of addresses, keys and places in the dialplan."""


class Number(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A DID of the tenant and the rule that decides its calls."""

    did: str
    rule: RuleName | None = None
    """None: the tenant's default."""
    note: str = ""


class IvrEntry(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A place in one of the tenant's IVRs that hands the call to a rule (`ROUTE_ENTRY`)."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]
    rule: RuleName
    note: str = ""


class CacheAges(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How long an answer is used, in seconds."""

    fresh_seconds: Annotated[int, Meta(ge=0, le=86_400)] = 300
    stale_seconds: Annotated[int, Meta(ge=0, le=2_592_000)] = 86_400
    """How much longer an old answer serves while it is refreshed, or while the CRM is down."""
    absent_seconds: Annotated[int, Meta(ge=0, le=86_400)] = 60


class Integration(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A tenant's configured use of a connector."""

    name: Annotated[IntegrationName, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.:-]{0,63}$")]
    connector: str = "custom"
    settings: dict[str, Any] = {}
    """What the connector's manifest asks for (`config/connectors/<connector>.toml`)."""
    cache: CacheAges = CacheAges()
    in_flight: Annotated[int, Meta(ge=1, le=1000)] = 50
    """Look-ups at the same time, over all workers."""
    requests_per_second: Annotated[float, Meta(gt=0, le=10_000)] | None = None
    """Of all workers together; None: what the connector's manifest says."""
    log: LogOptions = LogOptions()
    """Which finished calls are written into the CRM, and how."""

    def __post_init__(self) -> None:
        require_packable(self.settings)


class Tenant(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    id: Annotated[TenantId, Meta(pattern=f"^{TENANT_ID.pattern}$")]
    name: str = ""
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$")]
    """ISO 3166 code: decides how national numbers are read."""
    zone: str = "UTC"
    """IANA time zone: decides hour, weekday and dates."""
    hold_seconds: Annotated[float, Meta(ge=1, le=20)] | None = None
    default: Target
    """For a number without a rule, and for a call whose rule cannot be found."""
    numbers: tuple[Number, ...] = ()
    ivr_entries: tuple[IvrEntry, ...] = ()
    integrations: tuple[Integration, ...] = ()
    rules: tuple[Rule, ...] = ()
