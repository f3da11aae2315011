"""The link of the first start, on both databases: one provider comes of it, however many try."""

import asyncio

import pytest

from router.core.roles import Role
from router.records import setup_links, users
from router.records.accounts import Accounts, SignedIn
from router.records.database import Database, open_database
from router.records.errors import Conflict, NotFound
from router.records.users import User
from tests.records.makers import Clock
from tests.records.people import ORIGIN, PASSWORD, QuickHasher, accounts_of, audited, session


async def link(accounts: Accounts) -> str:
    key = await accounts.setup_key()
    assert key is not None
    return key


async def test_the_link_makes_the_first_provider_once(accounts: Accounts) -> None:
    key = await link(accounts)
    assert await accounts.is_setup_key(key)

    made = await accounts.set_up(key, "boss", PASSWORD, ORIGIN)

    assert (made.user.role, made.user.tenant) == (Role.PROVIDER, None)
    assert await session(accounts, made) is not None
    assert await accounts.setup_key() is None
    assert not await accounts.is_setup_key(key)
    with pytest.raises(NotFound):
        await accounts.set_up(key, "boss2", PASSWORD, ORIGIN)


async def test_of_two_processes_with_one_link_at_once_one_wins(
    accounts: Accounts, clock: Clock, url: str, database: Database
) -> None:
    key = await link(accounts)
    opened = [await open_database(url) for _ in range(2)]
    processes = [accounts_of(one, clock, QuickHasher()) for one in opened]

    results = await asyncio.gather(
        *(processes[n % 2].set_up(key, f"boss{n}", PASSWORD, ORIGIN) for n in range(4)),
        return_exceptions=True,
    )
    for one in opened:
        await one.aclose()

    assert sum(isinstance(result, SignedIn) for result in results) == 1
    assert sum(isinstance(result, NotFound) for result in results) == 3
    async with database.reading() as connection:
        assert len(await users.every(connection, None)) == 1


async def test_processes_that_start_together_leave_one_link(accounts: Accounts, database: Database) -> None:
    """The first one's transaction is still open when the second one asks."""
    async with database.writing() as connection:
        first = await setup_links.renew(connection, 1_777_626_000.0)
        asking = asyncio.create_task(accounts.setup_key())
        await asyncio.wait([asking], timeout=0.3)
        assert not asking.done()

    second = await asking
    assert first is not None
    assert second is not None
    assert [await accounts.is_setup_key(key) for key in (first, second)] == [False, True]


async def test_a_link_ends_after_a_day_and_with_the_next_one(accounts: Accounts, clock: Clock) -> None:
    first, second = await link(accounts), await link(accounts)

    assert not await accounts.is_setup_key(first)
    assert await accounts.is_setup_key(second)
    clock.now += 86_400
    assert not await accounts.is_setup_key(second)
    with pytest.raises(NotFound):
        await accounts.set_up(second, "boss", PASSWORD, ORIGIN)


async def test_a_stranger_s_link_costs_no_hash(accounts: Accounts, hasher: QuickHasher) -> None:
    await link(accounts)
    hasher.threads.clear()

    with pytest.raises(NotFound):
        await accounts.set_up("nobody's", "boss", PASSWORD, ORIGIN)
    assert not hasher.threads


@pytest.mark.parametrize(("name", "password"), [("boss", "short"), ("", PASSWORD)])
async def test_what_cannot_be_leaves_the_link_good(accounts: Accounts, name: str, password: str) -> None:
    key = await link(accounts)

    with pytest.raises(Conflict):
        await accounts.set_up(key, name, password, ORIGIN)
    await accounts.set_up(key, "boss", PASSWORD, ORIGIN)


async def test_where_there_is_a_user_there_is_no_link(accounts: Accounts, jane: User) -> None:
    assert await accounts.setup_key() is None


async def test_the_link_and_its_use_are_told(accounts: Accounts, database: Database) -> None:
    key = await link(accounts)
    await accounts.set_up(key, "boss", PASSWORD, ORIGIN)

    entries = await audited(database)
    told = [(one.who, one.action, one.kind) for one in entries]
    assert told[:2] == [("boss", "set up", "user"), ("crmroute", "create", "set-up link")]
    assert key not in str(entries)
