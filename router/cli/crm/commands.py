"""The words of `crmroute crm …`: commands and options. The work is in the modules beside this one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from cyclopts import App, Parameter

from router.cli.errors import ExitCode, WrongUsage
from router.cli.invocations import Invoked

crm = App(
    name="crm",
    help="Ask a tenant's CRM: test it, list its fields, look somebody up, sign in, see what is written.",
)

TenantOption = Annotated[str, Parameter("--tenant", help="Whose integration it is.")]
IntegrationName_ = Annotated[str, Parameter(help="The integration's name in the tenant's file.")]
ModulesOption = Annotated[
    tuple[str, ...],
    Parameter("--module", help="A module, in the order of the search.", negative="", show_default=False),
]
FieldsOption = Annotated[
    tuple[str, ...],
    Parameter("--field", help="A field, by the CRM's own name.", negative="", show_default=False),
]


@crm.command(name="list")
def list_(
    *,
    tenant: Annotated[
        str | None, Parameter(help="Show this tenant's integrations, and how each is doing.")
    ] = None,
    invocation: Invoked,
) -> ExitCode:
    """The CRMs that can be connected; with --tenant, the connected ones."""
    from router.cli.configuration import read_manifests, read_tenant
    from router.cli.crm.listing import list_connectors, list_integrations

    manifests, problems = read_manifests(invocation.config)
    if manifests is None:
        raise WrongUsage("\n".join(map(str, problems)))
    if tenant is None:
        return list_connectors(invocation.screen, manifests)
    found = read_tenant(invocation.config, tenant)
    return _with_store(
        invocation, lambda store: list_integrations(invocation.screen, found, manifests, store)
    )


@crm.command(name="test")
def check_connection(
    integration: IntegrationName_,
    *,
    tenant: TenantOption,
    module: ModulesOption = (),
    field: FieldsOption = (),
    invocation: Invoked,
) -> ExitCode:
    """Test the connection step by step, and say what to change."""
    from router.cli.crm.showing import show_test
    from router.core.errands import CheckConnection

    tenant_id, name, fields = _named(invocation, tenant, integration, field)
    errand = CheckConnection(tenant=tenant_id, integration=name, modules=module, fields=fields)
    return _with_errands(invocation, lambda errands: show_test(invocation.screen, errands, errand))


@crm.command
def modules(integration: IntegrationName_, *, tenant: TenantOption, invocation: Invoked) -> ExitCode:
    """List the modules, by name and label."""
    from router.cli.crm.showing import show_modules
    from router.core.errands import ListModules

    tenant_id, name, _ = _named(invocation, tenant, integration)
    errand = ListModules(tenant=tenant_id, integration=name)
    return _with_errands(invocation, lambda errands: show_modules(invocation.screen, errands, errand))


@crm.command
def fields(
    integration: IntegrationName_,
    module: Annotated[str, Parameter(help="The module's name.")],
    *,
    tenant: TenantOption,
    invocation: Invoked,
) -> ExitCode:
    """List a module's fields: name, label, type, values of a list."""
    from router.cli.crm.showing import show_fields
    from router.core.errands import ListFields

    tenant_id, name, _ = _named(invocation, tenant, integration)
    errand = ListFields(tenant=tenant_id, integration=name, module=module)
    return _with_errands(invocation, lambda errands: show_fields(invocation.screen, errands, errand))


@crm.command
def find(
    integration: IntegrationName_,
    *,
    tenant: TenantOption,
    from_: Annotated[str, Parameter("--from", help="The caller's number.", show_default=False)] = "",
    digits: Annotated[str, Parameter(help="Digits that a caller keyed.", show_default=False)] = "",
    digits_field: Annotated[
        str | None, Parameter(help="The field that must equal the digits.", show_default=False)
    ] = None,
    module: ModulesOption = (),
    field: FieldsOption = (),
    invocation: Invoked,
) -> ExitCode:
    """Look somebody up past the cache: spellings, hits, values, time, requests."""
    from router.cli.crm.showing import show_find
    from router.core.errands import TryLookup

    if bool(from_) is bool(digits):
        raise WrongUsage("find needs a caller's number or digits", "Add --from NUMBER, or --digits DIGITS.")
    tenant_id, name, wanted = _named(invocation, tenant, integration, field)
    errand = TryLookup(
        tenant=tenant_id,
        integration=name,
        number=from_,
        digits=digits,
        digits_field=digits_field,
        modules=module,
        fields=wanted,
    )
    return _with_errands(invocation, lambda errands: show_find(invocation.screen, errands, errand))


@crm.command
def log(
    *,
    tenant: Annotated[str | None, Parameter(help="Only this tenant's, with the calls themselves.")] = None,
    limit: Annotated[int, Parameter(("--limit", "-n"), help="How many calls of each kind.")] = 20,
    invocation: Invoked,
) -> ExitCode:
    """Finished calls that wait to be written into a CRM, or were given up, and why."""
    from router.cli.configuration import local_zone
    from router.cli.crm.call_log import show_log
    from router.core.identities import TenantId

    whose = TenantId(tenant) if tenant else None
    return _with_store(
        invocation,
        lambda store: show_log(invocation.screen, store.call_log_desk, local_zone(), whose, max(limit, 0)),
    )


@crm.command
def retry(
    integration: Annotated[
        str | None, Parameter(show_default=False, help="The integration's name; all of them without.")
    ] = None,
    *,
    tenant: TenantOption,
    call: Annotated[
        str, Parameter(show_default=False, help="Only this one, by the id that `crm log` shows.")
    ] = "",
    invocation: Invoked,
) -> ExitCode:
    """Put back the calls that were given up, and try what waits at once."""
    from router.cli.crm.call_log import retry as put_back
    from router.core.identities import IntegrationName, TenantId

    name = IntegrationName(integration) if integration else None
    return _with_store(
        invocation,
        lambda store: put_back(invocation.screen, store.call_log_desk, TenantId(tenant), name, call),
    )


@crm.command
def authorise(
    integration: IntegrationName_,
    *,
    tenant: TenantOption,
    device: Annotated[
        bool, Parameter(negative="", show_default=False, help="Sign in on another device, by a code.")
    ] = False,
    paste: Annotated[
        bool, Parameter(negative="", show_default=False, help="Paste the browser's last address here.")
    ] = False,
    redirect: Annotated[
        str, Parameter(show_default=False, help="With --paste: the way back that the CRM knows.")
    ] = "",
    port: Annotated[int, Parameter(help="Of our page on this machine, for the way back.")] = 8765,
    browser: Annotated[bool, Parameter(help="Open this machine's browser.", show_default=False)] = True,
    invocation: Invoked,
) -> ExitCode:
    """Sign in to the CRM once, in a browser or on another device."""
    from router.cli.crm import authorising

    tenant_id, name, _ = _named(invocation, tenant, integration)
    screen = invocation.screen

    def work(errands: Any) -> Awaitable[ExitCode]:
        if device:
            return authorising.authorise_on_device(screen, errands, tenant_id, name)
        if paste or redirect:
            way_back = redirect or authorising.redirect_of(port)
            return authorising.authorise_by_pasting(screen, errands, tenant_id, name, way_back)
        return authorising.authorise_in_browser(screen, errands, tenant_id, name, port=port, opens=browser)

    return _with_errands(invocation, work)


def _named(
    invocation: Any, tenant: str, integration: str, fields: tuple[str, ...] = ()
) -> tuple[Any, Any, Any]:
    """The ids, and the fields: those that the tenant's rules read of this integration where none is named."""
    from router.cli.configuration import read_tenant
    from router.cli.crm.asking import integration_of
    from router.core.plans import fields_read_of

    found = read_tenant(invocation.config, tenant)
    name = integration_of(found, integration).name
    return found.id, name, fields or fields_read_of(found, name)


def _with_errands(invocation: Any, work: Callable[[Any], Awaitable[ExitCode]]) -> ExitCode:
    return _with_store(invocation, lambda store: work(store.errands))


def _with_store(invocation: Any, work: Callable[[Any], Awaitable[ExitCode]]) -> ExitCode:
    from router.cli.configuration import read_settings
    from router.cli.stores import opened

    settings = read_settings(invocation.config)

    async def answer() -> ExitCode:
        async with opened(settings.redis) as store:
            return await work(store)

    return asyncio.run(answer())
