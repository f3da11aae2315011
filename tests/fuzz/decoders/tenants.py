"""What tenants and operators write: their files, and their lists of numbers.

A file that cannot be used is told with its line and never raises, for one tenant's file is read among all
others'. What can be used routes to the tenant's own places, whatever it says.
"""

from collections.abc import Sequence
from datetime import UTC
from functools import cache
from pathlib import Path

import msgspec

from router.core.check import check_tenant
from router.core.manifests import Manifest
from router.core.number_lists import read_numbers
from router.core.plans import TenantPlan
from router.settings.documents import Unreadable, parse_document
from router.settings.load import _check
from router.settings.manifest_files import load_manifests
from router.settings.model import Settings
from router.settings.shapes import find_problems
from router.settings.tenant_files import is_zone, parse_tenant
from tests.core import makers
from tests.fuzz.mutations import bend_text, bend_toml
from tests.fuzz.places import PROJECT
from tests.fuzz.targets import Target
from tests.hostile.configurations import CONFIGURATIONS, as_toml
from tests.hostile.promises import NOT_FOUND, TEMPLATES, routed

CONFIG = PROJECT / "config"


@cache
def _manifests() -> dict[str, Manifest]:
    return load_manifests(CONFIG)


def read_tenant(data: bytes) -> None:
    try:
        document = parse_document("acme.toml", data)
    except Unreadable as unreadable:
        str(unreadable).encode()
        return
    tenant, problems = parse_tenant(document, "acme")
    if tenant is not None:
        problems = check_tenant(tenant, TEMPLATES, _manifests(), is_zone=is_zone)
    assert tenant is not None or problems
    for problem in problems:
        assert len(str(document.locate(problem)).encode("utf-8", "surrogatepass").splitlines()) >= 1
    if tenant is None:
        return
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(tenant), type=type(tenant)) == tenant
    plan = TenantPlan(tenant, TEMPLATES, UTC)
    for number in tenant.numbers[:5]:
        routed(makers.parked(did=number.did), plan, NOT_FOUND)
    for entry in tenant.ivr_entries[:5]:
        routed(makers.parked(entry=entry.name), plan, NOT_FOUND)


def read_settings(data: bytes) -> None:
    try:
        document = parse_document("local.toml", data)
    except Unreadable:
        return
    problems = [*find_problems(document.data, Settings), *_check(document.data, with_asterisk=True)]
    for problem in problems:
        str(document.locate(problem))
    if not problems:
        msgspec.convert(document.data, type=Settings, strict=True)


def read_manifest(data: bytes) -> None:
    try:
        document = parse_document("some.toml", data)
    except Unreadable:
        return
    problems = find_problems({"slug": "some", **document.data}, Manifest)
    for problem in problems:
        str(document.locate(problem))


def read_list(data: bytes) -> None:
    tenant = makers.tenant(makers.rule())
    listed = read_numbers(data.decode("utf-8", "replace"), "FR", tenant.rules, tenant.numbers)
    for row in listed.rows:
        assert len({one.number.did for one in listed.rows}) == len(listed.rows)
        assert row.line >= 1
    assert listed.rows or listed.problems


def _tenants() -> Sequence[bytes]:
    sample = (CONFIG / "tenants" / "acme.toml").read_bytes()
    return [sample, b'country = "FR"\ndefault = { destination = "ivr", option = "main" }\n', *_hostile()]


def _hostile() -> Sequence[bytes]:
    return [as_toml(one) for one in CONFIGURATIONS[::25]]


def _files(*folders: str) -> Sequence[bytes]:
    return [path.read_bytes() for folder in folders for path in sorted(Path(CONFIG / folder).glob("*.toml"))]


LISTS = (
    b"number,rule,note\n+33142345001,Sales,front desk\n+33142345002,,\n",
    b'\xef\xbb\xbfnum\xc3\xa9ro;r\xc3\xa8gle;note\r\n0142345001;Sales;"a;b"\r\n0142345002;;\r\n',
    b"0142345001\tSales\tx\n0142345001\tSales\n",
    b'"0142345001","Sales","two\nlines"\n"unended',
    b"a\0b,Sales\n",
)

TARGETS = (
    Target("tenant-file", "a tenant's TOML, to calls", read_tenant, _tenants, bend_toml),
    Target("settings-file", "the operator's TOML", read_settings, lambda: _files("."), bend_toml),
    Target("manifest-file", "a connector's manifest", read_manifest, lambda: _files("connectors"), bend_toml),
    Target("number-list", "a list of numbers (CSV)", read_list, lambda: LISTS, bend_text),
)
