"""Records on both databases: SQLite in a file, and a real PostgreSQL that the tests start."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from router.core.roles import Role
from router.records.accounts import Accounts
from router.records.configuration import Configuration
from router.records.database import Database, open_database
from router.records.users import User
from tests.records.makers import ACME, JANE, Clock, checked, profile
from tests.records.people import PASSWORD, QuickHasher, accounts_of
from tests.records.servers import running_postgres

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with running_postgres() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/records.db"
    address: str = request.getfixturevalue("postgres")
    name = f"test_{next(_numbers)}"
    with psycopg.connect(address.format(database="postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return address.format(database=name)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    opened = await open_database(url)
    yield opened
    await opened.aclose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def configuration(database: Database, clock: Clock) -> Configuration:
    return Configuration(database, clock, checked)


@pytest.fixture
def hasher() -> QuickHasher:
    return QuickHasher()


@pytest.fixture
async def accounts(configuration: Configuration, clock: Clock, hasher: QuickHasher) -> Accounts:
    """Of a site that has the tenant Acme, and nobody yet."""
    await configuration.create_tenant(profile(), JANE)
    return accounts_of(configuration.database, clock, hasher)


@pytest.fixture
async def jane(accounts: Accounts) -> User:
    return await accounts.create_user("Jane@acme.example", Role.ADMIN, ACME, PASSWORD, JANE)


@pytest.fixture
async def boss(accounts: Accounts) -> User:
    return await accounts.create_user("boss", Role.PROVIDER, None, PASSWORD, JANE)
