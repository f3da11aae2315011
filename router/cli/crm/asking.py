"""An errand from the command line: find the integration, have any worker do it, take its reply."""

from typing import TypeVar

from msgspec import Struct

from router.cli.errors import CliError, ExitCode, OutOfReach, WrongUsage
from router.core.errands import AnyErrand, ErrandFailed, Reply
from router.core.faults import Fault
from router.core.identities import IntegrationName
from router.core.plans import find_integration
from router.core.problems import pick_one
from router.core.tenants import Integration, Tenant
from router.store.seams import Errands

R = TypeVar("R", bound=Struct)

SECONDS = 25.0
NO_WORKER = "Is one running? `crmroute worker` starts one."


class Refusal(CliError):
    """The CRM, or the integration's settings, did not let it happen."""

    code = ExitCode.PROBLEMS


def integration_of(tenant: Tenant, name: str) -> Integration:
    """Raises WrongUsage, with the names there are."""
    found = find_integration(tenant, IntegrationName(name))
    if found is not None:
        return found
    known = [integration.name for integration in tenant.integrations]
    mend = pick_one(name, known) if known else "Add one to the tenant's file."
    raise WrongUsage(f"tenant {tenant.id} has no integration {name}", mend)


async def ask(errands: Errands, errand: AnyErrand, expected: type[R], seconds: float | None = None) -> R:
    """The reply of this kind. Raises CliError for any other, and when no worker answers."""
    reply = await replied(errands, errand, seconds)
    if isinstance(reply, expected):
        return reply
    if isinstance(reply, ErrandFailed):
        raise refusal(reply)
    raise OutOfReach("the worker gave a reply that this version does not know", "Update both.")


async def replied(errands: Errands, errand: AnyErrand, seconds: float | None = None) -> Reply:
    reply = await errands.run(errand, seconds or SECONDS)
    if reply is None:
        raise OutOfReach("no worker answered, so the CRM was not asked", NO_WORKER)
    return reply


def refusal(failed: ErrandFailed) -> CliError:
    kind = WrongUsage if failed.fault is Fault.SETTINGS else Refusal
    return kind(failed.problem, failed.mend)
