"""`crmroute plan` and `apply`: what the files would change of what is in force, and changing it.

A tenant whose file cannot be read or cannot work is told with file and line, and nothing at all is applied:
half of a change is rarely what was meant.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from rich.text import Text

from router.cli.configuration import read_settings, read_tenants
from router.cli.errors import ExitCode, WrongUsage
from router.cli.output import Screen, counted, plain
from router.cli.records.opening import Desk, actor, desk
from router.core.differences import Change, Difference, differences
from router.core.identities import TenantId
from router.core.problems import pick_one
from router.core.tenants import Tenant
from router.records import publications, tenants
from router.records.configuration import FILES
from router.records.errors import RecordsEmpty
from router.store.errors import StoreError

SIGNS = {
    Change.ADDED: ("+", "green"),
    Change.REMOVED: ("-", "red"),
    Change.CHANGED: ("~", "yellow"),
    Change.MOVED: ("↕", "cyan"),
}
SHOWN_MOST = 200


class PlannedTenant(Struct, frozen=True, omit_defaults=True):
    """As `--json` gives it."""

    tenant: TenantId
    differences: list[Difference]
    is_new: bool = False
    is_removed: bool = False
    publication: int | None = None
    """The number that it was put in force with."""


async def plan(screen: Screen, folder: Path, names: Sequence[str], *, prune: bool) -> ExitCode:
    """Exit code 1 where something differs."""
    files = _tenants(folder, names)
    try:
        async with desk(folder, migrate=False) as opened:
            planned = await _planned(opened, files, prune=prune and not names)
    except RecordsEmpty:
        planned = [_new(tenant, document) for tenant, document in sorted(files.items())]
    screen.answer(planned)
    _show(screen, planned)
    return ExitCode.PROBLEMS if planned else ExitCode.OK


async def apply(
    screen: Screen, folder: Path, names: Sequence[str], *, prune: bool, comment: str, is_sure: bool
) -> ExitCode:
    files = _tenants(folder, names)
    async with desk(folder, migrate=True) as opened:
        planned = await _planned(opened, files, prune=prune and not names)
        _show(screen, planned)
        if planned and not is_sure and not _agrees(screen):
            screen.note("Nothing was changed.", "yellow")
            return ExitCode.PROBLEMS
        done = [await _apply(opened, one, files, comment) for one in planned]
        problem = await _hand_over(opened)
    screen.answer(done)
    if done:
        screen.show(f"{counted(len(done), 'tenant')} put in force.")
    if problem:
        screen.note(f"The records have it, the routers do not: {problem}", "bold red")
        screen.note("  They get it from `crmroute admin`, or from another apply.", "cyan")
    return ExitCode.UNREACHABLE if problem else ExitCode.OK


async def _hand_over(opened: Desk) -> str:
    """All that is in force, for this may be the only publisher of the site; what is wrong, or empty."""
    try:
        await opened.publisher.compare()
    except StoreError as error:
        return str(error)
    return ""


def _tenants(folder: Path, names: Sequence[str]) -> dict[TenantId, Tenant]:
    """Those of the files. Raises WrongUsage with all that is wrong with them."""
    files = read_tenants(folder, read_settings(folder))
    known = files.tenants()
    for name in names:
        if name not in known and not any(Path(one.file).stem == name for one in files.problems()):
            raise WrongUsage(f"there is no file {files.folder / name}.toml", pick_one(name, sorted(known)))
    wrong = [
        problem
        for problem in files.problems()
        if problem.problem.level == "error" and (not names or Path(problem.file).stem in names)
    ]
    if wrong:
        listed = "\n  ".join(map(str, wrong))
        raise WrongUsage(f"nothing was changed, for some of it cannot work:\n  {listed}")
    return {tenant: document for tenant, document in known.items() if not names or tenant in names}


async def _planned(opened: Desk, files: dict[TenantId, Tenant], *, prune: bool) -> list[PlannedTenant]:
    configuration = opened.configuration
    async with configuration.database.reading() as connection:
        in_force = {one.tenant for one in await publications.all_in_force(connection)}
        by_files = {row.id for row in await tenants.every(connection) if row.managed_by == FILES}
    found: list[PlannedTenant] = []
    for tenant, document in sorted(files.items()):
        differing = await configuration.plan(document)
        if differing:
            found.append(PlannedTenant(tenant, differing, is_new=tenant not in in_force))
    for tenant in sorted(by_files - set(files)) if prune else ():
        gone = Difference(Change.REMOVED, ())
        found.append(PlannedTenant(tenant, [gone], is_removed=True))
    return found


def _new(tenant: TenantId, document: Tenant) -> PlannedTenant:
    return PlannedTenant(tenant, differences(None, document), is_new=True)


async def _apply(
    opened: Desk, planned: PlannedTenant, files: dict[TenantId, Tenant], comment: str
) -> PlannedTenant:
    configuration, who = opened.configuration, actor()
    if planned.is_removed:
        publication = await configuration.remove_tenant(planned.tenant, who)
    else:
        applied = await configuration.apply(files[planned.tenant], comment or "applied from files", who)
        publication = applied.publication
    await opened.publisher.hand_over(publication)
    number = publication.number if publication else None
    return PlannedTenant(
        planned.tenant, planned.differences, planned.is_new, planned.is_removed, publication=number
    )


def _agrees(screen: Screen) -> bool:
    """Whoever cannot be asked has agreed by calling it."""
    if screen.as_json or not sys.stdin.isatty():
        return True
    return input("Put this in force? [y/N] ").strip().lower() in ("y", "yes", "o", "oui")


def _show(screen: Screen, planned: Sequence[PlannedTenant]) -> None:
    if not planned:
        screen.show(Text("The files and what is in force are the same.", style="green"))
    for one in planned:
        told = (
            "new" if one.is_new else "removed" if one.is_removed else counted(len(one.differences), "change")
        )
        screen.show(Text.assemble((one.tenant, "bold cyan"), f"  {told}"))
        if one.is_new or one.is_removed:
            continue
        for difference in one.differences[:SHOWN_MOST]:
            sign, style = SIGNS[difference.change]
            screen.show(Text(f"  {sign} {plain(difference)}", style=style), soft_wrap=True)
        if len(one.differences) > SHOWN_MOST:
            screen.show(f"  and {len(one.differences) - SHOWN_MOST} more")
