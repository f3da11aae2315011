"""One tenant's own page: its profile, where it is changed, how long its calls are kept, what was in force."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Controller, Response, get, post
from litestar.response import Redirect

from router.admin.api.moments import moment
from router.admin.drift import FileDrift, drift_of
from router.admin.handed import NumberInPath, TextInPath, TheSite
from router.admin.pages.front import Blank, TheVisit, Visit
from router.admin.pages.labels import DESTINATIONS
from router.admin.pages.languages import Language
from router.admin.pages.outdated import REVISION, revision_of, theirs
from router.admin.pages.profiles import fields_of, profile_of, wrong_fields
from router.admin.pages.told import WordingOf, difference_told, file_problem_told, problem_told, refusal_told
from router.admin.retaining import keep_for
from router.admin.site import Site
from router.core.differences import differences
from router.core.identities import TenantId
from router.core.roles import Permission
from router.core.tenants import Tenant
from router.records import publications, retention
from router.records.configuration import FILES, PAGE, Invalid
from router.records.errors import Conflict, Outdated

PUBLICATIONS_SHOWN = 20
DIFFERENCES_MOST = 500


class TenantSettingsPages(Controller):
    path = "/t/{tenant:str}/settings"
    include_in_schema = False

    @get()
    async def settings_page(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        visit.identity.require(Permission.SEE, TenantId(tenant))
        return await _page(site, visit, TenantId(tenant))

    @post(status_code=200)
    async def change(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        """The profile; in force at once."""
        visit.identity.require(Permission.EDIT, TenantId(tenant))
        text = visit.fields[REVISION]
        revision = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
        try:
            profile = profile_of(visit.fields, TenantId(tenant))
            publication = await site.configuration.change_tenant(profile, revision, visit.identity.actor)
        except Invalid as error:
            return await _page(site, visit, TenantId(tenant), wrong_fields(error, visit.reader.language))
        except Outdated:
            return await _page(site, visit, TenantId(tenant), yours=profile)
        except Conflict as error:
            told = f"{refusal_told(error, visit.reader.language)}."
            return await _page(site, visit, TenantId(tenant), {"": told})
        await site.publisher.hand_over(publication)
        return _back(tenant, "saved")

    @post("/retention", status_code=200)
    async def keep_calls(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        visit.identity.require(Permission.CONNECT, TenantId(tenant))
        text = visit.fields["days"].strip()
        try:
            days = int(text) if text.isascii() and text.isdigit() else 0
            await keep_for(site, visit.identity, TenantId(tenant), days)
        except Conflict as error:
            return await _page(
                site, visit, TenantId(tenant), {"days": f"{refusal_told(error, visit.reader.language)}."}
            )
        return _back(tenant, "saved")

    @post("/managed-by", status_code=303)
    async def manage(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        visit.identity.require(Permission.CONNECT, TenantId(tenant))
        place = FILES if visit.fields["managed_by"] == FILES else PAGE
        await site.configuration.manage(TenantId(tenant), place, visit.identity.actor)
        return _back(tenant, "saved")

    @post("/remove", status_code=200)
    async def remove(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        """Only with its short name typed: everything in it goes."""
        visit.identity.require(Permission.MANAGE_TENANTS, None)
        if visit.fields["confirmed"].strip() != tenant:
            wrong = visit.reader.language.text("Type the tenant's short name to remove it.")
            return await _page(site, visit, TenantId(tenant), {"confirmed": wrong})
        publication = await site.configuration.remove_tenant(TenantId(tenant), visit.identity.actor)
        await site.publisher.hand_over(publication)
        return Redirect("/tenants", status_code=303)

    @get("/publications/{number:int}")
    async def publication_page(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, number: NumberInPath
    ) -> Response[Any]:
        """What it changed."""
        visit.identity.require(Permission.SEE, TenantId(tenant))
        async with site.database.reading() as connection:
            owner = await site.require_tenant(connection, TenantId(tenant))
            found = await publications.numbered(connection, TenantId(tenant), number)
            listed = await publications.history(connection, TenantId(tenant), 1, number)
            newest = await publications.in_force(connection, TenantId(tenant))
        told = differences(
            listed[0].document if listed else None, found.document, WordingOf(visit.reader.language)
        )
        return visit.answer(
            "publication.html",
            publication=found,
            at=moment(found.made_at),
            zone=ZoneInfo(owner.profile.zone),
            changes=[difference_told(one, visit.reader.language) for one in told[:DIFFERENCES_MOST]],
            more=max(len(told) - DIFFERENCES_MOST, 0),
            is_first=not listed,
            is_newest=newest is not None and newest.number == number,
            is_by_files=owner.managed_by == FILES,
        )

    @post("/publications/{number:int}", status_code=200)
    async def roll_back(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, number: NumberInPath
    ) -> Response[Any]:
        """The whole tenant as it was then, drafts and all."""
        visit.identity.require(Permission.PUBLISH, TenantId(tenant))
        visit.identity.require(Permission.CONNECT, TenantId(tenant))
        try:
            publication = await site.configuration.roll_back(TenantId(tenant), number, visit.identity.actor)
        except Invalid as error:
            told = problem_told(error.problems[0], visit.reader.language, site.manifests.values())
            return await _page(site, visit, TenantId(tenant), {"": told})
        except Conflict as error:
            return await _page(
                site, visit, TenantId(tenant), {"": f"{refusal_told(error, visit.reader.language)}."}
            )
        await site.publisher.hand_over(publication)
        return _back(tenant, "back")


async def _page(
    site: Site,
    visit: Visit,
    tenant: TenantId,
    wrong: Mapping[str, str] | None = None,
    yours: Tenant | None = None,
) -> Response[Any]:
    """`yours` is the profile that was typed where somebody else has saved another meanwhile."""
    async with site.database.reading() as connection:
        owner = await site.require_tenant(connection, tenant)
        days = await retention.days(connection, tenant)
        listed = await publications.history(connection, tenant, PUBLICATIONS_SHOWN)
        newest = await publications.in_force(connection, tenant)
    is_by_files = owner.managed_by == FILES
    typed = visit.fields if wrong or yours else {}
    shown = fields_of(owner.profile) | {"days": str(days)} | typed
    language = visit.reader.language
    in_force = newest.document if newest else None
    drift = await drift_of(site.folder, tenant, in_force, WordingOf(language)) if is_by_files else None
    other = theirs(yours, owner.profile, owner.changed_by, owner.changed_at, language) if yours else None
    kinds = {kind.value: told for kind, told in DESTINATIONS.items() if kind in site.settings.destinations}
    return visit.answer(
        "tenant-settings.html",
        409 if other else 422 if wrong else 200,
        owner=owner,
        revision=revision_of(typed, owner.revision, other),
        theirs=other,
        fields=Blank(shown),
        wrong=Blank(wrong or {}),
        kinds=kinds,
        publications=[(one, moment(one.made_at)) for one in listed],
        zone=ZoneInfo(owner.profile.zone),
        is_by_files=is_by_files,
        drift=drift,
        **_drift_told(drift, visit.reader.language),
        done=visit.query.get("done", ""),
    )


def _drift_told(drift: FileDrift | None, language: Language) -> dict[str, list[str]]:
    problems, found = (drift.problems, drift.differences) if drift else ((), ())
    return {
        "drift_problems": [file_problem_told(one, language) for one in problems],
        "drift_differences": [difference_told(one, language) for one in found],
    }


def _back(tenant: str, done: str) -> Response[Any]:
    return Redirect(f"/t/{tenant}/settings?done={done}", status_code=303)
