"""What the rule form offers to choose from: the CRM's own modules and fields, and its picklists' values."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from litestar import Response
from msgspec import Struct

from router.admin.pages.front import Visit
from router.admin.pages.languages import Language
from router.admin.pages.rule_form import INTEGRATION, OTHER, modules_in
from router.admin.pages.rule_lines import line_count
from router.admin.pages.told import ADDED_AS, failure_told
from router.admin.site import Site
from router.core.crm_catalog import Choice, CrmField, CrmFieldType, CrmModule
from router.core.errands import ErrandFailed, Fields, ListFields, ListModules, Modules
from router.core.identities import IntegrationName, TenantId
from router.core.manifests import Manifest
from router.records import integrations
from router.records.errors import NotFound
from router.records.integrations import IntegrationRow
from router.store.errors import StoreError

MODULES_MOST = 6
"""Whose fields are listed; a rule rarely searches more."""
FIELDS_MOST, CHOICES_MOST = 1_000, 500
BOOLEANS = (Choice("true"), Choice("false"))


class Offered(Struct, frozen=True):
    """Lists for the form; `problem` where the CRM gave none."""

    modules: tuple[CrmModule, ...] = ()
    fields: tuple[CrmField, ...] = ()
    searched: tuple[str, ...] = ()
    """The modules whose fields these are."""
    problem: str = ""


async def picked(site: Site, visit: Visit, tenant: TenantId) -> Response[Any]:
    """Lists that the form's fields offer, as the form stands."""
    offered = await _offered(site, visit, tenant)
    fields = visit.fields
    return visit.answer(
        "picked.html",
        offered=offered,
        module_options=module_options(fields["modules"], offered.modules),
        value_lists=value_lists(fields, offered.fields),
        is_asked=fields["source"] == INTEGRATION and bool(fields["integration"]),
    )


async def _offered(site: Site, visit: Visit, tenant: TenantId) -> Offered:
    fields = visit.fields
    if fields["source"] != INTEGRATION or not fields["integration"]:
        return Offered()
    try:
        async with site.database.reading() as connection:
            row = await integrations.one(connection, tenant, fields["integration"])
    except NotFound:
        return Offered()
    language = visit.reader.language
    manifest = site.manifests.get(row.document.connector)
    if manifest is None or "fields" not in manifest.abilities:
        return Offered(problem=language.text("This CRM does not tell its fields."))
    try:
        return await _asked(site, tenant, row, manifest, modules_in(fields), language)
    except StoreError:
        return Offered(problem=language.text("Redis cannot be reached, so the CRM was not asked."))
    except _NobodyThere:
        return Offered(problem=language.text("No worker answered, so the CRM was not asked."))


class _NobodyThere(Exception):
    """No worker answered."""


async def _asked(
    site: Site,
    tenant: TenantId,
    row: IntegrationRow,
    manifest: Manifest,
    chosen: Sequence[str],
    language: Language,
) -> Offered:
    """Raises StoreError, _NobodyThere."""
    name = IntegrationName(row.document.name)
    modules = await site.crm_fields.told(ListModules(tenant=tenant, integration=name), row.revision)
    if not isinstance(modules, Modules):
        return _failed(modules, language)
    searched = tuple(chosen or manifest.default_modules or [one.name for one in modules.modules[:1]])
    found: dict[str, CrmField] = {}
    for module in searched[:MODULES_MOST]:
        listed = await site.crm_fields.told(
            ListFields(tenant=tenant, integration=name, module=module), row.revision
        )
        if not isinstance(listed, Fields):
            failed = _failed(listed, language)
            return Offered(
                modules.modules,
                tuple(found.values()),
                searched,
                language.filled(ADDED_AS, place=module, after=failed.problem),
            )
        for field in listed.fields:
            found.setdefault(field.name, field)
    in_order = sorted(found.values(), key=lambda one: (not one.is_custom, (one.label or one.name).casefold()))
    return Offered(modules.modules, tuple(in_order[:FIELDS_MOST]), searched)


def _failed(reply: object, language: Language) -> Offered:
    """Raises _NobodyThere."""
    if not isinstance(reply, ErrandFailed):
        raise _NobodyThere
    return Offered(problem=failure_told(reply, language))


def module_options(typed: str, modules: Iterable[CrmModule]) -> list[tuple[str, str]]:
    """What may follow in the list of modules: each option is the whole list with one more."""
    chosen = [one.strip() for one in typed.split(",") if one.strip()]
    known = list(modules)
    whole = [one for one in chosen if any(one == module.name for module in known)]
    left = [module for module in known if module.name not in whole]
    return [(", ".join([*whole, module.name]), module.label) for module in left[:FIELDS_MOST]]


def value_lists(fields: Mapping[str, str], known: Iterable[CrmField]) -> list[tuple[int, Sequence[Choice]]]:
    """For each line whose field has a picklist: its number and the values."""
    choices = {one.name: _choices(one) for one in known}
    lists = []
    for number in range(line_count(fields)):
        subject = fields.get(f"lines.{number}.subject", "")
        tested = {"": fields.get("field", ""), OTHER: fields.get(f"lines.{number}.field", "")}
        found = choices.get(tested.get(subject, "").strip(), ())
        if found:
            lists.append((number, found))
    return lists


def _choices(field: CrmField) -> Sequence[Choice]:
    if field.choices:
        return field.choices[:CHOICES_MOST]
    return BOOLEANS if field.type is CrmFieldType.BOOLEAN else ()
