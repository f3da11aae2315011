"""Two strict SugarCRMs: the v4_1 service with its positional arguments and SQL, and the v11 API."""

import re
from dataclasses import replace
from hashlib import md5
from html import escape
from typing import Any

import msgspec
from aiohttp import web

from tests.crms.people import Logged, Person
from tests.crms.rig import CrmRig
from tests.crms.server import Refused, StrictCrm

USER, PASSWORD = "router", "canary-password"
COMMON = {
    "id": "id",
    "name": "name",
    "date_modified": "datetime",
    "tier_c": "enum",
    "account_no_c": "varchar",
}
PERSONAL = {
    **COMMON, "first_name": "varchar", "last_name": "varchar", "phone_work": "phone", "phone_mobile": "phone",
    "phone_home": "phone", "phone_other": "phone", "assistant_phone": "phone", "vip_c": "bool", "seats_c": "int",
    "renewal_c": "date", "account_name": "relate",
}  # fmt: skip
FIELDS = {
    "Contacts": PERSONAL,
    "Leads": PERSONAL,
    "Accounts": {**COMMON, "phone_office": "phone", "phone_alternate": "phone"},
    "Calls": {"id": "id", "name": "name", "date_modified": "datetime", "description": "text"},
}
KINDS = {"Contacts": "contact", "Leads": "lead", "Accounts": "company"}
LITERAL = r"'(?:[^'\\]|''|\\\\)*'"
CONDITION = re.compile(
    rf"(?P<table>[a-z]+)(?P<custom>_cstm)?\.(?P<field>\w+) (?P<operator>=|LIKE) (?P<value>{LITERAL})"
)


def values_of(module: str, person: Person, company: str) -> dict[str, Any]:
    """As the database has them."""
    phones = (
        {"phone_office": person.phone}
        if module == "Accounts"
        else {"phone_work": person.phone, "phone_mobile": person.mobile}
    )
    return {
        "id": f"00000000-0000-0000-0000-{person.key:012d}", "name": person.name, "first_name": person.first,
        "last_name": person.last, "tier_c": person.tier or "", "account_no_c": person.account_no,
        "vip_c": bool(person.vip), "seats_c": person.seats, "renewal_c": person.renewal or "", "account_name": company,
        "date_modified": person.changed, **phones,
    }  # fmt: skip


class Sugar(StrictCrm):
    slug = "sugarcrm"

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[str, dict[str, Any]] = {}
        self.links: list[tuple[str, str, str]] = []
        self.made: list[dict[str, Any]] = []

    def row(self, module: str, person: Person) -> dict[str, Any]:
        return values_of(module, person, self.person(person.company).name if person.company else "")

    def logged(self) -> list[Logged]:
        linked = {call: int(record[-12:]) for call, _, record in self.links}
        return [
            Logged(
                subject=call["description"].partition("\n")[0],
                text=call["description"],
                person=linked.get(id_),
                seconds=(int(call["duration_hours"]) * 60 + int(call["duration_minutes"])) * 60,
                direction=call["direction"].lower(),
                is_answered=call["status"] == "Held",
                started=call["date_start"],
            )
            for id_, call in self.calls.items()
        ]


class SugarLegacy(Sugar):
    ARGUMENTS = {
        "login": ("user_auth", "application_name", "name_value_list"),
        "get_user_id": ("session",),
        "get_available_modules": ("session", "filter"),
        "get_module_fields": ("session", "module_name", "fields"),
        "get_entry_list": (
            "session", "module_name", "query", "order_by", "offset", "select_fields", "link_name_to_fields_array",
            "max_results", "deleted", "favorites",
        ),
        "set_entry": ("session", "module_name", "name_value_list"),
        "set_relationship": (
            "session", "module_name", "module_id", "link_field_name", "related_ids", "name_value_list", "delete",
        ),
    }  # fmt: skip

    def is_sign_in_body(self, query: str, body: str) -> bool:
        return body.startswith("method=login&")

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/service/v4_1/rest.php", self.serve)]

    def throttled(self) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "1"})

    def down(self) -> web.Response:
        return web.Response(status=500)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        method = str(form["method"])
        if (form["input_type"], form["response_type"]) != ("JSON", "JSON") or method not in self.ARGUMENTS:
            return self.fails("-1", "Access Denied")
        values = list(msgspec.json.decode(str(form["rest_data"])).values())
        if len(values) != len(self.ARGUMENTS[method]):
            return web.Response(status=500)  # a missing argument in the middle ends PHP
        arguments = dict(zip(self.ARGUMENTS[method], values, strict=True))
        if method != "login" and not self.tokens.is_alive(arguments["session"]):
            return self.fails(10 if method == "get_available_modules" else 11, "Invalid Session ID")
        answer: web.Response = getattr(self, f"do_{method}")(arguments)
        return answer

    def fails(self, number: int | str, description: str) -> web.Response:
        return web.json_response({"name": description, "number": number, "description": description})

    def do_login(self, arguments: dict[str, Any]) -> web.Response:
        auth = arguments["user_auth"]
        if (auth["user_name"], auth["password"]) != (USER, md5(PASSWORD.encode()).hexdigest()):
            return self.fails(10, "Login attempt failed please check the username and password")
        return web.json_response(
            {"id": self.tokens.issue(), "name_value_list": {"user_id": {"name": "user_id", "value": "1"}}}
        )

    def do_get_user_id(self, _: dict[str, Any]) -> web.Response:
        return web.json_response("1")

    def do_get_available_modules(self, _: dict[str, Any]) -> web.Response:
        return web.json_response(
            {"modules": [{"module_key": name, "module_label": name, "acls": []} for name in KINDS]}
        )

    def do_get_module_fields(self, arguments: dict[str, Any]) -> web.Response:
        module = arguments["module_name"]
        if module not in FIELDS:
            return self.fails(20, "Module Does Not Exist")
        tiers = {tier: {"name": tier, "value": tier} for tier in ("Gold", "Silver", "Bronze")}
        fields = {
            name: {
                "name": name,
                "type": type_,
                "label": f"{name.title()}:",
                "options": tiers if type_ == "enum" else [],
            }
            for name, type_ in FIELDS[module].items()
        }
        return web.json_response({"module_name": module, "module_fields": fields, "link_fields": []})

    def do_get_entry_list(self, arguments: dict[str, Any]) -> web.Response:
        module, query = arguments["module_name"], arguments["query"]
        if module not in FIELDS:
            return self.fails(20, "Module Does Not Exist")
        conditions = []
        for part in re.split(r" OR (?=[a-z]+(?:_cstm)?\.)", query):
            parsed = CONDITION.fullmatch(part)
            table = "_cstm" if parsed and parsed["field"].endswith("_c") else None
            if (
                parsed is None
                or parsed["table"] != module.lower()
                or parsed["custom"] != table
                or parsed["field"] not in FIELDS[module]
            ):
                return web.Response(
                    text="Database failure. Please refer to sugarcrm.log for details.",
                    content_type="text/html",
                )
            value = re.sub(r"''|\\\\", lambda sign: sign[0][0], parsed["value"][1:-1])
            conditions.append((parsed["field"], parsed["operator"], value))
        if module == "Calls":
            found = [{"id": id_, **call} for id_, call in self.calls.items() if id_ == conditions[0][2]]
        else:
            rows = [self.row(module, person) for person in self.of_kind(KINDS[module])]
            found = [row for row in rows if any(self.holds(row, *condition) for condition in conditions)]
        found.sort(key=lambda row: str(row["date_modified"]) if "date_modified" in row else "", reverse=True)
        entries = [self.entry(module, row, arguments["select_fields"]) for row in found]
        return web.json_response(
            {"result_count": len(entries), "entry_list": entries, "relationship_list": []}
        )

    def holds(self, row: dict[str, Any], field: str, operator: str, value: str) -> bool:
        stored = str(row.get(field) or "")
        if operator == "=":
            return stored.casefold() == value.casefold()
        pattern = "".join(".*" if sign == "%" else "." if sign == "_" else re.escape(sign) for sign in value)
        return re.fullmatch(pattern, stored, re.IGNORECASE | re.DOTALL) is not None

    def entry(self, module: str, row: dict[str, Any], asked: list[str]) -> dict[str, Any]:
        def spelt(value: Any) -> str:
            text = "1" if value is True else "0" if value is False else "" if value is None else str(value)
            return escape(text, quote=True).replace("&amp;", "&").replace("&#x27;", "&#039;")

        listed = {name: {"name": name, "value": spelt(row[name])} for name in asked if name in row}
        return {"id": row["id"], "module_name": module, "name_value_list": listed or []}

    def do_set_entry(self, arguments: dict[str, Any]) -> web.Response:
        values = {one["name"]: one["value"] for one in arguments["name_value_list"]}
        if arguments["module_name"] == "Calls":
            if not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", values["date_start"]):
                values["date_start"] = ""
            self.calls[values["id"]] = values
            return web.json_response({"id": values["id"], "entry_list": {}})
        self.made.append(values)
        return web.json_response({"id": f"10000000-0000-0000-0000-{len(self.made):012d}", "entry_list": {}})

    def do_set_relationship(self, arguments: dict[str, Any]) -> web.Response:
        if arguments["link_field_name"] not in ("contacts", "leads"):
            return web.json_response({"created": 0, "failed": 1, "deleted": 0})
        self.links.append((arguments["module_id"], arguments["link_field_name"], arguments["related_ids"][0]))
        return web.json_response({"created": 1, "failed": 0, "deleted": 0})


class SugarRest(Sugar):
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
            web.post("/rest/v11/Calls/{id}/link", self.link),
            web.post("/rest/v11/{module}", self.insert),
        ]

    async def token(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if body.get("platform") in (None, "base", "mobile", "portal"):
            raise Refused(400, {"error": "invalid_parameter", "error_message": "platform"})
        if (body["grant_type"], body["client_id"]) != ("password", "sugar"):
            raise Refused(400, {"error": "invalid_request"})
        if (body["username"], body["password"]) != (USER, PASSWORD):
            raise Refused(
                401,
                {"error": "need_login", "error_message": "You must specify a valid username and password."},
            )
        return web.json_response(
            {"access_token": self.tokens.issue(), "expires_in": 3600, "refresh_token": "rt"}
        )

    def check(self, request: web.Request) -> None:
        if not self.tokens.is_alive(request.headers.get("OAuth-Token", "")):
            raise Refused(
                401, {"error": "invalid_grant", "error_message": "The access token provided is invalid."}
            )

    def known(self, module: str) -> dict[str, str]:
        if module not in FIELDS:
            raise Refused(404, {"error": "no_method", "error_message": "Could not find a route"})
        return FIELDS[module]

    async def me(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        return web.json_response({"current_user": {"full_name": "Router User", "user_name": USER}})

    async def metadata(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        if request.query["type_filter"] == "full_module_list":
            return web.json_response({"full_module_list": {**{name: name for name in KINDS}, "_hash": "x"}})
        module = request.query["module_filter"]
        modules = (
            {
                module: {
                    "fields": {name: {"name": name, "type": type_} for name, type_ in FIELDS[module].items()}
                }
            }
            if module in FIELDS
            else {}
        )
        return web.json_response({"modules": modules})

    async def filter(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        module, body = request.match_info["module"], await request.json()
        known = self.known(module)
        (condition,) = body["filter"]
        conditions = condition.get("$or", [condition])
        for one in conditions:
            (field,) = one
            if field not in known:
                raise Refused(422, {"error": "invalid_parameter", "error_message": f"unknown field {field}"})
        if module == "Calls":
            text = conditions[0]["description"]["$contains"]
            rows = [{"id": id_} for id_, call in self.calls.items() if text in call["description"]]
            return web.json_response({"next_offset": -1, "records": rows})
        people = [self.row(module, person) for person in self.of_kind(KINDS[module])]
        found = [row for row in people if any(self.holds(row, one) for one in conditions)]
        found.sort(key=lambda row: str(row["date_modified"]), reverse=True)
        asked = {*body["fields"].split(","), "id", "date_modified"}
        records = [{name: value for name, value in row.items() if name in asked} for row in found]
        return web.json_response({"next_offset": -1, "records": records[: body["max_num"]]})

    def holds(self, row: dict[str, Any], one: dict[str, dict[str, str]]) -> bool:
        ((field, test),) = one.items()
        ((operator, value),) = test.items()
        stored = str(row.get(field) or "")
        if operator not in ("$contains", "$equals"):
            raise Refused(422, {"error": "invalid_parameter", "error_message": operator})
        return value in stored if operator == "$contains" else value == stored

    async def insert(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        module, body = request.match_info["module"], await request.json()
        self.known(module)
        if module == "Calls":
            id_ = f"c{len(self.calls)}"
            self.calls[id_] = body
        else:
            id_ = f"10000000-0000-0000-0000-{len(self.made):012d}"
            self.made.append(body)
        return web.json_response({"id": id_, **body})

    async def link(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        body = await request.json()
        self.links.append((request.match_info["id"], body["link_name"], body["ids"][0]))
        return web.json_response({"record": {}})


def by_password(crm: Sugar) -> dict[str, Any]:
    return {"url": crm.url, "username": USER, "password": PASSWORD}


def by_rest(crm: Sugar) -> dict[str, Any]:
    return by_password(crm) | {"api": "v11"}


LEGACY_RIG = CrmRig(
    name="sugarcrm",
    slug="sugarcrm",
    make=SugarLegacy,
    settings=by_password,
    refused=lambda crm: by_password(crm) | {"password": "canary-wrong-password"},
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
    link=lambda crm: (
        f"{crm.url}/index.php?module=Contacts&action=DetailView&record=00000000-0000-0000-0000-000000000001"
    ),
)
REST_RIG = replace(
    LEGACY_RIG,
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
    link=lambda crm: f"{crm.url}/#Contacts/00000000-0000-0000-0000-000000000001",
)
RIGS = (LEGACY_RIG, REST_RIG)
