"""A strict SuiteCRM V8: LIKE and = as the database does it, refusals as 400 with words, entities in
values.
"""

import re
from dataclasses import replace
from html import escape
from typing import Any
from uuid import UUID

from aiohttp import web

from tests.crms.people import Logged, Person
from tests.crms.rig import CrmRig
from tests.crms.server import Refused, StrictCrm

CLIENT, SECRET, USER, PASSWORD = (
    "3d55a713-12be-62ea-c814-5aaf413e1faf",
    "canary-secret",
    "router",
    "canary-password",
)
COMMON = {"name": "name", "date_modified": "datetime", "tier_c": "enum", "account_no_c": "varchar"}
PERSONAL = {
    **COMMON, "first_name": "varchar", "last_name": "varchar", "phone_work": "phone", "phone_mobile": "phone",
    "phone_home": "phone", "phone_other": "phone", "assistant_phone": "phone", "vip_c": "bool", "seats_c": "int",
    "renewal_c": "date", "account_name": "relate",
}  # fmt: skip
FIELDS = {
    "Contacts": PERSONAL,
    "Leads": PERSONAL,
    "Accounts": {**COMMON, "phone_office": "phone", "phone_alternate": "phone"},
}
KINDS = {"Contacts": "contact", "Leads": "lead", "Accounts": "company"}
BEANS = {"Contacts": "Contact", "Leads": "Lead", "Accounts": "Account"}
PARAMETER = re.compile(r"(fields|filter|page)\[(\w+)\](?:\[(\w+)\])?|sort")


def bad(detail: str) -> Refused:
    return Refused(400, {"errors": {"status": 400, "title": None, "detail": detail}})


class SuiteCrm(StrictCrm):
    slug = "suitecrm"

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[str, dict[str, Any]] = {}
        self.links: list[tuple[str, str, str]] = []
        self.made: list[dict[str, Any]] = []

    def is_sign_in(self, path: str) -> bool:
        return path == "/Api/access_token"

    def down(self) -> web.Response:
        return web.Response(status=500)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/Api/access_token", self.token),
            web.get("/Api/V8/current-user", self.user),
            web.get("/Api/V8/meta/modules", self.modules),
            web.get("/Api/V8/meta/fields/{module}", self.fields),
            web.get("/Api/V8/module/{module}", self.search),
            web.post("/Api/V8/module", self.insert),
            web.post("/Api/V8/module/Calls/{id}/relationships", self.relate),
        ]

    async def token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if form.get("client_id") != CLIENT:
            raise Refused(
                500, {"error": "unknown_error", "message": "OAuth2Clients module with id is not found"}
            )
        if form.get("client_secret") != SECRET:
            raise Refused(401, {"error": "invalid_client", "message": "Client authentication failed"})
        match form.get("grant_type"):
            case "client_credentials":
                more = {}
            case "password":
                if (form.get("username"), form.get("password")) != (USER, PASSWORD):
                    told = "The password is invalid: " + str(form.get("password"))
                    raise Refused(500, {"error": "unknown_error", "message": told})
                more = {"refresh_token": self.tokens.issue_refresh()}
            case _:
                raise Refused(400, {"error": "unsupported_grant_type"})
        return web.json_response(
            {"token_type": "Bearer", "expires_in": 3600, "access_token": self.tokens.issue(), **more}
        )

    def check(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not self.tokens.is_alive(token):
            raise Refused(401, {"error": "access_denied", "hint": "Access token has been revoked"})

    def known(self, module: str) -> dict[str, str]:
        if module not in FIELDS:
            raise bad(f"Module {module} does not exist")
        return FIELDS[module]

    async def search(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        module = request.match_info["module"]
        known = self.known(module)
        asked: dict[str, str] = {}
        conditions: dict[tuple[str, str], str] = {}
        is_any = False
        for name, value in request.query.items():
            parsed = PARAMETER.fullmatch(name)
            if parsed is None:
                raise bad(f'The option "{name}" does not exist.')
            match parsed.groups():
                case ("fields", key, None) if key == module:
                    asked = dict.fromkeys(value.split(","), "")
                case ("filter", "operator", None):
                    is_any = value == "or"
                case ("filter", field, operator) if operator:
                    conditions[field, operator] = value
        for field in asked:
            if field not in known:
                raise bad(f"The following field in {BEANS[module]} module is not found: {field}")
        for field, operator in conditions:
            if field not in known:
                raise bad(f"Filter field {field} in {BEANS[module]} module is not found")
            if operator not in ("eq", "like"):
                raise bad(f"Filter operator {operator} is invalid")
        hits = [
            person
            for person in self.of_kind(KINDS[module])
            if (any if is_any else all)(
                self.holds(module, person, *key, value) for key, value in conditions.items()
            )
        ]
        hits.sort(key=lambda person: person.changed, reverse=True)
        return self.answer({"data": [self.item(module, person, asked) for person in hits]})

    def holds(self, module: str, person: Person, field: str, operator: str, value: str) -> bool:
        stored = self.values(module, person).get(field) or ""
        if operator == "eq":
            return stored != "" and stored.casefold() == value.casefold()
        pattern = "".join(".*" if sign == "%" else "." if sign == "_" else re.escape(sign) for sign in value)
        return stored != "" and re.fullmatch(pattern, stored, re.IGNORECASE | re.DOTALL) is not None

    def values(self, module: str, person: Person) -> dict[str, str]:
        company = self.person(person.company).name if person.company else ""
        phones = (
            {"phone_office": person.phone}
            if module == "Accounts"
            else {"phone_work": person.phone, "phone_mobile": person.mobile}
        )
        return {
            "name": person.name, "first_name": person.first, "last_name": person.last,
            "date_modified": person.changed.replace("Z", "+00:00"), "tier_c": person.tier or "",
            "account_no_c": person.account_no, "vip_c": "1" if person.vip else "0",
            "seats_c": "" if person.seats is None else str(person.seats), "renewal_c": person.renewal or "",
            "account_name": company, **phones,
        }  # fmt: skip

    def item(self, module: str, person: Person, asked: dict[str, str]) -> dict[str, Any]:
        values = {
            name: escape(text, quote=True).replace("&amp;", "&").replace("&#x27;", "&#039;")
            for name, text in self.values(module, person).items()
            if name in asked
        }
        related = {"AOS_Contracts": {"links": {"related": "V8/module/x"}}}
        return {
            "type": BEANS[module],
            "id": self.id_of(person),
            "attributes": values,
            "relationships": related,
        }

    def id_of(self, person: Person) -> str:
        return f"00000000-0000-0000-0000-{person.key:012d}"

    async def user(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        return self.answer({"data": {"type": "User", "id": "1", "attributes": {"full_name": "Router User"}}})

    async def modules(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        listed = {name: {"label": name, "access": ["list", "view"]} for name in FIELDS}
        return self.answer({"data": {"attributes": listed}})

    async def fields(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        module = request.match_info["module"]
        if module not in FIELDS:
            raise bad("[SuiteCRM] [Not Allowed] The API user does not have access to this module.")
        listed = {
            name: {
                "type": type_,
                "dbType": "varchar",
                "required": False,
                "source": "custom_fields" if name.endswith("_c") else "",
            }
            for name, type_ in FIELDS[module].items()
        }
        return self.answer({"data": {"attributes": listed}})

    async def insert(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        if request.content_type not in ("application/json", "application/vnd.api+json"):
            raise bad('The required option "data" is missing.')
        data = (await request.json())["data"]
        type_, attributes = data["type"], data["attributes"]
        if type_ == "Calls":
            id_ = str(UUID(data["id"]))
            if id_ in self.calls:
                raise bad(f'Bean Calls with id "{id_}" is already exist')
            if not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", attributes["date_start"]):
                attributes["date_start"] = ""
            self.calls[id_] = attributes
        else:
            unknown = set(attributes) - set(self.known(type_))
            if unknown:
                raise bad(f"Property {unknown.pop()} in {BEANS[type_]} module is invalid")
            id_ = f"10000000-0000-0000-0000-{len(self.made):012d}"
            self.made.append({"type": type_, **attributes})
        return self.answer({"data": {"type": type_, "id": id_, "attributes": attributes}}, 201)

    async def relate(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        data = (await request.json())["data"]
        if request.match_info["id"] not in self.calls:
            raise bad("Calls module with id is not found")
        self.links.append((request.match_info["id"], data["type"], data["id"]))
        return self.answer({"meta": {"message": "linked"}}, 201)

    def answer(self, body: dict[str, Any], status: int = 200) -> web.Response:
        response = web.json_response(body, status=status)
        response.content_type = "application/vnd.api+json"
        return response

    def logged(self) -> list[Logged]:
        linked = {call: int(record[-12:]) for call, _, record in self.links}
        return [
            Logged(
                subject=call["name"],
                text=call["description"],
                person=linked.get(id_),
                seconds=(call["duration_hours"] * 60 + call["duration_minutes"]) * 60,
                direction=call["direction"].lower(),
                is_answered=call["status"] == "Held",
                started=call["date_start"],
            )
            for id_, call in self.calls.items()
        ]


def settings(crm: SuiteCrm) -> dict[str, Any]:
    return {"url": crm.url, "client_id": CLIENT, "client_secret": SECRET}


def by_password(crm: SuiteCrm) -> dict[str, Any]:
    return settings(crm) | {"grant": "password", "username": USER, "password": PASSWORD}


CLIENT_RIG = CrmRig(
    name="suitecrm",
    slug="suitecrm",
    make=SuiteCrm,
    settings=settings,
    refused=lambda crm: settings(crm) | {"client_secret": "canary-wrong-secret"},
    leads="Leads",
    companies="Accounts",
    tier="tier_c",
    vip="vip_c",
    seats="seats_c",
    renewal="renewal_c",
    company="account_name",
    account_no="account_no_c",
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
PASSWORD_RIG = replace(
    CLIENT_RIG,
    name="suitecrm-password",
    settings=by_password,
    refused=lambda crm: by_password(crm) | {"password": "canary-wrong-password"},
)
RIGS = (CLIENT_RIG, PASSWORD_RIG)
