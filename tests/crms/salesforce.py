"""A strict Salesforce: My Domain tokens, SOSL and SOQL parsed word by word, errors as arrays of codes.

It knows the fields of its three modules and refuses any other as Salesforce does, treats a phone search as an
index that ignores punctuation, and compares in SOQL what is stored, letter by letter.
"""

import re
from dataclasses import replace
from typing import Any

from aiohttp import web

from tests.crms.consent import Consent
from tests.crms.people import Logged, Person
from tests.crms.rig import CrmRig
from tests.crms.server import Refused, StrictCrm
from workers.connectors.steps import Grant
from workers.secrets import Secret

CLIENT, SECRET = "consumer-key", "canary-consumer-secret"
PICKLIST = [{"value": tier, "label": tier, "active": True} for tier in ("Gold", "Silver", "Bronze")]
COMMON = {
    "Id": ("id", "Record ID"), "Name": ("string", "Name"), "LastModifiedDate": ("datetime", "Last Modified"),
    "Phone": ("phone", "Phone"), "Tier__c": ("picklist", "Tier"), "Account_No__c": ("string", "Account number"),
}  # fmt: skip
PERSONAL = {
    **COMMON,
    "MobilePhone": ("phone", "Mobile"),
    "VIP__c": ("boolean", "VIP"),
    "Seats__c": ("double", "Seats"),
}
FIELDS: dict[str, dict[str, tuple[str, str]]] = {
    "Contact": {
        **PERSONAL, "Renewal__c": ("date", "Renewal"), "AccountId": ("reference", "Account ID"),
        "HomePhone": ("phone", "Home"), "OtherPhone": ("phone", "Other"), "AssistantPhone": ("phone", "Assistant"),
        "Account.Name": ("string", "Account Name"),
    },
    "Lead": {**PERSONAL, "IsConverted": ("boolean", "Converted")},
    "Account": {**COMMON},
    "Task": {"Id": ("id", "Record ID"), "CallObject": ("string", "Call Object"),
             "LastModifiedDate": ("datetime", "Last Modified")},
}  # fmt: skip
KINDS = {"Contact": "contact", "Lead": "lead", "Account": "company"}
NAME = r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)?"
LITERAL = r"'(?:[^'\\]|\\[\\'\"nrtbf])*'"
IN = rf"{NAME} IN \({LITERAL}(?:, {LITERAL})*\)"
SELECT = re.compile(
    rf"SELECT (?P<columns>{NAME}(?:, {NAME})*) FROM (?P<module>\w+) WHERE \((?P<where>{IN}(?: OR {IN})*)\)"
    r"(?P<more> AND IsConverted = false)? ORDER BY LastModifiedDate DESC LIMIT \d+"
)
FIND = re.compile(r"FIND \{(?P<term>[0-9A-Z ]{2,})\} IN PHONE FIELDS RETURNING (?P<returning>.+)")
RETURNED = re.compile(
    rf"(?P<module>\w+)\((?P<columns>{NAME}(?:, {NAME})*)(?P<more> WHERE IsConverted = false)? LIMIT \d+\)(?:, |$)"
)


def error(status: int, code: str, message: str = "no") -> Refused:
    return Refused(status, [{"message": message, "errorCode": code}])


class Salesforce(StrictCrm):
    slug = "salesforce"

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[dict[str, Any]] = []
        self.made: list[dict[str, Any]] = []
        self.consent = Consent(CLIENT)

    def is_sign_in(self, path: str) -> bool:
        return path.startswith("/services/oauth2/")

    def throttled(self) -> web.Response:
        return web.json_response(
            [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}], status=403
        )

    def down(self) -> web.Response:
        return web.json_response(
            [{"message": "An unexpected error occurred", "errorCode": "UNKNOWN"}], status=500
        )

    def routes(self) -> list[web.RouteDef]:
        data = "/services/data/v62.0"
        return [
            web.get("/services/oauth2/authorize", self.consent.page),
            web.post("/services/oauth2/token", self.token),
            web.get(f"{data}/search", self.search),
            web.get(f"{data}/query", self.query),
            web.get(f"{data}/limits", self.limits),
            web.get(f"{data}/sobjects", self.sobjects),
            web.get(f"{data}/sobjects/{{module}}/describe", self.describe),
            web.post(f"{data}/sobjects/{{module}}", self.insert),
        ]

    async def token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if form.get("client_id") != CLIENT or form.get("client_secret") != SECRET:
            raise Refused(400, {"error": "invalid_client", "error_description": "invalid client credentials"})
        body = {"instance_url": self.url, "token_type": "Bearer", "id": f"{self.url}/id/00D/005"}
        match form.get("grant_type"):
            case "client_credentials":
                pass
            case "refresh_token":
                if not self.tokens.spend_refresh(str(form.get("refresh_token"))):
                    raise Refused(
                        400, {"error": "invalid_grant", "error_description": "expired access/refresh token"}
                    )
                body["refresh_token"] = self.tokens.issue_refresh()
            case "authorization_code":
                is_good = form.get("code") == "good-code" and bool(form.get("code_verifier"))
                if not is_good and not self.consent.redeem(form):
                    raise Refused(
                        400, {"error": "invalid_grant", "error_description": "invalid authorization code"}
                    )
                body["refresh_token"] = self.tokens.issue_refresh()
            case _:
                raise Refused(400, {"error": "unsupported_grant_type"})
        return web.json_response({**body, "access_token": self.tokens.issue()})

    def check(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not self.tokens.is_alive(token):
            raise error(401, "INVALID_SESSION_ID", "Session expired or invalid")

    async def search(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        parsed = FIND.fullmatch(request.query["q"])
        if parsed is None:
            raise error(400, "MALFORMED_SEARCH", f"unexpected token in {request.query['q']}")
        terms = parsed["term"].split(" OR ")
        found, at = [], 0
        for part in RETURNED.finditer(parsed["returning"]):
            if part.start() != at:
                raise error(400, "MALFORMED_SEARCH")
            at = part.end()
            columns = self.columns(part["module"], part["columns"])
            if part["module"] == "Lead" and not part["more"]:
                raise AssertionError("converted leads must be left out")
            for person in self.of_kind(KINDS[part["module"]]):
                digits = ["".join(filter(str.isdigit, number)) for number in person.numbers]
                if any(term in number for term in terms for number in digits):
                    found.append(self.row(part["module"], person, columns))
        if at != len(parsed["returning"]):
            raise error(400, "MALFORMED_SEARCH")
        return web.json_response({"searchRecords": found})

    async def query(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        parsed = SELECT.fullmatch(request.query["q"])
        if parsed is None:
            raise error(400, "MALFORMED_QUERY", f"unexpected token in {request.query['q']}")
        module = parsed["module"]
        columns = self.columns(module, parsed["columns"])
        wanted: dict[str, set[str]] = {}
        for condition in re.finditer(IN, parsed["where"]):
            name, _, listed = condition[0].partition(" IN ")
            self.columns(module, name)
            values = {re.sub(r"\\(.)", r"\1", literal[1:-1]) for literal in re.findall(LITERAL, listed)}
            wanted.setdefault(name, set()).update(values)
        if module == "Task":
            rows: list[dict[str, Any]] = [
                task for task in self.tasks if task["CallObject"] in wanted["CallObject"]
            ]
        else:
            people = [self.row(module, person, set(FIELDS[module])) for person in self.of_kind(KINDS[module])]
            hits = [row for row in people if any(row.get(name) in values for name, values in wanted.items())]
            rows = [
                {name: value for name, value in row.items() if self.is_wanted(name, columns)} for row in hits
            ]
        return web.json_response({"totalSize": len(rows), "done": True, "records": rows})

    def columns(self, module: str, listed: str) -> set[str]:
        if module not in FIELDS:
            raise error(400, "INVALID_TYPE", f"sObject type '{module}' is not supported.")
        names = set(listed.split(", "))
        for name in names - set(FIELDS[module]):
            raise error(400, "INVALID_FIELD", f"No such column '{name}' on entity '{module}'")
        return names

    def is_wanted(self, name: str, columns: set[str]) -> bool:
        return name == "attributes" or any(column.partition(".")[0] == name for column in columns)

    def row(self, module: str, person: Person, columns: set[str]) -> dict[str, Any]:
        company = self.person(person.company) if person.company else None
        prefix = {"Contact": "003", "Lead": "00Q", "Account": "001"}[module]
        values = {
            "Id": f"{prefix}xx{person.key:010d}AAA", "Name": person.name, "LastModifiedDate": person.changed,
            "Phone": person.phone or None, "MobilePhone": person.mobile or None, "Tier__c": person.tier,
            "VIP__c": bool(person.vip), "Seats__c": None if person.seats is None else float(person.seats),
            "Renewal__c": person.renewal, "Account_No__c": person.account_no or None, "IsConverted": False,
            "AccountId": f"001xx{person.company:010d}AAA" if person.company else None,
            "Account": {"attributes": {"type": "Account"}, "Name": company.name} if company else None,
        }  # fmt: skip
        type_ = {"type": module, "url": f"/services/data/v62.0/sobjects/{module}/{values['Id']}"}
        asked = {name: value for name, value in values.items() if self.is_wanted(name, columns)}
        return {"attributes": type_, **asked}

    async def limits(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        return web.json_response({"DailyApiRequests": {"Max": 15000, "Remaining": 14998}})

    async def sobjects(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        named = {"Contact": "Contact", "Lead": "Lead", "Account": "Account"}
        usable = [
            {"name": name, "label": label, "queryable": True, "searchable": True}
            for name, label in named.items()
        ]
        hidden = {"name": "AccountFeed", "label": "Feed", "queryable": True, "searchable": False}
        return web.json_response({"sobjects": [*usable, hidden]})

    async def describe(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        module = request.match_info["module"]
        if module not in KINDS:
            raise error(404, "NOT_FOUND", "The requested resource does not exist")
        listed = [
            {
                "name": name, "label": label, "type": type_, "custom": name.endswith("__c"),
                "picklistValues": PICKLIST if type_ == "picklist" else [],
            }
            for name, (type_, label) in FIELDS[module].items() if "." not in name
        ]  # fmt: skip
        return web.json_response({"fields": listed})

    async def insert(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        module, body = request.match_info["module"], await request.json()
        if module == "Task":
            if not isinstance(body["CallDurationInSeconds"], int) or len(body["CallObject"]) > 255:
                raise error(400, "JSON_PARSER_ERROR")
            id_ = f"00Txx{len(self.tasks):010d}AAA"
            self.tasks.append({**body, "Id": id_})
        elif module in KINDS:
            required = {"Contact": {"LastName"}, "Lead": {"LastName", "Company"}, "Account": {"Name"}}[module]
            if required - set(body):
                raise error(400, "REQUIRED_FIELD_MISSING")
            self.made.append({"module": module, **body})
            name = body.get("Name") or f"{body.get('FirstName', '')} {body['LastName']}".strip()
            id_ = f"003xx{self.add(KINDS[module], name, body.get('Phone', '')):010d}AAA"
        else:
            raise error(404, "NOT_FOUND")
        return web.json_response({"id": id_, "success": True, "errors": []}, status=201)

    def logged(self) -> list[Logged]:
        return [
            Logged(
                subject=task["Subject"],
                text=task["Description"],
                person=int(task["WhoId"][5:15]) if "WhoId" in task else None,
                seconds=task["CallDurationInSeconds"],
                direction=task["CallType"].lower(),
                is_answered=task["CallDisposition"] == "Answered",
                started=task["ActivityDate"],
            )
            for task in self.tasks
        ]


def settings(crm: Salesforce) -> dict[str, Any]:
    return {"url": crm.url, "client_id": CLIENT, "client_secret": SECRET}


def by_person(crm: Salesforce) -> dict[str, Any]:
    return settings(crm) | {"sign_in": "person"}


def signed_in(crm: Salesforce) -> Grant:
    return Grant(
        token=Secret(crm.tokens.issue()), refresh_token=Secret(crm.tokens.issue_refresh()), base_url=crm.url
    )


CLIENT_RIG = CrmRig(
    name="salesforce",
    slug="salesforce",
    make=Salesforce,
    settings=settings,
    refused=lambda crm: settings(crm) | {"client_secret": "canary-wrong-secret"},
    contacts="Contact",
    leads="Lead",
    companies="Account",
    tier="Tier__c",
    vip="VIP__c",
    seats="Seats__c",
    renewal="Renewal__c",
    company="Account.Name",
    account_no="Account_No__c",
    unknown_field="Teir__c",
    values={
        "tier": "Gold",
        "vip": True,
        "seats": 12.0,
        "renewal": "2026-12-01",
        "company": "Garage Dupont & Fils",
    },
    link=lambda crm: f"{crm.url}/lightning/r/Contact/003xx0000000001AAA/view",
    requests_known=1,
    requests_unknown=2,
)
PERSON_RIG = replace(
    CLIENT_RIG,
    name="salesforce-person",
    settings=by_person,
    refused=lambda crm: by_person(crm) | {"client_secret": "canary-wrong-secret"},
    grant=signed_in,
)
RIGS = (CLIENT_RIG, PERSON_RIG)
