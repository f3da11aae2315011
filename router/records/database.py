"""The database: one engine for a process, transactions that read or write, errors translated, the schema
kept.

SQLite serves one machine, PostgreSQL several. On SQLite a transaction that writes takes the lock at once
(`BEGIN IMMEDIATE`): two that read first and write later would else refuse each other. Readers never wait
there, for the journal is a write-ahead log.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from router.records.errors import Conflict, RecordsEmpty, RecordsMisconfigured, RecordsUnavailable
from router.records.migrations import FIRST, require_current, upgrade

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
BUSY_SECONDS = 10.0
"""How long a writer waits for another process's transaction on SQLite."""
CONNECT_SECONDS = 5
"""How long PostgreSQL may take to answer a connection; `?connect_timeout=` in the address says otherwise."""
POOL = 10


class Database:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @property
    def is_sqlite(self) -> bool:
        return self._engine.dialect.name == "sqlite"

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """One state of the records. Raises RecordsError."""
        async with _translating(), self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: all of it is kept, or nothing of it where anything raises.

        Raises RecordsError; Conflict for a text that the database does not take.
        """
        async with _translating(), self._engine.connect() as connection:
            if self.is_sqlite:
                await connection.execution_options(crmroute_writes=True)
            async with connection.begin():
                yield connection

    async def upgrade(self) -> None:
        """Bring the schema to this program's. Raises RecordsMisconfigured for one that is newer."""
        async with _translating(), self._engine.connect() as connection:
            if self.is_sqlite:
                await connection.execution_options(crmroute_writes=True)
            async with connection.begin():
                await connection.run_sync(upgrade)

    async def require_current(self) -> None:
        """Raises RecordsMisconfigured where the schema is not this program's, RecordsEmpty where none is."""
        if self._is_missing():
            raise RecordsEmpty(f"there are no records at {self._engine.url.database}: {FIRST}")
        async with self.reading() as connection:
            await connection.run_sync(require_current)

    def _is_missing(self) -> bool:
        """Whether connecting would make a file."""
        return self.is_sqlite and not Path(self._engine.url.database or "").exists()

    async def aclose(self) -> None:
        await self._engine.dispose()


async def open_database(url: str, *, migrate: bool = True) -> Database:
    """Open, and bring the schema up to date; with `migrate` false nothing is made or changed.

    Raises RecordsError, RecordsMisconfigured; without `migrate` for a schema that is not this program's,
    RecordsEmpty where there is none at all.
    """
    database = Database(_engine(url, may_make=migrate))
    try:
        await (database.upgrade() if migrate else database.require_current())
    except BaseException:
        await database.aclose()
        raise
    return database


def _engine(url: str, *, may_make: bool) -> AsyncEngine:
    try:
        parsed = sa.make_url(url)
    except ArgumentError as error:
        raise RecordsMisconfigured("records.url is no address: sqlite:///path or postgresql://…") from error
    driver = DRIVERS.get(parsed.drivername)
    if driver is None:
        known = " or ".join(f"{name}://" for name in DRIVERS)
        raise RecordsMisconfigured(f"records.url begins with {parsed.drivername}://; it must be {known}")
    options: dict[str, Any] = {"pool_size": POOL, "max_overflow": POOL, "pool_pre_ping": True}
    if "connect_timeout" not in parsed.query:
        options["connect_args"] = {"connect_timeout": CONNECT_SECONDS}
    if driver.startswith("sqlite"):
        path = Path(parsed.database or "").expanduser()
        if not parsed.database:
            raise RecordsMisconfigured("records.url names no file: sqlite:///path/to/records.db")
        if may_make:
            _make_folder(path)
        parsed = parsed.set(database=str(path))
        options = {"connect_args": {"timeout": BUSY_SECONDS}}
    try:
        engine = create_async_engine(parsed.set(drivername=driver), **options)
    except (ArgumentError, NoSuchModuleError) as error:
        raise RecordsMisconfigured(f"records.url cannot be used: {error}") from error
    if engine.dialect.name == "sqlite":
        _as_sqlite_should_be(engine)
    return engine


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RecordsMisconfigured(f"the folder of records.url cannot be made: {error.strerror}") from error


def _as_sqlite_should_be(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("crmroute_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@asynccontextmanager
async def _translating() -> AsyncIterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise translated(error) from error
    except (TimeoutError, SQLAlchemyError, OSError, sqlite3.Error) as error:
        raise RecordsUnavailable(f"the records cannot be reached: {type(error).__name__}") from error


def translated(error: DBAPIError) -> Exception:
    """Without the statement and its values: these may hold what no log should."""
    if isinstance(error, DataError):
        return Conflict("a text has a sign, or a length, that the records do not take")
    told = str(error.orig).strip().splitlines()[0][:200] if error.orig else type(error).__name__
    return RecordsUnavailable(f"the records failed: {told}")
