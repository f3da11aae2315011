"""The second factor on both databases: which codes serve, and that each serves once."""

import asyncio
from base64 import b32encode

import pytest

from router.records.accounts import Accounts, CodeNeeded, SignedIn, SignInOver, SignInRefused, Throttled
from router.records.database import Database
from router.records.keys import digest_of_key
from router.records.second_factor import step_of
from router.records.users import User
from router.settings.vault import Vault
from tests.records.makers import JANE, Clock
from tests.records.people import ORIGIN, WRONG, audited, enrolled, session, sign_in

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


async def test_with_a_second_factor_the_password_alone_is_not_enough(
    accounts: Accounts, jane: User, clock: Clock
) -> None:
    made, _ = await enrolled(accounts, jane, clock)

    with pytest.raises(CodeNeeded):
        await sign_in(accounts)
    with pytest.raises(SignInRefused):
        await sign_in(accounts, code="000000")
    await sign_in(accounts, code=made.at(int(clock.now)))


async def test_a_missing_code_is_no_failure(accounts: Accounts, jane: User, clock: Clock) -> None:
    made, _ = await enrolled(accounts, jane, clock)

    for _ in range(8):
        with pytest.raises(CodeNeeded):
            await sign_in(accounts)
    await sign_in(accounts, code=made.at(int(clock.now)))


async def test_guessing_codes_waits(accounts: Accounts, jane: User, clock: Clock) -> None:
    await enrolled(accounts, jane, clock)
    for number in range(5):
        with pytest.raises(SignInRefused, match="the code"):
            await sign_in(accounts, code="000000", origin=f"198.51.100.{number}")
        clock.now += 3
        with pytest.raises(CodeNeeded):
            await sign_in(accounts, origin=f"198.51.100.{number}")
    clock.now -= 6

    with pytest.raises(Throttled):
        await sign_in(accounts, code="000000", origin="203.0.113.1")


@pytest.mark.parametrize(("steps", "is_taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_a_code_of_this_step_and_of_those_beside_it_is_taken(
    accounts: Accounts, jane: User, clock: Clock, steps: int, is_taken: bool
) -> None:
    made, _ = await enrolled(accounts, jane, clock)
    clock.now = (clock.now // 30 + 20) * 30 + 10
    code = made.at(int(clock.now) + steps * 30)

    if is_taken:
        await sign_in(accounts, code=code)
    else:
        with pytest.raises(SignInRefused):
            await sign_in(accounts, code=code)


async def test_a_code_and_all_before_it_are_used_up(accounts: Accounts, jane: User, clock: Clock) -> None:
    made, _ = await enrolled(accounts, jane, clock)
    clock.now = (clock.now // 30 + 20) * 30 + 5
    code, former = made.at(int(clock.now)), made.at(int(clock.now) - 30)
    await sign_in(accounts, code=code)

    for used in (code, former):
        with pytest.raises(SignInRefused):
            await sign_in(accounts, code=used)


async def test_the_code_of_the_enrolment_is_used_up(accounts: Accounts, jane: User, clock: Clock) -> None:
    made, _ = await enrolled(accounts, jane, clock)
    clock.now -= 60

    with pytest.raises(SignInRefused):
        await sign_in(accounts, code=made.at(int(clock.now)))


@pytest.mark.parametrize("kind", ["code", "recovery code"])
async def test_of_many_at_once_with_one_code_one_gets_in(
    accounts: Accounts, jane: User, clock: Clock, kind: str
) -> None:
    made, codes = await enrolled(accounts, jane, clock)
    code = codes[0] if kind == "recovery code" else made.at(int(clock.now))
    signing = (sign_in(accounts, code=code, origin=f"198.51.100.{number}") for number in range(4))

    results = await asyncio.gather(*signing, return_exceptions=True)

    assert sum(isinstance(result, SignedIn) for result in results) == 1
    assert sum(isinstance(result, SignInRefused) for result in results) == 3


async def test_a_recovery_code_serves_once_however_it_is_typed(
    accounts: Accounts, jane: User, clock: Clock, database: Database
) -> None:
    _, codes = await enrolled(accounts, jane, clock)
    typed = f" {codes[3][:10].upper()}-{codes[3][10:]} "

    await sign_in(accounts, code=typed)
    with pytest.raises(SignInRefused):
        await sign_in(accounts, code=codes[3])

    assert (len(set(codes)), {len(code) for code in codes}) == (10, {20}), "ten of 80 bits"
    assert await accounts.recovery_codes_left(jane) == 9
    assert (await audited(database))[1].after == {"by": "password and recovery code"}


async def test_a_second_factor_needs_a_right_code_to_begin(accounts: Accounts, jane: User) -> None:
    begun = await accounts.begin_second_factor(jane)

    for secret in (begun.secret, "not base32!", "", "AAAA"):
        with pytest.raises(SignInRefused):
            await accounts.confirm_second_factor(jane, secret, "000000", JANE)

    await sign_in(accounts)


async def test_turning_it_on_ends_what_is_open_elsewhere(
    accounts: Accounts, jane: User, clock: Clock
) -> None:
    here, elsewhere = await sign_in(accounts), await sign_in(accounts)

    await enrolled(accounts, jane, clock, keeping=digest_of_key(here.key))

    assert await session(accounts, here) is not None
    assert await session(accounts, elsewhere) is None


async def test_new_recovery_codes_end_the_former(accounts: Accounts, jane: User, clock: Clock) -> None:
    _, former = await enrolled(accounts, jane, clock)
    await enrolled(accounts, jane, clock)

    assert await accounts.recovery_codes_left(jane) == 10
    with pytest.raises(SignInRefused):
        await sign_in(accounts, code=former[0])


async def test_without_it_the_password_is_enough_again(accounts: Accounts, jane: User, clock: Clock) -> None:
    await enrolled(accounts, jane, clock)
    await accounts.remove_second_factor(jane, JANE)

    await sign_in(accounts)
    assert await accounts.recovery_codes_left(jane) == 0


async def test_without_the_vault_s_key_a_recovery_code_still_serves(
    accounts: Accounts, jane: User, clock: Clock
) -> None:
    made, codes = await enrolled(accounts, jane, clock)
    accounts._vault = Vault(["another key of the tests, long enough"])

    with pytest.raises(SignInRefused):
        await sign_in(accounts, code=made.at(int(clock.now)))
    await sign_in(accounts, code=codes[0])


async def test_the_secret_of_one_user_does_not_open_for_another(
    accounts: Accounts, jane: User, boss: User, clock: Clock, database: Database
) -> None:
    made, _ = await enrolled(accounts, jane, clock)
    async with database.writing() as connection:
        copied = "UPDATE users SET totp = (SELECT j.totp FROM users j WHERE j.role = 'admin')"
        await connection.exec_driver_sql(copied)

    with pytest.raises(SignInRefused):
        await sign_in(accounts, "boss", made.at(int(clock.now)), "203.0.113.1")


# The second step


async def proof_of(accounts: Accounts) -> str:
    with pytest.raises(CodeNeeded) as needed:
        await sign_in(accounts)
    return needed.value.proof


async def test_the_second_step_takes_one_code_and_no_other_after_it(
    accounts: Accounts, jane: User, clock: Clock
) -> None:
    made, codes = await enrolled(accounts, jane, clock)
    proof = await proof_of(accounts)
    with pytest.raises(SignInRefused):
        await accounts.sign_in_with_code(proof, "000000", ORIGIN)
    for code in (made.at(int(clock.now)), codes[0]):
        with pytest.raises(SignInOver):
            await accounts.sign_in_with_code(proof, code, ORIGIN)

    again = await proof_of(accounts)
    await accounts.sign_in_with_code(again, codes[0], ORIGIN)
    with pytest.raises(SignInOver):
        await accounts.sign_in_with_code(again, codes[1], ORIGIN)


@pytest.mark.parametrize(("seconds", "is_taken"), [(290.0, True), (300.0, False)])
async def test_the_second_step_waits_five_minutes(
    accounts: Accounts, jane: User, clock: Clock, seconds: float, is_taken: bool
) -> None:
    _, codes = await enrolled(accounts, jane, clock)
    proof = await proof_of(accounts)
    clock.now += seconds

    if is_taken:
        await accounts.sign_in_with_code(proof, codes[0], ORIGIN)
    else:
        with pytest.raises(SignInOver):
            await accounts.sign_in_with_code(proof, codes[0], ORIGIN)


@pytest.mark.parametrize("change", ["password", "disabled", "removed"])
async def test_what_changes_between_the_steps_counts(
    accounts: Accounts, jane: User, clock: Clock, change: str
) -> None:
    _, codes = await enrolled(accounts, jane, clock)
    proof = await proof_of(accounts)
    match change:
        case "password":
            await accounts.set_password(jane.id, WRONG, JANE)
        case "disabled":
            await accounts.change_user(jane.id, JANE, is_disabled=True)
        case "removed":
            await accounts.remove_user(jane.id, JANE)

    with pytest.raises(SignInRefused):
        await accounts.sign_in_with_code(proof, codes[0], ORIGIN)


async def test_the_second_step_of_one_user_takes_no_code_of_another(
    accounts: Accounts, jane: User, boss: User, clock: Clock
) -> None:
    await enrolled(accounts, jane, clock)
    _, codes = await enrolled(accounts, boss, clock)

    with pytest.raises(SignInRefused):
        await accounts.sign_in_with_code(await proof_of(accounts), codes[0], ORIGIN)


async def test_a_second_step_that_has_to_wait_uses_up_nothing(
    accounts: Accounts, jane: User, clock: Clock
) -> None:
    _, codes = await enrolled(accounts, jane, clock)
    proof = await proof_of(accounts)
    for number in range(5):
        with pytest.raises(SignInRefused):
            await accounts.sign_in(jane.name, WRONG, f"198.51.100.{number}")
    clock.now -= 6
    with pytest.raises(Throttled):
        await accounts.sign_in_with_code(proof, codes[0], ORIGIN)
    clock.now += 60

    await accounts.sign_in_with_code(proof, codes[0], ORIGIN)


# Codes and steps


@pytest.mark.parametrize("code", ["", "12345", "1234567", "１２３４５６", "abcdef"])
def test_what_is_no_code(code: str) -> None:
    assert step_of(SECRET, code, 59.0) is None


def test_a_code_tells_its_step() -> None:
    """RFC 6238, appendix B: the secret of its test, at 59 seconds; six digits are the last of its eight."""
    secret = b32encode(b"12345678901234567890").decode()

    assert [step_of(secret, "287082", now) for now in (30.0, 59.0, 89.0, 90.0)] == [1, 1, 1, None]
