"""A strict Pipedrive: a loose search that brings no field, persons and organisations by id, quotas told
twice.

It knows the parameters of each request and refuses others, keeps custom fields apart under their hashes,
has own fields that a record shows on demand only, and leaves an unknown custom field out in silence.
Whether the search minds the signs between digits is for a test to say: nobody has documented it.
"""

import re
from dataclasses import replace
from hashlib import sha1
from typing import Any

from aiohttp import web

from tests.crms.people import Logged, Person
from tests.crms.rig import CrmRig
from tests.crms.server import Refused, StrictCrm, basic
from workers.connectors.steps import Grant
from workers.secrets import Secret

TOKEN, CLIENT, SECRET = "canary-api-token", "client-1", "canary-client-secret"


def code(name: str) -> str:
    """A custom field's key: 40 hexadecimal digits."""
    return sha1(name.encode(), usedforsecurity=False).hexdigest()


TIER, VIP, SEATS, RENEWAL, ACCOUNT, BUDGET, ORG_TIER = map(
    code, ("tier", "vip", "seats", "renewal", "account", "budget", "organization tier")
)
OPTIONS = {"Silver": 1, "Gold": 2, "Bronze": 3, "Yes": 10, "No": 11}
TIERS = [{"id": OPTIONS[tier], "label": tier} for tier in ("Gold", "Silver", "Bronze")]
FIELDS: dict[str, dict[str, tuple[str, str, list[dict[str, Any]] | None]]] = {
    "persons": {
        "name": ("Name", "varchar", None), "phone": ("Phone", "phone", None), "email": ("Email", "varchar", None),
        "org_id": ("Organization", "org", None), "open_deals_count": ("Open deals", "int", None),
        TIER: ("Tier", "enum", TIERS), SEATS: ("Seats", "double", None), RENEWAL: ("Renewal", "date", None),
        VIP: ("VIP", "enum", [{"id": OPTIONS[word], "label": word} for word in ("Yes", "No")]),
        ACCOUNT: ("Account number", "varchar", None), BUDGET: ("Budget", "monetary", None),
    },
    "organizations": {
        "name": ("Name", "varchar", None), "people_count": ("People", "int", None), ORG_TIER: ("Tier", "enum", TIERS),
    },
}  # fmt: skip
KINDS = {"persons": "contact", "organizations": "company"}
ON_DEMAND = {"persons": {"open_deals_count": 2}, "organizations": {"people_count": 7}}
SEARCHABLE = {"address", "varchar", "text", "varchar_auto", "double", "monetary", "phone"}
OUTCOMES = {"connected", "no_answer", "left_message", "left_voicemail", "wrong_number", "busy"}
CALL_LOG = {
    "user_id", "activity_id", "subject", "duration", "outcome", "from_phone_number", "to_phone_number", "start_time",
    "end_time", "person_id", "org_id", "deal_id", "lead_id", "note",
}  # fmt: skip
RECORD_QUERY = {"include_fields", "custom_fields", "include_option_labels", "include_labels"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


def fails(status: int, error: str) -> Refused:
    body = {
        "success": False,
        "error": error,
        "errorCode": status,
        "error_info": "Please check developers.pipedrive.com",
    }
    return Refused(status, body)


class Pipedrive(StrictCrm):
    slug = "pipedrive"

    def __init__(self) -> None:
        super().__init__()
        self.call_logs: list[dict[str, Any]] = []
        self.activities: list[dict[str, Any]] = []
        self.made: list[dict[str, Any]] = []
        self.scopes = {"base", "contacts:full", "search:read", "activities:full", "phone-integration"}
        self.minds_signs = False
        """Whether a number is found only as it is written, and not by its digits alone."""
        self.has_deep_items = False
        """Whether the search of one field answers as the description says, and not as its example does."""

    def is_sign_in(self, path: str) -> bool:
        return path in ("/oauth/token", "/v1/users/me")

    def throttled(self) -> web.Response:
        """What the network in front answers to one who goes on after 429."""
        page = "<!DOCTYPE html><html><head><title>Access denied</title></head><body>1015</body></html>"
        return web.Response(status=403, text=page, content_type="text/html")

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/oauth/token", self.token),
            web.get("/v1/users/me", self.me),
            web.get("/api/v2/persons/search", self.search),
            web.get("/api/v2/itemSearch/field", self.search_field),
            web.get("/api/v2/{module:persons|organizations}", self.read_several),
            web.get("/api/v2/{module:persons|organizations}/{id}", self.read_one),
            web.get("/api/v2/{module:person|organization}Fields", self.list_fields),
            web.post("/api/v2/persons", self.insert),
            web.get("/v1/callLogs", self.list_logs),
            web.post("/v1/callLogs", self.log),
            web.get("/api/v2/activities", self.list_activities),
            web.post("/api/v2/activities", self.act),
        ]

    async def token(self, request: web.Request) -> web.StreamResponse:
        assert request.content_type == "application/x-www-form-urlencoded"
        form = await request.post()
        if request.headers.get("Authorization") != basic(CLIENT, SECRET):
            said = "Invalid client: client is invalid"
            raise Refused(400, {"success": False, "message": said, "error": "invalid_client"})
        is_code = form.get("grant_type") == "authorization_code" and form.get("code") == "good-code"
        is_refresh = form.get("grant_type") == "refresh_token"
        if not is_code and not (is_refresh and self.tokens.spend_refresh(str(form.get("refresh_token")))):
            said = "Invalid grant: refresh_token is invalid"
            raise Refused(400, {"success": False, "message": said, "error": "invalid_grant"})
        return web.json_response(
            {
                "access_token": self.tokens.issue(), "token_type": "Bearer", "expires_in": 3599, "scope": "base",
                "refresh_token": self.tokens.issue_refresh(), "api_domain": self.url,
            }
        )  # fmt: skip

    def check(self, request: web.Request, scope: str, *parameters: str) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        is_token = request.headers.get("x-api-token") == TOKEN
        if not is_token and not (scheme == "Bearer" and self.tokens.is_alive(token)):
            raise fails(401, "unauthorized access")
        if not self.scopes & {scope, scope.replace(":read", ":full")}:
            raise fails(403, "Scope and URL mismatch")
        assert set(request.query) <= set(parameters), "an unknown parameter, or a token that ends up in logs"

    async def me(self, request: web.Request) -> web.StreamResponse:
        self.check(request, "base")
        return self.data(
            {
                "id": 1,
                "name": "Rita Router",
                "company_domain": "acme",
                "company_name": "Acme",
                "company_id": 9,
            }
        )

    async def search(self, request: web.Request) -> web.StreamResponse:
        self.check(request, "contacts:read", "term", "fields", "exact_match", "limit")
        term = request.query["term"]
        assert len(term) >= 2
        assert request.query.get("fields") == "phone", "all fields would be searched"
        assert int(request.query.get("limit", 100)) <= 500
        found = [
            person
            for person in self.of_kind("contact")
            if any(self.fits(term, number) for number in person.numbers)
        ]
        return self.data({"items": [{"result_score": 0.5, "item": self.hit(person)} for person in found]})

    def fits(self, term: str, number: str) -> bool:
        if self.minds_signs:
            return term in number
        return digits(term) in digits(number)

    def hit(self, person: Person) -> dict[str, Any]:
        company = self.person(person.company) if person.company else None
        return {
            "id": person.key, "type": "person", "name": person.name, "phones": list(person.numbers), "emails": [],
            "visible_to": 3, "owner": {"id": 1}, "custom_fields": [], "notes": [],
            "organization": {"id": company.key, "name": company.name, "address": None} if company else None,
        }  # fmt: skip

    async def search_field(self, request: web.Request) -> web.StreamResponse:
        self.check(request, "search:read", "term", "entity_type", "field", "match", "limit")
        query = request.query
        assert query["match"] == "exact"
        module = {"person": "persons", "organization": "organizations"}[query["entity_type"]]
        if FIELDS[module].get(query["field"], ("", "", None))[1] not in SEARCHABLE:
            raise fails(400, f"The field {query['field']} is not searchable")
        found = [
            person
            for person in self.of_kind(KINDS[module])
            if self.custom(module, person).get(query["field"]) == query["term"]
        ]
        items = [{"id": person.key, "name": person.name} for person in found]
        return self.data(
            [{"result_score": 1, "item": item} for item in items] if self.has_deep_items else items
        )

    async def read_one(self, request: web.Request) -> web.StreamResponse:
        self.check(request, "contacts:read", *RECORD_QUERY)
        for person in self.of_kind(KINDS[request.match_info["module"]]):
            if str(person.key) == request.match_info["id"]:
                return self.data(self.item(request, person))
        raise fails(404, "Entity was not found")

    async def read_several(self, request: web.Request) -> web.StreamResponse:
        self.check(request, "contacts:read", *RECORD_QUERY, "ids")
        ids = request.query["ids"].split(",")
        assert 1 < len(ids) <= 100
        people = [
            person for person in self.of_kind(KINDS[request.match_info["module"]]) if str(person.key) in ids
        ]
        return self.data([self.item(request, person) for person in people])

    def item(self, request: web.Request, person: Person) -> dict[str, Any]:
        module, query = request.match_info["module"], request.query
        asked = query.get("custom_fields")
        assert asked is None or len(asked.split(",")) <= 15
        custom = {
            key: value
            for key, value in self.custom(module, person).items()
            if asked is None or key in asked.split(",")
        }
        if query.get("include_option_labels") == "true":
            custom = {
                key: labelled(value) if FIELDS[module][key][1] == "enum" else value
                for key, value in custom.items()
            }
        on_demand = [name for name in query.get("include_fields", "").split(",") if name]
        if unknown := set(on_demand) - set(ON_DEMAND[module]):
            raise fails(400, f"Parameter 'include_fields' has an unknown field {sorted(unknown)}")
        return {
            "id": person.key, "name": person.name, "owner_id": 1, "add_time": "2024-01-01T00:00:00Z",
            "update_time": person.changed, "is_deleted": False, "visible_to": 3, "label_ids": [5],
            **({"labels": [{"id": 5, "label": "Hot"}]} if query.get("include_labels") == "true" else {}),
            **(self.personal(person) if module == "persons" else {"address": {"value": "1 rue X, Paris", "locality": "Paris"}}),
            **{name: ON_DEMAND[module][name] for name in on_demand}, "custom_fields": custom,
        }  # fmt: skip

    def personal(self, person: Person) -> dict[str, Any]:
        labels = ("work", "mobile")
        phones = [
            {"value": number, "primary": not at, "label": labels[at]}
            for at, number in enumerate(person.numbers)
        ]
        return {
            "first_name": person.first,
            "last_name": person.last,
            "org_id": person.company,
            "phones": phones,
            "emails": [],
        }

    def custom(self, module: str, person: Person) -> dict[str, Any]:
        """Every custom field of the module; options by their numbers, and null where nothing is set."""
        tier = OPTIONS[person.tier] if person.tier else None
        if module == "organizations":
            return {ORG_TIER: tier}
        return {
            TIER: tier, SEATS: person.seats, RENEWAL: person.renewal, ACCOUNT: person.account_no or None,
            VIP: None if person.vip is None else OPTIONS["Yes" if person.vip else "No"],
            BUDGET: {"value": 500, "currency": "EUR"} if person.key == 1 else None,
        }  # fmt: skip

    async def list_fields(self, request: web.Request) -> web.StreamResponse:
        self.check(request, "contacts:read", "limit", "cursor")
        module = f"{request.match_info['module']}s"
        listed = [
            {
                "field_name": name, "field_code": key, "field_type": type_, "options": options, "subfields": None,
                "is_custom_field": len(key) == 40, "is_optional_response_field": key in ON_DEMAND[module],
            }
            for key, (name, type_, options) in FIELDS[module].items()
        ]  # fmt: skip
        return self.data(listed)

    async def insert(self, request: web.Request) -> web.StreamResponse:
        self.check(request, "contacts:full")
        body = await json_of(request)
        assert set(body) <= {
            "name",
            "owner_id",
            "org_id",
            "emails",
            "phones",
            "visible_to",
            "label_ids",
            "custom_fields",
        }
        if not body.get("name") or any(
            set(phone) != {"value", "primary", "label"} for phone in body["phones"]
        ):
            raise fails(400, "Validation failed: name: required")
        self.made.append(body)
        key = self.add("contact", body["name"], body["phones"][0]["value"])
        return self.data(
            {"id": key, "update_time": "2026-05-01T09:00:00Z", "custom_fields": {}, **body},
            201,
        )

    async def list_logs(self, request: web.Request) -> web.StreamResponse:
        self.check(request, "phone-integration", "start", "limit")
        limit = int(request.query.get("limit", 50))
        assert limit <= 50
        pagination = {"start": 0, "limit": limit, "more_items_in_collection": len(self.call_logs) > limit}
        listed = [kept(one) for one in self.call_logs[::-1][:limit]]
        return web.json_response(
            {"success": True, "data": listed, "additional_data": {"pagination": pagination}}
        )

    async def log(self, request: web.Request) -> web.StreamResponse:
        self.check(request, "phone-integration")
        body = await json_of(request)
        for name in ("to_phone_number", "outcome", "start_time", "end_time"):
            if not body.get(name):
                raise fails(400, f'"{name}" is required.')
        is_well = (
            body["outcome"] in OUTCOMES
            and MOMENT.fullmatch(body["start_time"])
            and MOMENT.fullmatch(body["end_time"])
        )
        if not (
            is_well
            and isinstance(body.get("duration", ""), str)
            and isinstance(body.get("person_id", 1), int)
        ):
            raise fails(400, "Validation failed")
        assert set(body) <= CALL_LOG
        self.call_logs.append(
            {"id": f"CA{len(self.call_logs):032x}", "activity_id": 7, "company_id": 9, **body}
        )
        return self.data(kept(self.call_logs[-1]))

    async def list_activities(self, request: web.Request) -> web.StreamResponse:
        self.check(
            request, "activities:read", "sort_by", "sort_direction", "limit", "done", "person_id", "org_id"
        )
        assert request.query["sort_by"] in ("id", "update_time", "add_time", "due_date")
        listed = self.activities if request.query["sort_direction"] == "asc" else self.activities[::-1]
        return self.data(listed[: int(request.query["limit"])])

    async def act(self, request: web.Request) -> web.StreamResponse:
        self.check(request, "activities:full")
        body = await json_of(request)
        assert "person_id" not in body, "only read: participants name the person"
        is_well = re.fullmatch(r"\d{4}-\d\d-\d\d", body["due_date"]) and re.fullmatch(
            r"\d\d:\d\d", body["due_time"]
        )
        if not (is_well and re.fullmatch(r"\d\d:\d\d", body["duration"]) and body["done"] is True):
            raise fails(400, "Validation failed")
        person = next((one["person_id"] for one in body["participants"] if one["primary"]), None)
        self.activities.append({"id": len(self.activities) + 1, "owner_id": 1, "person_id": person, **body})
        return self.data(self.activities[-1], 201)

    def data(self, data: Any, status: int = 200) -> web.Response:
        """Only what is a list has a next page."""
        headers = {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "19", "x-ratelimit-reset": "2"}
        pages = (
            {"additional_data": {"next_cursor": None}} if isinstance(data, list) or "items" in data else {}
        )
        body = {"success": True, "data": data, **pages}
        return web.json_response(body, status=status, headers=headers)

    def logged(self) -> list[Logged]:
        logs = [
            Logged(
                subject=one["subject"], text=one["note"], person=one.get("person_id"), seconds=int(one["duration"]),
                is_answered=one["outcome"] == "connected", started=one["start_time"], extra=one,
            )
            for one in self.call_logs
        ]  # fmt: skip
        return logs + [
            Logged(
                subject=one["subject"], text=one["note"], person=one["person_id"], started=one["due_date"], extra=one,
                seconds=(int(one["duration"][:2]) * 60 + int(one["duration"][3:])) * 60,
            )
            for one in self.activities
        ]  # fmt: skip


async def json_of(request: web.Request) -> dict[str, Any]:
    assert request.content_type == "application/json"
    body: dict[str, Any] = await request.json()
    return body


def digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def labelled(option: int | None) -> dict[str, Any] | None:
    return next(({"id": id_, "label": label} for label, id_ in OPTIONS.items() if id_ == option), None)


def kept(log: dict[str, Any]) -> dict[str, Any]:
    """A call log as it is answered: its moments have marks that they had not when they were sent."""
    moments = {name: f"{log[name].replace(' ', 'T')}.000Z" for name in ("start_time", "end_time")}
    return {**log, **moments, "has_recording": False}


def by_token(crm: Pipedrive) -> dict[str, Any]:
    return {"token": TOKEN, "url": crm.url}


def by_person(crm: Pipedrive) -> dict[str, Any]:
    client = {"auth": "person", "client_id": CLIENT, "client_secret": SECRET, "log_as": "activity"}
    return {**client, "url": crm.url, "sign_in_url": crm.url}


def signed_in(crm: Pipedrive) -> Grant:
    return Grant(
        token=Secret(crm.tokens.issue()),
        refresh_token=Secret(crm.tokens.issue_refresh()),
        base_url=crm.url,
        facts={"site": "https://acme.pipedrive.com"},
    )


TOKEN_RIG = CrmRig(
    name="pipedrive",
    slug="pipedrive",
    make=Pipedrive,
    settings=by_token,
    refused=lambda crm: by_token(crm) | {"token": "canary-wrong-token"},
    contacts="persons",
    tier=TIER,
    vip=VIP,
    seats=SEATS,
    renewal=RENEWAL,
    company="organization.name",
    account_no=ACCOUNT,
    unknown_field="f" * 40,
    refuses_unknown_field=False,
    values={
        "tier": "Gold",
        "vip": "Yes",
        "seats": 12,
        "renewal": "2026-12-01",
        "company": "Garage Dupont & Fils",
    },
    link=lambda _: "https://acme.pipedrive.com/person/1",
    signs_in=False,
    requests_known=2,
    requests_unknown=2,
)
PERSON_RIG = replace(
    TOKEN_RIG,
    name="pipedrive-person",
    settings=by_person,
    refused=lambda crm: by_person(crm) | {"client_secret": "canary-wrong-secret"},
    grant=signed_in,
    signs_in=True,
)
RIGS = (TOKEN_RIG, PERSON_RIG)
