"""Secrets in settings: they go in, are sealed, and never come back.

What is secret is said by the connector's manifest; the values of headers are treated as secrets too, for an
Authorization may be among them. An answer names those that are set. One that is left out stays as it was (in
a table: one that is null), and null removes it.

A reference (`{ env = … }`, `{ file = … }`) reads what is on the server, so it comes from files or a provider:
whoever else writes one could have the server's secrets sent to an address of their own. For the same reason
secrets do not stay when the address changes: they have to be entered again.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from router.admin.api.problems import ApiError
from router.admin.identity import Identity
from router.core.manifests import Manifest, SettingType
from router.core.roles import Role
from router.core.tenants import Integration
from router.settings.errors import SecretMissing
from router.settings.sealed import Sealer

SECRET_TABLES = frozenset({"headers"})
REFERENCES = frozenset({"env", "file"})


class Shown(Struct, frozen=True):
    """An integration as it is answered."""

    document: Integration
    secrets: tuple[str, ...]
    """Those that are set; `headers.Authorization` is one of a table."""


def shown(integration: Integration, manifest: Manifest | None) -> Shown:
    """Without its secrets; where no manifest says what is secret, without any settings."""
    names = _secrets_of(manifest) if manifest else set(integration.settings)
    settings: dict[str, Any] = {}
    secrets = sorted(names & integration.settings.keys())
    for name, value in integration.settings.items():
        if name in names:
            continue
        if name in SECRET_TABLES and isinstance(value, dict):
            settings[name] = dict.fromkeys(value)
            secrets += [f"{name}.{one}" for one in sorted(value)]
        else:
            settings[name] = value
    return Shown(replace(integration, settings=settings), tuple(secrets))


def sealed(
    sent: Integration, former: Integration | None, manifest: Manifest, sealer: Sealer, old: Sealer
) -> Integration:
    """As it is kept. `old` unseals what `former` has. Raises ApiError."""
    if former is not None and former.connector != sent.connector:
        former = None
    before: Mapping[str, Any] = former.settings if former else {}
    names = _secrets_of(manifest)
    settings = {name: value for name, value in sent.settings.items() if value is not None}
    for name in names & settings.keys():
        settings[name] = _sealed(name, settings[name], sealer)
    staying = names & before.keys() - sent.settings.keys()
    if staying and _address(manifest, before) != _address(manifest, settings):
        listed = ", ".join(sorted(staying))
        raise ApiError(422, "invalid", f"the address changed: enter {listed} again, or null to remove it")
    for name in staying:
        settings[name] = _moved(before[name], old, sealer)
    for name in SECRET_TABLES & settings.keys():
        if isinstance(settings[name], dict):
            table = before.get(name)
            there = table if isinstance(table, dict) else {}
            settings[name] = dict(_sealed_table(name, settings[name], there, sealer, old))
    return replace(sent, settings=settings)


def _address(manifest: Manifest, settings: Mapping[str, Any]) -> list[Any]:
    return [settings.get(one.name) for one in manifest.settings if one.type is SettingType.URL]


def _sealed_table(
    name: str, table: Mapping[str, Any], before: Mapping[str, Any], sealer: Sealer, old: Sealer
) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if value is not None:
            yield key, _sealed(f"{name}.{key}", value, sealer)
        elif key in before:
            yield key, _moved(before[key], old, sealer)


def _sealed(name: str, value: Any, sealer: Sealer) -> Any:
    if isinstance(value, str):
        return sealer.seal(value)
    if _is_reference(value):
        return value
    raise ApiError(422, "invalid", f"the secret {name} must be a text")


def _moved(value: Any, old: Sealer, new: Sealer) -> Any:
    """A secret under the integration's name of now; a reference stays as it is."""
    try:
        match value:
            case {"sealed": str(text)}:
                return new.seal(old.unseal(text))
            case str():
                return new.seal(value)
    except SecretMissing as error:
        raise ApiError(409, "conflict", str(error)) from error
    return value


def require_no_new_reference(identity: Identity, sent: Any, former: Any) -> None:
    """`sent` and `former` are plain data; what was a reference already may stay. Raises ApiError."""
    if identity.role is Role.PROVIDER:
        return
    known = [value for _, value in _references(former, "")]
    for place, value in _references(sent, ""):
        if value not in known:
            told = f"{place}: a reference to what is on the server comes from files, or from a provider"
            raise ApiError(403, "not-allowed", f"{told}; write the text itself, and it is sealed")


def _references(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if _is_reference(value):
        yield place, value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _references(one, f"{place}.{name}" if place else str(name))
    elif isinstance(value, list | tuple):
        for number, one in enumerate(value, 1):
            yield from _references(one, f"{place}[{number}]")


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and not REFERENCES.isdisjoint(value)


def _secrets_of(manifest: Manifest) -> set[str]:
    return {one.name for one in manifest.settings if one.type is SettingType.SECRET}
