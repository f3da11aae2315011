"""The words of the command line: commands, options, exit codes. The work is in a module for each command.

Modules are imported by the command that needs them, so that `crmroute --help` is quick.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Group, Parameter

from router.cli.crm.commands import crm
from router.cli.errors import CliError, ExitCode, OutOfReach, WrongUsage
from router.cli.invocations import Invocation, Invoked
from router.cli.output import Screen

HELP = "Routes each incoming call by what a CRM says of its caller."
EPILOGUE = (
    "Exit codes: 0 well; 1 problems found; 2 wrong usage or configuration; 3 something is out of reach."
)


app = App(
    name="crmroute",
    help=HELP,
    help_epilogue=EPILOGUE,
    version=lambda: f"crmroute {_version()}",
    suppress_keyboard_interrupt=False,
)
app.meta.group_parameters = Group("Everywhere", sort_key=99)
RUNNING = Group("Running", sort_key=1)
ASKING = Group("Asking", sort_key=2)
CHANGING = Group("Changing", sort_key=3)
OTHER = Group("Other", sort_key=4)
TenantNames = Annotated[
    tuple[str, ...], Parameter(help="Only these tenants.", negative="", show_default=False)
]
PruneOption = Annotated[
    bool, Parameter(negative="", show_default=False, help="Remove tenants of files whose file is gone.")
]
AccountOption = Annotated[
    str, Parameter(help="The AMI account that may originate; its secret is in CRMROUTE_PROVE_SECRET.")
]
SecretFileOption = Annotated[
    Path | None, Parameter(show_default=False, help="Or in this file; or it is asked for.")
]
app["--help"].group = OTHER
app["--version"].group = OTHER


@app.command(group=RUNNING)
def run(*, invocation: Invoked) -> ExitCode:
    """Run it all here: Redis if none is set, a router and a worker."""
    from router.cli.run import run_site

    return run_site(invocation.screen, invocation.config)


@app.command(group=RUNNING)
def router(*, invocation: Invoked) -> ExitCode:
    """Run a router: it decides calls and moves them."""
    from router.app import run_router
    from router.cli.configuration import read_settings
    from router.settings.logs import configure_logs

    settings = read_settings(invocation.config, with_asterisk=True)
    configure_logs(settings.log)

    async def until_stopped() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await run_router(settings, invocation.config, stop, _version())

    _in_fast_loop(until_stopped())
    return ExitCode.OK


@app.command(group=RUNNING)
def worker(*, invocation: Invoked) -> ExitCode:
    """Run a worker: it asks the CRMs. Start more for more look-ups."""
    from router.cli.run import become_worker

    return become_worker(invocation.config)


@app.command(group=RUNNING)
def admin(*, invocation: Invoked) -> ExitCode:
    """Run the web page and the REST API, on the records in SQL."""
    from router.admin.server import run_admin
    from router.cli.configuration import read_settings
    from router.settings.logs import configure_logs

    settings = read_settings(invocation.config)
    configure_logs(settings.log)
    screen = invocation.screen

    async def until_stopped() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await run_admin(settings, invocation.config, stop, screen.note, _version())

    _in_fast_loop(until_stopped())
    return ExitCode.OK


@app.command(group=ASKING)
def check(
    *tenants: Annotated[str, Parameter(help="Only these tenants; all when none is named.")],
    strict: Annotated[
        bool, Parameter(negative="", show_default=False, help="Warnings count as errors.")
    ] = False,
    invocation: Invoked,
) -> ExitCode:
    """Check settings and tenants: file, line, and how to mend it."""
    from router.cli.check import check_configuration

    return check_configuration(invocation.screen, invocation.config, tenants, strict=strict)


@app.command(group=ASKING)
def route(
    *,
    tenant: Annotated[str, Parameter(help="Whose call it is.")],
    to: Annotated[str, Parameter(show_default=False, help="The number that is dialled.")] = "",
    from_: Annotated[str, Parameter("--from", help="The caller's number, or `withheld`.")],
    entry: Annotated[
        str, Parameter(show_default=False, help="The IVR entry that the call comes through.")
    ] = "",
    digits: Annotated[str | None, Parameter(help="The digits keyed; '' for none.")] = None,
    value: Annotated[
        tuple[str, ...],
        Parameter(
            help="Pretend that the CRM's field has this value; twice for two records.",
            negative="",
            show_default=False,
        ),
    ] = (),
    outcome: Annotated[
        str | None,
        Parameter(help="Pretend this outcome: not_found, several, crm_error, timeout or overloaded."),
    ] = None,
    at: Annotated[
        str,
        Parameter(
            show_default=False, help="The call's moment, such as 2026-11-23T18:30, in the tenant's zone."
        ),
    ] = "",
    invocation: Invoked,
) -> ExitCode:
    """Show where a call would go, and why, by asking a running worker."""
    from router.cli.configuration import read_manifests, read_settings, read_tenant
    from router.cli.route import Question, pretendable, rehearse
    from router.settings.planning import limits_of, plan_of

    if not to and not entry:
        raise WrongUsage("route needs the number that is dialled, or an IVR entry", "Add --to or --entry.")
    pretended = pretendable(outcome) if outcome else None
    question = Question(to, from_, entry, digits, at, value, pretended)
    settings = read_settings(invocation.config)
    found = read_tenant(invocation.config, tenant)
    plan = plan_of(found, settings.destinations)
    limits = limits_of(settings, read_manifests(invocation.config)[0])

    async def answer() -> ExitCode:
        if question.is_pretending:
            return await rehearse(invocation.screen, plan, question, limits, None)
        async with _opened(settings.redis) as store:
            return await rehearse(invocation.screen, plan, question, limits, store)

    return asyncio.run(answer())


@app.command(group=ASKING)
def calls(
    *,
    follow: Annotated[
        bool,
        Parameter(("--follow", "-f"), negative="", show_default=False, help="Go on as calls are decided."),
    ] = False,
    tenant: Annotated[str | None, Parameter(help="Only this tenant's calls.")] = None,
    limit: Annotated[int, Parameter(("--limit", "-n"), help="How many of the latest.")] = 20,
    invocation: Invoked,
) -> ExitCode:
    """List the latest calls: what the CRM said, where they went."""
    from router.cli.calls import show_calls
    from router.cli.configuration import local_zone, read_settings

    if limit < 0 or (limit == 0 and not follow):
        raise WrongUsage(f"--limit {limit}: there is nothing to show", "Give a number from 1 on.")
    settings = read_settings(invocation.config)

    async def answer() -> ExitCode:
        from router.core.identities import TenantId

        whose = TenantId(tenant) if tenant else None
        async with _opened(settings.redis) as store:
            return await show_calls(
                invocation.screen, store.decisions, local_zone(), whose, limit, follow=follow
            )

    return asyncio.run(answer())


@app.command(group=ASKING)
def why(
    call: Annotated[str, Parameter(help="The call's id, its caller's number, or `last`.")],
    *,
    invocation: Invoked,
) -> ExitCode:
    """Tell one call's whole trace in sentences, with milliseconds."""
    from router.cli.configuration import read_settings, zone_of
    from router.cli.why import show_why

    settings = read_settings(invocation.config)
    zones = cache(partial(zone_of, invocation.config))

    async def answer() -> ExitCode:
        async with _opened(settings.redis) as store:
            return await show_why(invocation.screen, store.decisions, call, zones)

    return asyncio.run(answer())


crm.group = ASKING
app.command(crm)


@app.command(group=ASKING)
def prove(
    *,
    server: Annotated[
        str, Parameter(show_default=False, help="Which Asterisk server; needed where there are several.")
    ] = "",
    yes: Annotated[
        bool, Parameter(("--yes", "-y"), negative="", show_default=False, help="Do not ask.")
    ] = False,
    burst: Annotated[int, Parameter(help="How many calls the burst has, 1 to 500.")] = 50,
    live_most: Annotated[
        int, Parameter(help="Refuse a server with more live calls than that: it looks like production.")
    ] = 10,
    account: AccountOption = "prove",
    secret_file: SecretFileOption = None,
    invocation: Invoked,
) -> ExitCode:
    """Place harmless test calls on a staging server and print their ledger."""
    from router.cli.prove.proving import Wishes, prove_site

    if not 1 <= burst <= 500:
        raise WrongUsage(f"--burst {burst}: that is no burst to place", "Give a number from 1 to 500.")
    wishes = Wishes(server, account, secret_file, burst, live_most, yes)
    return asyncio.run(prove_site(invocation.screen, invocation.config, wishes))


@app.command(group=ASKING)
def doctor(
    *,
    call: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Also place two test calls on each server, one with the router paused.",
        ),
    ] = False,
    account: AccountOption = "prove",
    secret_file: SecretFileOption = None,
    invocation: Invoked,
) -> ExitCode:
    """Look at all that calls depend on, and say how to mend it."""
    from router.cli.doctor.call import Caller
    from router.cli.doctor.examine import examine_site

    caller = Caller.named(account, secret_file) if call else None
    return asyncio.run(examine_site(invocation.screen, invocation.config, caller))


@app.command(group=CHANGING)
def plan(
    tenants: TenantNames = (),
    *,
    prune: PruneOption = False,
    invocation: Invoked,
) -> ExitCode:
    """Show what the files would change of what is in force; exit code 1 if anything."""
    from router.cli.records.applying import plan as show_plan

    return asyncio.run(show_plan(invocation.screen, invocation.config, tenants, prune=prune))


@app.command(group=CHANGING)
def apply(
    tenants: TenantNames = (),
    *,
    prune: PruneOption = False,
    comment: Annotated[str, Parameter(show_default=False, help="Why; it stands in the history.")] = "",
    yes: Annotated[
        bool, Parameter(("--yes", "-y"), negative="", show_default=False, help="Do not ask.")
    ] = False,
    invocation: Invoked,
) -> ExitCode:
    """Put the files in force, all of them or none, after showing what changes."""
    from router.cli.records.applying import apply as put_in_force

    return asyncio.run(
        put_in_force(invocation.screen, invocation.config, tenants, prune=prune, comment=comment, is_sure=yes)
    )


@app.command(group=CHANGING)
def export(
    tenants: TenantNames = (),
    *,
    to: Annotated[Path, Parameter(help="The folder in which `tenants/` is written.")],
    invocation: Invoked,
) -> ExitCode:
    """Write what is in force as files, which `apply` takes back unchanged."""
    from router.cli.records.exporting import export as write_files

    return asyncio.run(write_files(invocation.screen, invocation.config, to, tenants))


@app.command(group=OTHER)
def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(show_choices=True)]) -> ExitCode:
    """Print the completion for a shell."""
    sys.stdout.write(app.meta.generate_completion(prog_name="crmroute", shell=shell))
    return ExitCode.OK


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[
        Path, Parameter(env_var="CRMROUTE_CONFIG", help="The folder of the settings and tenants' files.")
    ] = Path("config"),
    as_json: Annotated[
        bool, Parameter("--json", negative="", show_default=False, help="Print results as JSON.")
    ] = False,
) -> Any:
    command, bound, ignored = app.parse_args(tokens, exit_on_error=False, print_error=False)
    shared = {"invocation": Invocation(config, Screen(as_json=as_json))} if "invocation" in ignored else {}
    return command(*bound.args, **bound.kwargs, **shared)


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    from router.settings.logs import QUIET, configure_logs

    _write_anything()
    configure_logs(QUIET)
    try:
        result = app.meta(
            list(tokens) if tokens is not None else None,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); the interpreter must not complain of it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        Screen().fail(told)
        return told.code
    return result if isinstance(result, int) else ExitCode.OK


def _told(error: Exception) -> CliError | None:
    """The error as a user is told of it; None for a mistake of ours, which deserves its traceback."""
    from router.records.errors import Conflict, RecordsError, RecordsMisconfigured
    from router.settings.errors import ConfigurationError
    from router.store.errors import StoreError, StoreMisconfigured

    match error:
        case CliError():
            return error
        case CycloptsError():
            return WrongUsage(str(error), "See `crmroute --help`, or `crmroute COMMAND --help`.")
        case ConfigurationError() | StoreMisconfigured() | RecordsMisconfigured() | Conflict():
            return WrongUsage(str(error))
        case RecordsError():
            return OutOfReach(str(error), "See whether the database of records.url runs, and is writable.")
        case StoreError():
            return OutOfReach(
                f"the store cannot be used: {error}", "`crmroute doctor` looks at it more closely."
            )
    return None


def _version() -> str:
    try:
        return version("crmroute")
    except PackageNotFoundError:
        return "(a checkout, not installed)"


def _opened(settings: Any) -> Any:
    """The store, as an async context."""
    from router.cli.stores import opened

    return opened(settings)


def _in_fast_loop(work: Coroutine[Any, Any, None]) -> None:
    import uvloop

    uvloop.run(work)


def _write_anything() -> None:
    """A terminal that knows no ✓ shows a question mark; it is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
