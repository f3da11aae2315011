"""`crmroute crm list`: the CRMs that can be connected, or one tenant's integrations and how each is doing."""

import asyncio
import math
from collections.abc import Mapping

from msgspec import Struct
from rich.table import Table
from rich.text import Text

from router.cli.crm.asking import SECONDS
from router.cli.errors import ExitCode
from router.cli.output import Screen, duration, plain
from router.core.crm_states import CONDITION_WORDS, AskedFor, CrmCondition, CrmState, with_breaker
from router.core.errands import SignInState, TellSignIn, crm_state_of
from router.core.manifests import Manifest
from router.core.tenants import Integration, Tenant
from router.store.seams import Store

ABILITIES = {
    "check": "test",
    "fields": "fields",
    "log_call": "log",
    "create": "create",
}
"""What a connector can do beside looking up; `sign_in` has a column of its own."""
SIGN_INS = {
    "oauth_person": "browser",
    "oauth_client": "OAuth client",
    "oauth_password": "OAuth password",
    "password": "password",
    "token": "token",
    "basic": "basic",
    "bearer": "token",
    "header": "header",
    "none": "none",
}


class ListedConnector(Struct, frozen=True):
    """As `--json` gives it."""

    connector: str
    label: str
    abilities: tuple[str, ...]
    auth: tuple[str, ...]
    requests_per_lookup: int


class ListedIntegration(Struct, frozen=True):
    """As `--json` gives it."""

    integration: str
    connector: str
    state: CrmCondition
    """As the API's."""
    told: str
    failures: int = 0
    """Look-ups that failed, in a row or of late."""
    open_seconds: float | None = None
    """For how long look-ups are answered without asking the CRM; None where they are not."""
    retry_seconds: float | None = None
    """Until one of them tries it."""


def list_connectors(screen: Screen, manifests: Mapping[str, Manifest]) -> ExitCode:
    shown = sorted(manifests.values(), key=lambda manifest: manifest.label.casefold())
    screen.answer(
        [
            ListedConnector(one.slug, one.label, one.abilities, one.auth, one.requests_per_lookup)
            for one in shown
        ]
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("connector", style="bold cyan", no_wrap=True)
    table.add_column("CRM", no_wrap=True)
    table.add_column("beside looking up")
    table.add_column("requests", justify="right")
    table.add_column("sign-in")
    for one in shown:
        able = ", ".join(word for ability, word in ABILITIES.items() if ability in one.abilities)
        auth = ", ".join(SIGN_INS.get(kind, kind) for kind in one.auth)
        table.add_row(one.slug, one.label, able, str(one.requests_per_lookup), auth)
    screen.show(table)
    screen.note(
        "`requests` is what one look-up of a known caller costs. --tenant shows a tenant's own.", "dim"
    )
    return ExitCode.OK


async def list_integrations(
    screen: Screen, tenant: Tenant, manifests: Mapping[str, Manifest], store: Store
) -> ExitCode:
    rows = await asyncio.gather(*(_state(store, tenant, one) for one in tenant.integrations))
    screen.answer(rows)
    if not rows:
        screen.note(f"Tenant {tenant.id} has no integration yet: add one to its file.", "yellow")
        return ExitCode.OK
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("integration", style="bold")
    table.add_column("CRM")
    table.add_column("state", no_wrap=True)
    table.add_column("")
    for row in rows:
        manifest = manifests.get(row.connector)
        style = STYLES.get(row.state, "yellow")
        table.add_row(
            plain(row.integration),
            manifest.label if manifest else row.connector,
            Text(CONDITION_WORDS[row.state], style=style),
            plain(row.told),
        )
    screen.show(table)
    return ExitCode.PROBLEMS if any(row.state in BAD for row in rows) else ExitCode.OK


STYLES = {
    CrmCondition.CONNECTED: "green",
    CrmCondition.FAILING: "bold red",
    CrmCondition.LEFT_ALONE: "bold red",
    CrmCondition.NEEDS_AUTHORISATION: "bold red",
}
BAD = frozenset({CrmCondition.FAILING, CrmCondition.LEFT_ALONE, CrmCondition.NEEDS_AUTHORISATION})
ASKED = {
    AskedFor.TEST: "passed its test",
    AskedFor.SIGN_IN: "took the sign-in",
    AskedFor.TRIAL: "answered somebody who tried a number",
    AskedFor.LOOKUP: "answered a call's look-up",
}
TO_DO = {
    CrmCondition.NOT_CONNECTED: "a person signs in on the page, or by `crmroute crm authorise`",
    CrmCondition.NEEDS_AUTHORISATION: "sign in again on the page, or by `crmroute crm authorise`",
    CrmCondition.NEVER_ASKED: "`crmroute crm test` asks it",
}


async def _state(store: Store, tenant: Tenant, integration: Integration) -> ListedIntegration:
    errand = TellSignIn(tenant=tenant.id, integration=integration.name)
    reply = await store.errands.run(errand, SECONDS / 5)
    crm = with_breaker(crm_state_of(reply), await store.lanes.state(tenant.id, integration.name))
    left = reply.left_seconds if isinstance(reply, SignInState) else None
    return ListedIntegration(
        integration=integration.name,
        connector=integration.connector,
        state=crm.condition,
        told=told_of(crm, left),
        failures=crm.failures,
        open_seconds=None if crm.condition is not CrmCondition.LEFT_ALONE else _rounded(crm.since_seconds),
        retry_seconds=_rounded(crm.retry_seconds),
    )


def told_of(crm: CrmState, left_seconds: float | None) -> str:
    """What there is to know beside its state. `left_seconds` are those of the token's life."""
    notes = []
    if crm.problem:
        since = "" if crm.since_seconds is None else f" (for {duration(crm.since_seconds)})"
        notes.append(f"{crm.problem}{since}")
    elif crm.asked is not None and not crm.asked.problem:
        notes.append(f"{ASKED[crm.asked.purpose]} {duration(crm.asked.age_seconds)} ago")
    if crm.condition is CrmCondition.CONNECTED and left_seconds is not None:
        notes.append(f"token for {duration(left_seconds)} more")
    notes.append(TO_DO.get(crm.condition, ""))
    notes.append(_left_alone(crm))
    if crm.paused_seconds:
        notes.append(f"the CRM asks to be left alone for {duration(crm.paused_seconds)} more")
    return "; ".join(note for note in notes if note)


def _left_alone(crm: CrmState) -> str:
    failures = "1 failure" if crm.failures == 1 else f"{crm.failures} failures"
    if crm.retry_seconds is None:
        return f"{failures} of late" if crm.failures else ""
    if crm.retry_seconds:
        return f"left alone for {duration(math.ceil(crm.retry_seconds))} more after {failures}"
    return f"the next look-up tries it, after {failures}"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
