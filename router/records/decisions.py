"""The decision history: written in batches, searched, a call's page.

A decision is written once: one of the same server, call and parking that is there already stays as it is, so
that what reads the stream twice, or in several processes, does no harm. `router.records.retention` forgets.

A search goes from the newest to the oldest, and a page begins where the one before ended (a keyset), however
much was written meanwhile. Each search goes along an index that begins with the tenant and one of the values,
and ends with the time; what else is asked for is compared on the way. Where no tenant is given it goes along
that index of each tenant, takes as many as a page has, and merges them.

A number is typed as people write it, and read in the tenant's country: a whole one is found as it was called
in whatever form. At least four digits that are no whole number find the numbers that end so, by an index of
the last four; beginnings are not searched.
"""

import math
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
import structlog
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.decisions import Decision
from router.core.identities import TenantId
from router.core.numbers import caller_key, understand_called, understand_caller
from router.core.rules import Outcome
from router.records import tenants
from router.records.dialects import insert, is_postgresql
from router.records.errors import NotFound
from router.records.tables import decisions

log = structlog.get_logger(__name__)

END_DIGITS = 4
_NATIONAL_DIGITS = 8
"""From so many on a leading zero may be a trunk prefix."""
_MOST_INTEGER = 2**31 - 1
_LENGTHS: dict[str, int] = {
    column.name: column.type.length
    for column in decisions.c
    if isinstance(column.type, sa.String) and column.type.length is not None
}

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Decision)


class Search(Struct, frozen=True, kw_only=True):
    """What is left empty is not asked for."""

    tenant: TenantId | None = None
    """None searches all tenants: for the provider alone."""
    caller: str = ""
    """As typed; `withheld` finds those without a number."""
    called: str = ""
    rule: str = ""
    outcome: Outcome | None = None
    destination: str = ""
    """In the tenant's words, such as `queue gold`; of a call that was never decided, the place it reached."""
    since: float | None = None
    until: float | None = None
    """Seconds since the epoch; this moment is not in it any more."""


class Place(Struct, frozen=True):
    """The last entry of a page, as the next one is asked for."""

    parked_at: float
    id: int


class Entry(Struct, frozen=True):
    id: int
    decision: Decision


class Page(Struct, frozen=True):
    entries: tuple[Entry, ...]
    """The newest first."""
    next: Place | None
    """Where the next page begins; None after the last."""


class Count(Struct, frozen=True):
    begins_at: float
    outcome: str
    """Empty for calls that were never looked up."""
    calls: int


class TenantCount(Struct, frozen=True):
    tenant: TenantId
    outcome: str
    """Empty for calls that were never looked up."""
    calls: int


# Writing


async def write(connection: AsyncConnection, batch: Iterable[Decision]) -> int:
    """How many of them were not there yet."""
    rows = [row_of(decision) for decision in batch]
    if not rows:
        return 0
    statement = insert(connection, decisions).on_conflict_do_nothing().returning(decisions.c.id)
    return len((await connection.execute(statement, rows)).all())


def row_of(decision: Decision) -> dict[str, Any]:
    """Whatever a caller or a CRM put into a decision, both databases take this."""
    caller = caller_key(decision.caller)
    called = decision.called.casefold()
    texts = {
        "server": decision.server,
        "call": decision.call_id,
        "tenant": decision.tenant,
        "caller": caller,
        "called": called,
        "caller_end": caller[-END_DIGITS:],
        "called_end": called[-END_DIGITS:],
        "rule": decision.rule or "",
        "outcome": decision.outcome.value if decision.outcome else "",
        "destination": decision.asked_target or decision.reached_place,
        "plan": decision.plan,
    }
    return {
        **{name: _fitting(name, text) for name, text in texts.items()},
        "parking": max(0, min(decision.parking, _MOST_INTEGER)),
        "parked_at": decision.parked_at if math.isfinite(decision.parked_at) else 0.0,
        "document": _packed(decision),
    }


def _fitting(column: str, text: str) -> str:
    """A long text is cut and stays one of its own: two calls never become one by it."""
    text = _clean(text).replace("\0", "\ufffd")  # PostgreSQL's texts hold no NUL
    most = _LENGTHS[column]
    if len(text) <= most:
        return text
    room = min(17, most // 2)
    return f"{text[: most - room]}~{sha256(text.encode()).hexdigest()[: room - 1]}"


def _clean(text: str) -> str:
    """Without lone surrogates, which UTF-8 has not."""
    return text.encode(errors="replace").decode()


def _packed(decision: Decision) -> bytes:
    try:
        return _encoder.encode(decision)
    except UnicodeEncodeError:
        return _encoder.encode(_all_clean(msgspec.to_builtins(decision)))


def _all_clean(value: Any) -> Any:
    match value:
        case str():
            return _clean(value)
        case dict():
            return {_clean(name): _all_clean(one) for name, one in value.items()}
        case list() | tuple():
            return [_all_clean(one) for one in value]
    return value


# Reading


async def search(connection: AsyncConnection, wanted: Search, after: Place | None, most: int) -> Page:
    """Up to `most` decisions, beginning after that place; with None from the newest."""
    walked = [*await _values_asked(connection, wanted), *_times_asked(wanted)]
    if after is not None:
        place = sa.tuple_(sa.literal(after.parked_at), sa.literal(after.id, sa.BigInteger))
        walked.append(sa.tuple_(decisions.c.parked_at, decisions.c.id) < place)
    if wanted.tenant is None:
        query = await _of_each_tenant(connection, walked, most + 1)
    else:
        walked.append(decisions.c.tenant == _fitting("tenant", wanted.tenant))
        query = _newest(_read(decisions).where(*walked), decisions, most + 1)
    rows = (await connection.execute(query)).all()
    last = rows[most - 1] if len(rows) > most else None
    return Page(_entries(rows[:most]), Place(last.parked_at, last.id) if last else None)


async def find_call(connection: AsyncConnection, tenant: TenantId | None, call: str) -> list[Decision]:
    """Each parking of a call, the first first; empty when there is none in this tenant. None: in any."""
    query = sa.select(decisions.c.id, decisions.c.document).where(decisions.c.call == _fitting("call", call))
    if tenant is not None:
        query = query.where(decisions.c.tenant == _fitting("tenant", tenant))
    rows = (await connection.execute(query.order_by(decisions.c.server, decisions.c.parking))).all()
    return [entry.decision for entry in _entries(rows)]


async def words(
    connection: AsyncConnection, tenant: TenantId, column: Literal["rule", "destination"], most: int = 200
) -> list[str]:
    """The rules or destinations that a tenant's history has, to choose from."""
    whose = decisions.c.tenant == _fitting("tenant", tenant)
    found = leaps(decisions.c[column], whose)
    query = sa.select(found.c.value).where(found.c.value.is_not(None), found.c.value != "").limit(most)
    return sorted((await connection.scalars(query)).all())


async def counts(
    connection: AsyncConnection, tenant: TenantId | None, since: float, until: float, seconds: int = 60
) -> list[Count]:
    """How many calls had which outcome, in each stretch of so many seconds; empty ones are left out."""
    number = decisions.c.parked_at / float(seconds)
    stretch = sa.func.floor(number) if is_postgresql(connection) else sa.cast(number, sa.Integer)
    begins_at = (stretch * float(seconds)).label("begins_at")
    query = sa.select(begins_at, decisions.c.outcome, sa.func.count().label("calls"))
    if tenant is None:
        found = leaps(decisions.c.tenant)
        query = query.join_from(found, decisions, decisions.c.tenant == found.c.value)
    else:
        query = query.where(decisions.c.tenant == _fitting("tenant", tenant))
    query = query.where(decisions.c.parked_at >= since, decisions.c.parked_at < until)
    query = query.group_by(begins_at, decisions.c.outcome).order_by(begins_at, decisions.c.outcome)
    return [Count(*row) for row in await connection.execute(query)]


async def counts_of_tenants(connection: AsyncConnection, since: float, until: float) -> list[TenantCount]:
    """How many calls of each tenant had which outcome; in the order of the tenants' names."""
    found = leaps(decisions.c.tenant)
    query = sa.select(decisions.c.tenant, decisions.c.outcome, sa.func.count().label("calls"))
    query = query.join_from(found, decisions, decisions.c.tenant == found.c.value)
    query = query.where(decisions.c.parked_at >= since, decisions.c.parked_at < until)
    query = query.group_by(decisions.c.tenant, decisions.c.outcome)
    query = query.order_by(decisions.c.tenant, decisions.c.outcome)
    return [TenantCount(*row) for row in await connection.execute(query)]


def leaps(column: sa.ColumnElement[str], *where: sa.ColumnElement[bool]) -> sa.CTE:
    """Every value that a column has, as `value`, by leaps along an index: DISTINCT would read all rows.

    The last one is NULL.
    """
    found = sa.select(sa.func.min(column).label("value")).where(*where).cte("found", recursive=True)
    following = sa.select(sa.func.min(column)).where(column > found.c.value, *where).scalar_subquery()
    return found.union_all(sa.select(following).where(found.c.value.is_not(None)))


def _read(table: sa.FromClause) -> sa.Select[Any]:
    return sa.select(table.c.id, table.c.parked_at, table.c.document)


def _newest(query: sa.Select[Any], table: sa.FromClause, most: int) -> sa.Select[Any]:
    return query.order_by(table.c.parked_at.desc(), table.c.id.desc()).limit(most)


async def _of_each_tenant(
    connection: AsyncConnection, walked: Sequence[sa.ColumnElement[bool]], most: int
) -> sa.Select[Any]:
    """As many of each tenant: one walk along one index cannot serve a search through all of them."""
    found, whole = leaps(decisions.c.tenant), decisions.alias("whole")
    own = sa.select(decisions.c.id, decisions.c.parked_at).correlate(found)
    own = _newest(own.where(decisions.c.tenant == found.c.value, *walked), decisions, most)
    if not is_postgresql(connection):
        ids = own.with_only_columns(decisions.c.id)
        return _newest(_read(whole).select_from(found).join(whole, whole.c.id.in_(ids)), whole, most)
    # Compiling would take longer than the search does.
    await connection.execute(sa.text("SET LOCAL jit = off"))
    each = own.lateral("each")
    ids = _newest(sa.select(each.c.id).select_from(found).join(each, sa.true()), each, most)
    return _newest(_read(whole).where(whole.c.id.in_(ids)), whole, most)


def _times_asked(wanted: Search) -> list[sa.ColumnElement[bool]]:
    times: list[sa.ColumnElement[bool]] = []
    if wanted.since is not None:
        times.append(decisions.c.parked_at >= wanted.since)
    if wanted.until is not None:
        times.append(decisions.c.parked_at < wanted.until)
    return times


async def _values_asked(connection: AsyncConnection, wanted: Search) -> list[sa.ColumnElement[bool]]:
    values: list[sa.ColumnElement[bool]] = []
    country = await _country(connection, wanted.tenant) if wanted.caller or wanted.called else ""
    if wanted.caller:
        values += _number("caller", caller_key(understand_caller(wanted.caller, "", country)))
    if wanted.called:
        values += _number("called", understand_called(wanted.called, country).casefold())
    texts = {
        "rule": wanted.rule,
        "outcome": wanted.outcome.value if wanted.outcome else "",
        "destination": wanted.destination,
    }
    return values + [decisions.c[name] == _fitting(name, text) for name, text in texts.items() if text]


async def _country(connection: AsyncConnection, tenant: TenantId | None) -> str:
    """Empty where there is no tenant: then a national number is found by its end."""
    if tenant is None:
        return ""
    try:
        return (await tenants.one(connection, TenantId(_fitting("tenant", tenant)))).profile.country
    except NotFound:
        return ""


def _number(column: Literal["caller", "called"], key: str) -> list[sa.ColumnElement[bool]]:
    is_fragment = key.isascii() and key.isdigit() and len(key) >= END_DIGITS
    if not is_fragment:
        return [decisions.c[column] == _fitting(column, key)]
    digits = key.removeprefix("0") if len(key) >= _NATIONAL_DIGITS else key
    ends = decisions.c[f"{column}_end"] == digits[-END_DIGITS:]
    return [ends] if len(digits) == END_DIGITS else [ends, decisions.c[column].endswith(digits)]


def _entries(rows: Iterable[Any]) -> tuple[Entry, ...]:
    found = []
    for row in rows:
        try:
            found.append(Entry(row.id, _decoder.decode(row.document)))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("records.decision_unreadable", id=row.id, problem=str(error)[:256])
    return tuple(found)
