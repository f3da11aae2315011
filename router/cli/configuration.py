"""The settings and the tenants as the commands need them; what is wrong with them as the commands' errors."""

import os
from datetime import datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from router.cli.errors import OutOfReach, WrongUsage
from router.core.identities import TenantId
from router.core.manifests import Manifest
from router.core.problems import pick_one
from router.core.tenants import Tenant
from router.settings.checking import tenant_check
from router.settings.documents import Unreadable, read_document
from router.settings.errors import FileProblem, SettingsError
from router.settings.load import load_settings
from router.settings.manifest_files import find_manifests
from router.settings.model import Settings
from router.settings.tenant_files import TenantFiles, parse_tenant

CONFIG_VARIABLE = "CRMROUTE_CONFIG"


def require_folder(folder: Path) -> Path:
    if not folder.is_dir():
        mend = f"Name it with --config, or by the environment variable {CONFIG_VARIABLE}."
        raise WrongUsage(f"there is no configuration folder {folder}", mend)
    return folder


def read_settings(folder: Path, *, with_asterisk: bool = False) -> Settings:
    """`with_asterisk` only where the AMI accounts are used: their secrets need not be on every host."""
    try:
        return load_settings(require_folder(folder), os.environ, with_asterisk=with_asterisk)
    except SettingsError as error:
        listed = "\n  ".join(str(problem) for problem in error.problems)
        raise WrongUsage(
            f"the settings cannot be used:\n  {listed}", "`crmroute check` tells more."
        ) from error


def read_tenants(folder: Path, settings: Settings | None = None) -> TenantFiles:
    """Every tenant's file. With settings each tenant is checked as well as read."""
    manifests = read_manifests(folder)[0]
    files = TenantFiles(require_folder(folder), tenant_check(settings, manifests) if settings else None)
    files.load_all()
    return files


def read_manifests(folder: Path) -> tuple[dict[str, Manifest] | None, list[FileProblem]]:
    """The connectors' manifests; or None and what is wrong with them, and then integrations go unchecked.

    What other packages bring and cannot be used is told as warnings.
    """
    try:
        return find_manifests(folder)
    except SettingsError as error:
        return None, list(error.problems)


def read_tenant(folder: Path, name: str) -> Tenant:
    """One tenant, from where routers take it: its file alone, or the records.

    Raises WrongUsage with what is wrong with it, or with the names there are; OutOfReach.
    """
    settings = read_settings(folder)
    if settings.tenants.source == "records":
        from router.cli.tenants_in_force import tenant_in_force

        return tenant_in_force(settings.redis, name)
    return _read_file(folder, name)


def _read_file(folder: Path, name: str) -> Tenant:
    tenants = require_folder(folder) / "tenants"
    path = tenants / f"{name}.toml"
    try:
        document = read_document(path)
    except FileNotFoundError as error:
        known = sorted(found.stem for found in tenants.glob("[!.]*.toml"))
        mend = pick_one(name, known) if known else f"Write {path}."
        raise WrongUsage(f"there is no tenant {name} in {tenants}", mend) from error
    except Unreadable as unreadable:
        raise WrongUsage(str(unreadable.problem)) from unreadable
    tenant, problems = parse_tenant(document, name)
    if tenant is None:
        listed = "\n  ".join(str(document.locate(problem)) for problem in problems)
        raise WrongUsage(f"the file of tenant {name} cannot be used:\n  {listed}")
    return tenant


def local_zone() -> tzinfo:
    return datetime.now().astimezone().tzinfo or ZoneInfo("UTC")


def zone_of(folder: Path, tenant: TenantId) -> tzinfo:
    """The tenant's time zone; this host's where the tenant is unknown, or cannot be read."""
    try:
        return ZoneInfo(read_tenant(folder, tenant).zone)
    except (WrongUsage, OutOfReach):
        return local_zone()
