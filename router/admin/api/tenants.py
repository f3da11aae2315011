"""Tenants by the API: the profile, and what was in force when."""

from datetime import datetime
from typing import Literal

from litestar import Controller, Response, delete, get, post, put
from litestar.params import JSONBody
from msgspec import Struct

from router.admin.api.moments import moment
from router.admin.api.pages import Limit, limited
from router.admin.api.revisions import IfMatch, revision_in, tag_of
from router.admin.api.rules import Published, published
from router.admin.drift import drift_of
from router.admin.handed import NumberInPath, NumberInQuery, TextInPath, TheSite, Who
from router.admin.site import Site
from router.core.destinations import Target
from router.core.differences import differences
from router.core.identities import RuleName, TenantId
from router.core.roles import Permission
from router.core.tenants import Tenant
from router.records import publications, tenants
from router.records.publications import Publication
from router.records.tenants import TenantRow


class Profile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A tenant without its numbers, integrations and rules."""

    name: str = ""
    country: str
    zone: str = "UTC"
    hold_seconds: float | None = None
    default: Target

    def of(self, tenant: TenantId) -> Tenant:
        return Tenant(
            id=tenant,
            name=self.name,
            country=self.country,
            zone=self.zone,
            hold_seconds=self.hold_seconds,
            default=self.default,
        )


class NewTenant(Profile, frozen=True, forbid_unknown_fields=True, kw_only=True):
    id: str


class TenantDetails(Struct, frozen=True, kw_only=True):
    id: TenantId
    profile: Profile
    managed_by: str
    """`page` or `files`: where its changes are made."""
    revision: int
    changed_at: datetime
    changed_by: str


class ManagedBy(Struct, frozen=True, forbid_unknown_fields=True):
    managed_by: Literal["page", "files"]


class Drift(Struct, frozen=True, kw_only=True):
    is_there: bool
    """Whether the server has the tenant's file."""
    problems: tuple[str, ...] = ()
    """Why the file cannot be used, with file and line."""
    differences: tuple[str, ...] = ()
    """What applying the file would change, place by place."""


class PublicationSummary(Struct, frozen=True, kw_only=True):
    number: int
    author: str
    comment: str
    made_at: datetime
    is_removal: bool


class PublicationDetails(PublicationSummary, frozen=True, kw_only=True):
    versions: dict[RuleName, int]
    differences: tuple[str, ...]
    """To the publication before."""


class TenantsController(Controller):
    path = "/tenants"
    tags = ("Tenants",)

    @get(operation_id="listTenants")
    async def list_tenants(self, site: TheSite, identity: Who) -> list[TenantDetails]:
        """Those that this account reaches."""
        async with site.database.reading() as connection:
            rows = await tenants.every(connection)
        return [details_of(row) for row in rows if identity.tenant in (None, row.id)]

    @post(operation_id="createTenant")
    async def create_tenant(
        self, site: TheSite, identity: Who, data: JSONBody[NewTenant]
    ) -> Response[TenantDetails]:
        """In force at once: its calls take the default until it has numbers and rules."""
        identity.require(Permission.MANAGE_TENANTS, None)
        tenant = data.of(TenantId(data.id))
        publication = await site.configuration.create_tenant(tenant, identity.actor)
        await site.publisher.hand_over(publication)
        return await _answered(site, tenant.id)

    @get("/{tenant:str}", operation_id="readTenant")
    async def read_tenant(self, site: TheSite, identity: Who, tenant: TextInPath) -> Response[TenantDetails]:
        """Its profile."""
        identity.require(Permission.SEE, TenantId(tenant))
        return await _answered(site, TenantId(tenant))

    @put("/{tenant:str}", operation_id="changeTenant")
    async def change_tenant(
        self,
        site: TheSite,
        identity: Who,
        tenant: TextInPath,
        data: JSONBody[Profile],
        if_match: IfMatch = None,
    ) -> Response[TenantDetails]:
        """Replace the profile; in force at once."""
        identity.require(Permission.EDIT, TenantId(tenant))
        revision = revision_in(if_match)
        profile = data.of(TenantId(tenant))
        publication = await site.configuration.change_tenant(profile, revision, identity.actor)
        await site.publisher.hand_over(publication)
        return await _answered(site, TenantId(tenant))

    @delete("/{tenant:str}", operation_id="removeTenant", status_code=204)
    async def remove_tenant(self, site: TheSite, identity: Who, tenant: TextInPath) -> None:
        """With everything in it. What was in force, and its audit, stay."""
        identity.require(Permission.MANAGE_TENANTS, None)
        publication = await site.configuration.remove_tenant(TenantId(tenant), identity.actor)
        await site.publisher.hand_over(publication)

    @put("/{tenant:str}/managed-by", operation_id="manageTenant")
    async def manage_tenant(
        self, site: TheSite, identity: Who, tenant: TextInPath, data: JSONBody[ManagedBy]
    ) -> Response[TenantDetails]:
        """Say where the tenant is changed from now on."""
        identity.require(Permission.CONNECT, TenantId(tenant))
        await site.configuration.manage(TenantId(tenant), data.managed_by, identity.actor)
        return await _answered(site, TenantId(tenant))

    @get("/{tenant:str}/drift", operation_id="readDrift")
    async def read_drift(self, site: TheSite, identity: Who, tenant: TextInPath) -> Drift:
        """Where the tenant's file on the server differs from what is in force."""
        identity.require(Permission.SEE, TenantId(tenant))
        async with site.database.reading() as connection:
            await site.require_tenant(connection, TenantId(tenant))
            newest = await publications.in_force(connection, TenantId(tenant))
        found = await drift_of(site.folder, TenantId(tenant), newest.document if newest else None)
        return Drift(
            is_there=found.is_there,
            problems=tuple(map(str, found.problems)),
            differences=tuple(map(str, found.differences)),
        )

    @get("/{tenant:str}/publications", operation_id="listPublications")
    async def list_publications(
        self,
        site: TheSite,
        identity: Who,
        tenant: TextInPath,
        before: NumberInQuery = None,
        limit: Limit = 50,
    ) -> list[PublicationSummary]:
        """What was put in force, the newest first. The next page comes before the last number of this one."""
        identity.require(Permission.SEE, TenantId(tenant))
        async with site.database.reading() as connection:
            await site.require_tenant(connection, TenantId(tenant))
            listed = await publications.history(connection, TenantId(tenant), limited(limit), before)
        return [_summary(one) for one in listed]

    @get("/{tenant:str}/publications/{number:int}", operation_id="readPublication")
    async def read_publication(
        self, site: TheSite, identity: Who, tenant: TextInPath, number: NumberInPath
    ) -> PublicationDetails:
        """One of them, with what it changed."""
        identity.require(Permission.SEE, TenantId(tenant))
        async with site.database.reading() as connection:
            await site.require_tenant(connection, TenantId(tenant))
            found = await publications.numbered(connection, TenantId(tenant), number)
            listed = await publications.history(connection, TenantId(tenant), 1, number)
        former = listed[0].document if listed else None
        summary = _summary(found)
        fields = {name: getattr(summary, name) for name in summary.__struct_fields__}
        told = tuple(map(str, differences(former, found.document)))
        return PublicationDetails(**fields, versions=found.versions, differences=told)

    @post("/{tenant:str}/publications/{number:int}/roll-back", operation_id="rollBackTenant", status_code=200)
    async def roll_back(
        self, site: TheSite, identity: Who, tenant: TextInPath, number: NumberInPath
    ) -> Published:
        """Put the whole tenant in force as it was then, drafts and all."""
        identity.require(Permission.PUBLISH, TenantId(tenant))
        identity.require(Permission.CONNECT, TenantId(tenant))
        publication = await site.configuration.roll_back(TenantId(tenant), number, identity.actor)
        return await published(site, publication)


def details_of(row: TenantRow) -> TenantDetails:
    profile = row.profile
    return TenantDetails(
        id=row.id,
        profile=Profile(
            name=profile.name,
            country=profile.country,
            zone=profile.zone,
            hold_seconds=profile.hold_seconds,
            default=profile.default,
        ),
        managed_by=row.managed_by,
        revision=row.revision,
        changed_at=moment(row.changed_at),
        changed_by=row.changed_by,
    )


async def _answered(site: Site, tenant: TenantId) -> Response[TenantDetails]:
    async with site.database.reading() as connection:
        row = await tenants.one(connection, tenant)
    return Response(details_of(row), headers=tag_of(row.revision))


def _summary(publication: Publication) -> PublicationSummary:
    return PublicationSummary(
        number=publication.number,
        author=publication.author,
        comment=publication.comment,
        made_at=moment(publication.made_at),
        is_removal=publication.document is None,
    )
