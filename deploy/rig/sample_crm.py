"""A sample CRM on loopback, for `make run`, the live tests and the benchmark; it misbehaves on demand.

    python deploy/rig/sample_crm.py --port 8090 --delay-ms 100 [--table customers.toml]

It prints one line when it listens. It speaks the custom URL contract (docs/custom-url.md): a customer is
found by `dtmf` where it is sent, else by `caller`.

    GET /lookup?field_name=status&caller=%2B33639980001    the bare value as text
    GET /record?field_name=status,owner&caller=...         the first customer's record, as JSON
    GET /records?field_name=status&caller=...              {"items": [...]}: every customer that matches
    GET /misbehave/{what}                                  any entry of MISBEHAVIOUR, whoever calls
    GET /seen                                              how often each caller or digits were asked for

POST works as well, with a form or a JSON object. `delay_ms` in a request overrides `--delay-ms` for it.
Customers are in the table below, or in a TOML or JSON file of the same shape: `{"customers": [{"numbers":
[...], "digits": [...], "fields": {...}, "misbehaves": "..."}]}`. The numbers are of the range that France
keeps for fiction. Any other number that begins with +3361 or +3367 is somebody too, for benchmarks; its last
digit tells the level.
"""

import argparse
import asyncio
import json
import sys
import tomllib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web

TIMER_LATE_SECONDS = 0.001
LEVELS = ("GOLD", "SILVER", "BRONZE")
ANYBODY = ("+3361", "+3367")

BUILT_IN: tuple[dict[str, Any], ...] = (
    {
        "numbers": ["+33639980001", "+33612345678"],
        "digits": ["1234", "100001"],
        "fields": {"id": 1, "name": "Alice Martin", "status": "GOLD", "owner": "alice", "turnover": 250_000},
    },
    {
        "numbers": ["+33639980002"],
        "digits": ["5678", "100002"],
        "fields": {"id": 2, "name": "Bruno Petit", "status": "SILVER", "owner": "bob", "turnover": 45_000},
    },
    {
        "numbers": ["+33639980003"],
        "digits": ["9012", "100003"],
        "fields": {
            "id": 3,
            "name": "Chloé Durand",
            "status": "BRONZE",
            "owner": "team north",
            "turnover": 900,
        },
    },
    {
        # Nobody looks after this customer: the field is there, and empty.
        "numbers": ["+33639980004"],
        "fields": {"id": 4, "name": "David Leroy", "status": "LEAD", "owner": None, "turnover": None},
    },
    # One number, two records that agree on the status.
    {
        "numbers": ["+33639980005"],
        "fields": {"id": 51, "name": "Emma Roux", "status": "GOLD", "owner": "alice"},
    },
    {
        "numbers": ["+33639980005"],
        "fields": {"id": 52, "name": "Enzo Roux", "status": "GOLD", "owner": "bob"},
    },
    # One number, two records that do not.
    {
        "numbers": ["+33639980006"],
        "fields": {"id": 61, "name": "Fanny Noir", "status": "GOLD", "owner": "alice"},
    },
    {
        "numbers": ["+33639980006"],
        "fields": {"id": 62, "name": "Félix Noir", "status": "BRONZE", "owner": "bob"},
    },
    {"numbers": ["+33639980007"], "digits": ["5000"], "misbehaves": "failed"},
    {"numbers": ["+33639980008"], "digits": ["6000"], "misbehaves": "silent"},
    {"numbers": ["+33639980009"], "misbehaves": "web_page"},
    {"numbers": ["+33639980010"], "misbehaves": "line_breaks"},
    {"numbers": ["+33639980011"], "misbehaves": "long"},
    {"numbers": ["+33639980012"], "misbehaves": "broken_json"},
    {"numbers": ["+33639980013"], "misbehaves": "throttled"},
    {"numbers": ["+33639980014"], "misbehaves": "redirect_loop"},
    {"numbers": ["+33639980015"], "misbehaves": "huge"},
    {"numbers": ["+33639980016"], "misbehaves": "refused"},
)


@dataclass(frozen=True)
class Customer:
    numbers: tuple[str, ...] = ()
    digits: tuple[str, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)
    misbehaves: str = ""


class SampleCrm:
    def __init__(self, customers: list[Customer], delay_seconds: float) -> None:
        self._delay_seconds = delay_seconds
        self._seen: Counter[str] = Counter()
        self._by_number: dict[str, list[Customer]] = {}
        self._by_digits: dict[str, list[Customer]] = {}
        for customer in customers:
            for number in customer.numbers:
                self._by_number.setdefault(number, []).append(customer)
            for digits in customer.digits:
                self._by_digits.setdefault(digits, []).append(customer)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=65_536)
        for path, answer in (("/lookup", self._text), ("/record", self._record), ("/records", self._records)):
            for method in ("GET", "POST"):
                app.router.add_route(method, path, self._answering(answer))
        app.router.add_get("/misbehave/{what}", self._misbehave)
        app.router.add_get("/seen", self._tell_seen)
        return app

    def _answering(
        self, answer: Callable[[list[Customer], list[str]], web.StreamResponse]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            arrived_at = asyncio.get_running_loop().time()
            asked = await _asked(request)
            subject = asked.get("dtmf") or asked.get("caller", "")
            self._seen[subject] += 1
            await self._pause(asked, arrived_at)
            if not subject:
                return web.Response(status=400, text="send the parameter caller, or dtmf")
            found = self._find(asked)
            if not found:
                return web.Response(status=404, text="no such customer")
            if found[0].misbehaves:
                return await MISBEHAVIOUR[found[0].misbehaves](request)
            return answer(found, [name for name in asked.get("field_name", "").split(",") if name])

        return handle

    async def _pause(self, asked: Mapping[str, str], arrived_at: float) -> None:
        """Until the answer has taken as long as it shall; a timer wakes up to a millisecond late."""
        own = asked.get("delay_ms", "")
        seconds = int(own) / 1000 if own.isdigit() and len(own) < 7 else self._delay_seconds
        if seconds:
            left = arrived_at + seconds - TIMER_LATE_SECONDS - asyncio.get_running_loop().time()
            await asyncio.sleep(max(0.0, left))

    def _find(self, asked: Mapping[str, str]) -> list[Customer]:
        if "dtmf" in asked:
            return self._by_digits.get(asked["dtmf"], [])
        caller = asked.get("caller", "")
        return self._by_number.get(caller) or _anybody(caller)

    def _text(self, found: list[Customer], names: list[str]) -> web.StreamResponse:
        value = found[0].fields.get(names[0]) if names else None
        return web.Response(text="" if value is None else str(value))

    def _record(self, found: list[Customer], names: list[str]) -> web.StreamResponse:
        return _json(_shown(found[0], names))

    def _records(self, found: list[Customer], names: list[str]) -> web.StreamResponse:
        return _json({"items": [_shown(customer, names) for customer in found]})

    async def _misbehave(self, request: web.Request) -> web.StreamResponse:
        misbehaviour = MISBEHAVIOUR.get(request.match_info["what"])
        if misbehaviour is None:
            return web.Response(status=404, text=f"known: {', '.join(MISBEHAVIOUR)}")
        return await misbehaviour(request)

    async def _tell_seen(self, _: web.Request) -> web.StreamResponse:
        return _json(dict(self._seen))


async def _asked(request: web.Request) -> dict[str, str]:
    asked = dict(request.query)
    if request.method == "POST":
        if request.content_type == "application/json":
            given = await request.json()
            asked |= (
                {str(name): str(value) for name, value in given.items()} if isinstance(given, dict) else {}
            )
        else:
            asked |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    return asked


def _anybody(caller: str) -> list[Customer]:
    if not caller.startswith(ANYBODY) or not caller[1:].isdecimal():
        return []
    level = LEVELS[int(caller[-1]) % len(LEVELS)]
    return [
        Customer(
            fields={"id": caller[1:], "name": f"Customer {caller[-4:]}", "status": level, "owner": "alice"}
        )
    ]


def _shown(customer: Customer, names: list[str]) -> dict[str, Any]:
    """The fields asked for, with what names the record; a field the customer lacks is null."""
    always = {name: customer.fields[name] for name in ("id", "name") if name in customer.fields}
    link = {"link": f"https://crm.example/customers/{customer.fields.get('id', '')}"}
    return (
        always
        | link
        | {"country": "FR"}
        | {name: customer.fields.get(name) for name in names if name != "country"}
    )


def _json(body: Any) -> web.Response:
    return web.Response(text=json.dumps(body, ensure_ascii=False), content_type="application/json")


# What a CRM does that it should not


async def _failed(_: web.Request) -> web.StreamResponse:
    return web.Response(status=500, text="Internal Server Error")


async def _refused(_: web.Request) -> web.StreamResponse:
    return web.Response(status=401, text="bad credentials")


async def _throttled(_: web.Request) -> web.StreamResponse:
    return web.Response(status=429, text="too many requests", headers={"Retry-After": "60"})


async def _silent(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3600)
    return web.Response(status=504)


async def _web_page(_: web.Request) -> web.StreamResponse:
    return web.Response(
        text="<!DOCTYPE html><html><body>Please log in</body></html>", content_type="text/html"
    )


async def _line_breaks(_: web.Request) -> web.StreamResponse:
    return web.Response(text="GOLD\r\nAction: Hangup\r\nChannel: all\r\n\r\n\x00)${SHELL(id)}&")


async def _long(_: web.Request) -> web.StreamResponse:
    return web.Response(text="G" * 10_000)


async def _huge(request: web.Request) -> web.StreamResponse:
    """Fifty megabytes, in pieces."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(800):
        await response.write(b"x" * 65_536)
    return response


async def _drip(request: web.Request) -> web.StreamResponse:
    """A byte now and then, for ever."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"G")
        await asyncio.sleep(0.1)


async def _broken_json(_: web.Request) -> web.StreamResponse:
    return web.Response(text='{"status": "GO', content_type="application/json")


async def _redirect_loop(request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": str(request.rel_url)})


async def _redirect_away(_: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "https://elsewhere.example/"})


MISBEHAVIOUR: Mapping[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
    "failed": _failed,
    "refused": _refused,
    "throttled": _throttled,
    "silent": _silent,
    "web_page": _web_page,
    "line_breaks": _line_breaks,
    "long": _long,
    "huge": _huge,
    "drip": _drip,
    "broken_json": _broken_json,
    "redirect_loop": _redirect_loop,
    "redirect_away": _redirect_away,
}


def read_customers(path: Path | None) -> list[Customer]:
    """The built-in table, or a file's. Raises SystemExit with what is wrong with it."""
    if path is None:
        return [_customer(given) for given in BUILT_IN]
    try:
        text = path.read_text()
        tables = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        return [_customer(given) for given in tables["customers"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"{path} cannot be read as a table of customers: {error!r}") from error


def _customer(given: Mapping[str, Any]) -> Customer:
    misbehaves = given.get("misbehaves", "")
    if misbehaves and misbehaves not in MISBEHAVIOUR:
        raise ValueError(f"unknown misbehaviour {misbehaves!r}")
    numbers, digits = tuple(given.get("numbers", ())), tuple(given.get("digits", ()))
    return Customer(numbers, digits, dict(given.get("fields", {})), misbehaves)


def main() -> int:
    parser = argparse.ArgumentParser(description="A sample CRM that answers by the custom URL contract.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--delay-ms", type=int, default=0, help="how long each answer takes")
    parser.add_argument("--table", type=Path, help="a TOML or JSON file of customers")
    given = parser.parse_args()
    crm = SampleCrm(read_customers(given.table), given.delay_ms / 1000)

    def say(*_: object) -> None:
        print(f"sample CRM listens on http://{given.host}:{given.port}", flush=True)

    web.run_app(
        crm.application(),
        host=given.host,
        port=given.port,
        access_log=None,
        print=say,
        shutdown_timeout=0.2,
        handler_cancellation=True,
        backlog=1024,
        loop=uvloop.new_event_loop(),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
