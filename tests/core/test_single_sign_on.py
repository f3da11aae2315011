"""Whose account a person at an identity provider is."""

import pytest

from router.core.identities import TenantId
from router.core.roles import Role
from router.core.single_sign_on import Claims, Grant, name_to_link, role_granted, subject_of

MAIL = "jane@acme.example"


def claims(issuer: str = "https://id.example", subject: str = "1", **more: object) -> Claims:
    return Claims(issuer=issuer, subject=subject, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        claims(subject="2"),
        claims(issuer="https://other.example"),
        claims(issuer="https://id.example1", subject=""),
        claims(issuer="https://id.exampl", subject="e1"),
    ],
)
def test_a_person_is_known_by_issuer_and_subject_together(other: Claims) -> None:
    assert subject_of(claims()) != subject_of(other)


def test_what_else_is_said_makes_nobody_else_of_them() -> None:
    assert subject_of(claims()) == subject_of(claims(email=MAIL, is_email_verified=True))
    assert len(subject_of(claims(subject="x" * 5000))) == 64


@pytest.mark.parametrize(
    ("is_allowed", "is_verified", "email", "name"),
    [
        (True, True, MAIL, MAIL),
        (False, True, MAIL, None),
        (True, False, MAIL, None),
        (True, True, "", None),
        (True, True, "joſe@acme.example", None),
        (True, True, "jane@acmé.example", None),
    ],
)
def test_a_name_is_linked_by_a_verified_address_where_the_operator_allows_it(
    is_allowed: bool, is_verified: bool, email: str, name: str | None
) -> None:
    said = claims(email=email, is_email_verified=is_verified)

    assert name_to_link(said, links_by_name=is_allowed) == name


# What a claim grants: nothing, one role, several, another tenant's, the provider's, and a misplaced one.
GRANTS = (
    Grant(value="editors", role=Role.EDITOR, tenant=TenantId("acme")),
    Grant(value="admins", role=Role.ADMIN, tenant=TenantId("acme")),
    Grant(value="all", role=Role.VIEWER, tenant=TenantId("acme")),
    Grant(value="all", role=Role.ADMIN, tenant=TenantId("other")),
    Grant(value="ops", role=Role.PROVIDER),
    Grant(value="slip", role=Role.PROVIDER, tenant=TenantId("acme")),
    Grant(value="slip", role=Role.ADMIN),
)


@pytest.mark.parametrize(
    ("groups", "tenant", "role"),
    [
        ((), "acme", None),
        (("unknown",), "acme", None),
        (("editors",), "acme", Role.EDITOR),
        (("all", "admins", "editors"), "acme", Role.ADMIN),
        (("all",), "acme", Role.VIEWER),
        (("all",), "third", None),
        (("ops",), "acme", None),
        (("ops",), None, Role.PROVIDER),
        (("admins",), None, None),
        (("slip",), "acme", None),
        (("slip",), None, None),
    ],
)
def test_a_claim_grants_the_highest_role_of_the_own_tenant(
    groups: tuple[str, ...], tenant: str | None, role: Role | None
) -> None:
    assert role_granted(groups, GRANTS, TenantId(tenant) if tenant else None) is role
