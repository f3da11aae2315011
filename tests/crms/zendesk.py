"""A strict Zendesk: a search of terms over an index that lags, refresh tokens that rotate, 429 in plain text,
an anonymous users/me, tickets that cannot be solved by nobody.

The index has the digits of a user's number and finds those that hold what stands behind the wildcard.
"""

import re
from dataclasses import replace
from typing import Any

from aiohttp import web

from tests.crms.people import ALICE, Logged, Person
from tests.crms.rig import CrmRig
from tests.crms.server import Refused, StrictCrm, basic
from workers.connectors.steps import Grant
from workers.secrets import Secret

CLIENT, SECRET, AGENT, TOKEN = "router", "canary-client-secret", "agent@acme.example", "canary-api-token"
ME = 1234
SUSPENDED, INACTIVE = 81, 82
TERM = re.compile(r'(?P<key>[a-z][A-Za-z0-9_]*):(?P<value>"[^"\\*]*"|\*?[0-9]+|[a-z-]+)(?: |$)')
TIERS = ("Gold", "Silver", "Bronze")
USER_FIELDS = {
    "tier": "dropdown", "vip": "checkbox", "seats": "integer", "renewal": "date", "account_no": "text",
    "interests": "multiselect", "score": "decimal", "manager": "lookup",
}  # fmt: skip
ORGANIZATION_FIELDS = {"tier": "dropdown", "account_no": "text"}


class Zendesk(StrictCrm):
    slug = "zendesk"

    def __init__(self) -> None:
        super().__init__()
        self.people += [
            Person(SUSPENDED, "contact", "Sam", "Suspendu", phone=ALICE, tier="Bronze", account_no="4711"),
            Person(INACTIVE, "contact", "Ines", "Inactive", phone=ALICE, tier="Bronze", account_no="8200"),
            Person(40, "contact", "Poste", "Interne", phone="1234", tier="Silver"),
            Person(41, "contact", "Autre", "Poste", phone="512345", tier="Silver"),
        ]
        self.tickets: list[dict[str, Any]] = []
        self.made: list[dict[str, Any]] = []
        self.not_indexed: set[int] = set()
        """Keys of users that the search has not met yet."""
        self.role = "agent"
        self.wants_more_of_solved_tickets = False

    def is_sign_in(self, path: str) -> bool:
        return path == "/oauth/tokens"

    def throttled(self) -> web.Response:
        headers = {"Retry-After": "1", "X-Rate-Limit": "700", "X-Rate-Limit-Remaining": "0"}
        text = "Number of allowed API requests per minute exceeded"
        return web.Response(status=429, text=text, headers=headers)

    def down(self) -> web.Response:
        return web.json_response(
            {"error": "unavailable", "description": "Sorry, we could not complete your search query."},
            status=503,
        )

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/oauth/tokens", self.token),
            web.get("/api/v2/users/me.json", self.me),
            web.get("/api/v2/search.json", self.search),
            web.get("/api/v2/users/search.json", self.search_users),
            web.get("/api/v2/organizations/search.json", self.search_organizations),
            web.get("/api/v2/organizations/show_many.json", self.organizations),
            web.get("/api/v2/user_fields.json", self.user_fields),
            web.get("/api/v2/organization_fields.json", self.organization_fields),
            web.get("/api/v2/tickets.json", self.list_tickets),
            web.post("/api/v2/tickets.json", self.insert_ticket),
            web.post("/api/v2/channels/voice/tickets.json", self.insert_ticket),
            web.post("/api/v2/users.json", self.insert_user),
        ]

    # Signing in

    async def token(self, request: web.Request) -> web.StreamResponse:
        if request.content_type != "application/json":
            raise Refused(400, {"error": "invalid_request", "error_description": "The request is not JSON"})
        body = await request.json()
        if (body.get("client_id"), body.get("client_secret")) != (CLIENT, SECRET):
            raise Refused(
                401, {"error": "invalid_client", "error_description": "Client authentication failed"}
            )
        if body.get("scope") != "read write" or not is_within(body.get("expires_in"), 300, 172_800):
            raise Refused(400, {"error": "invalid_request"})
        more: dict[str, Any] = {}
        match body.get("grant_type"):
            case "client_credentials":
                assert "refresh_token_expires_in" not in body
            case "refresh_token":
                if not self.tokens.spend_refresh(str(body.get("refresh_token"))):
                    raise Refused(400, {"error": "invalid_grant", "error_description": "expired"})
                self.tokens.expire_all()  # the former pair dies
                more = {"refresh_token": self.tokens.issue_refresh()}
            case "authorization_code":
                if body.get("code") != "good-code" or not body.get("code_verifier"):
                    raise Refused(400, {"error": "invalid_grant"})
                assert body["redirect_uri"]
                more = {"refresh_token": self.tokens.issue_refresh()}
            case _:
                raise Refused(400, {"error": "unsupported_grant_type"})
        if more:
            assert is_within(body["refresh_token_expires_in"], 604_800, 7_776_000)
        answer = {"token_type": "bearer", "scope": "read write", "expires_in": body["expires_in"]}
        return web.json_response({**answer, **more, "access_token": self.tokens.issue()}, status=201)

    def check(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "")
        is_known = given == basic(f"{AGENT}/token", TOKEN) or (
            given.startswith("Bearer ") and self.tokens.is_alive(given.removeprefix("Bearer "))
        )
        if not is_known:
            raise Refused(401, {"error": "Couldn't authenticate you"}, {"WWW-Authenticate": "Basic"})

    def check_agent(self, request: web.Request) -> None:
        self.check(request)
        if self.role not in ("agent", "admin"):
            message = "You do not have access to this page."
            raise Refused(403, {"error": {"title": "Forbidden", "message": message}})

    async def me(self, request: web.Request) -> web.StreamResponse:
        if "Authorization" not in request.headers:
            return web.json_response({"user": {"id": None, "name": "Anonymous user", "role": "end-user"}})
        self.check(request)
        user = {"id": ME, "name": "Router", "role": self.role, "suspended": False, "active": True}
        return web.json_response({"user": user})

    # Looking up

    async def search(self, request: web.Request) -> web.StreamResponse:
        self.check_agent(request)
        assert set(request.query) == {"query", "sort_by", "sort_order", "per_page"}
        assert request.query["sort_by"] == "updated_at"
        assert int(request.query["per_page"]) <= 100
        query = request.query["query"]
        terms, at = {}, 0
        while at < len(query):
            parsed = TERM.match(query, at)
            if parsed is None or parsed["key"] in terms:
                raise Refused(422, {"error": "invalid", "description": f"Invalid search: {query}"})
            terms[parsed["key"]], at = parsed["value"], parsed.end()
        kind = terms.pop("type")
        if kind == "user":
            assert terms.pop("role") == "end-user"
            found = [
                self.user(person) for person in self.of_kind("contact") if person.key not in self.not_indexed
            ]
        else:
            found = [self.company(person) for person in self.of_kind("company")]
        hits = [one for one in found if all(self.holds(one, kind, *term) for term in terms.items())]
        hits.sort(key=lambda one: str(one["updated_at"]), reverse=True)
        results = [{"result_type": kind, **one} for one in hits]
        return web.json_response(
            {
                "results": results,
                "count": len(results),
                "next_page": None,
                "previous_page": None,
                "facets": None,
            }
        )

    def holds(self, one: dict[str, Any], kind: str, key: str, value: str) -> bool:
        """An unknown key is no error: nothing has it."""
        if key == "phone":
            digits = "".join(filter(str.isdigit, one.get("phone") or ""))
            return value[1:] in digits if value.startswith("*") else digits.startswith(value)
        fields = one[f"{kind}_fields"]
        # A phrase is looked for within the words of a text.
        return str(fields.get(key) or "").startswith(value.strip('"'))

    def user(self, person: Person) -> dict[str, Any]:
        number = person.phone or person.mobile
        return {
            "id": person.key, "name": person.name, "email": None, "phone": number or None, "role": "end-user",
            "shared_phone_number": person.last == "Roux", "organization_id": person.company, "tags": [],
            "active": person.key != INACTIVE, "suspended": person.key == SUSPENDED, "updated_at": person.changed,
            "external_id": person.account_no or None,
            "user_fields": {
                "tier": person.tier.lower() if person.tier else None, "vip": bool(person.vip), "seats": person.seats,
                "renewal": person.renewal and f"{person.renewal}T00:00:00+00:00", "account_no": person.account_no or None,
                "interests": ["cars", "bikes"] if person.vip else [], "score": 0.5, "manager": None,
            },
        }  # fmt: skip

    def company(self, person: Person) -> dict[str, Any]:
        return {
            "id": person.key, "name": person.name, "updated_at": person.changed, "tags": [], "notes": "",
            "external_id": person.account_no or None,
            "organization_fields": {
                "tier": person.tier.lower() if person.tier else None, "account_no": person.account_no or None,
            },
        }  # fmt: skip

    async def search_users(self, request: web.Request) -> web.StreamResponse:
        self.check_agent(request)
        assert set(request.query) == {"external_id"}
        wanted = request.query["external_id"]
        known = [self.user(person) for person in self.of_kind("contact")] + self.made
        users = [user for user in known if str(user["external_id"]).lower() == wanted.lower()]
        return web.json_response({"users": users, "count": len(users), "next_page": None})

    async def search_organizations(self, request: web.Request) -> web.StreamResponse:
        self.check_agent(request)
        assert set(request.query) == {"external_id"}
        wanted = request.query["external_id"]
        found = [self.company(person) for person in self.of_kind("company") if person.account_no == wanted]
        return web.json_response({"organizations": found, "count": len(found), "next_page": None})

    async def organizations(self, request: web.Request) -> web.StreamResponse:
        self.check_agent(request)
        ids = request.query["ids"].split(",")
        assert len(ids) <= 100
        found = [self.company(person) for person in self.of_kind("company") if str(person.key) in ids]
        return web.json_response({"organizations": found, "count": len(found), "next_page": None})

    # What it tells of itself

    async def user_fields(self, request: web.Request) -> web.StreamResponse:
        return self.listed(request, "user_fields", USER_FIELDS)

    async def organization_fields(self, request: web.Request) -> web.StreamResponse:
        return self.listed(request, "organization_fields", ORGANIZATION_FIELDS)

    def listed(self, request: web.Request, name: str, fields: dict[str, str]) -> web.Response:
        self.check_agent(request)
        assert int(request.query.get("page[size]", "100")) <= 100
        options = [{"id": at, "name": tier, "value": tier.lower()} for at, tier in enumerate(TIERS)]
        listed = [
            {
                "id": at, "key": key, "title": key.replace("_", " ").title(), "type": type_, "active": True, "system": False,
                **({"custom_field_options": options} if key == "tier" else {}),
            }
            for at, (key, type_) in enumerate(fields.items())
        ]  # fmt: skip
        old = {"id": 99, "key": "old", "title": "Old", "type": "text", "active": False, "system": False}
        return web.json_response({name: [*listed, old]})

    # Writing

    async def list_tickets(self, request: web.Request) -> web.StreamResponse:
        self.check_agent(request)
        assert set(request.query) == {"external_id"}
        wanted = request.query["external_id"]
        return web.json_response({"tickets": [one for one in self.tickets if one["external_id"] == wanted]})

    async def insert_ticket(self, request: web.Request) -> web.StreamResponse:
        self.check_agent(request)
        body = await request.json()
        assert set(body) == {"ticket"}
        ticket = body["ticket"]
        assert ticket["comment"]["public"] is False, "a logged call must not mail the customer"
        assert "crmroute" in ticket["tags"]
        if "voice" in request.path and ticket.get("via_id") not in (44, 45, 46):
            raise invalid("via_id", "Via is invalid")
        assert "voice" in request.path or "via_id" not in ticket
        if "requester_id" in ticket:
            self.person(ticket["requester_id"])
        if ticket.get("status") == "solved":
            if ticket.get("assignee_id") != ME:
                raise invalid("assignee", "Assignee is required when solving a ticket")
            if self.wants_more_of_solved_tickets:
                raise invalid("base", "Reason: is required when solving a ticket")
        kept = {"id": len(self.tickets) + 1, "status": "new", "requester_id": ME, **ticket}
        self.tickets.append(kept)
        return web.json_response({"ticket": kept, "audit": {"id": 1}}, status=201)

    async def insert_user(self, request: web.Request) -> web.StreamResponse:
        self.check_agent(request)
        user = (await request.json())["user"]
        assert user["role"] == "end-user"
        if not user.get("name"):
            raise invalid("name", "Name: is too short (minimum one character)")
        if any(user["external_id"] == made["external_id"] for made in self.made):
            raise invalid("external_id", "External has already been taken")
        key = self.add("contact", user["name"], user["phone"])
        self.made.append({"id": key, "updated_at": "2026-05-01T09:00:00Z", **user})
        return web.json_response({"user": self.made[-1]}, status=201)

    def logged(self) -> list[Logged]:
        return [
            Logged(
                subject=ticket["subject"],
                text=ticket["comment"]["body"],
                person=ticket["requester_id"] if ticket["requester_id"] != ME else None,
                seconds=None,
                is_answered=ticket["status"] == "solved",
                started=ticket["comment"]["body"].partition("\n")[2].partition(", ")[2],
                extra=ticket,
            )
            for ticket in self.tickets
        ]


def is_within(raw: Any, least: int, most: int) -> bool:
    """A number, and no text of one."""
    return type(raw) is int and least < raw < most


def invalid(name: str, description: str) -> Refused:
    details = {name: [{"description": description, "error": "BlankValue"}]}
    return Refused(
        422, {"error": "RecordInvalid", "description": "Record validation errors", "details": details}
    )


def by_client(crm: Zendesk) -> dict[str, Any]:
    return {"url": crm.url, "client_id": CLIENT, "client_secret": SECRET}


def by_person(crm: Zendesk) -> dict[str, Any]:
    return by_client(crm) | {"auth": "person", "log_as": "voice"}


def by_token(crm: Zendesk) -> dict[str, Any]:
    return {"url": crm.url, "auth": "token", "username": AGENT, "token": TOKEN}


def signed_in(crm: Zendesk) -> Grant:
    return Grant(
        token=Secret(crm.tokens.issue()),
        refresh_token=Secret(crm.tokens.issue_refresh()),
        lives_seconds=86_400,
    )


CLIENT_RIG = CrmRig(
    name="zendesk",
    slug="zendesk",
    make=Zendesk,
    settings=by_client,
    refused=lambda crm: by_client(crm) | {"client_secret": "canary-wrong-secret"},
    contacts="users",
    tier="tier",
    vip="vip",
    seats="seats",
    renewal="renewal",
    account_no="account_no",
    tier_value=str.lower,
    unknown_field="teir",
    refuses_unknown_field=False,
    values={"tier": "gold", "vip": True, "seats": 12, "renewal": "2026-12-01T00:00:00+00:00"},
    link=lambda crm: f"{crm.url}/agent/users/1",
)
PERSON_RIG = replace(
    CLIENT_RIG,
    name="zendesk-person",
    settings=by_person,
    refused=lambda crm: by_person(crm) | {"client_secret": "canary-wrong-secret"},
    grant=signed_in,
)
TOKEN_RIG = replace(
    CLIENT_RIG,
    name="zendesk-token",
    settings=by_token,
    refused=lambda crm: by_token(crm) | {"token": "canary-wrong-token"},
    signs_in=False,
)
RIGS = (CLIENT_RIG, PERSON_RIG, TOKEN_RIG)
