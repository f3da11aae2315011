"""Signing in at a CRM from the page: the real application, a worker's replies, and who may come back."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from router.admin.sign_ins import RETURN_PATH
from router.admin.site import Site
from router.core.breakers import Health, Verdict
from router.core.crm_states import AskedFor, LastAsked, SignIn, state_of
from router.core.errands import (
    BeginSignIn,
    ErrandFailed,
    FinishSignIn,
    Reply,
    SignInAwaited,
    SignInBegun,
    SignInDone,
    SignInState,
    TellSignIn,
)
from router.core.faults import Fault
from router.core.identities import IntegrationName
from router.core.tenants import Integration
from router.records import audit
from router.records.audit import Wanted
from router.records.configuration import Configuration
from router.store.memory import MemoryStore
from tests.admin.api import site_of
from tests.admin.pages.browser import Browser, open_browsers
from tests.records.makers import ACME, JANE, OTHER, Clock, profile, tenant
from tests.store.rigs import CRM_ERROR, a_job, a_waiter, take_all

STATE = "a-state-of-the-workers-own"
PAGE = "/t/acme/integration/person"
ACCOUNTS = {
    "anna": ("admin", ACME), "ada": ("admin", ACME), "vera": ("viewer", ACME), "ed": ("editor", ACME),
    "otto": ("admin", OTHER), "paul": ("provider", None),
}  # fmt: skip
Opens = Callable[..., Awaitable[Browser]]
OVER = "This sign-in is not yours, or is over"


@dataclass
class Worker:
    """Replies as told to each errand, and remembers them."""

    store: MemoryStore
    begun: Reply = field(default_factory=lambda: SignInBegun("https://acme.crm.example/authorize?x=1", STATE))
    finished: Reply = field(default_factory=lambda: SignInDone("anna"))
    state: Reply = field(default_factory=lambda: SignInState(needs_sign_in=True, is_signed_in=False))
    errands: list[object] = field(default_factory=list)

    async def run(self) -> None:
        while True:
            taken = await self.store.errands.take()
            if taken is None:
                continue
            self.errands.append(taken.errand)
            reply = self.finished
            if isinstance(taken.errand, BeginSignIn | TellSignIn):
                reply = self.begun if isinstance(taken.errand, BeginSignIn) else self.state
            await self.store.errands.reply(taken, reply)

    @property
    def codes(self) -> list[str]:
        return [one.code for one in self.errands if isinstance(one, FinishSignIn)]


@pytest.fixture
async def site(configuration: Configuration, store: MemoryStore, clock: Clock) -> Site:
    settings = {
        "url": "https://acme.my.salesforce.com",
        "client_id": "it",
        "client_secret": {"env": "SECRET"},
        "sign_in": "person",
    }
    person = Integration(name=IntegrationName("person"), connector="salesforce", settings=settings)
    acme = tenant()
    await configuration.apply(
        replace(acme, integrations=(*acme.integrations, person)), "first", JANE, managed_by="page"
    )
    await configuration.create_tenant(profile(id="other"), JANE)
    return site_of(configuration, store, clock)


@pytest.fixture
async def worker(store: MemoryStore) -> AsyncIterator[Worker]:
    made = Worker(store)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def opens(site: Site, worker: Worker) -> AsyncIterator[Opens]:
    async with open_browsers(site, ACCOUNTS) as browsers:
        yield browsers


async def begin(browser: Browser) -> str:
    await browser.get(PAGE)
    await browser.post(f"{PAGE}/sign-in", {}, 200)
    return browser.page


def back(state: str = STATE, **query: str) -> str:
    told = query or {"code": "the-code"}
    asked = "&".join(f"{name}={quote(value)}" for name, value in told.items())
    return f"{RETURN_PATH}?state={state}&{asked}"


async def test_there_and_back(opens: Opens, site: Site, worker: Worker) -> None:
    anna = await opens("anna")

    page = await begin(anna)
    returned = await anna.client.get(back())

    assert 'href="https://acme.crm.example/authorize?x=1" rel="noreferrer"' in page
    assert f"{site.settings.admin.base_url}{RETURN_PATH}" in page
    assert (returned.status_code, returned.headers["Location"]) == (303, f"{PAGE}?done=signed-in")
    assert "Signed in: rules can ask this CRM." in await anna.get(returned.headers["Location"])
    assert worker.errands[0] == BeginSignIn(
        tenant=ACME,
        integration=IntegrationName("person"),
        redirect_uri=f"{site.settings.admin.base_url}{RETURN_PATH}",
    )
    async with site.database.reading() as connection:
        (noted, *_) = await audit.read(connection, Wanted(tenant=ACME), 1)
    assert (noted.who, noted.action, noted.name, noted.after) == ("anna", "sign in to", "person", "anna")


async def test_a_form_of_ours_leads_to_no_other_site(opens: Opens) -> None:
    """Chromium blocks a redirect of a form's answer to another origin (`form-action 'self'`)."""
    anna = await opens("anna")
    await anna.get(PAGE)
    answer = await anna.post(f"{PAGE}/sign-in", {}, 200)

    assert "form-action 'self'" in answer.headers["content-security-policy"]
    assert "Location" not in answer.headers


async def test_a_way_back_serves_once(opens: Opens, worker: Worker) -> None:
    anna = await opens("anna")
    await begin(anna)
    assert (await anna.client.get(back())).status_code == 303

    assert OVER in await anna.get(back(), 403)
    assert len(worker.codes) == 1


@pytest.mark.parametrize("who", ["ada", "vera", "otto", "paul"])
async def test_nobody_else_comes_back_and_the_state_is_spent(opens: Opens, worker: Worker, who: str) -> None:
    anna, other = await opens("anna"), await opens(who)
    await begin(anna)

    assert OVER in await other.get(back(), 403)
    assert OVER in await anna.get(back(), 403)
    assert worker.codes == []


async def test_another_session_of_the_same_user_does_not_come_back(opens: Opens, worker: Worker) -> None:
    here, elsewhere = await opens("anna"), await opens("anna")
    await begin(here)

    await elsewhere.get(back(), 403)
    assert worker.codes == []


async def test_without_a_session_one_is_asked_to_sign_in(opens: Opens, worker: Worker) -> None:
    anna, stranger = await opens("anna"), await opens()
    await begin(anna)

    answer = await stranger.client.get(back())

    assert (answer.status_code, "/sign-in" in answer.headers["Location"]) == (303, True)
    assert "the-code" not in answer.headers["Location"]
    assert worker.codes == []


@pytest.mark.parametrize("state", ["another-state-of-nobody-s", "", "x" * 5_000, "%00%0a", "return%7Cabc"])
async def test_a_state_that_nobody_began(opens: Opens, worker: Worker, state: str) -> None:
    anna = await opens("anna")
    await begin(anna)

    await anna.get(back(state), 403)
    assert worker.codes == []


async def test_after_its_time_a_way_back_is_closed(opens: Opens, worker: Worker) -> None:
    worker.begun = SignInBegun("https://acme.crm.example/authorize", STATE, lives_seconds=0.0)
    anna = await opens("anna")
    await begin(anna)

    assert OVER in await anna.get(back(), 403)
    assert worker.codes == []


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (
            {"error": "access_denied", "error_description": "<b>no</b>"},
            "The sign-in was declined at the CRM.",
        ),
        ({"error": "access_denied", "code": "the-code"}, "The sign-in was declined at the CRM."),
        ({"error": "of_its_own"}, "The CRM did not sign you in."),
        ({"nothing": ""}, "The CRM sent you back without an answer."),
        ({"code": "c" * 5_000}, "The CRM sent you back without an answer."),
    ],
)
async def test_what_the_crm_refuses_is_told(
    opens: Opens, worker: Worker, query: dict[str, str], says: str
) -> None:
    anna = await opens("anna")
    await begin(anna)

    page = await anna.get(back(**query), 422)

    assert says in page
    assert "<b>" not in page.replace("<b></b>", "")
    assert worker.codes == []
    assert f'action="{PAGE}/sign-in"' in page, "one can begin anew from there"


async def test_what_a_worker_refuses_is_told(opens: Opens, worker: Worker) -> None:
    worker.finished = ErrandFailed(
        Fault.CREDENTIALS, "the CRM did not give a token: invalid_client", "Mend it."
    )
    anna = await opens("anna")
    await begin(anna)

    assert "invalid_client. Mend it." in await anna.get(back(), 422)


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "https:///x"]
)
async def test_an_address_that_is_none_of_the_web_is_no_link(
    opens: Opens, worker: Worker, address: str
) -> None:
    worker.begun = SignInBegun(address, STATE)
    anna = await opens("anna")
    await anna.get(PAGE)
    await anna.post(f"{PAGE}/sign-in", {}, 422)

    assert address not in anna.page


@pytest.mark.parametrize(("who", "status"), [("vera", 403), ("ed", 403), ("otto", 404)])
async def test_who_may_not_connect_does_not_begin(
    opens: Opens, worker: Worker, who: str, status: int
) -> None:
    other = await opens(who)
    await other.get("/t/other/integration" if who == "otto" else PAGE)
    await other.post(f"{PAGE}/sign-in", {}, status)

    assert worker.errands == []


async def test_a_page_of_another_site_begins_nothing(opens: Opens, worker: Worker) -> None:
    anna = await opens("anna")
    await anna.post(f"{PAGE}/sign-in", {"csrf": "guessed"}, 403)

    assert worker.errands == []


async def test_only_where_a_person_signs_in_there_is_a_button(opens: Opens) -> None:
    anna = await opens("anna")

    assert "Connect to Salesforce" in await anna.get(PAGE)
    assert f"{PAGE}/sign-in" not in await anna.get("/t/acme/integration/crm")


async def test_on_another_device(opens: Opens, site: Site, worker: Worker) -> None:
    made = site.manifests["salesforce"]
    site.manifests["salesforce"] = replace(made, auth=(*made.auth, "oauth_device"))  # type: ignore[index]  # a test's own
    worker.begun = SignInBegun("https://acme.crm.example/device", STATE, "WDJB-MJHT", every_seconds=3)
    worker.finished = SignInAwaited()
    anna = await opens("anna")
    await anna.get(PAGE)
    await anna.post(f"{PAGE}/sign-in", {"device": "true"}, 200)
    assert "WDJB-MJHT" in anna.page
    assert 'hx-trigger="every 3s, submit"' in anna.page
    fields = {name: value for name, value in anna.fields().items() if name != "csrf"}

    await anna.post(f"{PAGE}/sign-in/device", fields, 200)
    assert "Nobody has signed in yet." in anna.page
    worker.finished = SignInDone("anna")
    csrf = re.findall(r'name="csrf" value="(\w+)"', anna.page)[0]
    in_place = await anna.client.post(
        f"{PAGE}/sign-in/device", data={**fields, "csrf": csrf}, headers={"HX-Request": "true"}
    )
    plain = await anna.post(f"{PAGE}/sign-in/device", fields)

    assert in_place.headers["HX-Redirect"] == plain.headers["Location"] == f"{PAGE}?done=signed-in"


WELL = LastAsked(purpose=AskedFor.TEST, age_seconds=7_200, since_seconds=86_400)
DOWN = LastAsked(purpose=AskedFor.LOOKUP, age_seconds=60, since_seconds=7_200, problem="<b>down</b>")
DEAD = SignIn(has_grant=True, by_person=True, problem="dead", fault=Fault.SIGN_IN, problem_since_seconds=60)


@pytest.mark.parametrize(
    ("sign_in", "asked", "says", "button"),
    [
        (SignIn(by_person=True), None, ("not connected yet",), "Connect to Salesforce"),
        (SignIn(has_grant=True), None, ("connected", "Signed in, and not tested since."), "Sign in again"),
        (SignIn(has_grant=True), WELL, ("connected", "It passed its test 2 hours ago."), "Sign in again"),
        (
            SignIn(has_grant=True),
            DOWN,
            ("failing", "UTC: &lt;b&gt;down", "Asked last 60 seconds ago."),
            "Sign in again",
        ),
        (DEAD, WELL, ("needs re-authorisation", "Since ", "dead"), "Sign in again"),
        (SignIn(), None, ("never asked",), "Connect to Salesforce"),
    ],
)
async def test_the_state_is_told_with_the_way_to_mend_it(
    opens: Opens, worker: Worker, sign_in: SignIn, asked: LastAsked | None, says: tuple[str, ...], button: str
) -> None:
    worker.state = SignInState(needs_sign_in=True, is_signed_in=False, crm=state_of(sign_in, asked))
    anna, vera = await opens("anna"), await opens("vera")

    card, page = await anna.get(f"{PAGE}/state"), await anna.get(f"{PAGE}/connection")

    for text in says:
        assert text in card
        assert text in page
    assert button in page
    assert button not in card
    assert button not in await vera.get(f"{PAGE}/connection")


async def test_a_crm_that_look_ups_leave_alone_is_told_as_that(
    opens: Opens, worker: Worker, store: MemoryStore
) -> None:
    worker.state = SignInState(
        needs_sign_in=True, is_signed_in=True, crm=state_of(SignIn(has_grant=True), WELL)
    )
    anna = await opens("anna")
    for index in range(5):
        await store.lookups.ask(a_job(f"+331{index}", integration="person"), a_waiter())
        (taken,) = await take_all(store, 1)
        await store.jobs.settle(taken, CRM_ERROR, Verdict(Health.UNWELL, "<b>500</b>"))

    card = await anna.get(f"{PAGE}/state")

    assert '<span class="badge bad">left alone</span>' in card
    assert "&lt;b&gt;500&lt;/b&gt;" in card
    assert re.search(r"Look-ups leave it alone for \d s more, after 5 failures\.", card)
    await anna.post("/language", {"language": "fr", "back": "/"})
    assert re.search(r"laissent au repos encore \d\u00a0s, après 5 échecs\.", await anna.get(f"{PAGE}/state"))
