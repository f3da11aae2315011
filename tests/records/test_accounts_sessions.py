"""Sessions on both databases: when they end, whose they are, and that no key serves twice."""

import pytest
import sqlalchemy as sa

from router.core.roles import Role
from router.records import sessions, tables
from router.records.accounts import Accounts, SignInRefused, Throttled
from router.records.database import Database
from router.records.errors import Conflict, NotFound
from router.records.keys import csrf_of, digest_of_key, is_csrf
from router.records.users import User
from tests.records.makers import ACME, JANE, Clock
from tests.records.people import ORIGIN, PASSWORD, WRONG, audited, session, sign_in

HOUR, DAY = 3600.0, 86_400.0


async def test_each_sign_in_has_a_session_of_its_own(accounts: Accounts, jane: User) -> None:
    first, second = await sign_in(accounts), await sign_in(accounts)

    await accounts.sign_out(first.key)

    assert first.key != second.key
    assert await session(accounts, first) is None
    assert await session(accounts, second) is not None


async def test_a_key_that_nobody_was_given_is_nobodys(accounts: Accounts, jane: User) -> None:
    signed_in = await sign_in(accounts)

    for key in ("", "chosen by a stranger", digest_of_key(signed_in.key)):
        assert await accounts.session(key) is None


async def test_the_records_have_the_digest_of_a_long_key_alone(
    accounts: Accounts, jane: User, database: Database
) -> None:
    signed_in = await sign_in(accounts)

    async with database.reading() as connection:
        (row,) = (await connection.execute(sa.select(tables.sessions))).all()
    assert row.digest == digest_of_key(signed_in.key)
    assert len(signed_in.key) == 43, "32 bytes in base64url"
    assert signed_in.key not in str(row)


async def test_a_session_slides_and_ends_twelve_hours_after_its_use(
    accounts: Accounts, jane: User, clock: Clock
) -> None:
    signed_in = await sign_in(accounts)
    for _ in range(4):
        clock.now += 12 * HOUR - 100
        assert await session(accounts, signed_in) is not None

    clock.now += 12 * HOUR
    assert await session(accounts, signed_in) is None


async def test_a_page_that_is_left_open_keeps_no_session(
    accounts: Accounts, jane: User, clock: Clock
) -> None:
    signed_in = await sign_in(accounts)
    for _ in range(11):
        clock.now += HOUR
        assert await accounts.watching_session(signed_in.key) is not None

    clock.now += HOUR
    assert await accounts.watching_session(signed_in.key) is None
    assert await session(accounts, signed_in) is None


async def test_a_session_ends_after_a_week_however_it_is_used(
    accounts: Accounts, jane: User, clock: Clock
) -> None:
    signed_in = await sign_in(accounts)
    began = clock.now
    while clock.now < began + 7 * DAY - 7 * HOUR:
        clock.now += 6 * HOUR
        assert await session(accounts, signed_in) is not None

    clock.now = began + 7 * DAY
    assert await session(accounts, signed_in) is None


@pytest.mark.parametrize("what", ["password", "role", "disabled", "removed", "second factor"])
async def test_what_changes_a_user_ends_what_is_open(accounts: Accounts, jane: User, what: str) -> None:
    signed_in = await sign_in(accounts)

    match what:
        case "password":
            await accounts.set_password(jane.id, WRONG, JANE)
        case "role":
            await accounts.change_user(jane.id, JANE, role=Role.VIEWER)
        case "disabled":
            await accounts.change_user(jane.id, JANE, is_disabled=True)
        case "second factor":
            await accounts.remove_second_factor(jane, JANE)
        case _:
            await accounts.remove_user(jane.id, JANE)

    assert await session(accounts, signed_in) is None


async def test_a_disabled_user_s_session_serves_nobody_even_where_it_is_left(
    accounts: Accounts, jane: User, database: Database
) -> None:
    signed_in = await sign_in(accounts)

    async with database.writing() as connection:
        await connection.execute(tables.users.update().values(is_disabled=True))

    assert await session(accounts, signed_in) is None


# The own password


async def test_the_own_password_ends_every_session_and_goes_on_under_a_new_key(
    accounts: Accounts, jane: User
) -> None:
    here, elsewhere = await sign_in(accounts), await sign_in(accounts)

    anew = await accounts.change_own_password(here.key, PASSWORD, WRONG, ORIGIN)

    assert anew.key not in (here.key, elsewhere.key)
    assert [await session(accounts, one) is None for one in (here, elsewhere, anew)] == [True, True, False]
    with pytest.raises(SignInRefused):
        await sign_in(accounts)


async def test_the_own_password_changes_for_who_knows_it_and_guessing_it_waits(
    accounts: Accounts, jane: User, clock: Clock
) -> None:
    here = await sign_in(accounts)
    for _ in range(5):
        with pytest.raises(SignInRefused):
            await accounts.change_own_password(here.key, WRONG, WRONG, ORIGIN)
    clock.now -= 10

    with pytest.raises(Throttled):
        await accounts.change_own_password(here.key, PASSWORD, WRONG, ORIGIN)
    assert await session(accounts, here) is not None


async def test_the_own_password_needs_a_session_and_a_good_new_one(accounts: Accounts, jane: User) -> None:
    here = await sign_in(accounts)

    with pytest.raises(SignInRefused):
        await accounts.change_own_password("nobody's", PASSWORD, WRONG, ORIGIN)
    with pytest.raises(Conflict, match="12 characters"):
        await accounts.change_own_password(here.key, PASSWORD, "short", ORIGIN)
    await sign_in(accounts)


# One's own


async def test_a_user_lists_the_open_sessions_and_ends_one(
    accounts: Accounts, jane: User, clock: Clock
) -> None:
    await sign_in(accounts, origin="203.0.113.1")
    clock.now += 13 * HOUR
    phone = await sign_in(accounts, origin="203.0.113.2")
    desk = await sign_in(accounts, origin="203.0.113.3")

    listed = await accounts.sessions_of(jane)
    await accounts.end_session(jane, digest_of_key(phone.key), JANE)

    assert [one.origin for one in listed] == ["203.0.113.3", "203.0.113.2"]
    assert [one.digest for one in await accounts.sessions_of(jane)] == [digest_of_key(desk.key)]
    assert await session(accounts, phone) is None


async def test_somebody_else_s_session_is_not_found(accounts: Accounts, jane: User) -> None:
    bob = await accounts.create_user("bob", Role.ADMIN, ACME, PASSWORD, JANE)
    signed_in = await sign_in(accounts)

    with pytest.raises(NotFound):
        await accounts.end_session(bob, digest_of_key(signed_in.key), JANE)
    assert await session(accounts, signed_in) is not None


async def test_ending_a_session_is_in_the_audit(accounts: Accounts, jane: User, database: Database) -> None:
    first, second = await sign_in(accounts), await sign_in(accounts)
    await accounts.end_session(jane, digest_of_key(first.key), JANE)
    await accounts.sign_out(second.key)
    await accounts.sign_out(second.key)

    assert [one.action for one in await audited(database)][:3] == ["sign out", "end session", "sign in"]


# What the pages send along


async def test_the_csrf_token_is_the_session_s_own(accounts: Accounts, jane: User) -> None:
    one, other = await sign_in(accounts), await sign_in(accounts)
    found = await session(accounts, one)
    assert found is not None

    assert is_csrf(one.key, found.csrf)
    assert not is_csrf(one.key, csrf_of(other.key))
    assert not is_csrf(one.key, "")
    assert found.csrf not in (one.key, found.digest)


def test_the_terms_are_half_a_day_and_a_week() -> None:
    assert (sessions.IDLE_SECONDS, sessions.LIVES_SECONDS) == (12 * HOUR, 7 * DAY)
