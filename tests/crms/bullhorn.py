"""A strict Bullhorn: data centres, a code in a redirect, tokens that serve once, Lucene and JPQL word by
word.
"""

import re
from typing import Any

from aiohttp import web

from tests.crms.people import Logged, Person
from tests.crms.rig import CrmRig
from tests.crms.server import Refused, StrictCrm

USER, PASSWORD, CLIENT, SECRET = "api.user", "canary-password", "client-1", "canary-client-secret"
COMMON = {
    "id": "ID", "name": "SCALAR", "dateLastModified": "SCALAR", "phone": "SCALAR", "customText1": "SCALAR",
    "customText2": "SCALAR", "status": "SCALAR",
}  # fmt: skip
PERSONAL = {
    **COMMON, "isDeleted": "SCALAR", "mobile": "SCALAR", "phone2": "SCALAR", "phone3": "SCALAR", "firstName": "SCALAR", "lastName": "SCALAR",
    "customInt1": "SCALAR", "customDate1": "SCALAR",
}  # fmt: skip
FIELDS: dict[str, dict[str, str]] = {
    "ClientContact": {**PERSONAL, "clientCorporation": "TO_ONE"},
    "Candidate": {**PERSONAL, "workPhone": "SCALAR"},
    "Lead": PERSONAL,
    "ClientCorporation": {**COMMON, "billingPhone": "SCALAR"},
    "Note": {"id": "ID", "externalID": "SCALAR", "isDeleted": "SCALAR"},
}
KINDS = {"ClientContact": "contact", "Lead": "lead", "ClientCorporation": "company", "Candidate": "candidate"}
PHRASE = r'"(?:[^"\\]|\\.)*"'
GROUP = rf"(?P<field>\w+):\((?P<phrases>{PHRASE}(?: OR {PHRASE})*)\)"
QUERY = re.compile(
    rf"\((?P<groups>\w+:\({PHRASE}(?: OR {PHRASE})*\)(?: OR \w+:\({PHRASE}(?: OR {PHRASE})*\))*)\)(?P<mark> AND isDeleted:false)?"
    rf"(?: NOT status:{PHRASE})?"
)
WHERE = re.compile(r"(?P<field>\w+)=(?P<value>'(?:[^']|'')*')(?P<mark> AND isDeleted=false)?")


def fails(status: int, message: str) -> Refused:
    return Refused(status, {"errorMessage": message, "errorMessageKey": "errors.x", "errorCode": status})


class Bullhorn(StrictCrm):
    slug = "bullhorn"

    def __init__(self) -> None:
        super().__init__()
        self.codes: set[str] = set()
        self.access: set[str] = set()
        self.notes: list[dict[str, Any]] = []
        self.made: list[dict[str, Any]] = []

    def is_sign_in(self, path: str) -> bool:
        return path.startswith(
            ("/rest-services/loginInfo", "/oauth/", "/west/rest-services")
        ) or path.endswith(("/login", "/settings/userId"))

    def routes(self) -> list[web.RouteDef]:
        rest = "/rest42/rest-services/ab12"
        return [
            web.get("/rest-services/loginInfo", self.elsewhere),
            web.get("/west/rest-services/loginInfo", self.login_info),
            web.get("/oauth/authorize", self.authorize),
            web.post("/oauth/token", self.token),
            web.post("/rest-services/login", self.login),
            web.get(f"{rest}/ping", self.ping),
            web.get(f"{rest}/settings/userId", self.user_id),
            web.get(f"{rest}/meta", self.meta),
            web.get(f"{rest}/meta/{{entity}}", self.meta_entity),
            web.post(f"{rest}/search/{{entity}}", self.search),
            web.post(f"{rest}/query/{{entity}}", self.query),
            web.put(f"{rest}/entity/{{entity}}", self.insert),
        ]

    async def elsewhere(self, request: web.Request) -> web.StreamResponse:
        place = f"{self.url}/west/rest-services/loginInfo?username={request.query['username']}"
        return web.Response(status=307, headers={"Location": place})

    async def login_info(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"oauthUrl": f"{self.url}/oauth", "restUrl": f"{self.url}/rest-services"})

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        if (query["username"], query["password"], query["client_id"]) != (USER, PASSWORD, CLIENT):
            return web.Response(
                text="<!DOCTYPE html><html><body>Sign in</body></html>", content_type="text/html"
            )
        code = f"25:{len(self.codes)}"
        self.codes.add(code)
        return web.Response(
            status=302, headers={"Location": f"{self.url}/welcome?code=25%3A{len(self.codes) - 1}"}
        )

    async def token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if (form["client_id"], form["client_secret"]) != (CLIENT, SECRET):
            raise Refused(400, {"error": "invalid_client"})
        if form["grant_type"] == "refresh_token":
            if not self.tokens.spend_refresh(str(form["refresh_token"])):
                raise Refused(400, {"error": "invalid_grant"})
        elif form["code"] not in self.codes:
            raise Refused(400, {"error": "invalid_grant"})
        access = f"22:{len(self.access)}"
        self.access.add(access)
        return web.json_response(
            {"access_token": access, "expires_in": 600, "refresh_token": self.tokens.issue_refresh()}
        )

    async def login(self, request: web.Request) -> web.StreamResponse:
        if request.query["access_token"] not in self.access:
            raise fails(401, "Invalid or expired OAuth access token.")
        self.access.discard(request.query["access_token"])
        rest = f"{self.url}/rest42/rest-services/ab12/"
        return web.json_response({"BhRestToken": self.tokens.issue(), "restUrl": rest})

    def check(self, request: web.Request) -> None:
        if "BhRestToken" not in request.headers:
            raise fails(412, "BhRestToken is missing")
        if not self.tokens.is_alive(request.headers["BhRestToken"]):
            raise fails(401, "Bad 'BhRestToken' or timed-out.")

    def known(self, entity: str) -> dict[str, str]:
        if entity not in FIELDS:
            raise fails(404, f"Entity {entity} is not found")
        return FIELDS[entity]

    async def ping(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        return web.json_response({"sessionExpires": 1777712400000})

    async def user_id(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        return web.json_response({"userId": 31})

    async def meta(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        return web.json_response([{"entity": name, "metaUrl": "x"} for name in KINDS])

    async def meta_entity(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        options = [{"value": tier, "label": tier} for tier in ("Gold", "Silver", "Bronze")]
        fields = [
            {
                "name": name,
                "label": "Tier" if name == "customText1" else name,
                "type": type_,
                "dataType": "String",
                "options": options if name == "customText1" else [],
            }
            for name, type_ in self.known(request.match_info["entity"]).items()
        ]
        return web.json_response({"entity": request.match_info["entity"], "fields": fields})

    def require_columns(self, entity: str, listed: str) -> None:
        for name in re.sub(r"\([^)]*\)", "", listed).split(","):
            if name not in self.known(entity):
                raise fails(404, f"Invalid field '{name}'")

    def require_mark(self, entity: str, parsed: re.Match[str]) -> None:
        """A company has no mark of deletion; of all others the deleted must be left out."""
        has_mark = "isDeleted" in self.known(entity)
        if parsed["mark"] and not has_mark:
            raise fails(404, "Invalid field 'isDeleted'")
        assert parsed["mark"] or not has_mark

    async def search(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        entity = request.match_info["entity"]
        self.require_columns(entity, request.query["fields"])
        parsed = QUERY.fullmatch((await request.json())["query"])
        if parsed is None:
            raise fails(400, "Bad query")
        self.require_mark(entity, parsed)
        terms: dict[str, list[str]] = {}
        for group in re.finditer(GROUP, parsed["groups"]):
            phrases = [re.sub(r"\\(.)", r"\1", one[1:-1]) for one in re.findall(PHRASE, group["phrases"])]
            terms[group["field"]] = ["".join(filter(str.isdigit, phrase)) for phrase in phrases]
        found = [
            row
            for row in (self.row(entity, person) for person in self.of_kind(KINDS[entity]))
            if any(self.holds(str(row.get(field) or ""), texts) for field, texts in terms.items())
        ]
        return self.answer(found)

    def holds(self, stored: str, texts: list[str]) -> bool:
        digits = "".join(filter(str.isdigit, stored))
        return any(text and text in digits for text in texts)

    async def query(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        entity = request.match_info["entity"]
        self.require_columns(entity, request.query["fields"])
        parsed = WHERE.fullmatch((await request.json())["where"])
        if parsed is None or parsed["field"] not in self.known(entity):
            raise fails(400 if parsed is None else 404, "Invalid field in where")
        self.require_mark(entity, parsed)
        value = parsed["value"][1:-1].replace("''", "'")
        if entity == "Note":
            return self.answer([note for note in self.notes if note["externalID"] == value])
        rows = [self.row(entity, person) for person in self.of_kind(KINDS[entity])]
        return self.answer([row for row in rows if row.get(parsed["field"]) == value])

    def answer(self, rows: list[dict[str, Any]]) -> web.Response:
        rows = sorted(rows, key=lambda row: -row.get("dateLastModified", 0))
        return web.json_response({"total": len(rows), "start": 0, "count": len(rows), "data": rows})

    def row(self, entity: str, person: Person) -> dict[str, Any]:
        company = self.person(person.company) if person.company else None
        return {
            "id": person.key, "name": person.name, "phone": person.phone, "mobile": person.mobile,
            "customText1": person.tier, "customText2": person.account_no, "customInt1": person.seats,
            "customDate1": person.renewal, "dateLastModified": 1_777_600_000_000 + int(person.changed[8:10]) * 86_400_000,
            "clientCorporation": {"id": company.key, "name": company.name} if company else None,
        }  # fmt: skip

    async def insert(self, request: web.Request) -> web.StreamResponse:
        self.check(request)
        entity, body = request.match_info["entity"], await request.json()
        if entity == "Note":
            if (
                not body.get("comments")
                or not body.get("personReference")
                or not isinstance(body["minutesSpent"], int)
            ):
                raise fails(404, "Missing mandatory value")
            self.notes.append({"id": 9000 + len(self.notes), **body})
            id_ = self.notes[-1]["id"]
        else:
            self.known(entity)
            self.made.append(body)
            id_ = self.add(KINDS[entity], str(body["name"]), str(body["phone"]))
        return web.json_response(
            {"changedEntityType": entity, "changedEntityId": id_, "changeType": "INSERT"}
        )

    def logged(self) -> list[Logged]:
        return [
            Logged(
                subject=note["comments"].partition("<br>")[0],
                text=note["comments"],
                person=note["personReference"]["id"] if "personSubtype" in note["personReference"] else None,
                seconds=note["minutesSpent"] * 60,
                started="2026-05-01" if note["dateAdded"] == 1_777_626_000_000 else "",
            )
            for note in self.notes
        ]


def settings(crm: Bullhorn) -> dict[str, Any]:
    return {
        "username": USER,
        "password": PASSWORD,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "url": crm.url,
    }


RIGS = (
    CrmRig(
        name="bullhorn",
        slug="bullhorn",
        make=Bullhorn,
        settings=settings,
        refused=lambda crm: settings(crm) | {"password": "canary-wrong-password"},
        contacts="ClientContact",
        leads="Lead",
        companies="ClientCorporation",
        tier="customText1",
        seats="customInt1",
        renewal="customDate1",
        company="clientCorporation.name",
        account_no="customText2",
        unknown_field="customTxt1",
        values={"tier": "Gold", "seats": 12, "renewal": "2026-12-01", "company": "Garage Dupont & Fils"},
        link=lambda _: (
            "https://www.bullhornstaffing.com/BullhornStaffing/OpenWindow.cfm?entity=ClientContact&id=1&view=Overview"
        ),
    ),
)
