"""Rules by the API: drafts, versions, publishing, and what a draft would change."""

from datetime import datetime

from litestar import Controller, Response, delete, get, post, put
from litestar.params import JSONBody
from msgspec import Struct

from router.admin.api.moments import moment
from router.admin.api.problems import Place, places_of
from router.admin.api.revisions import IfMatch, revision_in, tag_of
from router.admin.handed import NumberInPath, TextInPath, TheSite, Who
from router.admin.site import Site
from router.core.differences import differences
from router.core.identities import RuleName, TenantId
from router.core.roles import Permission
from router.core.rules import Rule
from router.records import publications, rules
from router.records.configuration import draft_of
from router.records.publications import Publication


class RuleSummary(Struct, frozen=True, kw_only=True):
    id: int
    name: RuleName
    field: str
    location: str
    revision: int
    live_version: int | None
    is_changed: bool
    """Whether the draft differs from what is live."""
    used_by: tuple[str, ...]
    changed_at: datetime
    changed_by: str


class RuleDetails(RuleSummary, frozen=True, kw_only=True):
    draft: Rule
    """Without its secrets, as all rules here."""
    secrets: tuple[str, ...]
    """Those of the draft that are set."""
    live: Rule | None
    differences: tuple[str, ...]
    """What publishing the draft would change, place by place."""


class RuleChecked(Struct, frozen=True):
    """What is wrong with a draft, as it would be in force."""

    errors: tuple[Place, ...]
    warnings: tuple[Place, ...]


class VersionSummary(Struct, frozen=True, kw_only=True):
    number: int
    author: str
    comment: str
    made_at: datetime
    differences: tuple[str, ...]
    """To the version before."""


class VersionDetails(VersionSummary, frozen=True, kw_only=True):
    document: Rule


class Comment(Struct, frozen=True, forbid_unknown_fields=True):
    comment: str = ""


class Order(Struct, frozen=True, forbid_unknown_fields=True):
    ids: list[int]


class Published(Struct, frozen=True):
    """`number` None: it was in force already."""

    number: int | None
    is_handed_over: bool
    """Whether routers and workers have it at this moment; else as soon as Redis is back."""


class RulesController(Controller):
    path = "/tenants/{tenant:str}/rules"
    tags = ("Rules",)

    @get(operation_id="listRules")
    async def list_rules(self, site: TheSite, identity: Who, tenant: TextInPath) -> list[RuleSummary]:
        """Every rule, in the tenant's order."""
        identity.require(Permission.SEE, TenantId(tenant))
        async with site.database.reading() as connection:
            await site.require_tenant(connection, TenantId(tenant))
            return [summary_of(row) for row in await rules.every(connection, TenantId(tenant))]

    @post(operation_id="createRule")
    async def create_rule(
        self, site: TheSite, identity: Who, tenant: TextInPath, data: JSONBody[Rule]
    ) -> Response[RuleDetails]:
        """A draft; it decides nothing until it is published."""
        identity.require(Permission.EDIT, TenantId(tenant))
        rule = site.secrets(TenantId(tenant)).kept_rule(identity, data, None)
        id_ = await site.configuration.create_rule(TenantId(tenant), rule, identity.actor)
        return await _answered(site, TenantId(tenant), id_)

    @get("/{rule:int}", operation_id="readRule")
    async def read_rule(
        self, site: TheSite, identity: Who, tenant: TextInPath, rule: NumberInPath
    ) -> Response[RuleDetails]:
        """The draft, what is live, and how they differ."""
        identity.require(Permission.SEE, TenantId(tenant))
        return await _answered(site, TenantId(tenant), rule)

    @put("/{rule:int}", operation_id="changeRule")
    async def change_rule(
        self,
        site: TheSite,
        identity: Who,
        tenant: TextInPath,
        rule: NumberInPath,
        data: JSONBody[Rule],
        if_match: IfMatch = None,
    ) -> Response[RuleDetails]:
        """Replace the draft."""
        identity.require(Permission.EDIT, TenantId(tenant))
        revision = revision_in(if_match)
        async with site.database.reading() as connection:
            row = await rules.one(connection, TenantId(tenant), rule)
        rules.require_latest(row, revision)
        kept = site.secrets(TenantId(tenant)).kept_rule(identity, data, row.draft)
        await site.configuration.change_rule(TenantId(tenant), rule, kept, row.revision, identity.actor)
        return await _answered(site, TenantId(tenant), rule)

    @delete("/{rule:int}", operation_id="removeRule", status_code=204)
    async def remove_rule(self, site: TheSite, identity: Who, tenant: TextInPath, rule: NumberInPath) -> None:
        """With its versions; refused while a number or an IVR entry uses it."""
        identity.require(Permission.EDIT, TenantId(tenant))
        publication = await site.configuration.remove_rule(TenantId(tenant), rule, identity.actor)
        await site.publisher.hand_over(publication)

    @post("/{rule:int}/duplicate", operation_id="duplicateRule")
    async def duplicate_rule(
        self, site: TheSite, identity: Who, tenant: TextInPath, rule: NumberInPath
    ) -> Response[RuleDetails]:
        """A draft of the same under another name."""
        identity.require(Permission.EDIT, TenantId(tenant))
        secrets = site.secrets(TenantId(tenant))
        id_ = await site.configuration.duplicate_rule(
            TenantId(tenant), rule, identity.actor, secrets.copied_rule
        )
        return await _answered(site, TenantId(tenant), id_)

    @get("/{rule:int}/check", operation_id="checkRule")
    async def check_rule(
        self, site: TheSite, identity: Who, tenant: TextInPath, rule: NumberInPath
    ) -> RuleChecked:
        """What is wrong with the draft; an error would refuse its publication."""
        identity.require(Permission.SEE, TenantId(tenant))
        return await checked(site, TenantId(tenant), rule)

    @post("/{rule:int}/publish", operation_id="publishRule", status_code=200)
    async def publish_rule(
        self,
        site: TheSite,
        identity: Who,
        tenant: TextInPath,
        rule: NumberInPath,
        data: JSONBody[Comment],
        if_match: IfMatch = None,
    ) -> Published:
        """Put the draft in force."""
        identity.require(Permission.PUBLISH, TenantId(tenant))
        revision = revision_in(if_match)
        publication = await site.configuration.publish_rule(
            TenantId(tenant), rule, data.comment, revision, identity.actor
        )
        return await published(site, publication)

    @get("/{rule:int}/versions", operation_id="listRuleVersions")
    async def list_versions(
        self, site: TheSite, identity: Who, tenant: TextInPath, rule: NumberInPath
    ) -> list[VersionSummary]:
        """The newest first, each with what it changed."""
        identity.require(Permission.SEE, TenantId(tenant))
        async with site.database.reading() as connection:
            row = await rules.one(connection, TenantId(tenant), rule)
            listed = await rules.versions(connection, row)
        former = [*(one.document for one in listed[1:]), None]
        return [
            VersionSummary(
                number=one.number,
                author=one.author,
                comment=one.comment,
                made_at=moment(one.made_at),
                differences=_told(before, one.document),
            )
            for one, before in zip(listed, former, strict=True)
        ]

    @get("/{rule:int}/versions/{number:int}", operation_id="readRuleVersion")
    async def read_version(
        self, site: TheSite, identity: Who, tenant: TextInPath, rule: NumberInPath, number: NumberInPath
    ) -> VersionDetails:
        """One version, and how it differs from what is live."""
        identity.require(Permission.SEE, TenantId(tenant))
        async with site.database.reading() as connection:
            row = await rules.one(connection, TenantId(tenant), rule)
            found = await rules.version(connection, row, number)
        return VersionDetails(
            number=found.number,
            author=found.author,
            comment=found.comment,
            made_at=moment(found.made_at),
            differences=_told(row.live, found.document),
            document=site.secrets(TenantId(tenant)).shown_rule(found.document)[0],
        )

    @post("/{rule:int}/versions/{number:int}/roll-back", operation_id="rollBackRule", status_code=200)
    async def roll_back(
        self,
        site: TheSite,
        identity: Who,
        tenant: TextInPath,
        rule: NumberInPath,
        number: NumberInPath,
        data: JSONBody[Comment],
    ) -> Published:
        """Put an old version in force again, as a new one."""
        identity.require(Permission.PUBLISH, TenantId(tenant))
        publication = await site.configuration.roll_back_rule(
            TenantId(tenant), rule, number, data.comment, identity.actor
        )
        return await published(site, publication)


class RuleOrderController(Controller):
    path = "/tenants/{tenant:str}/rule-order"
    tags = ("Rules",)

    @put(operation_id="arrangeRules")
    async def arrange(
        self, site: TheSite, identity: Who, tenant: TextInPath, data: JSONBody[Order]
    ) -> Published:
        """Put the rules in another order; all of them have to be there."""
        identity.require(Permission.EDIT, TenantId(tenant))
        publication = await site.configuration.arrange_rules(TenantId(tenant), data.ids, identity.actor)
        return await published(site, publication)


async def published(site: Site, publication: Publication | None) -> Published:
    is_handed_over = await site.publisher.hand_over(publication)
    return Published(publication.number if publication else None, is_handed_over)


async def checked(site: Site, tenant: TenantId, rule: int) -> RuleChecked:
    async with site.database.reading() as connection:
        row = await rules.one(connection, tenant, rule)
        whole, _ = await publications.assemble(connection, tenant)
    former = row.live.name if row.live else None
    as_drafted = draft_of(whole, row.draft, former)
    index = next(at for at, one in enumerate(as_drafted.rules) if one is row.draft)
    own = [one for one in site.check(as_drafted) if one.path[:2] == ("rules", index)]
    of_level = {level: tuple(one for one in own if one.level == level) for level in ("error", "warning")}
    return RuleChecked(places_of(of_level["error"]), places_of(of_level["warning"]))


def summary_of(row: rules.RuleRow) -> RuleSummary:
    return RuleSummary(
        id=row.id,
        name=row.name,
        field=row.draft.field,
        location=row.draft.location.value,
        revision=row.revision,
        live_version=row.live_version,
        is_changed=row.is_changed,
        used_by=row.used_by,
        changed_at=moment(row.changed_at),
        changed_by=row.changed_by,
    )


async def _answered(site: Site, tenant: TenantId, id_: int) -> Response[RuleDetails]:
    async with site.database.reading() as connection:
        row = await rules.one(connection, tenant, id_)
    summary = summary_of(row)
    fields = {name: getattr(summary, name) for name in summary.__struct_fields__}
    shown = site.secrets(tenant).shown_rule
    draft, secrets = shown(row.draft)
    details = RuleDetails(
        **fields,
        draft=draft,
        secrets=secrets,
        live=shown(row.live)[0] if row.live else None,
        differences=_told(row.live, row.draft),
    )
    return Response(details, headers=tag_of(row.revision))


def _told(before: Rule | None, after: Rule) -> tuple[str, ...]:
    return tuple(map(str, differences(before, after))) if before else ()
