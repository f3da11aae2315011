"""Two configurations compared: told place by place, moving told as moving, and no secret told at all."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.differences import Change, Difference, differences, without_secrets
from router.core.tenants import Tenant

BASE: dict[str, Any] = {
    "id": "acme",
    "country": "FR",
    "default": {"destination": "queue", "option": "desk"},
    "numbers": [{"did": f"+3314234500{number}"} for number in range(1, 6)],
    "integrations": [
        {
            "name": "crm",
            "connector": "salesforce",
            "settings": {"url": "https://a.example", "client_secret": "s1"},
        }
    ],
    "rules": [
        {
            "name": "Sales",
            "field": "tier",
            "default": {"destination": "queue", "option": "bronze"},
            "lines": [
                {"operator": "=", "value": "Gold", "destination": "queue", "option": "gold"},
                {"operator": "=", "value": "Silver", "destination": "queue", "option": "silver"},
            ],
        },
        {"name": "Night", "default": {"destination": "voicemail", "option": "100"}},
    ],
}


def tenant(change: Any = None) -> Tenant:
    data = msgspec.json.decode(msgspec.json.encode(BASE))
    if change is not None:
        change(data)
    return msgspec.convert(data, type=Tenant)


def told(change: Any) -> list[str]:
    return [str(one) for one in differences(tenant(), tenant(change))]


def test_the_same_has_no_differences() -> None:
    assert differences(tenant(), tenant()) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda data: data.update(name="Acme"), ["name: Acme"]),
        (lambda data: data["default"].update(option="main"), ["default, option: desk → main"]),
        (
            lambda data: data["rules"][0]["lines"][1].update(value="Bronze"),
            ["rule Sales, line 2, value: Silver → Bronze"],
        ),
        (lambda data: data["rules"].pop(1), ["rule Night: removed"]),
        (lambda data: data["numbers"].append({"did": "+33142345009"}), ["number +33142345009: added"]),
        (
            lambda data: data["rules"][0].update(outcomes={"timeout": {"destination": "hangup"}}),
            ["rule Sales, outcomes: timeout destination hangup"],
        ),
        (
            lambda data: data["rules"][0]["lines"].append({"destination": "hangup", "operator": "is empty"}),
            ["rule Sales, line 3: operator is empty, destination hangup"],
        ),
    ],
)
def test_each_place_is_named(change: Any, expected: list[str]) -> None:
    assert told(change) == expected


def test_one_number_that_moves_is_one_difference() -> None:
    def change(data: Any) -> None:
        data["numbers"].insert(0, data["numbers"].pop())

    assert told(change) == ["number +33142345005: moved from 5 to 1"]


@pytest.mark.parametrize(
    ("former", "new"),
    [("s1", "s2"), ("s1", {"env": "SECRET"}), ({"sealed": "aaaa"}, {"sealed": "bbbb"})],
)
def test_a_secret_is_told_to_have_changed_and_no_more(former: Any, new: Any) -> None:
    def with_secret(value: Any) -> Tenant:
        return tenant(lambda data: data["integrations"][0]["settings"].update(client_secret=value))

    (difference,) = differences(with_secret(former), with_secret(new))

    assert difference == Difference(
        Change.CHANGED, ("integrations", "crm", "settings", "client_secret"), "(hidden)", "(hidden)"
    )


def test_hostile_values_stay_on_one_line() -> None:
    (difference,) = differences(tenant(), tenant(lambda data: data.update(name="a\n\x1b[2Jb" + "x" * 500)))

    assert str(difference).isprintable()
    assert len(str(difference)) < 200


def test_a_new_tenant_and_one_that_goes() -> None:
    assert [one.change for one in differences(None, tenant())] == [Change.ADDED]
    assert [one.change for one in differences(tenant(), None)] == [Change.REMOVED]


def numbered(order: list[int]) -> Tenant:
    return tenant(lambda data: data.update(numbers=[{"did": f"+3314234{number:04d}"} for number in order]))


@given(st.permutations(range(8)))
def test_moving_is_told_whenever_the_order_differs_and_never_else(order: list[int]) -> None:
    before, after = numbered(list(range(8))), numbered(order)

    found = differences(before, after)

    assert {one.change for one in found} <= {Change.MOVED}
    assert (found == []) is (before == after)
    assert len(found) < 8


def test_headers_are_hidden_whatever_they_are_called() -> None:
    before = {"settings": {"headers": {"X-Shibboleth": "one"}}}
    after = {"settings": {"headers": {"X-Shibboleth": "two"}}}

    assert [str(one) for one in differences(before, after)] == [
        "settings, headers, X-Shibboleth: (hidden) → (hidden)"
    ]
    assert without_secrets(before) == {"settings": {"headers": {"X-Shibboleth": "(hidden)"}}}
