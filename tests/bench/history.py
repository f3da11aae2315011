"""How long a search of 1,000,000 decisions takes on a real PostgreSQL: `python -m tests.bench.history`.

The server has PostgreSQL's own defaults. 50 tenants have 20,000 callers in 30 days; the largest tenant has a
quarter of the calls, and calls come by day more than by night. Each search is made 20 times with other values
and told by its slowest: the first page of 50, decoded, with nothing warmed up.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any

import psycopg
from msgspec import Struct

from router.admin.decision_recorder import DecisionRecorder
from router.core.decisions import Decision, Ending, LineTrace, LookupTrace, TestTrace, Verdict
from router.core.identities import (
    E164,
    ChannelName,
    IntegrationName,
    RouterName,
    RuleName,
    ServerName,
    TenantId,
    Uniqueid,
)
from router.core.lookups import CacheState
from router.core.numbers import Caller, CallerKind
from router.core.rules import Outcome
from router.records import decisions
from router.records.database import Database, open_database
from router.records.decisions import Place, Search, row_of
from router.store.memory import MemoryStore
from tests.records.servers import running_postgres

TENANTS, CALLERS, DAYS, RULES, QUEUES = 50, 20_000, 30, 6, 8
DAY_SECONDS = 86_400.0
NOW = 1_777_626_000.0
PAGE, TIMES = 50, 20
RECORDED = 20_000
OUTCOMES = {
    Outcome.FOUND: 62,
    Outcome.NOT_FOUND: 24,
    Outcome.WITHHELD: 6,
    Outcome.NO_LOOKUP: 4,
    Outcome.SEVERAL: 2.5,
    Outcome.TIMEOUT: 1,
    Outcome.CRM_ERROR: 0.45,
    Outcome.OVERLOADED: 0.05,
}
DEFAULTS = ("listen_addresses=",)
"""PostgreSQL's own settings: it keeps what it says it keeps."""


class Made(Struct, frozen=True):
    """What the decisions are made of."""

    tenants: tuple[TenantId, ...]
    weights: tuple[float, ...]
    callers: tuple[str, ...]
    dids: dict[TenantId, tuple[str, ...]]


def made(chance: random.Random) -> Made:
    tenants = tuple(TenantId(f"tenant-{number:02}") for number in range(TENANTS))
    callers = tuple(f"+336{number:08}" for number in chance.sample(range(10**8), CALLERS))
    first = {tenant: chance.randrange(10**8) // 100 * 100 for tenant in tenants}
    dids = {tenant: tuple(f"+331{at + number:08}" for number in range(10)) for tenant, at in first.items()}
    return Made(tenants, tuple(1 / (number + 1) for number in range(TENANTS)), callers, dids)


def decisions_made(of: Made, count: int, chance: random.Random, since: float) -> Iterator[Decision]:
    """In the order of time, as they come."""
    moments = sorted(since + _moment(chance) for _ in range(count))
    tenants = chance.choices(of.tenants, of.weights, k=count)
    outcomes = chance.choices(tuple(OUTCOMES), tuple(OUTCOMES.values()), k=count)
    for number, (at, tenant, outcome) in enumerate(zip(moments, tenants, outcomes, strict=True)):
        # Of twenty thousand callers some call every day and most once a month.
        caller = of.callers[int(CALLERS * chance.random() ** 2.5)]
        yield _decision(of, chance, (number, at, tenant, outcome, caller))


def _moment(chance: random.Random) -> float:
    hour = min(23.99, max(0.0, chance.gauss(13.0, 3.5)))
    return chance.randrange(DAYS) * DAY_SECONDS + hour * 3600


def _decision(of: Made, chance: random.Random, what: tuple[int, float, TenantId, Outcome, str]) -> Decision:
    number, at, tenant, outcome, caller = what
    is_withheld = outcome is Outcome.WITHHELD
    queue = int(QUEUES * chance.random() ** 2)
    call, did = Uniqueid(f"pbx{number % 4}-{at:.0f}.{number}"), chance.choice(of.dids[tenant])
    return Decision(
        call_id=call,
        linkedid=call,
        parking=1,
        server=ServerName(f"pbx{number % 4}"),
        channel=ChannelName(f"PJSIP/trunk-{number:08x}"),
        router=RouterName("router-1"),
        tenant=tenant,
        parked_at=at,
        called_received=did,
        called=did,
        caller=Caller("anonymous", CallerKind.WITHHELD)
        if is_withheld
        else Caller(caller, CallerKind.NUMBER, E164(caller), "FR", "Some Caller"),
        rule=RuleName(f"Rule {int(RULES * chance.random() ** 2)}"),
        plan="0123456789abcdef",
        outcome=outcome,
        lookup=LookupTrace(
            integration=IntegrationName("crm"),
            by="number",
            subject=caller,
            cache=CacheState.MISSING,
            request="GET https://crm.example/api/v2/search.json?query=phone:33600000000",
            attempts=1,
            crm_seconds=0.131,
            records=1,
            record_chosen=1,
            record_name="Some Caller",
            fields=(("tier", "Gold"), ("owner", "Ann Example"), ("open_cases", "3")),
            worker="worker-1",
        ),
        lines=tuple(
            LineTrace(line, line == 3, (TestTrace("tier", "Gold", "=", f"Metal {line}", Verdict.FAILED),))
            for line in range(1, 4)
        ),
        lines_walked=3,
        line_held=3,
        value="Gold",
        asked_target=f"queue {queue}",
        asked_place=f"route-queue,{queue},1",
        asked_why="line 3",
        ending=Ending.TAKEN,
        reached_place=f"route-queue/{queue}/1",
        won_claim=True,
        steps_ms={"asked": 1.2, "answered": 132.5, "decided": 132.7, "claimed": 134.1, "ended": 141.9},
    )


def fill(address: str, listed: Iterable[Decision]) -> None:
    with psycopg.connect(address) as connection, connection.cursor() as cursor:
        rows = map(row_of, listed)
        first = next(rows)
        names = list(first)
        with cursor.copy(f"COPY decisions ({', '.join(names)}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types([_TYPES.get(name, "text") for name in names])
            copy.write_row([first[name] for name in names])
            for row in rows:
                copy.write_row([row[name] for name in names])
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("ANALYZE decisions")  # autovacuum does it within a minute


_TYPES = {"parking": "int4", "parked_at": "float8", "document": "bytea"}


def searches(of: Made, chance: random.Random) -> dict[str, Callable[[], tuple[Search, Place | None]]]:
    """Each gives another search whenever it is called: mostly of large tenants, sometimes of small ones."""

    def tenant() -> TenantId:
        return chance.choices(of.tenants, of.weights)[0]

    def caller() -> str:
        return of.callers[int(CALLERS * chance.random() ** 2.5)]

    def times() -> dict[str, Any]:
        since = NOW - chance.uniform(1, DAYS) * DAY_SECONDS
        return {"since": since, "until": since + chance.choice((3600.0, DAY_SECONDS, 7 * DAY_SECONDS))}

    def rule() -> str:
        return f"Rule {chance.randrange(RULES)}"

    def outcome() -> Outcome:
        return chance.choice(tuple(OUTCOMES))

    def to() -> str:
        return f"queue {chance.randrange(QUEUES)}"

    def no() -> dict[str, Any]:
        return {}

    kinds: dict[str, Callable[[], dict[str, Any]]] = {
        "the latest": no,
        "time": times,
        "caller": lambda: {"caller": caller()},
        "caller, as typed at home": lambda: {"caller": "0" + caller()[3:]},
        "caller, last four digits": lambda: {"caller": caller()[-4:]},
        "caller, last six digits": lambda: {"caller": caller()[-6:]},
        "caller withheld": lambda: {"caller": "withheld"},
        "called": lambda: {"called": chance.choice(of.dids[tenant()])},
        "rule": lambda: {"rule": rule()},
        "outcome": lambda: {"outcome": outcome()},
        "destination": lambda: {"destination": to()},
        "nobody's number": lambda: {"caller": f"+3379{chance.randrange(10**7):07}"},
        "no such rule, time": lambda: {"rule": "None", **times()},
        "caller, time": lambda: {"caller": caller(), **times()},
        "rule, outcome": lambda: {"rule": rule(), "outcome": outcome()},
        "rule, outcome, destination": lambda: {"rule": rule(), "outcome": outcome(), "destination": to()},
        "outcome, destination, time": lambda: {"outcome": outcome(), "destination": to(), **times()},
        "caller, outcome, destination": lambda: {
            "caller": caller(),
            "outcome": outcome(),
            "destination": to(),
        },
        "withheld and found (none is both)": lambda: {"caller": "withheld", "outcome": Outcome.FOUND},
        "all at once": lambda: {
            "caller": caller(),
            "rule": rule(),
            "outcome": outcome(),
            "destination": to(),
            **times(),
        },
    }

    def of_tenant(kind: Callable[[], dict[str, Any]]) -> tuple[Search, Place | None]:
        return Search(tenant=tenant(), **kind()), None

    def later(kind: Callable[[], dict[str, Any]]) -> tuple[Search, Place | None]:
        place = Place(NOW - chance.uniform(0, DAYS) * DAY_SECONDS, chance.randrange(10**6))
        return Search(tenant=tenant(), **kind()), place

    def of_all(kind: Callable[[], dict[str, Any]]) -> tuple[Search, Place | None]:
        return Search(**kind()), None

    largest = of.tenants[0]
    return {
        **{name: partial(of_tenant, kind) for name, kind in kinds.items()},
        "a page in the middle": lambda: later(no),
        "outcome, a page in the middle": lambda: later(lambda: {"outcome": outcome()}),
        "largest tenant, withheld and found": lambda: (
            Search(tenant=largest, caller="withheld", outcome=Outcome.FOUND),
            None,
        ),
        **{f"all tenants: {name}": partial(of_all, kind) for name, kind in kinds.items()},
    }


async def timed(count: int, act: Callable[[], Awaitable[object]]) -> dict[str, float]:
    took = []
    for _ in range(count):
        began = time.perf_counter()
        await act()
        took.append((time.perf_counter() - began) * 1000)
    return {"worst": round(max(took), 1), "median": round(statistics.median(took), 1)}


async def searched(database: Database, of: Made, chance: random.Random) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name, make in searches(of, chance).items():
        figures[name] = await timed(TIMES, partial(_search, database, make))
    for name, seconds in (("an hour", 3600.0), ("a day", DAY_SECONDS)):
        for whose, tenant in (("the largest tenant", of.tenants[0]), ("all tenants", None)):
            act = partial(_count, database, chance, tenant, seconds)
            figures[f"counts of {name}, {whose}"] = await timed(TIMES, act)
    figures["counts of an hour, by tenant"] = await timed(TIMES, partial(_count_tenants, database, chance))
    figures["destinations to choose from"] = await timed(TIMES, partial(_words, database, of, chance))
    return figures


async def _search(database: Database, make: Callable[[], tuple[Search, Place | None]]) -> None:
    wanted, place = make()
    async with database.reading() as connection:
        await decisions.search(connection, wanted, place, PAGE)


async def _count(database: Database, chance: random.Random, tenant: TenantId | None, seconds: float) -> None:
    until = NOW - chance.randrange(DAYS - 2) * DAY_SECONDS - 8 * 3600
    async with database.reading() as connection:
        await decisions.counts(connection, tenant, until - seconds, until)


async def _count_tenants(database: Database, chance: random.Random) -> None:
    until = NOW - chance.randrange(DAYS - 2) * DAY_SECONDS - 8 * 3600
    async with database.reading() as connection:
        await decisions.counts_of_tenants(connection, until - 3600.0, until)


async def _words(database: Database, of: Made, chance: random.Random) -> None:
    async with database.reading() as connection:
        await decisions.words(connection, chance.choice(of.tenants), "destination")


async def recorded(database: Database, listed: Iterable[Decision]) -> dict[str, Any]:
    """The recorder's rate, into a table that is full already."""
    store = MemoryStore(decisions_kept=RECORDED)
    for decision in listed:
        await store.decisions.record(decision, is_only_witness=True)
    recorder = DecisionRecorder(store.decisions, database, lambda: NOW)
    began, count = time.perf_counter(), 0
    while batch := await recorder.step():
        count += batch
    seconds = time.perf_counter() - began
    return {"decisions": count, "seconds": round(seconds, 2), "per_second": round(count / seconds)}


async def measure(address: str, count: int) -> dict[str, Any]:
    chance = random.Random(20_260_501)
    database = await open_database(address)
    try:
        of = made(chance)
        began = time.perf_counter()
        fill(address, decisions_made(of, count, chance, NOW - DAYS * DAY_SECONDS))
        filled = time.perf_counter() - began
        with psycopg.connect(address) as connection:
            (version, size) = connection.execute(
                "SELECT version(), pg_size_pretty(pg_total_relation_size('decisions'))"
            ).fetchone() or ("", "")
        figures = await searched(database, of, chance)
        new = decisions_made(of, RECORDED, chance, NOW)
        return {
            "what": "the first page of 50, in ms; the worst and the median of 20",
            "server": version.split(" (")[0],
            "decisions": count,
            "size": size,
            "filled_in_seconds": round(filled, 1),
            "worst_of_all_ms": max(one["worst"] for one in figures.values()),
            "ms": figures,
            "recorder": await recorded(database, new),
        }
    finally:
        await database.aclose()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--decisions", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with running_postgres(DEFAULTS) as address:
        figures = asyncio.run(measure(address.format(database="postgres"), arguments.decisions))
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
