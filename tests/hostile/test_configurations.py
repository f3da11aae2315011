"""What tenants configure: it is refused, or it leads to their own places; never to another tenant's."""

from datetime import UTC
from typing import Any

import msgspec
import pytest

from router.core.check import check_tenant
from router.core.identities import TenantId
from router.core.plans import Plans, TenantPlan
from router.core.tenants import Tenant
from router.settings.documents import parse_document
from router.settings.tenant_files import is_zone, parse_tenant
from tests.core import makers
from tests.hostile.configurations import CONFIGURATIONS, USUAL, as_toml
from tests.hostile.promises import NOT_FOUND, TEMPLATES, routed

RIVAL = TenantPlan(makers.tenant(makers.rule(), id=TenantId("rival")), TEMPLATES, UTC)


def of_file(configuration: dict[str, Any]) -> Tenant | None:
    return parse_tenant(parse_document("acme.toml", as_toml(configuration)), "acme")[0]


def of_request(configuration: dict[str, Any]) -> Tenant | None:
    """As the API takes it."""
    try:
        return msgspec.json.decode(msgspec.json.encode(configuration | {"id": "acme"}), type=Tenant)
    except (msgspec.MsgspecError, UnicodeError):
        return None


def test_there_are_five_hundred_of_them() -> None:
    assert len({str(one) for one in CONFIGURATIONS}) >= 500


@pytest.mark.parametrize("read", [of_file, of_request], ids=["file", "api"])
def test_whatever_is_configured_leads_to_the_tenants_own_places(read: Any) -> None:
    taken = 0
    for configuration in CONFIGURATIONS:
        tenant = read(configuration)
        if tenant is None:
            continue
        taken += 1
        check_tenant(tenant, TEMPLATES, is_zone=is_zone)
        plan = TenantPlan(tenant, TEMPLATES, UTC)
        for did in ("0445550001", tenant.numbers[0].did, "0445559999"):
            for answer in (makers.found(), NOT_FOUND):
                routed(makers.parked(did=did), plan, answer)
        routed(makers.parked(entry=tenant.ivr_entries[0].name), plan, NOT_FOUND)
    assert taken > 100, "the others are refused when they are read"


def test_a_tenant_never_takes_another_ones_calls() -> None:
    """By its numbers, its entries, or an id of its choice."""
    rivals = routed(makers.parked(tenant=RIVAL.id), RIVAL, NOT_FOUND)
    for configuration in CONFIGURATIONS:
        tenant = of_request(configuration)
        if tenant is None:
            continue
        plans = Plans([RIVAL, TenantPlan(tenant, TEMPLATES, UTC)])
        kept = plans.plan(RIVAL.id)
        assert kept is RIVAL
    assert routed(makers.parked(tenant=RIVAL.id), RIVAL, NOT_FOUND) == rivals


@pytest.mark.parametrize("id_", ["rival", "../rival", "rival\n", "RIVAL", ""])
def test_a_file_that_calls_itself_another_tenant_is_none(id_: str) -> None:
    tenant, problems = parse_tenant(parse_document("acme.toml", as_toml(USUAL | {"id": id_})), "acme")

    assert tenant is None
    assert "differs from the file's name" in problems[0].what
