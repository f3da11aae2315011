"""The database of the local SugarCRM and SuiteCRM: beans in SQLite, compared as MySQL compares them.

A piece of SQL that a client sends is really run, so that whatever breaks out of its quotes brings what it
would bring from the real server. Before that it passes `checker_refuses`, which knows what was seen of
SugarCRM's own checker, its mistakes included.
"""

import html
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from tests.crms.people import Logged, Person

Row = dict[str, Any]
COMMON = {
    "id": "id", "name": "name", "date_entered": "datetime", "date_modified": "datetime", "description": "text",
    "deleted": "bool", "tier_c": "enum", "account_no_c": "varchar", "router_status_c": "enum",
}  # fmt: skip
PERSONAL = {
    **COMMON, "salutation": "enum", "first_name": "varchar", "last_name": "varchar", "full_name": "fullname",
    "title": "varchar", "phone_work": "phone", "phone_mobile": "phone", "phone_home": "phone", "phone_other": "phone",
    "phone_fax": "phone", "assistant_phone": "phone", "email1": "varchar", "account_name": "relate", "account_id": "relate",
    "vip_c": "bool", "seats_c": "int", "renewal_c": "date", "likes_c": "multienum",
}  # fmt: skip
FIELDS: dict[str, dict[str, str]] = {
    "Accounts": {
        **COMMON, "phone_office": "phone", "phone_alternate": "phone", "phone_fax": "phone", "account_type": "enum",
        "industry": "enum", "email1": "varchar",
    },
    "Calls": {
        "id": "id", "name": "name", "date_entered": "datetime", "date_modified": "datetime", "description": "text",
        "deleted": "bool", "duration_hours": "int", "duration_minutes": "int", "date_start": "datetimecombo",
        "date_end": "datetime", "parent_type": "parent_type", "parent_id": "id", "status": "enum", "direction": "enum",
    },
    "Contacts": PERSONAL,
    "Leads": {**PERSONAL, "status": "enum", "lead_source": "enum", "converted": "bool"},
    "Notes": {"id": "id", "name": "name", "date_entered": "datetime", "date_modified": "datetime", "deleted": "bool"},
    "Prospects": PERSONAL,
}  # fmt: skip
BEANS = {name: name.removesuffix("s") for name in FIELDS}
PERSONS = ("Contacts", "Leads", "Prospects")
LINKS = {
    "Calls": {"contacts": "Contacts", "leads": "Leads"},
    "Contacts": {"calls": "Calls"},
    "Leads": {"calls": "Calls"},
}
NOT_STORED = frozenset({"full_name", "account_name", "account_id", "email1"})
OPTIONS = {
    "tier_c": ("Gold", "Silver", "Bronze"),
    "likes_c": ("Tea", "Coffee"),
    "status": ("New", "Assigned", "In Process", "Converted", "Recycled", "Dead"),
    "router_status_c": ("Customer", "Partner", "Prospect"),
}
KINDS = {"contact": "Contacts", "lead": "Leads", "company": "Accounts"}
NOW = "2026-05-04 09:00:00"
STORED_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
TAG = re.compile(r"<(?!/?b>)[^<>]*>")
_LITERAL = re.compile(r"'(?:[^']|'')*'+")
_MYSQL_LITERAL = re.compile(r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"", re.DOTALL)
_IN_LITERAL = re.compile(r"\\.|''|\"\"", re.DOTALL)
_REFUSED = re.compile(r"--|;|/\*|\bUNION\b|\bREPLACE\s*\(|\bFROM\s+users\b|\buser_hash\b", re.IGNORECASE)


class DatabaseFailure(Exception):
    """The query is none."""


@dataclass(frozen=True)
class User:
    """Who may sign in; `denied` are the modules that a role keeps from them."""

    id: str
    name: str
    password: str
    denied: frozenset[str] = frozenset()
    is_admin: bool = False
    moments: str = "%m/%d/%Y %H:%M"
    """How they see and write moments, in their own time zone."""
    zone: str = "UTC"


def is_stored(module: str, field: str) -> bool:
    return field in FIELDS[module] and field not in NOT_STORED and not (module in PERSONS and field == "name")


class Database:
    def __init__(self) -> None:
        self._sql = sqlite3.connect(":memory:", check_same_thread=False)
        self._sql.row_factory = sqlite3.Row
        self._sql.create_function("SLEEP", 1, lambda _: 0)
        self._sql.create_function("REGEXP", 2, lambda pattern, text: bool(re.search(pattern, text or "")))
        self._ids = count(900)
        self.links: list[tuple[str, str]] = []
        """A call's id, and a person's."""
        self._sql.execute("CREATE TABLE users (id, user_name, user_hash, phone_work, phone_mobile)")
        self._sql.execute("CREATE TABLE email_addresses (id, email_address)")
        self._sql.execute("CREATE TABLE email_addr_bean_rel (bean_id, email_address_id, deleted)")
        self._sql.execute("CREATE TABLE companies_of (bean_id, account_id)")
        for module in FIELDS:
            own, custom = self._columns(module)
            self._sql.execute(f"CREATE TABLE {module.lower()} ({_declared(own)})")
            self._sql.execute(f"CREATE TABLE {module.lower()}_cstm ({_declared(['id_c', *custom])})")

    def _columns(self, module: str) -> tuple[list[str], list[str]]:
        stored = [field for field in FIELDS[module] if is_stored(module, field)]
        custom = [field for field in stored if field.endswith("_c")]
        return [field for field in stored if field not in custom], custom

    # Asking

    def select(self, module: str, where: str, values: Iterable[Any] = (), order: str = "") -> list[Row]:
        """The beans for which the condition holds, deleted ones among them. Raises DatabaseFailure."""
        table = module.lower()
        query = (
            f"SELECT {table}.*, {table}_cstm.*, {table}.rowid AS number FROM {table}"
            f" LEFT JOIN {table}_cstm ON {table}.id = {table}_cstm.id_c"
            f" LEFT JOIN users jt0 ON jt0.id = {table}.id WHERE ({where or '1=1'}) ORDER BY {order or 'number'}"
        )
        try:
            rows = self._sql.execute(query, tuple(values)).fetchall()
        except sqlite3.Error as error:
            raise DatabaseFailure from error
        return [self._bean(module, dict(row)) for row in rows]

    def matching(self, module: str, fragment: str) -> list[Row]:
        """By a piece of MySQL's SQL, such as a client sends. Raises DatabaseFailure."""
        return self.select(module, as_sqlite(fragment) if fragment else "")

    def by_id(self, module: str, id_: str) -> Row | None:
        found = self.select(module, f"{module.lower()}.id = ?", (id_,))
        return found[0] if found and not found[0]["deleted"] else None

    def _bean(self, module: str, row: Row) -> Row:
        bean = {field: row.get(field) for field in FIELDS[module]}
        if module in PERSONS:
            shown = (bean["salutation"], bean["first_name"], bean["last_name"])
            bean["name"] = bean["full_name"] = " ".join(part.strip() for part in shown if part)
        company = self._one("SELECT account_id FROM companies_of WHERE bean_id = ?", bean["id"])
        if company and module in PERSONS:
            name = self._one("SELECT name FROM accounts WHERE id = ?", company)
            bean |= {"account_id": company, "account_name": name}
        if "email1" in bean:
            bean["email1"] = self._one(
                "SELECT email_address FROM email_addresses ea JOIN email_addr_bean_rel eabr"
                " ON ea.id = eabr.email_address_id WHERE eabr.bean_id = ?",
                bean["id"],
            )
        return bean

    def _one(self, query: str, value: Any) -> Any:
        found = self._sql.execute(query, (value,)).fetchone()
        return found[0] if found else None

    def related(self, module: str, id_: str, link: str) -> list[Row]:
        ids = [call if module != "Calls" else other for call, other in self.links if id_ in (call, other)]
        beans = [self.by_id(LINKS[module][link], related) for related in ids]
        return [bean for bean in beans if bean is not None]

    # Writing

    def insert(self, module: str, values: Row) -> str:
        """The new bean's id. Raises DatabaseFailure when there is one with this id."""
        id_ = str(values.get("id") or f"10000000-0000-0000-0000-{next(self._ids):012d}")
        if self.select(module, f"{module.lower()}.id = ?", (id_,)):
            raise DatabaseFailure
        self._sql.execute(f"INSERT INTO {module.lower()} (id, deleted) VALUES (?, 0)", (id_,))
        self._sql.execute(f"INSERT INTO {module.lower()}_cstm (id_c) VALUES (?)", (id_,))
        self.update(module, id_, {"date_entered": NOW, "date_modified": NOW, **values})
        return id_

    def update(self, module: str, id_: str, values: Row) -> None:
        for field, value in values.items():
            if field == "email1" and value:
                self._sql.execute("INSERT INTO email_addresses VALUES (?, ?)", (id_, value))
                self._sql.execute("INSERT INTO email_addr_bean_rel VALUES (?, ?, 0)", (id_, id_))
            elif field == "account_id" and value:
                self._sql.execute("INSERT INTO companies_of VALUES (?, ?)", (id_, value))
            elif is_stored(module, field) and field != "id":
                self._set(module, id_, field, value)

    def _set(self, module: str, id_: str, field: str, value: Any) -> None:
        """An empty text is stored as nothing, and a boolean as a number."""
        table, key = (f"{module}_cstm", "id_c") if field.endswith("_c") else (module, "id")
        kept = int(value) if FIELDS[module][field] == "bool" and value is not None else value
        query = f"UPDATE {table.lower()} SET {field} = ? WHERE {key} = ?"
        self._sql.execute(query, (None if kept == "" else kept, id_))

    def link(self, call: str, other: str) -> None:
        if (call, other) not in self.links:
            self.links.append((call, other))

    def put(self, person: Person) -> None:
        module = KINDS[person.kind]
        phones = {"phone_office": person.phone}
        if module in PERSONS:
            phones = {"phone_work": person.phone, "phone_mobile": person.mobile}
        company = person_id(person.company) if person.company else ""
        values = {
            "id": person_id(person.key), "first_name": person.first, "last_name": person.last, "name": person.name,
            "tier_c": person.tier, "account_no_c": person.account_no, "vip_c": bool(person.vip), "seats_c": person.seats,
            "renewal_c": person.renewal, "account_id": company, "date_modified": stored_moment(person.changed), **phones,
        }  # fmt: skip
        self.insert(module, {field: value for field, value in values.items() if field in FIELDS[module]})

    def count(self, kind: str) -> int:
        return len(self.select(KINDS[kind], ""))

    def logged(self) -> list[Logged]:
        """The calls; the subject is whole in the description where it is too long for the name."""
        persons = {call: int(other[-12:]) for call, other in self.links if other[-12:].isdecimal()}
        return [
            Logged(
                subject=bean["name"],
                text=bean["description"],
                person=persons.get(bean["id"]),
                seconds=(int(bean["duration_hours"]) * 60 + int(bean["duration_minutes"])) * 60,
                direction=bean["direction"].lower(),
                is_answered=bean["status"] == "Held",
                started=bean["date_start"] or "",
            )
            for bean in self.select("Calls", "")
        ]


def _declared(columns: Iterable[str]) -> str:
    return ", ".join(f"{column} COLLATE NOCASE" for column in columns)


def person_id(key: int) -> str:
    return f"00000000-0000-0000-0000-{key:012d}"


def as_sqlite(fragment: str) -> str:
    """MySQL's literals, in either quotes and with backslashes, as SQLite writes them. Raises DatabaseFailure."""
    made, at = "", 0
    while at < len(fragment):
        if fragment[at] not in "'\"":
            made, at = made + fragment[at], at + 1
            continue
        literal = _MYSQL_LITERAL.match(fragment, at)
        if literal is None:
            raise DatabaseFailure
        text = _IN_LITERAL.sub(_unescaped, literal[0][1:-1])
        made, at = made + "'" + text.replace("'", "''") + "'", literal.end()
    return made


def _unescaped(found: re.Match[str]) -> str:
    sign = found[0][1]
    known = {"n": "\n", "0": "\0", "r": "\r", "t": "\t", "%": "\\%", "_": "\\_"}
    return known.get(sign, sign) if found[0][0] == "\\" else sign


def checker_refuses(fragment: str) -> bool:
    """As SugarCRM's checker does: comments, further statements, some functions and tables.

    And, by mistake, two lists joined by OR, or brackets, around a text that holds brackets itself.
    """
    seen = fragment.replace("\\'", "''").replace('\\"', '""')
    literals, bare = _LITERAL.findall(seen), _LITERAL.sub("''", seen)
    if _REFUSED.search(bare):
        return True
    has_brackets = any("(" in literal for literal in literals)
    lists = len(re.findall(r"\bIN\s*\(''", bare, re.IGNORECASE))
    return has_brackets and (lists > 1 or bare.lstrip().startswith("("))


def stored_moment(text: str, user: User | None = None) -> str | None:
    """As a DATETIME: as it is stored, or as the user writes it; nothing for any other way of writing it."""
    if STORED_MOMENT.fullmatch(text):
        return text
    if user is None:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S")
    try:
        local = datetime.strptime(text, user.moments).replace(tzinfo=ZoneInfo(user.zone))
    except ValueError:
        return None
    return local.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%d %H:%M:%S")


def later(stored: str, minutes: int) -> str:
    """A stored moment, so many minutes later."""
    return (datetime.fromisoformat(stored) + timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M:%S")


def cleaned(text: str) -> str:
    """A text as it is stored: tags that the server does not know are taken out."""
    return TAG.sub("", html.unescape(text))


def encoded(text: str) -> str:
    """A text as it is read: HTML entities for quotes and angle brackets, an ampersand as it is."""
    return text.replace("'", "&#039;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
