"""Settings as a form's fields, as a connector's manifest asks for them, and back. Pure.

A secret's field is empty: what is typed replaces it, and nothing typed leaves it as it is.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from router.core.manifest_conditions import counts
from router.core.manifests import Manifest, Setting, SettingType

Fields = dict[str, str]
TRUE = "true"


def settings_fields(settings: Mapping[str, Any], manifest: Manifest, prefix: str) -> Fields:
    """`settings` without their secrets (`router.admin.secrets`); the fields are named `prefix.setting`."""
    return {
        f"{prefix}.{one.name}": _text(settings.get(one.name, one.default))
        for one in manifest.settings
        if one.type is not SettingType.SECRET
    }


def settings_of(
    fields: Mapping[str, str], manifest: Manifest, prefix: str, former: Mapping[str, Any]
) -> dict[str, Any]:
    """What the fields make; secrets plain, None for one that is to go.

    What is as it would be anyhow is left out, unless `former` has it: a form that is saved unchanged changes
    nothing.
    """
    settings: dict[str, Any] = {}
    for setting in manifest.settings:
        _put(settings, setting, fields, f"{prefix}.{setting.name}")
    _leave_out(settings, manifest, former)
    usual = {one.name: one.default for one in manifest.settings if one.type is not SettingType.SECRET}
    return {
        name: value
        for name, value in settings.items()
        if name in former or name not in usual or value != _usual(usual[name], value)
    }


def _leave_out(settings: dict[str, Any], manifest: Manifest, former: Mapping[str, Any]) -> None:
    """What does not count with these settings: it is neither demanded nor kept, secrets among it."""
    idle = [setting for setting in manifest.settings if not counts(manifest, setting, settings)]
    for setting in idle:
        settings.pop(setting.name, None)
        if setting.type is SettingType.SECRET and setting.name in former:
            settings[setting.name] = None


def _usual(default: Any, value: Any) -> Any:
    """The default, as a form would make it."""
    if default is None:
        return False if value is False else None
    return list(default) if isinstance(default, tuple) else default


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name} = {'' if one is None else one}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return TRUE if value else ""
    return "" if value is None else str(value)


def _put(settings: dict[str, Any], setting: Setting, fields: Mapping[str, str], name: str) -> None:
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


def texts_of(manifest: Manifest, *, is_french: bool) -> dict[str, tuple[str, str]]:
    """Each setting's label and help, in French where there is French."""
    return {one.name: _told(one, is_french=is_french) for one in manifest.settings}


def _told(setting: Setting, *, is_french: bool) -> tuple[str, str]:
    label = (setting.label_fr if is_french else "") or setting.label or setting.name
    return label, (setting.help_fr if is_french else "") or setting.help
