"""`crmroute export`: each tenant in force as a file, which `apply` takes back without a difference."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import tomli_w
from msgspec import Struct

from router.cli.errors import ExitCode, WrongUsage
from router.cli.output import Screen, counted
from router.cli.records.opening import desk
from router.core.identities import TenantId
from router.core.problems import pick_one
from router.core.tenants import Tenant
from router.records import publications

HEAD = "#:schema ../schema/tenant.schema.json\n"


class Exported(Struct, frozen=True):
    """As `--json` gives it."""

    tenant: TenantId
    number: int
    file: str


async def export(screen: Screen, folder: Path, to: Path, names: Sequence[str]) -> ExitCode:
    """Write `<to>/tenants/<tenant>.toml`. Raises WrongUsage for an unknown tenant."""
    async with desk(folder, migrate=False) as opened, opened.configuration.database.reading() as connection:
        listed = await publications.all_in_force(connection)
    known = {publication.tenant: publication for publication in listed}
    for name in names:
        if name not in known:
            raise WrongUsage(f"there is no tenant {name} in the records", pick_one(name, sorted(known)))
    target = to / "tenants"
    target.mkdir(parents=True, exist_ok=True)
    written: list[Exported] = []
    for tenant, publication in known.items():
        if publication.document is not None and (not names or tenant in names):
            path = target / f"{tenant}.toml"
            _write(path, tenant_text(publication.document))
            written.append(Exported(tenant, publication.number, str(path)))
    screen.answer(written)
    screen.show(f"{counted(len(written), 'tenant')} written to {target}", soft_wrap=True)
    return ExitCode.OK


def tenant_text(tenant: Tenant) -> str:
    """The tenant's file. Its id is the file's name."""
    encoded = msgspec.json.encode(tenant)
    data = msgspec.json.decode(encoded)
    data.pop("id", None)
    # A text of several lines would lose its carriage returns, which a page's form brings.
    text: str = tomli_w.dumps(data, multiline_strings=b"\\r" not in encoded)
    return HEAD + text


def _write(path: Path, text: str) -> None:
    """Whole or not at all: somebody may follow the folder."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
