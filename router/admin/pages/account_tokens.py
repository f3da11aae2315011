"""API tokens: which there are, a new one whose key is told once, and taking one back."""

from datetime import UTC
from typing import Any

from litestar import Controller, Response, get, post
from litestar.response import Redirect

from router.admin.api.moments import moment
from router.admin.handed import NumberInPath, TheSite
from router.admin.pages.front import Blank, TheVisit, Visit
from router.admin.pages.labels import ROLES
from router.admin.pages.told import refusal_told
from router.admin.pages.users import NOBODY_ELSE, role_given
from router.admin.site import Site
from router.core.identities import TenantId
from router.core.roles import Permission, Role, is_at_most, reaches
from router.records import tenants, tokens
from router.records.errors import Conflict, NotFound
from router.records.tokens import LONGEST_NAME

PATH = "/account/tokens"
DAY_SECONDS = 86_400.0
DAYS = (7, 30, 90, 365)
NAME = "A name has 1 to {most} characters, all of which show."
TENANT = "Choose one of the tenants."


class TokenPages(Controller):
    path = PATH
    include_in_schema = False

    @get()
    async def tokens_page(self, site: TheSite, visit: TheVisit) -> Response[Any]:
        visit.identity.require(Permission.MANAGE_USERS, visit.identity.tenant)
        return await _page(site, visit)

    @post(status_code=200)
    async def create(self, site: TheSite, visit: TheVisit) -> Response[Any]:
        visit.identity.require(Permission.MANAGE_USERS, visit.identity.tenant)
        if visit.fields["intent"] == "show":
            return await _page(site, visit)
        wrong = _problems(visit)
        if wrong:
            return await _page(site, visit, wrong)
        identity, fields = visit.identity, visit.fields
        role = Role(fields["role"])
        tenant = None if role is Role.PROVIDER else identity.tenant or TenantId(fields["tenant"])
        try:
            if tenant is not None:
                async with site.database.reading() as connection:
                    await site.require_tenant(connection, tenant)
            made, key = await site.accounts.create_token(
                fields["name"].strip(),
                role,
                tenant,
                int(fields["days"]) * DAY_SECONDS,
                (identity.role, identity.actor),
                user=identity.user,
            )
        except NotFound:
            return await _page(site, visit, {"tenant": visit.reader.language.text(TENANT)})
        except Conflict as error:
            return await _page(site, visit, {"name": refusal_told(error, visit.reader.language)})
        return await _page(site, visit, made=(made.name, key))

    @post("/{token:int}", status_code=303)
    async def remove(self, site: TheSite, visit: TheVisit, token: NumberInPath) -> Response[Any]:
        """It is over at once."""
        visit.identity.require(Permission.MANAGE_USERS, visit.identity.tenant)
        if visit.fields["intent"] == "remove":
            async with site.database.reading() as connection:
                found = await tokens.one(connection, token)
            if not reaches(visit.identity.tenant, found.tenant):
                raise NotFound("such token")
            await site.accounts.remove_token(token, visit.identity.actor)
        return Redirect(PATH, status_code=303)


def _problems(visit: Visit) -> dict[str, str]:
    fields, language = visit.fields, visit.reader.language
    name, wrong = fields["name"].strip(), {}
    if not name or not name.isprintable() or len(name) > LONGEST_NAME:
        wrong["name"] = language.text(NAME, most=LONGEST_NAME)
    if role_given(visit, fields["role"]) is None:
        wrong["role"] = language.text(NOBODY_ELSE)
    if fields["days"] not in map(str, DAYS):
        wrong["days"] = language.text("Choose one of these times.")
    return wrong


async def _page(
    site: Site, visit: Visit, wrong: dict[str, str] | None = None, made: tuple[str, str] | None = None
) -> Response[Any]:
    """`made`: the name of a new one and its key, which is on this page alone."""
    async with site.database.reading() as connection:
        listed = await tokens.every(connection, visit.identity.tenant)
        known = await tenants.every(connection) if visit.reader.is_provider else []
    language = visit.reader.language
    return visit.answer(
        "account-tokens.html",
        422 if wrong else 200,
        tokens=[
            (one, moment(one.ends_at), None if one.used_at is None else moment(one.used_at)) for one in listed
        ],
        now=site.clock(),
        utc=UTC,
        made=made,
        offered={role: text for role, text in ROLES.items() if is_at_most(role, visit.identity.role)},
        days=[(str(days), language.counted(days, "{count} day", "{count} days")) for days in DAYS],
        tenants=[row.id for row in known],
        fields=visit.fields if wrong else Blank(),
        wrong=Blank(wrong or {}),
    )
