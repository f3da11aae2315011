"""One integration on its local CRM, asked as a worker asks: catalogue, accounts, grants, the real HTTP
client.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import httpx
from msgspec.structs import replace

from router.core.destinations import DestinationKind, Target
from router.core.errands import CheckConnection, Checked, TryLookup
from router.core.identities import IntegrationName, TenantId
from router.core.lookups import Answer
from router.core.tenants import Integration, Tenant
from router.settings.vault import Vault
from router.store.memory import MemoryStore
from tests.crms.rig import CrmRig
from tests.crms.server import StrictCrm
from tests.workers.makers import WORKER
from workers.abilities import Abilities, trial_job
from workers.accounts import Accounts, Subject
from workers.asking import Asker, AskingLimits, Sender
from workers.catalogue import Catalogue
from workers.grants import Grants
from workers.http import HttpClient
from workers.lookup import Lookups

ACME = TenantId("acme")
CRM = IntegrationName("crm")
KEY = "a key of the tests, long enough to be one"
CANARY = "canary"
"""Every secret of the rigs holds it."""


class Product:
    """What a worker process builds, around one integration."""

    def __init__(self, rig: CrmRig, crm: StrictCrm, store: MemoryStore, http: Sender) -> None:
        self.rig = rig
        self.crm = crm
        self.store = store
        self.asker = Asker(http, AskingLimits(attempt_seconds=2.0, retry_first_seconds=0.02))
        self.grants = Grants(store.grants, Vault([KEY]), self.asker)
        self.accounts = Accounts(self.grants)
        self.lookups = Lookups(self.asker, self.accounts, "worker-1")
        self.abilities = Abilities(self.asker, self.accounts, self.lookups)

    def subject(self, given: dict[str, Any] | None = None) -> Subject:
        """Raises IntegrationUnusable for settings that the connector does not take."""
        return self.catalogue(given).integration(ACME, CRM).subject

    def catalogue(self, given: dict[str, Any] | None = None) -> Catalogue:
        settings = self.rig.settings(self.crm) if given is None else given
        integration = Integration(name=CRM, connector=self.rig.slug, settings=settings)
        tenant = Tenant(
            id=ACME, country="FR", default=Target(DestinationKind.QUEUE, "desk"), integrations=(integration,)
        )
        return Catalogue(_One(tenant), asyncio.get_running_loop().time)

    async def find(
        self,
        number: str = "",
        *fields: str,
        digits: str = "",
        modules: tuple[str, ...] | None = None,
        seconds: float = 5.0,
        subject: Subject | None = None,
        digits_field: str | None = None,
    ) -> Answer:
        subject = subject or self.subject()
        wanted = TryLookup(
            tenant=ACME,
            integration=CRM,
            number=number,
            digits=digits,
            digits_field=digits_field or (self.rig.account_no if digits else None),
            modules=(self.rig.contacts,) if modules is None else modules,
            fields=fields or (self.rig.tier,),
            seconds=seconds,
        )
        job = replace(trial_job(subject, wanted), called="+33142345999")
        return await self.lookups.run(job, subject, seconds)

    async def check(self, subject: Subject, *fields: str, modules: tuple[str, ...] = ()) -> Checked:
        wanted = CheckConnection(
            tenant=ACME, integration=CRM, modules=modules or (self.rig.contacts,), fields=fields
        )
        return await self.abilities.check(subject, wanted)


class _One:
    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def tenant(self, tenant_id: TenantId) -> Tenant | None:
        return self._tenant if tenant_id == self._tenant.id else None


@cache
def _tls() -> ssl.SSLContext:
    """Reading the authorities takes longer than a test."""
    return httpx.create_ssl_context()


@asynccontextmanager
async def running(rig: CrmRig) -> AsyncIterator[Product]:
    """The rig's server on a port of its own, and a worker's parts around it."""
    crm = rig.make()
    await crm.start()
    http = HttpClient(WORKER, tls=_tls())
    product = Product(rig, crm, MemoryStore(), http)
    try:
        if rig.grant is not None:
            await product.grants.put(product.subject().grant, rig.grant(crm))
        yield product
    finally:
        await product.grants.aclose()
        await http.aclose()
        await crm.stop()
