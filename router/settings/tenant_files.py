"""The tenants' files: `<folder>/tenants/<tenant>.toml`, read at start and again whenever one changes.

Each file stands alone. What cannot be read is reported with file and line and never touches another tenant;
a tenant that was good before keeps its last good version. So a file may be edited in place, replaced by a
rename, or caught half written: the next look takes it up when it is whole.

Looking and applying are apart. Looking (stat, read, parse) may run in a thread; applying changes the tenants
in force and happens where the caller is, so that the event loop sees one state at a time.
"""

import asyncio
import gc
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import structlog
from msgspec import Struct

from router.core.identities import TenantId
from router.core.problems import Problem, error
from router.core.tenants import TENANT_ID, Tenant
from router.settings.documents import Document, Unreadable, parse_document
from router.settings.errors import FileProblem
from router.settings.folder_watch import FolderEvents, watch_folder
from router.settings.shapes import find_problems

log = structlog.get_logger(__name__)

SETTLED_SECONDS = 0.2
"""A file that was written to more recently may be half written; one that is gone may be on its way back."""
RACY_SECONDS = 1.0
"""A file read this soon after its last change may change again without a new time of change."""
SCAN_SECONDS = 30.0
"""How often everything is looked at although no change was announced."""
POLL_SECONDS = 1.0
"""How often everything is looked at where changes are not announced at all."""
FOLDER = ""
"""Stands for the folder itself among the names of its files."""
BARE_DATE = re.compile(r"[=\[,]\s*\d{4}-\d\d-\d\d|[=\[,]\s*\d\d:\d\d")


class Changes(Struct, frozen=True):
    """What a look at the files brought. Problems are those of the files that were read this time."""

    added: tuple[Tenant, ...] = ()
    changed: tuple[Tenant, ...] = ()
    removed: tuple[TenantId, ...] = ()
    problems: tuple[FileProblem, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed or self.problems)


class Signature(Struct, frozen=True):
    """What tells one version of a file from the next."""

    modified_ns: int
    size: int
    inode: int


class Reading(Struct, frozen=True):
    """One look at one file. Neither a tenant nor a problem: the file is gone."""

    name: str
    signature: Signature | None = None
    """None also for a file that was just written: it is to be read again."""
    modified_ns: int = 0
    tenant: Tenant | None = None
    problems: tuple[FileProblem, ...] = ()
    is_settled: bool = True


class TenantFiles:
    """Every tenant in force, as its file says."""

    def __init__(self, folder: Path, check: Callable[[Tenant], list[Problem]] | None = None) -> None:
        """`check` tells what is wrong with a tenant that can be read; it is in force all the same."""
        self.folder = folder / "tenants"
        self._check = check
        self._tenants: dict[TenantId, Tenant] = {}
        self._signatures: dict[str, Signature | None] = {}
        self._problems: dict[str, tuple[FileProblem, ...]] = {}

    def tenant(self, tenant_id: TenantId) -> Tenant | None:
        return self._tenants.get(tenant_id)

    def tenants(self) -> Mapping[TenantId, Tenant]:
        return MappingProxyType(self._tenants)

    def problems(self) -> tuple[FileProblem, ...]:
        """Of all files as they were last read."""
        return tuple(problem for name in sorted(self._problems) for problem in self._problems[name])

    def load_all(self) -> Changes:
        """Read every file, whether it changed or not.

        With thousands of tenants a process that serves calls should `gc.freeze()` afterwards: else each full
        collection walks all of them, and the event loop stands still for a tenth of a second or two.
        """
        self._signatures.clear()
        with _without_garbage_collection():
            return self.reload_changed()

    def reload_changed(self) -> Changes:
        """Read the files that are new, changed or gone since the last look."""
        return self._apply(self._look(None))

    async def watch(
        self,
        on_changes: Callable[[Changes], Awaitable[None]],
        *,
        events: FolderEvents = watch_folder,
        poll_seconds: float = POLL_SECONDS,
        scan_seconds: float = SCAN_SECONDS,
    ) -> None:
        """Follow the files until cancelled; tell of every change, and of every problem once.

        An edit is in force within a second where the system announces changes, within two where it does not.
        """
        async for names in self._news(events, poll_seconds, scan_seconds):
            readings = await asyncio.to_thread(self._look, names)
            if not all(reading.is_settled for reading in readings):
                await asyncio.sleep(SETTLED_SECONDS)
                readings = await asyncio.to_thread(self._look, names)
            changes = self._apply(readings)
            if changes:
                await on_changes(changes)

    async def _news(
        self, events: FolderEvents, poll_seconds: float, scan_seconds: float
    ) -> AsyncIterator[frozenset[str] | None]:
        """The names of files that may have changed; None for "look at everything"."""
        yield None
        try:
            async for names in events(self.folder, scan_seconds):
                if names:
                    yield frozenset(names) if all(map(_is_tenant_file, names)) else None
                elif await asyncio.to_thread(self._has_silent_change):
                    break
                else:
                    yield None
        except (OSError, RuntimeError) as failed:
            log.warning("tenants.watch_failed", folder=str(self.folder), error=str(failed)[:256])
        log.info("tenants.polling", folder=str(self.folder), seconds=poll_seconds)
        while True:
            yield None
            await asyncio.sleep(poll_seconds)

    def _has_silent_change(self) -> bool:
        """Whether a file changed some time ago and nobody told: the file system announces nothing."""
        long_ago = time.time_ns() - int(2e9)
        return any(
            reading.modified_ns < long_ago
            and reading.tenant is not None
            and reading.tenant != self._tenants.get(reading.tenant.id)
            for reading in self._look(None)
        )

    def _scan(self) -> dict[str, Signature] | None:
        """The signature of every tenant's file; None when the folder cannot be read."""
        try:
            with os.scandir(self.folder) as entries:
                found = {entry.name: _signature(entry) for entry in entries if _is_tenant_file(entry.name)}
        except OSError:
            return None
        return {name: signature for name, signature in found.items() if signature is not None}

    def _look(self, names: Iterable[str] | None) -> list[Reading]:
        """Read what may have changed. Changes nothing itself, so it may run in a thread."""
        if names is not None:
            return [self._read(name) for name in sorted(names)]
        found = self._scan()
        if found is None:
            return [self._folder_unreadable()]
        changed = [name for name, signature in found.items() if self._signatures.get(name) != signature]
        gone = [name for name in self._signatures if name not in found]
        readings = [self._read(name) for name in sorted(changed + gone)]
        return [Reading(FOLDER), *readings] if FOLDER in self._problems else readings

    def _folder_unreadable(self) -> Reading:
        """A folder that cannot be read (unmounted, for example) says nothing of its tenants: they stay."""
        problem = error((), "the tenants' folder cannot be read", "Create it, or check its owner and mode.")
        return Reading(FOLDER, problems=(FileProblem(str(self.folder), None, problem),))

    def _read(self, name: str) -> Reading:
        path = self.folder / name
        now = time.time_ns()
        try:
            with path.open("rb") as file:
                signature = _signature_of(os.fstat(file.fileno()))
                raw = file.read()
        except FileNotFoundError:
            return Reading(name, is_settled=False)
        except OSError as failed:
            problem = error((), f"the file cannot be read: {failed.strerror}", "Check its owner and mode.")
            return Reading(name, _signature(path), problems=(FileProblem(str(path), None, problem),))
        tenant, problems = self._parse(path, raw)
        age = (now - signature.modified_ns) / 1e9
        return Reading(
            name,
            signature=signature if age > RACY_SECONDS else None,
            modified_ns=signature.modified_ns,
            tenant=tenant,
            problems=problems,
            is_settled=age > SETTLED_SECONDS,
        )

    def _parse(self, path: Path, raw: bytes) -> tuple[Tenant | None, tuple[FileProblem, ...]]:
        try:
            document = parse_document(str(path), raw)
        except Unreadable as unreadable:
            return None, (unreadable.problem,)
        tenant, problems = parse_tenant(document, path.stem)
        if tenant is not None and self._check is not None:
            problems = self._check(tenant)
        return tenant, tuple(document.locate(problem) for problem in problems)

    def _apply(self, readings: Iterable[Reading]) -> Changes:
        added: list[Tenant] = []
        changed: list[Tenant] = []
        removed: list[TenantId] = []
        problems: list[FileProblem] = []
        for reading in readings:
            tenant_id = TenantId(reading.name.removesuffix(".toml"))
            former = self._tenants.get(tenant_id)
            if reading.problems != self._problems.get(reading.name, ()):
                problems += reading.problems
            if reading.tenant is None and not reading.problems:
                self._forget(reading.name)
                if former is not None:
                    removed.append(tenant_id)
                continue
            self._remember(reading)
            if reading.tenant is None or reading.tenant == former:
                continue
            self._tenants[tenant_id] = reading.tenant
            (added if former is None else changed).append(reading.tenant)
        return Changes(tuple(added), tuple(changed), tuple(removed), tuple(problems))

    def _remember(self, reading: Reading) -> None:
        if reading.name != FOLDER:
            self._signatures[reading.name] = reading.signature
        if reading.problems:
            self._problems[reading.name] = reading.problems
        else:
            self._problems.pop(reading.name, None)

    def _forget(self, name: str) -> None:
        self._tenants.pop(TenantId(name.removesuffix(".toml")), None)
        self._signatures.pop(name, None)
        self._problems.pop(name, None)


def parse_tenant(document: Document, tenant_id: str) -> tuple[Tenant | None, list[Problem]]:
    """The tenant of a document, or every reason why it is none."""
    data = _with_dates_as_text(document.data) if BARE_DATE.search(document.text) else document.data
    stated = data.get("id", tenant_id)
    if stated != tenant_id:
        what = f"the id differs from the file's name, `{tenant_id}`"
        return None, [error(("id",), what, "Leave the id out, or rename the file.")]
    if TENANT_ID.fullmatch(tenant_id) is None:
        what = f"the file's name, `{tenant_id}`, cannot be the id of a tenant"
        return None, [error((), what, "Rename it: small letters, digits and hyphens, at most 40.")]
    data = {**data, "id": tenant_id}
    try:
        tenant = msgspec.convert(data, type=Tenant, strict=True)
    except msgspec.ValidationError:
        return None, find_problems(data, Tenant)
    if not is_zone(tenant.zone):
        what = f"there is no time zone `{tenant.zone}`"
        return None, [error(("zone",), what, 'Write it as the IANA list has it, such as "Europe/Paris".')]
    return tenant, []


def is_zone(name: str) -> bool:
    """Whether the system's, or the packaged, IANA list knows this time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _with_dates_as_text(node: Any) -> Any:
    """TOML has dates of its own; rules write them as ISO texts."""
    match node:
        case dict():
            return {key: _with_dates_as_text(item) for key, item in node.items()}
        case list():
            return [_with_dates_as_text(item) for item in node]
        case datetime() | date():
            return node.isoformat()
        case _:
            return node


def _is_tenant_file(name: str) -> bool:
    """Editors' own files begin with a dot or end with a sign of theirs."""
    return name.endswith(".toml") and not name.startswith(".")


def _signature(path: Path | os.DirEntry[str]) -> Signature | None:
    """None when the file has gone meanwhile. A link is followed."""
    try:
        return _signature_of(path.stat())
    except OSError:
        return None


def _signature_of(status: os.stat_result) -> Signature:
    return Signature(status.st_mtime_ns, status.st_size, status.st_ino)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Ten thousand files make a million objects that all stay: looking for rubbish there only costs."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
