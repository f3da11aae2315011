"""Accounts on both databases: who gets in, who waits, what ends, and what nobody ever learns."""

import asyncio

import pyotp
import pytest
from argon2 import PasswordHasher

from router.core.identities import TenantId
from router.core.roles import Role
from router.records import attempts, audit, sessions, tokens, users
from router.records.accounts import Accounts, CodeNeeded, Session, SignedIn, SignInRefused, Throttled
from router.records.configuration import Configuration
from router.records.database import Database
from router.records.errors import Conflict, NotFound
from router.records.passwords import Passwords
from router.records.users import User
from router.settings.vault import Vault
from tests.records.makers import ACME, JANE, Clock, profile

PASSWORD, OTHER = "canary: correct horse", "canary: battery staple"
ORIGIN = "192.0.2.7"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Counted(Passwords):
    """Says how often a hash was computed."""

    def __init__(self) -> None:
        super().__init__(QUICK)
        self.verified = 0

    async def is_right(self, kept: str | None, password: str) -> bool:
        self.verified += 1
        return await super().is_right(kept, password)


@pytest.fixture
def hasher() -> Counted:
    return Counted()


@pytest.fixture
async def accounts(configuration: Configuration, clock: Clock, hasher: Counted) -> Accounts:
    await configuration.create_tenant(profile(), JANE)
    vault = Vault(["a key of the tests, long enough to be one"])
    return Accounts(configuration.database, clock, vault, hasher)


@pytest.fixture
async def jane(accounts: Accounts) -> User:
    return await accounts.create_user("Jane@acme.example", Role.ADMIN, ACME, PASSWORD, JANE)


@pytest.fixture
async def boss(accounts: Accounts) -> User:
    return await accounts.create_user("boss", Role.PROVIDER, None, PASSWORD, JANE)


async def sign_in(accounts: Accounts, name: str = "jane@ACME.example", code: str = "") -> SignedIn:
    return await accounts.sign_in(name, PASSWORD, code, ORIGIN)


async def session(accounts: Accounts, signed_in: SignedIn) -> Session | None:
    return await accounts.session(signed_in.key)


# Signing in


async def test_the_right_password_begins_a_session(accounts: Accounts, jane: User) -> None:
    signed_in = await sign_in(accounts)

    found = await session(accounts, signed_in)
    assert found is not None
    assert (found.user.id, found.user.role, found.user.tenant) == (jane.id, Role.ADMIN, ACME)


@pytest.mark.parametrize(("name", "password"), [("jane@acme.example", OTHER), ("nobody", PASSWORD)])
async def test_a_wrong_name_and_a_wrong_password_are_told_alike_and_cost_alike(
    accounts: Accounts, jane: User, hasher: Counted, name: str, password: str
) -> None:
    with pytest.raises(SignInRefused) as refused:
        await accounts.sign_in(name, password, "", ORIGIN)

    assert str(refused.value) == "the name or the password is wrong"
    assert hasher.verified == 1


async def test_a_user_without_a_password_does_not_sign_in_by_one(
    accounts: Accounts, jane: User, database: Database
) -> None:
    async with database.writing() as connection:
        await users.change(connection, jane.id, password="")

    with pytest.raises(SignInRefused):
        await accounts.sign_in("jane@acme.example", "", "", ORIGIN)


async def test_each_sign_in_has_a_session_of_its_own(accounts: Accounts, jane: User) -> None:
    first, second = await sign_in(accounts), await sign_in(accounts)

    await accounts.sign_out(first.key)

    assert first.key != second.key
    assert await session(accounts, first) is None
    assert await session(accounts, second) is not None


async def test_a_session_ends_without_use(accounts: Accounts, jane: User, clock: Clock) -> None:
    signed_in = await sign_in(accounts)
    for _ in range(4):
        clock.now += sessions.IDLE_SECONDS - 100
        assert await session(accounts, signed_in) is not None

    clock.now += sessions.IDLE_SECONDS + 100
    assert await session(accounts, signed_in) is None


async def test_a_session_ends_after_a_week_however_it_is_used(
    accounts: Accounts, jane: User, clock: Clock
) -> None:
    signed_in = await sign_in(accounts)
    ends_at = clock.now + sessions.LIVES_SECONDS
    while clock.now + sessions.IDLE_SECONDS / 2 < ends_at:
        assert await session(accounts, signed_in) is not None
        clock.now += sessions.IDLE_SECONDS / 2

    clock.now += sessions.IDLE_SECONDS / 2
    assert await session(accounts, signed_in) is None


@pytest.mark.parametrize("what", ["password", "role", "disabled", "removed"])
async def test_what_changes_a_user_ends_what_is_open(accounts: Accounts, jane: User, what: str) -> None:
    signed_in = await sign_in(accounts)

    match what:
        case "password":
            await accounts.set_password(jane.id, OTHER, JANE)
        case "role":
            await accounts.change_user(jane.id, JANE, role=Role.VIEWER)
        case "disabled":
            await accounts.change_user(jane.id, JANE, is_disabled=True)
        case _:
            await accounts.remove_user(jane.id, JANE)

    assert await session(accounts, signed_in) is None


async def test_whoever_changes_the_own_password_stays(accounts: Accounts, jane: User) -> None:
    here, elsewhere = await sign_in(accounts), await sign_in(accounts)
    found = await session(accounts, here)
    assert found is not None

    await accounts.set_password(jane.id, OTHER, JANE, keeping=found.digest)

    assert await session(accounts, here) is not None
    assert await session(accounts, elsewhere) is None


async def test_a_disabled_user_is_refused(accounts: Accounts, jane: User) -> None:
    await accounts.change_user(jane.id, JANE, is_disabled=True)

    with pytest.raises(SignInRefused):
        await sign_in(accounts)


# Guessing


def test_the_wait_doubles_and_ends_at_a_quarter_of_an_hour() -> None:
    assert [attempts.wait_seconds(failures) for failures in (0, 4, 5, 6, 7, 30, 10_000)] == [
        0,
        0,
        2,
        4,
        8,
        900,
        900,
    ]


async def test_after_five_failures_even_the_right_password_waits(
    accounts: Accounts, jane: User, clock: Clock, hasher: Counted
) -> None:
    for _ in range(5):
        with pytest.raises(SignInRefused):
            await accounts.sign_in("jane@acme.example", OTHER, "", ORIGIN)
    clock.now -= 2

    with pytest.raises(Throttled):
        await sign_in(accounts)
    assert hasher.verified == 5, "no hash is spent on it"

    clock.now += 10
    await sign_in(accounts)


async def test_one_address_that_tries_many_names_waits_and_others_do_not(
    accounts: Accounts, jane: User, clock: Clock
) -> None:
    for number in range(9):
        clock.now += 60
        with pytest.raises(SignInRefused):
            await accounts.sign_in(f"nobody{number}", OTHER, "", "203.0.113.9")
    clock.now -= 3

    with pytest.raises(Throttled):
        await accounts.sign_in("another", PASSWORD, "", "203.0.113.9")
    await sign_in(accounts)


async def test_a_success_forgets_the_failures(accounts: Accounts, jane: User) -> None:
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(SignInRefused):
                await accounts.sign_in("jane@acme.example", OTHER, "", ORIGIN)
        await sign_in(accounts)


# The second factor


async def enrolled(accounts: Accounts, user: User, clock: Clock) -> tuple[pyotp.TOTP, tuple[str, ...]]:
    begun = await accounts.begin_second_factor(user)
    made = pyotp.TOTP(begun.secret)
    codes = await accounts.confirm_second_factor(user, begun.secret, made.at(int(clock.now)), JANE)
    clock.now += 60
    return made, codes


async def test_with_a_second_factor_the_password_alone_is_not_enough(
    accounts: Accounts, jane: User, clock: Clock
) -> None:
    made, _ = await enrolled(accounts, jane, clock)

    with pytest.raises(CodeNeeded):
        await sign_in(accounts)
    with pytest.raises(SignInRefused):
        await sign_in(accounts, code="000000")
    await sign_in(accounts, code=made.at(int(clock.now)))


async def test_a_code_serves_once_and_neighbours_of_its_step_do(
    accounts: Accounts, jane: User, clock: Clock
) -> None:
    made, _ = await enrolled(accounts, jane, clock)
    code = made.at(int(clock.now))
    await sign_in(accounts, code=code)

    with pytest.raises(SignInRefused):
        await sign_in(accounts, code=code)
    clock.now += 60
    await sign_in(accounts, code=made.at(int(clock.now) - 30))
    with pytest.raises(SignInRefused):
        await sign_in(accounts, code=made.at(int(clock.now) - 120))


async def test_a_recovery_code_serves_once(accounts: Accounts, jane: User, clock: Clock) -> None:
    _, codes = await enrolled(accounts, jane, clock)
    assert len(set(codes)) == 10

    await sign_in(accounts, code=codes[3].upper())
    with pytest.raises(SignInRefused):
        await sign_in(accounts, code=codes[3])


async def test_a_second_factor_needs_a_right_code_to_begin(accounts: Accounts, jane: User) -> None:
    begun = await accounts.begin_second_factor(jane)

    with pytest.raises(SignInRefused):
        await accounts.confirm_second_factor(jane, begun.secret, "000000", JANE)

    await sign_in(accounts)


# Users


async def test_the_last_provider_stays(accounts: Accounts, boss: User) -> None:
    for work in (
        accounts.remove_user(boss.id, JANE),
        accounts.change_user(boss.id, JANE, is_disabled=True),
    ):
        with pytest.raises(Conflict, match="the last provider"):
            await work
    await accounts.create_user("boss2", Role.PROVIDER, None, PASSWORD, JANE)
    await accounts.remove_user(boss.id, JANE)


@pytest.mark.parametrize(
    ("name", "role", "tenant", "password"),
    [
        ("x", Role.ADMIN, None, PASSWORD),
        ("x", Role.PROVIDER, ACME, PASSWORD),
        ("JANE@acme.example", Role.VIEWER, ACME, PASSWORD),
        ("x", Role.VIEWER, ACME, "short"),
        ("x", Role.VIEWER, ACME, "x" * 1025),
    ],
)
async def test_users_that_cannot_be(
    accounts: Accounts, jane: User, name: str, role: Role, tenant: TenantId | None, password: str
) -> None:
    with pytest.raises(Conflict):
        await accounts.create_user(name, role, tenant, password, JANE)


# Tokens


async def test_a_token_is_its_makers_at_the_most_and_ends(
    accounts: Accounts, jane: User, clock: Clock
) -> None:
    with pytest.raises(Conflict, match="no more than its maker"):
        await accounts.create_token("ci", Role.ADMIN, ACME, 3600, (Role.EDITOR, JANE))
    with pytest.raises(Conflict, match="a year"):
        await accounts.create_token("ci", Role.VIEWER, ACME, 400 * 86_400, (Role.ADMIN, JANE))

    made, key = await accounts.create_token("ci", Role.VIEWER, ACME, 3600, (Role.ADMIN, JANE))

    found = await accounts.token(key)
    assert key.startswith(tokens.PREFIX)
    assert found is not None
    assert (found.id, found.role, found.tenant) == (made.id, Role.VIEWER, ACME)
    clock.now += 3600
    assert await accounts.token(key) is None


async def test_a_removed_token_and_a_made_up_one_are_nobodys(accounts: Accounts) -> None:
    made, key = await accounts.create_token("ci", Role.VIEWER, ACME, 3600, (Role.ADMIN, JANE))
    await accounts.remove_token(made.id, JANE)

    assert await accounts.token(key) is None
    assert await accounts.token("crmroute_x") is None
    with pytest.raises(NotFound):
        await accounts.remove_token(made.id, JANE)


# The first set-up


async def test_the_link_makes_the_first_provider_once(accounts: Accounts) -> None:
    key = await accounts.setup_key()
    assert key is not None
    assert await accounts.is_setup_key(key)

    results = await asyncio.gather(
        *(accounts.set_up(key, f"boss{n}", PASSWORD, ORIGIN) for n in range(4)), return_exceptions=True
    )

    (made,) = [result for result in results if isinstance(result, SignedIn)]
    assert made.user.role is Role.PROVIDER
    assert sum(isinstance(result, NotFound) for result in results) == 3
    assert await accounts.setup_key() is None
    assert not await accounts.is_setup_key(key)


async def test_a_link_ends_after_a_day_and_with_the_next_one(accounts: Accounts, clock: Clock) -> None:
    first = await accounts.setup_key()
    second = await accounts.setup_key()
    assert first is not None
    assert second is not None

    assert not await accounts.is_setup_key(first)
    clock.now += 86_401
    with pytest.raises(NotFound):
        await accounts.set_up(second, "boss", PASSWORD, ORIGIN)


# What nobody learns


async def test_no_secret_is_in_the_audit_or_in_the_records(
    accounts: Accounts, jane: User, clock: Clock, database: Database
) -> None:
    made, codes = await enrolled(accounts, jane, clock)
    signed_in = await sign_in(accounts, code=made.at(int(clock.now)))
    _, key = await accounts.create_token("ci", Role.VIEWER, ACME, 3600, (Role.ADMIN, JANE))
    with pytest.raises(SignInRefused):
        await accounts.sign_in("jane@acme.example", OTHER, "", ORIGIN)

    async with database.reading() as connection:
        told = str(await audit.read(connection, None, 1000))
        kept = ""
        for table in ("users", "sessions", "tokens", "recovery_codes", "audit"):
            rows = await connection.exec_driver_sql(f'SELECT * FROM "{table}"')  # noqa: S608
            kept += str(rows.all())

    for secret in ("canary", signed_in.key, key, made.secret, *codes):
        assert secret not in told
        assert secret not in kept
    assert "refused sign in" in told
