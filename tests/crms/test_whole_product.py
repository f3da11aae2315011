"""For each CRM: the command line, a store, a worker process, and the CRM's local server behind it."""

from collections.abc import Iterator

import pytest

from router.settings.manifest_files import load_manifests
from tests.cli.conftest import Crmroute, crmroute
from tests.crms import people
from tests.crms.rig import CrmRig
from tests.crms.rigs import ALL
from tests.crms.site import Site, running_site
from tests.workers.test_manifests import CONFIG

pytestmark = pytest.mark.xdist_group("crm-site")
every_crm = pytest.mark.parametrize("rig", ALL, ids=lambda rig: rig.name)
MANIFESTS = load_manifests(CONFIG)
__all__ = ["crmroute"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site"), ALL) as running:
        yield running


@pytest.fixture
def crm(crmroute: Crmroute, site: Site) -> Crmroute:
    return lambda *words: crmroute("crm", *words, "--tenant", "acme", "--config", str(site.folder))


@every_crm
def test_find(crm: Crmroute, rig: CrmRig) -> None:
    ran = crm(
        "find", rig.name, "--from", "0639980001", "--module", rig.contacts, "--field", rig.tier, "--json"
    )

    assert ran.code == 0, ran
    (record,) = ran.json["answer"]["records"]
    assert (record["name"], record["values"]) == ("Alice Martin", {rig.tier: rig.tier_value("Gold")})
    assert ran.json["spellings"][:2] == ["+33639980001", "0639980001"]
    assert ran.json["answer"]["worker"] == "worker-1"


@every_crm
def test_find_as_a_person_reads_it(crm: Crmroute, rig: CrmRig) -> None:
    ran = crm("find", rig.name, "--from", people.CHLOE, "--module", rig.contacts, "--field", rig.tier)

    assert ran.code == 0, ran
    for told in (
        "spellings",
        "+33639980003",
        "Chloé",
        rig.tier_value("Bronze"),
        "1 hit",
        "request",
        "ms in the CRM",
    ):
        assert told in ran.out


@every_crm
def test_find_by_digits(crm: Crmroute, rig: CrmRig) -> None:
    ran = crm(
        "find", rig.name, "--digits", "4711", "--digits-field", rig.account_no,
        "--module", rig.contacts, "--field", rig.tier, "--json",
    )  # fmt: skip

    assert [record["name"] for record in ran.json["answer"]["records"]] == ["Alice Martin"], ran


@every_crm
def test_nobody_found_is_exit_code_1(crm: Crmroute, rig: CrmRig) -> None:
    ran = crm("find", rig.name, "--from", people.NOBODY, "--module", rig.contacts, "--field", rig.tier)

    assert (ran.code, "not_found" in ran.out) == (1, True), ran


@every_crm
def test_connection_test(crm: Crmroute, rig: CrmRig) -> None:
    ran = crm("test", rig.name, "--module", rig.contacts, "--field", rig.tier)

    assert ran.code == 0, ran
    assert "✗" not in ran.out


@every_crm
def test_fields(crm: Crmroute, rig: CrmRig) -> None:
    if "fields" not in MANIFESTS[rig.slug].abilities:
        pytest.skip("this CRM has no list of fields")

    ran = crm("fields", rig.name, rig.contacts, "--json")

    assert rig.tier in {field["name"] for field in ran.json["fields"]}, ran


@every_crm
def test_modules(crm: Crmroute, rig: CrmRig) -> None:
    if "modules" not in MANIFESTS[rig.slug].abilities:
        pytest.skip("this CRM has no list of modules")

    ran = crm("modules", rig.name, "--json")

    assert rig.contacts in {module["name"] for module in ran.json["modules"]}, ran


def test_every_integration_is_listed_as_working(crm: Crmroute) -> None:
    ran = crm("list", "--json")

    assert {row["integration"] for row in ran.json} == {rig.name for rig in ALL}
    assert {row["state"] for row in ran.json} <= {"connected", "never_asked", "not_connected"}, ran.json


def test_no_secret_is_in_the_workers_log_nor_in_a_grant_file(site: Site) -> None:
    kept = b"".join(path.read_bytes() for path in site.folder.glob("grants/**/*.grant"))

    assert "canary" not in site.log
    assert b"canary" not in kept
