"""Sealed secrets of a tenant: opened where they belong, and nowhere else."""

import pytest

from router.core.identities import TenantId
from router.settings.errors import SecretMissing
from router.settings.sealed import Sealer
from router.settings.secrets import resolve_secret
from router.settings.vault import Vault

ACME = TenantId("acme")
VAULT = Vault(["a key of the tests, long enough to be one"])
CRM = Sealer(VAULT, ACME, "crm")


def test_a_secret_is_read_as_it_was_sealed_and_is_not_in_what_stands_there() -> None:
    reference = CRM.seal("canary — é")

    assert "canary" not in str(reference)
    assert resolve_secret(reference, {}, "acme: token", CRM.unseal) == "canary — é"


def test_the_same_secret_is_sealed_otherwise_each_time() -> None:
    assert CRM.seal("canary") != CRM.seal("canary")


@pytest.mark.parametrize(
    "other",
    [
        Sealer(VAULT, TenantId("other"), "crm"),
        Sealer(VAULT, ACME, "crm2"),
        Sealer(VAULT, ACME, "rule:crm"),
        Sealer(Vault(["another key of the tests, long enough"]), ACME, "crm"),
    ],
    ids=["tenant", "integration", "rule", "key"],
)
def test_elsewhere_it_opens_nothing(other: Sealer) -> None:
    with pytest.raises(SecretMissing, match="cannot be read"):
        other.unseal(CRM.seal("canary")["sealed"])


@pytest.mark.parametrize("text", ["", "!", "AAAA", "é", "MQ=="])
def test_what_was_not_sealed_here_is_refused(text: str) -> None:
    with pytest.raises(SecretMissing):
        CRM.unseal(text)


def test_where_nothing_is_unsealed_a_sealed_secret_is_refused() -> None:
    with pytest.raises(SecretMissing):
        resolve_secret(CRM.seal("canary"), {}, "redis.password")
