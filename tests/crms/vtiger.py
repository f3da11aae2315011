"""A strict Vtiger, open source and Cloud: VTQL read word by word, errors as 200, a challenge before the
session.
"""

import re
from dataclasses import replace
from hashlib import md5
from secrets import token_hex
from typing import Any

import msgspec
from aiohttp import web

from tests.crms.people import Logged, Person
from tests.crms.rig import CrmRig
from tests.crms.server import StrictCrm, basic

USER, KEY = "router", "canary-access-key"
PERSONAL = {
    "firstname": ("string", "First Name"), "lastname": ("string", "Last Name"), "modifiedtime": ("datetime", "Modified"),
    "phone": ("phone", "Office Phone"), "mobile": ("phone", "Mobile"), "homephone": ("phone", "Home"),
    "otherphone": ("phone", "Other"), "assistantphone": ("phone", "Assistant"), "cf_tier": ("picklist", "Tier"),
    "cf_vip": ("boolean", "VIP"), "cf_seats": ("integer", "Seats"), "cf_renewal": ("date", "Renewal"),
    "cf_account_no": ("string", "Account number"), "company": ("string", "Company"),
}  # fmt: skip
FIELDS: dict[str, dict[str, tuple[str, str]]] = {
    "Contacts": PERSONAL,
    "Leads": PERSONAL,
    "Accounts": {
        "accountname": ("string", "Name"), "modifiedtime": ("datetime", "Modified"), "phone": ("phone", "Phone"),
        "otherphone": ("phone", "Other"), "cf_tier": ("picklist", "Tier"), "cf_account_no": ("string", "Account number"),
    },
    "Events": {"subject": ("string", "Subject"), "description": ("text", "Description")},
}  # fmt: skip
KINDS = {"Contacts": "contact", "Leads": "lead", "Accounts": "company"}
PREFIXES = {"Contacts": "12", "Leads": "10", "Accounts": "11"}
NEEDED = {
    "Contacts": {"lastname"},
    "Leads": {"lastname", "company"},
    "Accounts": {"accountname"},
    "Events": {
        "subject", "date_start", "time_start", "due_date", "time_end", "duration_hours", "eventstatus", "activitytype",
    },
}  # fmt: skip
LITERAL = r"'(?:[^'\\]|''|\\\\)+'"
CONDITION = re.compile(rf"(?P<field>\w+) (?P<operator>=|like) (?P<value>{LITERAL})")
SELECT = re.compile(
    rf"select (?P<columns>\w+(?:, \w+)*) from (?P<module>\w+) "
    rf"where (?P<where>\w+ (?:=|like) {LITERAL}(?: or \w+ (?:=|like) {LITERAL})*) limit 0, \d+;"
)


class Fails(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code, self.message = code, message


class Vtiger(StrictCrm):
    slug = "vtiger"

    def __init__(self) -> None:
        super().__init__()
        self.challenge = ""
        self.events: list[dict[str, Any]] = []
        self.made: list[dict[str, Any]] = []

    def is_sign_in_body(self, query: str, body: str) -> bool:
        return "operation=getchallenge" in query or "operation=login" in body

    def throttled(self) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "1"})

    def down(self) -> web.Response:
        return web.Response(status=500)

    def routes(self) -> list[web.RouteDef]:
        cloud = "/restapi/v1/vtiger/default/{operation}"
        return [
            web.get("/webservice.php", self.serve),
            web.post("/webservice.php", self.serve),
            web.get(cloud, self.serve_cloud),
            web.post(cloud, self.serve_cloud),
        ]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        given = dict(request.query) | {name: str(value) for name, value in (await request.post()).items()}
        operation = given.get("operation", "")
        is_write = operation in ("login", "create")
        if (request.method == "POST") is not is_write:
            return self.failed("ACCESS_DENIED", "Permission to perform the operation is denied")
        try:
            if operation == "getchallenge":
                return self.done(self.new_challenge(given))
            if operation == "login":
                return self.done(self.log_in(given))
            if "sessionName" not in given:
                raise Fails("AUTHENTICATION_REQUIRED", "Authencation required")
            if not self.tokens.is_alive(given["sessionName"]):
                raise Fails("INVALID_SESSIONID", "Session Identifier provided is Invalid")
            return self.do(operation, given)
        except Fails as failed:
            return self.failed(failed.code, failed.message)

    async def serve_cloud(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != basic(USER, KEY):
            return web.json_response(
                {"success": False, "error": {"code": "AUTHENTICATION_REQUIRED"}}, status=401
            )
        given = dict(request.query) | {name: str(value) for name, value in (await request.post()).items()}
        operation = request.match_info["operation"]
        try:
            if operation == "me":
                return self.done({"id": "19x1", "user_name": USER})
            return self.do(operation, given)
        except Fails as failed:
            return self.failed(failed.code, failed.message)

    def new_challenge(self, given: dict[str, str]) -> dict[str, Any]:
        if given.get("username") != USER:
            raise Fails("ACCESS_DENIED", "username does not exists")
        self.challenge = token_hex(8)
        return {"token": self.challenge, "serverTime": 1, "expireTime": 301}

    def log_in(self, given: dict[str, str]) -> dict[str, Any]:
        if given["accessKey"] != md5(f"{self.challenge}{KEY}".encode()).hexdigest():
            raise Fails("INVALID_USER_CREDENTIALS", "Invalid username or password")
        return {
            "sessionName": self.tokens.issue(),
            "userId": "19x1",
            "version": "0.22",
            "vtigerVersion": "8.2.0",
        }

    def do(self, operation: str, given: dict[str, str]) -> web.Response:
        match operation:
            case "query":
                return self.done(self.query(given["query"]))
            case "listtypes":
                told = {name: {"label": "Organizations" if name == "Accounts" else name} for name in KINDS}
                return self.done({"types": list(KINDS), "information": told})
            case "describe":
                return self.done(self.describe(given["elementType"]))
            case "create":
                return self.done(self.create(given["elementType"], msgspec.json.decode(given["element"])))
        return web.Response(status=500)  # an unknown operation ends PHP

    def done(self, result: Any) -> web.Response:
        return web.json_response({"success": True, "result": result})

    def failed(self, code: str, message: str) -> web.Response:
        return web.json_response({"success": False, "error": {"code": code, "message": message}})

    def known(self, module: str) -> dict[str, tuple[str, str]]:
        if module not in FIELDS:
            raise Fails("ACCESS_DENIED", f"Permission to perform the operation is denied for name : {module}")
        return FIELDS[module]

    def query(self, query: str) -> list[dict[str, Any]]:
        parsed = SELECT.fullmatch(query)
        if parsed is None:
            raise Fails("QUERY_SYNTAX_ERROR", "Syntax Error")
        module, columns = parsed["module"], parsed["columns"].split(", ")
        known = self.known(module)
        conditions = [
            (one["field"], one["operator"], re.sub(r"''|\\\\", lambda sign: sign[0][0], one["value"][1:-1]))
            for one in CONDITION.finditer(parsed["where"])
        ]
        for name in (*columns, *(field for field, _, _ in conditions)):
            if name != "id" and name not in known:
                raise Fails("ACCESS_DENIED", f"Permission to access {name} attribute denied.")
        rows = (
            self.events
            if module == "Events"
            else [self.row(module, one) for one in self.of_kind(KINDS[module])]
        )
        found = [row for row in rows if any(self.holds(row, *condition) for condition in conditions)]
        return [{name: row.get(name, "") for name in dict.fromkeys(("id", *columns))} for row in found]

    def holds(self, row: dict[str, Any], field: str, operator: str, value: str) -> bool:
        stored = str(row.get(field, ""))
        if operator == "=":
            return stored.casefold() == value.casefold()
        pattern = "".join(".*" if sign == "%" else "." if sign == "_" else re.escape(sign) for sign in value)
        return re.fullmatch(pattern, stored, re.IGNORECASE | re.DOTALL) is not None

    def row(self, module: str, person: Person) -> dict[str, str]:
        return {
            "id": f"{PREFIXES[module]}x{person.key}", "firstname": person.first, "lastname": person.last,
            "accountname": person.name, "modifiedtime": person.changed, "phone": person.phone, "mobile": person.mobile,
            "cf_tier": person.tier or "", "cf_vip": "1" if person.vip else "0",
            "cf_seats": "" if person.seats is None else str(person.seats), "cf_renewal": person.renewal or "",
            "cf_account_no": person.account_no,
        }  # fmt: skip

    def describe(self, module: str) -> dict[str, Any]:
        tiers = [{"label": tier, "value": tier} for tier in ("Gold", "Silver", "Bronze")]
        fields = [
            {
                "name": name,
                "label": label,
                "type": {"name": type_, **({"picklistValues": tiers} if type_ == "picklist" else {})},
            }
            for name, (type_, label) in self.known(module).items()
        ]
        return {"fields": fields, "idPrefix": PREFIXES.get(module, "18")}

    def create(self, module: str, element: dict[str, Any]) -> dict[str, Any]:
        self.known(module)
        missing = (NEEDED[module] | {"assigned_user_id"}) - {name for name, value in element.items() if value}
        if missing:
            raise Fails("MANDATORY_FIELDS_MISSING", f"{missing.pop()} does not have a value")
        if element.get("contact_id", "12x").partition("x")[0] != "12":
            raise Fails("REFERENCE_INVALID", "Invalid reference for field")
        if module == "Events":
            made = {**element, "id": f"18x{len(self.events)}"}
            self.events.append(made)
            return made
        name = f"{element.get('firstname', '')} {element.get('lastname', '')}".strip()
        key = self.add(KINDS[module], name or element["accountname"], element.get("phone", ""))
        return {**element, "id": f"{PREFIXES[module]}x{key}"}

    def logged(self) -> list[Logged]:
        return [
            Logged(
                subject=event["subject"],
                text=event["description"],
                person=linked_person(event),
                seconds=(int(event["duration_hours"]) * 60 + int(event["duration_minutes"])) * 60,
                is_answered=event["eventstatus"] == "Held",
                started=f"{event['date_start']} {event['time_start']}",
            )
            for event in self.events
        ]


def linked_person(event: dict[str, Any]) -> int | None:
    link = event.get("contact_id") or event.get("parent_id")
    return int(link.partition("x")[2]) if link else None


def open_source(crm: Vtiger) -> dict[str, Any]:
    return {"url": crm.url, "username": USER, "access_key": KEY}


def cloud(crm: Vtiger) -> dict[str, Any]:
    return open_source(crm) | {"edition": "cloud"}


OPEN_RIG = CrmRig(
    name="vtiger",
    slug="vtiger",
    make=Vtiger,
    settings=open_source,
    refused=lambda crm: open_source(crm) | {"access_key": "canary-wrong-key"},
    leads="Leads",
    companies="Accounts",
    tier="cf_tier",
    vip="cf_vip",
    seats="cf_seats",
    renewal="cf_renewal",
    account_no="cf_account_no",
    unknown_field="cf_teir",
    values={"tier": "Gold", "vip": "1", "seats": "12", "renewal": "2026-12-01"},
    link=lambda crm: f"{crm.url}/index.php?module=Contacts&view=Detail&record=1",
)
CLOUD_RIG = replace(
    OPEN_RIG,
    name="vtiger-cloud",
    settings=cloud,
    refused=lambda crm: cloud(crm) | {"access_key": "canary-wrong-key"},
    signs_in=False,
)
RIGS = (OPEN_RIG, CLOUD_RIG)
