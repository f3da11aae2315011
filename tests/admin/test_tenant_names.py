"""A tenant's short name is part of addresses, keys and templates: letters, digits and hyphens alone."""

import pytest

from router.store.memory import MemoryStore
from tests.admin.api import Api
from tests.admin.test_api import api

__all__ = ["api"]
GOOD = {"country": "FR", "zone": "Europe/Paris", "default": {"destination": "hangup"}}


@pytest.mark.parametrize("id_", ["BAD", "a/b", "..", "", "a b", "-a", "é", "a" * 41, "a\n", "{x}"])
async def test_a_name_that_fits_nowhere_is_refused(api: Api, store: MemoryStore, id_: str) -> None:
    refused = await api.ask("POST", "/tenants", {"id": id_, **GOOD}, who="provider")

    assert refused.status_code == 422, refused.text
    assert refused.json()["places"][0]["path"] == "id"


@pytest.mark.parametrize("country", ["fr", "France", "", "F1"])
async def test_a_country_is_its_two_letters(api: Api, country: str) -> None:
    refused = await api.ask("POST", "/tenants", {"id": "new", **GOOD, "country": country}, who="provider")

    assert refused.status_code == 422, refused.text
