"""Which connector and settings a job is for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from router.core.errands import TryDraft
from router.core.identities import IntegrationName, RuleName, TenantId
from router.core.plans import digest_of, own_integration_name
from router.core.rules import Credentials, Rule
from router.settings.sealed import Sealer
from router.settings.vault import Vault
from tests.workers.makers import CREDENTIALS, GIVEN, REVISION, Tenants, integration, job, rule, tenant
from workers.catalogue import SECRETS_KEPT_SECONDS, Catalogue
from workers.errors import IntegrationUnusable


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def catalogue(
    tenants: Tenants, environment: Mapping[str, str] | None = None, clock: Clock | None = None
) -> Catalogue:
    return Catalogue(tenants, clock or Clock(), environment=environment or {})


def with_rule(made: Rule, **given: Any) -> Tenants:
    return Tenants(tenant(integration(settings=GIVEN | given), rules=(made,)))


def test_an_integration() -> None:
    found = catalogue(Tenants(tenant(integration(in_flight=7)))).find(job())

    assert found.subject.connector.slug == "custom"
    assert found.subject.settings.url == GIVEN["url"]
    assert (found.subject.country, found.subject.allowance.in_flight, found.revision) == ("FR", 7, REVISION)


def test_a_rules_own_address() -> None:
    name = own_integration_name(RuleName("Sales"))

    found = catalogue(with_rule(rule(custom={"url": "https://own.example/"}))).find(job(key_integration=name))

    assert found.subject.settings.url == "https://own.example/"


def test_a_draft_is_read_from_what_it_brings_and_leaves_nothing_behind() -> None:
    sealer = Sealer(VAULT, ACME, "rule:Entwürfe")
    name = own_integration_name(RuleName("Entwürfe"))
    token = sealer.seal("s3cret")
    settings = {"url": "https://draft.example/", "auth": "bearer", "token": token}
    errand = TryDraft(
        tenant=ACME,
        integration=name,
        rule=RuleName("Entwürfe"),
        job=job(key_integration=name),
        connector="custom",
        settings=settings,
    )
    made = sealing(Tenants(tenant()))

    found = made.drafted(errand)

    assert found.subject.settings.url == "https://draft.example/"
    assert found.subject.settings.token.reveal() == "s3cret"
    with pytest.raises(IntegrationUnusable):
        made.find(errand.job)


def test_a_rules_own_credentials() -> None:
    made = with_rule(rule(integration=IntegrationName("crm"), credentials=CREDENTIALS))

    found = catalogue(made).find(job(credentials_of=RuleName("Sales")))

    assert (found.subject.settings.username, found.subject.settings.password.reveal()) == (
        "rule-user",
        "rule-secret",
    )
    assert found.revision == digest_of("custom", GIVEN, CREDENTIALS)


def test_a_rules_password_by_reference() -> None:
    by_reference = Credentials(username="u", password={"env": "PASSWORD"})
    made = with_rule(rule(integration=IntegrationName("crm"), credentials=by_reference))

    found = catalogue(made, {"PASSWORD": "s3cret"}).find(job(credentials_of=RuleName("Sales")))

    assert found.subject.settings.password.reveal() == "s3cret"


@pytest.mark.parametrize(
    ("tenants", "changes", "told"),
    [
        (Tenants(), {}, "the worker does not have this integration's configuration"),
        (Tenants(tenant()), {"key_integration": "other"}, "does not have this integration's configuration"),
        (Tenants(tenant()), {"credentials_of": "Sales"}, "does not have the credentials of the rule `Sales`"),
        (Tenants(tenant(integration(connector="siebel"))), {}, "no connector `siebel`"),
        (Tenants(tenant(integration(settings={}))), {}, "the configuration of `crm` cannot be used"),
        (
            Tenants(tenant(integration(settings=GIVEN | {"auth": "bearer", "token": {"env": "NOPE"}}))),
            {},
            "NOPE is not set",
        ),
    ],
)
def test_unusable(tenants: Tenants, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(IntegrationUnusable) as raised:
        catalogue(tenants).find(job(**changes))

    assert told in raised.value.problem


def test_what_was_read_is_kept() -> None:
    made = catalogue(Tenants(tenant()))

    assert made.find(job()) is made.find(job())


def test_an_edit_is_taken_up_at_once() -> None:
    tenants = Tenants(tenant())
    made = catalogue(tenants)
    before = made.find(job())

    tenants.put(tenant(integration(settings={"url": "https://new.example/"})))
    after = made.find(job())

    assert after.subject.settings.url == "https://new.example/"
    assert after.revision != before.revision


def test_a_mended_file_is_taken_up_at_once() -> None:
    tenants = Tenants(tenant(integration(settings={})))
    made = catalogue(tenants)
    with pytest.raises(IntegrationUnusable):
        made.find(job())

    tenants.put(tenant())

    assert made.find(job()).revision == REVISION


def test_a_rotated_secret_is_taken_up(tmp_path: Path) -> None:
    secret, clock = tmp_path / "token", Clock()
    secret.write_text("first\n")
    given = GIVEN | {"auth": "bearer", "token": {"file": str(secret)}}
    made = catalogue(Tenants(tenant(integration(settings=given))), clock=clock)
    made.find(job())

    secret.write_text("second\n")
    clock.seconds = SECRETS_KEPT_SECONDS + 1

    assert made.find(job()).subject.settings.token.reveal() == "second"


def test_tenants_do_not_share() -> None:
    other = TenantId("other")
    tenants = Tenants(tenant(), tenant(integration(settings={"url": "https://other.example/"}), id_=other))
    made = catalogue(tenants)

    urls = [made.find(job(key_tenant=name)).subject.settings.url for name in (TenantId("acme"), other)]

    assert urls == [GIVEN["url"], "https://other.example/"]


# Sealed secrets

VAULT = Vault(["a key of the tests, long enough to be one"])
ACME = tenant().id


def with_token(token: Any) -> Tenants:
    return Tenants(tenant(integration(settings=GIVEN | {"auth": "bearer", "token": token})))


def sealing(tenants: Tenants) -> Catalogue:
    return Catalogue(tenants, Clock(), environment={}, vault=VAULT)


def test_a_sealed_secret_is_opened_for_its_integration() -> None:
    own, others = (Sealer(VAULT, ACME, name).seal("canary") for name in ("crm", "other"))

    found = sealing(with_token(own)).find(job())

    assert found.subject.settings.token.reveal() == "canary"
    with pytest.raises(IntegrationUnusable, match="a sealed secret cannot be read"):
        sealing(with_token(others)).find(job())


def test_a_rules_sealed_password_is_opened_for_that_rule() -> None:
    password = Sealer(VAULT, ACME, own_integration_name(RuleName("Sales"))).seal("canary")
    made = rule(
        integration=IntegrationName("crm"), credentials=Credentials(username="jane", password=password)
    )

    found = sealing(with_rule(made)).find(job(credentials_of=RuleName("Sales")))

    assert found.subject.settings.password.reveal() == "canary"


def test_without_a_vault_nothing_sealed_is_taken() -> None:
    sealed = Sealer(VAULT, ACME, "crm").seal("canary")

    with pytest.raises(IntegrationUnusable):
        catalogue(with_token(sealed)).find(job())
