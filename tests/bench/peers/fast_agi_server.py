"""The FastAGI server: panoramisk's own `fast_agi`, and one httpx client for all calls.

python -m tests.bench.peers.fast_agi_server '{"port": 4573, "urls": ["http://…&caller=%2B"], "seconds": 2.5}'
"""

import asyncio
import json
import re
import sys
from typing import Any

import httpx
import uvloop
from panoramisk import fast_agi

BACKLOG = 1024


class Lookup:
    def __init__(self, urls: list[str], client: httpx.AsyncClient) -> None:
        self._urls = urls
        self._client = client

    async def __call__(self, request: fast_agi.Request) -> None:
        level = await self._level(request.headers)
        await request.send_command(f"SET VARIABLE LEVEL {level or 'NONE'}")

    async def _level(self, headers: dict[str, str]) -> str:
        number = re.sub(r"\D", "", headers["agi_callerid"])
        url = self._urls[int(headers["agi_arg_1"])]
        try:
            answer = await self._client.get(url + number)
        except httpx.HTTPError:
            return ""
        return re.sub(r"\W", "", answer.text)[:40] if answer.is_success else ""


async def serve(given: dict[str, Any]) -> None:
    limits = httpx.Limits(max_connections=1000, max_keepalive_connections=1000)
    async with httpx.AsyncClient(timeout=given["seconds"], limits=limits) as client:
        lookup = Lookup(given["urls"], client)
        application = fast_agi.Application(loop=asyncio.get_running_loop())

        async def answer(request: fast_agi.Request) -> None:
            await lookup(request)

        application.add_route("lookup", answer)
        server = await asyncio.start_server(application.handler, "127.0.0.1", given["port"], backlog=BACKLOG)
        print("serving", flush=True)
        async with server:
            await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(json.loads(sys.argv[1])))
