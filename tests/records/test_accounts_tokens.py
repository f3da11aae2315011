"""API tokens on both databases: what they may, for how long, and that they never outgrow their maker."""

import pytest

from router.core.identities import TenantId
from router.core.roles import Role
from router.records import tokens
from router.records.accounts import Accounts
from router.records.configuration import Configuration
from router.records.database import Database
from router.records.errors import Conflict, NotFound
from router.records.keys import digest_of_key
from router.records.tokens import Token
from router.records.users import User
from tests.records.makers import ACME, JANE, OTHER, Clock, profile
from tests.records.people import PASSWORD, audited

ADMIN = (Role.ADMIN, JANE)
HOUR, DAY = 3600.0, 86_400.0


async def test_a_token_is_told_once_and_ends(accounts: Accounts, clock: Clock) -> None:
    made, key = await accounts.create_token("ci", Role.VIEWER, ACME, HOUR, ADMIN)

    found = await accounts.token(key)
    assert found is not None
    assert (found.id, found.role, found.tenant) == (made.id, Role.VIEWER, ACME)
    assert key.startswith("crmroute_")
    assert len(key) == len("crmroute_") + 43, "32 bytes in base64url"
    assert key not in str(made)

    clock.now += HOUR
    assert await accounts.token(key) is None


@pytest.mark.parametrize(
    ("name", "role", "tenant", "seconds", "told"),
    [
        ("ci", Role.PROVIDER, None, HOUR, "no more than its maker"),
        ("ci", Role.PROVIDER, ACME, HOUR, "no tenant"),
        ("ci", Role.VIEWER, None, HOUR, "no tenant"),
        ("ci", Role.VIEWER, ACME, 0.0, "a year"),
        ("ci", Role.VIEWER, ACME, -1.0, "a year"),
        ("ci", Role.VIEWER, ACME, 367 * DAY, "a year"),
        ("ci", Role.VIEWER, ACME, float("inf"), "a year"),
        ("ci", Role.VIEWER, ACME, float("nan"), "a year"),
        (" ", Role.VIEWER, ACME, HOUR, "all of which show"),
        ("x" * 101, Role.VIEWER, ACME, HOUR, "100 characters"),
    ],
)
async def test_tokens_that_cannot_be(
    accounts: Accounts, name: str, role: Role, tenant: TenantId | None, seconds: float, told: str
) -> None:
    with pytest.raises(Conflict, match=told):
        await accounts.create_token(name, role, tenant, seconds, ADMIN)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.EDITOR, Role.VIEWER])
@pytest.mark.parametrize("makers", [Role.ADMIN, Role.EDITOR, Role.VIEWER])
async def test_a_token_may_no_more_than_its_maker(accounts: Accounts, role: Role, makers: Role) -> None:
    order = [Role.VIEWER, Role.EDITOR, Role.ADMIN]
    making = accounts.create_token("ci", role, ACME, HOUR, (makers, JANE))

    if order.index(role) <= order.index(makers):
        assert (await making)[0].role is role
    else:
        with pytest.raises(Conflict, match="no more than its maker"):
            await making


async def test_a_maker_of_another_tenant_or_a_lower_role_makes_none(
    accounts: Accounts, jane: User, configuration: Configuration
) -> None:
    """Whatever is said of the maker: what the records say of the user counts."""
    await configuration.create_tenant(profile(id="other"), JANE)
    eddy = await accounts.create_user("eddy", Role.EDITOR, ACME, PASSWORD, JANE)

    with pytest.raises(Conflict):
        await accounts.create_token("ci", Role.VIEWER, OTHER, HOUR, ADMIN, user=jane.id)
    with pytest.raises(Conflict):
        await accounts.create_token("ci", Role.ADMIN, ACME, HOUR, ADMIN, user=eddy.id)
    await accounts.change_user(eddy.id, JANE, is_disabled=True)
    with pytest.raises(Conflict):
        await accounts.create_token("ci", Role.VIEWER, ACME, HOUR, ADMIN, user=eddy.id)


async def test_a_token_goes_down_and_up_with_its_maker(accounts: Accounts, jane: User) -> None:
    _, key = await accounts.create_token("ci", Role.ADMIN, ACME, HOUR, ADMIN, user=jane.id)
    seen = []
    for role in (Role.VIEWER, Role.EDITOR, Role.ADMIN):
        await accounts.change_user(jane.id, JANE, role=role)
        found = await accounts.token(key)
        seen.append(found.role if found else None)

    assert seen == [Role.VIEWER, Role.EDITOR, Role.ADMIN]


async def test_a_token_of_little_does_not_go_up(accounts: Accounts, jane: User) -> None:
    _, key = await accounts.create_token("ci", Role.VIEWER, ACME, HOUR, ADMIN, user=jane.id)

    found = await accounts.token(key)
    assert found is not None
    assert found.role is Role.VIEWER


async def test_a_token_serves_nobody_while_its_maker_is_disabled(accounts: Accounts, jane: User) -> None:
    _, key = await accounts.create_token("ci", Role.VIEWER, ACME, HOUR, ADMIN, user=jane.id)

    await accounts.change_user(jane.id, JANE, is_disabled=True)
    disabled = await accounts.token(key)
    await accounts.change_user(jane.id, JANE, is_disabled=False)

    assert disabled is None
    assert await accounts.token(key) is not None


async def test_a_token_goes_with_its_maker_and_that_is_told(
    accounts: Accounts, jane: User, database: Database
) -> None:
    _, key = await accounts.create_token("ci", Role.VIEWER, ACME, HOUR, ADMIN, user=jane.id)
    _, others = await accounts.create_token("night", Role.VIEWER, ACME, HOUR, ADMIN)

    await accounts.remove_user(jane.id, JANE)

    assert await accounts.token(key) is None
    assert await accounts.token(others) is not None
    told = [(one.action, one.kind, one.name) for one in await audited(database)]
    assert told[:2] == [("remove", "user", jane.name), ("remove", "token", "ci")]


async def test_a_removed_token_and_a_made_up_one_are_nobodys(accounts: Accounts) -> None:
    made, key = await accounts.create_token("ci", Role.VIEWER, ACME, HOUR, ADMIN)
    await accounts.remove_token(made.id, JANE)

    for nobodys in (key, "crmroute_x", "", digest_of_key(key), f"crmroute_{digest_of_key(key)}"):
        assert await accounts.token(nobodys) is None
    with pytest.raises(NotFound):
        await accounts.remove_token(made.id, JANE)


async def test_the_last_use_is_known_to_the_minute(
    accounts: Accounts, clock: Clock, database: Database
) -> None:
    async def used_at() -> float | None:
        async with database.reading() as connection:
            return (await tokens.one(connection, made.id)).used_at

    made, key = await accounts.create_token("ci", Role.VIEWER, ACME, HOUR, ADMIN)
    seen = [await used_at()]
    for seconds in (0, 30, 60):
        clock.now += seconds
        await accounts.token(key)
        seen.append(await used_at())

    assert seen[0] is None
    assert seen[1] is not None
    assert seen[2] == seen[1], "not every request writes"
    assert seen[3] == clock.now


async def test_they_are_listed_by_tenant(accounts: Accounts, boss: User) -> None:
    await accounts.create_token("ci", Role.VIEWER, ACME, HOUR, ADMIN)
    await accounts.create_token("ops", Role.PROVIDER, None, HOUR, (Role.PROVIDER, JANE), user=boss.id)

    async def names(tenant: TenantId | None) -> list[str]:
        async with accounts._database.reading() as connection:
            listed: list[Token] = await tokens.every(connection, tenant)
        return [one.name for one in listed]

    assert await names(ACME) == ["ci"]
    assert await names(None) == ["ops", "ci"]
