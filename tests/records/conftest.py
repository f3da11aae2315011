"""Records on both databases: SQLite in a file, and a real PostgreSQL that the tests start."""

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

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


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    database_kind: str = request.param
    return database_kind


@pytest.fixture(scope="session")
def with_schema(
    request: pytest.FixtureRequest, database_kind: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A database that nobody has open, to be copied: a step of the schema takes longer than most tests."""
    if database_kind == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('records')}/records.db"
    else:
        url = _new_on(request.getfixturevalue("postgres"))
    asyncio.run(_make_schema(url))
    return url


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> str:
    """Of an empty database."""
    if database_kind == "sqlite":
        return f"sqlite:///{tmp_path}/records.db"
    return _new_on(request.getfixturevalue("postgres"))


@pytest.fixture
def url(request: pytest.FixtureRequest, database_kind: str, with_schema: str, tmp_path: Path) -> str:
    """Of a database that has the schema, and nothing in it."""
    if database_kind == "sqlite":
        shutil.copy(with_schema.removeprefix("sqlite:///"), tmp_path / "records.db")
        return f"sqlite:///{tmp_path}/records.db"
    return _new_on(request.getfixturevalue("postgres"), f"TEMPLATE {sa.make_url(with_schema).database}")


def _new_on(server: str, like: str = "") -> str:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.format(database="postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} {like}")
    return server.format(database=name)


async def _make_schema(url: str) -> None:
    opened = await open_database(url)
    await opened.aclose()


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
