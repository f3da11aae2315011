"""Numbers and IVR entries by the API, one by one or as a spreadsheet's list."""

from litestar import Controller, delete, get, post, put
from litestar.params import JSONBody
from msgspec import Struct

from router.admin.api.rules import Published, published
from router.admin.handed import TextInPath, TheSite, Who
from router.admin.site import Site
from router.core.identities import RuleName, TenantId
from router.core.number_lists import NumberList, read_numbers
from router.core.numbers import understand_called
from router.core.roles import Permission
from router.core.tenants import IvrEntry, Number
from router.records import numbers, rules, tenants
from router.records.numbers import EntryRow, NumberRow


class NumberBody(Struct, frozen=True, forbid_unknown_fields=True):
    rule: RuleName | None = None
    """None: the tenant's default."""
    note: str = ""


class EntryBody(Struct, frozen=True, forbid_unknown_fields=True):
    rule: RuleName
    note: str = ""


class ImportBody(Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    """Rows of number, rule and note, separated by commas, semicolons or tabs."""
    is_preview: bool = True
    """True: say what it would change, and change nothing."""


class Imported(Struct, frozen=True):
    listed: NumberList
    published: Published | None
    """None for a preview, and where the list has problems."""


class UndoWanted(Struct, frozen=True, forbid_unknown_fields=True):
    publication: int
    """The number that the import answered."""


class Undone(Struct, frozen=True, kw_only=True):
    publication: Published
    put: tuple[str, ...]
    """DIDs that are as they were before."""
    removed: tuple[str, ...]
    """DIDs that the publication had added."""
    left: tuple[str, ...]
    """DIDs that were changed since."""


class NumbersController(Controller):
    path = "/tenants/{tenant:str}/numbers"
    tags = ("Numbers",)

    @get(operation_id="listNumbers")
    async def list_numbers(self, site: TheSite, identity: Who, tenant: TextInPath) -> list[NumberRow]:
        """Every DID and its rule, in the tenant's order."""
        identity.require(Permission.SEE, TenantId(tenant))
        async with site.database.reading() as connection:
            await site.require_tenant(connection, TenantId(tenant))
            return await numbers.every_number(connection, TenantId(tenant))

    @put("/{did:str}", operation_id="putNumber")
    async def put_number(
        self, site: TheSite, identity: Who, tenant: TextInPath, did: TextInPath, data: JSONBody[NumberBody]
    ) -> Published:
        """Add a DID, or change its rule; in force at once."""
        identity.require(Permission.EDIT, TenantId(tenant))
        number = Number(await understood(site, TenantId(tenant), did), data.rule, data.note)
        publication = await site.configuration.put_numbers(
            TenantId(tenant), [number], f"number {number.did}", identity.actor
        )
        return await published(site, publication)

    @delete("/{did:str}", operation_id="removeNumber", status_code=200)
    async def remove_number(
        self, site: TheSite, identity: Who, tenant: TextInPath, did: TextInPath
    ) -> Published:
        """Its calls take the tenant's default, or that of the dialplan."""
        identity.require(Permission.EDIT, TenantId(tenant))
        number = await understood(site, TenantId(tenant), did)
        publication = await site.configuration.remove_numbers(
            TenantId(tenant), [number], f"number {number} removed", identity.actor
        )
        return await published(site, publication)

    @post("/import", operation_id="importNumbers", status_code=200)
    async def import_numbers(
        self, site: TheSite, identity: Who, tenant: TextInPath, data: JSONBody[ImportBody]
    ) -> Imported:
        """A preview of a list, or all of it put in force; numbers that are not listed stay."""
        identity.require(Permission.EDIT, TenantId(tenant))
        listed = await read_list(site, TenantId(tenant), data.text)
        if data.is_preview or listed.problems:
            return Imported(listed, None)
        comment = f"{len(listed.changing)} numbers imported"
        publication = await site.configuration.put_numbers(
            TenantId(tenant), listed.changing, comment, identity.actor
        )
        return Imported(listed, await published(site, publication))

    @post("/undo", operation_id="undoNumbers", status_code=200)
    async def undo_numbers(
        self, site: TheSite, identity: Who, tenant: TextInPath, data: JSONBody[UndoWanted]
    ) -> Undone:
        """Take back what a publication did to numbers; those that were changed since stay as they are."""
        identity.require(Permission.EDIT, TenantId(tenant))
        undo, publication = await site.configuration.undo_numbers(
            TenantId(tenant), data.publication, identity.actor
        )
        told = await published(site, publication)
        return Undone(
            publication=told,
            put=tuple(number.did for number in undo.put),
            removed=undo.removed,
            left=undo.left,
        )


class EntriesController(Controller):
    path = "/tenants/{tenant:str}/ivr-entries"
    tags = ("Numbers",)

    @get(operation_id="listEntries")
    async def list_entries(self, site: TheSite, identity: Who, tenant: TextInPath) -> list[EntryRow]:
        """Every place of an IVR that hands its calls to a rule."""
        identity.require(Permission.SEE, TenantId(tenant))
        async with site.database.reading() as connection:
            await site.require_tenant(connection, TenantId(tenant))
            return await numbers.every_entry(connection, TenantId(tenant))

    @put("/{name:str}", operation_id="putEntry")
    async def put_entry(
        self, site: TheSite, identity: Who, tenant: TextInPath, name: TextInPath, data: JSONBody[EntryBody]
    ) -> Published:
        """Add an entry, or change its rule; in force at once."""
        identity.require(Permission.EDIT, TenantId(tenant))
        entry = IvrEntry(name, data.rule, data.note)
        publication = await site.configuration.put_entry(TenantId(tenant), entry, identity.actor)
        return await published(site, publication)

    @delete("/{name:str}", operation_id="removeEntry", status_code=200)
    async def remove_entry(
        self, site: TheSite, identity: Who, tenant: TextInPath, name: TextInPath
    ) -> Published:
        """Its calls take the tenant's default."""
        identity.require(Permission.EDIT, TenantId(tenant))
        publication = await site.configuration.remove_entry(TenantId(tenant), name, identity.actor)
        return await published(site, publication)


async def read_list(site: Site, tenant: TenantId, text: str) -> NumberList:
    """Raises NotFound."""
    async with site.database.reading() as connection:
        row = await tenants.one(connection, tenant)
        known = [one.draft for one in await rules.every(connection, tenant)]
        listed = await numbers.every_number(connection, tenant)
    own = [Number(one.did, one.rule_name, one.note) for one in listed]
    return read_numbers(text, row.profile.country, known, own)


async def understood(site: Site, tenant: TenantId, did: str) -> str:
    """The DID as the tenant has it, else as it is understood in the tenant's country. Raises NotFound."""
    async with site.database.reading() as connection:
        row = await tenants.one(connection, tenant)
        listed = await numbers.every_number(connection, tenant)
    meant = understand_called(did, row.profile.country)
    there = (one.did for one in listed if understand_called(one.did, row.profile.country) == meant)
    return next(there, meant)
