"""`crmroute calls`: the latest decisions, a call in two rows, the newest last; `--follow` appends.

The upper row is what one looks for, the lower row what one looks up: `crmroute why` takes the call's id.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import date, datetime, tzinfo
from typing import Literal

from msgspec import Struct
from rich.table import Table
from rich.text import Text

from router.cli.errors import ExitCode
from router.cli.output import Screen, milliseconds, plain
from router.core.decisions import Decision, Ending
from router.core.destinations import parse_place
from router.core.identities import TenantId
from router.core.numbers import CallerKind
from router.store.seams import DecisionStream

SEARCHED = 20
"""How many decisions are read for each one that is shown of a single tenant."""

REMEMBERED = 5_000
"""Of how many shown decisions a second copy is noticed while following."""

ENDING_WORDS = {
    Ending.DEFAULTED: "default",
    Ending.ABANDONED: "hung up",
    Ending.VANISHED: "vanished",
    Ending.UNCONFIRMED: "unconfirmed",
    Ending.REHEARSED: "dry run",
}


class Column(Struct, frozen=True):
    upper: str
    lower: str
    least: int
    most: int
    is_number: bool = False


COLUMNS = (
    Column("time, tenant", "call", 20, 30),
    Column("caller", "called", 13, 16),
    Column("outcome", "CRM value", 9, 24),
    Column("line", "", 4, 4, is_number=True),
    Column("destination asked", "reached", 19, 34),
    Column("held ms", "", 8, 9, is_number=True),
)
ROOMY = 100
"""Columns from which there is room for a wider gap."""


async def show_calls(
    screen: Screen, stream: DecisionStream, zone: tzinfo, tenant: TenantId | None, limit: int, *, follow: bool
) -> ExitCode:
    listing = Listing(screen, zone)
    if follow:
        await _follow(stream, tenant, limit, listing)
    decisions = await latest_of(stream, tenant, limit)
    listing.show(decisions)
    if not decisions:
        screen.note(_none_text(tenant))
    return ExitCode.OK


async def latest_of(stream: DecisionStream, tenant: TenantId | None, limit: int) -> list[Decision]:
    """At most `limit` decisions, oldest first."""
    if tenant is None:
        found = unique(await stream.latest(limit))
    else:
        searched = await stream.latest(limit * SEARCHED)
        found = unique(decision for decision in searched if decision.tenant == tenant)[:limit]
    return found[::-1]


async def _follow(stream: DecisionStream, tenant: TenantId | None, limit: int, listing: "Listing") -> None:
    """Until cancelled. We follow before we read what there is, so that no decision falls in between."""
    coming: asyncio.Queue[Decision] = asyncio.Queue()
    following = asyncio.create_task(_pump(stream, coming))
    try:
        await asyncio.sleep(0)
        former = await latest_of(stream, tenant, limit) if limit else []
        listing.show(former)
        shown = dict.fromkeys(_key(decision) for decision in former)
        while True:
            decision = await coming.get()
            if tenant in (None, decision.tenant) and _key(decision) not in shown:
                listing.show([decision])
                shown[_key(decision)] = None
                if len(shown) > REMEMBERED:
                    del shown[next(iter(shown))]
    finally:
        following.cancel()


async def _pump(stream: DecisionStream, coming: "asyncio.Queue[Decision]") -> None:
    async for decision in stream.follow():
        coming.put_nowait(decision)


def unique(decisions: Iterable[Decision]) -> list[Decision]:
    """Each parking once: a router whose Redis was away may write a decision twice."""
    return list({_key(decision): decision for decision in decisions}.values())


def _key(decision: Decision) -> tuple[str, str, int]:
    return decision.server, decision.call_id, decision.parking


def _none_text(tenant: TenantId | None) -> str:
    whose = f" of tenant {tenant}" if tenant else ""
    return f"No call{whose} has been decided yet."


class Listing:
    """Prints decisions, the head once."""

    def __init__(self, screen: Screen, zone: tzinfo) -> None:
        self._screen = screen
        self._zone = zone
        self._widths = widths(screen.width)
        self._has_head = False

    def show(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            self._screen.answer(decision, is_one_of_many=True)
        if not decisions or self._screen.as_json:
            return
        if not self._has_head:
            self._screen.show(self._grid([_head()]))
            self._has_head = True
        today = datetime.now(self._zone).date()
        self._screen.show(self._grid([_rows(decision, self._zone, today) for decision in decisions]))

    def _grid(self, calls: Sequence[tuple[list[Text], list[Text]]]) -> Table:
        grid = Table.grid(padding=(0, gap(self._screen.width), 0, 0), pad_edge=False)
        for column, width in zip(COLUMNS, self._widths, strict=True):
            justify: Literal["right", "left"] = "right" if column.is_number else "left"
            # The call's id is copied from here, so it is folded and never cut.
            is_id = column is COLUMNS[0]
            grid.add_column(
                width=width, no_wrap=not is_id, overflow="fold" if is_id else "ellipsis", justify=justify
            )
        for upper, lower in calls:
            grid.add_row(*upper)
            grid.add_row(*lower)
        return grid


def gap(total: int) -> int:
    return 2 if total >= ROOMY else 1


def widths(total: int) -> list[int]:
    """The columns' widths: each its least, and the room that is left shared by those that can use it."""
    chosen = [column.least for column in COLUMNS]
    room = total - sum(chosen) - gap(total) * (len(COLUMNS) - 1)
    while room > 0:
        growing = [number for number, column in enumerate(COLUMNS) if chosen[number] < column.most]
        if not growing:
            break
        for number in growing[:room]:
            chosen[number] += 1
        room -= min(room, len(growing))
    return chosen


def _head() -> tuple[list[Text], list[Text]]:
    return [Text(column.upper, "bold") for column in COLUMNS], [
        Text(column.lower, "dim") for column in COLUMNS
    ]


def _rows(decision: Decision, zone: tzinfo, today: date) -> tuple[list[Text], list[Text]]:
    at = datetime.fromtimestamp(decision.parked_at, zone)
    time = at.strftime("%H:%M:%S" if at.date() == today else "%m-%d %H:%M:%S")
    upper = [
        Text.assemble(time, " ", (plain(decision.tenant), "cyan"), no_wrap=True, overflow="ellipsis"),
        Text(_caller(decision)),
        _outcome(decision),
        Text(str(decision.line_held or "-")),
        Text(plain(decision.asked_target) or _unasked(decision), "bold" if decision.asked_target else "dim"),
        Text(milliseconds(decision.steps_ms.get("ended"))),
    ]
    lower = [
        Text(plain(decision.call_id) + (f" ({decision.parking})" if decision.parking > 1 else ""), "dim"),
        Text(plain(decision.called or decision.called_received), "dim"),
        Text(plain(decision.value), "dim"),
        Text(""),
        _reached(decision),
        Text(""),
    ]
    return upper, lower


def _caller(decision: Decision) -> str:
    caller = decision.caller
    if caller.kind is CallerKind.WITHHELD:
        return "withheld"
    return plain(caller.e164 or caller.received) or str(caller.kind)


def _outcome(decision: Decision) -> Text:
    if decision.outcome is None:
        return Text("-", "dim")
    is_trouble = decision.outcome in ("crm_error", "timeout", "overloaded")
    return Text(decision.outcome.value.replace("_", " "), "red" if is_trouble else "")


def _unasked(decision: Decision) -> str:
    return "greeting" if decision.asked_why == "greeting" else "-"


def _reached(decision: Decision) -> Text:
    place = plain(decision.reached_place)
    shown = place.removesuffix("/1")  # the first priority goes without saying, and room is short
    if decision.ending is Ending.TAKEN:
        return Text(shown, "green" if is_same_place(place, decision.asked_place) else "yellow")
    word = ENDING_WORDS[decision.ending]
    return Text(f"{word} {shown}".rstrip(), "yellow")


def is_same_place(reached: str, asked: str) -> bool:
    """The dialplan writes `context/exten/priority`, for its events are split at commas; we write commas."""
    place = parse_place(asked)
    return place is not None and reached.replace("/", ",") in (asked, f"{place.context},{place.exten}")
