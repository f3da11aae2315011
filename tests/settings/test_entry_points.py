"""Manifests of connectors that other packages bring: found without the code, and never in anybody's way."""

import sys
from pathlib import Path

import pytest

from router.settings.entry_points import added_connectors
from router.settings.manifest_files import find_manifests, load_manifests
from tests.settings.added_packages import install, manifest

NEVER_IMPORTED = 'raise AssertionError("a manifest is read without the code")\n'


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "config" / "connectors").mkdir(parents=True)
    return tmp_path / "config"


@pytest.mark.parametrize(
    ("value", "code", "toml"),
    [
        ("acme_crm:CONNECTOR", "acme_crm/__init__.py", "acme_crm/acme.toml"),
        ("acme_crm.tools.crm:CONNECTOR", "acme_crm/tools/crm.py", "acme_crm/tools/acme.toml"),
        ("acme_crm.tools:CONNECTOR", "acme_crm/tools/__init__.py", "acme_crm/tools/acme.toml"),
        ("acme_crm:CONNECTOR", "acme_crm.py", "acme.toml"),
    ],
    ids=["package", "module-in-a-package", "package-in-a-package", "module"],
)
def test_a_manifest_beside_the_module_is_read_without_importing_it(
    site: Path, config: Path, value: str, code: str, toml: str
) -> None:
    install(site, "acme-crm", {"acme": value}, {code: NEVER_IMPORTED, toml: manifest("Acme")})

    manifests, skipped = find_manifests(config)

    assert manifests["acme"].label == "Acme"
    assert manifests["acme"].slug == "acme"
    assert skipped == []
    assert "acme_crm" not in sys.modules


def test_the_built_in_ones_are_there_too_and_win(site: Path, config: Path) -> None:
    files = {"acme_crm/__init__.py": NEVER_IMPORTED, "acme_crm/salesforce.toml": manifest("Acme's")}
    install(site, "acme-crm", {"salesforce": "acme_crm:CONNECTOR"}, files)

    manifests, skipped = find_manifests(config)

    assert manifests["salesforce"].label == "Salesforce"
    (told,) = map(str, skipped)
    assert (
        "the connector `salesforce` of acme-crm 1.0: warning: crmroute has a connector of this name" in told
    )


def test_the_operators_own_file_replaces_any(site: Path, config: Path) -> None:
    files = {"acme_crm/__init__.py": NEVER_IMPORTED, "acme_crm/acme.toml": manifest("Acme")}
    install(site, "acme-crm", {"acme": "acme_crm:CONNECTOR"}, files)
    (config / "connectors" / "acme.toml").write_text(manifest("Our Acme"))
    (config / "connectors" / "salesforce.toml").write_text(manifest("Our Salesforce"))

    manifests = load_manifests(config)

    assert (manifests["acme"].label, manifests["salesforce"].label) == ("Our Acme", "Our Salesforce")
    assert manifests["custom"].label == "Custom URL"


def test_of_two_packages_with_one_name_the_first_is_taken(site: Path, config: Path) -> None:
    for name in ("b-crm", "a-crm"):
        module = name.replace("-", "_")
        files = {f"{module}/__init__.py": NEVER_IMPORTED, f"{module}/acme.toml": manifest(name)}
        install(site, name, {"acme": f"{module}:CONNECTOR"}, files)

    manifests, skipped = find_manifests(config)

    assert manifests["acme"].label == "a-crm"
    (told,) = map(str, skipped)
    assert "the connector `acme` of b-crm 1.0: warning: a-crm 1.0 brings a connector of this name" in told


@pytest.mark.parametrize(
    ("slug", "value", "files", "told"),
    [
        ("acme", "acme_crm:CONNECTOR", {"acme_crm/__init__.py": ""}, "its manifest is missing"),
        ("acme", "no_such_module_here:CONNECTOR", {}, "its manifest is missing"),
        ("acme", "acme_crm", {"acme_crm/acme.toml": manifest("A")}, "`acme_crm` leads nowhere"),
        ("../acme", "acme_crm:CONNECTOR", {"acme.toml": manifest("A")}, "cannot be a connector's"),
        (
            "Acme CRM",
            "acme_crm:CONNECTOR",
            {"acme_crm/Acme CRM.toml": manifest("A")},
            "cannot be a connector's",
        ),
        ("acme", "acme_crm:CONNECTOR", {"acme_crm/acme.toml": "label = "}, "acme.toml:1: warning: "),
        (
            "acme",
            "acme_crm:CONNECTOR",
            {"acme_crm/acme.toml": '[[settings]]\nname = "a"\ntype = "urll"\n'},
            "Did you mean `url`?",
        ),
    ],
    ids=["no-manifest", "no-module", "no-object", "path", "name", "not-toml", "not-a-manifest"],
)
def test_one_that_cannot_be_used_is_told_and_left_out(
    site: Path, config: Path, slug: str, value: str, files: dict[str, str], told: str
) -> None:
    install(site, "acme-crm", {slug: value}, files)
    install(site, "fine-crm", {"fine": "fine:C"}, {"fine.py": NEVER_IMPORTED, "fine.toml": manifest("Fine")})

    manifests, skipped = find_manifests(config)

    assert "acme" not in manifests
    assert manifests["fine"].label == "Fine"
    assert told in "\n".join(map(str, skipped))


def test_entry_points_that_nobody_can_read(site: Path, config: Path) -> None:
    install(site, "acme-crm", {}, {})
    (site / "acme_crm-1.0.dist-info" / "entry_points.txt").write_text("[crmroute.connectors]\nnonsense\n")

    added, problems = added_connectors(())

    assert added == {}
    assert "cannot be read" in str(problems[0])
    assert "salesforce" in load_manifests(config)
