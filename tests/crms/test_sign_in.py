"""A person signs in: the command line, a real worker, a browser's way back over real HTTP."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cli.conftest import Crmroute, crmroute
from tests.crms import people
from tests.crms.salesforce import PERSON_RIG
from tests.crms.site import PROJECT, Site, running_site
from tests.store.servers import free_ports

pytestmark = pytest.mark.xdist_group("crm-site")
__all__ = ["crmroute"]
NAME = PERSON_RIG.name


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site"), (PERSON_RIG,)) as running:
        yield running


@pytest.fixture
def crm(crmroute: Crmroute, site: Site) -> Crmroute:
    return lambda *words: crmroute("crm", *words, "--tenant", "acme", "--config", str(site.folder))


class Authorising:
    """`crmroute crm authorise` as a process, and the address that it prints."""

    def __init__(self, site: Site, *words: str) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "router", "crm", "authorise", NAME),
                *("--tenant", "acme", "--config", str(site.folder), *words),
            ],
            cwd=PROJECT,
            env={**os.environ, "COLUMNS": "2000"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.told = [self.process.stderr.readline() for _ in range(3)]
        self.address = self.told[1].strip()
        self.query = {name: values[0] for name, values in parse_qs(urlsplit(self.address).query).items()}

    def ended(self, typed: str | None = None) -> tuple[int, str]:
        out, err = self.process.communicate(typed, timeout=30)
        return self.process.returncode, out + err


def revoke(site: Site) -> None:
    site.crms[NAME].tokens.revoke_all()


def opened(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_in_a_browser(site: Site, crm: Crmroute) -> None:
    revoke(site)
    assert "crmroute crm authorise" in crm("test", NAME).out, "the test says who is needed"
    (port,) = free_ports(1)

    authorising = Authorising(site, "--no-browser", "--port", str(port))
    way_back = authorising.query["redirect_uri"]
    foreign = opened(f"{way_back}?code=good-code&state=another")
    elsewhere = opened(way_back.replace("/callback", "/"))
    came_back = opened(f"{way_back}?code=good-code&state={authorising.query['state']}")
    code, told = authorising.ended()

    assert (foreign, elsewhere, came_back) == (400, 404, 200)
    assert (code, "signed in as 127.0.0.1" in told) == (0, True), told
    assert crm("find", NAME, "--from", people.ALICE, "--field", "Tier__c").code == 0


def test_the_address_asks_for_what_is_needed_and_tells_nothing(site: Site) -> None:
    (port,) = free_ports(1)
    authorising = Authorising(site, "--no-browser", "--port", str(port))
    authorising.process.terminate()
    authorising.ended()

    assert authorising.address.startswith(f"{site.crms[NAME].url}/services/oauth2/authorize?")
    assert authorising.query["response_type"] == "code"
    assert authorising.query["code_challenge_method"] == "S256"
    assert authorising.query["scope"] == "api refresh_token"
    assert len(authorising.query["state"]) >= 24
    assert "canary" not in "".join(authorising.told)


def test_by_pasting_the_address_where_the_browser_ended(site: Site, crm: Crmroute) -> None:
    revoke(site)
    back = "https://router.example/callback"

    authorising = Authorising(site, "--paste", "--redirect", back)
    code, told = authorising.ended(f"{back}?code=good-code&state={authorising.query['state']}\n")

    assert code == 0, told
    assert crm("list", "--json").json[0]["state"] == "connected"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("code=good-code&state=another", "another sign-in"),
        ("error=access_denied&error_description=no%1b[31m&state={state}", "did not sign you in: no"),
        ("code=wrong-code&state={state}", "did not give a token: invalid_grant"),
    ],
)
def test_a_sign_in_that_fails(site: Site, query: str, says: str) -> None:
    authorising = Authorising(site, "--paste")
    ended = query.format(state=authorising.query["state"])
    code, told = authorising.ended(f"{authorising.query['redirect_uri']}?{ended}\n")

    assert (code, says in told, "\x1b" in told) == (1, True, False), told


def test_a_sign_in_serves_once(site: Site) -> None:
    authorising = Authorising(site, "--paste")
    pasted = f"{authorising.query['redirect_uri']}?code=good-code&state={authorising.query['state']}"
    assert authorising.ended(pasted + "\n")[0] == 0

    again = Authorising(site, "--paste")
    assert again.query["state"] != authorising.query["state"]
    code, told = again.ended(pasted + "\n")

    assert (code, "another sign-in" in told) == (1, True), told


def test_on_another_device_where_the_crm_has_no_such_thing(crm: Crmroute) -> None:
    ran = crm("authorise", NAME, "--device")

    assert (ran.code, "use a browser" in ran.err) == (2, True)
