"""The files that come with the program are right, by the program's own check."""

from pathlib import Path

from router.core.identities import TenantId
from router.settings.checking import tenant_check
from router.settings.load import load_settings
from router.settings.manifest_files import load_manifests
from router.settings.tenant_files import TenantFiles

CONFIG = Path(__file__).resolve().parents[2] / "config"
SAMPLE = {"CRMROUTE_AMI_SECRET": "x", "CRMROUTE__WORKER__HTTPS_ONLY": "false"}


def test_the_sample_tenant_has_no_problems() -> None:
    check = tenant_check(load_settings(CONFIG, SAMPLE), load_manifests(CONFIG))
    files = TenantFiles(CONFIG, check)

    files.load_all()

    assert TenantId("acme") in files.tenants()
    assert [str(problem) for problem in files.problems()] == []


def test_without_leave_for_http_the_sample_is_told() -> None:
    files = TenantFiles(CONFIG, tenant_check(load_settings(CONFIG, {"CRMROUTE_AMI_SECRET": "x"})))

    files.load_all()

    assert len(files.problems()) == 3
    assert all("the address is not encrypted" in str(problem) for problem in files.problems())
