"""A tenant as it is in force in the records, for commands that read files where tenants are files."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from router.cli.errors import OutOfReach, WrongUsage
from router.core.identities import TenantId
from router.core.problems import pick_one
from router.core.tenants import Tenant
from router.records import publications
from router.records.database import open_database
from router.records.errors import RecordsError, RecordsMisconfigured


def tenant_in_force(url: str, name: str) -> Tenant:
    """Raises WrongUsage with the names there are, OutOfReach."""
    try:
        with ThreadPoolExecutor(1) as pool:  # a command may be within a loop of its own already
            known = pool.submit(asyncio.run, _in_force(url)).result()
    except RecordsMisconfigured as error:
        raise WrongUsage(str(error), "See records.url in the settings.") from error
    except RecordsError as error:
        raise OutOfReach(str(error), "Is the database of records.url running?") from error
    if name in known:
        return known[TenantId(name)]
    mend = pick_one(name, sorted(known)) if known else "Make one on the page, or by `crmroute apply`."
    raise WrongUsage(f"there is no tenant {name} in the records", mend)


async def _in_force(url: str) -> dict[TenantId, Tenant]:
    database = await open_database(url)
    try:
        async with database.reading() as connection:
            listed = await publications.all_in_force(connection)
    finally:
        await database.aclose()
    return {one.tenant: one.document for one in listed if one.document is not None}
