"""A strict Zoho: token errors with status 200, 204 for nothing, a phone search over an index that lags, COQL
read sign by sign, errors inside a 2xx write.

The index has the digits of every phone field and finds those that hold what was asked; converted leads it
hides. COQL compares what is stored, letter by letter, and knows no escape in a literal.
"""

import re
from dataclasses import replace
from datetime import datetime
from typing import Any, NoReturn

from aiohttp import web

from tests.crms.people import LUC, Logged, Person
from tests.crms.rig import CrmRig
from tests.crms.server import Refused, StrictCrm
from workers.connectors.steps import Grant
from workers.secrets import Secret

CLIENT, SECRET, REFRESH = "1000.CLIENT", "canary-client-secret", "1000.canary-refresh"
ORG = "20090000"
CONVERTED = 21
"""The key of a lead that has become a contact."""
Fields = dict[str, tuple[str, str]]
COMMON: Fields = {
    "Modified_Time": ("datetime", "Modified Time"), "Owner": ("ownerlookup", "Owner"), "Phone": ("phone", "Phone"),
    "Tier": ("picklist", "Tier"), "Account_No": ("text", "Account number"), "Tags": ("multiselectpicklist", "Labels"),
}  # fmt: skip
PERSONAL: Fields = {
    **COMMON, "Full_Name": ("text", "Full Name"), "Last_Name": ("text", "Last Name"), "Mobile": ("phone", "Mobile"),
    "Pager": ("phone", "Pager"),
}  # fmt: skip
FIELDS: dict[str, Fields] = {
    "Contacts": {
        **PERSONAL, "Home_Phone": ("phone", "Home"), "Other_Phone": ("phone", "Other"), "Asst_Phone": ("phone", "Assistant"),
        "VIP": ("boolean", "VIP"), "Seats": ("integer", "Seats"), "Renewal": ("date", "Renewal"),
        "Account_Name": ("lookup", "Account Name"), "Description": ("textarea", "Description"),
    },
    "Leads": {**PERSONAL, "Company": ("text", "Company")},
    "Accounts": {**COMMON, "Account_Name": ("text", "Account Name")},
    "Cars": {**COMMON, "Name": ("text", "Car Name"), "Driver_Phone": ("phone", "Driver's phone")},
    "Calls": {
        "Subject": ("text", "Subject"), "Description": ("textarea", "Description"), "Modified_Time": ("datetime", "Modified Time"),
        "Call_Start_Time": ("datetime", "Call Start Time"), "Name": ("text", "Name"),
    },
}  # fmt: skip
KINDS = {"Contacts": "contact", "Leads": "lead", "Accounts": "company", "Cars": "car"}
NEEDED = {
    "Contacts": {"Last_Name"}, "Leads": {"Last_Name", "Company"}, "Accounts": {"Account_Name"}, "Cars": {"Name"},
    "Calls": {"Call_Type", "Call_Start_Time"},
}  # fmt: skip
SEARCHED = frozenset({"phone", "criteria", "converted", "fields", "page", "per_page"})
SELECT = re.compile(r"select (?P<columns>\w+(?:, \w+)*) from (?P<module>\w+) where ")
IN = re.compile(r"(?P<field>\w+) in \(")
BETWEEN = re.compile(r"(?P<field>\w+) between ")
LITERAL = re.compile(r"'([^'\"\\\x00-\x1f]*)'")
LIMIT = re.compile(r" limit \d+, (?P<most>\d+)")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")


def fails(status: int, code: str, message: str = "no", **details: Any) -> Refused:
    return Refused(status, {"code": code, "details": details, "message": message, "status": "error"})


class Coql:
    """One query, read by its grammar and by nothing more."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.criteria = text, 0, 0
        head = self.take(SELECT)
        self.columns, self.module = head["columns"].split(", "), head["module"]
        self.condition = self.read_condition()
        if int(self.take(LIMIT)["most"]) > 2000 or self.at != len(text):
            self.fail()

    def fail(self) -> NoReturn:
        raise fails(
            400, "SYNTAX_ERROR", "error occurred while parsing the query", line=1, column=self.at, near=self.text[self.at :][:20]
        )  # fmt: skip

    def take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self.text, self.at)
        if found is None:
            self.fail()
        self.at = found.end()
        return found

    def eat(self, sign: str) -> bool:
        is_there = self.text.startswith(sign, self.at)
        self.at += len(sign) * is_there
        return is_there

    def read_condition(self) -> list[tuple[str, str, list[str]]]:
        """Tests joined by `or`, two at a time in brackets."""
        if self.eat("("):
            left = self.read_condition()
            if not self.eat(" or "):
                self.fail()
            right = self.read_condition()
            if not self.eat(")"):
                self.fail()
            return [*left, *right]
        self.criteria += 1
        if found := BETWEEN.match(self.text, self.at):
            self.at = found.end()
            least = self.take(LITERAL)[1]
            if not self.eat(" and "):
                self.fail()
            return [(found["field"], "between", [least, self.take(LITERAL)[1]])]
        field, values = self.take(IN)["field"], [self.take(LITERAL)[1]]
        while self.eat(", "):
            values.append(self.take(LITERAL)[1])
        if not self.eat(")"):
            self.fail()
        return [(field, "in", values)]


class Zoho(StrictCrm):
    slug = "zoho"

    def __init__(self) -> None:
        super().__init__()
        self.people.append(
            Person(CONVERTED, "lead", "Luc", "Converti", phone=LUC, tier="Bronze", account_no="2121")
        )
        self.people.append(Person(30, "car", "", "Camionnette 7", mobile="06 39 98 00 30", tier="Gold"))
        self.calls: list[dict[str, Any]] = []
        self.made: list[dict[str, Any]] = []
        self.not_indexed: set[int] = set()
        """Keys of records that the search has not met yet."""
        self.removed: set[str] = set()
        """Standard fields that this organisation has not."""
        self.scopes = {"search", "coql", "org", "modules"}
        self.tokens_left = 1000
        """In these ten minutes."""

    def is_sign_in(self, path: str) -> bool:
        return path in ("/oauth/v2/token", "/crm/v8/org")

    def throttled(self) -> web.Response:
        raised = fails(429, "TOO_MANY_REQUESTS", "You have exceeded the API rate limit")
        return raised.response()

    def down(self) -> web.Response:
        return fails(500, "INTERNAL_ERROR", "Internal Server Error").response()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/oauth/v2/token", self.token),
            web.get("/crm/v8/org", self.org),
            web.get("/crm/v8/settings/modules", self.list_modules),
            web.get("/crm/v8/settings/fields", self.list_fields),
            web.post("/crm/v8/coql", self.coql),
            web.get("/crm/v8/{module}/search", self.search),
            web.get("/crm/v8/{module}", self.records),
            web.post("/crm/v8/{module}", self.insert),
        ]

    # Signing in

    async def token(self, request: web.Request) -> web.StreamResponse:
        if request.content_type != "application/x-www-form-urlencoded" or request.query:
            return web.json_response({"error": "invalid_request"})
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.tokens_left -= 1
        if self.tokens_left < 0:
            return web.json_response(
                {"error_description": "You have made too many requests continuously.", "error": "Access Denied", "status": "failure"}
            )  # fmt: skip
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return web.json_response({"error": "invalid_client"})
        body = {"api_domain": self.url, "token_type": "Bearer", "expires_in": 3600}
        match form.get("grant_type"):
            case "refresh_token":
                refresh = form.get("refresh_token", "")
                if refresh != REFRESH and not self.tokens.knows_refresh(refresh):
                    return web.json_response({"error": "invalid_code"})
            case "authorization_code":
                if form.get("code") != "good-code" or "redirect_uri" not in form:
                    return web.json_response({"error": "invalid_code"})
                body["refresh_token"] = self.tokens.issue_refresh()
            case _:
                return web.json_response({"error": "unsupported_grant_type"})
        return web.json_response({**body, "access_token": self.tokens.issue()})

    def check(self, request: web.Request, scope: str = "modules") -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Zoho-oauthtoken" or not self.tokens.is_alive(token):
            raise fails(401, "INVALID_TOKEN", "invalid oauth token")
        if scope not in self.scopes:
            raise fails(401, "OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL")

    def known(self, module: str) -> Fields:
        if module not in FIELDS:
            raise fails(
                400, "INVALID_MODULE", "the module name given seems to be invalid", resource_path_index=0
            )
        return {name: field for name, field in FIELDS[module].items() if name not in self.removed}

    # Looking up

    async def search(self, request: web.Request) -> web.StreamResponse:
        self.check(request, "search")
        module, query = request.match_info["module"], request.query
        known = self.known(module)
        assert not set(query) - SEARCHED, query
        assert 0 < int(query["per_page"]) <= 200
        if "phone" not in query:
            raise fails(
                400,
                "EXPECTED_PARAM_MISSING",
                "expected parameter is missing",
                param_names=["phone", "criteria"],
            )
        if not re.fullmatch(r"\+?\w{2,}", query["phone"]):
            raise fails(400, "INVALID_DATA", "the search value has a special character or is too short")
        wanted = query["phone"].lstrip("+")
        phones = [name for name, (type_, _) in known.items() if type_ == "phone"]
        hits = []
        for person in self.of_kind(KINDS.get(module, "")):
            is_converted = module == "Leads" and person.key == CONVERTED
            row = self.row(module, person)
            digits = ["".join(filter(str.isdigit, str(row[name]))) for name in phones]
            is_shown = query.get("converted", "false") == "both" or not is_converted
            if is_shown and person.key not in self.not_indexed and any(wanted in number for number in digits):
                hits.append({**row, "$converted": is_converted})
        return self.found(hits[: int(query["per_page"])], page=1, per_page=int(query["per_page"]))

    async def coql(self, request: web.Request) -> web.StreamResponse:
        self.check(request, "coql")
        body = await request.json()
        assert set(body) == {"select_query"}
        query = Coql(body["select_query"])
        if query.module not in FIELDS:
            raise fails(400, "INVALID_QUERY", "module given seems to be invalid", module=query.module)
        if query.criteria > 25 or any(len(values) > 50 for _, _, values in query.condition):
            raise fails(400, "LIMIT_EXCEEDED", "criteria limit exceeded")
        known = self.known(query.module)
        for name in (*query.columns, *(field for field, _, _ in query.condition)):
            if name != "id" and name not in known:
                raise fails(400, "INVALID_QUERY", "column given seems to be invalid", column_name=name)
        if any(field == "Description" for field, _, _ in query.condition):
            raise fails(400, "INVALID_QUERY", "data type not supported", column_name="Description")
        hits = [
            row
            for row in self.stored(query.module)
            if any(self.holds(row, *test) for test in query.condition)
        ]
        return self.found(
            [{name: row.get(name) for name in dict.fromkeys(("id", *query.columns))} for row in hits]
        )

    def holds(self, row: dict[str, Any], field: str, operator: str, values: list[str]) -> bool:
        if operator == "in":
            return str(row.get(field)) in values
        least, most = map(datetime.fromisoformat, values)
        return least <= datetime.fromisoformat(row[field]) <= most

    def stored(self, module: str) -> list[dict[str, Any]]:
        if module == "Calls":
            return self.calls
        return [self.row(module, person) for person in self.of_kind(KINDS[module]) if person.key != CONVERTED]

    async def records(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        module, query = request.match_info["module"], request.query
        known = self.known(module)
        assert set(query) <= {"ids", "fields"}, query
        if "fields" not in query:
            raise fails(
                400, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", param_name="fields"
            )
        ids, fields = query["ids"].split(","), query["fields"].split(",")
        assert len(ids) <= 100
        assert len(fields) <= 50
        rows = [row for row in self.stored(module) if row["id"] in ids]
        asked = ("id", *(name for name in fields if name in known))
        return self.found([{name: row.get(name) for name in asked} for row in rows], page=1, per_page=200)

    def row(self, module: str, person: Person) -> dict[str, Any]:
        company = self.person(person.company) if person.company else None
        values = {
            "Full_Name": person.name, "Last_Name": person.last, "Modified_Time": person.changed, "Name": person.name,
            "Phone": person.phone or None, "Mobile": person.mobile or None, "Driver_Phone": person.mobile or None,
            "Tier": person.tier, "VIP": bool(person.vip), "Seats": person.seats, "Renewal": person.renewal,
            "Account_No": person.account_no or None, "Tags": ["a", "b"] if person.vip else [],
            "Account_Name": {"name": company.name, "id": identity(company.key)} if company else None,
            "Owner": {"name": "Patricia Boyle", "id": identity(7), "email": "patricia@acme.example"},
        }  # fmt: skip
        if module == "Accounts":
            values["Account_Name"] = person.name
        return {"id": identity(person.key), **{name: values.get(name) for name in self.known(module)}}

    def found(self, rows: list[dict[str, Any]], **info: int) -> web.Response:
        if not rows:
            return web.Response(status=204)
        return web.json_response({"data": rows, "info": {"count": len(rows), "more_records": False, **info}})

    # What it tells of itself

    async def org(self, request: web.Request) -> web.StreamResponse:
        self.check(request, "org")
        return web.json_response({"org": [{"company_name": "Acme", "zgid": ORG, "domain_name": "acme"}]})

    async def list_modules(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        listed = [
            {
                "api_name": name,
                "plural_label": name,
                "module_name": name,
                "api_supported": True,
                "viewable": True,
            }
            for name in KINDS
        ]
        hidden = [
            {"api_name": "Feeds", "plural_label": "Feeds", "module_name": "Feeds", "api_supported": False, "viewable": True},
            {"api_name": "Cases", "plural_label": "Cases", "module_name": "Cases", "api_supported": True, "viewable": False},
        ]  # fmt: skip
        return web.json_response({"modules": [*listed, *hidden]})

    async def list_fields(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        assert set(request.query) == {"module"}
        tiers = [
            {"display_value": tier, "actual_value": f"old {tier}"} for tier in ("Gold", "Silver", "Bronze")
        ]
        listed = [
            {
                "api_name": name, "field_label": label, "data_type": type_,
                "custom_field": name in ("Tier", "VIP", "Account_No"),
                "pick_list_values": tiers if type_ == "picklist" else [],
            }
            for name, (type_, label) in self.known(request.query["module"]).items()
        ]  # fmt: skip
        return web.json_response({"fields": listed})

    # Writing

    async def insert(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        module, (body,) = request.match_info["module"], (await request.json())["data"]
        known = self.known(module)
        missing = NEEDED[module] - set(body)
        if module == "Calls":
            missing |= {"Call_Duration"} - set(body) if body.get("Call_Type") == "Inbound" else set()
            self.check_call(body)
        if missing:
            return rejected("MANDATORY_NOT_FOUND", "required field not found", api_name=min(missing))
        too_long = [name for name in ("Last_Name", "Company") if len(str(body.get(name, ""))) > 80]
        if too_long:
            return rejected("INVALID_DATA", "invalid data", api_name=too_long[0], maximum_length=80)
        assert module == "Calls" or set(body) <= set(known), body
        kept = self.calls if module == "Calls" else self.made
        id_ = f"51000000000{len(kept):07d}"
        if module != "Calls":
            person = f"{body.get('First_Name', '')} {body.get('Last_Name', '')}".strip()
            name = body.get("Account_Name") or body.get("Name") or person
            id_ = identity(self.add(KINDS[module], name, body.get("Phone", "")))
        kept.append({"id": id_, **body})
        details = {"id": kept[-1]["id"], "Created_Time": "2026-05-01T11:00:00+02:00"}
        return web.json_response(
            {
                "data": [
                    {"code": "SUCCESS", "details": details, "message": "record added", "status": "success"}
                ]
            },
            status=201,
        )

    def check_call(self, body: dict[str, Any]) -> None:
        assert MOMENT.fullmatch(body["Call_Start_Time"]), "a moment needs its offset"
        assert body["Call_Type"] in ("Inbound", "Missed")
        assert ("Call_Duration" in body) is (body["Call_Type"] == "Inbound")
        assert re.fullmatch(r"\d{2,}:[0-5]\d", body.get("Call_Duration", "00:00"))
        assert ("What_Id" in body) is ("$se_module" in body)
        if "Who_Id" in body:
            assert self.person(key_of(body["Who_Id"])).kind == "contact", "a lead is What_Id"
        if "What_Id" in body:
            assert self.person(key_of(body["What_Id"])).kind == KINDS[body["$se_module"]]

    def logged(self) -> list[Logged]:
        return [
            Logged(
                subject=call["Subject"],
                text=call["Description"],
                person=next((key_of(call[link]) for link in ("Who_Id", "What_Id") if link in call), None),
                seconds=seconds_of(call["Call_Duration"]) if "Call_Duration" in call else 0,
                direction="inbound",
                is_answered=call["Call_Type"] == "Inbound",
                started=call["Call_Start_Time"],
                extra=call,
            )
            for call in self.calls
        ]


def rejected(code: str, message: str, **details: Any) -> web.Response:
    """As Zoho rejects a record: with a status that means success."""
    failed = {"code": code, "details": details, "message": message, "status": "error"}
    return web.json_response({"data": [failed]}, status=202)


def identity(key: int) -> str:
    return f"4100000000000{key:05d}"


def key_of(linked: dict[str, str]) -> int:
    return int(linked["id"][-5:])


def seconds_of(duration: str) -> int:
    minutes, _, seconds = duration.partition(":")
    return int(minutes) * 60 + int(seconds)


def self_client(crm: Zoho) -> dict[str, Any]:
    client = {"data_centre": "eu", "client_id": CLIENT, "client_secret": SECRET, "refresh_token": REFRESH}
    return {**client, "accounts_url": crm.url, "url": crm.url}


def by_person(crm: Zoho) -> dict[str, Any]:
    return {name: value for name, value in self_client(crm).items() if name != "refresh_token"}


def signed_in(crm: Zoho) -> Grant:
    refresh = Secret(crm.tokens.issue_refresh())
    return Grant(
        token=Secret(crm.tokens.issue()), refresh_token=refresh, base_url=crm.url, facts={"org": ORG}
    )


SELF_RIG = CrmRig(
    name="zoho",
    slug="zoho",
    make=Zoho,
    settings=self_client,
    refused=lambda crm: self_client(crm) | {"client_secret": "canary-wrong-secret"},
    leads="Leads",
    companies="Accounts",
    tier="Tier",
    vip="VIP",
    seats="Seats",
    renewal="Renewal",
    company="Account_Name",
    account_no="Account_No",
    unknown_field="Teir",
    refuses_unknown_field=False,
    values={
        "tier": "Gold",
        "vip": True,
        "seats": 12,
        "renewal": "2026-12-01",
        "company": "Garage Dupont & Fils",
    },
    link=lambda _: f"https://crm.zoho.eu/crm/org{ORG}/tab/Contacts/{identity(1)}",
    requests_unknown=2,
)
PERSON_RIG = replace(
    SELF_RIG,
    name="zoho-person",
    settings=by_person,
    refused=lambda crm: by_person(crm) | {"client_secret": "canary-wrong-secret"},
    grant=signed_in,
)
RIGS = (SELF_RIG, PERSON_RIG)
