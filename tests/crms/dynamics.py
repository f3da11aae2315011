"""Dynamics' rigs: the Web API online and on premises, CRM 2015 on premises and facing the internet."""

from dataclasses import replace
from typing import Any

from tests.crms.dynamics_2015 import Dynamics2015
from tests.crms.dynamics_records import id_of
from tests.crms.dynamics_sign_in import CLIENT, DIRECTORY, PASSWORD, PUBLIC_CLIENT, SECRET, USER, Dynamics
from tests.crms.dynamics_web import DynamicsWeb
from tests.crms.rig import CrmRig
from workers.connectors.steps import Grant
from workers.secrets import Secret


def by_client(crm: Dynamics) -> dict[str, Any]:
    return {
        "url": crm.site, "directory": DIRECTORY, "client_id": CLIENT, "client_secret": SECRET, "authority": crm.url,
    }  # fmt: skip


def by_windows(crm: Dynamics) -> dict[str, Any]:
    return {"url": crm.site, "sign_in": "ntlm", "username": USER, "password": PASSWORD}


def by_windows_2015(crm: Dynamics) -> dict[str, Any]:
    return by_windows(crm) | {"api": "2015"}


def by_adfs(crm: Dynamics) -> dict[str, Any]:
    return {
        "url": crm.site,
        "api": "2015",
        "sign_in": "adfs",
        "authority": crm.url,
        "client_id": PUBLIC_CLIENT,
    }


def signed_in(crm: Dynamics) -> Grant:
    return Grant(token=Secret(crm.tokens.issue()), refresh_token=Secret(crm.tokens.issue_refresh()))


def alices_page(crm: Dynamics) -> str:
    return f"{crm.site}/main.aspx?etn=contact&pagetype=entityrecord&id=%7B{id_of(1)}%7D"


WRONG = {"password": "canary-wrong-password"}
CLIENT_RIG = CrmRig(
    name="dynamics",
    slug="dynamics",
    make=DynamicsWeb,
    settings=by_client,
    refused=lambda crm: by_client(crm) | {"client_secret": "canary-wrong-secret"},
    contacts="contact",
    leads="lead",
    companies="account",
    tier="new_tier",
    vip="new_vip",
    seats="new_seats",
    renewal="new_renewal",
    company="_parentcustomerid_value",
    account_no="new_accountno",
    unknown_field="new_teir",
    values={
        "tier": "Gold",
        "vip": True,
        "seats": 12,
        "renewal": "2026-12-01",
        "company": "Garage Dupont & Fils",
    },
    link=alices_page,
)
WINDOWS_RIG = replace(
    CLIENT_RIG,
    name="dynamics-ntlm",
    make=lambda: DynamicsWeb("ntlm", "/acme", "v9.1"),
    settings=lambda crm: by_windows(crm) | {"version": "v9.1"},
    refused=lambda crm: by_windows(crm) | {"version": "v9.1"} | WRONG,
    signs_in=False,
)
OLD_RIG = replace(
    CLIENT_RIG,
    name="dynamics-2015",
    make=Dynamics2015,
    settings=by_windows_2015,
    refused=lambda crm: by_windows_2015(crm) | WRONG,
    tier="new_Tier",
    vip="new_VIP",
    seats="new_Seats",
    renewal="new_Renewal",
    company="ParentCustomerId",
    account_no="new_AccountNo",
    unknown_field="new_tier",
    values={**CLIENT_RIG.values, "renewal": "2026-12-01T00:00:00+00:00"},
    signs_in=False,
    requests_known=2,
)
ADFS_RIG = replace(
    OLD_RIG,
    name="dynamics-adfs",
    make=lambda: Dynamics2015("adfs", ""),
    settings=by_adfs,
    refused=lambda crm: by_adfs(crm) | {"client_id": "another-client"},
    grant=signed_in,
    signs_in=True,
)
RIGS = (CLIENT_RIG, WINDOWS_RIG, OLD_RIG, ADFS_RIG)
