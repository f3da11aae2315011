"""`crmroute check`: places, texts, counts and exit codes."""

from pathlib import Path

from tests.cli.conftest import Crmroute
from tests.cli.site import ACME


def change_acme(site: Path, old: str, new: str) -> int:
    """Change the tenant's file and return the line of the change."""
    path = site / "tenants" / "acme.toml"
    text = ACME.replace(old, new, 1)
    path.write_text(text)
    return text[: text.index(new)].count("\n") + 1


def test_error_tells_file_line_place_and_mend(crmroute: Crmroute, site: Path) -> None:
    line = change_acme(site, 'option = "gold"', 'optoin = "gold"')

    ran = crmroute("check", "--config", str(site))

    assert ran.code == 1
    assert f"acme.toml:{line}" in ran.out.replace("\n", "")
    assert "rules[1].lines[1].optoin" in ran.out.replace("\n", "")
    assert "→ Did you mean `option`?" in ran.out
    assert "1 error" in ran.out


def test_unknown_rule_of_a_number_is_an_error(crmroute: Crmroute, site: Path) -> None:
    change_acme(site, 'rule = "Loyalty"', 'rule = "Loyality"')

    ran = crmroute("check", "--config", str(site))

    assert ran.code == 1
    assert "there is no rule `Loyality`" in ran.out


def test_settings_are_checked_too(crmroute: Crmroute, site: Path) -> None:
    local = site / "local.toml"
    local.write_text(local.read_text().replace("lookup_seconds = 0.3", "lookup_seconds = 60"))

    ran = crmroute("check", "--config", str(site))

    assert ran.code == 1
    assert "local.toml:3" in ran.out.replace("\n", "")


def test_json_counts_and_lists(crmroute: Crmroute, site: Path) -> None:
    line = change_acme(site, 'rule = "Loyalty"', 'rule = "Loyality"')

    ran = crmroute("check", "--json", "--config", str(site))

    assert ran.code == 1
    assert ran.json["tenants"] == 1
    assert ran.json["rules"] == 3
    assert ran.json["errors"] == len([one for one in ran.json["problems"] if one["level"] == "error"])
    first = next(one for one in ran.json["problems"] if "Loyality" in one["what"])
    assert (Path(first["file"]).name, first["line"], first["path"]) == ("acme.toml", line, "numbers[1].rule")


def test_named_tenant_alone_is_checked(crmroute: Crmroute, site: Path) -> None:
    (site / "tenants" / "other.toml").write_text("not toml")

    acme, other = (crmroute("check", name, "--json", "--config", str(site)) for name in ("acme", "other"))

    assert not [one for one in acme.json["problems"] if "other" in one["file"]]
    assert [Path(one["file"]).name for one in other.json["problems"] if one["file"].endswith("other.toml")]


def test_unknown_tenant_is_wrong_usage(crmroute: Crmroute, site: Path) -> None:
    ran = crmroute("check", "acmee", "--config", str(site))

    assert ran.code == 2
    assert "Did you mean `acme`?" in ran.err


def test_warnings_fail_only_when_strict(crmroute: Crmroute, site: Path) -> None:
    change_acme(site, 'rule = "Hours"', 'rule = "Loyalty"')  # no number uses Hours then

    ran = crmroute("check", "--json", "--config", str(site))
    strict = crmroute("check", "--strict", "--config", str(site))

    assert ran.json["warnings"] > 0
    assert ran.code == (1 if ran.json["errors"] else 0)
    assert strict.code == 1
