"""Signing in on both databases: who gets in, who waits how long, and what a refusal tells."""

import asyncio
import threading

import pytest

from router.core.identities import TenantId
from router.core.roles import Role
from router.records import attempts, users
from router.records.accounts import Accounts, SignedIn, SignInRefused, Throttled
from router.records.database import Database, open_database
from router.records.passwords import Passwords
from router.records.users import User
from tests.records.makers import ACME, JANE, Clock
from tests.records.people import ORIGIN, PASSWORD, WRONG, QuickHasher, accounts_of, audited, session, sign_in


async def guess(accounts: Accounts, name: str = "jane@acme.example", origin: str = ORIGIN) -> None:
    with pytest.raises(SignInRefused):
        await accounts.sign_in(name, WRONG, origin)


async def test_the_right_password_begins_a_session(accounts: Accounts, jane: User) -> None:
    signed_in = await sign_in(accounts)

    found = await session(accounts, signed_in)
    assert found is not None
    assert (found.user.id, found.user.role, found.user.tenant) == (jane.id, Role.ADMIN, ACME)


@pytest.mark.parametrize(("name", "password"), [("jane@acme.example", WRONG), ("nobody", PASSWORD)])
async def test_a_wrong_name_and_a_wrong_password_are_told_alike_and_cost_alike(
    accounts: Accounts, jane: User, hasher: QuickHasher, name: str, password: str
) -> None:
    with pytest.raises(SignInRefused) as refused:
        await accounts.sign_in(name, password, ORIGIN)

    assert str(refused.value) == "the name or the password is wrong"
    assert hasher.verified == 1


@pytest.mark.parametrize("name", ["Éric@acme.example", "éRIC@ACME.example", "e\u0301ric@acme.example"])
async def test_a_name_is_found_however_it_is_written(accounts: Accounts, name: str) -> None:
    await accounts.create_user("Éric@acme.example", Role.ADMIN, ACME, PASSWORD, JANE)

    assert (await sign_in(accounts, name)).user.name == "Éric@acme.example"


@pytest.mark.parametrize("name", ["", "a\x00b", "x" * 5000])
async def test_a_name_that_nobody_can_have_is_refused_like_any_other(accounts: Accounts, name: str) -> None:
    await guess(accounts, name)


async def test_a_user_without_a_password_does_not_sign_in_by_one(accounts: Accounts) -> None:
    await accounts.create_user("sso", Role.VIEWER, ACME, None, JANE)

    for password in ("", "a password that nobody has"):
        with pytest.raises(SignInRefused):
            await accounts.sign_in("sso", password, ORIGIN)


async def test_a_disabled_user_is_refused_in_the_same_words(accounts: Accounts, jane: User) -> None:
    await accounts.change_user(jane.id, JANE, is_disabled=True)

    with pytest.raises(SignInRefused, match="the name or the password is wrong"):
        await sign_in(accounts)


@pytest.mark.parametrize("what", ["password", "disabled", "removed"])
async def test_what_changes_while_the_password_is_hashed_counts(
    accounts: Accounts, jane: User, database: Database, clock: Clock, what: str
) -> None:
    class Slow(Passwords):
        async def is_right(self, kept: str | None, password: str) -> bool:
            is_right = await super().is_right(kept, password)
            match what:
                case "password":
                    await accounts.set_password(jane.id, WRONG, JANE)
                case "disabled":
                    await accounts.change_user(jane.id, JANE, is_disabled=True)
                case _:
                    await accounts.remove_user(jane.id, JANE)
            return is_right

    slow = accounts_of(database, clock, QuickHasher())
    slow._passwords = Slow(QuickHasher())

    with pytest.raises(SignInRefused):
        await sign_in(slow)


# Hashes


async def test_hashes_are_made_beside_the_event_loop(
    accounts: Accounts, jane: User, hasher: QuickHasher
) -> None:
    hasher.threads.clear()
    await accounts.set_password(jane.id, PASSWORD, JANE)
    await sign_in(accounts)

    assert hasher.threads
    assert threading.get_ident() not in hasher.threads


async def test_a_sign_in_hashes_anew_once_more_care_is_taken(
    accounts: Accounts, jane: User, database: Database, clock: Clock
) -> None:
    async def kept() -> str:
        async with database.reading() as connection:
            found = await users.named(connection, jane.name)
            assert found is not None
            return found.password

    before = await kept()
    careful = accounts_of(database, clock, QuickHasher(time_cost=2))
    await sign_in(careful)
    after = await kept()
    await sign_in(careful)

    assert (before.split("$")[3], after.split("$")[3]) == ("m=8,t=1,p=1", "m=8,t=2,p=1")
    assert await kept() == after


def test_without_other_wishes_it_is_argon2id_with_the_library_s_parameters() -> None:
    kept = asyncio.run(Passwords().hash(PASSWORD))

    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


# Guessing


def test_the_wait_doubles_and_ends_at_a_quarter_of_an_hour() -> None:
    waits = [attempts.wait_seconds(failures) for failures in (0, 4, 5, 6, 7, 13, 14, 30, 10_000)]

    assert waits == [0, 0, 2, 4, 8, 512, 900, 900, 900]


async def test_each_failure_makes_the_next_attempt_wait_longer(
    database: Database, accounts: Accounts, jane: User, clock: Clock
) -> None:
    now = clock.now
    still = accounts_of(database, lambda: now, QuickHasher())
    waits = []
    for number in range(4):
        await guess(still, origin=f"198.51.100.{number}")
    for number in range(4, 16):
        await guess(still, origin=f"198.51.100.{number}")
        with pytest.raises(Throttled) as throttled:
            await sign_in(still, origin="203.0.113.1")
        waits.append(throttled.value.seconds)
        now += throttled.value.seconds

    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert (await sign_in(still, origin="203.0.113.1")).user.id == jane.id


async def test_who_waits_has_no_hash_spent_on_them(
    accounts: Accounts, jane: User, clock: Clock, hasher: QuickHasher
) -> None:
    for _ in range(5):
        await guess(accounts)
    clock.now -= 3

    with pytest.raises(Throttled):
        await sign_in(accounts)
    assert hasher.verified == 5

    clock.now += 10
    await sign_in(accounts)


async def test_waiting_holds_over_processes(accounts: Accounts, jane: User, clock: Clock, url: str) -> None:
    for _ in range(5):
        await guess(accounts)
    clock.now -= 3
    other = await open_database(url)

    with pytest.raises(Throttled):
        await sign_in(accounts_of(other, clock, QuickHasher()))
    await other.aclose()


async def test_many_guesses_at_once_are_no_more_than_one_after_the_other(
    database: Database, accounts: Accounts, jane: User, clock: Clock
) -> None:
    now, hasher = clock.now, QuickHasher()
    still = accounts_of(database, lambda: now, hasher)
    guesses = (still.sign_in(jane.name, WRONG, f"198.51.100.{number}") for number in range(30))

    results = await asyncio.gather(*guesses, return_exceptions=True)

    assert sum(isinstance(result, SignInRefused) for result in results) == 5
    assert sum(isinstance(result, Throttled) for result in results) == 25
    assert hasher.verified == 5


async def test_one_address_that_tries_many_names_waits_and_others_do_not(
    accounts: Accounts, jane: User, clock: Clock
) -> None:
    for number in range(9):
        clock.now += 60
        await guess(accounts, f"nobody{number}", "203.0.113.9")
    clock.now -= 3

    with pytest.raises(Throttled):
        await accounts.sign_in("another", PASSWORD, "203.0.113.9")
    await sign_in(accounts)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("", "nonsense", False),
    ],
)
def test_an_address_is_counted_with_all_that_its_owner_has(one: str, other: str, is_same: bool) -> None:
    assert (attempts.subjects_of("jane", one)[1] == attempts.subjects_of("jane", other)[1]) is is_same


async def test_a_success_forgets_the_failures_of_the_user(accounts: Accounts, jane: User) -> None:
    for begun in (0, 100):
        for number in range(4):
            await guess(accounts, origin=f"198.51.100.{begun + number}")
        await sign_in(accounts)


async def test_an_own_account_does_not_buy_guesses_at_others(
    accounts: Accounts, jane: User, clock: Clock
) -> None:
    for number in range(4):
        await guess(accounts, f"nobody{number}")
    await sign_in(accounts)
    await guess(accounts, "nobody5")
    clock.now -= 3

    with pytest.raises(Throttled):
        await accounts.sign_in("nobody6", WRONG, ORIGIN)


async def test_failures_are_forgotten_after_an_hour(accounts: Accounts, jane: User, clock: Clock) -> None:
    for _ in range(12):
        clock.now += 600
        await guess(accounts)
    clock.now += attempts.FORGOTTEN_SECONDS

    for _ in range(4):
        await guess(accounts)
    clock.now -= 3
    await sign_in(accounts)


async def test_many_right_sign_ins_at_once_all_get_in(accounts: Accounts, jane: User) -> None:
    signing = (sign_in(accounts, origin=f"198.51.100.{number}") for number in range(5))

    results = await asyncio.gather(*signing, return_exceptions=True)

    assert len({result.key for result in results if isinstance(result, SignedIn)}) == 5, results


# What a refusal leaves behind


async def test_a_password_typed_as_a_name_is_kept_nowhere(accounts: Accounts, database: Database) -> None:
    await guess(accounts, PASSWORD)

    async with database.reading() as connection:
        kept = str((await connection.exec_driver_sql("SELECT * FROM attempts")).all())
    assert "canary" not in kept
    assert "canary" not in str(await audited(database))


async def test_a_tenant_reads_of_refused_sign_ins_of_its_own_users(
    accounts: Accounts, jane: User, database: Database
) -> None:
    await guess(accounts)
    await guess(accounts, "nobody")

    nobodys, janes = (await audited(database))[:2]
    assert (janes.action, janes.name, janes.tenant, janes.who) == (
        "refused sign in",
        jane.name,
        TenantId("acme"),
        "somebody",
    )
    assert (nobodys.action, nobodys.name, nobodys.tenant) == ("refused sign in", "", None)
