"""What the pages of rules show: the list, and the form with what is wrong at its fields."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Response
from msgspec import Struct

from router.admin.api.moments import moment
from router.admin.pages import labels
from router.admin.pages.front import Blank, Visit
from router.admin.pages.languages import Language
from router.admin.pages.outdated import Theirs, revision_of
from router.admin.pages.rule_form import CUSTOM, is_group, with_greeting_defaults
from router.admin.pages.rule_lines import LINES_MOST, line_count
from router.admin.pages.rule_places import field_at
from router.admin.pages.settings_form import texts_of
from router.admin.pages.told import problem_told
from router.admin.site import Site
from router.core.identities import TenantId
from router.core.problems import Problem
from router.core.tenants import Tenant
from router.records import integrations, publications, rules
from router.records.configuration import FILES, draft_of

CUSTOM_FIRST = ("url", "method", "body", "parameters")
"""What a custom URL's form begins with; the rest is folded away."""
DIDS_MOST = 500
"""Offered in the trial."""


class Blocked(StrEnum):
    """Why what was pressed did not happen."""

    NO = ""
    INVALID = "invalid"
    """The draft is saved, and cannot be put in force."""
    OUTDATED = "outdated"
    FILES = "files"


class Draft(Struct, frozen=True):
    """The form as it is shown."""

    fields: Mapping[str, str]
    row: rules.RuleRow | None = None
    wrong: Mapping[str, str] = {}
    blocked: Blocked = Blocked.NO
    notice: str = ""
    focus: str = ""
    """The field to be in."""
    theirs: Theirs | None = None
    """What somebody else saved meanwhile; it goes with `Blocked.OUTDATED`."""


async def list_page(site: Site, visit: Visit, tenant: TenantId) -> Response[Any]:
    async with site.database.reading() as connection:
        owner = await site.require_tenant(connection, tenant)
        listed = await rules.every(connection, tenant)
    searched = visit.query.get("search", "").strip()[:80]
    wanted = searched.casefold()
    found = [row for row in listed if wanted in f"{row.name} {row.draft.field}".casefold()]
    shown = [
        {
            "row": row,
            "location": labels.LOCATIONS[row.draft.location],
            "changed_at": moment(row.changed_at),
        }
        for row in found
    ]
    return visit.answer(
        "rules.html",
        rules=shown,
        searched=searched,
        is_any=bool(listed),
        owner=owner,
        zone=ZoneInfo(owner.profile.zone),
        is_by_files=owner.managed_by == FILES,
    )


async def form_page(site: Site, visit: Visit, tenant: TenantId, draft: Draft) -> Response[Any]:
    async with site.database.reading() as connection:
        owner = await site.require_tenant(connection, tenant)
        connected = [row.document.name for row in await integrations.every(connection, tenant)]
        whole, _ = await publications.assemble(connection, tenant)
    wrong = dict(draft.wrong)
    warnings: list[str] = []
    if draft.row is not None and not wrong and not draft.blocked:
        wrong, warnings = _checked(site, visit.reader.language, whole, draft.row)
    offered = site.settings.destinations
    status = 422 if draft.wrong else 409 if draft.blocked else 200
    count = line_count(draft.fields)
    return visit.answer(
        "rule.html",
        status,
        fields=Blank(with_greeting_defaults(dict(draft.fields))),
        row=draft.row,
        revision=revision_of(draft.fields, draft.row.revision, draft.theirs) if draft.row else "",
        theirs=draft.theirs,
        zone=ZoneInfo(owner.profile.zone),
        wrong=Blank(wrong),
        warnings=warnings,
        blocked=draft.blocked.value,
        notice=draft.notice,
        focus=draft.focus,
        done=visit.query.get("done", ""),
        lines=range(count),
        groups=[number for number in range(count) if is_group(draft.fields, number)],
        has_outcomes=any(name.startswith("outcomes.") and value for name, value in draft.fields.items()),
        is_full=count >= LINES_MOST,
        kinds={kind.value: text for kind, text in labels.DESTINATIONS.items() if kind in offered},
        connected=connected,
        dids=[number.did for number in whole.numbers[:DIDS_MOST]],
        custom=site.custom_url,
        custom_first=CUSTOM_FIRST,
        is_custom_open=any(_is_further(name) for name in wrong),
        texts=texts_of(site.custom_url, is_french=visit.reader.language.is_french),
        set_=_set_in(site.secrets(tenant).shown_rule(draft.row.draft)[1]) if draft.row else (),
        owner=owner,
        is_by_files=owner.managed_by == FILES,
    )


def _is_further(field: str) -> bool:
    """Whether a field stands among the custom URL's further settings."""
    prefix, _, setting = field.partition(".")
    return prefix == CUSTOM and setting not in CUSTOM_FIRST


def _set_in(secrets: Sequence[str]) -> set[str]:
    """Those of a custom URL by the names of its settings."""
    return {name.removeprefix("source.custom.") for name in secrets}


def _checked(
    site: Site, language: Language, whole: Tenant, row: rules.RuleRow
) -> tuple[dict[str, str], list[str]]:
    """What is wrong with the draft at its fields, and what is probably not meant."""
    drafted = draft_of(whole, row.draft, row.live.name if row.live else None)
    index = next(at for at, one in enumerate(drafted.rules) if one is row.draft)
    problems = [one for one in site.check(drafted) if one.path[:2] == ("rules", index)]
    warnings = [
        problem_told(one, language, site.manifests.values()) for one in problems if one.level == "warning"
    ]
    return wrong_fields(site, language, problems, index), warnings


def wrong_fields(site: Site, language: Language, problems: Sequence[Problem], index: int) -> dict[str, str]:
    """Errors by the form's field; those of other places under the empty name."""
    wrong: dict[str, str] = {}
    for problem in problems:
        if problem.level == "error":
            told = problem_told(problem, language, site.manifests.values())
            is_own = problem.path[:2] == ("rules", index)
            wrong.setdefault(field_at(problem.path[2:]) if is_own else "", told)
    return wrong
