"""Tokens by the API: never above their maker, never another tenant's."""

from tests.admin.api import Api
from tests.admin.test_api import api

__all__ = ["api"]


async def test_the_key_is_told_once_and_another_tenant_finds_nothing(api: Api) -> None:
    body = {"name": "ci", "role": "viewer", "tenant": "acme", "seconds": 3600}
    made = (await api.ask("POST", "/tokens", body)).json()
    path = f"/tokens/{made['token']['id']}"

    assert made["key"] not in (await api.ask("GET", "/tokens")).text
    assert (await api.ask("DELETE", path, who="admin@other")).status_code == 404
    assert (await api.ask("DELETE", path)).status_code == 204


async def test_an_admin_makes_no_provider(api: Api) -> None:
    token = {"name": "up", "role": "provider", "tenant": None, "seconds": 3600}
    user = {"name": "up", "role": "provider", "tenant": None, "password": "a long enough phrase 9"}

    assert (await api.ask("POST", "/tokens", token)).status_code == 404
    assert (await api.ask("POST", "/tokens", token | {"tenant": "acme"})).status_code == 409
    assert (await api.ask("POST", "/users", user)).status_code == 404
    assert (await api.ask("POST", "/users", user | {"tenant": "acme"})).status_code == 403
