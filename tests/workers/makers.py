"""Small builders: a job, a tenant with one integration, a response; each test names only what it is about."""

from typing import Any

from msgspec.structs import replace

from router.core.destinations import DestinationKind, Target
from router.core.identities import E164, IntegrationName, RuleName, TenantId, Uniqueid
from router.core.lookups import AskedBy, LookupJob, LookupKey
from router.core.numbers import Caller, CallerKind
from router.core.plans import digest_of
from router.core.rules import Credentials, Rule, Source
from router.core.tenants import CacheAges, Integration, Tenant
from router.settings.model import WorkerSettings
from router.settings.vault import Vault
from router.store.memory import MemoryStore
from workers.accounts import Accounts, Subject
from workers.asking import Asker, AskingLimits, Sender
from workers.connectors import custom
from workers.connectors.steps import Account, Connector, Findings, Question, Request, Response
from workers.grants import GrantName, Grants
from workers.lookup import Lookups
from workers.secrets import read_settings

ACME = TenantId("acme")
CRM = IntegrationName("crm")
URL = "https://crm.example/lookup"
GIVEN: dict[str, Any] = {"url": URL}
NUMBER = E164("+33142345001")
CALLER = Caller(NUMBER, CallerKind.NUMBER, NUMBER, "FR")
REVISION = digest_of("custom", GIVEN, None)

WORKER = WorkerSettings(
    name="worker",
    lookups=20,
    attempt_seconds=1.5,
    retry_first_seconds=0.1,
    answer_bytes=65_536,
    large_answer_bytes=262_144,
    redirects=3,
    connections=50,
    connections_per_host=20,
    https_only=False,
    allowed_networks=("127.0.0.0/8",),
    reclaim_slack_seconds=0.2,
)


def job(*fields: str, **changes: Any) -> LookupJob:
    """A look-up by the caller's number; `key_...` changes the key."""
    key = LookupKey(ACME, CRM, REVISION, (), fields or ("status",), AskedBy.NUMBER, NUMBER)
    key = replace(key, **{name[4:]: value for name, value in changes.items() if name.startswith("key_")})
    made = LookupJob(
        key=key,
        caller=CALLER,
        called="+33142345999",
        digits="",
        call_id=Uniqueid("pbx-1.1"),
        budget_seconds=2.5,
        cache=CacheAges(),
    )
    return replace(made, **{name: value for name, value in changes.items() if not name.startswith("key_")})


def digits_job(digits: str, *fields: str, **changes: Any) -> LookupJob:
    keyed = {"key_by": AskedBy.DIGITS, "key_subject": digits, "digits": digits, "sends_digits": True}
    return job(*fields, **(keyed | changes))


def settings(**given: Any) -> custom.Settings:
    return read_settings(GIVEN | given, custom.Settings, {}, "the configuration of `crm`")


def asked(made: custom.Settings, job: LookupJob, country: str = "FR") -> Request:
    """The request that the connector makes."""
    return next(custom.find(Account(made), Question(job, country)))


def answered(response: Response, job: LookupJob, **given: Any) -> Findings:
    """What the connector makes of the response."""
    steps = custom.find(Account(settings(**given)), Question(job, "FR"))
    next(steps)
    try:
        steps.send(response)
    except StopIteration as ended:
        findings: Findings = ended.value
        return findings
    raise AssertionError("the custom URL is one request")


def text(body: str | bytes, content_type: str = "text/plain", status: int = 200) -> Response:
    return Response(
        status, body if isinstance(body, bytes) else body.encode(), {"content-type": content_type}
    )


def json(body: str, status: int = 200) -> Response:
    return text(body, "application/json", status)


def asker(sender: Sender, **changes: Any) -> Asker:
    return Asker(sender, AskingLimits(attempt_seconds=1.5, retry_first_seconds=0.1), **changes)


def lookups(sender: Sender, worker: str = "worker-1", **changes: Any) -> Lookups:
    """Look-ups by a sender of a test's own; `changes` are the asker's."""
    asking = asker(sender, **changes)
    return Lookups(asking, Accounts(grants(asking)), worker)


def grants(asking: Asker) -> Grants:
    return Grants(MemoryStore().grants, Vault(["a key of the tests, long enough to be one"]), asking)


def subject(connector: Connector[Any] = custom.CONNECTOR, made: Any = None) -> Subject:
    """One integration's; without settings those of the custom URL."""
    name = GrantName(ACME, CRM, None, "identity")
    return Subject(connector, settings() if made is None else made, "FR", ACME, CRM, name)


def integration(**changes: Any) -> Integration:
    return Integration(**({"name": CRM, "connector": "custom", "settings": GIVEN} | changes))


def rule(**source: Any) -> Rule:
    return Rule(name=RuleName("Sales"), field="status", source=Source(**source), default=target())


def target() -> Target:
    return Target(DestinationKind.QUEUE, "desk")


def tenant(*integrations: Integration, rules: tuple[Rule, ...] = (), id_: TenantId = ACME) -> Tenant:
    return Tenant(
        id=id_,
        country="FR",
        default=target(),
        integrations=integrations or (integration(),),
        rules=rules,
    )


class Tenants:
    """A `TenantSource` of a test's own."""

    def __init__(self, *tenants: Tenant) -> None:
        self._tenants = {tenant.id: tenant for tenant in tenants}

    def tenant(self, tenant_id: TenantId) -> Tenant | None:
        return self._tenants.get(tenant_id)

    def put(self, tenant: Tenant) -> None:
        self._tenants[tenant.id] = tenant


CREDENTIALS = Credentials(username="rule-user", password="rule-secret")
