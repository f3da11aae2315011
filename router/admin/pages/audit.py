"""The audit: who changed what, from where, with what was there before and after."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

import msgspec
from litestar import Controller, Response, get
from msgspec import Struct

from router.admin.api.moments import moment
from router.admin.handed import TheSite
from router.admin.pages.calls import epoch_of
from router.admin.pages.front import Blank, TheVisit, Visit
from router.admin.pages.languages import Language
from router.admin.pages.told import WordingOf, difference_told
from router.core.differences import differences
from router.core.identities import TenantId
from router.core.roles import Permission
from router.records import audit, tenants
from router.records.audit import Entry, Wanted

SHOWN = 100
TEXT_MOST = 100
FILTERS = ("who", "what", "tenant", "since", "until")


class Shown(Struct, frozen=True):
    entry: Entry
    at: Any
    told: tuple[str, ...]
    """What it changed, place by place."""


class AuditPages(Controller):
    include_in_schema = False

    @get("/audit")
    async def audit_page(self, site: TheSite, visit: TheVisit) -> Response[Any]:
        visit.identity.require(Permission.SEE_AUDIT, visit.identity.tenant)
        query = Blank({name: text.strip()[:TEXT_MOST] for name, text in visit.query.items()})
        async with site.database.reading() as connection:
            wanted = _wanted(visit, query)
            listed = await audit.read(connection, wanted, SHOWN + 1, _number(query["before"]))
            known = await tenants.every(connection) if visit.reader.is_provider else []
        language = visit.reader.language
        entries = [Shown(entry, moment(entry.at), _told(entry, language)) for entry in listed[:SHOWN]]
        asked = {name: query[name] for name in FILTERS if query[name]}
        older = {**asked, "before": str(listed[SHOWN - 1].id)} if len(listed) > SHOWN else {}
        return visit.answer(
            "audit.html",
            entries=entries,
            older=older,
            utc=UTC,
            query=query,
            is_searched=bool(asked or query["before"]),
            tenants=[row.id for row in known],
        )


def _wanted(visit: Visit, query: Mapping[str, str]) -> Wanted:
    """What cannot be read is not asked for; the form offers nothing else."""
    tenant = visit.identity.tenant or (TenantId(query["tenant"]) if query["tenant"] else None)
    return Wanted(
        tenant=tenant,
        who=query["who"],
        what=query["what"],
        since=epoch_of(query["since"], UTC),
        until=epoch_of(query["until"], UTC),
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _told(entry: Entry, language: Language) -> tuple[str, ...]:
    """Of a change: how before and after differ. Of anything else: what there was, or is."""
    if entry.action == "publish" and isinstance(entry.after, dict):
        return tuple(f"{name} {value}" for name, value in entry.after.items() if value)
    before, after = entry.before, entry.after
    if isinstance(after, dict) and isinstance(before, dict | None):
        return _differing(before or {}, after, language)
    if isinstance(before, dict) and after is None:
        return _differing(before, {}, language)
    value = after if after is not None else before
    if isinstance(value, list):
        return tuple(map(str, value))
    return () if value is None else (_text(value),)


def _differing(before: dict[str, Any], after: dict[str, Any], language: Language) -> tuple[str, ...]:
    found = differences(before, after, WordingOf(language))
    return tuple(difference_told(one, language) for one in found)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()[:2_000]
