"""What each role may do, and whom it reaches."""

import itertools

import pytest

from router.core.identities import TenantId
from router.core.roles import ALLOWED, TOLD, Permission, Role, is_at_most, lower_of, may, reaches

ACME, OTHER = TenantId("acme"), TenantId("other")


@pytest.mark.parametrize(
    ("role", "permissions"),
    [
        (Role.VIEWER, "see try"),
        (Role.EDITOR, "see try edit publish"),
        (Role.ADMIN, "see try edit publish connect manage_users see_audit"),
        (
            Role.PROVIDER,
            "see try edit publish connect manage_users see_audit manage_tenants see_servers",
        ),
    ],
)
def test_what_each_role_may(role: Role, permissions: str) -> None:
    assert {one for one in Permission if may(role, one)} == set(permissions.split())


def test_the_lower_of_two_roles() -> None:
    order = [Role.VIEWER, Role.EDITOR, Role.ADMIN, Role.PROVIDER]

    for one, other in itertools.product(order, order):
        assert lower_of(one, other) is min(one, other, key=order.index)


def test_each_role_may_what_the_one_below_may() -> None:
    order = [Role.VIEWER, Role.EDITOR, Role.ADMIN, Role.PROVIDER]

    for lower, higher in itertools.pairwise(order):
        assert ALLOWED[lower] < ALLOWED[higher]
        assert is_at_most(lower, higher)
        assert not is_at_most(higher, lower)


@pytest.mark.parametrize("permission", Permission)
def test_every_permission_is_somebodys_and_is_told(permission: Permission) -> None:
    assert may(Role.PROVIDER, permission)
    assert TOLD[permission] == permission.told


@pytest.mark.parametrize(
    ("own", "tenant", "is_reached"),
    [(None, ACME, True), (None, None, True), (ACME, ACME, True), (ACME, OTHER, False), (ACME, None, False)],
)
def test_who_reaches_whom(own: TenantId | None, tenant: TenantId | None, is_reached: bool) -> None:
    assert reaches(own, tenant) is is_reached
