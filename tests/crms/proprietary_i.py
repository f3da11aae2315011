"""A strict middleware of PBXware's kind: JWTs of an hour, plain-text errors, substring searches, once-only
calls; and a custom source beside it.

Every call that would activate the client, or forget its fields, is a mistake of the connector's.
"""

import base64
import json
import re
from dataclasses import replace
from typing import Any

from aiohttp import web

from tests.crms.people import Logged, Person
from tests.crms.rig import CrmRig
from tests.crms.server import Handler, Refused, StrictCrm, basic

CLIENT, KEY, SOURCE_KEY = "client-1", "canary-api-key", "canary-source-key"
SERVICE_USER, USER, PASSWORD = "pbx-17", "router@acme.example", "canary-password"
BASE = "/custom/api/v1"
KINDS = {"Contact": "contact", "Lead": "lead", "Account": "company"}
FIELDS = {
    "Id": ("string", "id"), "Name": ("string", "last_name"), "Phone": ("string", "phone"), "Mobile": ("string", "phone"),
    "Tier": ("string", "other"), "Vip": ("bool", "other"), "Seats": ("integer", "other"), "Renewal": ("string", "other"),
    "Account": ("to_one", "other"), "AccountNo": ("string", "other"),
}  # fmt: skip
ONCE_ONLY = ("/config", "/custom-fields", "/integration")
TASK = {
    "name": str, "conversation_id": str, "tenant_code": str, "ext": str, "customer_id": str, "subject": str,
    "description": str, "object_type": str, "object_id": str, "channel": str, "answered": int, "duration": int,
    "conversation_start_time": int, "conversation_finished": bool,
}  # fmt: skip
CHANNELS = ("voice", "sms", "email", "livechat", "facebook", "whatsapp")
MOST = 10


def digits_of(text: str) -> str:
    return re.sub(r"\D", "", text)


class Middleware(StrictCrm):
    """With `logs_users_in` its service user is logged in by name and password, else by nobody here."""

    slug = "proprietary_i"

    def __init__(self, *, logs_users_in: bool = False) -> None:
        super().__init__()
        self.logs_users_in = logs_users_in
        self.logged_in: set[str] = set() if logs_users_in else {SERVICE_USER}
        self.digits_compared = 9
        """Of the number's end, as far as the middleware looks; 0: it looks for the text as it was sent."""
        self.shows_phones = True
        self.tasks: list[dict[str, Any]] = []
        self.made: list[dict[str, Any]] = []

    def is_sign_in(self, path: str) -> bool:
        return path.endswith(("/token", "/auth/login"))

    def throttled(self) -> web.Response:
        return web.Response(text="too many requests", status=429, headers={"Retry-After": "1"})

    def down(self) -> web.Response:
        return web.Response(text="crm: connection refused", status=500)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{BASE}/token", self.token),
            web.post(f"{BASE}/auth/login", self.signed(self.login)),
            web.get(f"{BASE}/auth/status", self.signed(self.status)),
            web.get(f"{BASE}/search", self.signed(self.search)),
            web.get(f"{BASE}/object/describe/{{type}}", self.signed(self.describe)),
            web.get(f"{BASE}/object/{{type}}/{{id}}", self.signed(self.read)),
            web.post(f"{BASE}/object/{{type}}", self.signed(self.insert)),
            web.post(f"{BASE}/create-task", self.signed(self.create_task)),
            web.route("*", "/custom-source/routing/Contact", self.route),
            web.route("*", f"{BASE}/{{rest:.*}}", self.once_only),
        ]

    async def once_only(self, request: web.Request) -> web.StreamResponse:
        if any(part in request.path for part in ONCE_ONLY):
            raise AssertionError("this call activates the client, or forgets its fields")
        raise Refused(404, "404 page not found")

    # Who asks

    async def token(self, request: web.Request) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "")
        if not shown.startswith("Basic "):
            raise Refused(400, "basic auth is missing")
        if shown != basic(CLIENT, KEY):
            raise Refused(403, "forbidden")
        if "X-Integration-ID" not in request.headers:
            raise AssertionError("the integration's id is missing")
        claims = json.dumps({"iat": 1000, "exp": 4600, "client_id": CLIENT}).encode()
        part = base64.urlsafe_b64encode(claims).decode().rstrip("=")
        return web.json_response({"token": f"e30.{part}.{self.tokens.issue()}"})

    def signed(self, handler: Handler) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            shown = request.headers.get("Authorization", "")
            if not shown.startswith("Bearer ") or not self.tokens.is_alive(shown.rpartition(".")[2]):
                raise Refused(401, "invalid token provided")
            return await handler(request)

        return checked

    async def login(self, request: web.Request) -> web.StreamResponse:
        if not self.logs_users_in:
            raise Refused(404, "404 page not found")
        user = request.headers.get("user_id")
        if not user:
            return web.json_response({"status": "error", "message": "user_id is missing"}, status=400)
        if await request.json() != {"username": USER, "password": PASSWORD}:
            return web.json_response({"status": "error", "message": "unauthorized"}, status=401)
        self.logged_in.add(user)
        return web.json_response({"status": "ok", "message": "authorized"})

    async def status(self, request: web.Request) -> web.StreamResponse:
        user = request.headers.get("user_id", "")
        return web.json_response({"authorized": user in self.logged_in, "email": USER})

    def require_user(self, request: web.Request) -> None:
        if request.headers.get("user_id", "") not in self.logged_in:
            raise Refused(500, "user is not logged in")

    # Searching and reading

    def known(self, type_: str) -> str:
        if type_ not in KINDS:
            raise Refused(400, f"unknown object type {type_}")
        return KINDS[type_]

    async def search(self, request: web.Request) -> web.StreamResponse:
        self.require_user(request)
        query = request.query
        if not query.get("q"):
            raise Refused(400, "q is missing")
        types = query.getall("object_types", list(KINDS))
        if query["search_by"] == "field" and len(query.getall("object_types")) != 1:
            raise Refused(400, "field search needs one type")
        found: list[dict[str, Any]] = []
        for type_ in types:
            people = [person for person in self.of_kind(self.known(type_)) if self.is_hit(person, query)]
            hits = [self.hit(type_, person) for person in people]
            found += sorted(hits, key=lambda one: -one["last_modified_timestamp"])[:MOST]
        return web.json_response(found)

    def is_hit(self, person: Person, query: Any) -> bool:
        if query["search_by"] == "phone":
            return any(self.is_like(number, query["q"]) for number in person.numbers)
        assert query["search_by"] == "field"
        if query["field"] not in FIELDS:
            raise Refused(400, f"bad field name {query['field']}")
        return query["q"] in str(self.row(person).get(query["field"]) or "")

    def is_like(self, number: str, q: str) -> bool:
        if not self.digits_compared:
            return q in number
        return digits_of(q)[-self.digits_compared :] in digits_of(number)

    def hit(self, type_: str, person: Person) -> dict[str, Any]:
        changed = 1_777_000_000 + int(person.changed[8:10]) * 86_400
        made: dict[str, Any] = {
            "id": str(person.key),
            "type": type_,
            "title": person.name,
            "last_modified_timestamp": changed,
        }
        return made | ({"phones": list(person.numbers)} if person.numbers and self.shows_phones else {})

    def row(self, person: Person) -> dict[str, Any]:
        company = self.person(person.company) if person.company else None
        return {
            "Id": str(person.key), "Name": person.name, "Phone": person.phone or None, "Mobile": person.mobile or None,
            "Tier": person.tier, "Vip": bool(person.vip), "Seats": person.seats, "Renewal": person.renewal,
            "Account": {"Id": str(company.key), "Name": company.name} if company else None,
            "AccountNo": person.account_no or None,
        }  # fmt: skip

    async def read(self, request: web.Request) -> web.StreamResponse:
        self.require_user(request)
        kind = self.known(request.match_info["type"])
        for person in self.of_kind(kind):
            if str(person.key) == request.match_info["id"]:
                wanted = request.query["fields"].split(",")
                return web.json_response({key: v for key, v in self.row(person).items() if key in wanted})
        raise Refused(500, "record not found")

    async def describe(self, request: web.Request) -> web.StreamResponse:
        type_ = request.match_info["type"]
        if type_ not in KINDS:
            raise Refused(404, "unknown type")
        tiers = [{"id": tier, "value": f"{tier} customer"} for tier in ("Gold", "Silver", "Bronze")]
        listed = [
            {
                "id": name, "label": name, "type": kind, "logic_type": logic,
                "visibility": {"view": logic != "id", "create": logic != "id", "edit": logic != "id"},
                "list": {"multiselect": False, "items": tiers} if name == "Tier" else None,
            }
            for name, (kind, logic) in FIELDS.items()
        ]  # fmt: skip
        return web.json_response({"id": type_, "label": type_, "extendable": True, "fields": listed})

    # Writing

    async def insert(self, request: web.Request) -> web.StreamResponse:
        self.require_user(request)
        kind = self.known(request.match_info["type"])
        body = await request.json()
        if not body.get("Name") or not body.get("Phone") or set(body) - set(FIELDS):
            raise Refused(400, "a required field is missing, or one is unknown")
        self.made.append(body)
        key = self.add(kind, body["Name"], body["Phone"])
        return web.json_response({"id": str(key), "type": request.match_info["type"], "title": ""})

    async def create_task(self, request: web.Request) -> web.StreamResponse:
        self.require_user(request)
        task = await request.json()
        assert set(task) == set(TASK), "a field too many, or too few"
        for name, type_ in TASK.items():
            if type(task[name]) is not type_:
                raise Refused(400, f"{name} must be of another type")
        if not task["object_id"] or task["object_type"] not in KINDS or not task["subject"]:
            raise Refused(400, "object_id is missing")
        assert task["channel"] in CHANNELS
        assert task["answered"] in (0, 1)
        self.tasks.append(task)
        return web.Response(status=201)

    def logged(self) -> list[Logged]:
        return [
            Logged(
                subject=task["subject"],
                text=task["description"],
                person=int(task["object_id"]),
                seconds=task["duration"],
                is_answered=task["answered"] == 1,
                started="2026-05-01" if task["conversation_start_time"] == 1_777_626_000 else "",
            )
            for task in self.tasks
        ]

    # The custom source

    async def route(self, request: web.Request) -> web.StreamResponse:
        """One record as an object, several as a list, and 404 for nobody; digits match as a part."""
        if request.headers.get("X-Client-Id") != SOURCE_KEY:
            raise Refused(403, "forbidden")
        asked = request.query if request.method == "GET" else await request.json()
        assert set(asked) - {"site"} <= {"who", "api_fields", "caller_input", "input_target_field"}
        if not asked.get("who"):
            raise Refused(400, "no number")
        wanted = asked["api_fields"].split(",")
        target = asked.get("input_target_field")
        if set(wanted) - set(self.model()) or (target and target not in wanted):
            raise Refused(400, "bad field name")
        found = [person for person in self.of_kind("contact") if self.is_meant(person, asked)]
        if not found:
            raise Refused(404, "not found")
        rows = [self.modelled(person) for person in sorted(found, key=lambda one: one.changed, reverse=True)]
        shown = [{name: row[name] for name in dict.fromkeys(("Id", *wanted))} for row in rows]
        return web.json_response(shown[0] if len(shown) == 1 else shown)

    def is_meant(self, person: Person, asked: Any) -> bool:
        if "caller_input" in asked:
            return asked["caller_input"] in str(self.row(person)[asked["input_target_field"]] or "")
        return any(self.is_like(number, asked["who"]) for number in person.numbers)

    def modelled(self, person: Person) -> dict[str, Any]:
        row = self.row(person)
        company = row.pop("Account")
        return {**row, "Company": company and company["Name"], "Changed": person.changed}

    def model(self) -> dict[str, str]:
        return {
            "Id": "id", "Name": "name", "Phone": "phone", "Mobile": "phone", "Changed": "modified", "Tier": "choice",
            "Vip": "boolean", "Seats": "number", "Renewal": "date", "Company": "text", "AccountNo": "text",
        }  # fmt: skip


def settings(crm: StrictCrm) -> dict[str, Any]:
    return {
        "url": f"{crm.url}/custom",
        "client_id": CLIENT,
        "api_key": KEY,
        "object_types": ["Contact", "Lead", "Account"],
        "user_id": SERVICE_USER,
    }


def with_login(crm: StrictCrm) -> dict[str, Any]:
    return settings(crm) | {"username": USER, "password": PASSWORD}


def of_source(crm: Middleware) -> dict[str, Any]:
    return {
        "url": f"{crm.url}/custom-source/routing/Contact?site=7",
        "kind": "custom_source",
        "headers": {"X-Client-Id": SOURCE_KEY},
        "number_parameter": "who",
        "data_model": crm.model(),
    }


def posted(crm: Middleware) -> dict[str, Any]:
    return of_source(crm) | {"method": "POST", "number_format": "national"}


RIG = CrmRig(
    name="proprietary-i",
    slug="proprietary_i",
    make=Middleware,
    settings=settings,
    refused=lambda crm: settings(crm) | {"api_key": "canary-wrong-key"},
    contacts="Contact",
    leads="Lead",
    companies="Account",
    tier="Tier",
    vip="Vip",
    seats="Seats",
    renewal="Renewal",
    company="Account",
    account_no="AccountNo",
    unknown_field="Teir",
    refuses_unknown_field=False,
    values={
        "tier": "Gold",
        "vip": True,
        "seats": 12,
        "renewal": "2026-12-01",
        "company": "Garage Dupont & Fils",
    },
    requests_known=2,
    requests_unknown=3,
    logs_unknown_callers=False,
    knows_repeats=False,
)
LOGIN_RIG = replace(
    RIG,
    name="proprietary-i-login",
    make=lambda: Middleware(logs_users_in=True),
    settings=with_login,
    refused=lambda crm: with_login(crm) | {"password": "canary-wrong-password"},
)
SOURCE_RIG = replace(
    RIG,
    name="proprietary-i-source",
    settings=of_source,
    refused=lambda crm: of_source(crm) | {"headers": {"X-Client-Id": "canary-wrong-key"}},
    leads="",
    companies="",
    company="Company",
    refuses_unknown_field=True,
    signs_in=False,
    requests_known=1,
    requests_unknown=1,
    lacks=frozenset({"log_call", "create"}),
)
POST_RIG = replace(
    SOURCE_RIG,
    name="proprietary-i-source-post",
    settings=posted,
    refused=lambda crm: posted(crm) | {"headers": {"X-Client-Id": "canary-wrong-key"}},
)
RIGS = (RIG, LOGIN_RIG, SOURCE_RIG, POST_RIG)
