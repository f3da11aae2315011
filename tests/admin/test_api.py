"""The REST API: tenants, rules and numbers, its errors, and who may do what."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from router.core.tenants import Tenant
from router.records.configuration import Configuration
from router.store.errors import StoreUnavailable
from router.store.memory import MemoryStore
from tests.admin.api import Api, running, site_of
from tests.records.makers import ACME, JANE, SALES, Clock, profile, tenant


@pytest.fixture
async def api(configuration: Configuration, store: MemoryStore, clock: Clock) -> AsyncIterator[Api]:
    await configuration.apply(tenant(), "first", JANE, managed_by="page")
    await configuration.create_tenant(profile(id="other"), JANE)
    async with running(site_of(configuration, store, clock)) as made:
        yield made


async def in_force(store: MemoryStore) -> Tenant | None:
    (plan,) = await store.plans.fetch([ACME])
    return plan.document


async def rule_id(api: Api, name: str = "Sales") -> int:
    return next(int(one["id"]) for one in await api.get("/tenants/acme/rules") if one["name"] == name)


# Rules


async def test_a_rule_is_edited_checked_and_published(api: Api, store: MemoryStore) -> None:
    sales = await rule_id(api)
    read = await api.ask("GET", f"/tenants/acme/rules/{sales}")

    changed = await api.ask(
        "PUT", f"/tenants/acme/rules/{sales}", SALES | {"field": "level"}, match=read.headers["ETag"]
    )
    check = await api.get(f"/tenants/acme/rules/{sales}/check")
    published = await api.ask(
        "POST", f"/tenants/acme/rules/{sales}/publish", {"comment": "by level"}, match=changed.headers["ETag"]
    )

    assert changed.json()["differences"] == ["field: tier → level"]
    assert changed.json()["is_changed"]
    assert check["errors"] == []
    assert published.json() == {"number": 2, "is_handed_over": True}
    document = await in_force(store)
    assert document is not None
    assert document.rules[0].field == "level"


async def test_a_new_rule_answers_201_with_its_tag(api: Api) -> None:
    made = await api.ask("POST", "/tenants/acme/rules", SALES | {"name": "Night"})

    assert made.status_code == 201
    assert made.headers["ETag"] == '"1"'
    assert made.json()["live"] is None


async def test_versions_and_the_way_back(api: Api) -> None:
    sales = await rule_id(api)
    await api.ask("PUT", f"/tenants/acme/rules/{sales}", SALES | {"field": "level"})
    await api.ask("POST", f"/tenants/acme/rules/{sales}/publish", {"comment": "by level"})

    await api.ask("POST", f"/tenants/acme/rules/{sales}/versions/1/roll-back", {})
    versions = await api.get(f"/tenants/acme/rules/{sales}/versions")

    assert [(one["number"], one["comment"], one["differences"]) for one in versions] == [
        (3, "back to version 1", ["field: level → tier"]),
        (2, "by level", ["field: tier → level"]),
        (1, "first", []),
    ]


async def test_a_rule_in_use_is_not_removed(api: Api) -> None:
    refused = await api.ask("DELETE", f"/tenants/acme/rules/{await rule_id(api)}")

    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["type"] == "urn:crmroute:problem:still-used"
    assert refused.json()["used_by"] == ["+33142345001"]


async def test_what_cannot_work_is_refused_with_its_places(api: Api) -> None:
    sales = await rule_id(api)
    await api.ask("PUT", f"/tenants/acme/rules/{sales}", SALES | {"source": {"integration": "gone"}})

    refused = await api.ask("POST", f"/tenants/acme/rules/{sales}/publish", {})
    check = await api.get(f"/tenants/acme/rules/{sales}/check")

    assert refused.status_code == 422
    assert refused.json()["places"] == check["errors"]
    assert "gone" in check["errors"][0]["what"]


# Lost updates


async def test_a_change_without_a_revision_is_refused(api: Api) -> None:
    refused = await api.ask("PUT", f"/tenants/acme/rules/{await rule_id(api)}", SALES, match=None)

    assert (refused.status_code, refused.json()["type"]) == (428, "urn:crmroute:problem:revision-needed")


async def test_an_old_revision_is_refused_and_says_who(api: Api) -> None:
    path = f"/tenants/acme/rules/{await rule_id(api)}"
    tag = (await api.ask("GET", path)).headers["ETag"]
    await api.ask("PUT", path, SALES | {"field": "level"}, match=tag, who="editor@acme")

    refused = await api.ask("PUT", path, SALES | {"field": "rank"}, match=tag)

    assert refused.status_code == 412
    assert "editor@acme changed the rule Sales meanwhile" in refused.json()["detail"]


# Numbers and tenants


async def test_a_number_in_any_spelling_is_the_same_number(api: Api, store: MemoryStore) -> None:
    await api.ask("PUT", "/tenants/acme/numbers/0142345002", {"rule": "Sales", "note": "now sales"})
    await api.ask("DELETE", "/tenants/acme/numbers/01%2042%2034%2050%2001")

    document = await in_force(store)
    assert document is not None
    assert [(one.did, one.rule, one.note) for one in document.numbers] == [
        ("+33142345002", "Sales", "now sales")
    ]


async def test_an_import_is_taken_back_but_for_what_was_changed_since(api: Api, store: MemoryStore) -> None:
    text = "0142345007,Sales\n0142345008,Sales\n"
    imported = await api.ask("POST", "/tenants/acme/numbers/import", {"text": text, "is_preview": False})
    await api.ask("PUT", "/tenants/acme/numbers/+33142345008", {"note": "mine"})

    number = imported.json()["published"]["number"]
    undone = await api.ask("POST", "/tenants/acme/numbers/undo", {"publication": number})

    assert undone.json()["removed"] == ["+33142345007"]
    assert undone.json()["left"] == ["+33142345008"]
    document = await in_force(store)
    assert document is not None
    assert [(one.did, one.note) for one in document.numbers][-1] == ("+33142345008", "mine")


async def test_a_list_is_previewed_and_then_imported(api: Api, store: MemoryStore) -> None:
    text = "did;rule\n0142345001;\n0142345007;Sales"

    preview = await api.ask("POST", "/tenants/acme/numbers/import", {"text": text})
    before = await api.get("/tenants/acme/numbers")
    imported = await api.ask("POST", "/tenants/acme/numbers/import", {"text": text, "is_preview": False})

    assert [row["change"] for row in preview.json()["listed"]["rows"]] == ["changed", "new"]
    assert preview.json()["published"] is None
    assert len(before) == 2
    assert imported.json()["published"]["number"] == 2
    assert len(await api.get("/tenants/acme/numbers")) == 3


async def test_a_list_with_an_error_changes_nothing(api: Api) -> None:
    answer = await api.ask(
        "POST", "/tenants/acme/numbers/import", {"text": "0142345007,Salez", "is_preview": False}
    )

    assert answer.json()["published"] is None
    assert answer.json()["listed"]["problems"][0]["mend"].startswith("Did you mean `Sales`?")
    assert len(await api.get("/tenants/acme/numbers")) == 2


async def test_the_whole_tenant_goes_back(api: Api, store: MemoryStore) -> None:
    await api.ask(
        "PUT",
        "/tenants/acme",
        {"name": "Renamed", "country": "FR", "default": msgspec.to_builtins(tenant().default)},
    )
    await api.ask("DELETE", "/tenants/acme/numbers/0142345002")

    listed = await api.get("/tenants/acme/publications")
    await api.ask("POST", "/tenants/acme/publications/1/roll-back")

    assert [one["number"] for one in listed] == [3, 2, 1]
    assert (await api.get("/tenants/acme/publications/3"))["differences"] == ["number +33142345002: removed"]
    assert await in_force(store) == tenant()


async def test_a_tenant_of_files_is_left_alone(api: Api) -> None:
    await api.ask("PUT", "/tenants/acme/managed-by", {"managed_by": "files"})

    refused = await api.ask("DELETE", "/tenants/acme/numbers/0142345002")

    assert (refused.status_code, refused.json()["type"]) == (409, "urn:crmroute:problem:managed-by-files")


async def test_what_redis_did_not_get_is_said(api: Api, store: MemoryStore) -> None:
    store.outage = StoreUnavailable("Redis is away")

    answer = await api.ask("DELETE", "/tenants/acme/numbers/0142345002")

    assert (answer.status_code, answer.json()["is_handed_over"]) == (200, False)


# Who may do what


async def test_nobody_is_refused(api: Api) -> None:
    refused = await api.ask("GET", "/tenants", who="")

    assert (refused.status_code, refused.json()["type"]) == (401, "urn:crmroute:problem:not-signed-in")


async def test_a_viewer_sees_and_changes_nothing(api: Api) -> None:
    assert (await api.ask("GET", "/tenants/acme/rules", who="viewer@acme")).status_code == 200
    refused = await api.ask("POST", "/tenants/acme/rules", SALES | {"name": "X"}, who="viewer@acme")

    assert (refused.status_code, refused.json()["detail"]) == (403, "this account may not change anything")


async def test_a_provider_reaches_every_tenant_and_an_admin_his_own(api: Api) -> None:
    assert [one["id"] for one in await api.get("/tenants", who="provider")] == ["acme", "other"]
    assert [one["id"] for one in await api.get("/tenants", who="admin@other")] == ["other"]


@pytest.mark.parametrize("who", ["admin@other", "editor@other", "viewer@other"])
async def test_every_route_of_another_tenant_is_not_found(api: Api, who: str) -> None:
    tried = 0
    for route in api.app.routes:
        path = route.path_format.removeprefix("/api/v1")
        if "{tenant}" not in path:
            continue
        for name, value in {
            "tenant": "acme",
            "rule": str(await rule_id(api)),
            "number": "1",
            "integration": "crm",
        }.items():
            path = path.replace(f"{{{name}}}", value)
        for method in sorted(getattr(route, "methods", set()) - {"OPTIONS", "HEAD"}):
            answer = await api.ask(method, path, body_for(method, path), who=who)
            assert answer.status_code == 404, (method, path, answer.text)
            tried += 1
    assert tried > 20


def body_for(method: str, path: str) -> object:
    """One that is well formed, so that nothing but the tenant can be wrong with the request."""
    if method not in ("POST", "PUT"):
        return None
    if path.endswith("/tenants/acme"):
        return {"country": "FR", "default": {"destination": "hangup"}}
    named = {
        "/managed-by": {"managed_by": "files"},
        "/import": {"text": ""},
        "/undo": {"publication": 1},
        "/retention": {"days": 30},
        "/rule-order": {"ids": []},
        "/rules": SALES,
        "/rules/1": SALES,
    }
    if path.endswith("/rules/try"):
        return {"rule": SALES, "values": []}
    if path.endswith(("/try", "/test")):
        return {}
    if "/integrations" in path:
        return {"name": "crm"}
    if "/ivr-entries/" in path:
        return {"rule": "Sales"}
    return next(
        (body for end, body in named.items() if path.endswith(end)),
        {} if "/rules/" not in path or path.count("/") > 4 else SALES,
    )


# Errors and headers


@pytest.mark.parametrize(
    ("body", "status"),
    [({"name": 7}, 400), ({"name": "X", "no_such": 1, "default": {"destination": "queue"}}, 400), ([], 400)],
)
async def test_a_malformed_body_is_told_apart(api: Api, body: object, status: int) -> None:
    refused = await api.ask("POST", "/tenants/acme/rules", body)

    assert (refused.status_code, refused.json()["status"]) == (status, status)


async def test_unknown_paths_and_methods(api: Api) -> None:
    assert (await api.ask("GET", "/no-such")).status_code == 404
    assert (await api.ask("PATCH", "/tenants/acme")).status_code == 405


async def test_a_mistake_of_ours_tells_nothing_of_itself(
    api: Api, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("canary")

    monkeypatch.setattr(type(configuration), "create_rule", broken)

    answer = await api.ask("POST", "/tenants/acme/rules", SALES | {"name": "X"})

    assert answer.status_code == 500
    assert "canary" not in answer.text


async def test_every_answer_has_the_headers_that_browsers_mind(api: Api) -> None:
    for answer in (await api.ask("GET", "/tenants"), await api.ask("GET", "/no-such")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"


async def test_the_description_names_every_operation(api: Api) -> None:
    described = await api.get("/schema/openapi.json")

    operations = [
        one for path in described["paths"].values() for one in path.values() if "operationId" in one
    ]
    assert len(operations) > 20
    assert all(one.get("description") or one.get("summary") for one in operations)


async def test_a_text_that_a_database_does_not_take_is_no_outage(api: Api) -> None:
    sales = await rule_id(api)
    await api.ask("PUT", f"/tenants/acme/rules/{sales}", SALES | {"field": "level"})

    answer = await api.ask("POST", f"/tenants/acme/rules/{sales}/publish", {"comment": "a\0b"})

    assert answer.status_code in (200, 409), answer.text


async def test_a_line_with_a_number_that_nobody_could_pack_is_refused(api: Api) -> None:
    line = {"operator": "=", "value": 10**30, "destination": "queue", "option": "gold"}

    refused = await api.ask("POST", "/tenants/acme/rules", SALES | {"name": "Night", "lines": [line]})

    assert refused.status_code == 400, refused.text
    assert "9223372036854775807" in refused.text
