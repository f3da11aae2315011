"""A worker's connectors: our own, and those of other packages, whatever these do."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.settings.added_packages import install
from workers.catalogue import BUILT_IN, load_connectors

WELL = """
from msgspec import Struct
from workers.connectors.steps import Connector, Findings

class Settings(Struct, frozen=True):
    url: str

def find(account, question):
    yield from ()
    return Findings()

CONNECTOR = Connector(slug="{slug}", settings=Settings, find=find)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_ours_alone() -> None:
    assert load_connectors() == dict(BUILT_IN)


def test_one_of_another_package_is_added(site: Path) -> None:
    install(site, "well-crm", {"well": "well_crm:CONNECTOR"}, {"well_crm.py": WELL.format(slug="well")})

    connectors = load_connectors()

    assert connectors["well"].slug == "well"
    assert set(connectors) == {*BUILT_IN, "well"}


def test_ours_are_never_replaced(site: Path) -> None:
    code = {"taken_crm.py": WELL.format(slug="salesforce")}
    install(site, "taken-crm", {"salesforce": "taken_crm:CONNECTOR"}, code)

    with capture_logs() as logs:
        connectors = load_connectors()

    assert connectors == dict(BUILT_IN)
    assert [entry["event"] for entry in logs] == ["connector.skipped"]


@pytest.mark.parametrize(
    ("module", "code", "why"),
    [
        ("raising_crm", "raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("leaving_crm", "import sys\nsys.exit(3)", "SystemExit: 3"),
        ("wrong_crm", "this is no Python", "SyntaxError"),
        ("needing_crm", "import no_such_module_at_all", "ModuleNotFoundError"),
        ("empty_crm", "", "AttributeError"),
        ("other_crm", "CONNECTOR = object()", "is no connector of this name"),
        ("renamed_crm", WELL.format(slug="another"), "is no connector of this name"),
    ],
)
def test_a_broken_one_is_logged_and_left_out(site: Path, module: str, code: str, why: str) -> None:
    install(site, "broken-crm", {"broken": f"{module}:CONNECTOR"}, {f"{module}.py": code})

    with capture_logs() as logs:
        connectors = load_connectors()

    assert connectors == dict(BUILT_IN)
    (entry,) = logs
    assert (entry["event"], entry["connector"]) == ("connector.broken", "broken")
    assert why in entry["problem"]
