"""`crmroute plan`, `apply` and `export` on files, records and a store of their own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st

from router.cli.records.exporting import tenant_text
from router.core.tenants import Tenant
from router.records.migrations import revision_of, steps, upgrade
from router.settings.documents import parse_document
from router.settings.tenant_files import parse_tenant
from tests.cli.conftest import Crmroute, Ran
from tests.cli.site import ACME

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def records(site: Path) -> Path:
    """The site, with records of its own."""
    local = site / "local.toml"
    local.write_text(local.read_text() + f'[records]\nurl = "sqlite:///{site}/records.db"\n')
    return site


@pytest.fixture
def run(crmroute: Crmroute, records: Path) -> Callable[..., Ran]:
    return lambda *words: crmroute(*words, "--config", str(records))


def edit(site: Path, old: str, new: str) -> None:
    path = site / "tenants" / "acme.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_first_plan_and_its_apply(run: Callable[..., Ran]) -> None:
    planned = run("plan")
    applied = run("apply", "--comment", "first", "--json")
    again = run("plan")

    assert (planned.code, planned.out.split()) == (1, ["acme", "new"])
    assert (applied.code, applied.json[0]["publication"]) == (0, 1)
    assert (again.code, again.out.strip()) == (0, "The files and what is in force are the same.")


def test_what_differs_is_told_by_place_before_it_is_put_in_force(
    run: Callable[..., Ran], records: Path
) -> None:
    run("apply")
    edit(records, 'value = "gold"', 'value = "platinum"')

    planned = run("plan")
    applied = run("apply", "acme")

    assert planned.code == 1
    assert "~ rule Loyalty, line 1, value: gold → platinum" in planned.out
    assert planned.out.splitlines() == applied.out.splitlines()[:2]
    assert "1 tenant put in force." in applied.out


def test_what_cannot_work_is_told_with_its_line_and_changes_nothing(
    run: Callable[..., Ran], records: Path
) -> None:
    run("apply")
    edit(records, 'rule = "Hours"', 'rule = "Hourss"')
    (records / "tenants" / "beta.toml").write_text(ACME)

    ran = run("apply")

    assert ran.code == 2
    assert "acme.toml:13" in ran.err
    assert "Did you mean `Hours`?" in ran.err
    assert run("plan", "beta").code == 1, "the other tenant was not put in force either"


def test_a_tenant_whose_file_is_gone_stays_without_prune(run: Callable[..., Ran], records: Path) -> None:
    (records / "tenants" / "beta.toml").write_text(ACME)
    run("apply")
    (records / "tenants" / "beta.toml").unlink()

    assert run("plan").code == 0
    pruned = run("apply", "--prune")

    assert pruned.out.split()[:2] == ["beta", "removed"]
    assert run("plan", "--prune").code == 0


def test_export_and_apply_change_nothing(run: Callable[..., Ran], records: Path, tmp_path: Path) -> None:
    run("apply")

    exported = run("export", "--to", str(tmp_path / "out"), "--json")
    (records / "tenants" / "acme.toml").write_text((tmp_path / "out" / "tenants" / "acme.toml").read_text())

    assert exported.json == [
        {"tenant": "acme", "number": 1, "file": str(tmp_path / "out" / "tenants" / "acme.toml")}
    ]
    assert run("plan").code == 0


def test_unknown_names(run: Callable[..., Ran], tmp_path: Path) -> None:
    run("apply")

    assert run("plan", "acmee").code == 2
    exported = run("export", "acmee", "--to", str(tmp_path))
    assert (exported.code, "Did you mean `acme`?" in exported.err) == (2, True)


def test_records_that_cannot_be_reached(crmroute: Crmroute, site: Path) -> None:
    local = site / "local.toml"
    local.write_text(local.read_text() + '[records]\nurl = "postgresql://nobody@/x?host=/nowhere"\n')

    ran = crmroute("plan", "--config", str(site))

    assert ran.code == 3
    assert "records" in ran.err


def parsed(text: str) -> Tenant | None:
    return parse_tenant(parse_document("acme.toml", text.encode()), "acme")[0]


def test_the_sample_tenant_as_a_file_is_the_same_tenant() -> None:
    sample = parsed((PROJECT / "config" / "tenants" / "acme.toml").read_text())
    assert sample is not None

    assert parsed(tenant_text(sample)) == sample


TEXTS = st.text(
    alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from("\"'\\\n\r\t\0[]#={}")), max_size=30
)
VALUES = st.one_of(
    TEXTS, st.integers(-(2**40), 2**40), st.floats(allow_nan=False, allow_infinity=False), st.booleans()
)


@example(name="", note="one\r\ntwo\rthree\n", values=[], settings={})
@given(
    name=TEXTS,
    note=TEXTS,
    values=st.lists(VALUES, max_size=4),
    settings=st.dictionaries(TEXTS, VALUES, max_size=4),
)
def test_whatever_stands_in_a_tenant_survives_its_file(
    name: str, note: str, values: list[Any], settings: dict[str, Any]
) -> None:
    target = {"destination": "queue", "option": "desk"}
    lines = [{"operator": "=", "value": value, **target} for value in values]
    data = {
        "id": "acme",
        "name": name,
        "country": "FR",
        "default": target,
        "integrations": [{"name": "crm", "settings": settings}],
        "rules": [{"name": "R", "default": target, "note": note, "lines": lines}],
    }
    tenant = msgspec.convert(data, type=Tenant)

    assert parsed(tenant_text(tenant)) == tenant


@pytest.fixture
def in_force(run: Callable[..., Ran], records: Path) -> Callable[..., Ran]:
    """Tenants come from the records, and their files are gone."""
    run("apply")
    (records / "tenants" / "acme.toml").unlink()
    local = records / "local.toml"
    local.write_text(local.read_text() + '[tenants]\nsource = "records"\n')
    return run


def test_route_takes_the_tenant_in_force(in_force: Callable[..., Ran]) -> None:
    ran = in_force(
        "route",
        "--tenant",
        "acme",
        "--to",
        "+33140000001",
        "--from",
        "0612345678",
        "--value",
        "gold",
        "--json",
    )

    assert ran.code == 0, ran
    assert ran.json["destination"] == "queue gold"


def test_crm_list_takes_the_tenant_in_force(in_force: Callable[..., Ran]) -> None:
    assert in_force("crm", "list", "--tenant", "acme").code == 0


def test_a_tenant_that_is_not_in_force_is_told_with_those_that_are(in_force: Callable[..., Ran]) -> None:
    ran = in_force("route", "--tenant", "acne", "--to", "+33140000001", "--from", "0612345678")

    assert ran.code == 2
    assert "there is no tenant acne in force" in ran.err
    assert "Did you mean `acme`?" in ran.err


def test_a_redis_out_of_reach_is_told(in_force: Callable[..., Ran], records: Path, redis_url: str) -> None:
    local = records / "local.toml"
    local.write_text(local.read_text().replace(redis_url, "redis://127.0.0.1:1/0"))

    ran = in_force("route", "--tenant", "acme", "--to", "+33140000001", "--from", "0612345678")

    assert ran.code == 3
    assert "the tenants in force cannot be read" in ran.err


def test_the_database_is_left_alone_by_who_only_asks(in_force: Callable[..., Ran], records: Path) -> None:
    (records / "records.db").unlink()

    assert in_force("crm", "list", "--tenant", "acme").code == 0
    assert not (records / "records.db").exists()


def test_apply_says_when_routers_did_not_get_it(
    run: Callable[..., Ran], records: Path, redis_url: str
) -> None:
    local = records / "local.toml"
    local.write_text(local.read_text().replace(redis_url, "redis://127.0.0.1:1/0"))

    ran = run("apply")

    assert ran.code == 3
    assert "The records have it, the routers do not" in ran.err


def test_doctor_looks_at_what_is_published(in_force: Callable[..., Ran]) -> None:
    told = {
        (one["what"], one["state"]): one["found"] for one in in_force("doctor", "--json").json["findings"]
    }

    assert told[("tenants", "ok")] == "1 tenant published, no errors"


def test_check_says_that_its_files_are_for_apply(in_force: Callable[..., Ran]) -> None:
    assert "these files are in force once `crmroute apply` took them" in in_force("check").err


@pytest.fixture
def older(run: Callable[..., Ran], records: Path) -> Path:
    """Records of a crmroute before the last step of the schema, with nothing in them."""
    path = records / "records.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        upgrade(connection, steps()[1])
    engine.dispose()
    return path


def schema_in(path: Path) -> str | None:
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        current = revision_of(connection)
    engine.dispose()
    return current


@pytest.mark.parametrize("words", [("plan",), ("export", "--to", "out")])
def test_what_only_reads_does_not_change_the_schema(
    run: Callable[..., Ran], older: Path, words: tuple[str, ...]
) -> None:
    ran = run(*words)

    assert ran.code == 2
    assert f"schema {steps()[1]}" in ran.err
    assert f"needs {steps()[0]}" in ran.err
    assert "crmroute apply" in ran.err
    assert schema_in(older) == steps()[1]


def test_apply_brings_the_schema_up_to_date(run: Callable[..., Ran], older: Path) -> None:
    applied = run("apply")

    assert applied.code == 0
    assert schema_in(older) == steps()[0]
    assert run("plan").code == 0


def test_a_plan_before_the_first_apply_makes_no_records(run: Callable[..., Ran], records: Path) -> None:
    planned = run("plan")
    exported = run("export", "--to", str(records / "out"))

    assert (planned.code, planned.out.split()) == (1, ["acme", "new"])
    assert exported.code == 2
    assert "there are no records" in exported.err
    assert not (records / "records.db").exists()
