"""The database itself: its schema from nothing and from every step, what it refuses, what an error tells."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from router.records import audit
from router.records.audit import Deed, Wanted
from router.records.configuration import Configuration
from router.records.database import Database, open_database
from router.records.errors import RecordsEmpty, RecordsError, RecordsMisconfigured, RecordsUnavailable
from router.records.migrations import revision_of, steps, upgrade
from router.records.tables import metadata
from tests.records.makers import ACME, JANE, tenant


@pytest.fixture
def url(empty_url: str) -> str:
    return empty_url


def test_the_schema_of_the_last_step_is_the_one_of_the_tables(url: str) -> None:
    async def compared() -> list[object]:
        database = await open_database(url)
        try:
            async with database.reading() as connection:
                return await connection.run_sync(
                    lambda sync: compare_metadata(
                        MigrationContext.configure(sync, opts={"compare_type": True}), metadata
                    )
                )
        finally:
            await database.aclose()

    assert asyncio.run(compared()) == []


@pytest.mark.parametrize("step", steps())
def test_every_step_leads_to_the_last_one(url: str, step: str) -> None:
    driver = url.replace("postgresql:", "postgresql+psycopg:")
    engine = sa.create_engine(driver)
    with engine.begin() as connection:
        upgrade(connection, step)
        assert revision_of(connection) == step
    with engine.begin() as connection:
        upgrade(connection)
        assert revision_of(connection) == steps()[0]
    engine.dispose()


async def test_a_schema_of_a_newer_program_is_left_alone(url: str) -> None:
    database = await open_database(url)
    async with database.writing() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    await database.aclose()

    with pytest.raises(RecordsMisconfigured, match="made by a newer crmroute"):
        await open_database(url)


def test_several_processes_that_start_together_make_the_schema_once(url: str) -> None:
    program = f"""
import asyncio
from router.records.database import open_database
async def main():
    await (await open_database({url!r})).aclose()
asyncio.run(main())
"""
    started = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(4)]

    assert [process.wait(60) for process in started] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET who = 'nobody'",
        "DELETE FROM audit",
        "UPDATE publications SET author = 'nobody'",
        "DELETE FROM publications",
        "UPDATE rule_versions SET author = 'nobody'",
    ],
)
async def test_history_is_not_rewritten(configuration: Configuration, statement: str) -> None:
    await configuration.apply(tenant(), "first", JANE)

    with pytest.raises(RecordsError, match="is append-only"):
        async with configuration.database.writing() as connection:
            await connection.execute(sa.text(statement))


async def test_what_raises_is_undone(database: Database) -> None:
    async def fail() -> None:
        async with database.writing() as connection:
            await audit.note(connection, 1.0, JANE, ACME, Deed(action="a", kind="b", name="c"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    async with database.reading() as connection:
        assert await audit.read(connection, Wanted(), 10) == []


async def test_writers_wait_for_each_other(database: Database) -> None:
    async def write(number: int) -> None:
        async with database.writing() as connection:
            await audit.note(connection, 1.0, JANE, ACME, Deed(action="a", kind="b", name=str(number)))

    await asyncio.gather(*(write(number) for number in range(40)))

    async with database.reading() as connection:
        assert len(await audit.read(connection, Wanted(), 100)) == 40


async def test_an_error_tells_neither_statement_nor_values(database: Database) -> None:
    with pytest.raises(RecordsUnavailable) as failed:
        async with database.writing() as connection:
            await connection.execute(
                sa.text("INSERT INTO no_such_table VALUES (:secret)"), {"secret": "canary"}
            )

    assert "canary" not in str(failed.value)
    assert "INSERT" not in str(failed.value)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", "no address"),
        ("mysql://localhost/x", r"it must be sqlite:// or postgresql://"),
        ("sqlite://", "names no file"),
    ],
)
async def test_an_address_that_cannot_work(address: str, told: str) -> None:
    with pytest.raises(RecordsMisconfigured, match=told):
        await open_database(address)


async def test_a_server_that_is_away() -> None:
    with pytest.raises(RecordsUnavailable):
        await open_database("postgresql://crmroute@/x?host=/nonexistent-folder")


@pytest.mark.timeout(60)
async def test_a_server_that_accepts_and_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(RecordsUnavailable):
        await open_database(f"postgresql://crmroute@127.0.0.1:{silent.getsockname()[1]}/x")


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(RecordsMisconfigured, match="cannot be made"):
        await open_database(f"sqlite:///{tmp_path}/file/records.db")


async def test_a_reader_takes_the_schema_of_its_own_program(url: str) -> None:
    await (await open_database(url)).aclose()

    database = await open_database(url, migrate=False)
    try:
        async with database.reading() as connection:
            assert await audit.read(connection, Wanted(), 1) == []
    finally:
        await database.aclose()


@pytest.mark.parametrize("step", steps()[1:])
async def test_a_reader_leaves_an_older_schema_as_it_is(url: str, step: str) -> None:
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        upgrade(connection, step)

    with pytest.raises(
        RecordsMisconfigured, match=f"schema {step}, and this crmroute needs {steps()[0]}.*crmroute apply"
    ):
        await open_database(url, migrate=False)

    with engine.begin() as connection:
        assert revision_of(connection) == step
    engine.dispose()


async def test_a_reader_leaves_a_newer_schema_as_it_is(url: str) -> None:
    database = await open_database(url)
    async with database.writing() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    await database.aclose()

    with pytest.raises(RecordsMisconfigured, match=rf"newer crmroute \(schema 9999.*{steps()[0]}"):
        await open_database(url, migrate=False)


async def test_a_reader_of_an_empty_database_makes_no_schema(url: str) -> None:
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect():  # the file is there then, and empty
        pass

    with pytest.raises(RecordsEmpty, match="crmroute apply"):
        await open_database(url, migrate=False)

    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == []
    engine.dispose()


def test_a_reader_makes_neither_file_nor_folder(tmp_path: Path) -> None:
    with pytest.raises(RecordsEmpty, match="there are no records"):
        asyncio.run(open_database(f"sqlite:///{tmp_path}/away/records.db", migrate=False))

    assert list(tmp_path.iterdir()) == []


async def test_who_may_only_read_can_read(postgres: str) -> None:
    with psycopg.connect(postgres.format(database="postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE read_only")
    url = postgres.format(database="read_only")
    await (await open_database(url)).aclose()

    database = await open_database(f"{url}&options=-c%20default_transaction_read_only%3Don", migrate=False)
    try:
        async with database.reading() as connection:
            assert await audit.read(connection, Wanted(), 1) == []
        with pytest.raises(RecordsError, match="read-only"):
            async with database.writing() as connection:
                await connection.execute(sa.text("DELETE FROM users"))
    finally:
        await database.aclose()
