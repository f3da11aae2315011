"""The audit: who changed what, from where, with what was there before and after."""

from datetime import UTC
from typing import Any

import msgspec
from litestar import Controller, Response, get
from msgspec import Struct

from router.admin.api.moments import moment
from router.admin.handed import TheSite
from router.admin.pages.front import TheVisit
from router.core.differences import differences
from router.core.roles import Permission
from router.records import audit
from router.records.audit import Entry

SHOWN = 100


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
        before = visit.query.get("before", "")
        last = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None
        async with site.database.reading() as connection:
            listed = await audit.read(connection, visit.identity.tenant, SHOWN + 1, last)
        entries = [Shown(entry, moment(entry.at), _told(entry)) for entry in listed[:SHOWN]]
        older = listed[SHOWN - 1].id if len(listed) > SHOWN else None
        return visit.answer("audit.html", entries=entries, older=older, utc=UTC)


def _told(entry: Entry) -> tuple[str, ...]:
    """Of a change: how before and after differ. Of anything else: what there was, or is."""
    if entry.action == "publish" and isinstance(entry.after, dict):
        return tuple(f"{name} {value}" for name, value in entry.after.items() if value)
    before, after = entry.before, entry.after
    if isinstance(after, dict) and isinstance(before, dict | None):
        return tuple(map(str, differences(before or {}, after)))
    if isinstance(before, dict) and after is None:
        return tuple(map(str, differences(before, {})))
    value = after if after is not None else before
    if isinstance(value, list):
        return tuple(map(str, value))
    return () if value is None else (_text(value),)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()[:2_000]
