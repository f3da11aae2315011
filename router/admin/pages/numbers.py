"""Numbers and IVR entries: the rule that each leads to, and lists from a spreadsheet."""

from typing import Any

from litestar import Controller, Response, get, post
from litestar.response import Redirect

from router.admin.api.numbers import read_list, understood
from router.admin.handed import TextInPath, TheSite
from router.admin.pages.front import Blank, TheVisit, Visit
from router.admin.pages.told import problem_told, refusal_told
from router.admin.site import Site
from router.core.identities import RuleName, TenantId
from router.core.number_lists import NumberList, is_number
from router.core.roles import Permission
from router.core.rules import Location
from router.core.tenants import IvrEntry, Number
from router.records import numbers, rules
from router.records.configuration import FILES, Invalid
from router.records.errors import Conflict, NotFound, Outdated

SHOWN_MOST = 200
"""Rows of a preview."""
SEEN = "seen"
"""The field with what the page showed: of a row that is removed the id of its rule, of a list its digest."""


class NumberPages(Controller):
    path = "/t/{tenant:str}/numbers"
    include_in_schema = False

    @get()
    async def numbers_page(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        visit.identity.require(Permission.SEE, TenantId(tenant))
        return await _page(site, visit, TenantId(tenant))

    @post(status_code=200)
    async def change(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        """One number: added, or led to another rule; in force at once."""
        visit.identity.require(Permission.EDIT, TenantId(tenant))
        fields = visit.fields
        async with site.database.reading() as connection:
            owner = await site.require_tenant(connection, TenantId(tenant))
        written = fields.get("did", "").strip()[:40]
        if not is_number(written, owner.profile.country):
            wrong = visit.reader.language.text("Write a number that can be dialled, such as +33142345001.")
            return await _page(site, visit, TenantId(tenant), {"did": wrong})
        number = Number(
            await understood(site, TenantId(tenant), written),
            RuleName(fields["rule"]) if fields.get("rule") else None,
            fields.get("note", "").strip()[:500],
        )
        return await _put(site, visit, TenantId(tenant), [number], f"number {number.did}")

    @post("/delete", status_code=200)
    async def delete(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        visit.identity.require(Permission.EDIT, TenantId(tenant))
        did = visit.fields.get("did", "")
        try:
            publication = await site.configuration.remove_numbers(
                TenantId(tenant),
                [did],
                f"number {did} removed",
                visit.identity.actor,
                visit.fields.get(SEEN),
            )
        except Outdated as error:
            told = f"{refusal_told(error, visit.reader.language)}."
            return await _page(site, visit, TenantId(tenant), {"": told}, 409)
        except Conflict as error:
            return await _page(
                site, visit, TenantId(tenant), {"": refusal_told(error, visit.reader.language)}
            )
        await site.publisher.hand_over(publication)
        return _back(tenant)

    @post("/list", status_code=200)
    async def import_list(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        """A preview first; with `intent=import` all of it is put in force, as the preview showed it."""
        visit.identity.require(Permission.EDIT, TenantId(tenant))
        text = visit.fields.get("text", "")
        listed = await read_list(site, TenantId(tenant), text)
        if visit.fields.get("intent") != "import" or listed.problems or not listed.changing:
            return _preview(visit, text, listed)
        if visit.fields.get(SEEN) != listed.digest:
            return _preview(visit, text, listed, is_another=True)
        return await _put_list(site, visit, TenantId(tenant), text, listed)

    @post("/undo", status_code=200)
    async def undo(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        """Take back what a list did; numbers that were changed since stay as they are."""
        visit.identity.require(Permission.EDIT, TenantId(tenant))
        text = visit.fields["publication"]
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        try:
            undo, publication = await site.configuration.undo_numbers(
                TenantId(tenant), number, visit.identity.actor
            )
        except Invalid as error:
            told = problem_told(error.problems[0], visit.reader.language, site.manifests.values())
            return await _page(site, visit, TenantId(tenant), {"": told})
        except (Conflict, NotFound) as error:
            return await _page(
                site, visit, TenantId(tenant), {"": f"{refusal_told(error, visit.reader.language)}."}
            )
        await site.publisher.hand_over(publication)
        told = f"undone={len(undo.put) + len(undo.removed)}&left={len(undo.left)}"
        return Redirect(f"/t/{tenant}/numbers?{told}", status_code=303)

    @post("/entries", status_code=200)
    async def change_entry(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        visit.identity.require(Permission.EDIT, TenantId(tenant))
        fields = visit.fields
        name, rule = fields.get("name", "").strip()[:40], RuleName(fields.get("rule", ""))
        entry = IvrEntry(name, rule, fields.get("note", "").strip()[:500])
        try:
            publication = await site.configuration.put_entry(TenantId(tenant), entry, visit.identity.actor)
        except Invalid as error:
            told = problem_told(error.problems[0], visit.reader.language, site.manifests.values())
            return await _page(site, visit, TenantId(tenant), {"name": told})
        except (Conflict, NotFound) as error:
            return await _page(
                site, visit, TenantId(tenant), {"name": refusal_told(error, visit.reader.language)}
            )
        await site.publisher.hand_over(publication)
        return _back(tenant)

    @post("/entries/delete", status_code=200)
    async def delete_entry(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        visit.identity.require(Permission.EDIT, TenantId(tenant))
        try:
            publication = await site.configuration.remove_entry(
                TenantId(tenant), visit.fields.get("name", ""), visit.identity.actor, visit.fields.get(SEEN)
            )
        except Outdated as error:
            told = f"{refusal_told(error, visit.reader.language)}."
            return await _page(site, visit, TenantId(tenant), {"": told}, 409)
        except Conflict as error:
            return await _page(
                site, visit, TenantId(tenant), {"": refusal_told(error, visit.reader.language)}
            )
        await site.publisher.hand_over(publication)
        return _back(tenant)


def _preview(visit: Visit, text: str, listed: NumberList, *, is_another: bool = False) -> Response[Any]:
    """`is_another` than the one that was shown, so that nothing was taken."""
    status = 409 if is_another else 200
    told = {"text": text, "listed": listed, "shown": _shown(listed), "is_another": is_another}
    return visit.answer("number-list.html", status, **told)


async def _put(
    site: Site, visit: Visit, tenant: TenantId, listed: list[Number], comment: str
) -> Response[Any]:
    try:
        publication = await site.configuration.put_numbers(tenant, listed, comment, visit.identity.actor)
    except (Invalid, Conflict, NotFound) as error:
        return await _refused(site, visit, tenant, error)
    await site.publisher.hand_over(publication)
    return _back(tenant)


async def _put_list(
    site: Site, visit: Visit, tenant: TenantId, text: str, listed: NumberList
) -> Response[Any]:
    """All of it, unless somebody changes one of them at this moment."""
    comment, actor = f"{len(listed.changing)} numbers imported", visit.identity.actor
    try:
        publication = await site.configuration.put_numbers(
            tenant, listed.changing, comment, actor, listed.formers
        )
    except Outdated:
        return _preview(visit, text, await read_list(site, tenant, text), is_another=True)
    except (Invalid, Conflict, NotFound) as error:
        return await _refused(site, visit, tenant, error)
    await site.publisher.hand_over(publication)
    if publication is None:
        return _back(tenant)
    return Redirect(f"/t/{tenant}/numbers?imported={publication.number}", status_code=303)


async def _refused(
    site: Site, visit: Visit, tenant: TenantId, error: Invalid | Conflict | NotFound
) -> Response[Any]:
    language = visit.reader.language
    if isinstance(error, Invalid):
        told = problem_told(error.problems[0], language, site.manifests.values())
    else:
        told = refusal_told(error, language)
    return await _page(site, visit, tenant, {"did": told})


async def _page(
    site: Site, visit: Visit, tenant: TenantId, wrong: dict[str, str] | None = None, status: int = 422
) -> Response[Any]:
    """`status` is that of an answer with something wrong."""
    async with site.database.reading() as connection:
        owner = await site.require_tenant(connection, tenant)
        listed = await numbers.every_number(connection, tenant)
        entries = await numbers.every_entry(connection, tenant)
        known = await rules.every(connection, tenant)
    searched = visit.query.get("search", "").strip()[:80]
    wanted = searched.casefold()
    found = [row for row in listed if wanted in f"{row.did} {row.rule_name or ''} {row.note}".casefold()]
    return visit.answer(
        "numbers.html",
        status if wrong else 200,
        numbers=found,
        is_any=bool(listed),
        entries=entries,
        rules={location: _names(known, location) for location in Location},
        Location=Location,
        searched=searched,
        imported=_count(visit, "imported"),
        undone=_count(visit, "undone"),
        left=_count(visit, "left"),
        wrong=Blank(wrong or {}),
        fields=visit.fields,
        owner=owner,
        is_by_files=owner.managed_by == FILES,
    )


def _count(visit: Visit, name: str) -> int | None:
    text = visit.query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _names(known: list[rules.RuleRow], location: Location) -> list[str]:
    """Of the rules in force: no other can be led to."""
    return [row.name for row in known if row.live is not None and row.live.location is location]


def _shown(listed: NumberList) -> list[Any]:
    changing = [row for row in listed.rows if row.change.value != "same"]
    return changing[:SHOWN_MOST]


def _back(tenant: str) -> Response[Any]:
    return Redirect(f"/t/{tenant}/numbers", status_code=303)
