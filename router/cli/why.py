"""`crmroute why CALL`: the whole trace of one call in sentences, every parking of it.

The sentences are `router.core.explain`'s; this module sets them: the moment in a column of its own, the
destination in bold, a sign before each line that held or did not.
"""

from collections.abc import Callable
from datetime import tzinfo

from msgspec import Struct
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from router.cli.calls import unique
from router.cli.errors import ExitCode
from router.cli.output import Screen, milliseconds, plain
from router.core.decisions import Decision
from router.core.explain import Explainer, Step
from router.core.identities import TenantId
from router.store.seams import DecisionStream

LATEST = "last"
SEARCHED = 2_000
"""How far back a caller's number is looked for."""

STYLES = {
    "line_held": "green",
    "line_failed": "dim",
    "lines_hidden": "dim",
    "problem": "red",
    "outcome_crm_error": "red",
    "outcome_timeout": "red",
    "outcome_overloaded": "red",
    "no_tenant": "red",
    "claim_lost": "yellow",
    "rehearsed": "cyan",
}
SIGNS = {"line_held": "✓ ", "line_failed": "✗ "}

ZoneOf = Callable[[TenantId], tzinfo]


class Parking(Struct, frozen=True):
    """One parking as `--json` gives it."""

    steps: list[Step]
    decision: Decision


class Trace(Struct, frozen=True):
    call: str
    parkings: list[Parking]


async def show_why(screen: Screen, stream: DecisionStream, call: str, zone_of: ZoneOf) -> ExitCode:
    decisions = await find_call(stream, call)
    if not decisions:
        screen.note(f"No call {call} is among the decisions that are kept.", "bold")
        screen.note("`crmroute calls` lists the latest; a call is decided when it has left route-hold.")
        return ExitCode.PROBLEMS
    parkings = [Parking(Explainer(zone_of(one.tenant)).explain(one), one) for one in decisions]
    screen.answer(Trace(decisions[0].call_id, parkings))
    for number, parking in enumerate(parkings):
        screen.show(*_headed(parking, number, len(parkings)))
    return ExitCode.OK


async def find_call(stream: DecisionStream, call: str) -> list[Decision]:
    """All parkings of the call of that id, else of that caller's latest call; `last` is the latest of all."""
    found = await stream.find(call)
    if found:
        return sorted(unique(found), key=lambda decision: (decision.server, decision.parking))
    latest = await stream.latest(1 if call == LATEST else SEARCHED)
    match = next((decision for decision in latest if call == LATEST or is_meant(decision, call)), None)
    if match is None:
        return []
    found = unique(await stream.find(match.call_id))
    parkings = [decision for decision in found if decision.server == match.server]
    return sorted(parkings or [match], key=lambda decision: decision.parking)


def is_meant(decision: Decision, call: str) -> bool:
    """Whether the text is a name under which a person may know the call."""
    return call in (decision.linkedid, decision.channel, decision.caller.e164, decision.caller.received)


def _headed(parking: Parking, number: int, of: int) -> list[RenderableType]:
    decision = parking.decision
    parts: list[RenderableType] = [Text()] if number else []
    if of > 1:
        parts.append(Text(f"Parking {decision.parking} ({number + 1} of {of})", "bold underline"))
    return [*parts, trace_table(parking.steps, decision)]


def trace_table(steps: list[Step], decision: Decision) -> Table:
    """The steps with their milliseconds, aligned; a step without a moment belongs to the one above it."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True, style="cyan", min_width=7)
    table.add_column(overflow="fold")
    table.add_row(Text("ms", "bold"), Text("what happened", "bold"))
    for step in steps:
        table.add_row(milliseconds(step.after_ms), _sentence(step, decision))
    return table


def _sentence(step: Step, decision: Decision) -> Text:
    text = Text(SIGNS.get(step.key, "") + plain(step.text), STYLES.get(step.key, ""))
    places = {decision.asked_target, decision.reached_place, decision.asked_place} - {""}
    if step.after_ms is not None and step.key != "parked":
        text.highlight_words(places, "bold")
    return text
