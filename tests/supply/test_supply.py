"""What crmroute is made of: which packages it runs with, what is known of them, and what the bill says."""

from typing import Any

import pytest

from deploy.supply.audit import Judgement, Vulnerability, judged
from deploy.supply.bill import hashes_in, only, told, with_hashes
from deploy.supply.installed import PROJECT, installed, runtime_of, site_packages

SKIPPED = {
    "name": "redis",
    "skip_reason": "Dependency not found on PyPI and could not be audited: redis (8.1.0)",
}
CRMROUTE = {"name": "crmroute", "skip_reason": "distribution marked as editable"}
CLEAN = {"name": "redis", "version": "8.1.0", "vulns": []}
FLAWED = {
    "name": "aiohttp",
    "version": "3.0.0",
    "vulns": [
        {"id": "PYSEC-2026-1", "fix_versions": ["3.0.1"], "aliases": ["CVE-2026-1"], "description": "x"}
    ],
}


def component(name: str, **more: Any) -> dict[str, Any]:
    return {"bom-ref": f"{name}==1", "name": name, "version": "1", **more}


BILL = {
    "specVersion": "1.6",
    "metadata": {"component": {"bom-ref": "root", "name": "crmroute"}},
    "components": [component("Redis", licenses=[{}]), component("hiredis"), component("pytest")],
    "dependencies": [
        {"ref": "root", "dependsOn": ["Redis==1", "pytest==1"]},
        {"ref": "Redis==1", "dependsOn": ["hiredis==1"]},
        {"ref": "pytest==1"},
    ],
}


def test_it_runs_with_what_it_declares_and_not_with_the_tests_tools() -> None:
    runtime = runtime_of(installed(site_packages()))

    assert {"redis", "hiredis", "litestar", "panoramisk", "psycopg-binary", "uvloop"} <= runtime.keys()
    assert runtime.keys().isdisjoint(
        {"pytest", "hypothesis", "schemathesis", "playwright", "mypy", "crmroute"}
    )


@pytest.mark.parametrize(
    ("dependencies", "judgement"),
    [
        ([CRMROUTE, CLEAN], Judgement(1, (), ())),
        (
            [CRMROUTE, CLEAN, FLAWED],
            Judgement(2, (), (Vulnerability("aiohttp", "3.0.0", "PYSEC-2026-1, CVE-2026-1", "3.0.1"),)),
        ),
        ([FLAWED | {"vulns": []}, SKIPPED], Judgement(1, ("redis",), ())),
        ([CRMROUTE, SKIPPED], Judgement(0, ("redis",), ())),  # nobody could be asked, whatever pip-audit says
    ],
    ids=["sound", "vulnerable", "one-unknown", "not-asked"],
)
def test_a_databases_answer_is_judged(dependencies: list[dict[str, Any]], judgement: Judgement) -> None:
    assert judged({"dependencies": dependencies, "fixes": []}) == judgement


def test_the_bill_holds_what_it_runs_with_and_how_it_hangs_together() -> None:
    bill = only(BILL, {"redis", "hiredis"})

    assert [one["name"] for one in bill["components"]] == ["Redis", "hiredis"]
    assert bill["dependencies"] == [
        {"ref": "root", "dependsOn": ["Redis==1"]},
        {"ref": "Redis==1", "dependsOn": ["hiredis==1"]},
    ]


def test_hashes_are_those_of_the_index_and_what_is_lacking_is_told() -> None:
    report = {
        "install": [
            {"metadata": {"name": "redis"}, "download_info": {"archive_info": {"hashes": {"sha256": "ab"}}}},
            {"metadata": {"name": "own"}, "download_info": {"dir_info": {}}},
        ]
    }

    bill = with_hashes(BILL, hashes_in(report))

    assert bill["components"][0]["hashes"] == [{"alg": "SHA-256", "content": "ab"}]
    assert told(bill, PROJECT, ["colorama"])[1:] == [
        "  licence  of 1; it is not told of hiredis, pytest",
        "  hash     of 1; it is not told of hiredis, pytest",
        "  needed on other systems only: colorama",
    ]
