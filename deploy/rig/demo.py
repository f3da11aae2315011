"""`make run`: sample calls over SIP through a real Asterisk, a sample CRM and crmroute, and a table of them.

Where a call went is Asterisk's own account (its ledger), held against what each case promises. With `--once`
it ends after the table, with exit code 0 only if every call reached what the table says; else it stays up and
shows calls as they come, until Ctrl-C.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.rig.asterisk import PROJECT, AsteriskFailed, AsteriskMissing, LedgerLine, RunningAsterisk
from deploy.rig.callers import Caller, PlacedCalls, SippFailed, start_calls
from deploy.rig.sample_site import CRM_PORT, Site, SiteFailed, progress, wait_until

FOLDER = PROJECT / ".cache" / "demo"
CALL_SECONDS = 60.0


@dataclass(frozen=True)
class Case:
    """A sample call and where it has to end."""

    what: str
    caller: str
    did: str
    reaches: str
    """`context/exten/priority` by Asterisk's ledger."""
    digits: str = ""
    """Keyed after the answer; a comma is a second's pause."""
    is_anonymous: bool = False
    stay_seconds: float = 4.0


GOLD, SILVER, BRONZE, LEAD = "+33639980001", "+33639980002", "+33639980003", "+33639980004"
SEVERAL, FAILING, SILENT, UNKNOWN = "+33639980006", "+33639980007", "+33639980008", "+33639989999"

CASES = (
    Case("gold customer", GOLD, "+33142345001", "route-queue/gold/1"),
    Case("silver customer", SILVER, "+33142345001", "route-queue/silver/1"),
    Case("bronze customer", BRONZE, "+33142345001", "route-queue/bronze/1"),
    Case("no line holds", LEAD, "+33142345001", "route-ivr/main/1"),
    Case("default's voicemail", LEAD, "+33142345002", "route-voicemail/100/1"),
    Case("playback, then queue", GOLD, "+33142345003", "route-playback/s/1"),
    Case("owner's extension", GOLD, "+33142345004", "route-extension/100/1"),
    Case("conference", BRONZE, "+33142345004", "route-conference/800/1"),
    Case("empty field", LEAD, "+33142345004", "route-voicemail/200/1"),
    Case("group of conditions", SILVER, "+33142345007", "route-queue/silver/1"),
    Case("number compared", GOLD, "+33142345008", "route-queue/gold/1"),
    Case("withheld", GOLD, "+33142345005", "route-ivr/main/1", is_anonymous=True),
    Case("not found", UNKNOWN, "+33142345005", "route-extension/101/1"),
    Case("several records", SEVERAL, "+33142345005", "route-queue/silver/1"),
    Case("CRM error", FAILING, "+33142345005", "route-voicemail/100/1"),
    Case("CRM silent", SILENT, "+33142345005", "route-queue/bronze/1"),
    Case("missing queue", GOLD, "+33142345006", "route-ivr/main/1"),
    Case("number without a rule", GOLD, "+33142345009", "route-ivr/main/1"),
    Case("IVR, digits keyed", UNKNOWN, "+33142345010", "route-queue/silver/1", digits="1,,5678#"),
    Case("IVR, no digits", BRONZE, "+33142345010", "route-extension/100/1", digits="1", stay_seconds=22),
    Case(
        "IVR, too many digits",
        LEAD,
        "+33142345010",
        "route-extension/100/1",
        digits="1,,12345678#,,12345678#",
    ),
)


class PlacedCase:
    """A case whose call is under way, and what was heard of it."""

    def __init__(self, case: Case, calls: PlacedCalls) -> None:
        self.case = case
        self.calls = calls
        self.decision: dict[str, Any] | None = None
        self.landing: LedgerLine | None = None

    @property
    def is_as_promised(self) -> bool:
        return self.landing is not None and self.landing.to == self.case.reaches


def main() -> int:
    arguments = _arguments()
    # A stopped terminal or service ends the parts as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        return run_demo(console, is_once=arguments.once)
    except (SiteFailed, AsteriskFailed, AsteriskMissing, SippFailed) as error:
        console.print(f"[bold red]make run:[/] {error}", soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        return 130


def run_demo(console: Console, *, is_once: bool) -> int:
    def say(text: str) -> None:
        console.print(text, style="dim", highlight=False)

    asterisk = RunningAsterisk("pbx-a")
    with contextlib.ExitStack() as stack:
        with progress("Asterisk", say):
            stack.enter_context(asterisk)
        site = stack.enter_context(Site(FOLDER, [asterisk]))
        site.write_local_settings()
        with progress(f"sample CRM on 127.0.0.1:{CRM_PORT}", say):
            site.start_crm()
        with progress("crmroute run: Redis, router, worker", say):
            _start_crmroute(site)
        with progress(f"{len(CASES)} sample calls over SIP", say):
            placed = place(asterisk, stack)
            wait(placed)
            match(placed, site, asterisk)
        console.print(_table(placed))
        wrong = [one for one in placed if not one.is_as_promised]
        console.print(_verdict(len(placed), len(wrong)))
        if is_once:
            return 1 if wrong else 0
        _follow(console, site, asterisk)
    return 0


def _start_crmroute(site: Site) -> None:
    crmroute = site.start("crmroute", [sys.executable, "-m", "router", "run"])
    crmroute.wait_for("asterisk.connected", len(site.servers))
    crmroute.wait_for("worker.started")


def place(asterisk: RunningAsterisk, stack: contextlib.ExitStack) -> list[PlacedCase]:
    placed = []
    for case in CASES:
        caller = Caller(case.caller, is_anonymous=case.is_anonymous)
        calls = start_calls(
            asterisk.sip_port,
            case.did,
            callers=[caller],
            digits=case.digits,
            digits_after_ms=1500,
            stay_ms=round(case.stay_seconds * 1000),
            has_media=True,
        )
        placed.append(PlacedCase(case, stack.enter_context(calls)))
    return placed


def wait(placed: list[PlacedCase]) -> None:
    for one in placed:
        one.calls.wait(CALL_SECONDS)


def match(placed: list[PlacedCase], site: Site, asterisk: RunningAsterisk) -> None:
    """Give each case its decision and its landing in Asterisk's ledger."""

    def all_decided() -> bool:
        # The store remembers former runs; Asterisk's ledger begins with this one.
        uniqueids = {line.uniqueid for line in asterisk.ledger()}
        latest = site.ask("calls", "--limit", str(len(placed) * 5))
        decisions = [decision for decision in latest if decision["call_id"] in uniqueids]
        for one in placed:
            # A call through a menu was parked and decided several times: the last counts.
            own = [found for found in decisions if _is_of(found, one.case)]
            one.decision = max(own, key=lambda found: found["parking"], default=None)
        return all(one.decision for one in placed)

    with contextlib.suppress(SiteFailed):
        wait_until(all_decided, 15, "the decisions of all sample calls")
    landings = {
        (line.uniqueid, line.parking): line
        for line in reversed(asterisk.ledger())
        if line.what == "taken" or (line.what == "defaulted" and line.why != "ended")
    }
    for one in placed:
        if one.decision is not None:
            one.landing = landings.get((one.decision["call_id"], one.decision["parking"]))


def _is_of(decision: dict[str, Any], case: Case) -> bool:
    caller = decision["caller"]
    is_caller = caller["kind"] == "withheld" if case.is_anonymous else caller["received"] == case.caller
    return bool(is_caller and decision["called_received"] == case.did)


def _table(placed: list[PlacedCase]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
    for name in (
        "case",
        "caller",
        "dialled",
        "CRM value",
        "line",
        "outcome",
        "asked for",
        "Asterisk reached",
    ):
        table.add_column(name, no_wrap=True)
    table.add_column("ms held", justify="right", no_wrap=True)
    table.add_column("")
    for one in placed:
        table.add_row(*_row(one))
    return table


def _row(one: PlacedCase) -> list[str | Text]:
    case, decision = one.case, one.decision or {}
    reached = one.landing.to if one.landing else "nothing"
    held = decision.get("steps_ms", {}).get("ended")
    return [
        case.what,
        "withheld" if case.is_anonymous else case.caller,
        case.did,
        decision.get("value", ""),
        str(decision.get("line_held") or ""),
        decision.get("outcome", ""),
        decision.get("asked_target", ""),
        reached,
        f"{held:.0f}" if held is not None else "",
        Text("✓", "green") if one.is_as_promised else Text(f"not {case.reaches}", "bold red"),
    ]


def _verdict(count: int, wrong: int) -> Text:
    if wrong:
        return Text(f"{wrong} of {count} calls did not reach what the table says.", "bold red")
    return Text(f"All {count} calls reached what the table says.", "bold green")


def _follow(console: Console, site: Site, asterisk: RunningAsterisk) -> None:
    console.print(
        f"Asterisk takes SIP calls on 127.0.0.1:{asterisk.sip_port}. Edit config/tenants/acme.toml, and\n"
        "the next call is decided by it. Ctrl-C ends it all. In another terminal, one call's whole trace:\n"
        f"{_why_command(site)}\n",
        highlight=False,
    )
    command = [sys.executable, "-m", "router", "calls", "--follow"]
    with contextlib.suppress(KeyboardInterrupt):
        subprocess.run(command, env={**os.environ, **site.environment()}, cwd=PROJECT, check=False)


def _why_command(site: Site) -> str:
    settings = " ".join(f"{name}={_relative(value)}" for name, value in site.environment().items())
    return f"{settings} .venv/bin/crmroute why CALL"


def _relative(value: str) -> str:
    return value.removeprefix(f"{PROJECT}/")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--once", action="store_true", help="end after the table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
