"""A strict Sugar 7 with the API v11, and the rigs of both SugarCRMs.

Of v11 no exchange is recorded: its answers are those of SugarCRM's developer guide. A filter compares stored
text and takes `%` for an ordinary sign, values are not encoded and keep their types.
"""

import json
from dataclasses import replace
from typing import Any

from aiohttp import web

from tests.crms.rig import CrmRig
from tests.crms.server import Refused
from tests.crms.sugar_database import BEANS, FIELDS, PERSONS, Row, User, is_stored, person_id
from tests.crms.sugar_service import PASSWORD, ROUTER, SugarService

THEIR_PLATFORMS = ("base", "mobile", "portal")
OPERATORS = {"$equals": "{} = ?", "$contains": "instr({}, ?) > 0"}
SHOWN_MOST = 1000


def refused(status: int, error: str, message: str = "no") -> Refused:
    return Refused(status, {"error": error, "error_message": message})


class SugarRest(SugarService):
    """Tokens are held by user and platform: a sign-in ends the one before it on the same platform."""

    def is_sign_in(self, path: str) -> bool:
        return path == "/rest/v11/oauth2/token"

    def throttled(self) -> web.Response:
        return web.json_response({"error": "too_many_requests"}, status=429, headers={"Retry-After": "1"})

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/rest/v11/oauth2/token", self.token),
            web.get("/rest/v11/me", self.me),
            web.get("/rest/v11/metadata", self.metadata),
            web.post("/rest/v11/{module}/filter", self.filter),
            web.post("/rest/v11/{module}/{id}/link", self.link),
            web.post("/rest/v11/{module}", self.insert),
        ]

    async def token(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if body.get("platform") in (None, *THEIR_PLATFORMS):
            raise refused(400, "invalid_parameter", "platform")
        if (body["client_id"], body.get("client_secret", "")) != ("sugar", ""):
            raise refused(401, "invalid_grant", "client")
        match body["grant_type"]:
            case "password":
                user = self.users.get(body["username"])
                if user is None or body["password"] != user.password:
                    raise refused(401, "need_login", "You must specify a valid username and password.")
            case "refresh_token":
                if not self.tokens.spend_refresh(body["refresh_token"]):
                    raise refused(401, "invalid_grant", "Invalid refresh token")
                user = self.holders[body["refresh_token"]]
            case _:
                raise refused(400, "invalid_request")
        refresh = self.tokens.issue_refresh()
        self.holders[refresh] = user
        granted = {
            "access_token": self.issue_to(user),
            "expires_in": 3600,
            "token_type": "bearer",
            "scope": None,
        }
        return web.json_response({**granted, "refresh_token": refresh, "refresh_expires_in": 1_209_600})

    def user_of(self, request: web.Request) -> User:
        token = request.headers.get("OAuth-Token", "")
        user = self.holders.get(token)
        if not self.tokens.is_alive(token) or user is None:
            raise refused(401, "invalid_grant", "The access token provided is invalid.")
        return user

    def known(self, request: web.Request) -> tuple[str, User]:
        module, user = request.match_info["module"], self.user_of(request)
        if module not in FIELDS:
            raise refused(404, "no_method", "Could not find a route with 2 elements")
        if module in user.denied:
            raise refused(403, "not_authorized", f"You are not authorized to list {module}.")
        return module, user

    async def me(self, request: web.Request) -> web.StreamResponse:
        user = self.user_of(request)
        return web.json_response({"current_user": {"full_name": user.name.title(), "user_name": user.name}})

    async def metadata(self, request: web.Request) -> web.StreamResponse:
        self.user_of(request)
        if request.query["type_filter"] == "full_module_list":
            return web.json_response({"full_module_list": {**{name: name for name in FIELDS}, "_hash": "x"}})
        module = request.query["module_filter"]
        listed = {
            name: {"name": name, "type": type_, "vname": f"LBL_{name.upper()}"}
            for name, type_ in FIELDS.get(module, {}).items()
        }
        listed["calls"] = {"name": "calls", "type": "link", "vname": "LBL_CALLS"}
        modules: Any = {module: {"fields": listed}} if module in FIELDS else []
        return web.json_response({"modules": modules})

    async def filter(self, request: web.Request) -> web.StreamResponse:
        module, _ = self.known(request)
        body = await request.json()
        (condition,) = body["filter"]
        tests = [self._test(module, one) for one in condition.get("$or", [condition])]
        where = " OR ".join(sql for sql, _ in tests)
        order = f"{module.lower()}.date_modified DESC"
        if body["order_by"] != "date_modified:DESC" or not 0 < body["max_num"] <= SHOWN_MOST:
            raise refused(422, "invalid_parameter", "order_by")
        found = self.database.select(module, where, [text for _, text in tests], order)
        shown = [bean for bean in found if not bean["deleted"]]
        names = [*body["fields"].split(","), "id", "date_modified"]
        records = [self._record(module, bean, names) for bean in shown[: body["max_num"]]]
        has_more = len(shown) > body["max_num"]
        return web.json_response({"next_offset": body["max_num"] if has_more else -1, "records": records})

    def _test(self, module: str, one: dict[str, dict[str, str]]) -> tuple[str, str]:
        ((field, test),) = one.items()
        ((operator, text),) = test.items()
        if operator not in OPERATORS or not is_stored(module, field):
            raise refused(422, "invalid_parameter", f"{field} {operator}")
        table = f"{module.lower()}_cstm" if field.endswith("_c") else module.lower()
        return OPERATORS[operator].format(f"{table}.{field}"), text

    def _record(self, module: str, bean: Row, names: list[str]) -> Row:
        """A field that there is not is left out."""
        shown = {name: self._typed(module, name, bean[name]) for name in names if name in bean}
        return {**shown, "_acl": {"fields": {}}, "_module": module}

    def _typed(self, module: str, name: str, raw: Any) -> Any:
        match FIELDS[module][name]:
            case "bool":
                return bool(raw)
            case "multienum":
                return json.loads(f'["{raw[1:-1]}"]'.replace("^,^", '","')) if raw else []
            case "datetime" | "datetimecombo":
                return f"{raw.replace(' ', 'T')}+00:00" if raw else ""
            case "int":
                return raw
        return raw or ""

    async def insert(self, request: web.Request) -> web.StreamResponse:
        module, _ = self.known(request)
        body = await request.json()
        if module in PERSONS and "last_name" not in body:
            raise refused(422, "missing_parameter", "last_name")
        if module == "Calls":
            body["date_start"] = body["date_start"].removesuffix("Z").replace("T", " ")
        id_ = self.database.insert(
            module, {name: value for name, value in body.items() if name in FIELDS[module]}
        )
        bean = self.database.by_id(module, id_) or {}
        return web.json_response(self._record(module, bean, list(FIELDS[module])))

    async def link(self, request: web.Request) -> web.StreamResponse:
        module, _ = self.known(request)
        body = await request.json()
        if module != "Calls" or body["link_name"] not in ("contacts", "leads"):
            raise refused(404, "not_found", f"Could not find a relationship named: {body['link_name']}")
        related = str(body["link_name"]).capitalize()
        for other in body["ids"]:
            if self.database.by_id(related, other) is None:
                raise refused(404, "not_found", f"Could not find record: {other} in module: {related}")
            self.database.link(request.match_info["id"], other)
        return web.json_response({"record": {"id": request.match_info["id"], "_module": BEANS[module]}})


def by_service(crm: SugarService) -> dict[str, Any]:
    return {"url": crm.url, "username": ROUTER.name, "password": PASSWORD}


def by_rest(crm: SugarService) -> dict[str, Any]:
    return by_service(crm) | {"api": "v11"}


SERVICE_RIG = CrmRig(
    name="sugarcrm",
    slug="sugarcrm",
    make=SugarService,
    settings=by_service,
    refused=lambda crm: by_service(crm) | {"password": "canary-wrong-password"},
    leads="Leads",
    companies="Accounts",
    tier="tier_c",
    vip="vip_c",
    seats="seats_c",
    renewal="renewal_c",
    company="account_name",
    account_no="account_no_c",
    refuses_unknown_field=False,
    values={
        "tier": "Gold",
        "vip": "1",
        "seats": "12",
        "renewal": "2026-12-01",
        "company": "Garage Dupont & Fils",
    },
    link=lambda crm: f"{crm.url}/index.php?module=Contacts&action=DetailView&record={person_id(1)}",
)
REST_RIG = replace(
    SERVICE_RIG,
    name="sugarcrm-v11",
    make=SugarRest,
    settings=by_rest,
    refused=lambda crm: by_rest(crm) | {"password": "canary-wrong-password"},
    values={
        "tier": "Gold",
        "vip": True,
        "seats": 12,
        "renewal": "2026-12-01",
        "company": "Garage Dupont & Fils",
    },
    link=lambda crm: f"{crm.url}/#Contacts/{person_id(1)}",
)
RIGS = (SERVICE_RIG, REST_RIG)
