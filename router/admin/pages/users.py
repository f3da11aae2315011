"""Users: who has an account, and what it lets them do."""

from typing import Any

from litestar import Controller, Response, get, post
from litestar.response import Redirect

from router.admin.handed import NumberInPath, TheSite
from router.admin.pages.front import Blank, TheVisit, Visit
from router.admin.pages.labels import ROLES
from router.admin.pages.told import refusal_told
from router.admin.site import Site
from router.core.identities import TenantId
from router.core.roles import Permission, Role, is_at_most, reaches
from router.records import tenants, users
from router.records.errors import Conflict, NotFound
from router.records.users import User

NOBODY_ELSE = "Choose one of the roles that are offered."


class UserPages(Controller):
    path = "/users"
    include_in_schema = False

    @get()
    async def users_page(self, site: TheSite, visit: TheVisit) -> Response[Any]:
        visit.identity.require(Permission.MANAGE_USERS, visit.identity.tenant)
        return await _page(site, visit)

    @post(status_code=200)
    async def create(self, site: TheSite, visit: TheVisit) -> Response[Any]:
        visit.identity.require(Permission.MANAGE_USERS, visit.identity.tenant)
        fields = visit.fields
        if fields["intent"] == "show":
            return await _page(site, visit)
        role = role_given(visit, fields["role"])
        if role is None:
            return await _page(site, visit, {"role": visit.reader.language.text(NOBODY_ELSE)})
        tenant = None if role is Role.PROVIDER else visit.identity.tenant or TenantId(fields["tenant"])
        try:
            if tenant is not None:
                async with site.database.reading() as connection:
                    await site.require_tenant(connection, tenant)
            await site.accounts.create_user(
                fields["name"].strip(),
                role,
                tenant,
                _password(site, fields["password"]),
                visit.identity.actor,
            )
        except NotFound as error:
            return await _page(site, visit, {"tenant": refusal_told(error, visit.reader.language)})
        except Conflict as error:
            return await _page(site, visit, {"name": refusal_told(error, visit.reader.language)})
        return _back()

    @post("/{user:int}", status_code=200)
    async def change(self, site: TheSite, visit: TheVisit, user: NumberInPath) -> Response[Any]:
        """Its role, whether it may sign in, or its password."""
        found = await _found(site, visit, user)
        actor, fields = visit.identity.actor, visit.fields
        try:
            match fields["intent"]:
                case "disable" | "enable":
                    is_disabled = fields["intent"] == "disable"
                    await site.accounts.change_user(found.id, actor, is_disabled=is_disabled)
                case "password":
                    await site.accounts.set_password(found.id, fields["password"], actor)
                case "remove":
                    await site.accounts.remove_user(found.id, actor)
        except Conflict as error:
            return await _page(site, visit, {"": refusal_told(error, visit.reader.language)})
        return _back()


async def _found(site: Site, visit: Visit, user: int) -> User:
    """Whoever may be changed by this visitor. Raises NotFound, NotAllowed."""
    visit.identity.require(Permission.MANAGE_USERS, visit.identity.tenant)
    async with site.database.reading() as connection:
        found = await users.one(connection, user)
    if not reaches(visit.identity.tenant, found.tenant) or not is_at_most(found.role, visit.identity.role):
        raise NotFound(f"user {user}")
    return found


def _password(site: Site, typed: str) -> str | None:
    """None for who is to sign in at the identity provider alone."""
    return None if not typed and _needs_no_password(site) else typed


def _needs_no_password(site: Site) -> bool:
    """Whether a new user is found by name there; else there would be no way in."""
    return site.issuer is not None and site.issuer.settings.links_by_name


def role_given(visit: Visit, text: str) -> Role | None:
    """None for one that this visitor cannot give."""
    if text not in list(Role):
        return None
    role = Role(text)
    return role if is_at_most(role, visit.identity.role) else None


async def _page(site: Site, visit: Visit, wrong: dict[str, str] | None = None) -> Response[Any]:
    async with site.database.reading() as connection:
        listed = await users.every(connection, visit.identity.tenant)
        known = await tenants.every(connection) if visit.reader.is_provider else []
    offered = {role: text for role, text in ROLES.items() if is_at_most(role, visit.identity.role)}
    return visit.answer(
        "users.html",
        422 if wrong else 200,
        users=listed,
        own=visit.identity.user,
        offered=offered,
        tenants=[row.id for row in known],
        needs_no_password=_needs_no_password(site),
        fields=visit.fields,
        wrong=Blank(wrong or {}),
    )


def _back() -> Response[Any]:
    return Redirect("/users", status_code=303)
