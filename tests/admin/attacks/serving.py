"""A copy of the world behind a real HTTP server on loopback, for clients that block."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from tests.admin.attacks.world import Made, Stage, opened


@contextmanager
def serving(made: Made, stage: Stage, folder: Path) -> Iterator[str]:
    """Its address. Its loop has a thread of its own."""
    config = uvicorn.Config(stage.app, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))  # whoever connects before it serves waits

    async def serve() -> None:
        async with opened(made, stage, folder):
            await server.serve(sockets=[listener])

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
