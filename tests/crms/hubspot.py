"""A strict HubSpot: searches within their limits, calculated numbers, every value a text or null.

It knows the properties of its four kinds of record: an unknown one is left out of an answer in silence,
and refused in a filter, in a sort and on writing. A contact's calculated numbers are what HubSpot's guide
tells of them: no country code where the text begins with a plus, else the digits without zeros in front.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import phonenumbers
from aiohttp import web

from tests.crms.people import Logged, Person
from tests.crms.rig import CrmRig
from tests.crms.server import Refused, StrictCrm
from workers.connectors.steps import Grant
from workers.secrets import Secret

TOKEN, CLIENT, SECRET = "pat-na1-canary-token", "client-1", "canary-client-secret"
VERSION, PORTAL, HOST, CARS = "2026-03", 123456, "app-eu1.hubspot.com", "2-77"
TIERS = [
    {"label": f"{tier} customer", "value": tier, "hidden": False} for tier in ("Gold", "Silver", "Bronze")
]
COMMON = {
    "hs_object_id": ("number", "number", "Record ID"), "hs_lastmodifieddate": ("datetime", "date", "Last modified"),
    "tier": ("enumeration", "select", "Tier"), "account_no": ("string", "text", "Account number"),
}  # fmt: skip
PROPERTIES: dict[str, dict[str, tuple[str, str, str]]] = {
    "contacts": {
        **COMMON, "firstname": ("string", "text", "First name"), "lastname": ("string", "text", "Last name"),
        "phone": ("string", "phonenumber", "Phone number"), "mobilephone": ("string", "phonenumber", "Mobile"),
        "lastmodifieddate": ("datetime", "date", "Last modified"), "vip": ("bool", "booleancheckbox", "VIP"),
        "seats": ("number", "number", "Seats"), "renewal": ("date", "date", "Renewal"),
        "company": ("string", "text", "Company name"), "interests": ("enumeration", "checkbox", "Interests"),
        "hs_searchable_calculated_phone_number": ("phone_number", "calculation_equation", "Calculated phone"),
        "hs_searchable_calculated_mobile_number": ("phone_number", "calculation_equation", "Calculated mobile"),
    },
    "companies": {**COMMON, "name": ("string", "text", "Name"), "phone": ("string", "phonenumber", "Phone number")},
    "deals": {**COMMON, "dealname": ("string", "text", "Name"), "amount": ("number", "number", "Amount")},
    CARS: {**COMMON, "name": ("string", "text", "Car"), "driver_phone": ("string", "phonenumber", "Driver's number")},
    "calls": {
        name: ("string", "text", name) for name in (
            "hs_timestamp", "hs_call_title", "hs_call_body", "hs_call_direction", "hs_call_duration", "hs_call_status",
            "hs_call_disposition", "hs_call_from_number", "hs_call_to_number", "hs_call_external_id",
        )
    },
}  # fmt: skip
KINDS = {"contacts": "contact", "companies": "company", CARS: "lead", "deals": "deal"}
SEARCH_KEYS = {"filterGroups", "properties", "sorts", "limit", "after", "query"}
LIMITS = {"groups": 5, "filters": 6, "all": 18, "signs": 3000, "limit": 200}
STATUSES = {"COMPLETED", "NO_ANSWER", "CANCELED", "BUSY", "FAILED"}
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
ASSOCIATIONS = {"contacts": 194, "companies": 182, "deals": 206, "tickets": 220}


def fails(status: int, category: str, message: str, code: str = "") -> Refused:
    body: dict[str, Any] = {"status": "error", "message": message, "correlationId": "c1"}
    if category:
        body["category"] = category
    if code:
        body["errors"] = [{"message": message, "code": code}]
    return Refused(status, body)


def no_property(name: str) -> Refused:
    return fails(400, "VALIDATION_ERROR", f'Property "{name}" does not exist', "PROPERTY_DOESNT_EXIST")


class HubSpot(StrictCrm):
    slug = "hubspot"

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[dict[str, Any]] = []
        self.links: list[tuple[str, str, str]] = []
        self.made: list[dict[str, Any]] = []
        self.scopes = {"contacts", "companies", "deals", "schemas", "account"}

    def is_sign_in(self, path: str) -> bool:
        return path.endswith("/token") or path.startswith("/account-info/")

    def throttled(self) -> web.Response:
        """An answer to a search has neither Retry-After nor any header of a quota."""
        return web.json_response(
            {
                "status": "error", "message": "You have reached your secondly limit.", "errorType": "RATE_LIMIT",
                "correlationId": "c1", "policyName": "SECONDLY",
            },
            status=429,
        )  # fmt: skip

    def down(self) -> web.Response:
        return web.Response(
            status=502, text="<html><body>Bad gateway</body></html>", content_type="text/html"
        )

    def routes(self) -> list[web.RouteDef]:
        objects = f"/crm/objects/{VERSION}"
        return [
            web.post(f"/oauth/{VERSION}/token", self.token),
            web.get(f"/account-info/{VERSION}/details", self.details),
            web.post(f"{objects}/{{module}}/search", self.search),
            web.post(f"{objects}/{{module}}", self.insert),
            web.put(f"{objects}/calls/{{call}}/associations/default/{{module}}/{{id}}", self.link),
            web.get(f"/crm/properties/{VERSION}/{{module}}", self.list_properties),
            web.get(f"/crm-object-schemas/{VERSION}/schemas", self.schemas),
        ]

    async def token(self, request: web.Request) -> web.StreamResponse:
        assert request.content_type == "application/x-www-form-urlencoded"
        form = await request.post()
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            raise Refused(400, {"status": "BAD_CLIENT_ID", "message": "missing or unknown client id"})
        match form.get("grant_type"):
            case "refresh_token" if self.tokens.knows_refresh(str(form.get("refresh_token"))):
                refresh = str(form["refresh_token"])
            case "authorization_code" if form.get("code") == "good-code" and form.get("redirect_uri"):
                refresh = self.tokens.issue_refresh()
            case _:
                raise Refused(
                    400, {"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token"}
                )
        return web.json_response(
            {
                "token_type": "bearer", "access_token": self.tokens.issue(), "refresh_token": refresh,
                "expires_in": 1800, "hub_id": PORTAL, "scopes": ["oauth"], "token_use": "access_token",
            }
        )  # fmt: skip

    def check(self, request: web.Request, scope: str = "") -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise fails(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
        if token != TOKEN and not self.tokens.is_alive(token):
            raise fails(401, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired.")
        if scope and scope not in self.scopes:
            raise fails(403, "MISSING_SCOPES", "This app hasn't been granted all required scopes.")

    def known(self, request: web.Request) -> str:
        """The module's name. It is inferred before the scopes are looked at."""
        module = request.match_info["module"]
        self.check(request)
        if module not in PROPERTIES:
            is_id = re.fullmatch(r"[0-9]+-[0-9]+", module)
            said = "Invalid object or event type id" if is_id else "Unable to infer object type from"
            raise fails(400, "", f"{said}: {module}")
        if module in ("contacts", "companies", "deals"):
            self.check(request, module)
        return module

    async def details(self, request: web.Request) -> web.StreamResponse:
        self.check(request, "account")
        return web.json_response(
            {
                "portalId": PORTAL, "uiDomain": HOST, "accountType": "STANDARD", "timeZone": "Europe/Paris",
                "companyCurrency": "EUR", "additionalCurrencies": [], "dataHostingLocation": "eu1",
                "utcOffset": "+01:00", "utcOffsetMilliseconds": 3600000,
            }
        )  # fmt: skip

    async def search(self, request: web.Request) -> web.StreamResponse:
        module, body = self.known(request), await json_of(request)
        assert set(body) <= SEARCH_KEYS, body
        groups = [group["filters"] for group in body["filterGroups"]]
        filters = [one for group in groups for one in group]
        is_small = len(await request.text()) < LIMITS["signs"] and len(groups) <= LIMITS["groups"]
        if not (is_small and len(filters) <= LIMITS["all"] and max(map(len, groups)) <= LIMITS["filters"]):
            raise fails(400, "VALIDATION_ERROR", "The request is larger than a search may be")
        assert 0 < body.get("limit", 10) <= LIMITS["limit"]
        for name in [one["propertyName"] for one in (*filters, *body.get("sorts", []))]:
            if name not in PROPERTIES[module]:
                raise no_property(name)
        assert len(body.get("sorts", [])) <= 1
        hits = [
            row for row in self.rows(module)
            if any(all(self.holds(module, row["properties"], one) for one in group) for group in groups)
        ]  # fmt: skip
        for sort in body.get("sorts", []):
            hits.sort(
                key=lambda row: row["properties"][sort["propertyName"]],
                reverse=sort["direction"] == "DESCENDING",
            )
        asked = {"hs_object_id", *body.get("properties", [])}
        results = [
            row | {"properties": {name: value for name, value in row["properties"].items() if name in asked}}
            for row in hits[: body.get("limit", 10)]
        ]
        return web.json_response({"total": len(hits), "results": results})

    def rows(self, module: str) -> list[dict[str, Any]]:
        if module == "calls":
            return self.calls
        return [self.row(module, person) for person in self.of_kind(KINDS[module])]

    def holds(self, module: str, stored: Mapping[str, str | None], one: dict[str, Any]) -> bool:
        assert set(one) == {"propertyName", "operator", "values" if one["operator"] == "IN" else "value"}, one
        text = stored.get(one["propertyName"]) or ""
        operand: Any = one.get("value", one.get("values"))
        if PROPERTIES[module][one["propertyName"]][0] == "number" and not str(operand).isdecimal():
            raise fails(400, "VALIDATION_ERROR", f"{operand} was not a valid number.", "INVALID_LONG")
        match one["operator"]:
            case "EQ":
                return text.casefold() == str(operand).casefold()
            case "IN":
                assert operand == [value.lower() for value in operand]
                return text.lower() in operand
            case "CONTAINS_TOKEN":
                pattern = re.escape(operand).replace(r"\*", ".*")
                return any(re.fullmatch(pattern, token) for token in re.findall(r"\w+", text))
        raise fails(400, "VALIDATION_ERROR", f"Invalid operator {one['operator']}")

    def row(self, module: str, person: Person) -> dict[str, Any]:
        company = self.person(person.company).name if person.company else None
        values = {
            "firstname": person.first, "lastname": person.last, "name": person.name, "dealname": person.name,
            "phone": person.phone or None, "mobilephone": person.mobile or None, "driver_phone": person.phone or None,
            "lastmodifieddate": person.changed, "hs_lastmodifieddate": person.changed, "tier": person.tier,
            "vip": None if person.vip is None else str(person.vip).lower(),
            "seats": None if person.seats is None else str(person.seats), "renewal": person.renewal,
            "company": company, "account_no": person.account_no or None, "hs_object_id": str(person.key),
            "hs_searchable_calculated_phone_number": calculated(person.phone),
            "hs_searchable_calculated_mobile_number": calculated(person.mobile),
        }  # fmt: skip
        properties = {name: values.get(name) for name in PROPERTIES[module]}
        return {
            "id": str(person.key), "properties": properties, "createdAt": "2024-01-01T00:00:00Z",
            "updatedAt": person.changed, "archived": False,
        }  # fmt: skip

    async def list_properties(self, request: web.Request) -> web.StreamResponse:
        listed = [
            {
                "name": name, "label": label, "type": type_, "fieldType": field_type, "hidden": False,
                "options": TIERS if name == "tier" else [], "archived": False, "dataSensitivity": "non_sensitive",
                "hubspotDefined": name not in ("tier", "vip", "seats", "renewal", "account_no"),
            }
            for name, (type_, field_type, label) in PROPERTIES[self.known(request)].items()
        ]  # fmt: skip
        return web.json_response({"results": [*listed, {"name": "old", "label": "Old", "archived": True}]})

    async def schemas(self, request: web.Request) -> web.StreamResponse:
        self.check(request, "schemas")
        cars = {
            "id": "77",
            "objectTypeId": CARS,
            "name": "cars",
            "labels": {"singular": "Car", "plural": "Cars"},
        }
        return web.json_response({"results": [cars]})

    async def insert(self, request: web.Request) -> web.StreamResponse:
        module, body = self.known(request), await json_of(request)
        assert set(body) <= {"properties", "associations"}
        for name, value in body["properties"].items():
            assert isinstance(value, str), (name, value)
            if name not in PROPERTIES[module]:
                raise no_property(name)
        kept = self.calls if module == "calls" else self.made
        if module == "calls":
            self.require_call(body)
        given = body["properties"]
        name = given.get("name") or f"{given.get('firstname', '')} {given.get('lastname', '')}".strip()
        phone = given.get("phone") or given.get("driver_phone", "")
        key = 5000 + len(kept) if module == "calls" else self.add(KINDS[module], name, phone)
        made = {
            "id": str(key), "createdAt": "2026-05-01T09:02:00Z",
            "updatedAt": "2026-05-01T09:02:00Z", "archived": False, **body,
        }  # fmt: skip
        kept.append(made)
        return web.json_response(
            {key: value for key, value in made.items() if key != "associations"}, status=201
        )

    def require_call(self, body: dict[str, Any]) -> None:
        values = body["properties"]
        is_well = (
            re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", values.get("hs_timestamp", ""))
            and values["hs_call_duration"].isdecimal()
            and values["hs_call_direction"] in ("INBOUND", "OUTBOUND")
            and values["hs_call_status"] in STATUSES
            and GUID.fullmatch(values["hs_call_disposition"])
        )
        if not is_well:
            raise fails(400, "VALIDATION_ERROR", "Property values were not valid")
        for one in body.get("associations", []):
            (type_,) = one["types"]
            assert type_["associationCategory"] == "HUBSPOT_DEFINED"
            self.links.append(("", type_["associationTypeId"], one["to"]["id"]))

    async def link(self, request: web.Request) -> web.StreamResponse:
        module, call = self.known(request), request.match_info["call"]
        if call not in {one["id"] for one in self.calls}:
            raise fails(404, "OBJECT_NOT_FOUND", "resource not found")
        self.links.append((call, module, request.match_info["id"]))
        return web.json_response({"status": "COMPLETE", "results": []})

    def person_of(self, call: dict[str, Any]) -> int | None:
        for one in call.get("associations", ()):
            return int(one["to"]["id"])
        return next((int(id_) for linked, _, id_ in self.links if linked == call["id"]), None)

    def logged(self) -> list[Logged]:
        return [
            Logged(
                subject=values["hs_call_title"],
                text=values["hs_call_body"],
                person=self.person_of(call),
                seconds=int(values["hs_call_duration"]) // 1000,
                direction=values["hs_call_direction"].lower(),
                is_answered=values["hs_call_status"] == "COMPLETED",
                started=values["hs_timestamp"],
                extra=values,
            )
            for call in self.calls
            for values in (call["properties"],)
        ]


async def json_of(request: web.Request) -> dict[str, Any]:
    assert request.content_type == "application/json"
    body: dict[str, Any] = await request.json()
    return body


def calculated(stored: str) -> str | None:
    """A number's calculated twin."""
    if not stored.startswith("+"):
        return "".join(filter(str.isdigit, stored)).lstrip("0") or None
    return phonenumbers.national_significant_number(phonenumbers.parse(stored, None))


def by_token(crm: HubSpot) -> dict[str, Any]:
    return {"token": TOKEN, "url": crm.url, "phone_fields": {CARS: "driver_phone"}}


def by_person(crm: HubSpot) -> dict[str, Any]:
    client = {"auth": "person", "client_id": CLIENT, "client_secret": SECRET, "sign_in_url": crm.url}
    return {**client, "url": crm.url, "phone_fields": {CARS: "driver_phone"}}


def signed_in(crm: HubSpot) -> Grant:
    return Grant(
        token=Secret(crm.tokens.issue()),
        refresh_token=Secret(crm.tokens.issue_refresh()),
        facts={"portal": str(PORTAL), "host": HOST},
    )


TOKEN_RIG = CrmRig(
    name="hubspot",
    slug="hubspot",
    make=HubSpot,
    settings=by_token,
    refused=lambda crm: by_token(crm) | {"token": "pat-na1-canary-wrong"},
    contacts="contacts",
    leads=CARS,
    companies="companies",
    tier="tier",
    vip="vip",
    seats="seats",
    renewal="renewal",
    company="company",
    account_no="account_no",
    unknown_field="teir",
    refuses_unknown_field=False,
    values={
        "tier": "Gold",
        "vip": "true",
        "seats": "12",
        "renewal": "2026-12-01",
        "company": "Garage Dupont & Fils",
    },
    link=lambda _: f"https://{HOST}/contacts/{PORTAL}/record/0-1/1",
    signs_in=False,
)
PERSON_RIG = replace(
    TOKEN_RIG,
    name="hubspot-person",
    settings=by_person,
    refused=lambda crm: by_person(crm) | {"client_secret": "canary-wrong-secret"},
    grant=signed_in,
    signs_in=True,
)
RIGS = (TOKEN_RIG, PERSON_RIG)
