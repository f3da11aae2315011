"""Users on both databases: who can be, who stays, and what is told of each change."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
import sqlalchemy as sa

from router.admin.pages.languages import LANGUAGES
from router.core.identities import TenantId
from router.core.roles import Role
from router.records import users
from router.records.accounts import Accounts
from router.records.database import Database
from router.records.errors import Conflict, NotFound
from router.records.migrations import upgrade
from router.records.users import User
from tests.records.makers import ACME, BOB, JANE
from tests.records.people import PASSWORD, WRONG, audited, sign_in


@pytest.mark.parametrize(
    ("name", "role", "tenant", "password", "told"),
    [
        ("x", Role.ADMIN, None, PASSWORD, "no tenant"),
        ("x", Role.PROVIDER, ACME, PASSWORD, "no tenant"),
        ("JANE@acme.example", Role.VIEWER, ACME, PASSWORD, "already"),
        ("Ｊane@acme.example", Role.VIEWER, ACME, PASSWORD, "already"),
        ("", Role.VIEWER, ACME, PASSWORD, "signs that show"),
        (" x", Role.VIEWER, ACME, PASSWORD, "signs that show"),
        ("x\x00", Role.VIEWER, ACME, PASSWORD, "signs that show"),
        ("x" * 201, Role.VIEWER, ACME, PASSWORD, "200 characters"),
        ("\ufdfa" * 200, Role.VIEWER, ACME, PASSWORD, "200 characters"),
        ("x", Role.VIEWER, ACME, "x" * 11, "at least 12"),
        ("x", Role.VIEWER, ACME, "x" * 1025, "at most 1024"),
    ],
)
async def test_users_that_cannot_be(
    accounts: Accounts, jane: User, name: str, role: Role, tenant: TenantId | None, password: str, told: str
) -> None:
    with pytest.raises(Conflict, match=told):
        await accounts.create_user(name, role, tenant, password, JANE)


@pytest.mark.parametrize("password", ["x" * 12, "x" * 1024, "пароль с пробелами"])
async def test_passwords_of_every_length_and_script(accounts: Accounts, password: str) -> None:
    made = await accounts.create_user("x", Role.VIEWER, ACME, password, JANE)

    assert (await accounts.sign_in("x", password, "192.0.2.7")).user.id == made.id


async def test_of_two_of_one_name_at_once_one_is_made(accounts: Accounts) -> None:
    making = (accounts.create_user(name, Role.VIEWER, ACME, PASSWORD, JANE) for name in ("Kim", "kim", "KIM"))

    results = await asyncio.gather(*making, return_exceptions=True)

    assert sum(isinstance(result, User) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 2


# The last provider


@pytest.mark.parametrize("what", ["removed", "disabled", "demoted"])
async def test_the_last_provider_stays(accounts: Accounts, boss: User, what: str) -> None:
    gone = await accounts.create_user("gone", Role.PROVIDER, None, PASSWORD, JANE)
    await accounts.change_user(gone.id, JANE, is_disabled=True)

    match what:
        case "removed":
            work: Coroutine[Any, Any, object] = accounts.remove_user(boss.id, JANE)
        case "disabled":
            work = accounts.change_user(boss.id, JANE, is_disabled=True)
        case _:
            work = accounts.change_user(boss.id, JANE, role=Role.ADMIN)
    with pytest.raises(Conflict, match="the last provider"):
        await work


async def test_a_provider_goes_where_another_one_stays(accounts: Accounts, boss: User) -> None:
    await accounts.create_user("boss2", Role.PROVIDER, None, PASSWORD, JANE)

    await accounts.remove_user(boss.id, JANE)


async def test_of_two_last_providers_that_go_at_once_one_stays(
    accounts: Accounts, boss: User, database: Database
) -> None:
    """The first one's transaction is still open when the second one asks."""
    other = await accounts.create_user("boss2", Role.PROVIDER, None, PASSWORD, JANE)

    async with database.writing() as connection:
        await users.require_another_provider(connection, boss)
        await users.remove(connection, boss.id)
        removing = asyncio.create_task(accounts.remove_user(other.id, JANE))
        await asyncio.wait([removing], timeout=0.3)
        assert not removing.done()

    with pytest.raises(Conflict, match="the last provider"):
        await removing


async def test_providers_that_all_go_at_once_leave_one(accounts: Accounts, database: Database) -> None:
    made = [await accounts.create_user(f"boss{n}", Role.PROVIDER, None, PASSWORD, JANE) for n in range(5)]
    removing = (accounts.remove_user(one.id, JANE) for one in made[:3])
    disabling = (accounts.change_user(one.id, JANE, is_disabled=True) for one in made[3:])

    results = await asyncio.gather(*removing, *disabling, return_exceptions=True)

    assert sum(isinstance(result, Conflict) for result in results) == 1


# Changes


async def test_each_change_is_told_with_who_and_what(
    accounts: Accounts, jane: User, database: Database
) -> None:
    await accounts.change_user(jane.id, BOB, role=Role.EDITOR)
    await accounts.set_language(jane, "fr")
    await accounts.set_language(jane, "fr")
    await accounts.set_password(jane.id, WRONG, BOB)
    await accounts.remove_user(jane.id, BOB)

    told = [(one.who, one.action, one.before, one.after) for one in await audited(database)]
    assert told[:5] == [
        ("bob", "remove", None, None),
        ("bob", "set password", None, None),
        (jane.name, "change", {"language": ""}, {"language": "fr"}),
        ("bob", "change", {"role": "admin"}, {"role": "editor"}),
        ("jane", "create", None, {"role": "admin", "tenant": "acme"}),
    ]


async def test_what_fails_is_not_told(accounts: Accounts, boss: User, database: Database) -> None:
    before = await audited(database)

    with pytest.raises(Conflict):
        await accounts.remove_user(boss.id, JANE)
    with pytest.raises(Conflict):
        await accounts.create_user("BOSS", Role.PROVIDER, None, PASSWORD, JANE)

    assert await audited(database) == before


async def test_a_language_is_one_of_the_pages(accounts: Accounts, jane: User, database: Database) -> None:
    for language in LANGUAGES:
        await accounts.set_language(jane, language)
    with pytest.raises(Conflict, match="no pages"):
        await accounts.set_language(jane, "a very long language")

    async with database.reading() as connection:
        assert (await users.one(connection, jane.id)).language == list(LANGUAGES)[-1]


async def test_who_is_gone_is_not_found(accounts: Accounts, jane: User) -> None:
    await accounts.remove_user(jane.id, JANE)

    for work in (
        accounts.change_user(jane.id, JANE, role=Role.VIEWER),
        accounts.set_password(jane.id, WRONG, JANE),
        accounts.set_language(jane, "fr"),
        accounts.remove_second_factor(jane, JANE),
        accounts.unlink_identity(jane, JANE),
        accounts.remove_user(jane.id, JANE),
    ):
        with pytest.raises(NotFound, match="such user"):
            await work


# Records of a former schema


def test_users_and_tokens_of_the_former_schema_are_taken_over(empty_url: str) -> None:
    engine = sa.create_engine(empty_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        upgrade(connection, "0003")
        for number, name in enumerate(("Éric", "éric", "Zoé"), 1):
            connection.execute(
                sa.text("INSERT INTO users (id, name, role, made_at) VALUES (:id, :name, 'provider', 1)"),
                {"id": number, "name": name},
            )
        for digest, who in (("a", "Zoé"), ("b", "token ci of Zoé")):
            connection.execute(
                sa.text(
                    "INSERT INTO tokens (digest, name, role, made_by, made_at, ends_at)"
                    " VALUES (:digest, 'ci', 'provider', :who, 1, 2)"
                ),
                {"digest": digest, "who": who},
            )
        upgrade(connection)
        names = connection.execute(sa.text("SELECT folded FROM users ORDER BY id")).scalars().all()
        makers = connection.execute(sa.text("SELECT maker FROM tokens ORDER BY digest")).scalars().all()
    engine.dispose()

    assert names == ["éric", "éric#2", "zoé"]
    assert makers == [3, None]


async def test_signing_in_is_told(accounts: Accounts, jane: User, database: Database) -> None:
    await sign_in(accounts)

    (latest, *_) = await audited(database)
    assert (latest.who, latest.origin, latest.action, latest.after) == (
        jane.name,
        "192.0.2.7",
        "sign in",
        {"by": "password"},
    )
