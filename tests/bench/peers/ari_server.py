"""The Stasis application: one websocket for events, one aiohttp session for the CRM and one for ARI.

    python -m tests.bench.peers.ari_server '{"ari": "http://127.0.0.1:8088/ari", …}'

Of all that Asterisk could tell it of a channel it asks for StasisStart alone.
"""

import asyncio
import json
import re
import sys
from typing import Any

import aiohttp
import uvloop


class Application:
    def __init__(self, given: dict[str, Any], ari: aiohttp.ClientSession, crm: aiohttp.ClientSession) -> None:
        self._given = given
        self._ari = ari
        self._crm = crm
        self._calls: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        address, name = self._given["ari"], self._given["application"]
        async with self._ari.ws_connect(f"{address}/events", params={"app": name}, heartbeat=10) as events:
            wanted = {"allowed": [{"type": "StasisStart"}]}
            async with self._ari.put(f"{address}/applications/{name}/eventFilter", json=wanted) as answer:
                answer.raise_for_status()
            print("serving", flush=True)
            async for message in events:
                event = json.loads(message.data)
                if event["type"] == "StasisStart":
                    call = asyncio.create_task(self._route(event))
                    self._calls.add(call)
                    call.add_done_callback(self._calls.discard)

    async def _route(self, event: dict[str, Any]) -> None:
        channel = event["channel"]
        level = await self._level(channel["caller"]["number"], int(event["args"][0]))
        place = level.lower() if level in self._given["levels"] else "default"
        to = {"context": "bench-land", "extension": place, "priority": "1"}
        url = f"{self._given['ari']}/channels/{channel['id']}/continue"
        async with self._ari.post(url, params=to):
            pass  # a caller who has hung up meanwhile is answered with 404

    async def _level(self, caller: str, tenant: int) -> str:
        number = re.sub(r"\D", "", caller)
        try:
            async with self._crm.get(self._given["urls"][tenant] + number) as answer:
                return await answer.text() if answer.ok else ""
        except (aiohttp.ClientError, TimeoutError):
            return ""


async def serve(given: dict[str, Any]) -> None:
    account = aiohttp.BasicAuth(*given["account"])
    timeout = aiohttp.ClientTimeout(total=given["seconds"])
    async with (
        aiohttp.ClientSession(auth=account, connector=aiohttp.TCPConnector(limit=0)) as ari,
        aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as crm,
    ):
        await Application(given, ari, crm).serve()


if __name__ == "__main__":
    uvloop.run(serve(json.loads(sys.argv[1])))
