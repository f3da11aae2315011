"""Asking with an account: the integration's settings, and the grant that signing in with them brought.

A grant that the CRM no longer takes is renewed once, and the steps begin again. One that is refused anew is
refused for good: asking on would lock the account, or spend the quota.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import Struct

from router.core.allowances import Allowance
from router.core.faults import Fault
from router.core.identities import IntegrationName, TenantId
from workers.asking import Asking
from workers.connectors.steps import Account, Connector, Steps
from workers.errors import GrantExpired, LookupRefused
from workers.grants import GrantName, Grants
from workers.quotas import Quotas

R = TypeVar("R")


class Subject(Struct, frozen=True):
    """What is asked: a connector with one integration's settings, read and resolved."""

    connector: Connector[Any]
    settings: Any
    country: str
    tenant: TenantId
    integration: IntegrationName
    grant: GrantName
    allowance: Allowance = Allowance()

    def __repr__(self) -> str:
        return f"Subject({self.connector.slug!r})"

    @property
    def signs_in(self) -> bool:
        return self.connector.sign_in is not None and self.connector.needs_grant(self.settings)


class Accounts:
    def __init__(self, grants: Grants, quotas: Quotas | None = None) -> None:
        self._grants = grants
        self._quotas = quotas or Quotas()

    async def ask(self, subject: Subject, asking: Asking, steps_of: Callable[[Account[Any]], Steps[R]]) -> R:
        """Run the steps with a grant that works. Raises LookupFailed."""
        asking.quota = self._quotas.of((subject.tenant, subject.integration))
        if not subject.signs_in:
            try:
                return await asking.run(steps_of(Account(subject.settings)))
            except GrantExpired as refused:
                raise LookupRefused(refused.problem, refused.said, fault=Fault.CREDENTIALS) from refused
        held = await self._grants.current(subject.grant, subject.connector, subject.settings)
        try:
            return await asking.run(steps_of(Account(subject.settings, held.grant)))
        except GrantExpired:
            held = await self._grants.renewed(subject.grant, subject.connector, subject.settings, held)
        try:
            return await asking.run(steps_of(Account(subject.settings, held.grant)))
        except GrantExpired as refused:
            problem = f"{refused.problem}, although it is new"
            raise LookupRefused(problem, refused.said, fault=Fault.CREDENTIALS) from refused
