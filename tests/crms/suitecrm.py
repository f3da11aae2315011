"""SuiteCRM's rigs: the V8 API by both of its sign-ins, and the service v4_1."""

from dataclasses import replace
from typing import Any

from tests.crms.rig import CrmRig
from tests.crms.sugar_database import person_id
from tests.crms.sugar_service import PASSWORD, ROUTER, SugarService
from tests.crms.suite_v8 import CLIENT, SECRET, SuiteCrm


def settings(crm: SuiteCrm) -> dict[str, Any]:
    return {"url": crm.url, "client_id": CLIENT, "client_secret": SECRET}


def by_password(crm: SuiteCrm) -> dict[str, Any]:
    return settings(crm) | {"grant": "password", "username": ROUTER.name, "password": PASSWORD}


def by_service(crm: SuiteCrm) -> dict[str, Any]:
    return {"url": crm.url, "api": "v4_1", "username": ROUTER.name, "password": PASSWORD}


def alices_page(crm: SugarService) -> str:
    return f"{crm.url}/index.php?module=Contacts&action=DetailView&record={person_id(1)}"


CLIENT_RIG = CrmRig(
    name="suitecrm",
    slug="suitecrm",
    make=SuiteCrm,
    settings=settings,
    refused=lambda crm: settings(crm) | {"client_secret": "canary-wrong-secret"},
    leads="Leads",
    companies="Accounts",
    tier="tier_c",
    vip="vip_c",
    seats="seats_c",
    renewal="renewal_c",
    company="account_name",
    account_no="account_no_c",
    values={
        "tier": "Gold",
        "vip": "1",
        "seats": "12",
        "renewal": "2026-12-01",
        "company": "Garage Dupont & Fils",
    },
    link=alices_page,
)
PASSWORD_RIG = replace(
    CLIENT_RIG,
    name="suitecrm-password",
    settings=by_password,
    refused=lambda crm: by_password(crm) | {"password": "canary-wrong-password"},
)
SERVICE_RIG = replace(
    CLIENT_RIG,
    name="suitecrm-v4_1",
    settings=by_service,
    refused=lambda crm: by_service(crm) | {"password": "canary-wrong-password"},
    refuses_unknown_field=False,
)
RIGS = (CLIENT_RIG, PASSWORD_RIG, SERVICE_RIG)
