"""Grants in files of this worker's machine, sealed: what is left when the store is emptied.

Only grants with a refresh token are here. A file holds the serial on its first line and the sealed grant
behind it; it is replaced in one step, and its owner alone may read it.
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import structlog

from router.core.identities import TenantId
from router.store.seams import StoredGrant

log = structlog.get_logger(__name__)

LARGEST_BYTES = 65_536


class GrantFiles:
    def __init__(self, folder: Path) -> None:
        self._folder = folder.expanduser()

    async def write(self, tenant: TenantId, key: str, sealed: bytes, serial: int) -> None:
        """A folder that cannot be written is logged: the store still has the grant."""
        try:
            await asyncio.to_thread(self._replace, self._path(tenant, key), b"%d\n" % serial + sealed)
        except OSError as error:
            log.error("grant.not_filed", tenant=tenant, folder=str(self._folder), problem=error.strerror)

    async def read(self, tenant: TenantId, key: str) -> StoredGrant | None:
        """As a grant whose token is over: its refresh token is what counts."""
        try:
            raw = await asyncio.to_thread(self._read, self._path(tenant, key))
        except OSError:
            return None
        serial, _, sealed = raw.partition(b"\n")
        if not serial.isdigit() or not sealed:
            return None
        return StoredGrant(sealed=sealed, serial=int(serial), lives_seconds=0.0, left_seconds=0.0)

    def _path(self, tenant: TenantId, key: str) -> Path:
        return self._folder / tenant / f"{key}.grant"

    def _read(self, path: Path) -> bytes:
        with path.open("rb") as file:
            return file.read(LARGEST_BYTES)

    def _replace(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_suffix(f".{os.getpid()}.new")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except OSError:
            with suppress(OSError):
                new.unlink()
            raise
