"""Users: who has an account, and what it lets them do."""

from typing import Any

from litestar import Controller, Response, get, post
from litestar.response import Redirect

from router.admin.handed import NumberInPath, TheSite
from router.admin.pages.front import Blank, TheVisit, Visit
from router.admin.pages.labels import ROLES
from router.admin.pages.languages import LANGUAGES
from router.admin.pages.told import refusal_told
from router.admin.site import Site
from router.core.identities import TenantId
from router.core.roles import Permission, Role, is_at_most, reaches
from router.records import tenants, users
from router.records.accounts import Seen
from router.records.errors import Conflict, NotFound, Outdated
from router.records.users import User

NOBODY_ELSE = "Choose one of the roles that are offered."
CHANGED = (
    "{name} was changed meanwhile, so nothing was saved. The role is {role} now, and the pages are in "
    "{language}. What you chose is below; press the button again to put it in the place of that."
)
LANGUAGE_OF_BROWSER = "The browser's"
DONE = {
    "role": "The role is changed. What the user had open has ended.",
    "saved": "Saved.",
}
TEXTS = (NOBODY_ELSE, CHANGED, LANGUAGE_OF_BROWSER, *DONE.values())
"""For the test that each of them is translated."""
SEEN_ROLE, SEEN_LANGUAGE = "seen.role", "seen.language"
"""The fields with what a row's form was loaded with."""


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
        """Its role and language, whether it may sign in, or its password."""
        found = await _found(site, visit, user)
        actor, fields = visit.identity.actor, visit.fields
        try:
            match fields["intent"]:
                case "save":
                    return await _save(site, visit, found)
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


async def _save(site: Site, visit: Visit, user: User) -> Response[Any]:
    """The role and the language; a role that stays ends nothing. Raises Conflict."""
    fields, seen = visit.fields, _seen(visit)
    role = role_given(visit, fields["role"]) if fields["role"] else user.role
    if role is None or seen is None:
        return await _page(site, visit, {"": visit.reader.language.text(NOBODY_ELSE)}, opened=user.id)
    language = fields["language"] if fields["language"] != seen.language else None
    new_role = role if role is not seen.role else None
    try:
        await site.accounts.change_user(
            user.id, visit.identity.actor, role=new_role, language=language, seen=seen
        )
    except Outdated:
        return await _beside_theirs(site, visit, user.id)
    except Conflict as error:
        told = refusal_told(error, visit.reader.language)
        return await _page(site, visit, {"": told}, opened=user.id)
    return _back("role" if new_role else "saved")


def _seen(visit: Visit) -> Seen | None:
    """None for a form that does not tell: no page of ours sends it."""
    role = visit.fields[SEEN_ROLE]
    return Seen(Role(role), visit.fields[SEEN_LANGUAGE]) if role in list(Role) else None


async def _beside_theirs(site: Site, visit: Visit, id_: int) -> Response[Any]:
    """What was chosen, and what somebody else saved meanwhile."""
    language = visit.reader.language
    async with site.database.reading() as connection:
        latest = await users.one(connection, id_)
    told = language.filled(
        CHANGED,
        name=latest.name,
        role=language.text(ROLES[latest.role]),
        language=LANGUAGES.get(latest.language, language.text(LANGUAGE_OF_BROWSER)),
    )
    return await _page(site, visit, {"": told}, 409, opened=id_)


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


async def _page(
    site: Site,
    visit: Visit,
    wrong: dict[str, str] | None = None,
    status: int = 422,
    opened: int | None = None,
) -> Response[Any]:
    """`status` is that of an answer with something wrong; `opened`: whose row keeps what was chosen."""
    async with site.database.reading() as connection:
        listed = await users.every(connection, visit.identity.tenant)
        known = await tenants.every(connection) if visit.reader.is_provider else []
    offered = {role: text for role, text in ROLES.items() if is_at_most(role, visit.identity.role)}
    return visit.answer(
        "users.html",
        status if wrong else 200,
        users=listed,
        own=visit.identity.user,
        offered=offered,
        tenants=[row.id for row in known],
        needs_no_password=_needs_no_password(site),
        page_languages={"": visit.reader.language.text(LANGUAGE_OF_BROWSER), **LANGUAGES},
        opened=opened,
        done="" if wrong else visit.reader.language.text(DONE.get(visit.query.get("done", ""), "")),
        fields=visit.fields if opened is None else Blank(),
        chosen=visit.fields,
        wrong=Blank(wrong or {}),
    )


def _back(done: str = "") -> Response[Any]:
    return Redirect("/users", query_params={"done": done} if done else None, status_code=303)
