"""A strict SuiteCRM: the V8 API, and beside it the service v4_1.

V8 compares as the database does, refuses with status 400 and words, tells wrong credentials by 500 with the
password in the text, brings each record's relationships along, and stores a moment that is not written in its
own way as nothing. What it makes of a request's parts is in `tests.crms.suite_v8_parts`.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.crms.server import Refused
from tests.crms.sugar_database import BEANS, FIELDS, LINKS, UUID, DatabaseFailure, Row, User, later
from tests.crms.sugar_service import ROUTER, SugarService
from tests.crms.suite_v8_parts import (
    JSON_TYPES,
    OPERATORS,
    answered,
    bad,
    compared,
    denied,
    described,
    failed,
    known,
    needed,
    nowhere,
    order_of,
    page_of,
    parameters,
    read,
    stored,
    told,
    wanted_fields,
)

CLIENT, SECRET = "3d55a713-12be-62ea-c814-5aaf413e1faf", "canary-secret"
NO_RESULT = "Request was successful, but there is no result"
ACCESS = ["access", "delete", "edit", "export", "import", "list", "massupdate", "view"]
TWO_DOTS = "The JWT string must have two dots"
REVOKED = "Access token has been revoked"
Handler = Callable[..., web.Response]


@dataclass(frozen=True)
class Client:
    """An OAuth2 client of the administration; `user` is the one who is assigned to it."""

    id: str
    secret: str
    user: str | None
    is_for_passwords: bool = False


OUR_CLIENT = Client(CLIENT, SECRET, ROUTER.name)


class SuiteCrm(SugarService):
    slug = "suitecrm"
    is_suitecrm = True
    path = ""
    """Below which SuiteCRM 8 serves everything that is here."""

    def __init__(
        self,
        users: tuple[User, ...] = (ROUTER,),
        clients: tuple[Client, ...] = (OUR_CLIENT,),
        *,
        is_empty: bool = False,
    ) -> None:
        super().__init__(users, is_empty=is_empty)
        self.clients = {client.id: client for client in clients}
        self.expired: set[str] = set()
        """Tokens whose time is over, as they themselves tell."""

    def is_sign_in(self, path: str) -> bool:
        return path == f"{self.path}/Api/access_token"

    def routes(self) -> list[web.RouteDef]:
        return [
            web.route("*", f"{self.path}/service/v4_1/rest.php", self.serve),
            web.route("*", "/{anywhere:.*}", self.serve_v8),
        ]

    async def serve_v8(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(self.path).replace("/Api/index.php/", "/Api/")
        if path.startswith("/api/"):
            raise denied('Missing "Authorization" header')
        known = [(verbs, found) for pattern, verbs in ROUTES if (found := pattern.fullmatch(path))]
        if not known:
            return nowhere(request)
        verbs, found = known[0]
        if request.method == "OPTIONS":
            return web.Response(text=f"Allowed methods: {', '.join(verbs)}")
        handler = verbs.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            raise Refused(405, {"message": f"Method not allowed. Must be one of: {', '.join(verbs)}"})
        body = await self._body(request)
        if path == "/Api/access_token":
            return handler(self, body)
        user = self._user_of(request)
        try:
            return handler(self, request, user, body, *found.groups())
        except DatabaseFailure as failure:
            message = "Database failure. Please refer to suitecrm.log for details."
            raise Refused(400, json.dumps(bad(message).body) + message) from failure

    async def _body(self, request: web.Request) -> Row:
        """What PHP makes of the body: nothing, where it or its type is none that it knows."""
        if request.content_type == "application/x-www-form-urlencoded":
            return dict(await request.post())
        if request.content_type not in JSON_TYPES or "Content-Type" not in request.headers:
            return {}
        try:
            body = json.loads(await request.text())
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    # Signing in

    def token(self, body: Row) -> web.Response:
        grant = body.get("grant_type")
        if grant not in ("client_credentials", "password", "refresh_token"):
            message = "The authorization grant type is not supported by the authorization server."
            hint = "Check the `grant_type` parameter"
            raise Refused(400, {"error": "unsupported_grant_type", "message": message, "hint": hint})
        client = self.clients.get(body["client_id"])
        if client is None:
            raise failed(f"OAuth2Clients module with id {body['client_id']} is not found")
        if body.get("client_secret") != client.secret:
            refused = {"error": "invalid_client", "message": "Client authentication failed"}
            raise Refused(401, refused, {"WWW-Authenticate": 'Basic realm="OAuth"'})
        user = getattr(self, f"by_{grant}")(client, body)
        granted = {"token_type": "Bearer", "expires_in": 3600, "access_token": self.jwt_for(user)}
        if grant != "client_credentials":
            refresh = self.tokens.issue_refresh()
            self.holders[refresh] = user
            granted["refresh_token"] = refresh
        return web.json_response(granted)

    def by_client_credentials(self, client: Client, _body: Row) -> User | None:
        if client.is_for_passwords:
            raise failed("No user found")
        return self.users[client.user] if client.user else None

    def by_password(self, _client: Client, body: Row) -> User | None:
        user = self.users.get(body["username"])
        if user is None:
            raise failed(f"No user found with this username: {body['username']}")
        if body["password"] != user.password:
            raise failed(f"The password is invalid: {body['password']}")
        return user

    def by_refresh_token(self, _client: Client, body: Row) -> User | None:
        token = body["refresh_token"]
        if not self.tokens.spend_refresh(token):
            hint = "Token has been revoked" if token in self.holders else "Cannot decrypt the refresh token"
            raise Refused(
                400, {"error": "invalid_request", "message": "The refresh token is invalid.", "hint": hint}
            )
        return self.holders[token]

    def jwt_for(self, user: User | None) -> str:
        return f"eyJ.{self.issue_to(user)}.signed"

    def _user_of(self, request: web.Request) -> User:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        parts = token.split(".")
        if len(parts) != 3:
            raise denied(TWO_DOTS)
        if scheme != "Bearer":
            raise denied("Error while decoding to JSON")
        if parts[2] != "signed":
            raise denied("Access token could not be verified")
        if parts[1] in self.expired:
            raise denied("Access token is invalid")
        if not self.tokens.is_alive(parts[1]):
            raise denied(REVOKED)
        user = self.holders[parts[1]]
        if user is None:
            raise bad("Module id is empty when trying to get Users")
        return user

    def logout(self, request: web.Request, _user: User, _body: Row) -> web.Response:
        self.tokens._alive.discard(request.headers["Authorization"].split(".")[1])
        return told("You have been successfully logged out")

    # What there is

    def current_user(self, _request: web.Request, user: User, _body: Row) -> web.Response:
        shown = {"user_name": user.name, "full_name": user.name.title()}
        return answered({"data": {"type": "User", "id": user.id, "attributes": shown}})

    def modules(self, _request: web.Request, _user: User, _body: Row) -> web.Response:
        """Those that a role denies, too."""
        listed = {name: {"label": name, "access": ACCESS} for name in FIELDS}
        return answered({"data": {"type": "modules", "attributes": listed}})

    def fields(self, _request: web.Request, user: User, _body: Row, module: str) -> web.Response:
        if module not in FIELDS or module in user.denied:
            raise bad("[SuiteCRM] [Not Allowed] The API user does not have access to this module.")
        listed = {name: described(name, type_) for name, type_ in FIELDS[module].items()}
        listed |= {name: {"type": "link", "source": "non-db"} for name in LINKS.get(module, {})}
        return answered({"data": {"type": "fields", "attributes": listed}})

    def columns(self, _request: web.Request, _user: User, _body: Row, _module: str) -> web.Response:
        """Broken in 7.12.14."""
        return web.Response(status=500, content_type="text/html")

    # Reading

    def search(self, request: web.Request, user: User, _body: Row, module: str) -> web.Response:
        known(module, user)
        asked = parameters(request)
        wanted, page = wanted_fields(module, asked), page_of(asked)
        where, values = self._where(module, asked.get("filter", {}))
        found = self.database.select(module, where, values, order_of(module, asked.get("sort")))
        for bean in found:
            if bean["deleted"]:
                raise bad(f"{module} module with id {bean['id']} is not found")
        size, number = page or (20, 1)
        shown = found[(number - 1) * size : number * size]
        if not shown:
            return told(NO_RESULT)
        body: Row = {"data": [self._item(module, bean, wanted) for bean in shown]}
        if page:
            body["meta"] = {"total-pages": -(-len(found) // size), "records-on-this-page": len(shown)}
        return answered(body)

    def _where(self, module: str, conditions: dict[str, Any]) -> tuple[str, list[str]]:
        """Every text is bound; a field that the database has not is its failure."""
        conditions = dict(conditions)
        word = conditions.pop("operator", "and")
        made, values, table = [], [], module.lower()
        for name, tests in conditions.items():
            if name not in FIELDS[module]:
                raise bad(f"Filter field {name} in {BEANS[module]} module is not found")
            if not isinstance(tests, dict):
                raise bad(f"Filter field {name} must be an array")
            for operator, value in tests.items():
                if operator not in OPERATORS:
                    raise bad(f"Filter operator {operator} is invalid")
                made.append(compared(module, name, operator))
                values.append(value)
        where = f"({f' {word} '.join(made)})" if made else "1=1"
        return (where if "deleted" in conditions else f"{where} AND {table}.deleted = 0"), values

    def _item(self, module: str, bean: Row, wanted: tuple[str, ...]) -> Row:
        names = wanted or tuple(FIELDS[module])
        shown = {name: read(module, name, bean[name]) for name in names if name != "id"}
        own = f"V8/module/{module}/{bean['id']}/relationships"
        related = {
            f"Relation{number}": {"links": {"related": f"{own}/relation_{number}"}} for number in range(11)
        }
        return {"type": BEANS[module], "id": bean["id"], "attributes": shown, "relationships": related}

    def one(self, request: web.Request, user: User, _body: Row, module: str, id_: str) -> web.Response:
        bean = self._there(module, id_, user)
        return answered({"data": self._item(module, bean, wanted_fields(module, parameters(request)))})

    def _there(self, module: str, id_: str, user: User) -> Row:
        known(module, user)
        if not UUID.fullmatch(id_):
            raise bad(f'The option "id" with value "{id_}" is invalid.')
        bean = self.database.by_id(module, id_)
        if bean is None:
            raise bad(f"{module} module with id {id_} is not found")
        return bean

    # Writing

    def insert(self, _request: web.Request, user: User, body: Row) -> web.Response:
        data = needed(body)
        module, attributes, id_ = data["type"], data.get("attributes", {}), data.get("id")
        known(module, user)
        if id_ and self.database.by_id(module, id_):
            raise bad(f"Bean {module} with id {id_} is already exist")
        id_ = self.database.insert(module, {**self._stored(module, attributes, user), "id": id_})
        return self._written(module, id_)

    def update(self, _request: web.Request, user: User, body: Row) -> web.Response:
        data = needed(body)
        module, id_ = data["type"], data["id"]
        self._there(module, id_, user)
        self.database.update(module, id_, self._stored(module, data["attributes"], user))
        return self._written(module, id_)

    def _stored(self, module: str, attributes: Row, user: User) -> Row:
        for name in attributes:
            if name not in FIELDS[module]:
                raise bad(f"Property {name} in {BEANS[module]} module is invalid")
        return {name: stored(module, name, value, user) for name, value in attributes.items()}

    def _written(self, module: str, id_: str) -> web.Response:
        bean = self.database.by_id(module, id_) or {}
        if module == "Calls":
            self.database.update(module, id_, {"date_end": self.end_of(bean)})
            bean = self.database.by_id(module, id_) or {}
        return answered({"data": self._item(module, bean, ())}, 201)

    def end_of(self, call: Row) -> str | None:
        """V8 takes the minutes for nothing where there are no hours."""
        hours, minutes = int(call["duration_hours"] or 0), int(call["duration_minutes"] or 0)
        start = call["date_start"]
        return later(start, hours * 60 + minutes if hours else 0) if start else None

    def delete(self, _request: web.Request, user: User, _body: Row, module: str, id_: str) -> web.Response:
        self._there(module, id_, user)
        self.database.update(module, id_, {"deleted": 1})
        return told(f"Record with id {id_} is deleted")

    # Relationships

    def relate(self, _request: web.Request, user: User, body: Row, module: str, id_: str) -> web.Response:
        self._there(module, id_, user)
        data = needed(body)
        self._there(data["type"], data["id"], user)
        self._link(module, id_, data["id"])
        added = f"{BEANS[data['type']]} with id {data['id']} has been added to {BEANS[module]} with id {id_}"
        return told(added, 201)

    def relate_by_link(
        self, _request: web.Request, user: User, body: Row, module: str, id_: str, link: str
    ) -> web.Response:
        self._there(module, id_, user)
        data = needed(body)
        self._there(data["type"], data["id"], user)
        self._link(module, id_, data["id"])
        return told(
            f"{data['type']} record with id {data['id']} has been related to {module} record with id {id_}"
            f" using link {link}",
            201,
        )

    def _link(self, module: str, id_: str, other: str) -> None:
        self.database.link(*((id_, other) if module == "Calls" else (other, id_)))

    def related(
        self, _request: web.Request, user: User, _body: Row, module: str, id_: str, link: str
    ) -> web.Response:
        self._there(module, id_, user)
        if link not in LINKS.get(module, {}):
            raise bad(f"Cannot load relationship {link} for {BEANS[module]} module")
        beans = self.database.related(module, id_, link)
        if not beans:
            return told(f"There is no relationship set in {BEANS[module]} module with {link} link field")
        meta = {"total-records": len(beans), "total-pages": 1, "records-on-this-page": len(beans)}
        return answered({"meta": meta, "data": [self._item(LINKS[module][link], bean, ()) for bean in beans]})

    def unrelate(
        self, _request: web.Request, user: User, _body: Row, module: str, id_: str, link: str, other: str
    ) -> web.Response:
        self._there(module, id_, user)
        self.database.links.remove((other, id_))
        between = f"{BEANS[module]} with id {id_} and {BEANS[LINKS[module][link]]} with id {other}"
        return told(f"Relationship has been deleted between {between}")


ROUTES_OF: dict[str, dict[str, Handler]] = {
    "/Api/access_token": {"POST": SuiteCrm.token},
    "/Api/V8/logout": {"POST": SuiteCrm.logout},
    "/Api/V8/current-user": {"GET": SuiteCrm.current_user},
    "/Api/V8/meta/modules": {"GET": SuiteCrm.modules},
    "/Api/V8/meta/fields/{}": {"GET": SuiteCrm.fields},
    "/Api/V8/listview/columns/{}": {"GET": SuiteCrm.columns},
    "/Api/V8/module": {"POST": SuiteCrm.insert, "PATCH": SuiteCrm.update},
    "/Api/V8/module/{}": {"GET": SuiteCrm.search},
    "/Api/V8/module/{}/{}": {"GET": SuiteCrm.one, "DELETE": SuiteCrm.delete},
    "/Api/V8/module/{}/{}/relationships": {"POST": SuiteCrm.relate},
    "/Api/V8/module/{}/{}/relationships/{}": {"GET": SuiteCrm.related, "POST": SuiteCrm.relate_by_link},
    "/Api/V8/module/{}/{}/relationships/{}/{}": {"DELETE": SuiteCrm.unrelate},
}
ROUTES = tuple((re.compile(pattern.replace("{}", "([^/]+)")), verbs) for pattern, verbs in ROUTES_OF.items())
