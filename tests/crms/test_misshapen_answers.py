"""Answers with a part of another kind than the vendor's: refused or passed over, and never a failure of ours.

Each of them was once found by fuzzing (`tests/fuzz`).
"""

import pytest

from tests.fuzz.decoders.crms import answer_with
from workers.connectors.steps import Findings
from workers.errors import LookupRefused


def test_a_list_of_phones_that_is_none_holds_no_number() -> None:
    item = {"id": 1, "phones": 7}

    found = answer_with("pipedrive", "find", {"data": {"items": [{"item": item}]}})

    assert found == Findings()


def test_fields_without_a_name_are_left_out() -> None:
    usual = {"AttributeType": "String", "IsValidForRead": True}
    listed = [usual | {"LogicalName": ["new_tier"]}, usual | {"LogicalName": "new_seats"}]

    fields = answer_with("dynamics", "fields", {"value": listed})

    assert [field.name for field in fields] == ["new_seats"]


def test_a_new_record_whose_properties_are_none_has_no_name() -> None:
    made = answer_with("hubspot", "create", {"id": "1", "properties": True}, status=201)

    assert (made.id, made.name) == ("1", "")


@pytest.mark.parametrize("place", ["https://[x", "//]"])
def test_a_sign_in_that_leads_to_no_address_is_refused(place: str) -> None:
    with pytest.raises(LookupRefused, match="not a valid URL"):
        answer_with("salesforce", "sign_in", {"access_token": "t", "instance_url": place})
