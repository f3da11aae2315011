"""Routing: the list of rules, the rule form with its trial beside it, and a rule's versions."""

from typing import Any
from zoneinfo import ZoneInfo

from litestar import Controller, Response, get, post
from litestar.response import Redirect

from router.admin.api.moments import moment
from router.admin.api.problems import ApiError
from router.admin.handed import NumberInPath, TextInPath, TheSite
from router.admin.pages.front import TheVisit, Visit
from router.admin.pages.languages import Language
from router.admin.pages.outdated import REVISION, is_outdated, theirs
from router.admin.pages.picking import picked
from router.admin.pages.rule_form import CUSTOM, fields_of, rule_of
from router.admin.pages.rule_lines import arranged, with_lines
from router.admin.pages.rule_pages import Blocked, Draft, form_page, list_page, wrong_fields
from router.admin.pages.settings_form import settings_fields
from router.admin.pages.told import WordingOf, difference_told, refusal_told
from router.admin.pages.trying import tried
from router.admin.site import Site
from router.core.differences import differences
from router.core.identities import TenantId
from router.core.roles import Permission
from router.core.rules import Rule
from router.records import rules
from router.records.configuration import Invalid, ManagedByFiles
from router.records.errors import Conflict, Outdated, StillUsed

NEW: dict[str, str] = {
    "location": "did",
    "type": "auto",
    "several": "agreeing",
    "source": "",
    "default.destination": "queue",
    "lines": "0",
}


class RoutingPages(Controller):
    path = "/t/{tenant:str}/routing"
    include_in_schema = False

    @get()
    async def rules_page(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        visit.identity.require(Permission.SEE, TenantId(tenant))
        return await list_page(site, visit, TenantId(tenant))

    @get("/new")
    async def new_page(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        visit.identity.require(Permission.EDIT, TenantId(tenant))
        fields = with_lines(NEW | settings_fields({}, site.custom_url, CUSTOM), [None])
        return await form_page(site, visit, TenantId(tenant), Draft(fields))

    @post("/new", status_code=200)
    async def create(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        visit.identity.require(Permission.EDIT, TenantId(tenant))
        return await _pressed(site, visit, TenantId(tenant), None)

    @get("/{rule:int}")
    async def rule_page(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, rule: NumberInPath
    ) -> Response[Any]:
        visit.identity.require(Permission.SEE, TenantId(tenant))
        row = await _row(site, TenantId(tenant), rule)
        shown, _ = site.secrets(TenantId(tenant)).shown_rule(row.draft)
        return await form_page(site, visit, TenantId(tenant), Draft(fields_of(shown, site.custom_url), row))

    @post("/{rule:int}", status_code=200)
    async def change(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, rule: NumberInPath
    ) -> Response[Any]:
        visit.identity.require(Permission.EDIT, TenantId(tenant))
        return await _pressed(site, visit, TenantId(tenant), await _row(site, TenantId(tenant), rule))

    @post("/pick", status_code=200)
    async def pick(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        """What the form offers to choose from, as it stands."""
        visit.identity.require(Permission.EDIT, TenantId(tenant))
        return await picked(site, visit, TenantId(tenant))

    @post("/try", status_code=200)
    async def try_new(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        """What the form would decide as it stands; nothing is saved."""
        visit.identity.require(Permission.TRY, TenantId(tenant))
        return await tried(site, visit, TenantId(tenant), None)

    @post("/{rule:int}/try", status_code=200)
    async def try_rule(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, rule: NumberInPath
    ) -> Response[Any]:
        visit.identity.require(Permission.TRY, TenantId(tenant))
        return await tried(site, visit, TenantId(tenant), await _row(site, TenantId(tenant), rule))

    @post("/{rule:int}/duplicate", status_code=303)
    async def duplicate(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, rule: NumberInPath
    ) -> Response[Any]:
        visit.identity.require(Permission.EDIT, TenantId(tenant))
        secrets = site.secrets(TenantId(tenant))
        id_ = await site.configuration.duplicate_rule(
            TenantId(tenant), rule, visit.identity.actor, secrets.copied_rule
        )
        return Redirect(f"/t/{tenant}/routing/{id_}", status_code=303)

    @get("/{rule:int}/delete")
    async def ask_before_deleting(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, rule: NumberInPath
    ) -> Response[Any]:
        visit.identity.require(Permission.EDIT, TenantId(tenant))
        return visit.answer("delete-rule.html", row=await _row(site, TenantId(tenant), rule))

    @post("/{rule:int}/delete", status_code=200)
    async def delete(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, rule: NumberInPath
    ) -> Response[Any]:
        visit.identity.require(Permission.EDIT, TenantId(tenant))
        try:
            publication = await site.configuration.remove_rule(TenantId(tenant), rule, visit.identity.actor)
        except StillUsed:
            row = await _row(site, TenantId(tenant), rule)
            return visit.answer("delete-rule.html", 409, row=row)
        await site.publisher.hand_over(publication)
        return Redirect(f"/t/{tenant}/routing", status_code=303)

    @get("/{rule:int}/versions")
    async def versions_page(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, rule: NumberInPath
    ) -> Response[Any]:
        visit.identity.require(Permission.SEE, TenantId(tenant))
        async with site.database.reading() as connection:
            row = await rules.one(connection, TenantId(tenant), rule)
            listed = await rules.versions(connection, row)
        former: list[Rule | None] = [*(one.document for one in listed[1:]), None]
        language = visit.reader.language
        versions = [
            {
                "number": one.number,
                "author": one.author,
                "comment": one.comment,
                "at": moment(one.made_at),
                "differences": _differences(before, one.document, language),
            }
            for one, before in zip(listed, former, strict=True)
        ]
        return visit.answer("versions.html", row=row, versions=versions, zone=await _zone(site, tenant))

    @post("/{rule:int}/versions/{number:int}", status_code=303)
    async def roll_back(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, rule: NumberInPath, number: NumberInPath
    ) -> Response[Any]:
        visit.identity.require(Permission.PUBLISH, TenantId(tenant))
        comment = visit.fields.get("comment", "").strip()
        publication = await site.configuration.roll_back_rule(
            TenantId(tenant), rule, number, comment, visit.identity.actor
        )
        await site.publisher.hand_over(publication)
        return Redirect(f"/t/{tenant}/routing/{rule}/versions", status_code=303)


def _differences(before: Rule | None, after: Rule, language: Language) -> list[str]:
    found = differences(before, after, WordingOf(language)) if before else []
    return [difference_told(one, language) for one in found]


async def _pressed(site: Site, visit: Visit, tenant: TenantId, row: rules.RuleRow | None) -> Response[Any]:
    """What a button of the form does: lines move, the draft is saved, or it is put in force as well."""
    fields, intent, language = visit.fields, visit.fields.get("intent", "save"), visit.reader.language
    moved = arranged(fields, intent)
    if moved is not None:
        return await form_page(site, visit, tenant, Draft(moved[0], row, focus=moved[1]))
    if intent == "show":
        told = language.text("You are signed in again. Nothing is saved yet.")
        return await form_page(site, visit, tenant, Draft(fields, row, notice=told))
    read = rule_of(fields, row.draft if row else None, site.custom_url)
    if read.rule is None:
        wrong = {one.field: language.text(one.what) for one in read.problems}
        return await form_page(site, visit, tenant, Draft(fields, row, wrong=wrong))
    try:
        id_, revision = await _save(site, visit, tenant, row, read.rule)
        if intent == "publish":
            await _publish(site, visit, tenant, id_, revision)
    except Invalid as error:
        saved = await _row(site, tenant, id_)
        wrong = wrong_fields(site, language, error.problems, await _index(site, tenant, id_))
        draft = Draft(fields | {REVISION: str(revision)}, saved, wrong=wrong, blocked=Blocked.INVALID)
        return await form_page(site, visit, tenant, draft)
    except Outdated:
        return await _beside_theirs(site, visit, tenant, row.id if row else id_)
    except ManagedByFiles:
        return await form_page(site, visit, tenant, Draft(fields, row, blocked=Blocked.FILES))
    except ApiError as error:
        wrong = {"source": f"{refusal_told(error, language)}."}
        return await form_page(site, visit, tenant, Draft(fields, row, wrong=wrong))
    except Conflict as error:
        wrong = {"name": refusal_told(error, language)}
        return await form_page(site, visit, tenant, Draft(fields, row, wrong=wrong))
    done = "published" if intent == "publish" else "saved"
    return Redirect(f"/t/{tenant}/routing/{id_}?done={done}", status_code=303)


async def _beside_theirs(site: Site, visit: Visit, tenant: TenantId, id_: int) -> Response[Any]:
    """What was typed, and how it differs from what somebody else saved meanwhile."""
    latest = await _row(site, tenant, id_)
    secrets = site.secrets(tenant)
    yours = rule_of(visit.fields, latest.draft, site.custom_url).rule or latest.draft
    other = theirs(
        secrets.shown_rule(yours)[0],
        secrets.shown_rule(latest.draft)[0],
        latest.changed_by,
        latest.changed_at,
        visit.reader.language,
    )
    draft = Draft(visit.fields, latest, blocked=Blocked.OUTDATED, theirs=other)
    return await form_page(site, visit, tenant, draft)


async def _save(
    site: Site, visit: Visit, tenant: TenantId, row: rules.RuleRow | None, rule: Rule
) -> tuple[int, int]:
    """The rule's id and revision. Raises Outdated, Conflict, ApiError."""
    if row is not None and is_outdated(visit.fields, row.revision):
        raise Outdated(f"{row.changed_by} changed the rule {row.name} meanwhile")
    actor = visit.identity.actor
    rule = site.secrets(tenant).kept_rule(visit.identity, rule, row.draft if row else None)
    if row is None:
        return await site.configuration.create_rule(tenant, rule, actor), 1
    if rule == row.draft:
        return row.id, row.revision
    await site.configuration.change_rule(tenant, row.id, rule, row.revision, actor)
    return row.id, row.revision + 1


async def _publish(site: Site, visit: Visit, tenant: TenantId, id_: int, revision: int) -> None:
    """Raises Invalid, NotAllowed, Outdated."""
    visit.identity.require(Permission.PUBLISH, tenant)
    comment = visit.fields.get("comment", "").strip()[:500]
    publication = await site.configuration.publish_rule(tenant, id_, comment, revision, visit.identity.actor)
    await site.publisher.hand_over(publication)


async def _row(site: Site, tenant: TenantId, rule: int) -> rules.RuleRow:
    async with site.database.reading() as connection:
        return await rules.one(connection, tenant, rule)


async def _index(site: Site, tenant: TenantId, rule: int) -> int:
    """Where the rule stands among those in force, as a check counts them."""
    async with site.database.reading() as connection:
        listed = await rules.every(connection, tenant)
    live = [one.id for one in listed if one.live is not None or one.id == rule]
    return live.index(rule)


async def _zone(site: Site, tenant: str) -> ZoneInfo:
    async with site.database.reading() as connection:
        return ZoneInfo((await site.require_tenant(connection, TenantId(tenant))).profile.zone)
