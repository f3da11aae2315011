"""A CRM process that misbehaves on command, tenant by tenant.

    python -m tests.faults.crm --port 8091 --tls-port 8443 --certificate crm.pem

    GET  /t/{tenant}/lookup?caller=...     the customer's level, or what the tenant's CRM was told to do
    POST /behave/{tenant}?what=...         `well`, a name of sample_crm.MISBEHAVIOUR, `throttled_briefly`,
         &low_ms=10&high_ms=1000           or `text` with `text=`; and how long each answer takes, at random
    GET  /seen                             how often each caller was looked up

Every caller's level is GOLD. The TLS port has a certificate that nobody signed.
"""

import argparse
import asyncio
import random
import ssl
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import uvloop
from aiohttp import web

from deploy.rig.sample_crm import MISBEHAVIOUR

LEVEL = "GOLD"


@dataclass
class Behaviour:
    what: str = "well"
    low_ms: float = 0.0
    high_ms: float = 0.0
    text: str = LEVEL


class FaultyCrm:
    def __init__(self) -> None:
        self._behaviours: dict[str, Behaviour] = {}
        self._seen: Counter[str] = Counter()

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/t/{tenant}/lookup", self._lookup)
        app.router.add_post("/behave/{tenant}", self._behave)
        app.router.add_get("/seen", self._tell_seen)
        return app

    async def _lookup(self, request: web.Request) -> web.StreamResponse:
        tenant = request.match_info["tenant"]
        self._seen[request.query.get("caller", "")] += 1
        behaviour = self._behaviours.get(tenant) or self._behaviours.get("all") or Behaviour()
        if behaviour.high_ms:
            await asyncio.sleep(random.uniform(behaviour.low_ms, behaviour.high_ms) / 1000)
        if behaviour.what in ("well", "text"):
            return web.Response(text=behaviour.text)
        if behaviour.what == "throttled_briefly":
            return web.Response(status=429, headers={"Retry-After": "1"})
        return await MISBEHAVIOUR[behaviour.what](request)

    async def _behave(self, request: web.Request) -> web.StreamResponse:
        given = request.query
        self._behaviours[request.match_info["tenant"]] = Behaviour(
            given.get("what", "well"),
            float(given.get("low_ms", 0)),
            float(given.get("high_ms", 0)),
            await request.text() or LEVEL,
        )
        return web.Response(status=204)

    async def _tell_seen(self, _: web.Request) -> web.StreamResponse:
        return web.json_response(dict(self._seen))


async def serve(port: int, tls_port: int, certificate: Path) -> None:
    runner = web.AppRunner(FaultyCrm().application(), access_log=None, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    if tls_port:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        await web.TCPSite(runner, "127.0.0.1", tls_port, ssl_context=context).start()
    print("crm.started", flush=True)
    await asyncio.Event().wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tls-port", type=int, default=0)
    parser.add_argument("--certificate", type=Path, default=Path())
    given = parser.parse_args()
    uvloop.run(serve(given.port, given.tls_port, given.certificate))
    return 0


if __name__ == "__main__":
    sys.exit(main())
