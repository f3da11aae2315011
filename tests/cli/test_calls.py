"""`crmroute calls` and `crmroute why`, on decisions in a real store."""

import asyncio
import json
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console

from router.cli.calls import COLUMNS, gap, is_same_place, show_calls, widths
from router.cli.output import Screen
from router.core.decisions import Ending
from router.core.identities import TenantId
from router.core.numbers import Caller, CallerKind
from router.core.rules import Outcome
from router.store.memory import MemoryStore
from tests.cli.conftest import Crmroute
from tests.cli.site import decision, record

GLOBEX = TenantId("globex")


def test_calls_shows_the_latest_last_with_asked_and_reached(
    crmroute: Crmroute, site: Path, redis_url: str
) -> None:
    withheld = Caller("", CallerKind.WITHHELD)
    record(
        redis_url,
        decision(1),
        decision(2, caller=withheld, outcome=Outcome.WITHHELD, line_held=None, value=""),
    )

    ran = crmroute("calls", "--config", str(site))

    assert ran.code == 0
    first, second = ran.out.index("pbx-a-1795435200.1"), ran.out.index("pbx-a-1795435200.2")
    assert first < second
    assert ran.out.index("withheld") > first
    for shown in (
        "acme",
        "+33612345678",
        "+33140000001",
        "found",
        "Silver",
        "queue silver",
        "route-queue/silver",
    ):
        assert shown in ran.out
    assert "1,108.9" in ran.out


def test_calls_of_one_tenant(crmroute: Crmroute, site: Path, redis_url: str) -> None:
    record(redis_url, decision(1), decision(2, tenant=GLOBEX), decision(3), decision(4))

    ran = crmroute("calls", "--json", "--tenant", "acme", "--limit", "2", "--config", str(site))

    calls = [json.loads(line) for line in ran.out.splitlines()]
    assert [call["call_id"] for call in calls] == ["pbx-a-1795435200.3", "pbx-a-1795435200.4"]


def test_no_calls_is_said(crmroute: Crmroute, site: Path) -> None:
    ran = crmroute("calls", "--tenant", "acme", "--config", str(site))

    assert ran.code == 0
    assert "No call of tenant acme" in ran.err


def test_defaulted_call_says_where_it_went(crmroute: Crmroute, site: Path, redis_url: str) -> None:
    record(
        redis_url,
        decision(ending=Ending.DEFAULTED, defaulted_why="missing", reached_place="route-ivr/main/1"),
    )

    ran = crmroute("calls", "--config", str(site))

    assert "default route-ivr/main" in ran.out


async def test_follow_appends_as_calls_are_decided() -> None:
    store = MemoryStore()
    await store.decisions.record(decision(1), is_only_witness=True)
    screen, written = screen_of(100)
    zone = ZoneInfo("Europe/Paris")

    following = asyncio.create_task(
        show_calls(screen, store.decisions, zone, TenantId("acme"), 5, follow=True)
    )
    await written.until("1795435200.1")
    await store.decisions.record(decision(2, tenant=GLOBEX), is_only_witness=True)
    await store.decisions.record(decision(3), is_only_witness=True)
    await written.until("1795435200.3")
    following.cancel()

    text = written.getvalue()
    assert text.count("time, tenant") == 1
    assert text.index("1795435200.1") < text.index("1795435200.3")
    assert "1795435200.2" not in text


class Written(StringIO):
    """What a screen got; one can wait for a text to be there."""

    def __init__(self) -> None:
        super().__init__()
        self._grew = asyncio.Event()

    def write(self, text: str) -> int:
        self._grew.set()
        return super().write(text)

    async def until(self, text: str) -> None:
        async with asyncio.timeout(20):
            while text not in self.getvalue():
                self._grew.clear()
                await self._grew.wait()


def screen_of(width: int) -> tuple[Screen, Written]:
    written = Written()
    return Screen(out=Console(file=written, width=width, highlight=False, markup=False)), written


def test_decision_that_was_written_twice_is_shown_once(
    crmroute: Crmroute, site: Path, redis_url: str
) -> None:
    record(redis_url, decision(1), decision(1))

    calls, why = crmroute("calls", "--config", str(site)), crmroute("why", "last", "--config", str(site))

    assert calls.out.count("pbx-a-1795435200.1") == 1
    assert "Parking" not in why.out


def test_table_fits_the_terminal() -> None:
    for total in (80, 100, 120, 160, 240):
        chosen = widths(total)

        assert sum(chosen) + gap(total) * (len(COLUMNS) - 1) <= total
        assert all(
            column.least <= width <= column.most for column, width in zip(COLUMNS, chosen, strict=True)
        )


def test_place_reached_is_compared_in_both_spellings() -> None:
    assert is_same_place("route-queue/gold/1", "route-queue,gold,1")
    assert not is_same_place("route-ivr/main/1", "route-queue,gold,1")
    assert not is_same_place("", "")


def test_why_tells_the_whole_trace(crmroute: Crmroute, site: Path, redis_url: str) -> None:
    record(redis_url, decision(1), decision(2))

    ran = crmroute("why", "pbx-a-1795435200.1", "--config", str(site))

    assert ran.code == 0
    for said in (
        "2026-11-23 13:00:01 CET",
        "came as “0612345678” and is understood as +33612345678 (FR)",
        "GET https://crm.invalid/lookup (1 attempt, 104 ms in the CRM)",
        "Field status = Silver.",
        "✗ Line 1 does not hold: status “Silver” = “gold” is false.",
        "✓ Line 2 holds: status “Silver” = “silver” is true.",
        "queue silver, because line 2 holds",
        "1,108.9  Asterisk took the call to route-queue/silver/1.",
    ):
        assert said in ran.out
    assert "Parking" not in ran.out


def test_why_tells_every_parking_in_order(crmroute: Crmroute, site: Path, redis_url: str) -> None:
    record(redis_url, decision(1, parking=2, digits="4711"), decision(1, parking=1))

    ran = crmroute("why", "pbx-a-1795435200.1", "--config", str(site))

    assert ran.out.index("Parking 1 (1 of 2)") < ran.out.index("Parking 2 (2 of 2)")
    assert "The caller keyed 4711." in ran.out


def test_why_finds_the_latest_call_and_the_latest_of_a_number(
    crmroute: Crmroute, site: Path, redis_url: str
) -> None:
    other = Caller("+442071234567", CallerKind.NUMBER)
    record(redis_url, decision(1), decision(2), decision(3, caller=other))

    last, mine = (crmroute("why", "--json", name, "--config", str(site)) for name in ("last", "+33612345678"))

    assert last.json["call"] == "pbx-a-1795435200.3"
    assert mine.json["call"] == "pbx-a-1795435200.2"


def test_why_json_holds_sentences_and_decision(crmroute: Crmroute, site: Path, redis_url: str) -> None:
    record(redis_url, decision(1))

    parking = crmroute("why", "last", "--json", "--config", str(site)).json["parkings"][0]

    assert parking["decision"]["asked_target"] == "queue silver"
    assert {"key", "text", "after_ms"} == set(parking["steps"][0])


def test_why_of_an_unknown_call_says_where_to_look(crmroute: Crmroute, site: Path) -> None:
    ran = crmroute("why", "pbx-a-1.1", "--config", str(site))

    assert ran.code == 1
    assert "crmroute calls" in ran.err


def test_what_a_crm_sent_cannot_write_on_the_terminal(crmroute: Crmroute, site: Path, redis_url: str) -> None:
    record(redis_url, decision(1, value="[red]\x1b[31mRed", problem="\x1b]0;title\x07"))

    calls, why = crmroute("calls", "--config", str(site)), crmroute("why", "last", "--config", str(site))

    assert "\x1b" not in calls.out + why.out
    assert "[red]" in calls.out
