"""The identity provider's settings: what their types alone cannot say, and following the client's secret."""

import os
from collections.abc import Iterator
from typing import Any

from router.core.problems import Path, Problem, error
from router.core.roles import Role
from router.settings.model import SingleSignOnSettings
from router.settings.secrets import resolve_secret

SECTION = ("admin", "single_sign_on")


def check_single_sign_on(admin: Any) -> Iterator[Problem]:
    """`admin` is the table as it was read; values of a wrong type are told elsewhere."""
    given = admin.get("single_sign_on") if isinstance(admin, dict) else None
    if not isinstance(given, dict) or not given.get("issuer"):
        return
    if not given.get("client_id"):
        yield error((*SECTION, "client_id"), "it is empty", "Write the id that the provider gave the client.")
    scopes = given.get("scopes")
    if isinstance(scopes, list) and "openid" not in scopes:
        yield error((*SECTION, "scopes"), "`openid` is not among them", "Add it: without it nobody is told.")
    roles = given.get("roles")
    listed = roles if isinstance(roles, list) else []
    if bool(listed) is not bool(given.get("roles_claim")):
        what = "`roles` and `roles_claim` serve together"
        yield error((*SECTION, "roles" if listed else "roles_claim"), what, "Set both of them, or neither.")
    for index, grant in enumerate(listed):
        if isinstance(grant, dict):
            yield from _check_place(grant, (*SECTION, "roles", index))


def _check_place(grant: dict[str, Any], path: Path) -> Iterator[Problem]:
    is_providers = grant.get("role") == Role.PROVIDER.value
    if is_providers is bool(grant.get("tenant")):
        what = "a provider belongs to no tenant" if is_providers else "the role has no tenant"
        yield error(path, what, "Name a tenant with every role but the provider's.")


def client_secret(settings: SingleSignOnSettings) -> str:
    """Raises SecretMissing."""
    return resolve_secret(settings.client_secret, os.environ, "admin.single_sign_on.client_secret")
