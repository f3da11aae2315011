"""Which settings of an integration count: a manifest's conditions, held against the settings' values. Pure.

A setting whose condition names another one that does not count itself does not count either.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from router.core.manifests import Manifest, Setting

Condition = tuple[str, tuple[str, ...]]
"""A setting's name, and the values of which it must have one."""
SET = "set"
"""Stands for a value that is no text, such as a sealed secret."""


def conditions_of(manifest: Manifest, setting: Setting) -> tuple[Condition, ...]:
    """All that must hold for the setting to count, those of the settings that it depends on among them."""
    return tuple(dict.fromkeys(_conditions(manifest, setting, (setting.name,))))


def counts(manifest: Manifest, setting: Setting, settings: Mapping[str, Any]) -> bool:
    return _hold(manifest, conditions_of(manifest, setting), settings)


def person_signs_in(manifest: Manifest, settings: Mapping[str, Any]) -> bool:
    """Whether an integration with these settings needs a person's sign-in at the CRM."""
    when = manifest.person_when
    return when is not None and _hold(manifest, tuple(when.items()), settings)


def _conditions(manifest: Manifest, setting: Setting, seen: tuple[str, ...]) -> Iterator[Condition]:
    for name, values in setting.when.items():
        yield name, values
        other = manifest.setting(name)
        if other is not None and name not in seen:
            yield from _conditions(manifest, other, (*seen, name))


def _hold(manifest: Manifest, conditions: tuple[Condition, ...], settings: Mapping[str, Any]) -> bool:
    return all(_value(manifest, name, settings) in values for name, values in conditions)


def _value(manifest: Manifest, name: str, settings: Mapping[str, Any]) -> str:
    setting = manifest.setting(name)
    value = settings.get(name, setting.default if setting else None)
    if value is None:
        return ""
    return value if isinstance(value, str) else SET
