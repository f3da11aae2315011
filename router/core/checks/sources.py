"""Checks of integrations and of a rule's own custom URL, by the connectors' manifests."""

from collections.abc import Iterator, Mapping
from typing import Any

import re2

from router.core.checks.logs import check_log
from router.core.checks.scope import Scope
from router.core.manifests import Manifest, Setting, SettingType
from router.core.problems import Path, Problem, error, pick_one, warning
from router.core.secret_names import is_reference, is_secret_name
from router.core.tenants import Integration

CUSTOM_CONNECTOR = "custom"
BY_REFERENCE = 'Write { env = "NAME" } or { file = "/path" }, so that the file can be shown to others.'


def check_integration(integration: Integration, path: Path, scope: Scope) -> Iterator[Problem]:
    if scope.manifests is not None and integration.connector not in scope.manifests:
        what = f"there is no connector `{integration.connector}`"
        yield error((*path, "connector"), what, pick_one(integration.connector, scope.manifests))
    yield from check_settings(integration.connector, integration.settings, (*path, "settings"), scope)
    yield from check_log(integration, (*path, "log"), scope)


def check_settings(connector: str, given: Mapping[str, Any], path: Path, scope: Scope) -> Iterator[Problem]:
    manifest = scope.manifests.get(connector) if scope.manifests is not None else None
    if manifest is not None:
        yield from _check_by_manifest(manifest, given, path)
    for name, value in given.items():
        yield from _check_url(value, (*path, name), scope)
        yield from _check_clear_secret(manifest, name, value, (*path, name))


def can_tell_latest(connector: str, given: Mapping[str, Any], manifest: Manifest | None) -> bool:
    """Whether the connector can say which of several records changed last."""
    if connector != CUSTOM_CONNECTOR and manifest is None:
        return True
    names = [setting.name for setting in manifest.settings] if manifest else ["modified_field"]
    wanted = [name for name in names if name.startswith("modified")]
    return not wanted or any(given.get(name) for name in wanted)


def _check_by_manifest(manifest: Manifest, given: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    known = [setting.name for setting in manifest.settings]
    for name in given:
        if name not in known:
            what = f"the connector `{manifest.slug}` has no setting `{name}`"
            yield error((*path, name), what, pick_one(name, known))
    for setting in manifest.settings:
        value = given.get(setting.name)
        if value is None:
            if setting.required:
                what = f"the connector `{manifest.slug}` needs `{setting.name}`"
                yield error(path, what, f"Add it. {setting.help}".strip())
            continue
        yield from _check_setting(setting, value, (*path, setting.name))


def _check_setting(setting: Setting, value: Any, path: Path) -> Iterator[Problem]:
    if not _fits(setting.type, value):
        yield error(
            path,
            f"`{setting.name}` must be {MEANINGS[setting.type]}",
            f"{setting.help}".strip() or "Mend it.",
        )
        return
    if not isinstance(value, str):
        return
    if setting.choices and value not in setting.choices:
        yield error(path, f"`{setting.name}` cannot be `{value[:60]}`", pick_one(value, setting.choices))
    if setting.pattern and not _matches(setting.pattern, value):
        shown = "the value" if setting.type is SettingType.SECRET else f"`{value[:60]}`"
        yield error(
            path, f"{shown} does not fit `{setting.name}`", setting.help or f"It must fit {setting.pattern}."
        )
    if setting.required and not value.strip():
        yield error(path, f"`{setting.name}` is empty", f"Fill it in. {setting.help}".strip())


MEANINGS = {
    SettingType.TEXT: "a text",
    SettingType.URL: "an address that begins with https://",
    SettingType.SECRET: 'a text, { env = "NAME" } or { file = "/path" }',
    SettingType.NUMBER: "a number",
    SettingType.WHOLE: "a whole number",
    SettingType.BOOLEAN: "true or false",
    SettingType.CHOICE: "a text",
    SettingType.TABLE: "a table",
    SettingType.LIST: "a list",
}


def _fits(type_: SettingType, value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match type_:
        case SettingType.SECRET:
            return isinstance(value, str) or is_reference(value)
        case SettingType.URL:
            return isinstance(value, str) and value.lower().startswith(("https://", "http://"))
        case SettingType.NUMBER:
            return is_number
        case SettingType.WHOLE:
            return is_number and isinstance(value, int)
        case SettingType.BOOLEAN:
            return isinstance(value, bool)
        case SettingType.TABLE:
            return isinstance(value, dict)
        case SettingType.LIST:
            return isinstance(value, list)
        case _:
            return isinstance(value, str)


def _matches(pattern: str, value: str) -> bool:
    try:
        return re2.fullmatch(pattern, value) is not None
    except re2.error:
        return True  # the manifest's own mistake, which its own test finds


def _check_url(value: Any, path: Path, scope: Scope) -> Iterator[Problem]:
    if scope.limits.https_only and isinstance(value, str) and value.strip().lower().startswith("http://"):
        what = "the address is not encrypted, and this system asks CRMs by https:// only"
        mend = "Write https://, or have the operator set worker.https_only = false."
        yield error(path, what, mend)


def _check_clear_secret(manifest: Manifest | None, name: str, value: Any, path: Path) -> Iterator[Problem]:
    """A secret as a text, in the setting itself or, as headers have them, one level down."""
    setting = manifest.setting(name) if manifest else None
    is_secret = setting.type is SettingType.SECRET if setting else is_secret_name(name)
    if is_secret and isinstance(value, str) and value:
        yield warning(path, "the secret stands in the file in clear", BY_REFERENCE)
    if isinstance(value, dict) and not is_reference(value):
        for key, item in value.items():
            if isinstance(item, str) and item and is_secret_name(key):
                yield warning((*path, key), "the secret stands in the file in clear", BY_REFERENCE)
