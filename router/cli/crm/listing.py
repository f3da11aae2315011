"""`crmroute crm list`: the CRMs that can be connected, or one tenant's integrations and how each is doing."""

import asyncio
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace
from rich.table import Table
from rich.text import Text

from router.cli.crm.asking import SECONDS
from router.cli.errors import ExitCode
from router.cli.output import Screen, duration, plain
from router.core.breakers import BreakerState
from router.core.errands import ErrandFailed, Reply, SignInState, TellSignIn
from router.core.manifests import Manifest
from router.core.tenants import Integration, Tenant
from router.store.seams import Errands, Store

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
    state: str
    """`left alone`, `ready`, `signed in`, `not signed in`, `failing` or `unknown`."""
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
    replies = await asyncio.gather(*(_state(store.errands, tenant, one) for one in tenant.integrations))
    states = await asyncio.gather(*(store.lanes.state(tenant.id, one.name) for one in tenant.integrations))
    rows = [
        _with_breaker(_row(one, reply), state)
        for one, reply, state in zip(tenant.integrations, replies, states, strict=True)
    ]
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
            Text(row.state, style=style),
            plain(row.told),
        )
    screen.show(table)
    return ExitCode.PROBLEMS if any(row.state in BAD for row in rows) else ExitCode.OK


STYLES = {
    "ready": "green",
    "signed in": "green",
    "failing": "bold red",
    "left alone": "bold red",
    "not signed in": "yellow",
}
BAD = frozenset({"failing", "left alone"})


def _with_breaker(row: ListedIntegration, state: BreakerState) -> ListedIntegration:
    """What look-ups have met says more than whether somebody is signed in."""
    if state.is_open:
        next_try = f"in {duration(state.retry_seconds)}" if state.retry_seconds else "with the next look-up"
        told = (
            f"{state.failures} look-ups failed: {state.problem}; "
            f"not asked for {duration(state.open_seconds)}, next try {next_try}"
        )
        return replace(
            row,
            state="left alone",
            told=told,
            failures=state.failures,
            open_seconds=round(state.open_seconds, 1),
            retry_seconds=round(state.retry_seconds, 1),
        )
    notes = [row.told]
    if state.failures:
        notes.append(f"{state.failures} look-ups failed: {state.problem}")
    if state.paused_seconds:
        notes.append(f"the CRM asks to be left alone for {duration(state.paused_seconds)}")
    return replace(row, told="; ".join(note for note in notes if note), failures=state.failures)


async def _state(errands: Errands, tenant: Tenant, integration: Integration) -> Reply | None:
    return await errands.run(TellSignIn(tenant=tenant.id, integration=integration.name), SECONDS / 5)


def _row(integration: Integration, reply: Reply | None) -> ListedIntegration:
    state, told = "unknown", "no worker answered"
    match reply:
        case ErrandFailed(problem=problem):
            state, told = "failing", problem
        case SignInState(problem=problem, problem_age_seconds=age) if problem:
            state, told = "failing", f"{problem} ({duration(age)} ago)"
        case SignInState(needs_sign_in=False):
            state, told = "ready", "shows its credentials with each request"
        case SignInState(is_signed_in=False):
            state, told = "not signed in", "at the first look-up, or by `crmroute crm authorise`"
        case SignInState(left_seconds=left):
            state, told = "signed in", "" if left is None else f"token for {left / 60:.0f} more minutes"
    return ListedIntegration(integration.name, integration.connector, state, told)
