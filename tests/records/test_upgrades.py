"""Databases of every former schema, with data in all their tables, brought up to date: nothing is lost, and
what a person looks for is found.
"""

from collections.abc import AsyncIterator

import pyotp
import pytest
import sqlalchemy as sa

from router.core.identities import RuleName
from router.core.roles import Role
from router.core.rules import Outcome
from router.records import audit, decisions, numbers, publications, retention, rules, tenants, tokens
from router.records.audit import Wanted
from router.records.configuration import Configuration
from router.records.database import Database, open_database
from router.records.decisions import Search
from router.records.migrations import revision_of, steps, upgrade
from tests.records.former_rows import CALL, DIGEST, NEW_ROWS, SESSION, TOKEN, TOTP, rows_of
from tests.records.makers import ACME, JANE, Clock, checked, rule
from tests.records.people import QuickHasher, accounts_of, sign_in

UNTOUCHED = {"alembic_version"}


@pytest.fixture
def url(empty_url: str) -> str:
    return empty_url


@pytest.fixture(params=sorted(steps()))
def step(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def database(url: str, step: str) -> AsyncIterator[Database]:
    """Of that step, filled, and then opened by today's program."""
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        upgrade(connection, step)
        filled = set(sa.inspect(connection).get_table_names()) - UNTOUCHED
        assert filled == set(rows_of(step)), "a table of this schema has no row in former_rows"
        for table, rows in rows_of(step).items():
            for row in rows:
                columns = ", ".join(f'"{name}"' for name in row)
                values = ", ".join(f":{name}" for name in row)
                connection.execute(sa.text(f'INSERT INTO "{table}" ({columns}) VALUES ({values})'), row)  # noqa: S608 - names of ours
    engine.dispose()
    opened = await open_database(url)
    yield opened
    await opened.aclose()


def test_every_step_has_its_rows() -> None:
    assert sorted(NEW_ROWS) == sorted(steps())


async def test_no_value_is_lost(database: Database, step: str) -> None:
    async with database.reading() as connection:
        assert await connection.run_sync(revision_of) == steps()[0]
        for table, rows in rows_of(step).items():
            for row in rows:
                where = " AND ".join(
                    f'"{name}" IS NULL' if value is None else f'"{name}" = :{name}'
                    for name, value in row.items()
                )
                query = sa.text(f'SELECT count(*) FROM "{table}" WHERE {where}')  # noqa: S608 - names of ours
                assert await connection.scalar(query, row) == 1, f"{table}: {row}"


async def test_a_tenant_and_what_is_in_force(database: Database, step: str) -> None:
    async with database.reading() as connection:
        owner = await tenants.one(connection, ACME)
        kept_days = await retention.days(connection, ACME)
        in_force = await publications.in_force(connection, ACME)
        first = await publications.numbered(connection, ACME, 1)
        assembled, versions = await publications.assemble(connection, ACME)
        entries = await audit.read(connection, Wanted(tenant=ACME), 10)

    assert (owner.profile.name, owner.revision, owner.managed_by) == ("Acme", 3, "page")
    assert kept_days == (30 if step >= "0003" else 90)
    assert in_force is not None
    assert (in_force.number, in_force.digest, in_force.document) == (2, DIGEST, assembled)
    assert versions == {"Sales": 2, "By number": 1}
    assert first.document is not None
    assert [one.name for one in first.document.rules] == ["Sales"]
    assert [(one.action, one.name) for one in entries] == [("change", "Sales")]


async def test_a_rule_with_its_versions_and_numbers(database: Database) -> None:
    async with database.reading() as connection:
        row = await rules.named(connection, ACME, "Sales")
        listed = await rules.versions(connection, row)
        dids = await numbers.every_number(connection, ACME)

    assert (row.revision, row.live_version, row.live) == (4, 2, rule())
    assert row.draft.lines[0].value == "Platinum"
    assert row.used_by == ("+33142345001",)
    assert [(one.number, one.author, one.comment) for one in listed] == [
        (2, "bob", "gold"),
        (1, "jane", "first"),
    ]
    assert [(one.did, one.rule_name, one.note) for one in dids] == [
        ("+33142345001", "Sales", ""),
        ("+33142345002", None, "the desk"),
    ]


async def test_whoever_could_sign_in_still_can(database: Database, clock: Clock, hasher: QuickHasher) -> None:
    accounts = accounts_of(database, clock, hasher)

    jane = await sign_in(accounts)
    boss = await sign_in(accounts, "BOSS", pyotp.TOTP(TOTP).at(int(clock.now)))
    session = await accounts.session(SESSION)

    assert (jane.user.role, jane.user.tenant) == (Role.ADMIN, ACME)
    assert boss.user.role is Role.PROVIDER
    assert session is not None
    assert session.user.name == "Jane@acme.example"


async def test_a_token_still_serves_and_is_bound_to_its_maker(
    database: Database, clock: Clock, hasher: QuickHasher
) -> None:
    accounts = accounts_of(database, clock, hasher)
    before = await accounts.token(TOKEN)
    async with database.reading() as connection:
        maker = (await tokens.every(connection, ACME))[0].maker

    await accounts.change_user(1, JANE, is_disabled=True)

    assert before is not None
    assert (before.name, before.role, maker) == ("ci", Role.EDITOR, 1)
    assert await accounts.token(TOKEN) is None


@pytest.mark.parametrize(
    "wanted",
    [
        Search(tenant=ACME),
        Search(tenant=ACME, caller="06 12 34 56 78"),
        Search(tenant=ACME, caller="5678"),
        Search(tenant=ACME, called="5001"),
        Search(tenant=ACME, rule="Sales", outcome=Outcome.FOUND, destination="queue gold"),
        Search(),
    ],
)
async def test_a_call_s_decision_is_found(database: Database, wanted: Search) -> None:
    async with database.reading() as connection:
        page = await decisions.search(connection, wanted, None, 10)
        found = await decisions.find_call(connection, ACME, CALL)

    assert [one.decision.call_id for one in page.entries] == [CALL]
    assert [(one.rule, one.asked_target, one.plan) for one in found] == [("Sales", "queue gold", DIGEST)]


async def test_work_goes_on(database: Database, clock: Clock) -> None:
    """A new rule gets an id of its own, and what is published follows what was."""
    configuration = Configuration(database, clock, checked)

    id_ = await configuration.create_rule(ACME, rule(name=RuleName("New")), JANE)
    publication = await configuration.publish_rule(ACME, id_, "", None, JANE)

    assert id_ == 3
    assert publication is not None
    assert publication.number == 3
