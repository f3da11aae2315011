"""The history of calls by the API: searched page by page, and each with its trace in sentences."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from litestar import Controller, get, put
from litestar.params import FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from router.admin.api.moments import Moment, epoch, moment
from router.admin.api.pages import Limit, limited
from router.admin.api.problems import ApiError
from router.admin.handed import TextInPath, TheSite, Who
from router.admin.retaining import keep_for
from router.admin.site import Site
from router.core.briefs import brief
from router.core.decisions import Decision
from router.core.explain import Explainer, Step
from router.core.identities import TenantId
from router.core.roles import Permission
from router.core.rules import Outcome
from router.core.sentences import ENGLISH, ENGLISH_BRIEFS
from router.records import decisions, publications, retention
from router.records.decisions import Entry, Place, Search
from router.records.errors import NotFound

PLACE = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)_(\d{1,18})", re.ASCII)
Text = FromQuery[str]
After = Annotated[
    str, QueryParameter(description="The `next` of the page before, for the one after it.", max_length=40)
]


class CallSummary(Struct, frozen=True, kw_only=True):
    call: str
    parked_at: datetime
    caller: str
    """As received; empty for a withheld number."""
    called: str
    rule: str
    outcome: str
    destination: str
    ending: str
    told: str
    """Where it went and why, in one sentence."""


class CallPage(Struct, frozen=True, kw_only=True):
    calls: tuple[CallSummary, ...]
    next: str
    """For `after`; empty on the last page."""


class DecidedBy(Struct, frozen=True, kw_only=True):
    """What was in force when the call was decided."""

    publication: int
    rule_version: int | None


class Parking(Struct, frozen=True, kw_only=True):
    steps: tuple[Step, ...]
    decision: Decision
    decided_by: DecidedBy | None
    """None where it was not published from these records."""


class CallDetails(Struct, frozen=True, kw_only=True):
    call: str
    parkings: tuple[Parking, ...]
    """The call once for each time that it was parked, the first first."""


class Retention(Struct, frozen=True, forbid_unknown_fields=True):
    days: int


class CallsController(Controller):
    path = "/tenants/{tenant:str}/calls"
    tags = ("Calls",)

    @get(operation_id="searchCalls")
    async def search_calls(
        self,
        site: TheSite,
        identity: Who,
        tenant: TextInPath,
        caller: Text = "",
        called: Text = "",
        rule: Text = "",
        outcome: FromQuery[Outcome | None] = None,
        destination: Text = "",
        since: Moment = None,
        until: Moment = None,
        after: After = "",
        limit: Limit = 50,
    ) -> CallPage:
        """The newest first. A number may be typed in any form, or by its last four digits or more."""
        identity.require(Permission.SEE, TenantId(tenant))
        wanted = Search(
            tenant=TenantId(tenant),
            caller=caller,
            called=called,
            rule=rule,
            outcome=outcome,
            destination=destination,
            since=epoch(since),
            until=epoch(until),
        )
        async with site.database.reading() as connection:
            await site.require_tenant(connection, TenantId(tenant))
            page = await decisions.search(connection, wanted, place_in(after), limited(limit))
        return CallPage(calls=tuple(summary_of(entry) for entry in page.entries), next=text_of(page.next))

    @get("/{call:str}", operation_id="readCall")
    async def read_call(
        self, site: TheSite, identity: Who, tenant: TextInPath, call: TextInPath
    ) -> CallDetails:
        """Its trace, step by step, and the version of the rule that decided."""
        identity.require(Permission.SEE, TenantId(tenant))
        return CallDetails(call=call, parkings=await parkings_of(site, TenantId(tenant), call))


class RetentionController(Controller):
    path = "/tenants/{tenant:str}/retention"
    tags = ("Calls",)

    @get(operation_id="readRetention")
    async def read_retention(self, site: TheSite, identity: Who, tenant: TextInPath) -> Retention:
        """How long the tenant's calls are kept."""
        identity.require(Permission.SEE, TenantId(tenant))
        async with site.database.reading() as connection:
            return Retention(await retention.days(connection, TenantId(tenant)))

    @put(operation_id="changeRetention")
    async def change_retention(
        self, site: TheSite, identity: Who, tenant: TextInPath, data: JSONBody[Retention]
    ) -> Retention:
        """Older calls are forgotten within minutes, and do not come back."""
        identity.require(Permission.CONNECT, TenantId(tenant))
        await keep_for(site, identity, TenantId(tenant), data.days)
        return data


async def parkings_of(
    site: Site,
    tenant: TenantId,
    call: str,
    sentences: Mapping[str, str] = ENGLISH,
    told: Callable[[str], str] = str,
) -> tuple[Parking, ...]:
    """Raises NotFound."""
    async with site.database.reading() as connection:
        owner = await site.require_tenant(connection, tenant)
        found = await decisions.find_call(connection, tenant, call)
        if not found:
            raise NotFound(f"call {call}")
        explainer = Explainer(ZoneInfo(owner.profile.zone), sentences, told)
        listed = []
        for decision in found:
            published = await publications.of_digest(connection, tenant, decision.plan)
            version = published.versions.get(decision.rule) if published and decision.rule else None
            by = DecidedBy(publication=published.number, rule_version=version) if published else None
            steps = tuple(explainer.explain(decision))
            listed.append(Parking(steps=steps, decision=decision, decided_by=by))
    return tuple(listed)


def summary_of(entry: Entry, briefs: Mapping[str, str] = ENGLISH_BRIEFS) -> CallSummary:
    decision = entry.decision
    return CallSummary(
        call=decision.call_id,
        parked_at=moment(decision.parked_at),
        caller=decision.caller.e164 or decision.caller.received,
        called=decision.called,
        rule=decision.rule or "",
        outcome=decision.outcome.value if decision.outcome else "",
        destination=decision.asked_target or decision.reached_place,
        ending=decision.ending.value,
        told=brief(decision, briefs),
    )


def text_of(place: Place | None) -> str:
    return f"{place.parked_at!r}_{place.id}" if place else ""


def place_in(after: str) -> Place | None:
    """Raises ApiError for what was not given here."""
    if not after:
        return None
    found = PLACE.fullmatch(after)
    if found is None:
        raise ApiError(400, "malformed", "`after` is the `next` of a page, as it was given")
    return Place(float(found[1]), int(found[2]))
