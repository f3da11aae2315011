"""Secrets in integrations and rules: they go in, are sealed, and never come back.

What is secret is said by the connector's manifest; so is a rule's own password, and each value of headers,
for an Authorization may be among them. An answer names those that are set. One that is left out stays as it
was (in a table: one that is null), and null removes it.

A reference (`{ env = … }`, `{ file = … }`) reads what is on the server, so it comes from files or a provider:
whoever else writes one could have the server's secrets sent to an address of their own. For the same reason
nothing that is secret stays where the address changes: it has to be entered again.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from router.admin.api.problems import ApiError
from router.admin.identity import Identity
from router.core.checks.sources import CUSTOM_CONNECTOR
from router.core.identities import RuleName, TenantId
from router.core.manifests import Manifest, SettingType
from router.core.plans import own_integration_name
from router.core.roles import Role
from router.core.rules import Credentials, Rule, Source
from router.core.secret_names import SECRET_TABLES, is_reference, is_server_reference
from router.core.tenants import Integration
from router.settings.errors import SecretMissing
from router.settings.sealed import Sealer
from router.settings.vault import Vault

PASSWORD = "source.credentials.password"  # noqa: S105 - where it stands
Settings = dict[str, Any]


class Shown(Struct, frozen=True):
    """Settings as they are answered."""

    settings: Settings
    secrets: tuple[str, ...]
    """Those that are set; `headers.Authorization` is one of a table."""


class Secrets:
    """Of one tenant."""

    def __init__(self, manifests: Mapping[str, Manifest], vault: Vault, tenant: TenantId) -> None:
        self._manifests = manifests
        self._vault = vault
        self._tenant = tenant

    # Integrations

    def shown(self, integration: Integration) -> tuple[Integration, tuple[str, ...]]:
        """Without its secrets, and which are set."""
        told = self._shown(integration.connector, integration.settings)
        return replace(integration, settings=told.settings), told.secrets

    def kept(self, identity: Identity, sent: Integration, former: Integration | None) -> Integration:
        """As it is kept: what was sent, sealed, and the secrets that were left out. Raises ApiError."""
        manifest = self._manifests.get(sent.connector)
        if manifest is None:
            raise ApiError(422, "invalid", f"there is no connector {sent.connector}")
        if former is not None and former.connector != sent.connector:
            former = None
        before = former.settings if former else {}
        move = _Move(
            sealer=self._sealer(sent.name),
            old=self._sealer(former.name if former else sent.name),
            is_same_place=_address(manifest, before) == _address(manifest, sent.settings),
            may_refer=identity.role is Role.PROVIDER,
        )
        return replace(sent, settings=_kept(sent.settings, before, secret_names(manifest), move))

    def is_moved(self, sent: Integration, former: Integration) -> bool:
        """Whether what is sent there would go to another address."""
        manifest = self._manifests.get(sent.connector)
        is_same_kind = manifest is not None and sent.connector == former.connector
        return not is_same_kind or _address(manifest, sent.settings) != _address(manifest, former.settings)

    # Rules

    def shown_rule(self, rule: Rule) -> tuple[Rule, tuple[str, ...]]:
        """Without its secrets, and which are set."""
        source, secrets = rule.source, []
        if source is None:
            return rule, ()
        if source.credentials is not None and source.credentials.password is not None:
            source = replace(source, credentials=Credentials(source.credentials.username))
            secrets.append(PASSWORD)
        if source.custom is not None:
            told = self._shown(CUSTOM_CONNECTOR, source.custom)
            source = replace(source, custom=told.settings)
            secrets += [f"source.custom.{name}" for name in told.secrets]
        return replace(rule, source=source), tuple(secrets)

    def kept_rule(self, identity: Identity, sent: Rule, former: Rule | None) -> Rule:
        """As it is kept. Raises ApiError."""
        if sent.source is None:
            return sent
        before = (former.source if former else None) or Source()
        move = _Move(
            sealer=self._sealer(own_integration_name(sent.name)),
            old=self._sealer(own_integration_name(former.name if former else sent.name)),
            is_same_place=self._place_of(sent.source) == self._place_of(before),
            may_refer=identity.role is Role.PROVIDER,
        )
        return replace(sent, source=self._kept_source(sent.source, before, move))

    def copied_rule(self, rule: Rule, name: RuleName) -> Rule:
        """The same under another name, with its secrets sealed for that. Raises ApiError."""
        copy = replace(rule, name=name)
        if rule.source is None:
            return copy
        sealer = self._sealer(own_integration_name(name))
        move = _Move(
            sealer, self._sealer(own_integration_name(rule.name)), is_same_place=True, may_refer=True
        )
        return replace(copy, source=self._kept_source(rule.source, rule.source, move))

    def _kept_source(self, sent: Source, before: Source, move: "_Move") -> Source:
        if sent.credentials is not None:
            former = before.credentials.password if before.credentials else None
            password = _kept_value(PASSWORD, sent.credentials.password, former, move)
            sent = replace(sent, credentials=replace(sent.credentials, password=password))
        if sent.custom is not None:
            manifest = self._manifests.get(CUSTOM_CONNECTOR)
            names = secret_names(manifest) if manifest else set()
            sent = replace(sent, custom=_kept(sent.custom, before.custom or {}, names, move))
        return sent

    def _place_of(self, source: Source) -> tuple[Any, ...]:
        """Where what is secret in a rule is sent."""
        return source.integration, source.custom.get("url") if source.custom is not None else None

    def _shown(self, connector: str, settings: Mapping[str, Any]) -> Shown:
        """Where no manifest says what is secret, no settings are shown."""
        manifest = self._manifests.get(connector)
        names = secret_names(manifest) if manifest else set(settings)
        told: Settings = {}
        secrets = sorted(names & settings.keys())
        for name, value in settings.items():
            if name in SECRET_TABLES - names and isinstance(value, dict):
                told[name] = dict.fromkeys(value)
                secrets += [f"{name}.{one}" for one in sorted(value)]
            elif name not in names:
                told[name] = value
        return Shown(told, tuple(secrets))

    def _sealer(self, owner: str) -> Sealer:
        return Sealer(self._vault, self._tenant, owner)


class _Move(Struct, frozen=True):
    """How secrets get from what was there to what is kept."""

    sealer: Sealer
    old: Sealer
    """Reads those that were there."""
    is_same_place: bool
    """Whether they are sent to where they were sent before."""
    may_refer: bool


def _kept(sent: Mapping[str, Any], before: Mapping[str, Any], names: set[str], move: _Move) -> Settings:
    kept: Settings = {}
    for name, value in sent.items():
        former = before.get(name)
        if name in SECRET_TABLES and isinstance(value, dict):
            kept[name] = dict(_kept_table(name, value, former if isinstance(former, dict) else {}, move))
        elif name not in names:
            kept[name] = _kept_open(name, value, former, move)
        elif value is not None:
            kept[name] = _kept_value(name, value, former, move)
    for name in names & before.keys() - sent.keys():
        kept[name] = _kept_value(name, None, before[name], move)
    return {name: value for name, value in kept.items() if value is not None}


def _kept_table(
    name: str, table: Mapping[str, Any], before: Mapping[str, Any], move: _Move
) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        kept = _kept_value(f"{name}.{key}", value, before.get(key), move)
        if kept is not None:
            yield key, kept


def _kept_value(place: str, value: Any, former: Any, move: _Move) -> Any:
    """None, or what was there: it stays. Raises ApiError."""
    if value is None or (value == former and not isinstance(value, str)):
        return _stayed(place, former, move)
    if isinstance(value, str):
        return move.sealer.seal(value)
    return _kept_open(place, value, former, move) if is_server_reference(value) else _refuse(place)


def _refuse(place: str) -> Any:
    raise ApiError(422, "invalid", f"the secret {place} must be a text")


def _stayed(place: str, former: Any, move: _Move) -> Any:
    """What was there, under the name of now."""
    if former is None:
        return None
    if not move.is_same_place:
        raise ApiError(422, "invalid", f"the address changed: enter {place} again, or remove it")
    try:
        match former:
            case {"sealed": str(text)}:
                return move.sealer.seal(move.old.unseal(text))
            case str():
                return move.sealer.seal(former)
    except SecretMissing as error:
        raise ApiError(409, "conflict", str(error)) from error
    return former


def _kept_open(place: str, value: Any, former: Any, move: _Move) -> Any:
    """What is no secret, unless it refers to one that is on the server. Raises ApiError."""
    is_there_already = value == former and move.is_same_place
    if not move.may_refer and not is_there_already:
        found = next(_references(value, place), None)
        if found is not None:
            told = f"{found}: a reference to what is on the server comes from files, or from a provider"
            raise ApiError(403, "not-allowed", f"{told}; write the text itself, and it is sealed")
    return value


def _references(value: Any, place: str) -> Iterator[str]:
    if is_reference(value):
        yield place
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _references(one, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for number, one in enumerate(value, 1):
            yield from _references(one, f"{place}[{number}]")


def _address(manifest: Manifest | None, settings: Mapping[str, Any]) -> list[Any]:
    listed = manifest.settings if manifest else ()
    return [settings.get(one.name) for one in listed if one.type is SettingType.URL]


def secret_names(manifest: Manifest) -> set[str]:
    return {one.name for one in manifest.settings if one.type is SettingType.SECRET}
