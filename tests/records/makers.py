"""What the tests of records are made of: a clock, a check, a tenant."""

from collections.abc import Sequence
from typing import Any

import msgspec

from router.core.check import check_tenant
from router.core.decisions import Decision, Ending
from router.core.destinations import DestinationKind
from router.core.identities import ChannelName, RouterName, RuleName, ServerName, TenantId, Uniqueid
from router.core.numbers import understand_caller
from router.core.problems import Problem
from router.core.rules import Outcome, Rule
from router.core.tenants import Tenant
from router.records.audit import Actor

ACME, OTHER = TenantId("acme"), TenantId("other")
JANE, BOB = Actor("jane", "192.0.2.7"), Actor("bob", "198.51.100.3")
TEMPLATES = {kind: f"route-{kind},{{option}},1" for kind in DestinationKind}
SALES: dict[str, Any] = {
    "name": "Sales",
    "field": "tier",
    "source": {"integration": "crm", "modules": ["Contact"]},
    "default": {"destination": "queue", "option": "bronze"},
    "lines": [{"operator": "=", "value": "Gold", "destination": "queue", "option": "gold"}],
}
DATA: dict[str, Any] = {
    "id": "acme",
    "name": "Acme",
    "country": "FR",
    "zone": "Europe/Paris",
    "default": {"destination": "queue", "option": "desk"},
    "numbers": [
        {"did": "+33142345001", "rule": "Sales"},
        {"did": "+33142345002", "note": "the desk"},
    ],
    "ivr_entries": [{"name": "account", "rule": "By number"}],
    "integrations": [
        {"name": "crm", "settings": {"url": "https://crm.example", "token": {"env": "CRM_TOKEN"}}}
    ],
    "rules": [
        SALES,
        {"name": "By number", "location": "ivr", "default": {"destination": "ivr", "option": "main"}},
    ],
}


class Clock:
    """Goes on by a second whenever it is read."""

    def __init__(self) -> None:
        self.now = 1_777_626_000.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def checked(tenant: Tenant) -> Sequence[Problem]:
    return check_tenant(tenant, TEMPLATES)


def tenant(**changes: Any) -> Tenant:
    return msgspec.convert({**DATA, **changes}, type=Tenant)


def profile(**changes: Any) -> Tenant:
    bare = {key: DATA[key] for key in ("id", "name", "country", "zone", "default")}
    return msgspec.convert({**bare, **changes}, type=Tenant)


def rule(**changes: Any) -> Rule:
    return msgspec.convert({**SALES, **changes}, type=Rule)


def decision(call: str = "pbx1-1.1", **changes: Any) -> Decision:
    """Of Acme, at the clock's beginning; `by` is the caller's number as received."""
    received = changes.pop("by", "0612345678")
    fields: dict[str, Any] = {
        "call_id": Uniqueid(call),
        "linkedid": Uniqueid(call),
        "parking": 1,
        "server": ServerName("pbx1"),
        "channel": ChannelName("PJSIP/trunk-1"),
        "router": RouterName("router-1"),
        "tenant": ACME,
        "parked_at": 1_777_626_000.0,
        "called_received": "0142345001",
        "called": "+33142345001",
        "caller": understand_caller(received, "", "FR"),
        "rule": RuleName("Sales"),
        "outcome": Outcome.FOUND,
        "asked_target": "queue gold",
        "reached_place": "route-queue/gold/1",
        "ending": Ending.TAKEN,
    }
    return Decision(**{**fields, **changes})
