"""Users whom an identity provider vouches for, on both databases."""

import asyncio

import pytest

from router.core.roles import Role
from router.core.single_sign_on import Claims
from router.records.accounts import Accounts, SignedIn, SignInRefused
from router.records.database import Database
from router.records.errors import Conflict
from router.records.users import User
from tests.records.makers import ACME, JANE, Clock
from tests.records.people import ORIGIN, PASSWORD, audited, enrolled, session, sign_in

CLAIMS = Claims(
    issuer="https://id.example", subject="248289761001", email="JANE@acme.example", is_email_verified=True
)


def claims(**changes: object) -> Claims:
    fields = {name: getattr(CLAIMS, name) for name in CLAIMS.__struct_fields__}
    return Claims(**{**fields, **changes})


async def enter(accounts: Accounts, said: Claims = CLAIMS, *, links_by_name: bool = False) -> SignedIn:
    return await accounts.sign_in_by_identity(said, ORIGIN, links_by_name=links_by_name)


async def test_a_linked_person_signs_in_whatever_else_is_said(accounts: Accounts, jane: User) -> None:
    await accounts.link_identity(jane, CLAIMS, JANE)

    signed_in = await enter(accounts, claims(email="married@acme.example", is_email_verified=False))

    assert signed_in.user.id == jane.id
    assert await session(accounts, signed_in) is not None


async def test_a_stranger_is_refused_and_that_is_told(
    accounts: Accounts, jane: User, database: Database
) -> None:
    with pytest.raises(SignInRefused):
        await enter(accounts)

    (latest, *_) = await audited(database)
    assert (latest.action, latest.who, latest.origin) == ("refused sign in", "somebody", ORIGIN)


async def test_the_first_sign_in_links_where_the_operator_allows_it(
    accounts: Accounts, jane: User, database: Database
) -> None:
    await enter(accounts, links_by_name=True)

    later = await enter(accounts, claims(email=""), links_by_name=False)
    assert later.user.id == jane.id
    told = [one.action for one in await audited(database)]
    assert told[:3] == ["sign in", "sign in", "link identity"]


@pytest.mark.parametrize(
    "said",
    [
        claims(is_email_verified=False),
        claims(email=""),
        claims(email="nobody@acme.example"),
        claims(email="ｊane@acme.example"),
    ],
)
async def test_what_links_nobody(accounts: Accounts, jane: User, said: Claims) -> None:
    with pytest.raises(SignInRefused):
        await enter(accounts, said, links_by_name=True)
    with pytest.raises(SignInRefused):
        await enter(accounts, said)


async def test_a_user_who_is_somebody_s_is_not_linked_to_another(accounts: Accounts, jane: User) -> None:
    await enter(accounts, links_by_name=True)

    for other in (claims(subject="another"), claims(issuer="https://other.example")):
        with pytest.raises(SignInRefused):
            await enter(accounts, other, links_by_name=True)


async def test_a_name_does_not_go_round_a_second_factor(accounts: Accounts, jane: User, clock: Clock) -> None:
    await enrolled(accounts, jane, clock)

    with pytest.raises(SignInRefused):
        await enter(accounts, links_by_name=True)
    await accounts.link_identity(jane, CLAIMS, JANE)
    await enter(accounts)


@pytest.mark.parametrize("is_linked", [True, False])
async def test_a_disabled_user_is_refused(accounts: Accounts, jane: User, is_linked: bool) -> None:
    if is_linked:
        await accounts.link_identity(jane, CLAIMS, JANE)
    await accounts.change_user(jane.id, JANE, is_disabled=True)

    with pytest.raises(SignInRefused):
        await enter(accounts, links_by_name=True)


async def test_of_many_first_sign_ins_at_once_one_links(
    accounts: Accounts, jane: User, database: Database
) -> None:
    entering = (enter(accounts, claims(subject=subject), links_by_name=True) for subject in "aabb")

    results = await asyncio.gather(*entering, return_exceptions=True)

    assert sum(isinstance(result, SignedIn) for result in results) == 2
    assert [one.action for one in await audited(database)].count("link identity") == 1


async def test_a_person_is_one_user_s(accounts: Accounts, jane: User, boss: User) -> None:
    await accounts.link_identity(jane, CLAIMS, JANE)

    with pytest.raises(Conflict, match="another user"):
        await accounts.link_identity(boss, CLAIMS, JANE)


async def test_an_unlinked_person_is_a_stranger(accounts: Accounts, jane: User) -> None:
    await accounts.link_identity(jane, CLAIMS, JANE)
    signed_in = await enter(accounts)
    await accounts.unlink_identity(jane, JANE)

    assert await session(accounts, signed_in) is None
    with pytest.raises(SignInRefused):
        await enter(accounts)
    await sign_in(accounts)


async def test_who_has_no_password_stays_linked(accounts: Accounts) -> None:
    only = await accounts.create_user("sso", Role.VIEWER, ACME, None, JANE)
    await accounts.link_identity(only, CLAIMS, JANE)

    with pytest.raises(Conflict, match="set a password first"):
        await accounts.unlink_identity(only, JANE)
    await accounts.set_password(only.id, PASSWORD, JANE)
    await accounts.unlink_identity(only, JANE)
