"""The integration's form, made of its connector's manifest: an integration as fields, and back. Pure.

A secret's field is empty: what is typed replaces it, and nothing typed leaves it as it is.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from router.core.call_logs import DEFAULT_SUBJECT, CallEnd, LogOptions
from router.core.identities import IntegrationName
from router.core.manifest_conditions import counts
from router.core.manifests import Manifest, Setting, SettingType
from router.core.problems import Path
from router.core.tenants import Integration

Fields = dict[str, str]
TRUE = "true"


def fields_of(integration: Integration, manifest: Manifest) -> Fields:
    """Of an integration without its secrets (`router.admin.secrets`)."""
    fields = {"name": str(integration.name)}
    for setting in manifest.settings:
        fields[f"settings.{setting.name}"] = _text(integration.settings.get(setting.name, setting.default))
    fields |= {f"log.{end.value}": TRUE for end in integration.log.calls}
    fields["log.create_unknown"] = integration.log.create_unknown
    fields["log.subject"] = integration.log.subject
    return fields


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name} = {'' if one is None else one}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return TRUE if value else ""
    return "" if value is None else str(value)


def integration_of(
    fields: Mapping[str, str], connector: str, manifest: Manifest, former: Integration | None
) -> Integration:
    """What the fields make; secrets plain. Raises msgspec.ValidationError."""
    settings: dict[str, Any] = {}
    for setting in manifest.settings:
        _put(settings, setting, fields)
    _leave_out(settings, manifest, former)
    log = LogOptions(
        calls=tuple(end for end in CallEnd if fields.get(f"log.{end.value}")),
        create_unknown=fields.get("log.create_unknown", "").strip(),
        subject=fields.get("log.subject", "").strip() or DEFAULT_SUBJECT,
    )
    data = msgspec.to_builtins(former) if former else {}
    data |= {"name": IntegrationName(fields.get("name", "").strip()), "connector": connector}
    return msgspec.convert(data | {"settings": settings, "log": msgspec.to_builtins(log)}, Integration)


def _leave_out(settings: dict[str, Any], manifest: Manifest, former: Integration | None) -> None:
    """What does not count with these settings: it is neither demanded nor kept, secrets among it."""
    idle = [setting for setting in manifest.settings if not counts(manifest, setting, settings)]
    for setting in idle:
        settings.pop(setting.name, None)
        if setting.type is SettingType.SECRET and former is not None and setting.name in former.settings:
            settings[setting.name] = None


def _put(settings: dict[str, Any], setting: Setting, fields: Mapping[str, str]) -> None:
    name = f"settings.{setting.name}"
    typed = fields.get(name, "").strip()
    match setting.type:
        case SettingType.SECRET:
            if fields.get(f"{name}.remove"):
                settings[setting.name] = None
            elif typed:
                settings[setting.name] = typed
        case SettingType.BOOLEAN:
            settings[setting.name] = bool(typed)
        case SettingType.TABLE:
            table = dict(_rows(typed))
            if table:
                settings[setting.name] = table
        case SettingType.LIST:
            listed = [one.strip() for one in typed.replace("\n", ",").split(",") if one.strip()]
            if listed or setting.default:
                settings[setting.name] = [_item(one, setting) for one in listed]
        case SettingType.NUMBER | SettingType.WHOLE:
            if typed:
                settings[setting.name] = _number(typed, setting.type)
        case _:
            if typed:
                settings[setting.name] = typed


def _number(typed: str, kind: SettingType) -> Any:
    """What is no number stays a text, and the check says so at its place."""
    with suppress(ValueError):
        return int(typed) if kind is SettingType.WHOLE else float(typed.replace(",", "."))
    return typed


def _item(typed: str, setting: Setting) -> Any:
    """A list whose default has numbers is one of numbers."""
    is_numeric = isinstance(setting.default, list | tuple) and any(
        isinstance(one, int) for one in setting.default
    )
    return _number(typed, SettingType.WHOLE) if is_numeric else typed


def _rows(typed: str) -> list[tuple[str, str | None]]:
    """Rows of `name = value`; without a value the one that is there stays."""
    rows = []
    for row in typed.splitlines():
        name, _, value = row.partition("=")
        if name.strip():
            rows.append((name.strip(), value.strip() or None))
    return rows


def field_at(path: Path) -> str:
    """The form's field for a place within an integration: ("settings", "url")."""
    return ".".join(str(part) for part in path[:2]) or "name"
