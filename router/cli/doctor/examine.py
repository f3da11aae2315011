"""`crmroute doctor`: looks at everything at once, each part with a time limit, and shows what it found.

Nothing is changed anywhere, and no call is placed unless that is asked for. It ends within about five
seconds, whatever is silent; with test calls, when they have waited out HOLD.
"""

import asyncio
import os
from collections.abc import Coroutine
from itertools import groupby
from pathlib import Path
from typing import Any

from msgspec import Struct
from rich.table import Table
from rich.text import Text

from router.cli.configuration import read_manifests, read_tenants, require_folder
from router.cli.doctor.asterisk import asterisk_findings
from router.cli.doctor.call import CALL_SECONDS, Caller, call_findings
from router.cli.doctor.configuration import (
    published_findings,
    settings_findings,
    tenant_findings,
    unread_findings,
)
from router.cli.doctor.findings import OUT_OF_TIME, Area, Finding, State
from router.cli.doctor.names import name_findings
from router.cli.doctor.redis import redis_findings
from router.cli.errors import ExitCode
from router.cli.output import Screen, counted, milliseconds, plain
from router.cli.tenants_in_force import read_tenants_in_force
from router.core.tenants import Tenant
from router.settings.checking import tenant_check
from router.settings.errors import SettingsError
from router.settings.load import load_settings
from router.settings.model import Settings
from router.settings.planning import plan_of
from router.store.errors import StoreError, StoreMisconfigured

SECTION_SECONDS = 4.5
QUESTION_SECONDS = 2.0

SIGNS = {
    State.OK: ("✓", "bold green"),
    State.WARNING: ("!", "bold yellow"),
    State.WRONG: ("✗", "bold red"),
    State.UNKNOWN: ("?", "bold blue"),
}


class Report(Struct, frozen=True):
    wrong: int
    warnings: int
    findings: list[Finding]


async def examine_site(screen: Screen, folder: Path, caller: Caller | None = None) -> ExitCode:
    """With a `caller`, test calls are placed on each server."""
    findings = await find_all(folder, caller)
    wrong = sum(finding.state is State.WRONG for finding in findings)
    warnings = sum(finding.state is State.WARNING for finding in findings)
    screen.answer(Report(wrong, warnings, findings))
    screen.show(_table(findings), Text(), _summary(wrong, warnings))
    return ExitCode.PROBLEMS if wrong else ExitCode.OK


async def find_all(folder: Path, caller: Caller | None = None) -> list[Finding]:
    try:
        settings = load_settings(require_folder(folder), os.environ)
    except SettingsError as error:
        files = read_tenants(folder)
        of_tenants = tenant_findings(len(files.tenants()), files.problems())
        return [*settings_findings(folder, error.problems), *of_tenants, *_not_looked_at()]
    tenants, own = await _tenants(folder, settings)
    sections = await asyncio.gather(*_sections(settings, tenants, caller))
    return settings_findings(folder, ()) + own + [finding for section in sections for finding in section]


async def _tenants(folder: Path, settings: Settings) -> tuple[list[Tenant], list[Finding]]:
    """Those in force, from where routers take them, and what is to be said of them."""
    if settings.tenants.source == "files":
        files = read_tenants(folder, settings)
        return list(files.tenants().values()), tenant_findings(len(files.tenants()), files.problems())
    try:
        async with asyncio.timeout(QUESTION_SECONDS):
            tenants = await read_tenants_in_force(settings.redis)
    except (StoreError, StoreMisconfigured, TimeoutError) as error:
        return [], unread_findings(str(error) or OUT_OF_TIME)
    check = tenant_check(settings, read_manifests(folder)[0])
    return list(tenants.values()), published_findings(tenants, check)


def _sections(
    settings: Settings, tenants: list[Tenant], caller: Caller | None
) -> list[Coroutine[Any, Any, list[Finding]]]:
    plans = [plan_of(tenant, settings.destinations) for tenant in tenants]
    of_servers = []
    for server in settings.asterisk:
        name = f"asterisk {server.name}"
        of_servers.append(_limited(name, asterisk_findings(server, settings, plans, QUESTION_SECONDS)))
        if caller is not None:
            calls = call_findings(server, settings.ami, caller)
            of_servers.append(_limited(name, calls, CALL_SECONDS))
    return [
        *of_servers,
        _limited("redis", redis_findings(settings.redis)),
        _limited("names", name_findings(settings, tenants, QUESTION_SECONDS)),
    ]


async def _limited(
    name: str, section: Coroutine[Any, Any, list[Finding]], seconds: float = SECTION_SECONDS
) -> list[Finding]:
    try:
        async with asyncio.timeout(seconds):
            return await section
    except TimeoutError:
        area = Area(name)
        area.wrong(
            "all of it", OUT_OF_TIME, "Run it again; a server that is always this slow cannot carry calls."
        )
        return area.findings


def _not_looked_at() -> list[Finding]:
    area = Area("everything else")
    area.unknown("servers", "not looked at, for the settings cannot be used", "Mend the settings first.")
    return area.findings


def _table(findings: list[Finding]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=1)
    table.add_column(no_wrap=True, max_width=24, overflow="ellipsis")
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    for number, (name, group) in enumerate(groupby(findings, key=lambda finding: finding.area)):
        if number:
            table.add_row()
        table.add_row("", Text(plain(name), "bold underline"))
        for finding in group:
            _add(table, finding)
    return table


def _add(table: Table, finding: Finding) -> None:
    ms = f"{milliseconds(finding.ms)} ms" if finding.ms is not None else ""
    table.add_row(
        Text(*SIGNS[finding.state]), Text(plain(finding.what)), Text(plain(finding.found)), Text(ms, "dim")
    )
    if finding.mend:
        table.add_row("", "", Text(f"→ {plain(finding.mend)}", "cyan"))


def _summary(wrong: int, warnings: int) -> Text:
    if wrong:
        return Text(f"{counted(wrong, 'thing')} must be mended, {counted(warnings, 'warning')}.", "bold red")
    if warnings:
        return Text(f"Calls can be routed; {counted(warnings, 'warning')}.", "bold yellow")
    return Text("All is well.", "bold green")
