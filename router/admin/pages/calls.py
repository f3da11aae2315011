"""Calls: the history with its search, and a call's own page with its trace."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Controller, Response, get

from router.admin.api.calls import parkings_of, place_in, summary_of, text_of
from router.admin.api.moments import moment
from router.admin.handed import TextInPath, TheSite
from router.admin.pages import labels
from router.admin.pages.front import Blank, TheVisit, Visit
from router.admin.site import Site
from router.core.identities import TenantId
from router.core.roles import Permission
from router.core.rules import Outcome
from router.records import decisions, rules
from router.records.decisions import Page, Search

SHOWN = 50
TEXT_MOST = 120
TEXTS = ("caller", "called", "rule", "destination")


class CallPages(Controller):
    path = "/t/{tenant:str}/calls"
    include_in_schema = False

    @get()
    async def history_page(self, site: TheSite, visit: TheVisit, tenant: TextInPath) -> Response[Any]:
        visit.identity.require(Permission.SEE, TenantId(tenant))
        query = Blank({name: text.strip()[:TEXT_MOST] for name, text in visit.query.items()})
        async with site.database.reading() as connection:
            owner = await site.require_tenant(connection, TenantId(tenant))
            zone = ZoneInfo(owner.profile.zone)
            wanted = _wanted(TenantId(tenant), query, zone)
            page = await decisions.search(connection, wanted, place_in(query["after"]), SHOWN)
            names = await decisions.words(connection, TenantId(tenant), "rule")
            places = await decisions.words(connection, TenantId(tenant), "destination")
        return visit.answer(
            "calls.html",
            calls=[summary_of(entry, visit.reader.language.briefs) for entry in page.entries],
            query=query,
            is_searched=any(query[name] for name in (*TEXTS, "outcome", "since", "until", "after")),
            following=_following(query, page),
            names=names,
            places=places,
            outcomes=_outcomes(),
            zone=zone,
        )

    @get("/{call:str}")
    async def call_page(
        self, site: TheSite, visit: TheVisit, tenant: TextInPath, call: TextInPath
    ) -> Response[Any]:
        visit.identity.require(Permission.SEE, TenantId(tenant))
        language = visit.reader.language
        parkings = await parkings_of(site, TenantId(tenant), call, language.sentences, language.problem)
        return await _call(site, visit, TenantId(tenant), call, parkings)


async def _call(site: Site, visit: Visit, tenant: TenantId, call: str, parkings: Any) -> Response[Any]:
    async with site.database.reading() as connection:
        owner = await site.require_tenant(connection, tenant)
        known = {row.name: row.id for row in await rules.every(connection, tenant)}
    first = parkings[0].decision
    return visit.answer(
        "call.html",
        call=call,
        parkings=parkings,
        first=first,
        at=moment(first.parked_at),
        known=known,
        zone=ZoneInfo(owner.profile.zone),
    )


def _outcomes() -> dict[str, str]:
    return {Outcome.FOUND.value: labels.FOUND, **{key.value: text for key, text in labels.OUTCOMES.items()}}


def _wanted(tenant: TenantId, query: Mapping[str, str], zone: ZoneInfo) -> Search:
    """What cannot be read is not asked for; the form offers nothing else."""
    outcome = query["outcome"]
    texts = {name: query[name] for name in TEXTS}
    return Search(
        tenant=tenant,
        outcome=Outcome(outcome) if outcome in list(Outcome) else None,
        since=epoch_of(query["since"], zone),
        until=epoch_of(query["until"], zone),
        **texts,
    )


def epoch_of(text: str, zone: tzinfo) -> float | None:
    """Of a field of a form; None where it has no moment."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() if text else None
    except (ValueError, OverflowError):
        return None


def _following(query: Mapping[str, str], page: Page) -> dict[str, str]:
    """The query of the next page; empty after the last."""
    asked = {name: text for name, text in query.items() if text and name != "after"}
    return {**asked, "after": text_of(page.next)} if page.next else {}
