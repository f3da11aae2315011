"""What SuiteCRM's V8 API makes of a request's parameters and of values, and how it words its answers."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from tests.crms.server import Refused
from tests.crms.sugar_database import (
    BEANS,
    FIELDS,
    NOT_STORED,
    DatabaseFailure,
    Row,
    User,
    cleaned,
    encoded,
    is_stored,
    stored_moment,
)

JSON_TYPES = ("application/json", "application/vnd.api+json")
OPERATORS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "like": "LIKE"}
DEFINED = '"fields", "filter", "moduleName", "page", "sort"'
PARAMETER = re.compile(r"(?P<name>fields|filter|page)\[(?P<key>[^\]]*)\](?:\[(?P<operator>[^\]]*)\])?")


def bad(detail: str) -> Refused:
    return Refused(400, {"errors": {"status": 400, "title": None, "detail": detail}})


def denied(hint: str) -> Refused:
    message = "The resource owner or authorization server denied the request."
    return Refused(401, {"error": "access_denied", "message": message, "hint": hint})


def failed(message: str) -> Refused:
    return Refused(500, {"error": "unknown_error", "message": message})


def nowhere(request: web.Request) -> web.Response:
    if "json" in request.headers.get("Accept", ""):
        return web.json_response({"message": "Not found"}, status=404)
    page = "<html><head><title>Page Not Found</title></head><body></body></html>"
    return web.Response(text=page, content_type="text/html", status=404)


def answered(body: Row, status: int = 200) -> web.Response:
    text = json.dumps(body, indent=4, ensure_ascii=False)
    return web.Response(text=text, status=status, content_type="application/vnd.api+json")


def told(message: str, status: int = 200) -> web.Response:
    return answered({"meta": {"message": message}, "data": []}, status)


def known(module: str, user: User) -> None:
    if module not in FIELDS:
        raise bad(f"Module {module} does not exist")
    if module in user.denied:
        raise bad("[SuiteCRM] [AccessDeniedException] ")


def needed(body: Row) -> Row:
    if not isinstance(body.get("data"), dict):
        raise bad('The required option "data" is missing.')
    data: Row = body["data"]
    return data


def parameters(request: web.Request) -> Row:
    """As PHP reads a query: brackets make arrays, the last of equal names counts."""
    made: Row = {}
    for name, value in parse_qsl(request.url.raw_query_string, keep_blank_values=True):
        parsed = PARAMETER.fullmatch(name)
        if parsed is None and name != "sort":
            php_name = name.replace("[", "_", 1)
            raise bad(f'The option "{php_name}" does not exist. Defined options are: {DEFINED}.')
        if parsed is None:
            made["sort"] = value
        elif parsed["operator"]:
            made.setdefault(parsed["name"], {}).setdefault(parsed["key"], {})[parsed["operator"]] = value
        else:
            made.setdefault(parsed["name"], {})[parsed["key"]] = value
    return made


def wanted_fields(module: str, asked: Row) -> tuple[str, ...]:
    """The key may be the module's name or its bean's."""
    listed = asked.get("fields", {})
    names = tuple((listed.get(module) or listed.get(BEANS[module]) or "").split(","))
    names = tuple(filter(None, names))
    for name in names:
        if name not in FIELDS[module]:
            raise bad(f"The following field in {BEANS[module]} module is not found: {name}")
    return names


def page_of(asked: Row) -> tuple[int, int] | None:
    """Size and number; without a size the number is ignored."""
    page = asked.get("page", {})
    if "size" not in page:
        return None
    if not page["size"].isdecimal() or int(page["size"]) < 1:
        raise bad(f'The option "size" with value "{page["size"]}" is invalid.')
    return int(page["size"]), int(page.get("number", 1))


def order_of(module: str, sort: str | None) -> str:
    if sort is None:
        return f"{module.lower()}.id"
    name = sort.removeprefix("-")
    if not is_stored(module, name):
        raise bad(f"Sort field {name} in {BEANS[module]} module is not found")
    table = f"{module.lower()}_cstm" if name.endswith("_c") else module.lower()
    return f"{table}.{name} {'DESC' if sort.startswith('-') else 'ASC'}"


def compared(module: str, name: str, operator: str) -> str:
    table, sign = module.lower(), OPERATORS[operator]
    if name == "email1":
        return (
            f"{table}.id IN (SELECT eabr.bean_id FROM email_addr_bean_rel eabr JOIN email_addresses ea"
            f" ON ea.id = eabr.email_address_id WHERE ea.email_address {sign} ?)"
        )
    if name in NOT_STORED or not is_stored(module, name):
        raise DatabaseFailure
    column = f"{table}_cstm.{name}" if name.endswith("_c") else f"{table}.{name}"
    return f"{column} {sign} ?" + (r" ESCAPE '\'" if operator == "like" else "")


def read(module: str, name: str, raw: Any) -> str:
    """As an answer has it: everything as text, moments in ISO 8601."""
    if FIELDS[module][name] == "bool":
        return str(int(bool(raw)))
    if FIELDS[module][name].startswith("datetime") and raw:
        return str(raw).replace(" ", "T") + "+00:00"
    return encoded("" if raw is None else str(raw))


def stored(module: str, name: str, value: Any, user: User) -> Any:
    if FIELDS[module][name].startswith("datetime"):
        return stored_moment(value, user)
    return cleaned(value) if isinstance(value, str) else value


def described(name: str, type_: str) -> Row:
    told_of = {"type": type_, "required": name == "last_name", "dbType": "varchar"}
    if name.endswith("_c"):
        told_of["source"] = "custom_fields"
    return told_of | ({"source": "non-db"} if name in NOT_STORED else {})
