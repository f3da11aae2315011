"""`crmroute doctor --call`: two test calls on a server, one for a router and one that routers leave alone.

They prove what AMI does not tell: that a router hears of calls and may move them, that its account has
`read = user`, and that a call without a router is at its default when HOLD ends.
"""

import time
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec import Struct

from router.ami.errors import AmiError
from router.ami.inspection import Headers, inspecting
from router.cli.doctor.findings import Area, Finding
from router.cli.prove.account import (
    Unfit,
    grace_of,
    logged_in,
    read_secret,
    require_fit,
    unheard,
    with_account,
)
from router.cli.prove.ledger import Ledger, PlacedCall
from router.cli.prove.scenarios import PAUSED, ROUTED, Scenario
from router.cli.prove.stage import Stage
from router.cli.prove.verdicts import judge
from router.settings.model import AmiSettings, AsteriskServer

CALL_SECONDS = 40.0
"""More than the longest HOLD and GRACE, with all that is asked before and behind."""
FOR_A_ROUTER = Scenario("routed", "a router takes the call", ROUTED, 1, ("taken",))
FOR_NOBODY = Scenario("paused", "no router listens", PAUSED, 1, ("hold",), may_wait_for_grace=False)
FAIL_OPEN_MEND = (
    "Replace crmroute.conf by the one that came with this router, and `dialplan reload`; "
    "bring every router to this version."
)
UNTAKEN_MEND = "Start a router. If one runs: `crmroute why {call}`, and its log, tell more."


class Caller(Struct, frozen=True):
    """Who places the test calls."""

    account: str
    secret: str

    @classmethod
    def named(cls, account: str, secret_file: Path | None) -> "Caller":
        """Raises WrongUsage."""
        return cls(account, read_secret(account, secret_file))


async def call_findings(server: AsteriskServer, ami: AmiSettings, caller: Caller) -> list[Finding]:
    area = Area(f"asterisk {server.name}")
    try:
        await _call(area, server, ami, caller)
    except Unfit as unfit:
        area.wrong("test calls", unfit.what, unfit.mend)
    return area.findings


async def _call(area: Area, server: AsteriskServer, ami: AmiSettings, caller: Caller) -> None:
    stage, heard = Stage(), Ledger()
    stage.on_entered = heard.enter
    async with AsyncExitStack() as stack:
        placing = with_account(server, caller.account, caller.secret)
        inspection = await stack.enter_async_context(logged_in(placing, ami, stage.hear))
        await require_fit(inspection, caller.account)
        does_router_listen = await _listens(stack, server, ami, heard)
        grace = await grace_of(inspection)
        (routed,) = await stage.play(inspection, FOR_A_ROUTER, (), 0.0)
        (paused,) = await stage.play(inspection, FOR_NOBODY, (), 0.0)
        await stage.wait_over([routed, paused], grace)
    if not routed.is_parked and not paused.is_parked:
        raise unheard(caller.account)
    judge_routed(area, routed)
    if does_router_listen:
        judge_hearing(area, server.username, heard.calls[routed.number])
    judge_paused(area, paused, grace)


async def _listens(stack: AsyncExitStack, server: AsteriskServer, ami: AmiSettings, heard: Ledger) -> bool:
    """Opens a session of the router's own account, which only hears; False where it cannot log in."""

    def hear(headers: Headers) -> None:
        heard.hear(headers, time.time())

    try:
        await stack.enter_async_context(inspecting(server, ami.connect_seconds, ami.login_seconds, hear))
    except AmiError:
        return False  # told beside this, with its mend
    return True


def judge_routed(area: Area, call: PlacedCall) -> None:
    row = judge(FOR_A_ROUTER, [call], 0.0)
    waited = call.parked_seconds or 0.0
    if row.taken and not row.problems:
        area.ok("test call", "a router took it to its destination", waited * 1000)
    elif row.defaulted:
        found = f"no router took it: after {waited:.1f} s it was at its default"
        area.warn("test call", found, UNTAKEN_MEND.format(call=call.uniqueid))
    else:
        area.wrong("test call", "; ".join(row.problems), FAIL_OPEN_MEND)


def judge_hearing(area: Area, username: str, heard: PlacedCall) -> None:
    if heard.is_parked:
        area.ok("hears calls", f"{username} was told of it")
    else:
        mend = f"In manager.conf, [{username}]: read = user,system, and no eventfilter that hides Route…."
        area.wrong("hears calls", f"{username} was told nothing of it", mend)


def judge_paused(area: Area, call: PlacedCall, grace_seconds: float) -> None:
    row = judge(FOR_NOBODY, [call], grace_seconds)
    if row.problems:
        area.wrong("fail-open", "; ".join(row.problems), FAIL_OPEN_MEND)
        return
    found = f"with the router paused it was at its default after {row.parked_seconds:.3f} s"
    area.ok("fail-open", f"{found} (HOLD {call.hold_seconds:g} s)")
