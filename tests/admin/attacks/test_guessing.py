"""Guessing at passwords: by name, by address, many at the same moment; and what an answer gives away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from router.admin.site import Site
from router.core.roles import Role
from router.records.attempts import FORGOTTEN_SECONDS, FREE
from tests.admin.attacks.test_sessions import browsers, site, user
from tests.admin.pages.browser import PASSWORD
from tests.admin.stands import standing
from tests.records.makers import ACME, JANE, Clock
from tests.records.people import QuickHasher, accounts_of

__all__ = ["browsers", "site"]
GUESSES = 50
WRONG = "wrong"


class StillClock(Clock):
    """Time stands, so that no wait is over in between."""

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def guessing(site: Site) -> AsyncIterator[tuple[Callable[[str], httpx.AsyncClient], QuickHasher]]:
    """Clients by the address that they come from, and what counts the passwords looked at."""
    hasher = QuickHasher()
    accounts = accounts_of(site.database, StillClock(), hasher)
    await accounts.create_user("anna", Role.ADMIN, ACME, PASSWORD, JANE)
    opened: list[httpx.AsyncClient] = []

    def client(address: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=(address, 1234))
        opened.append(httpx.AsyncClient(transport=transport, base_url="http://crmroute.test"))
        return opened[-1]

    with standing(replace(site, accounts=accounts)) as app:
        yield client, hasher
        for one in opened:
            await one.aclose()


async def guess(client: httpx.AsyncClient, name: str, password: str = WRONG) -> int:
    answer = await client.post("/sign-in", data={"name": name, "password": password})
    assert "Set-Cookie" not in answer.headers
    return answer.status_code


async def test_one_name_is_guessed_at_a_few_times_from_however_many_addresses(site: Site) -> None:
    async with guessing(site) as (client, hasher):
        tried = [guess(client(f"198.51.100.{number}"), "Anna ") for number in range(GUESSES)]
        statuses = [await one for one in tried]

    assert statuses == [401] * FREE + [429] * (GUESSES - FREE)
    assert hasher.verified == FREE


async def test_many_names_are_tried_a_few_times_from_one_address(site: Site) -> None:
    async with guessing(site) as (client, hasher):
        one = client("198.51.100.1")
        statuses = [await guess(one, f"nobody-{number}") for number in range(GUESSES)]
        elsewhere = await guess(client("203.0.113.9"), "nobody-0")

    assert statuses == [401] * FREE + [429] * (GUESSES - FREE)
    assert elsewhere == 401
    assert hasher.verified == FREE + 1


@pytest.mark.parametrize("prefix", ["2001:db8:1:2::", "::ffff:198.51.100."])
async def test_an_address_is_not_changed_by_how_it_is_written(site: Site, prefix: str) -> None:
    """An IPv6 network is one place; an IPv4 address written as IPv6 is that address."""
    async with guessing(site) as (client, hasher):
        places = [f"{prefix}{number + 1 if prefix[0] == '2' else 7}" for number in range(GUESSES)]
        statuses = {await guess(client(place), f"nobody-{at}") for at, place in enumerate(places)}

    assert statuses == {401, 429}
    assert hasher.verified == FREE


async def test_fifty_guesses_at_the_same_moment_are_a_few(site: Site) -> None:
    async with guessing(site) as (client, hasher):
        one = client("198.51.100.1")
        statuses = await asyncio.gather(*(guess(one, "anna") for _ in range(GUESSES)))

    assert hasher.verified <= FREE
    assert statuses.count(401) == hasher.verified
    assert statuses.count(429) == GUESSES - hasher.verified


async def test_the_right_password_waits_like_a_wrong_one(site: Site) -> None:
    async with guessing(site) as (client, hasher):
        for _ in range(FREE):
            await guess(client("198.51.100.1"), "anna")

        assert await guess(client("203.0.113.9"), "anna", PASSWORD) == 429
    assert hasher.verified == FREE


async def test_names_that_there_are_and_names_that_there_are_not_are_answered_alike(
    browsers: Any, site: Site, clock: Clock
) -> None:
    """The page repeats the name that was typed, and differs in nothing else."""
    await site.accounts.create_user("provided", Role.VIEWER, ACME, None, JANE)
    await site.accounts.change_user((await user(site, "vera")).id, JANE, is_disabled=True)
    told = []
    for name in ("anna", "provided", "vera", "nobody"):
        for password in (WRONG, "", WRONG if name == "anna" else PASSWORD):
            browser = await browsers()
            clock.now += FORGOTTEN_SECONDS
            answer = await browser.client.post("/sign-in", data={"name": name, "password": password})
            answer.headers.pop("content-length")
            page = answer.text.replace(f'value="{name}"', 'value="NAME"')
            told.append((answer.status_code, page, sorted(answer.headers.items())))

    assert all(one == told[0] for one in told)


async def test_a_name_costs_the_same_whether_somebody_has_it(site: Site) -> None:
    counted = []
    async with guessing(site) as (client, hasher):
        for name in ("anna", "nobody"):
            before = hasher.verified
            await guess(client("198.51.100.1"), name)
            counted.append(hasher.verified - before)

    assert counted == [1, 1]
