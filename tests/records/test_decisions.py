"""The decision history on both databases: written once, found by whatever was asked, forgotten in time."""

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from router.core.decisions import Decision, LookupTrace
from router.core.identities import E164, RuleName, ServerName, TenantId, Uniqueid
from router.core.numbers import Caller, CallerKind, understand_called, understand_caller
from router.core.rules import Outcome
from router.records import decisions, retention
from router.records.configuration import Configuration
from router.records.database import Database
from router.records.decisions import Count, Page, Place, Search
from router.records.errors import Conflict, NotFound
from tests.records.makers import ACME, JANE, OTHER, decision, profile

AT = 1_777_626_000.0


async def write(database: Database, *batch: Decision) -> int:
    async with database.writing() as connection:
        return await decisions.write(connection, batch)


async def page(database: Database, after: Place | None = None, most: int = 100, **wanted: Any) -> Page:
    async with database.reading() as connection:
        return await decisions.search(connection, Search(**wanted), after, most)


async def calls(database: Database, **wanted: Any) -> list[str]:
    return [entry.decision.call_id for entry in (await page(database, **wanted)).entries]


# Writing


async def test_a_decision_is_written_once(database: Database) -> None:
    first, again, other = decision(), decision(by="0699999999"), decision(parking=2)

    assert await write(database, first, first) == 1
    assert await write(database, again, other) == 1

    found = await page(database, tenant=ACME)
    assert [entry.decision for entry in found.entries] == [other, first]


async def test_calls_of_two_servers_with_one_id_are_two(database: Database) -> None:
    assert await write(database, decision(), decision(server=ServerName("pbx2"))) == 2


async def test_nothing_is_written_of_an_empty_batch(database: Database) -> None:
    assert await write(database) == 0


HOSTILE = {
    "nul": "a\0b",
    "lone surrogate": "\ud83d tail",
    "long": "x" * 500,
    "long and wide": "\U0001f4de" * 500,
    "backwards": "\u202eabc\u202c",
    "sql": "'; DROP TABLE decisions; --%_",
    "empty": "",
}


def hostile(text: str) -> Decision:
    return decision(
        call=f"call {text}",
        server=ServerName(text),
        tenant=TenantId(text),
        caller=understand_caller(text, "", "FR", text),
        called=understand_called(text, "FR"),
        called_received=text,
        rule=RuleName(text),
        asked_target=text,
        plan=text,
        lookup=LookupTrace("crm", "number", text, record_name=text, fields=((text, text),), problem=text),
        steps_ms={text: 1.0},
    )


def raw(text: str) -> Decision:
    """As no router writes it, and a foreign one might."""
    return decision(call="raw", caller=Caller(text, CallerKind.NUMBER, E164(text)), called=text)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_whatever_a_caller_or_a_crm_sends_is_kept_and_found(database: Database, text: str) -> None:
    sent = hostile(text)
    kept = replace(hostile(text.replace("\ud83d", "?")), caller=sent.caller, called=sent.called)

    assert await write(database, sent, decision()) == 2

    async with database.reading() as connection:
        assert await decisions.find_call(connection, sent.tenant, sent.call_id) == [kept]
        assert await decisions.words(connection, sent.tenant, "rule") is not None
        assert await decisions.counts(connection, sent.tenant, 0.0, AT * 2) == [
            Count(AT // 60 * 60, "found", 1)
        ]
    assert await write(database, raw(text)) == 1
    for name in ("caller", "called", "rule", "destination"):
        assert kept.call_id in await calls(database, tenant=sent.tenant, **{name: text})
        assert kept.call_id in await calls(database, **{name: text})


async def test_numbers_that_no_column_holds_are_kept_whole_in_the_document(database: Database) -> None:
    odd = decision(parking=2**40, parked_at=2.5e11)

    await write(database, odd)

    assert (await page(database)).entries[0].decision == odd


async def test_long_ids_that_differ_at_their_end_are_two_calls(database: Database) -> None:
    one, two = (decision(call="x" * 200 + end) for end in "ab")

    assert await write(database, one, two) == 2

    async with database.reading() as connection:
        assert await decisions.find_call(connection, ACME, one.call_id) == [one]


# Searching


@pytest.mark.parametrize(
    "typed",
    [
        "+33612345678",
        "+33 (0)6 12-34.56 78",
        "0612345678",
        "06 12 34 56 78",
        "612345678",
        "33612345678",
        "0033612345678",
        "5678",
        "345678",
        "12345678",
    ],
)
async def test_a_number_is_found_as_people_type_it(configuration: Configuration, typed: str) -> None:
    await configuration.create_tenant(profile(), JANE)
    database = configuration.database
    called = decision(call="called", by="0711111111", called="+33612345678")
    await write(database, decision(call="calls"), called, decision(call="no", by="0622222222"))

    assert await calls(database, tenant=ACME, caller=typed) == ["calls"]
    assert await calls(database, tenant=ACME, called=typed) == ["called"]
    assert await calls(database, caller=typed) == ["calls"]


@pytest.mark.parametrize("typed", ["678", "0612", "+3361", "9999", "612345679", "%5678", "_678"])
async def test_beginnings_and_other_numbers_find_nothing(configuration: Configuration, typed: str) -> None:
    await configuration.create_tenant(profile(), JANE)
    await write(configuration.database, decision())

    assert await calls(configuration.database, tenant=ACME, caller=typed) == []


@pytest.mark.parametrize(
    ("received", "typed"),
    [
        ("anonymous", "withheld"),
        ("", "Anonymous"),
        ("1001", "1001"),
        ("10-01", "10 01"),
        ("101", "101"),
        ("*98", "*98"),
        ("ACME Sales", "acme sales"),
    ],
)
async def test_callers_without_a_number_are_found(database: Database, received: str, typed: str) -> None:
    await write(database, decision(call="wanted", by=received), decision(call="other"))

    assert await calls(database, tenant=ACME, caller=typed) == ["wanted"]


async def test_a_call_of_no_tenant_is_found_by_the_national_number(database: Database) -> None:
    """Nobody knows in which country to read it."""
    caller = understand_caller("06 12 34 56 78", "", "")
    called = understand_called("0142345001", "")
    await write(database, decision(tenant=TenantId(""), caller=caller, called=called, rule=None))

    assert await calls(database, caller="0612345678") == ["pbx1-1.1"]
    assert await calls(database, called="0142345001") == ["pbx1-1.1"]


async def test_of_a_call_that_nobody_decided_the_place_is_its_destination(database: Database) -> None:
    await write(database, decision(asked_target="", reached_place="from-trunk/s/1"))

    assert await calls(database, tenant=ACME, destination="from-trunk/s/1") == ["pbx1-1.1"]


async def test_the_end_of_a_time_is_not_in_it(database: Database) -> None:
    await write(database, *(decision(call=f"{at}", parked_at=AT + at) for at in range(4)))

    assert await calls(database, tenant=ACME, since=AT + 1, until=AT + 3) == ["2", "1"]


async def test_another_tenant_s_call_is_not_found(database: Database) -> None:
    await write(database, decision())

    assert await calls(database, tenant=OTHER) == []
    assert await calls(database, tenant=OTHER, caller="+33612345678", rule="Sales") == []
    async with database.reading() as connection:
        assert await decisions.find_call(connection, OTHER, "pbx1-1.1") == []
        assert await decisions.words(connection, OTHER, "rule") == []
        assert await decisions.counts(connection, OTHER, 0, AT * 2) == []
        assert await decisions.find_call(connection, None, "pbx1-1.1") == [decision()]


async def test_a_call_has_its_parkings_in_order(database: Database) -> None:
    parkings = [decision(parking=number, parked_at=AT - number) for number in (3, 1, 2)]
    await write(database, *parkings, decision(call="other"))

    async with database.reading() as connection:
        found = await decisions.find_call(connection, ACME, "pbx1-1.1")

    assert [one.parking for one in found] == [1, 2, 3]


CHOICES: dict[str, tuple[Any, ...]] = {
    "tenant": (ACME, OTHER, TenantId("third")),
    "by": ("+33612345678", "+33699995678", "anonymous"),
    "called": ("+33142345001", "+33142345002"),
    "rule": (RuleName("Sales"), RuleName("Support"), None),
    "outcome": (Outcome.FOUND, Outcome.TIMEOUT, None),
    "asked_target": ("queue gold", "queue bronze", ""),
}
ASKED: dict[str, tuple[Any, Callable[[Decision], bool]]] = {
    "tenant": (ACME, lambda one: one.tenant == ACME),
    "caller": ("5678", lambda one: (one.caller.e164 or "").endswith("5678")),
    "called": ("+33142345001", lambda one: one.called == "+33142345001"),
    "rule": ("Sales", lambda one: one.rule == "Sales"),
    "outcome": (Outcome.FOUND, lambda one: one.outcome is Outcome.FOUND),
    "destination": ("queue gold", lambda one: one.asked_target == "queue gold"),
    "since": (AT + 50, lambda one: one.parked_at >= AT + 50),
    "until": (AT + 150, lambda one: one.parked_at < AT + 150),
}
COMBINATIONS = [names for count in range(len(ASKED) + 1) for names in itertools.combinations(ASKED, count)]


async def test_every_combination_finds_what_it_says_and_the_newest_first(database: Database) -> None:
    chance = random.Random(7)
    made = [
        decision(
            call=f"{number:03}",
            parked_at=AT + number,
            **{name: chance.choice(choices) for name, choices in CHOICES.items()},
        )
        for number in range(200)
    ]
    await write(database, *made)

    for names in COMBINATIONS:
        wanted = {name: ASKED[name][0] for name in names}
        expected = [one.call_id for one in reversed(made) if all(ASKED[name][1](one) for name in names)]
        assert await calls(database, most=200, **wanted) == expected, names


@pytest.mark.parametrize(
    "wanted", [{"tenant": ACME}, {"tenant": ACME, "outcome": Outcome.FOUND}, {}, {"rule": "Sales"}]
)
async def test_pages_are_complete_and_without_doubles_while_others_write(
    database: Database, wanted: dict[str, Any]
) -> None:
    """Three calls at each moment, of two tenants, so that time alone does not tell them apart."""
    made = [
        decision(call=f"{number}", parked_at=AT + number // 3, tenant=(ACME, OTHER)[number % 2])
        for number in range(60)
    ]
    await write(database, *made)
    whose = [one for one in made if wanted.get("tenant") in (None, one.tenant)]
    found: list[Decision] = []
    place, pages = None, 0

    while pages == 0 or place is not None:
        got = await page(database, place, 7, **wanted)
        found += [entry.decision for entry in got.entries]
        place, pages = got.next, pages + 1
        late = (decision(call=f"new {pages}.{at}", parked_at=AT + at) for at in (0, 100 + pages))
        await write(database, *late)

    seen = [one.call_id for one in found]
    assert len(seen) == len(set(seen))
    assert {one.call_id for one in whose} <= set(seen)
    assert [one.parked_at for one in found] == sorted((one.parked_at for one in found), reverse=True)
    assert all(one.call_id.startswith("new") for one in found if one not in whose)


async def test_the_last_page_says_that_it_is(database: Database) -> None:
    await write(database, *(decision(call=f"{number}") for number in range(4)))

    first = await page(database, None, 2, tenant=ACME)
    last = await page(database, first.next, 2, tenant=ACME)

    assert [len(one.entries) for one in (first, last)] == [2, 2]
    assert last.next is None


async def test_what_a_newer_program_wrote_is_left_out_and_the_next_page_comes(database: Database) -> None:
    await write(database, *(decision(call=f"{number}", parked_at=AT + number) for number in range(3)))
    async with database.writing() as connection:
        broken = sa.text("UPDATE decisions SET document = :document WHERE call = '1'")
        await connection.execute(broken, {"document": b"\xc1"})

    first = await page(database, None, 2, tenant=ACME)
    last = await page(database, first.next, 2, tenant=ACME)

    assert [entry.decision.call_id for one in (first, last) for entry in one.entries] == ["2", "0"]
    async with database.reading() as connection:
        assert await decisions.find_call(connection, ACME, "1") == []


# Counting and choosing


async def test_calls_are_counted_by_minute_and_outcome(database: Database) -> None:
    minute = AT // 60 * 60
    moments = [(0.0, ACME), (59.9, ACME), (60.0, ACME), (61.0, OTHER), (180.0, ACME)]
    made = [decision(call=f"{at}", parked_at=minute + at, tenant=tenant) for at, tenant in moments]
    await write(database, *made, decision(call="none", parked_at=minute + 1, outcome=None))

    async with database.reading() as connection:
        own = await decisions.counts(connection, ACME, minute, minute + 180)
        every = await decisions.counts(connection, None, minute, minute + 180)
        hour = await decisions.counts(connection, ACME, minute, minute + 181, seconds=3600)

    assert own == [Count(minute, "", 1), Count(minute, "found", 2), Count(minute + 60, "found", 1)]
    assert every == [*own[:2], Count(minute + 60, "found", 2)]
    assert sum(count.calls for count in hour) == 5


async def test_rules_and_destinations_of_the_history_are_listed(database: Database) -> None:
    rules = ["Support", "Sales", None, "Sales", "Été"]
    await write(database, *(decision(call=f"{number}", rule=rule) for number, rule in enumerate(rules)))

    async with database.reading() as connection:
        assert set(await decisions.words(connection, ACME, "rule")) == {"Sales", "Support", "Été"}
        assert await decisions.words(connection, ACME, "destination") == ["queue gold"]
        assert len(await decisions.words(connection, ACME, "rule", most=2)) == 2


# Forgetting


async def test_the_oldest_are_forgotten_and_no_more_than_so_many(database: Database) -> None:
    await write(database, *(decision(call=f"{at}", parked_at=AT + at) for at in range(10)))
    await write(database, decision(call="other", tenant=OTHER))

    async with database.writing() as connection:
        assert await retention.forget(connection, ACME, AT + 5, 3) == 3
    assert await calls(database, tenant=ACME) == ["9", "8", "7", "6", "5", "4", "3"]
    async with database.writing() as connection:
        assert await retention.forget(connection, ACME, AT + 5, 3) == 2
        assert await retention.forget(connection, ACME, AT + 5, 3) == 0

    assert await calls(database, tenant=OTHER) == ["other"]


async def test_each_tenant_keeps_its_decisions_for_its_own_days(configuration: Configuration) -> None:
    await configuration.create_tenant(profile(), JANE)
    database = configuration.database
    await write(
        database, decision(), decision(call="2", tenant=OTHER), decision(call="3", tenant=TenantId(""))
    )

    async with database.writing() as connection:
        assert await retention.days(connection, ACME) == 90
        await retention.set_days(connection, ACME, 30)

    async with database.reading() as connection:
        assert await retention.days(connection, ACME) == 30
        assert await retention.every(connection) == {"": 90, ACME: 30, OTHER: 90}


@pytest.mark.parametrize("number", [0, -1, 3651])
async def test_days_out_of_bounds_are_refused(configuration: Configuration, number: int) -> None:
    await configuration.create_tenant(profile(), JANE)

    with pytest.raises(Conflict, match="1 to 3650 days"):
        async with configuration.database.writing() as connection:
            await retention.set_days(connection, ACME, number)


async def test_a_tenant_that_is_not_there_has_no_days(database: Database) -> None:
    with pytest.raises(NotFound):
        async with database.reading() as connection:
            await retention.days(connection, ACME)
    with pytest.raises(NotFound):
        async with database.writing() as connection:
            await retention.set_days(connection, ACME, 30)


def test_a_row_s_texts_fit_their_columns() -> None:
    row = decisions.row_of(decision(call="x" * 500, server=ServerName("y" * 500)))

    assert (len(row["call"]), len(row["server"])) == (100, 80)
    assert row["call"] != decisions.row_of(decision(call=Uniqueid("x" * 501)))["call"]
