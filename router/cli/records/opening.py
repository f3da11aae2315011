"""The records, the board and who acts, as the commands need them."""

import getpass
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from router.admin.publisher import Publisher
from router.cli.configuration import read_manifests, read_settings
from router.cli.stores import opened
from router.records.audit import Actor
from router.records.configuration import Configuration
from router.records.database import open_database
from router.settings.checking import tenant_check


class Desk(Struct, frozen=True):
    """Everything to change the configuration with."""

    configuration: Configuration
    publisher: Publisher


@asynccontextmanager
async def desk(folder: Path, *, migrate: bool) -> AsyncIterator[Desk]:
    """With `migrate` false the schema stays as it is, for a command that only reads.

    Raises RecordsError, RecordsMisconfigured, StoreMisconfigured.
    """
    settings = read_settings(folder)
    database = await open_database(settings.records.url, migrate=migrate)
    try:
        async with opened(settings.redis) as store:
            check = tenant_check(settings, read_manifests(folder)[0])
            yield Desk(Configuration(database, time.time, check), Publisher(database, store.plans))
    finally:
        await database.aclose()


def actor() -> Actor:
    """Who sits at the command line."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in a container
        name = f"user {os.geteuid()}"
    return Actor(f"{name} (command line)", socket.gethostname())
