"""`crmroute crm log` and `crm retry`: finished calls on their way into a CRM, or given up."""

from collections.abc import Iterable
from datetime import datetime, tzinfo

from msgspec import Struct
from msgspec.structs import asdict
from rich.table import Table
from rich.text import Text

from router.cli.errors import ExitCode
from router.cli.output import Screen, counted, duration, plain
from router.core.identities import IntegrationName, TenantId
from router.store.call_log_seam import CallLogDesk, IntegrationLog, KeptLog


class ListedLog(IntegrationLog, frozen=True, kw_only=True):
    """As `--json` gives it."""

    tenant: TenantId


class CallLogs(Struct, frozen=True):
    """As `--json` gives it. The calls are there for one tenant only."""

    integrations: list[ListedLog]
    waiting: list[KeptLog]
    given_up: list[KeptLog]


async def show_log(
    screen: Screen, desk: CallLogDesk, zone: tzinfo, tenant: TenantId | None, most: int
) -> ExitCode:
    tenants = [tenant] if tenant else await desk.tenants()
    logs = CallLogs(
        [ListedLog(tenant=one, **asdict(log)) for one in tenants for log in await desk.overview(one)],
        await desk.waiting(tenant, most) if tenant else [],
        await desk.failed(tenant, most) if tenant else [],
    )
    screen.answer(logs)
    if not logs.integrations:
        whose = f" of tenant {tenant}" if tenant else ""
        screen.note(f"No call{whose} waits for its CRM, and none was given up.", "green")
        return ExitCode.OK
    screen.show(_overview(logs.integrations))
    for heading, calls in (("waiting, the next one first", logs.waiting), ("given up", logs.given_up)):
        if calls:
            screen.show(Text(f"\n{heading}", style="bold"), _calls(calls, zone))
    given_up = sum(one.failed for one in logs.integrations)
    if given_up:
        them = counted(given_up, "call")
        screen.note(f"{them} given up, and kept for a week: `crmroute crm retry` puts them back.", "yellow")
    is_well = not given_up and not any(one.failures for one in logs.integrations)
    return ExitCode.OK if is_well else ExitCode.PROBLEMS


async def retry(
    screen: Screen, desk: CallLogDesk, tenant: TenantId, integration: IntegrationName | None, entry: str
) -> ExitCode:
    count = await desk.retry(tenant, integration, entry)
    screen.answer({"put_back": count})
    if entry and not count:
        screen.note("No call with this id was given up.", "yellow")
        return ExitCode.PROBLEMS
    screen.show(f"{counted(count, 'call')} put back; what waits is tried at once.")
    return ExitCode.OK


def _overview(logs: Iterable[ListedLog]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("tenant", style="cyan")
    table.add_column("integration", style="bold")
    for heading in ("waiting", "in hand", "given up"):
        table.add_column(heading, justify="right")
    table.add_column("state")
    for one in logs:
        table.add_row(
            plain(one.tenant),
            plain(one.integration),
            str(one.waiting),
            str(one.in_hand),
            Text(str(one.failed), style="bold red" if one.failed else ""),
            _state(one),
        )
    return table


def _state(log: IntegrationLog) -> Text:
    if not log.failures:
        return Text("works", style="green")
    tries = f"failed {counted(log.failures, 'time')} in a row"
    pause = f", next try in {duration(log.paused_seconds)}" if log.paused_seconds > 0 else ""
    return Text(f"{tries}{pause}: {plain(log.problem)}", style="red")


def _calls(calls: Iterable[KeptLog], zone: tzinfo) -> Table:
    """Of each call: what one looks for, how it fares, and the id that `retry` takes."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for kept in calls:
        call = kept.call
        at = datetime.fromtimestamp(call.started_at, zone).strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(
            at, plain(f"{call.caller or 'withheld'} to {call.called}, {call.ending}, {call.integration}")
        )
        problem = f": {kept.problem}" if kept.problem else ""
        told = f"tried {counted(kept.tries, 'time')}, {_when(kept)}{problem}"
        table.add_row("", Text(plain(told), style="red" if kept.problem else ""))
        table.add_row("", Text(kept.id, style="dim"))
    return table


def _when(kept: KeptLog) -> str:
    if kept.failed_seconds > 0:
        return f"given up {duration(kept.failed_seconds)} ago"
    return f"due in {duration(kept.due_seconds)}" if kept.due_seconds >= 1 else "due now"
