"""A strict REST service v4_1, as SugarCRM 6.5 and SuiteCRM serve it: arguments by their order, SQL that is
really run, errors with status 200, `null` for what cannot be read.

Where the two differ, `is_suitecrm` decides: a query that the database refuses has status 500 there.
"""

import json
from hashlib import md5
from typing import Any

from aiohttp import web

from tests.crms.people import PEOPLE, Logged
from tests.crms.server import StrictCrm
from tests.crms.sugar_database import (
    FIELDS,
    LINKS,
    NOT_STORED,
    OPTIONS,
    STORED_MOMENT,
    Database,
    DatabaseFailure,
    Row,
    User,
    checker_refuses,
    encoded,
    later,
)

PASSWORD = "canary-password"
ROUTER = User("1", "router", PASSWORD, is_admin=True)
ARGUMENTS = {
    "get_server_info": (0, ()),
    "login": (1, ("user_auth", "application_name", "name_value_list")),
    "logout": (1, ("session",)),
    "seamless_login": (1, ("session",)),
    "get_user_id": (1, ("session",)),
    "get_available_modules": (1, ("session", "filter")),
    "get_module_fields": (2, ("session", "module_name", "fields")),
    "get_entry_list": (
        9,
        (
            "session", "module_name", "query", "order_by", "offset", "select_fields", "link_name_to_fields_array",
            "max_results", "deleted", "favorites",
        ),
    ),
    "get_entries_count": (3, ("session", "module_name", "query", "deleted")),
    "get_entry": (5, ("session", "module_name", "id", "select_fields", "link_name_to_fields_array", "track_view")),
    "set_entry": (3, ("session", "module_name", "name_value_list")),
    "set_entries": (3, ("session", "module_name", "name_value_lists")),
    "set_relationship": (
        5,
        ("session", "module_name", "module_id", "link_field_name", "related_ids", "name_value_list", "delete"),
    ),
    "get_relationships": (
        8,
        (
            "session", "module_name", "module_id", "link_field_name", "related_module_query", "related_fields",
            "related_module_link_name_to_fields_array", "deleted", "order_by", "offset", "limit",
        ),
    ),
    "search_by_module": (
        5,
        (
            "session", "search_string", "modules", "offset", "max_results", "assigned_user_id", "select_fields",
            "unified_search_only", "favorites",
        ),
    ),
}  # fmt: skip
"""For each method how many arguments it needs, and what they are called in order."""
ERRORS = {
    10: ("Invalid Login", "Login attempt failed please check the username and password"),
    11: ("Invalid Session ID", "The session ID is invalid"),
    20: ("Module Does Not Exist", "This module is not available on this server"),
    40: ("Access Denied", "You do not have access"),
    -1: ("An Undefined Error - invalid_call occurred", "There is no error definition for invalid_call"),
}
PATH = "/service/v4_1/rest.php"
WIZARD = "index.php?module=Configurator&action=AdminWizard"
DELETED = [
    {
        "name": "warning",
        "value": "Access to this object is denied since it has been deleted or does not exist",
    },
    {"name": "deleted", "value": "1"},
]
SEARCHED = ("name", "phone_work", "phone_mobile", "phone_office")


class Fails(Exception):
    """The service's way to refuse."""

    def __init__(self, number: int) -> None:
        super().__init__(str(number))
        self.number = number


def named(bean: Row) -> dict[str, dict[str, Any]]:
    return {name: {"name": name, "value": value} for name, value in bean.items()}


class SugarService(StrictCrm):
    """The base of both CRMs' servers. `people` are in the database when it starts."""

    slug = "sugarcrm"
    is_suitecrm = False

    def __init__(self, users: tuple[User, ...] = (ROUTER,), *, is_empty: bool = False) -> None:
        super().__init__()
        self.database = Database()
        self.users = {user.name: user for user in users}
        self.holders: dict[str, User | None] = {}
        """Who got which token or session; None for a client that acts as nobody."""
        self.needs_wizard = False
        for person in () if is_empty else PEOPLE:
            self.database.put(person)

    def is_sign_in_body(self, query: str, body: str) -> bool:
        return body.startswith("method=login&")

    def routes(self) -> list[web.RouteDef]:
        return [web.route("*", PATH, self.serve)]

    def throttled(self) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "1"})

    def down(self) -> web.Response:
        return web.Response(status=500, content_type="text/html")

    def logged(self) -> list[Logged]:
        return self.database.logged()

    def count(self, kind: str) -> int:
        return self.database.count(kind)

    def issue_to(self, user: User | None) -> str:
        token = self.tokens.issue()
        self.holders[token] = user
        return token

    async def serve(self, request: web.Request) -> web.StreamResponse:
        form = await request.post() or request.query
        if "input_type" not in form:
            return web.Response(
                text="<pre>/**\n * SugarWebServiceImplv4_1.php\n */</pre>", content_type="text/html"
            )
        method = str(form.get("method", ""))
        try:
            return self._call(method, form.get("rest_data"))
        except Fails as failed:
            name, description = ERRORS[failed.number]
            number: Any = str(failed.number) if failed.number < 0 else failed.number
            return web.json_response({"name": name, "number": number, "description": description})
        except DatabaseFailure:
            log = "suitecrm.log" if self.is_suitecrm else "sugarcrm.log"
            told = f"Database failure. Please refer to {log} for details."
            return web.Response(text=told, content_type="text/html", status=500 if self.is_suitecrm else 200)

    def _call(self, method: str, raw: Any) -> web.Response:
        if method not in ARGUMENTS:
            raise Fails(-1)
        try:
            given = json.loads(str(raw))
        except ValueError:
            return web.json_response(None)
        values = list(given.values()) if isinstance(given, dict) else given
        needed, known = ARGUMENTS[method]
        if len(values) < needed:
            return web.Response(status=500, content_type="text/html")  # a missing argument ends PHP
        arguments = dict(zip(known, values, strict=False))
        user = self._user(method, arguments)
        return getattr(self, f"do_{method}")(arguments, user)  # type: ignore[no-any-return]

    def _user(self, method: str, arguments: Row) -> User | None:
        """Who asks; a module that there is not, or that a role denies, is refused at once."""
        if method in ("login", "get_server_info", "seamless_login"):
            return None
        session = arguments["session"]
        if not self.tokens.is_alive(session):
            raise Fails(10 if method == "get_available_modules" else 11)
        user = self.holders[session]
        assert user is not None
        module = arguments.get("module_name")
        if module is not None and module not in FIELDS:
            raise Fails(20)
        if module in user.denied:
            raise Fails(40)
        return user

    # Signing in

    def do_get_server_info(self, _arguments: Row, _user: User) -> web.Response:
        info = {"flavor": "CE", "version": "6.5.26", "gmt_time": "2026-05-04 09:00:00"}
        if self.is_suitecrm:
            info |= {"version": "6.5.25", "suitecrm_version": "7.12.14"}
        return web.json_response(info)

    def do_login(self, arguments: Row, _user: User) -> web.Response:
        auth = arguments["user_auth"]
        user = self.users.get(auth["user_name"])
        if user is None or auth["password"] != md5(user.password.encode()).hexdigest():
            raise Fails(10)
        if self.needs_wizard:
            return web.Response(status=302, headers={"Location": WIZARD})
        facts = {"user_id": user.id, "user_name": user.name, "user_is_admin": user.is_admin}
        session = self.issue_to(user)
        return web.json_response({"id": session, "module_name": "Users", "name_value_list": named(facts)})

    def do_logout(self, arguments: Row, _user: User) -> web.Response:
        self.tokens._alive.discard(arguments["session"])
        return web.json_response(None)

    def do_seamless_login(self, arguments: Row, _user: User) -> web.Response:
        return web.json_response(int(self.tokens.is_alive(arguments["session"])))

    def do_get_user_id(self, _arguments: Row, user: User) -> web.Response:
        return web.json_response(user.id)

    # What there is

    def do_get_available_modules(self, _arguments: Row, user: User) -> web.Response:
        listed = [
            {
                "module_key": name, "module_label": name, "favorite_enabled": False,
                "acls": [{"action": action, "access": name not in user.denied} for action in ("edit", "list", "view")],
            }
            for name in FIELDS
        ]  # fmt: skip
        return web.json_response({"modules": listed})

    def do_get_module_fields(self, arguments: Row, _user: User) -> web.Response:
        module, wanted = arguments["module_name"], arguments.get("fields")
        listed: Any = {
            name: self._field(name, type_)
            for name, type_ in FIELDS[module].items()
            if not wanted or name in wanted
        }
        body = {
            "module_name": module,
            "table_name": module.lower(),
            "module_fields": listed or [],
            "link_fields": [],
        }
        return web.json_response(body)

    def _field(self, name: str, type_: str) -> Row:
        """Options are an object of what is stored and what is shown; without any an empty list."""
        options: Any = named({option: option for option in ("", *OPTIONS[name])}) if name in OPTIONS else []
        if type_ == "bool":
            options = {
                "": {"name": "", "value": ""},
                "1": {"name": 1, "value": "Yes"},
                "2": {"name": 2, "value": "No"},
            }
        if type_ in ("date", "datetime"):
            options = named({"=": "Equals", "not_equal": "Not On"})
        label = (
            "LBL_ROUTER_STATUS" if name == "router_status_c" else f"{name.removesuffix('_c').title()}&reg;:"
        )
        return {
            "name": name, "type": type_, "group": "", "id_name": "", "label": label, "required": int(name == "last_name"),
            "options": options, "related_module": "", "calculated": False, "len": "255",
        }  # fmt: skip

    # Reading

    def do_get_entry_list(self, arguments: Row, _user: User) -> web.Response:
        module, offset = arguments["module_name"], int(arguments["offset"] or 0)
        found = self._matching(module, arguments["query"], arguments["deleted"])
        most = int(arguments["max_results"] or 0) or 20
        entries = [
            self._entry(module, bean, arguments["select_fields"]) for bean in found[offset : offset + most]
        ]
        body = {
            "result_count": len(entries),
            "total_count": str(len(found)) if found else 0,
            "next_offset": offset + len(entries),
            "entry_list": entries,
            "relationship_list": [],
        }
        return web.json_response(body)

    def _matching(self, module: str, query: str, deleted: Any) -> list[Row]:
        if checker_refuses(query):
            raise Fails(40)
        return [bean for bean in self.database.matching(module, query) if deleted or not bean["deleted"]]

    def _entry(self, module: str, bean: Row, wanted: list[str]) -> Row:
        """A link that leads nowhere is left out, and so is a field that does not exist."""
        names = [name for name in wanted or bean if name in bean]
        shown = {name: self._shown(module, name, bean[name]) for name in names}
        there = {name: value for name, value in shown.items() if value or name not in NOT_STORED}
        return {"id": bean["id"], "module_name": module, "name_value_list": named(there) or []}

    def _shown(self, module: str, name: str, raw: Any) -> str:
        if FIELDS[module][name] == "bool":
            return str(int(bool(raw)))
        return encoded("" if raw is None else str(raw))

    def do_get_entry(self, arguments: Row, _user: User) -> web.Response:
        module, id_ = arguments["module_name"], arguments["id"]
        bean = self.database.by_id(module, id_)
        gone = {"id": id_, "module_name": module, "name_value_list": DELETED}
        entry = self._entry(module, bean, arguments["select_fields"]) if bean else gone
        return web.json_response({"entry_list": [entry], "relationship_list": []})

    def do_get_entries_count(self, arguments: Row, _user: User) -> web.Response:
        found = self._matching(arguments["module_name"], arguments["query"], arguments.get("deleted"))
        return web.json_response({"result_count": str(len(found))})

    def do_get_relationships(self, arguments: Row, _user: User) -> web.Response:
        module, link = arguments["module_name"], arguments["link_field_name"]
        related = LINKS.get(module, {}).get(link)
        beans = self.database.related(module, arguments["module_id"], link) if related else []
        entries = [self._entry(str(related), bean, arguments["related_fields"]) for bean in beans]
        return web.json_response({"entry_list": entries, "relationship_list": []})

    def do_search_by_module(self, arguments: Row, _user: User) -> web.Response:
        """By the beginning of what is stored."""
        text, found = arguments["search_string"], []
        for module in sorted(arguments["modules"]):
            beans = [bean for bean in self.database.select(module, "") if not bean["deleted"]]
            hits = [
                bean for bean in beans if any(str(bean.get(name) or "").startswith(text) for name in SEARCHED)
            ]
            entries = [self._entry(module, bean, arguments["select_fields"]) for bean in hits]
            found.append({"name": module, "records": [entry["name_value_list"] for entry in entries]})
        return web.json_response({"entry_list": found})

    # Writing

    def do_set_entry(self, arguments: Row, _user: User) -> web.Response:
        module = arguments["module_name"]
        given = {one["name"]: one["value"] for one in arguments["name_value_list"]}
        bean = {
            name: self._kept(module, name, value) for name, value in given.items() if name in FIELDS[module]
        }
        known = self.database.by_id(module, bean.get("id", ""))
        if known is None or given.get("new_with_id"):
            id_ = self.database.insert(module, bean)
        else:
            id_ = known["id"]
            self.database.update(module, id_, bean)
        if module == "Calls":
            self.database.update(
                module, id_, {"date_end": self.end_of(self.database.by_id(module, id_) or {})}
            )
        return web.json_response({"id": id_, "entry_list": named(bean)})

    def _kept(self, module: str, name: str, value: Any) -> Any:
        if FIELDS[module][name] == "int":
            return int(value)
        if FIELDS[module][name].startswith("datetime"):
            return value if STORED_MOMENT.fullmatch(value) else ""
        return value

    def end_of(self, call: Row) -> str | None:
        """A call's end, computed of its duration."""
        start = call.get("date_start")
        if start is None or not STORED_MOMENT.fullmatch(start):
            return None
        minutes = int(call["duration_hours"] or 0) * 60 + int(call["duration_minutes"] or 0)
        return later(start, minutes)

    def do_set_entries(self, arguments: Row, user: User) -> web.Response:
        ids = []
        for listed in arguments["name_value_lists"]:
            one = {**arguments, "name_value_list": listed}
            ids.append(json.loads(self.do_set_entry(one, user).text or "")["id"])
        return web.json_response({"ids": ids})

    def do_set_relationship(self, arguments: Row, _user: User) -> web.Response:
        """Nobody looks whether the other record is there."""
        module, link = arguments["module_name"], arguments["link_field_name"]
        if link not in LINKS.get(module, {}):
            return web.json_response({"created": 0, "failed": 1, "deleted": 0})
        for other in arguments["related_ids"]:
            pair = (arguments["module_id"], other)
            self.database.link(*(pair if module == "Calls" else reversed(pair)))
        return web.json_response({"created": 1, "failed": 0, "deleted": 0})
