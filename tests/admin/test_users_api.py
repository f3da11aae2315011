"""Users and the audit by the API: who reaches whom, and what is told of it."""

import pytest

from tests.admin.api import Api
from tests.admin.test_api import api

__all__ = ["api"]
PASSWORD = "correct horse battery"


async def make(api: Api, name: str, role: str, tenant: str | None, who: str = "provider") -> int:
    body = {"name": name, "role": role, "tenant": tenant, "password": PASSWORD}
    made = await api.ask("POST", "/users", body, who=who)
    assert made.status_code == 201, made.text
    assert PASSWORD not in made.text
    return int(made.json()["id"])


async def test_an_admin_reaches_the_users_of_the_own_tenant(api: Api) -> None:
    mine = await make(api, "eddy", "editor", "acme", who="admin@acme")
    other = await make(api, "otto", "admin", "other")
    await make(api, "olga", "provider", None)

    assert [one["name"] for one in await api.get("/users")] == ["eddy"]
    assert (await api.get(f"/users/{mine}"))["role"] == "editor"
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"is_disabled": True}),
        ("PUT", "/password", {"password": PASSWORD}),
        ("DELETE", "/second-factor", None),
        ("DELETE", "", None),
    ):
        answer = await api.ask(method, f"/users/{other}{path}", body)
        assert answer.status_code == 404, (method, path)


@pytest.mark.parametrize(("role", "tenant", "status"), [("provider", None, 404), ("admin", "other", 404)])
async def test_nobody_makes_more_than_they_are(api: Api, role: str, tenant: str | None, status: int) -> None:
    body = {"name": "eve", "role": role, "tenant": tenant, "password": PASSWORD}

    assert (await api.ask("POST", "/users", body)).status_code == status


async def test_an_admin_raises_nobody_to_provider(api: Api) -> None:
    mine = await make(api, "eddy", "editor", "acme")

    assert (await api.ask("PATCH", f"/users/{mine}", {"role": "provider"})).status_code == 403
    assert (await api.ask("PATCH", f"/users/{mine}", {"role": "admin"})).json()["role"] == "admin"


async def test_role_and_language_change_together_or_not_at_all(api: Api) -> None:
    mine = await make(api, "eddy", "editor", "acme")

    refused = await api.ask("PATCH", f"/users/{mine}", {"role": "viewer", "language": "xx"})
    kept = await api.get(f"/users/{mine}")
    done = await api.ask("PATCH", f"/users/{mine}", {"role": "viewer", "language": "fr"})

    assert (refused.status_code, kept["role"], kept["language"]) == (409, "editor", "")
    assert (done.json()["role"], done.json()["language"]) == ("viewer", "fr")
    latest = (await api.get("/tenants/acme/audit", params={"limit": 1}))[0]
    assert latest["who"] == "admin@acme"
    assert latest["after"] == {"role": "viewer", "language": "fr"}


async def test_editors_and_viewers_see_no_users(api: Api) -> None:
    for who in ("editor@acme", "viewer@acme"):
        assert (await api.ask("GET", "/users", who=who)).status_code == 403


async def test_a_user_is_disabled_gets_a_password_and_goes(api: Api) -> None:
    mine = await make(api, "eddy", "editor", "acme")

    disabled = await api.ask("PATCH", f"/users/{mine}", {"is_disabled": True})
    weak = await api.ask("PUT", f"/users/{mine}/password", {"password": "short"})
    fine = await api.ask("PUT", f"/users/{mine}/password", {"password": PASSWORD + "!"})
    gone = await api.ask("DELETE", f"/users/{mine}")

    assert disabled.json()["is_disabled"] is True
    assert [answer.status_code for answer in (weak, fine, gone)] == [409, 204, 204]
    assert await api.get("/users") == []


async def test_the_audit_is_read_page_by_page_by_who_may(api: Api) -> None:
    for number in range(3):
        await make(api, f"user-{number}", "viewer", "acme")
    first = await api.get("/tenants/acme/audit", params={"limit": 2})
    second = await api.get("/tenants/acme/audit", params={"limit": 1, "before": first[-1]["id"]})

    assert [one["name"] for one in [*first, *second]] == ["user-2", "user-1", "user-0"]
    assert first[0]["after"] == {"role": "viewer", "tenant": "acme"}
    assert (await api.ask("GET", "/audit")).status_code == 404
    assert (await api.ask("GET", "/tenants/acme/audit", who="editor@acme")).status_code == 403
    assert PASSWORD not in str(await api.get("/audit", who="provider"))


async def test_the_audit_is_filtered_and_pages_keep_the_filter(api: Api) -> None:
    mine = await make(api, "Eddy_1", "editor", "acme")
    await make(api, "eddyx1", "editor", "acme")
    for role in ("viewer", "admin", "editor"):
        await api.ask("PATCH", f"/users/{mine}", {"role": role})

    async def names(**query: object) -> list[tuple[str, str]]:
        listed = await api.get("/audit", who="provider", params=query)
        return [(one["action"], one["name"]) for one in listed]

    assert await names(who="ADMIN@") == [("change", "Eddy_1")] * 3
    assert await names(who="192.0.2.7", what="create user") == [("create", "eddyx1"), ("create", "Eddy_1")]
    assert await names(what="eddy_1", who="provider") == [("create", "Eddy_1")], "a sign of LIKE is a sign"
    assert await names(tenant="other") == [("create", "other")]
    assert await names(what="\0") == []
    first = await api.get("/tenants/acme/audit", params={"what": "change", "limit": 2})
    rest = await api.get("/tenants/acme/audit", params={"what": "change", "before": first[-1]["id"]})
    assert [one["after"]["role"] for one in [*first, *rest]] == ["editor", "admin", "viewer"]
    at = first[0]["at"]
    assert [one["at"] for one in await api.get("/tenants/acme/audit", params={"since": at})] == [at]
    assert at not in [one["at"] for one in await api.get("/tenants/acme/audit", params={"until": at})]
