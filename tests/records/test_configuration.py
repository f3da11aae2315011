"""Changing the configuration, on SQLite and PostgreSQL: what is in force, what is refused, what is told."""

import asyncio

import pytest
from msgspec.structs import replace

from router.core.identities import RuleName
from router.core.rules import Rule
from router.core.tenants import Integration, IvrEntry, Number, Tenant
from router.records import audit, publications, rules
from router.records.audit import Wanted
from router.records.configuration import Configuration, Invalid, ManagedByFiles
from router.records.errors import Conflict, NotFound, Outdated, StillUsed
from router.records.publications import Publication
from tests.records.makers import ACME, BOB, JANE, OTHER, profile, rule, tenant


def renamed(rule: Rule, name: RuleName) -> Rule:
    return replace(rule, name=name)


async def in_force(configuration: Configuration) -> Publication:
    async with configuration.database.reading() as connection:
        found = await publications.in_force(connection, ACME)
    assert found is not None
    return found


async def document(configuration: Configuration) -> Tenant:
    found = (await in_force(configuration)).document
    assert found is not None
    return found


async def rule_row(configuration: Configuration, name: str = "Sales") -> rules.RuleRow:
    async with configuration.database.reading() as connection:
        return await rules.named(connection, ACME, name)


# Whole tenants


async def test_what_is_applied_is_in_force_as_it_is(configuration: Configuration) -> None:
    applied = await configuration.apply(tenant(), "first", JANE)

    found = await in_force(configuration)
    assert found.document == tenant()
    assert (found.number, found.author, found.comment) == (1, "jane", "first")
    assert found.versions == {"Sales": 1, "By number": 1}
    assert applied.publication == found


async def test_applying_the_same_again_changes_nothing(configuration: Configuration) -> None:
    await configuration.apply(tenant(), "first", JANE)

    again = await configuration.apply(await document(configuration), "again", BOB)

    assert (again.differences, again.publication) == ((), None)
    assert (await in_force(configuration)).number == 1
    assert (await rule_row(configuration)).live_version == 1


async def test_what_apply_would_change_is_told_before(configuration: Configuration) -> None:
    await configuration.apply(tenant(), "first", JANE)
    changed = tenant(name="Acme & Co", rules=[*tenant().rules[1:]], numbers=[])

    planned = [str(one) for one in await configuration.plan(changed)]

    assert planned == [
        "name: Acme → Acme & Co",
        "number +33142345001: removed",
        "number +33142345002: removed",
        "rule Sales: removed",
    ]
    applied = await configuration.apply(changed, "second", BOB)
    assert [str(one) for one in applied.differences] == planned
    assert await document(configuration) == changed


async def test_order_is_kept_and_changed(configuration: Configuration) -> None:
    await configuration.apply(tenant(), "first", JANE)
    turned = tenant(numbers=tenant().numbers[::-1], rules=tenant().rules[::-1])

    await configuration.apply(turned, "turned", JANE)

    assert await document(configuration) == turned


async def test_a_tenant_that_cannot_work_is_refused_with_every_place(configuration: Configuration) -> None:
    await configuration.apply(tenant(), "first", JANE)
    broken = tenant(numbers=[{"did": "+33142345001", "rule": "No such"}], country="XX")

    with pytest.raises(Conflict):
        await configuration.apply(broken, "broken", JANE)
    with pytest.raises(Invalid) as refused:
        await configuration.apply(tenant(country="XX", zone="UTC"), "broken", JANE)

    assert any(problem.path == ("country",) for problem in refused.value.problems)
    assert await document(configuration) == tenant()


async def test_a_tenant_that_goes_is_out_of_force_and_its_past_stays(configuration: Configuration) -> None:
    await configuration.apply(tenant(), "first", JANE)

    await configuration.remove_tenant(ACME, BOB)

    found = await in_force(configuration)
    assert (found.number, found.document, found.author) == (2, None, "bob")
    async with configuration.database.reading() as connection:
        assert (await publications.numbered(connection, ACME, 1)).document == tenant()
        assert await publications.all_in_force(connection) == []
    with pytest.raises(NotFound):
        await configuration.create_rule(ACME, rule(), JANE)


async def test_a_tenant_comes_back_with_the_next_number(configuration: Configuration) -> None:
    await configuration.apply(tenant(), "first", JANE)
    await configuration.remove_tenant(ACME, JANE)

    await configuration.apply(tenant(), "back", JANE)

    assert (await in_force(configuration)).number == 3


async def test_a_tenant_of_files_is_changed_by_files_only(configuration: Configuration) -> None:
    await configuration.apply(tenant(), "first", JANE)

    with pytest.raises(ManagedByFiles):
        await configuration.put_numbers(ACME, [Number("+33142345009")], "", JANE)
    await configuration.manage(ACME, "page", JANE)
    await configuration.put_numbers(ACME, [Number("+33142345009")], "", JANE)

    assert (await document(configuration)).numbers[-1].did == "+33142345009"


# Rules


@pytest.fixture
async def page(configuration: Configuration) -> Configuration:
    """The tenant, changed by the page."""
    await configuration.apply(tenant(), "first", JANE, managed_by="page")
    return configuration


async def test_a_draft_is_not_in_force_until_it_is_published(page: Configuration) -> None:
    row = await rule_row(page)
    await page.change_rule(ACME, row.id, rule(field="level"), row.revision, JANE)

    before = await in_force(page)
    assert (await rule_row(page)).is_changed
    published = await page.publish_rule(ACME, row.id, "by level", row.revision + 1, BOB)

    assert (before.number, before.document) == (1, tenant())
    assert published is not None
    assert published.document is not None
    assert published.document.rules[0].field == "level"
    assert (published.versions[RuleName("Sales")], published.comment, published.author) == (
        2,
        "by level",
        "bob",
    )
    assert not (await rule_row(page)).is_changed


async def test_publishing_what_is_in_force_makes_no_version(page: Configuration) -> None:
    row = await rule_row(page)

    assert await page.publish_rule(ACME, row.id, "again", None, JANE) is None
    assert (await rule_row(page)).live_version == 1


async def test_two_admins_who_edit_one_rule(page: Configuration) -> None:
    row = await rule_row(page)
    await page.change_rule(ACME, row.id, rule(field="level"), row.revision, JANE)

    with pytest.raises(Outdated, match="jane changed the rule Sales meanwhile"):
        await page.change_rule(ACME, row.id, rule(field="rank"), row.revision, BOB)

    assert (await rule_row(page)).draft.field == "level"


async def test_of_two_changes_at_one_moment_one_is_outdated(page: Configuration) -> None:
    row = await rule_row(page)
    changes = [page.change_rule(ACME, row.id, rule(field=f"f{n}"), row.revision, JANE) for n in range(6)]

    results = await asyncio.gather(*changes, return_exceptions=True)

    assert sum(result is None for result in results) == 1
    assert sum(isinstance(result, Outdated) for result in results) == 5


async def test_rolling_back_makes_a_new_version_of_the_old_one(page: Configuration) -> None:
    row = await rule_row(page)
    await page.change_rule(ACME, row.id, rule(field="level"), None, JANE)
    await page.publish_rule(ACME, row.id, "by level", None, JANE)

    await page.roll_back_rule(ACME, row.id, 1, "", BOB)

    assert (await document(page)).rules == tenant().rules
    async with page.database.reading() as connection:
        row = await rules.one(connection, ACME, row.id)
        told = [(one.number, one.comment, one.author) for one in await rules.versions(connection, row)]
    assert told == [(3, "back to version 1", "bob"), (2, "by level", "jane"), (1, "first", "jane")]


async def test_a_rule_that_cannot_work_is_a_draft_and_never_in_force(page: Configuration) -> None:
    row = await rule_row(page)
    await page.change_rule(ACME, row.id, rule(source={"integration": "gone"}), None, JANE)

    with pytest.raises(Invalid) as refused:
        await page.publish_rule(ACME, row.id, "", None, JANE)

    assert refused.value.problems[0].path[:2] == ("rules", 0)
    assert await document(page) == tenant()
    assert (await rule_row(page)).live_version == 1


async def test_a_new_rule_takes_its_numbers_when_it_is_published(page: Configuration) -> None:
    id_ = await page.create_rule(ACME, rule(name="Night"), JANE)
    await page.put_numbers(ACME, [Number("+33142345001", RuleName("Night"))], "night", JANE)
    assert (await document(page)).numbers[0].rule is None, "the tenant's default, until then"

    await page.publish_rule(ACME, id_, "", None, JANE)

    assert (await document(page)).numbers[0].rule == "Night"
    assert (await rule_row(page, "Night")).used_by == ("+33142345001",)


async def test_a_renamed_rule_takes_its_numbers_along(page: Configuration) -> None:
    row = await rule_row(page)
    await page.change_rule(ACME, row.id, rule(name="Customers"), None, JANE)
    assert (await document(page)).numbers[0].rule == "Sales"

    await page.publish_rule(ACME, row.id, "", None, JANE)

    assert (await document(page)).numbers[0].rule == "Customers"


async def test_a_rule_in_use_stays(page: Configuration) -> None:
    row = await rule_row(page)

    with pytest.raises(StillUsed, match=r"the rule Sales is used by \+33142345001"):
        await page.remove_rule(ACME, row.id, JANE)
    await page.put_numbers(ACME, [Number("+33142345001")], "", JANE)
    await page.remove_rule(ACME, row.id, JANE)

    assert [one.name for one in (await document(page)).rules] == ["By number"]


async def test_a_copy_has_a_name_of_its_own_and_is_a_draft(page: Configuration) -> None:
    row = await rule_row(page)

    for _ in range(2):
        await page.duplicate_rule(ACME, row.id, JANE, renamed)

    assert (await rule_row(page, "Sales (3)")).live is None
    assert await document(page) == tenant()


async def test_a_name_that_is_taken(page: Configuration) -> None:
    with pytest.raises(Conflict, match="there is a rule Sales already"):
        await page.create_rule(ACME, rule(), JANE)


async def test_rules_are_arranged(page: Configuration) -> None:
    ids = [(await rule_row(page, name)).id for name in ("By number", "Sales")]

    await page.arrange_rules(ACME, ids, JANE)

    assert [one.name for one in (await document(page)).rules] == ["By number", "Sales"]
    with pytest.raises(Conflict):
        await page.arrange_rules(ACME, ids[:1], JANE)


async def test_another_tenants_rule_is_not_found(page: Configuration) -> None:
    await page.create_tenant(profile(id="other"), BOB)
    row = await rule_row(page)

    for work in (
        page.change_rule(OTHER, row.id, rule(), None, BOB),
        page.publish_rule(OTHER, row.id, "", None, BOB),
        page.roll_back_rule(OTHER, row.id, 1, "", BOB),
        page.duplicate_rule(OTHER, row.id, BOB, renamed),
        page.remove_rule(OTHER, row.id, BOB),
        page.put_numbers(OTHER, [Number("+33142345077", RuleName("Sales"))], "", BOB),
        page.put_entry(OTHER, IvrEntry("x", RuleName("Sales")), BOB),
        page.remove_numbers(OTHER, ["+33142345001"], "", BOB),
        page.remove_integration(OTHER, "crm", BOB),
    ):
        with pytest.raises(NotFound):
            await work
    assert await document(page) == tenant()


# Integrations, numbers, the profile


async def test_an_integration_in_use_stays_and_keeps_its_name(page: Configuration) -> None:
    used = tenant().integrations[0]

    with pytest.raises(StillUsed, match="the integration crm is used by Sales"):
        await page.remove_integration(ACME, "crm", JANE)
    with pytest.raises(StillUsed):
        await page.change_integration(ACME, "crm", tenant_integration("crm2"), None, JANE)
    await page.change_integration(ACME, "crm", tenant_integration("crm", in_flight=9), 1, JANE)

    assert (await document(page)).integrations[0].in_flight == 9
    with pytest.raises(Outdated):
        await page.change_integration(ACME, "crm", used, 1, BOB)


def tenant_integration(name: str, **changes: object) -> Integration:
    return tenant(
        integrations=[{"name": name, "settings": {"url": "https://crm.example"}, **changes}]
    ).integrations[0]


async def test_the_profile_is_changed_once(page: Configuration) -> None:
    await page.change_tenant(profile(name="Acme & Co"), 1, JANE)

    with pytest.raises(Outdated):
        await page.change_tenant(profile(name="Other"), 1, BOB)
    with pytest.raises(Invalid):
        await page.change_tenant(profile(country="XX"), None, BOB)

    assert (await document(page)).name == "Acme & Co"


async def test_numbers_are_put_and_removed(page: Configuration) -> None:
    await page.put_numbers(ACME, [Number(f"+331423451{n:02}") for n in range(50)], "import", JANE)
    await page.remove_numbers(ACME, [f"+331423451{n:02}" for n in range(1, 50)], "undo", JANE)

    assert [one.did for one in (await document(page)).numbers] == [
        "+33142345001",
        "+33142345002",
        "+33142345100",
    ]
    assert (await in_force(page)).number == 3
    with pytest.raises(NotFound, match="number 12345"):
        await page.remove_numbers(ACME, ["12345"], "", JANE)


# Audit


async def test_who_did_what_from_where_with_before_and_after(page: Configuration) -> None:
    row = await rule_row(page)
    await page.change_rule(ACME, row.id, rule(field="level"), None, BOB)

    async with page.database.reading() as connection:
        (entry, *_) = await audit.read(connection, Wanted(tenant=ACME), 10)

    assert (entry.who, entry.origin) == ("bob", "198.51.100.3")
    assert (entry.action, entry.kind, entry.name) == ("change", "rule", "Sales")
    assert (entry.before["field"], entry.after["field"]) == ("tier", "level")


async def test_no_secret_is_in_the_audit(page: Configuration) -> None:
    secret = {"url": "https://crm.example", "token": "canary", "nested": {"password": ["canary"]}}
    changed = tenant(integrations=[{"name": "crm", "settings": secret}]).integrations[0]
    await page.change_integration(ACME, "crm", changed, None, JANE)

    async with page.database.reading() as connection:
        entries = await audit.read(connection, Wanted(tenant=ACME), 100)

    assert "canary" not in str(entries)
    assert entries[0].after["settings"]["token"] == "(hidden)"


async def test_a_change_that_fails_leaves_no_trace(page: Configuration) -> None:
    async with page.database.reading() as connection:
        before = await audit.read(connection, Wanted(), 100)

    with pytest.raises(Invalid):
        await page.change_tenant(profile(country="XX"), None, BOB)

    async with page.database.reading() as connection:
        assert await audit.read(connection, Wanted(), 100) == before
