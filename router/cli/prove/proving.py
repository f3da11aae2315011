"""`crmroute prove`: test calls on a staging server of the operator's own, and their ledger.

First those that a router takes, then those that every router leaves alone, for these wait out HOLD. Nothing
is changed on the server, no router is stopped, and nobody's telephone rings.
"""

import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec import Struct
from rich.text import Text

from router.cli.configuration import read_settings
from router.cli.errors import ExitCode, WrongUsage
from router.cli.output import Screen, counted
from router.cli.prove.account import (
    grace_of,
    logged_in,
    read_secret,
    require_fit,
    require_idle,
    unheard,
    with_account,
)
from router.cli.prove.ledger import PlacedCall
from router.cli.prove.rivals import two_rivals
from router.cli.prove.scenarios import PAUSED, Scenario, scenarios
from router.cli.prove.show import problems_of, summary_of, table_of
from router.cli.prove.stage import Stage
from router.cli.prove.verdicts import Proof, judge, prove
from router.core.problems import pick_one
from router.settings.model import AmiSettings, AsteriskServer, Settings


class Wishes(Struct, frozen=True):
    """The command's options."""

    server: str
    """Empty: the only one there is."""
    account: str
    secret_file: Path | None
    burst: int
    live_most: int
    is_sure: bool


async def prove_site(screen: Screen, folder: Path, wishes: Wishes) -> ExitCode:
    """Raises WrongUsage wherever it cannot be run."""
    settings = read_settings(folder, with_asterisk=True)
    server = pick_server(settings, wishes.server)
    _require_agreement(screen, server, wishes)
    server = with_account(server, wishes.account, read_secret(wishes.account, wishes.secret_file))
    proof = await run(screen, server, settings.ami, wishes)
    screen.answer(proof)
    screen.show(table_of(proof), Text(), problems_of(proof), summary_of(proof))
    return ExitCode.OK if proof.is_proven else ExitCode.PROBLEMS


def pick_server(settings: Settings, name: str) -> AsteriskServer:
    """Raises WrongUsage."""
    names = [server.name for server in settings.asterisk]
    if not name and len(names) == 1:
        return settings.asterisk[0]
    if not name:
        raise WrongUsage(
            f"there are {len(names)} Asterisk servers", f"Name one: --server {' | '.join(names)}."
        )
    for server in settings.asterisk:
        if server.name == name:
            return server
    raise WrongUsage(f"there is no Asterisk server {name} in the settings", pick_one(name, names))


def _require_agreement(screen: Screen, server: AsteriskServer, wishes: Wishes) -> None:
    """Raises WrongUsage without it."""
    if wishes.is_sure:
        return
    if screen.as_json or not sys.stdin.isatty():
        raise WrongUsage("prove places calls, and there is nobody to ask", "Add --yes if you mean it.")
    calls = sum(scenario.calls for scenario in scenarios(wishes.burst))
    screen.note(
        f"prove places {calls} test calls on {server.name} ({server.host}:{server.port}). They ring nobody. "
        "The server and its routers carry their load, and its CDR has a line for each."
    )
    if input("Place them? [y/N] ").strip().lower() not in ("y", "yes", "o", "oui"):
        raise WrongUsage("no call was placed", "")


async def run(screen: Screen, server: AsteriskServer, ami: AmiSettings, wishes: Wishes) -> Proof:
    stage = Stage()
    async with AsyncExitStack() as stack:
        inspection = await stack.enter_async_context(logged_in(server, ami, stage.hear))
        await require_fit(inspection, server.username)
        await require_idle(inspection, server.name, wishes.live_most)
        grace = await grace_of(inspection)
        rivals = await stack.enter_async_context(two_rivals(server, ami))
        played: list[tuple[Scenario, list[PlacedCall]]] = []
        hold = 0.0
        for together in _acts(scenarios(wishes.burst)):
            _say(screen, together, hold, grace)
            calls = [(one, await stage.play(inspection, one, rivals, hold)) for one in together]
            await stage.wait_over([call for _, part in calls for call in part], grace)
            played += calls
            hold = _hold_of(played, server.username)
    rows = [judge(scenario, calls, grace) for scenario, calls in played]
    return prove(server.name, rows, hold, grace, stage.ledger.forged_events)


def _acts(all_of_them: Sequence[Scenario]) -> list[list[Scenario]]:
    """What is taken comes one after the other; what waits out HOLD waits together."""
    alone = [[one] for one in all_of_them if one.context != PAUSED]
    return [*alone, [one for one in all_of_them if one.context == PAUSED]]


def _say(screen: Screen, together: Sequence[Scenario], hold: float, grace: float) -> None:
    calls = counted(sum(one.calls for one in together), "test call")
    waiting = f", which wait up to {hold + grace:g} s" if hold and together[0].context == PAUSED else ""
    screen.note(f"{calls}{waiting}: {', '.join(one.what for one in together)} …", "dim")


def _hold_of(played: Sequence[tuple[Scenario, Sequence[PlacedCall]]], account: str) -> float:
    """As the calls themselves told it. Raises Unfit when none was heard of."""
    told = [call.hold_seconds for _, calls in played for call in calls if call.is_parked]
    if not told:
        raise unheard(account)
    return max(told)
