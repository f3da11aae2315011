"""A customer's implementation of the contract: strict about what it is asked, loose about numbers.

What it is asked and what it answers is held against the contract's OpenAPI file. It looks for the national
digits anywhere in what is stored, as a simple query of a customer's would, and shows the numbers it found.
"""

import hashlib
import hmac
import json
import re
import time
from dataclasses import replace
from typing import Any

from aiohttp import web

from tests.crms import contract
from tests.crms.people import Logged, Person
from tests.crms.rig import CrmRig
from tests.crms.server import Handler, Refused, StrictCrm, basic

TOKEN, USER, PASSWORD = "canary-token", "router", "canary-password"
SIGNING_SECRET = "canary-signing-secret"
BASE = "/own"
OLD_SECONDS = 300
FIELDS = {
    "tier": "choice",
    "vip": "boolean",
    "seats": "number",
    "renewal": "date",
    "company": "link",
    "account_no": "text",
}
KINDS = {"contacts": "contact", "leads": "lead", "companies": "company"}
SHOWN = {
    "bearer": ("Authorization", f"Bearer {TOKEN}"),
    "basic": ("Authorization", basic(USER, PASSWORD)),
    "header": ("X-Crm-Key", TOKEN),
}


def problem(status: int, type_: str, detail: str) -> Refused:
    body = {"type": f"urn:crmroute:{type_}", "title": type_, "status": status, "detail": detail}
    return Refused(status, json.dumps(body), {"Content-Type": contract.PROBLEM})


class OwnCrm(StrictCrm):
    slug = "proprietary"

    def __init__(self, auth: str = "bearer", *, is_signed: bool = False) -> None:
        super().__init__()
        self.auth = auth
        self.is_signed = is_signed
        self.signatures: list[str] = []
        self.calls: dict[str, dict[str, Any]] = {}
        self.made: list[dict[str, Any]] = []

    def throttled(self) -> web.Response:
        headers = {"Retry-After": "1", "Content-Type": contract.PROBLEM}
        return web.Response(text='{"type": "about:blank", "status": 429}', status=429, headers=headers)

    def routes(self) -> list[web.RouteDef]:
        base = f"{BASE}{contract.ROOT}"
        return [
            web.get(f"{base}/me", self.asked(self.me)),
            web.post(f"{base}/lookup", self.asked(self.lookup)),
            web.get(f"{base}/modules", self.asked(self.modules)),
            web.get(f"{base}/modules/{{module}}/fields", self.asked(self.fields)),
            web.put(f"{base}/calls/{{id}}", self.asked(self.log)),
            web.post(f"{base}/contacts", self.asked(self.insert)),
        ]

    def asked(self, handler: Handler) -> Handler:
        """The handler, with both sides of it held against the OpenAPI file."""

        async def judged(request: web.Request) -> web.StreamResponse:
            body, path = await request.read(), request.rel_url.raw_path.removeprefix(BASE)
            signature = request.headers.get("Crmroute-Signature")
            contract.require_request(
                request.method, path, body, request.headers.get("Content-Type", ""), signature
            )
            try:
                self.check(request, path, body)
                answer = await handler(request)
            except Refused as refused:
                answer = refused.response()
            assert isinstance(answer, web.Response)
            assert isinstance(answer.body, bytes)
            contract.require_answer(request.method, path, answer.status, answer.body, answer.content_type)
            return answer

        return judged

    def check(self, request: web.Request, path: str, body: bytes) -> None:
        name, value = SHOWN[self.auth]
        if request.headers.get(name) != value:
            raise problem(401, "unauthorized", "the token is not known")
        if self.is_signed:
            signature = request.headers.get("Crmroute-Signature", "")
            self.signatures.append(signature)
            found = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", signature)
            if found is None or abs(time.time() - int(found[1])) > OLD_SECONDS:
                raise problem(401, "bad-signature", "the signature is old")
            signed = f"{found[1]}\n{request.method}\n{path}\n".encode() + body
            if hmac.new(SIGNING_SECRET.encode(), signed, hashlib.sha256).hexdigest() != found[2]:
                raise problem(401, "bad-signature", "the signature is wrong")

    async def me(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"name": "Acme's own CRM"})

    async def lookup(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        modules = body["modules"] or list(KINDS)
        for module in modules:
            if module not in KINDS:
                raise problem(400, "unknown-module", f"there is no module {module}")
        for name in body["fields"]:
            if name not in FIELDS:
                raise problem(400, "unknown-field", f"there is no field {name}")
        found = [
            self.record(module, person, body["fields"])
            for module in modules
            for person in self.of_kind(KINDS[module])
            if self.is_meant(person, body)
        ]
        return web.json_response({"records": found})

    def is_meant(self, person: Person, body: dict[str, Any]) -> bool:
        if "digits" in body:
            assert body["digits_field"] in body["fields"]
            return body["digits_field"] == "account_no" and body["digits"] in person.account_no
        return any(body["national"] in re.sub(r"\D", "", number) for number in person.numbers)

    def record(self, module: str, person: Person, fields: list[str]) -> dict[str, Any]:
        company = self.person(person.company).name if person.company else None
        values = {
            "tier": person.tier, "vip": bool(person.vip), "seats": person.seats, "renewal": person.renewal,
            "company": company, "account_no": person.account_no or None,
        }  # fmt: skip
        return {
            "id": str(person.key), "module": module, "name": person.name, "modified_at": person.changed,
            "link": f"https://own.example/{module}/{person.key}", "phones": list(person.numbers),
            "fields": {name: values[name] for name in fields},
        }  # fmt: skip

    async def modules(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"modules": [{"name": name, "label": name.title()} for name in KINDS]})

    async def fields(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["module"] not in KINDS:
            raise problem(404, "unknown-module", "there is no such module")
        tiers = [{"value": tier, "label": f"{tier} customer"} for tier in ("Gold", "Silver", "Bronze")]
        listed = [
            {"name": name, "label": name.title(), "type": type_, "values": tiers if type_ == "choice" else []}
            for name, type_ in FIELDS.items()
        ]
        return web.json_response({"fields": listed})

    async def log(self, request: web.Request) -> web.StreamResponse:
        id_ = request.match_info["id"]
        status = 200 if id_ in self.calls else 201
        self.calls[id_] = await request.json()
        return web.json_response({"id": id_}, status=status)

    async def insert(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if body["module"] not in KINDS:
            raise problem(400, "unknown-module", "there is no such module")
        status = 200 if body in self.made else 201
        if status == 201:
            self.made.append(body)
            self.add(KINDS[body["module"]], body["name"], body["number"])
        id_ = str(900 + self.made.index(body))
        made = {"id": id_, "link": f"https://own.example/{body['module']}/{id_}"}
        return web.json_response(made, status=status)

    def logged(self) -> list[Logged]:
        return [
            Logged(
                subject=call["subject"],
                text=f"{call['decision']} {call['caller']} {call['ending']}",
                person=int(call["record"]["id"]) if call["record"] else None,
                seconds=call["talk_seconds"],
                direction=call["direction"],
                is_answered=call["ending"] == "answered",
                started=call["started_at"],
            )
            for call in self.calls.values()
        ]


def by_token(crm: StrictCrm) -> dict[str, Any]:
    return {"url": f"{crm.url}{BASE}", "token": TOKEN}


def by_user(crm: StrictCrm) -> dict[str, Any]:
    return {"url": f"{crm.url}{BASE}/", "auth": "basic", "username": USER, "password": PASSWORD}


def by_header(crm: StrictCrm) -> dict[str, Any]:
    return by_token(crm) | {"auth": "header", "header_name": "X-Crm-Key"}


def signed(crm: StrictCrm) -> dict[str, Any]:
    return by_token(crm) | {"signing_secret": SIGNING_SECRET}


TOKEN_RIG = CrmRig(
    name="proprietary",
    slug="proprietary",
    make=OwnCrm,
    settings=by_token,
    refused=lambda crm: by_token(crm) | {"token": "canary-wrong-token"},
    contacts="contacts",
    leads="leads",
    companies="companies",
    tier="tier",
    vip="vip",
    seats="seats",
    renewal="renewal",
    company="company",
    account_no="account_no",
    unknown_field="teir",
    values={
        "tier": "Gold",
        "vip": True,
        "seats": 12,
        "renewal": "2026-12-01",
        "company": "Garage Dupont & Fils",
    },
    link=lambda _: "https://own.example/contacts/1",
    signs_in=False,
)
USER_RIG = replace(
    TOKEN_RIG,
    name="proprietary-basic",
    make=lambda: OwnCrm("basic"),
    settings=by_user,
    refused=lambda crm: by_user(crm) | {"password": "canary-wrong-password"},
)
HEADER_RIG = replace(
    TOKEN_RIG,
    name="proprietary-header",
    make=lambda: OwnCrm("header"),
    settings=by_header,
    refused=lambda crm: by_header(crm) | {"token": "canary-wrong-token"},
)
SIGNED_RIG = replace(
    TOKEN_RIG,
    name="proprietary-signed",
    make=lambda: OwnCrm(is_signed=True),
    settings=signed,
    refused=lambda crm: signed(crm) | {"signing_secret": "canary-wrong-signing-secret"},
)
RIGS = (TOKEN_RIG, USER_RIG, HEADER_RIG, SIGNED_RIG)
